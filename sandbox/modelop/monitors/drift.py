"""Drift between baseline and comparator: two-sample Kolmogorov-Smirnov tests on inputs, and on score and label."""

from __future__ import annotations

from typing import Any

from scipy import stats

from sandbox.modelop.monitors.dataset import (
    Column,
    Dataset,
    Floats,
    MonitorError,
    RiskTestInput,
    drop_missing,
)
from sandbox.modelop.monitors.outcome import label_values


def data_drift_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """p-values of the numerical drift candidates.

    Raises:
        MonitorError: the schema has no numerical drift candidate, or none has values on both sides.
    """
    columns = [column for column in inputs.schema.drift_candidates if column.numerical]
    p_values = {
        column.name: ks_p_value(inputs.baseline.numbers(column.name), inputs.comparator.numbers(column.name))
        for column in columns
    }
    highest, lowest = _extremes(p_values)
    return {
        "DataDrift_maxKolmogorov-SmirnovPValue": p_values[highest],
        "DataDrift_maxKolmogorov-SmirnovPValueFeature": highest,
        "DataDrift_minKolmogorov-SmirnovPValue": p_values[lowest],
        "DataDrift_minKolmogorov-SmirnovPValueFeature": lowest,
        "data_drift": [_entry("data_drift", p_values)],
    }


def concept_drift_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """p-values of score and label, each where the data has it.

    Raises:
        MonitorError: neither score nor label can be compared.
    """
    p_values = {}
    for role in ("score", "label"):
        column = inputs.schema.only(role)
        if inputs.baseline.has(column.name) and inputs.comparator.has(column.name):
            sides = (_output_values(inputs, data, column) for data in (inputs.baseline, inputs.comparator))
            p_values[column.name] = ks_p_value(*sides)
    highest, lowest = _extremes(p_values)
    return {
        "ConceptDrift_maxKolmogorov-SmirnovPValueValue": p_values[highest],
        "ConceptDrift_maxKolmogorov-SmirnovPValueFeature": highest,
        "ConceptDrift_minKolmogorov-SmirnovPValueValue": p_values[lowest],
        "ConceptDrift_minKolmogorov-SmirnovPValueFeature": lowest,
        "concept_drift": [_entry("concept_drift", p_values)],
    }


def ks_p_value(baseline: Floats, comparator: Floats) -> float | None:
    """p-value of the two-sided two-sample test, missing values left out; None if a side has no values."""
    first, second = drop_missing(baseline), drop_missing(comparator)
    if not first.size or not second.size:
        return None
    return float(stats.ks_2samp(first, second).pvalue)


def _output_values(inputs: RiskTestInput, data: Dataset, column: Column) -> Floats:
    return label_values(inputs, data) if column.role == "label" else data.numbers(column.name)


def _extremes(p_values: dict[str, float | None]) -> tuple[str, str]:
    """The columns with the highest and the lowest p-value."""
    known = {name: value for name, value in p_values.items() if value is not None}
    if not known:
        raise MonitorError("no numerical column can be compared between baseline and comparator")
    return max(known, key=known.__getitem__), min(known, key=known.__getitem__)


def _entry(category: str, p_values: dict[str, float | None]) -> dict[str, Any]:
    return {
        "test_name": "Kolmogorov-Smirnov",
        "test_category": category,
        "test_type": "kolmogorov_smirnov",
        "metric": "p_value",
        "test_id": f"{category}_kolmogorov_smirnov_p_value",
        "values": p_values,
    }
