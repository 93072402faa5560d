"""Bias on the comparator: how the groups of each protected class fare against a reference group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sandbox.modelop.monitors.dataset import Flags, MonitorError, RiskTestInput
from sandbox.modelop.monitors.outcome import Classification, classification

THRESHOLDS = {"min": 0.8, "max": 1.25}
"""The four-fifths rule and its reciprocal (29 CFR 1607.4 D)."""

_Rate = Callable[[Flags, Flags], float | None]


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Disparities of every group of every protected class, and the largest and smallest of them.

    `ppr` is the predicted positive rate *within* a group, so that its disparity is the ratio of selection rates that
    the four-fifths rule speaks of.

    Raises:
        MonitorError: a regression model, no protected class, or no group to compare.
    """
    if inputs.is_regression:
        raise MonitorError("bias can only be run for classification models")
    if not inputs.schema.protected:
        raise MonitorError("the input schema declares no protectedClass")
    outcome = classification(inputs, inputs.comparator)
    entries, counts = [], {}
    for column in inputs.schema.protected:
        values = inputs.comparator.texts(column.name)
        groups = _groups([values[row] for row in outcome.rows])
        entries.append(_entry(column.name, groups, outcome))
        counts[column.name] = {
            name: _counts(outcome.actual[inside], outcome.predicted[inside]) for name, inside in groups.items()
        }
    return {**_extremes(entries), "bias": entries, "charts": {"bias_groups": counts}}


def group_rates(actual: Flags, predicted: Flags) -> dict[str, float | None]:
    """Rates of one group; None where a rate has no cases to be taken over."""
    return {name: rate(actual, predicted) for name, rate in _RATES.items()}


def _share(of: Flags, among: Flags) -> float | None:
    return float(of[among].mean()) if among.any() else None


_RATES: dict[str, _Rate] = {
    "ppr": lambda actual, predicted: float(predicted.mean()),
    "tpr": lambda actual, predicted: _share(predicted, actual),
    "fpr": lambda actual, predicted: _share(predicted, ~actual),
    "fnr": lambda actual, predicted: _share(~predicted, actual),
    "tnr": lambda actual, predicted: _share(~predicted, ~actual),
    "precision": lambda actual, predicted: _share(actual, predicted),
}


def _groups(values: list[str | None]) -> dict[str, Flags]:
    """Group name → which rows belong to it; rows without a value belong to none."""
    array = np.array(values, dtype=object)
    names = sorted({value for value in values if value is not None})
    return {name: np.asarray(array == name, dtype=bool) for name in names}


def _entry(attribute: str, groups: dict[str, Flags], outcome: Classification) -> dict[str, Any]:
    if len(groups) < 2:
        raise MonitorError(f"protected class {attribute!r} has {len(groups)} group(s), nothing can be compared")
    rates = {name: group_rates(outcome.actual[inside], outcome.predicted[inside]) for name, inside in groups.items()}
    # The largest group is the steadiest yardstick; the order of names decides between equals.
    reference = max(sorted(groups), key=lambda name: int(groups[name].sum()))
    return {
        "test_name": "Aequitas Bias",
        "test_category": "bias",
        "test_type": "bias",
        "protected_class": attribute,
        "reference_group": reference,
        "test_id": f"bias_bias_{attribute}",
        "thresholds": THRESHOLDS,
        "values": [
            {
                "attribute_name": attribute,
                "attribute_value": name,
                "group_size": int(inside.sum()),
                **rates[name],
                **_disparities(rates[name], rates[reference]),
            }
            for name, inside in groups.items()
        ],
    }


def _disparities(rates: dict[str, float | None], reference: dict[str, float | None]) -> dict[str, float | None]:
    """Rates divided by those of the reference group; None where that is not defined."""
    return {f"{name}_disparity": _quotient(rate, reference[name]) for name, rate in rates.items()}


def _quotient(rate: float | None, reference: float | None) -> float | None:
    return None if rate is None or not reference else rate / reference


def _extremes(entries: list[dict[str, Any]]) -> dict[str, Any]:
    disparities = {
        f"{row['attribute_name']}_{row['attribute_value']}_ppr_disparity": row["ppr_disparity"]
        for entry in entries
        for row in entry["values"]
        if row["ppr_disparity"] is not None
    }
    if not disparities:
        raise MonitorError("no reference group has a positive prediction, so no disparity is defined")
    highest, lowest = max(disparities, key=disparities.__getitem__), min(disparities, key=disparities.__getitem__)
    return {
        "Bias_maxPPRDisparityValue": disparities[highest],
        "Bias_maxPPRDisparityValueFeature": highest,
        "Bias_minPPRDisparityValue": disparities[lowest],
        "Bias_minPPRDisparityValueFeature": lowest,
    }


def _counts(actual: Flags, predicted: Flags) -> dict[str, int]:
    return {
        "count": int(actual.size),
        "actual_positive": int(actual.sum()),
        "predicted_positive": int(predicted.sum()),
    }
