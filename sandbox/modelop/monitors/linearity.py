"""Linear relation of each numerical predictor to the label: Pearson correlation on the comparator."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.modelop.monitors.dataset import Floats, MonitorError, RiskTestInput
from sandbox.modelop.monitors.outcome import label_values


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Signed correlations, and the smallest and largest of them; constants have none.

    Raises:
        MonitorError: the label is missing, or no predictor varies together with it.
    """
    target = label_values(inputs, inputs.comparator)
    correlations = {
        column.name: pearson(inputs.comparator.numbers(column.name), target)
        for column in inputs.schema.numerical_predictors
    }
    known = {name: value for name, value in correlations.items() if value is not None}
    if not known:
        raise MonitorError("no numerical predictor and label vary, so no correlation is defined")
    highest, lowest = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    return {
        "Linearity_maxPearsonCorrelationValue": known[highest],
        "Linearity_maxPearsonCorrelationValueFeature": highest,
        "Linearity_minPearsonCorrelationValue": known[lowest],
        "Linearity_minPearsonCorrelationValueFeature": lowest,
        "linearity": [
            {
                "test_name": "Pearson Correlation",
                "test_category": "linearity",
                "test_type": "pearson_correlation",
                "metric": "pearson_correlation",
                "test_id": "linearity_pearson_correlation",
                "values": correlations,
            }
        ],
    }


def pearson(first: Floats, second: Floats) -> float | None:
    """Correlation over the rows where both have a value, between -1 and 1; None if either is constant there."""
    present = ~np.isnan(first) & ~np.isnan(second)
    first, second = first[present], second[present]
    if first.size < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
