"""The rules of a customer's decision table: conditions on the entries of `testResults`, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from activities.review_document.formatting import clean
from activities.review_document.limits.conditions import Condition, range_of
from activities.review_document.limits.thresholds import Interval, standard_thresholds
from activities.review_document.limits.unary_tests import UnaryTests, Unmeasured, Value, value_of

USUAL_SENTINEL = -99.0
"""What a monitor of the Standard Risk Tests returns when it has no result, unless the table of limits knows better."""


class Values:
    """The values that cells are tested against: the entries of `testResults`.

    Args:
        results: the `testResults` dictionary.
        masked: names whose value counts as not measured.
    """

    def __init__(self, results: Mapping[str, Any], masked: frozenset[str] = frozenset()) -> None:
        self._results = results
        self._masked = masked

    def __contains__(self, name: str) -> bool:
        return name in self._results

    def __getitem__(self, name: str) -> Value:
        """The value; None where there is none."""
        return Unmeasured.VALUE if name in self._masked else value_of(self._results.get(name))

    def is_missing(self, name: str) -> bool:
        """Whether there is nothing that could be compared."""
        return self[name] is None or self[name] is Unmeasured.VALUE

    def without(self, names: frozenset[str]) -> Values:
        """The same values, some of them as if they had not been measured."""
        return Values(self._results, self._masked | names)


@dataclass(frozen=True)
class Input:
    """A column of conditions.

    Attributes:
        name: key in `testResults` whose value the cells test.
        label: the column's heading.
        problem: why the column has no value that could be tested; else empty.
    """

    name: str
    label: str
    problem: str = ""

    def unusable(self, values: Values) -> str:
        """Why the cells of this column cannot be evaluated with these values; empty if they can."""
        if self.problem or self.name in values:
            return self.problem
        words = re.split(r"[\s.-]+", self.name)
        # A name with a hyphen is also a subtraction; only a result that holds the operands makes it one.
        if len(words) > 1 and ("-" not in self.name or any(word in values for word in words)):
            return "the input is neither a plain name nor a key of the result"
        return ""


@dataclass(frozen=True)
class Cell:
    """A condition of a rule.

    Attributes:
        input: the column.
        test: None where the condition cannot be evaluated; `problem` says why.
        aliases: names that do not mean the key of `testResults` that they spell, but what this column means.
    """

    input: Input
    text: str
    test: UnaryTests | Condition | None
    problem: str = ""
    aliases: Mapping[str, Input] = field(default_factory=dict)

    def holds(self, values: Values) -> bool | None:
        """Whether the condition holds; None if that cannot be evaluated."""
        if self.test is None or self.why_not_evaluated(values):
            return None
        if isinstance(self.test, UnaryTests):
            return self.test.matches(values[self.input.name])
        return self.test.holds(lambda name: values[self._key(name)]) is True

    def why_not_evaluated(self, values: Values) -> str:
        """The reason for a `holds` of None; empty if there is none."""
        problems = (column.unusable(values) for column in self._columns)
        return self.problem or next(filter(None, problems), "")

    def lacks(self, values: Values) -> bool:
        """Whether it is not known if the condition holds, because a value is missing or of another kind."""
        if self.test is None or self.why_not_evaluated(values):
            return False
        if isinstance(self.test, UnaryTests):
            return self.test.lacks(values[self.input.name])
        return self.test.holds(lambda name: values[self._key(name)]) is None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys of `testResults` that the condition speaks about."""
        if self.test is None or isinstance(self.test, UnaryTests):
            return (self.input.name,)
        return tuple(dict.fromkeys(self._key(name) for name in self.test.names()))

    @cached_property
    def _columns(self) -> tuple[Input, ...]:
        """The columns whose value decides."""
        if self.test is None or isinstance(self.test, UnaryTests):
            return (self.input,)
        return tuple(self.aliases[name] for name in self.test.names() if name in self.aliases)

    def _key(self, name: str) -> str:
        return self.aliases[name].name if name in self.aliases else name

    def range_of(self, name: str) -> Interval | None:
        """The numbers that match for a name as one range, without bounds that only fence off a sentinel."""
        found = self.test.interval if isinstance(self.test, UnaryTests) else self._condition_range(self.test, name)
        if found is None:
            return None
        fences = sentinels(name)
        return Interval(**{side: bound for side, bound in found.model_dump().items() if bound not in fences})

    def _condition_range(self, condition: Condition | None, name: str) -> Interval | None:
        called = [spoken for spoken in condition.names() if self._key(spoken) == name] if condition else []
        return range_of(condition, called[0]) if condition and len(set(called)) == 1 else None

    def limit(self, name: str) -> str:
        """What is asked of a name, for people, for example "≥ 0.7"; as the author wrote it where it is no range."""
        return str(self.range_of(name) or "") or clean(self.text, 120)


@dataclass(frozen=True)
class Rule:
    """A row of the table.

    Attributes:
        number: position in the decision, from 1, as Camunda Modeler shows it.
        cells: the conditions; those that always hold are left out.
        passes: the outcome; None where the rule gives none.
        problem: why the outcome cannot be evaluated; else empty.
        category: never empty.
    """

    number: int
    cells: tuple[Cell, ...]
    passes: bool | None
    problem: str
    reason: str
    category: str
    action: str

    def matches(self, values: Values) -> bool | None:
        """Whether all conditions hold; one that does not decides, else one that cannot be evaluated yields None."""
        found: bool | None = True
        for cell in self.cells:
            holds = cell.holds(values)
            if holds is False:
                return False
            found = found if holds else None
        return found

    def lacking(self, values: Values) -> tuple[str, ...]:
        """The names whose values would have to be there to tell whether the rule matches; empty if it can be told."""
        unknown = []
        for cell in self.cells:
            if cell.lacks(values):
                unknown.append(cell)
            elif not cell.holds(values):
                return ()
        return tuple(dict.fromkeys(name for cell in unknown for name in cell.names))

    def why_undecided(self, values: Values) -> str:
        """Names the first condition that cannot be evaluated."""
        cell = next(cell for cell in self.cells if cell.holds(values) is None)
        return (
            f'rule {self.number} cannot be evaluated: "{clean(cell.text, 120)}" in the column "{cell.input.label}", '
            f"{cell.why_not_evaluated(values)}"
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys of `testResults` that the conditions speak about."""
        return tuple(dict.fromkeys(name for cell in self.cells for name in cell.names))


def sentinels(metric: str) -> frozenset[float]:
    """The numbers by which a monitor says that it has no result for this key of `testResults`."""
    return _sentinels().get(metric, frozenset({USUAL_SENTINEL}))


@lru_cache(maxsize=1)
def _sentinels() -> Mapping[str, frozenset[float]]:
    return {threshold.metric: frozenset(threshold.sentinels) for threshold in standard_thresholds().thresholds}
