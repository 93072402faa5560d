"""Reads ModelOp Center's `testResults`: what the Standard Risk Tests write, and whatever else a site's monitors add.

Everything here takes the dictionary as it came from outside and skips what has another shape than expected.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from activities.review_document.formatting import MAX_NAME, finite, label
from activities.review_document.masking import masked

NO_RESULT = -99.0
CSI = "_CSI"
SAME = 0.01
NORMAL_95 = 1.96

METRICS = (
    ("auc", "Area under the ROC curve (AUC)"),
    ("accuracy", "Accuracy"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("f1_score", "F1 score"),
    ("r2_score", "Coefficient of determination (R²)"),
    ("rmse", "Root mean squared error (RMSE)"),
    ("mae", "Mean absolute error (MAE)"),
)
"""How well a model predicts: keys of `testResults`, and their names."""

_BUCKET_MEASURES = ("train_count", "eval_count", "train_percent", "eval_percent", "psi_calc")


def regression(methodology: str) -> bool:
    """Whether a model counts as a regression: its methodology contains the word, as the monitors themselves judge."""
    return "regression" in methodology.casefold()


def entries(results: Mapping[str, Any], category: str) -> Iterator[Mapping[str, Any]]:
    """The test objects of one category, such as `stability`."""
    found = results.get(category)
    for entry in found if isinstance(found, list) else [found]:
        if isinstance(entry, Mapping):
            yield entry


def values_per_feature(results: Mapping[str, Any], category: str) -> pd.Series[float]:
    """The number of every feature of a category whose entries are `{"values": {feature: number}}`."""
    found: dict[str, float] = {}
    for entry in entries(results, category):
        values = entry.get("values")
        for feature, value in values.items() if isinstance(values, Mapping) else ():
            number = measured(value)
            if number is not None:
                found[label(feature)] = number
    return pd.Series(found, dtype=float)


@dataclass(frozen=True)
class Bucket:
    """One bucket of a stability table: rows and shares in baseline and comparator, contribution to the index."""

    bucket: str
    train_count: float | None
    eval_count: float | None
    train_percent: float | None
    eval_percent: float | None
    psi_calc: float | None

    @property
    def counts(self) -> tuple[float | None, float | None]:
        """Rows in the baseline and in the comparator."""
        return self.train_count, self.eval_count

    @property
    def shares(self) -> tuple[float | None, float | None]:
        """Shares of all rows, between 0 and 1."""
        return self.train_percent, self.eval_percent


@dataclass(frozen=True)
class Stability:
    """How far one feature, or the score, has moved. `is_score` is true for the model's output."""

    feature: str
    index: float
    is_score: bool = False
    table: Sequence[Any] = ()

    @cached_property
    def rows(self) -> list[Mapping[str, Any]]:
        """The rows of the table that are rows."""
        return [row for row in self.table if isinstance(row, Mapping)]

    @cached_property
    def buckets(self) -> list[Bucket]:
        """The same with their numbers read."""
        return [
            Bucket(label(row.get("bucket")), **{measure: finite(row.get(measure)) for measure in _BUCKET_MEASURES})
            for row in self.rows
        ]

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Rows of data in the baseline and in the comparator, 0 where they are not given."""
        baseline, comparator = (
            finite(sum(finite(row.get(measure)) or 0 for row in self.rows)) for measure in ("train_count", "eval_count")
        )
        return int(baseline or 0), int(comparator or 0)


def stability(results: Mapping[str, Any]) -> list[Stability]:
    """Index and buckets of every feature and of the score, the least stable one first.

    The score is what was analysed for stability without a `<feature>_CSI` of its own.
    """
    indices = {label(key.removesuffix(CSI)): measured(value) for key, value in results.items() if key.endswith(CSI)}
    found: dict[str, Stability] = {}
    for entry in entries(results, "stability"):
        values = entry.get("values")
        for name, value in values.items() if isinstance(values, Mapping) else ():
            index = measured(value.get("stability_index")) if isinstance(value, Mapping) else None
            if index is not None:
                feature, is_score = label(name), bool(indices) and label(name) not in indices
                found[feature] = Stability(feature, index, is_score, _rows(value))
    for feature, index in indices.items():
        if feature not in found and index is not None:
            found[feature] = Stability(feature, index)
    return sorted(found.values(), key=lambda s: (-s.index, s.feature))


def _rows(value: Mapping[str, Any]) -> list[Any]:
    table = value.get("stability_analysis_table")
    return table if isinstance(table, list) else []


@dataclass(frozen=True)
class GroupDisparity:
    """One group of a protected class. `disparity` is its predicted-positive rate over that of the reference group."""

    attribute: str
    group: str
    reference: str
    disparity: float | None
    false_positive_disparity: float | None
    count: int | None
    positives: int | None = None

    @property
    def name(self) -> str:
        """For example "age_group: 25 or younger"."""
        return f"{self.attribute}: {self.group}"

    @property
    def names(self) -> tuple[str, str]:
        """Its name here, and the one by which the result speaks of its disparity."""
        return self.name, f"{self.attribute}_{self.group}_ppr_disparity"


def group_disparities(results: Mapping[str, Any]) -> list[GroupDisparity]:
    """Every group of every protected class, in the result's order."""
    counts = _group_counts(results)
    return [
        _group(entry, row, counts)
        for entry in entries(results, "bias")
        for row in (entry["values"] if isinstance(entry.get("values"), list) else [])
        if isinstance(row, Mapping)
    ]


def disparity_intervals(groups: Sequence[GroupDisparity]) -> dict[str, tuple[float, float]]:
    """95 % confidence intervals of disparities by the group's name, where the result carries the counts.

    The interval is that of a ratio of two proportions (Katz et al. 1978). It is left out where the counts do not yield
    the disparity that the monitor reports: then that number is another ratio.
    """
    found: dict[str, tuple[float, float]] = {}
    named = {(group.attribute, group.group): group for group in reversed(groups)}
    for group in groups:
        reference = named.get((group.attribute, group.reference))
        interval = _ratio_interval(group, reference) if reference and reference is not group else None
        if interval is not None:
            found[group.name] = interval
    return found


def _ratio_interval(group: GroupDisparity, reference: GroupDisparity) -> tuple[float, float] | None:
    hits, rows, reference_hits, reference_rows = (
        float(number or 0) for number in (group.positives, group.count, reference.positives, reference.count)
    )
    if not (0 < hits <= rows and 0 < reference_hits <= reference_rows):
        return None
    ratio = (hits / rows) / (reference_hits / reference_rows)
    if group.disparity is None or not math.isclose(ratio, group.disparity, rel_tol=SAME):
        return None
    spread = math.exp(NORMAL_95 * math.sqrt(1 / hits - 1 / rows + 1 / reference_hits - 1 / reference_rows))
    return ratio / spread, ratio * spread


def _group_counts(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """Rows and positive predictions by protected class and group, where the result carries them beside the rates."""
    charts = results.get("charts")
    found = charts.get("bias_groups") if isinstance(charts, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _group(entry: Mapping[str, Any], row: Mapping[str, Any], counts: Mapping[str, Any]) -> GroupDisparity:
    attribute = row.get("attribute_name") or entry.get("protected_class") or "group"
    beside: Any = counts
    for key in (attribute, row.get("attribute_value")):
        beside = beside.get(key) if isinstance(beside, Mapping) and isinstance(key, str) else None
    counted = {**(beside if isinstance(beside, Mapping) else {}), **row}
    return GroupDisparity(
        attribute=label(attribute),
        group=masked(row.get("attribute_value"), MAX_NAME),
        reference=masked(entry.get("reference_group") or row.get("ppr_ref_group_value"), MAX_NAME),
        disparity=measured(row.get("ppr_disparity")),
        false_positive_disparity=measured(row.get("fpr_disparity")),
        count=_first_count(counted, ("group_size", "count", "n")),
        positives=_first_count(counted, ("predicted_positive", "pp")),
    )


def _first_count(row: Mapping[str, Any], keys: Sequence[str]) -> int | None:
    found = next((number for key in keys if (number := finite(row.get(key))) is not None), None)
    return None if found is None else int(found)


def measured(value: Any) -> float | None:
    """The value as a finite number; None for anything else and for a monitor's "no result"."""
    number = finite(value)
    return None if number == NO_RESULT else number


def numbers_behind(results: Mapping[str, Any], category: str) -> pd.Series[float]:
    """The number of every feature or group behind a verdict, whatever the category's shape."""
    if category == "stability":
        return pd.Series({s.feature: s.index for s in stability(results) if not s.is_score}, dtype=float)
    if category == "bias":
        groups = group_disparities(results)
        return pd.Series({g.name: g.disparity for g in groups if g.disparity is not None}, dtype=float)
    return values_per_feature(results, category)
