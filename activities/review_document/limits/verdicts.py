"""Turns the numbers of a test result into verdicts in words, by the standard limits or by a customer's.

Where the standard limits depart from the decision table that ships with the Standard Risk Tests:

- a model is a regression when its methodology *contains* "regression", as the monitors themselves decide; the table
  asks for equality and would judge a "Linear Regression" on an AUC that it does not have;
- a monitor's "no result" value is NOT APPLICABLE or ERROR, never FAIL, and every test yields exactly one row;
- drift verdicts rest on PSI and CSI; Kolmogorov-Smirnov p-values are information, because they shrink with the
  sample, and because the table judges the *largest* of them, which fails only when every feature differs;
- the disparity limits are the table's 0.8 and 1.2, not the monitor's own 0.8 and 1.25;
- findings of personal data have a rule of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from activities.modelop.types import MonitorProblem
from activities.review_document.formatting import clean, counted, finite, label
from activities.review_document.limits.decision_table import DecisionTable, UnusableLimits
from activities.review_document.limits.rule_verdicts import RuleJudge
from activities.review_document.limits.threshold_verdicts import ThresholdJudge
from activities.review_document.limits.thresholds import Family, ThresholdTable, standard_thresholds
from activities.review_document.limits.verdict_types import NOT_JUDGED, NOT_RUN, Verdict, Word

OTHER_MONITORS = "Other monitors"
FURTHER_ROWS = "Further rows of the decision table"
MAX_VERDICTS = 300
"""Rows of a decision table beyond this many are counted, not listed; a table that people maintain has about thirty."""
MAX_REASON = 1000

TableOfLimits = ThresholdTable | DecisionTable | UnusableLimits


def evaluate(
    results: Mapping[str, Any],
    *,
    methodology: str,
    failed: Sequence[MonitorProblem] = (),
    not_applicable: Sequence[MonitorProblem] = (),
    table: TableOfLimits | None = None,
) -> list[Verdict]:
    """Judges a test result.

    Args:
        results: the `testResults` dictionary; anything missing or of the wrong kind yields a visible row.
        methodology: the model's methodology, for example `Classification`.
        failed: monitors that failed to run; their rows read ERROR.
        not_applicable: monitors that do not apply to this model.
        table: the limits; the standard table if None. With limits that cannot be used, no number is judged.

    Returns:
        One verdict per threshold in the table's order, or one or more per category of a decision table; then one ERROR
        per failed monitor without a row of its own.
    """
    judge: ThresholdJudge | RuleJudge
    if isinstance(table, DecisionTable):
        judge = RuleJudge(results, methodology, failed, not_applicable)
        verdicts = _bounded([verdict for decision in table.decisions for verdict in judge.verdicts(decision)])
        verdicts += _personal_data(results, table)
    else:
        judge = ThresholdJudge(results, methodology, failed, not_applicable)
        verdicts = _by_thresholds(judge, table or standard_thresholds())
    return verdicts + [_stranger(problem) for problem in failed if problem.monitor not in judge.reported]


def count_by_word(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How often each word occurs, in a fixed order, words that do not occur left out."""
    counts = Counter(verdict.word for verdict in verdicts)
    return {word.value: counts[word] for word in Word if counts[word]}


def families(verdicts: Sequence[Verdict]) -> list[Family]:
    """The families that the verdicts belong to: the standard ones, then a customer's own, then the other monitors."""
    present = dict.fromkeys(verdict.family for verdict in verdicts)
    known = [family for family in standard_thresholds().families if family.name in present]
    names = {family.name for family in known} | {OTHER_MONITORS}
    own = [Family(name=name, question=_OWN_QUESTION) for name in present if name not in names]
    others = [Family(name=OTHER_MONITORS, question=_OTHER_QUESTION)] if OTHER_MONITORS in present else []
    return known + own + others


def rule_results(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The verdicts as ModelOp Center's `dmnRuleResults`: one `{testCategory, passes, reason}` per category.

    `passes` is False if any row of the category fails, True if all judged rows pass, and None if nothing was judged, a
    rule was not evaluated, or a monitor failed to run. With one row per category, a template that takes the first row
    of a category takes the right one.
    """
    by_category: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_category.setdefault(verdict.category, []).append(verdict)
    return [
        {
            "testCategory": category,
            "passes": _passes(rows),
            "reason": clean("; ".join(f"{row.word}: {row.reason}" for row in rows), MAX_REASON),
        }
        for category, rows in by_category.items()
    ]


def _by_thresholds(judge: ThresholdJudge, table: ThresholdTable | UnusableLimits) -> list[Verdict]:
    if isinstance(table, UnusableLimits):
        reason = clean(f"the decision table {label(table.filename)} cannot be used: {table.reason}")
        return [judge.unjudged(t, reason) for t in standard_thresholds().thresholds if judge.concerns(t)]
    return [judge.verdict(threshold) for threshold in table.thresholds if judge.concerns(threshold)]


def _bounded(verdicts: list[Verdict]) -> list[Verdict]:
    """At most `MAX_VERDICTS` in their order, those that need attention before others, and a row for the rest."""
    if len(verdicts) <= MAX_VERDICTS:
        return verdicts
    ranked = sorted(range(len(verdicts)), key=lambda place: (_URGENCY.index(verdicts[place].word), place))
    kept = sorted(ranked[:MAX_VERDICTS])
    rest = [verdicts[place] for place in sorted(ranked[MAX_VERDICTS:])]
    listed = ", ".join(f"{count:,} {word}" for word, count in count_by_word(rest).items())
    worst = min((verdict.word for verdict in rest), key=_URGENCY.index)
    summary = Verdict(
        threshold_id="",
        category=FURTHER_ROWS,
        family=FURTHER_ROWS,
        test=f"{counted(len(rest), 'row')} of the decision table not listed",
        word=worst if worst is Word.FAIL else Word.NOT_EVALUATED,
        reason=f"the decision table has more rows than are listed; of the rest are {listed}",
        consequence=NOT_JUDGED,
    )
    return [*(verdicts[place] for place in kept), summary]


def _personal_data(results: Mapping[str, Any], table: DecisionTable) -> list[Verdict]:
    """A row for findings of personal data that no rule speaks of: they are shown, and not judged by another's limit."""
    threshold = standard_thresholds().of("personal_data.violations")
    named = (threshold.metric in rule.names for decision in table.decisions for rule in decision.rules)
    findings = finite(results.get(threshold.metric))
    if findings is None or findings <= 0 or any(named):
        return []
    judge = ThresholdJudge(results, "", (), ())
    return [judge.unjudged(threshold, "the decision table has no rule for personal data that was found")]


def _passes(rows: Sequence[Verdict]) -> bool | None:
    words = {row.word for row in rows}
    if Word.FAIL in words:
        return False
    return True if Word.PASS in words and not words & {Word.ERROR, Word.NOT_EVALUATED} else None


def _stranger(problem: MonitorProblem) -> Verdict:
    return Verdict(
        threshold_id="",
        category=label(problem.monitor) or OTHER_MONITORS,
        family=OTHER_MONITORS,
        test=label(problem.monitor) or "Monitor without a known name",
        word=Word.ERROR,
        reason=clean(problem.message) or "failed to run without a message",
        consequence=NOT_RUN,
    )


_URGENCY = [Word.FAIL, Word.ERROR, Word.NOT_EVALUATED, Word.INFORMATION, Word.PASS, Word.NOT_APPLICABLE]
_OWN_QUESTION = "A category of the decision table that these limits come from."
_OTHER_QUESTION = "What monitors that failed to run said."
