"""All monitors in order, merged into the one result of a Standard Risk Tests job."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.modelop.monitors import (
    autocorrelation,
    bias,
    drift,
    homoscedasticity,
    linearity,
    multicollinearity,
    normality,
    performance,
    personal_data,
    stability,
)
from sandbox.modelop.monitors.dataset import MonitorError, RiskTestInput

logger = logging.getLogger(__name__)

Result = dict[str, Any]


@dataclass(frozen=True)
class Monitor:
    """One monitor.

    Attributes:
        name: how `executionErrors` call it.
        compute: its share of the result, or an exception.
        sentinels: what stands in the result when it fails.
    """

    name: str
    compute: Callable[[RiskTestInput], Result]
    sentinels: Mapping[str, float]


CLASSIFICATION_PERFORMANCE = Monitor("performance", performance.monitor, {"auc": -99})
REGRESSION_PERFORMANCE = Monitor("performance", performance.monitor, {"r2_score": 99})

MONITORS = (
    Monitor("bias", bias.monitor, {"Bias_maxPPRDisparityValue": -99, "Bias_minPPRDisparityValue": -99}),
    Monitor("data_drift", drift.data_drift_monitor, {"DataDrift_maxKolmogorov-SmirnovPValue": -99}),
    Monitor("concept_drift", drift.concept_drift_monitor, {"ConceptDrift_maxKolmogorov-SmirnovPValueValue": -99}),
    Monitor("stability", stability.monitor, {"CSI_maxCSIValue": -99}),
    Monitor("breusch_pagan", homoscedasticity.breusch_pagan_monitor, {"breusch_pagan_f_p_value": -99}),
    Monitor("pearson_correlation", linearity.monitor, {"Linearity_minPearsonCorrelationValue": -99}),
    Monitor("ljung_box", homoscedasticity.ljung_box_monitor, {"Homoscedasticity_minLjungBoxQPValue": -99}),
    Monitor("variance_inflation_factor", multicollinearity.monitor, {"Multicollinearity_maxVIFValue": -99}),
    Monitor("durbin_watson", autocorrelation.monitor, {"dw_statistic": -99}),
    Monitor("engle_lm", homoscedasticity.engle_lm_monitor, {"engle_lm_p_value": -99}),
    Monitor("anderson_darling", normality.anderson_darling_monitor, {"ad_p_value": -99}),
    Monitor("cramer_von_mises", normality.cramer_von_mises_monitor, {"cvm_p_value": -99}),
    Monitor("kolmogorov_smirnov", normality.kolmogorov_smirnov_monitor, {"ks_p_value": -99}),
    Monitor("pii", personal_data.monitor, {"num_PII_violations": -99}),
)
"""Every monitor but performance, whose sentinel depends on the methodology, in the order of the result."""


def run_battery(inputs: RiskTestInput) -> Result:
    """Runs every monitor; one that raises leaves its sentinels and a line in `executionErrors`."""
    result = _model_fields(inputs)
    errors: list[str] = []
    first = REGRESSION_PERFORMANCE if inputs.is_regression else CLASSIFICATION_PERFORMANCE
    for monitor in (first, *MONITORS):
        try:
            share = monitor.compute(inputs)
        except MonitorError as error:
            share = dict(monitor.sentinels)
            errors.append(f"Error occurred while calculating {monitor.name}: {error}")
        # A monitor must never take the others down with it, whatever the data did to it.
        except Exception as error:
            logger.exception("Monitor %s failed", monitor.name)
            share = dict(monitor.sentinels)
            errors.append(f"Error occurred while calculating {monitor.name}: {type(error).__name__}: {error}")
        _merge(result, share)
    result["executionErrors"] = errors
    result["executionErrorsCount"] = len(errors)
    return {name: json_ready(value) for name, value in result.items()}


def json_ready(value: Any) -> Any:
    """The value in plain JSON types: numpy scalars and arrays unwrapped, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(name): json_ready(item) for name, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _model_fields(inputs: RiskTestInput) -> Result:
    names = ("modelUseCategory", "modelOrganization", "modelRisk", "modelMethodology")
    return {name: inputs.metadata[name] for name in names if inputs.metadata.get(name) is not None}


def _merge(result: Result, share: Result) -> None:
    """Adds a monitor's share: families that several monitors fill are joined, everything else is new."""
    for name, value in share.items():
        if isinstance(value, list) and name in result:
            result[name] = [*result[name], *value]
        elif name == "charts":
            result["charts"] = {**result.get("charts", {}), **value}
        else:
            result[name] = value
