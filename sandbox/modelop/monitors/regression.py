"""Ordinary least squares, as the diagnostics need it: designs of predictors, and how much a fit explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sandbox.modelop.monitors.dataset import Floats, MonitorError, RiskTestInput


def varying_predictors(inputs: RiskTestInput) -> tuple[list[str], Floats]:
    """Names and values (rows x predictors) of the comparator's numerical predictors that are not constant.

    Raises:
        MonitorError: there is none.
    """
    values = {column.name: inputs.comparator.numbers(column.name) for column in inputs.schema.numerical_predictors}
    varying = {name: column for name, column in values.items() if np.unique(column[~np.isnan(column)]).size > 1}
    if not varying:
        raise MonitorError("there is no numerical predictor that varies")
    return list(varying), np.column_stack(list(varying.values()))


def r_squared(target: Floats, predictors: Floats) -> float:
    """Share of the target's variance that a linear fit with intercept explains, between 0 and 1."""
    centred = target - target.mean()
    variation = float(centred @ centred)
    if variation == 0:
        return 0.0
    design = standardised(predictors)
    coefficients = np.linalg.lstsq(design, centred, rcond=None)[0]
    left = centred - design @ coefficients
    return min(1.0, max(0.0, 1 - float(left @ left) / variation))


def rank(predictors: Floats) -> int:
    """Number of linearly independent predictors."""
    return int(np.linalg.matrix_rank(standardised(predictors)))


def standardised(predictors: Floats) -> Floats:
    """Columns with mean 0 and deviation 1; constants become 0. It keeps amounts and rates on one numeric footing."""
    centred = predictors - predictors.mean(axis=0)
    deviation = centred.std(axis=0)
    return np.asarray(centred / np.where(deviation == 0, 1.0, deviation))


def complete_rows(values: Floats) -> NDArray[np.bool_]:
    """Which rows have no missing value."""
    return np.asarray(~np.isnan(values).any(axis=1))
