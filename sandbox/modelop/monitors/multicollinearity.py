"""How far each numerical predictor follows from the others: variance inflation factors on the comparator."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.modelop.monitors.dataset import Floats, MonitorError, RiskTestInput
from sandbox.modelop.monitors.regression import complete_rows, r_squared, varying_predictors

LARGEST_VIF = 1e6
"""Stands for infinity, which JSON has no form for, when a predictor is a linear combination of others."""


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """VIF of each numerical predictor that varies, and the largest.

    Raises:
        MonitorError: no numerical predictor varies, or there are fewer complete rows than predictors.
    """
    names, predictors = varying_predictors(inputs)
    predictors = predictors[complete_rows(predictors)]
    if predictors.shape[0] <= len(names):
        raise MonitorError(f"{predictors.shape[0]} complete rows are too few for {len(names)} predictors")
    factors = dict(zip(names, variance_inflation(predictors), strict=True))
    highest = max(factors, key=factors.__getitem__)
    return {
        "Multicollinearity_maxVIFValue": factors[highest],
        "Multicollinearity_maxVIFValueFeature": highest,
        "multicollinearity": [
            {
                "test_name": "Variance Inflation Factor",
                "test_category": "multicollinearity",
                "test_type": "variance_inflation_factor",
                "metric": "vif",
                "test_id": "multicollinearity_variance_inflation_factor",
                "values": factors,
            }
        ],
    }


def variance_inflation(predictors: Floats) -> list[float]:
    """1 / (1 - R²) of each column on all others with an intercept (Belsley, Kuh and Welsch 1980), at most 1e6.

    Args:
        predictors: shape (n, k), without a constant column.
    """
    return [_inflation(predictors, position) for position in range(predictors.shape[1])]


def _inflation(predictors: Floats, position: int) -> float:
    others = np.delete(predictors, position, axis=1)
    if not others.shape[1]:
        return 1.0
    return 1 / max(1 - r_squared(predictors[:, position], others), 1 / LARGEST_VIF)
