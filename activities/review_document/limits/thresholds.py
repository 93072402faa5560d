"""Our own table of limits: which number of a test result is judged, against what, and what a FAIL means.

The table is the data file `thresholds.json`. Its version and hash are printed in every document, so that a reader can
tell years later which limits a verdict rests on.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from activities.modelop.monitors import Monitor


class Interval(BaseModel):
    """A range of numbers; a side without a bound is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        """Whether the value lies in the range."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    @property
    def bounds(self) -> list[float]:
        """The bounds in ascending order, for limit lines."""
        return sorted(b for b in (self.at_least, self.above, self.at_most, self.below) if b is not None)

    def __str__(self) -> str:
        """For example "≥ 0.7" or "> 1 and < 3"."""
        signs = (("≥", self.at_least), (">", self.above), ("≤", self.at_most), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}".replace("-", "−") for sign, bound in signs if bound is not None)


class Applies(StrEnum):
    """Which models a test is meant for."""

    ANY = "any"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Extreme(StrEnum):
    """Which end of the values per feature or group is judged."""

    LARGEST = "largest"
    SMALLEST = "smallest"


class Threshold(BaseModel):
    """One row of the table.

    Attributes:
        category: name of the row in ModelOp Center's decision table, misspellings included, because templates look
            rows up by it.
        metric: key in `testResults` that holds the judged number; `metric_suffix` finds it where the site's name of
            the score column is part of the key.
        values: test category whose entries hold the number of every feature or group.
        passes: the range of a PASS. possible: the range outside which the number is an error, not a verdict.
        sentinels: numbers that a monitor returns when it has no result.
        monitor: the monitor that the number comes from.
        p_value: print a number below 0.001 as such.
        omit_otherwise: leave the row out, instead of printing NOT APPLICABLE, for models it is not meant for.
        information: the number is printed and never judged.
        consequence: what a FAIL means to the person who decides.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    category: str
    family: str
    test: str
    metric: str
    metric_suffix: str | None = None
    feature_metric: str | None = None
    values: str | None = None
    extreme: Extreme | None = None
    applies: Applies
    omit_otherwise: bool = False
    information: bool = False
    passes: Interval
    possible: Interval = Field(default_factory=Interval)
    sentinels: list[float]
    unit: str = ""
    p_value: bool = False
    direction: str
    monitor: Monitor
    consequence: str
    source: str


class Family(BaseModel):
    """A group of tests that answer one question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    question: str


class ThresholdTable(BaseModel):
    """The whole table, in the order in which it is printed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    basis: str
    families: list[Family]
    thresholds: list[Threshold]

    def of(self, threshold_id: str) -> Threshold:
        """The row of that id.

        Raises:
            KeyError: there is none.
        """
        for threshold in self.thresholds:
            if threshold.id == threshold_id:
                return threshold
        raise KeyError(threshold_id)

    def judging(self, metric: str) -> Threshold | None:
        """The row that judges this key of `testResults`; None if no row does."""
        return self._by_metric.get(metric)

    def passing(self, metric: str) -> Interval | None:
        """The range of a PASS, for limit lines; None if the number is not judged."""
        threshold = self.judging(metric)
        return None if threshold is None or threshold.information else threshold.passes

    def family_of(self, category: str) -> str | None:
        """The family that a category belongs to, by its own name, the family's, or what stands before a colon.

        The categories of ModelOp Center's own table are found in its spelling, misspellings included.
        """
        wanted = category.strip().casefold()
        return self._by_category.get(wanted) or self._by_category.get(wanted.partition(":")[0].strip())

    @cached_property
    def _by_metric(self) -> dict[str, Threshold]:
        return {threshold.metric: threshold for threshold in reversed(self.thresholds)}

    @cached_property
    def _by_category(self) -> dict[str, str]:
        known = {family.name.casefold(): family.name for family in self.families}
        for threshold in self.thresholds:
            known.setdefault(threshold.category.partition(":")[0].casefold(), threshold.family)
            known.setdefault(threshold.category.casefold(), threshold.family)
        return known


def _file() -> bytes:
    return files("activities.review_document.limits").joinpath("thresholds.json").read_bytes()


@cache
def standard_thresholds() -> ThresholdTable:
    """The table that ships with this version."""
    return ThresholdTable.model_validate_json(_file())


@cache
def standard_thresholds_sha256() -> str:
    """SHA-256 of the table's file, in hexadecimal."""
    return hashlib.sha256(_file()).hexdigest()
