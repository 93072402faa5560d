"""Whether neighbouring residuals resemble each other: the Durbin-Watson statistic."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.modelop.monitors.dataset import Floats, RiskTestInput
from sandbox.modelop.monitors.outcome import residuals


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Durbin-Watson on the comparator's residuals, in the order of its rows.

    Raises:
        MonitorError: label or score is missing, or the residuals do not vary.
    """
    statistic = durbin_watson(residuals(inputs).values)
    return {
        "dw_statistic": statistic,
        "autocorrelation": [
            {
                "test_name": "Durbin-Watson",
                "test_category": "autocorrelation",
                "test_type": "durbin_watson",
                "metric": "dw_statistic",
                "test_id": "autocorrelation_durbin_watson_dw_statistic",
                "values": {"dw_statistic": statistic},
            }
        ],
    }


def durbin_watson(errors: Floats) -> float:
    """Σ(eₜ - eₜ₋₁)² / Σeₜ², from 0 to 4; 2 means no autocorrelation (Durbin and Watson 1950)."""
    steps = np.diff(errors)
    return float(steps @ steps / (errors @ errors))
