"""Whether the residuals of a regression keep their variance: Breusch-Pagan, Ljung-Box and Engle's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sandbox.modelop.monitors.dataset import Floats, MonitorError, RiskTestInput
from sandbox.modelop.monitors.outcome import residuals
from sandbox.modelop.monitors.regression import complete_rows, r_squared, rank, varying_predictors

MAX_LAGS = 10


@dataclass(frozen=True)
class HeteroscedasticityTest:
    """A Lagrange multiplier test and its F form, with p-values; small ones speak against constant variance."""

    lm_statistic: float
    lm_p_value: float
    f_statistic: float
    f_p_value: float


def breusch_pagan_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Breusch-Pagan on the comparator's residuals against its numerical predictors.

    Raises:
        MonitorError: a classifier, or residuals or predictors that cannot be tested.
    """
    inputs.require_regression("Breusch-Pagan")
    found = residuals(inputs)
    _, predictors = varying_predictors(inputs)
    complete = complete_rows(predictors[found.rows])
    test = breusch_pagan(found.values[complete], predictors[found.rows][complete])
    return _result("Breusch-Pagan", "breusch_pagan", "breusch_pagan", test)


def ljung_box_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Ljung-Box Q on *squared* residuals (McLeod and Li 1983), since the question is their variance.

    Raises:
        MonitorError: a classifier, or residuals that cannot be tested.
    """
    inputs.require_regression("Ljung-Box")
    statistics, p_values = ljung_box(residuals(inputs).values ** 2)
    rows = [
        {"lag": lag, "q_statistic": float(statistic), "p_value": float(p_value)}
        for lag, (statistic, p_value) in enumerate(zip(statistics, p_values, strict=True), start=1)
    ]
    return {
        "Homoscedasticity_minLjungBoxQPValue": float(p_values.min()),
        "homoscedasticity": [_entry("Ljung-Box Q", "ljung_box_q", {"lags": rows})],
    }


def engle_lm_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Engle's Lagrange multiplier test on the comparator's residuals.

    Raises:
        MonitorError: a classifier, or residuals that cannot be tested.
    """
    inputs.require_regression("Engle's Lagrange multiplier test")
    return _result("Engle Lagrange Multiplier", "engle_lm", "engle", engle_lm(residuals(inputs).values))


def breusch_pagan(errors: Floats, predictors: Floats) -> HeteroscedasticityTest:
    """Regresses squared residuals on the predictors: LM = n·R², chi-square with as many degrees as predictors.

    The studentised form of Koenker (1981), A note on studentizing a test for heteroscedasticity, which does not assume
    normal errors as Breusch and Pagan (1979) do.

    Args:
        errors: residuals, shape (n,).
        predictors: shape (n, k), without a constant column.

    Raises:
        MonitorError: there are not more rows than coefficients.
    """
    return _lagrange_multiplier(errors**2, predictors)


def engle_lm(errors: Floats, lags: int | None = None) -> HeteroscedasticityTest:
    """Regresses squared residuals on their own lags: LM = (n - lags)·R² (Engle 1982, section 8).

    Args:
        errors: residuals in time order, shape (n,).
        lags: number of lags; the smaller of 10 and n / 5 by default.

    Raises:
        MonitorError: there are not more rows than coefficients, or the squared residuals do not vary.
    """
    squares = errors**2
    order = lags or _default_lags(squares.size)
    windows = np.lib.stride_tricks.sliding_window_view(squares, order + 1)
    return _lagrange_multiplier(windows[:, -1], windows[:, :-1])


def ljung_box(series: Floats, lags: int | None = None) -> tuple[Floats, Floats]:
    """Q statistics and p-values for 1 to `lags` lags: Q = n(n+2) Σ r²ₖ/(n-k) (Ljung and Box 1978).

    Args:
        series: observations in time order, shape (n,).
        lags: number of lags; the smaller of 10 and n / 5 by default.

    Raises:
        MonitorError: the series does not vary.
    """
    size = series.size
    centred = series - series.mean()
    variation = float(centred @ centred)
    if variation == 0:
        raise MonitorError("the squared residuals do not vary, so they have no autocorrelation")
    order = np.arange(1, (lags or _default_lags(size)) + 1)
    autocorrelation = np.array([centred[lag:] @ centred[:-lag] / variation for lag in order])
    statistics = size * (size + 2) * np.cumsum(autocorrelation**2 / (size - order))
    return statistics, np.asarray(stats.chi2.sf(statistics, order))


def _default_lags(size: int) -> int:
    return max(1, min(MAX_LAGS, size // 5))


def _lagrange_multiplier(target: Floats, predictors: Floats) -> HeteroscedasticityTest:
    rows, degrees = target.size, rank(predictors)
    if degrees == 0 or rows <= degrees + 1:
        raise MonitorError(f"{rows} rows are too few, or too alike, for an auxiliary regression")
    if np.ptp(target) == 0:
        raise MonitorError("the squared residuals do not vary")
    explained = r_squared(target, predictors)
    lm = rows * explained
    freedom = rows - degrees - 1
    # A perfect fit has no finite F; the largest float keeps it a number in JSON.
    f_statistic = (explained / degrees) / ((1 - explained) / freedom) if explained < 1 else np.finfo(float).max
    return HeteroscedasticityTest(
        lm_statistic=lm,
        lm_p_value=float(stats.chi2.sf(lm, degrees)),
        f_statistic=float(f_statistic),
        f_p_value=float(stats.f.sf(f_statistic, degrees, freedom)),
    )


def _result(name: str, test_type: str, prefix: str, test: HeteroscedasticityTest) -> dict[str, Any]:
    values = vars(test)
    return {
        **{f"{prefix}_{measure}": value for measure, value in values.items()},
        "homoscedasticity": [_entry(name, test_type, dict(values))],
    }


def _entry(name: str, test_type: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "test_name": name,
        "test_category": "homoscedasticity",
        "test_type": test_type,
        "metric": "p_value",
        "test_id": f"homoscedasticity_{test_type}_p_value",
        "values": values,
    }
