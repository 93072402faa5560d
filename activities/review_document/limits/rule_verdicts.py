"""Judges a test result by a customer's decision table.

- Every category of the table has a row: where no rule decides, that is said.
- A rule that matches only because a monitor returned its "no result" number decides nothing: the row reads NOT
  APPLICABLE, or ERROR if that monitor failed, whatever the rule says.
- A rule that might match but cannot be evaluated yields a row NOT EVALUATED, and so does a rule that fails and of which
  nobody can tell whether it matches, because a value that it asks for is not there.
- A rule that passes without a number of the result does not pass while such a rule is open, nor if nothing at all is
  asked: "everything else is fine" is no verdict on what was not measured.
- A rule that passes an impossible number, such as an AUC of 5, reads ERROR.
- Rules of one category with the same word and reason share a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activities.modelop.types import MonitorProblem
from activities.review_document.formatting import counted, label
from activities.review_document.limits.decision_rules import Rule, Values, sentinels
from activities.review_document.limits.decision_table import Decided, Decision
from activities.review_document.limits.threshold_verdicts import ThresholdJudge, outside_the_possible, shown
from activities.review_document.limits.thresholds import Threshold, standard_thresholds
from activities.review_document.limits.verdict_types import NOT_JUDGED, NOT_RUN, Verdict, Word

MAX_LISTED = 3
NO_RULE_MATCHED = "no rule of this category matched"
_QUIET = (Word.PASS, Word.NOT_APPLICABLE, Word.INFORMATION)


@dataclass(frozen=True)
class _Ruling:
    """What one rule, or several alike, said about one category."""

    word: Word
    reason: str
    names: tuple[str, ...]
    rules: tuple[Rule, ...] = ()


class RuleJudge:
    """Holds one result while the decisions of a table are applied to it.

    Args:
        results: the `testResults` dictionary.
        methodology: the model's methodology, for results that do not carry it.
        failed: monitors that failed to run.
        not_applicable: monitors that do not apply to this model.
    """

    def __init__(
        self,
        results: Mapping[str, Any],
        methodology: str,
        failed: Sequence[MonitorProblem],
        not_applicable: Sequence[MonitorProblem],
    ) -> None:
        self._values = Values({"modelMethodology": methodology, **results} if methodology else results)
        self._monitors = ThresholdJudge(results, methodology, failed, not_applicable)
        self._subjects: dict[str, str] = {}

    @property
    def reported(self) -> set[str]:
        """The failed monitors that have a row so far."""
        return self._monitors.reported

    def verdicts(self, decision: Decision) -> list[Verdict]:
        """The rows of one decision, by category in the order of its rules."""
        decided = decision.decide(self._values)
        rules: dict[str, list[Rule]] = {}
        for rule in decision.rules:
            rules.setdefault(rule.category, []).append(rule)
        rulings = self._rulings(decided)
        passed_over = decision.passed_over(decided.hits)
        return [
            self._row(decision, category, ruling)
            for category, of_category in rules.items()
            for ruling in self._of_category(
                of_category, self._without_gaps(rulings.get(category, []), of_category, passed_over), decided
            )
        ]

    def _without_gaps(
        self, rulings: list[_Ruling], of_category: Sequence[Rule], passed_over: Sequence[Rule] | None
    ) -> list[_Ruling]:
        """The rulings and, where a rule that fails is open, a row that says so; it takes the place of a bare PASS."""
        bare = [ruling for ruling in rulings if self._is_bare(ruling)]
        asked = of_category
        if passed_over is not None and rulings:
            # What "everything else" means is told by all rules before it, of whatever category.
            asked = passed_over if bare else [rule for rule in passed_over if rule.category == of_category[0].category]
        spoken = {name for ruling in rulings for name in ruling.names}
        quiet = bool(rulings) and all(ruling.word in _QUIET for ruling in rulings)
        if quiet and (gap := self._gap(asked, spoken)) is not None:
            return [*(ruling for ruling in rulings if ruling not in bare), gap]
        return [self._founded(ruling, asked) if ruling in bare else ruling for ruling in rulings]

    def _is_bare(self, ruling: _Ruling) -> bool:
        return ruling.word is Word.PASS and not any(self._measured(name) for name in ruling.names)

    def _founded(self, ruling: _Ruling, asked: Sequence[Rule]) -> _Ruling:
        """A PASS without a number: with the numbers that it stands for, or taken back if it stands for none."""
        number = ruling.rules[0].number
        missing = [
            name for name in ruling.names if self._values.is_missing(name) or standard_thresholds().judging(name)
        ]
        if missing:
            said = f"rule {number} passes without a number; {label(missing[0])} is {self._stated(missing[0])}"
            return _Ruling(Word.NOT_EVALUATED, said, ruling.names)
        names = dict.fromkeys(name for rule in asked for name in rule.names)
        if not names:
            return _Ruling(Word.NOT_EVALUATED, f"rule {number} passes whatever the result holds", ())
        measured = tuple(name for name in self._fitting(tuple(names)) if self._measured(name))
        return replace(ruling, names=ruling.names or measured)

    def _gap(self, rules: Sequence[Rule], spoken: set[str]) -> _Ruling | None:
        """What is said of rules that fail and may or may not match; None if there is none."""
        names = dict.fromkeys(name for rule in rules for name in self._lacking(rule) if name not in spoken)
        if not names:
            return None
        if any(self._absent(name) for name in names):
            return _Ruling(*self._without_result(tuple(names)), tuple(names))
        stated = [f"{label(name)} is {self._stated(name)}" for name in list(names)[:MAX_LISTED]]
        return _Ruling(
            Word.NOT_EVALUATED,
            "; ".join(["it cannot be told whether a rule that fails matches", *stated]),
            tuple(names),
        )

    def _lacking(self, rule: Rule) -> tuple[str, ...]:
        """The values that a rule that fails, and that is meant for this kind of model, asks for in vain."""
        if rule.passes is not False or not all(map(self._monitors.fits, self._known(rule.names))):
            return ()
        absent = frozenset(name for name in rule.names if self._absent(name))
        found = rule.lacking(self._values.without(absent))
        return tuple(name for name in found if not self._measured(name))

    def _of_category(self, rules: Sequence[Rule], rulings: list[_Ruling], decided: Decided) -> list[_Ruling]:
        """The rulings; a number that was measured, and that none of them speaks of, is not passed over."""
        if any(ruling.word is not Word.NOT_APPLICABLE for ruling in rulings):
            return rulings
        missed = self._missed(rules, decided)
        open_number = missed.word is Word.NOT_EVALUATED and any(self._measured(name) for name in missed.names)
        return [*rulings, missed] if open_number or not rulings else rulings

    def _rulings(self, decided: Decided) -> dict[str, list[_Ruling]]:
        alike: dict[str, dict[tuple[Word, str], list[_Ruling]]] = {}
        for rule in decided.hits:
            ruling = self._hit(rule)
            alike.setdefault(rule.category, {}).setdefault((ruling.word, ruling.reason), []).append(ruling)
        found = {category: [_joint(group) for group in groups.values()] for category, groups in alike.items()}
        for category, open_rules in _by_category(decided.undecided).items():
            rule, reason = open_rules[0]
            more = f", nor can {counted(len(open_rules) - 1, 'more rule')}" if len(open_rules) > 1 else ""
            found.setdefault(category, []).append(_Ruling(Word.NOT_EVALUATED, reason + more, rule.names))
        return found

    def _hit(self, rule: Rule) -> _Ruling:
        absent = frozenset(name for name in rule.names if self._absent(name))
        if absent and not rule.matches(self._values.without(absent)):
            names = tuple(name for name in rule.names if name in absent)
            return _Ruling(*self._without_result(names), names)
        if rule.problem:
            return _Ruling(Word.NOT_EVALUATED, f"rule {rule.number} matches, but {rule.problem}", rule.names)
        if rule.passes is None:
            return _Ruling(Word.INFORMATION, rule.reason or "the rule gives no verdict", rule.names, (rule,))
        if rule.passes and (impossible := self._impossible(rule.names)):
            return _Ruling(Word.ERROR, impossible, rule.names)
        return _Ruling(Word.PASS if rule.passes else Word.FAIL, rule.reason, rule.names, (rule,))

    def _impossible(self, names: Sequence[str]) -> str:
        """Says which number no monitor can have measured; empty if all are possible."""
        for threshold in self._known(names):
            value = self._values[threshold.metric]
            if isinstance(value, float) and value not in threshold.possible:
                return f"{label(threshold.metric)} {outside_the_possible(threshold, value)}"
        return ""

    def _missed(self, rules: Sequence[Rule], decided: Decided) -> _Ruling:
        """What is said of a category that no rule decided."""
        names = self._fitting(self._measures(tuple(dict.fromkeys(name for rule in rules for name in rule.names))))
        if decided.problem:
            return _Ruling(Word.NOT_EVALUATED, decided.problem, names)
        if not any(self._measured(name) for name in names):
            known = self._known(names)
            word, reason = self._without_result(names)
            if word is Word.ERROR or any(self._absent(name) for name in names):
                return _Ruling(word, reason, names)
            if known and not any(self._monitors.fits(threshold) for threshold in known):
                return _Ruling(Word.NOT_APPLICABLE, self._monitors.meant_for_others(known[0]), names)
        stated = [f"{label(name)} is {self._stated(name)}" for name in names[:MAX_LISTED]]
        return _Ruling(Word.NOT_EVALUATED, "; ".join([NO_RULE_MATCHED, *stated]), names)

    def _without_result(self, names: Sequence[str]) -> tuple[Word, str]:
        return self._monitors.without_result(self._known(names))

    def _known(self, names: Sequence[str]) -> list[Threshold]:
        found = (standard_thresholds().judging(name) for name in names)
        return [threshold for threshold in found if threshold is not None]

    def _absent(self, name: str) -> bool:
        """Whether the value is a monitor's "no result"."""
        value = self._values[name]
        return isinstance(value, float) and value in sentinels(name)

    def _measured(self, name: str) -> bool:
        return isinstance(self._values[name], float) and not self._absent(name)

    def _measures(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The numbers among the names, without texts such as the methodology; all names if there is none."""
        found = [n for n in names if isinstance(self._values[n], float) or standard_thresholds().judging(n)]
        return tuple(found) or names

    def _fitting(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names without tests that are not meant for this kind of model; all names if nothing is left."""
        found = [n for n in names if all(self._monitors.fits(threshold) for threshold in self._known([n]))]
        return tuple(found) or names

    def _stated(self, name: str) -> str:
        value = self._values[name]
        if value is None:
            return "not in the result"
        if isinstance(value, float):
            return shown(None, value, ())
        return f'"{label(value)}"' if isinstance(value, str | bool) else "not a number that can be compared"

    def _row(self, decision: Decision, category: str, ruling: _Ruling) -> Verdict:
        names = self._measures(ruling.names)[:MAX_LISTED]
        measured = [name for name in names if self._measured(name)]
        known = self._known(names)
        alone = known[0] if len(names) == len(known) == 1 else None
        value = self._values[measured[0]] if measured else None
        return Verdict(
            threshold_id=alone.id if alone else "",
            category=category,
            family=standard_thresholds().family_of(category) or category,
            test=_joined([self._test(decision, name) for name in names], " and ") or category,
            feature_or_group=self._subject(alone) if alone and measured else "",
            value=value if isinstance(value, float) else None,
            value_text="; ".join(self._printed(name, ruling) for name in measured) or "–",
            limit=_limit(decision, category, ruling, names),
            word=ruling.word,
            reason=_reason(decision, ruling),
            consequence=_consequence(ruling, known),
        )

    def _test(self, decision: Decision, name: str) -> str:
        threshold = standard_thresholds().judging(name)
        if threshold is not None:
            return threshold.test
        return decision.labels.get(name, label(name))

    def _subject(self, threshold: Threshold) -> str:
        if threshold.id not in self._subjects:
            value = self._values[threshold.metric]
            self._subjects[threshold.id] = self._monitors.subject(threshold, value) if isinstance(value, float) else ""
        return self._subjects[threshold.id]

    def _printed(self, name: str, ruling: _Ruling) -> str:
        value = self._values[name]
        cells = (cell for rule in ruling.rules for cell in rule.cells if name in cell.names)
        bounds = [bound for cell in cells if (found := cell.range_of(name)) for bound in found.bounds]
        return shown(standard_thresholds().judging(name), value if isinstance(value, float) else None, bounds)


def _joint(group: Sequence[_Ruling]) -> _Ruling:
    """Rulings of one category with the same word and reason as one."""
    names = dict.fromkeys(name for ruling in group for name in ruling.names)
    rules = tuple(rule for ruling in group for rule in ruling.rules)
    return _Ruling(group[0].word, group[0].reason, tuple(names), rules)


def _by_category(undecided: Sequence[tuple[Rule, str]]) -> dict[str, list[tuple[Rule, str]]]:
    found: dict[str, list[tuple[Rule, str]]] = {}
    for rule, reason in undecided:
        found.setdefault(rule.category, []).append((rule, reason))
    return found


def _limit(decision: Decision, category: str, ruling: _Ruling, names: Sequence[str]) -> str:
    """What the rules that pass ask for; where there are none, what the rule that fails asks for."""
    passing = [_joined(decision.limits.get((category, name), ()), " or ") for name in names]
    if any(passing) or ruling.word is not Word.FAIL:
        return _joined(list(filter(None, passing)), "; ")
    failing = [cell.limit(name) for name in names for rule in ruling.rules for cell in rule.cells if name in cell.names]
    return f"fails if {_joined(failing, ' or ')}" if failing else ""


def _reason(decision: Decision, ruling: _Ruling) -> str:
    numbers = [str(rule.number) for rule in ruling.rules]
    if not numbers:
        return ruling.reason
    more = f" and {len(numbers) - MAX_LISTED:,} more" if len(numbers) > MAX_LISTED else ""
    source = f"rule {', '.join(numbers[:MAX_LISTED])}{more} of {decision.name}"
    actions = _actions(ruling) if ruling.word is not Word.FAIL else ""
    return "; ".join(filter(None, [ruling.reason.rstrip(". "), f"action: {actions}" if actions else "", source]))


def _consequence(ruling: _Ruling, known: Sequence[Threshold]) -> str:
    if ruling.word is Word.FAIL:
        ours = known[0].consequence if known else ""
        return _actions(ruling) or ours or ruling.reason
    return {Word.ERROR: NOT_RUN, Word.NOT_EVALUATED: NOT_JUDGED}.get(ruling.word, "")


def _actions(ruling: _Ruling) -> str:
    return _joined([rule.action for rule in ruling.rules if rule.action], "; ")


def _joined(texts: Sequence[str], separator: str) -> str:
    """The distinct texts; of many, the first few and how many more."""
    distinct = list(dict.fromkeys(texts))
    rest = len(distinct) - MAX_LISTED
    return separator.join(distinct[:MAX_LISTED]) + (f" and {rest:,} more" if rest > 0 else "")
