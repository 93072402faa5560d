"""Whether residuals look normal: Anderson-Darling, Cramér-von Mises and Kolmogorov-Smirnov tests on the comparator.

Mean and deviation are estimated from the same residuals. Anderson-Darling's p-value allows for that; the other two are
compared with the plain standard normal, as is customary, and so are rather too lenient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from sandbox.modelop.monitors.dataset import Floats, RiskTestInput
from sandbox.modelop.monitors.outcome import residuals


def anderson_darling_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Anderson-Darling on the residuals.

    Raises:
        MonitorError: label or score is missing, or the residuals do not vary.
    """
    return _result("Anderson-Darling", "anderson_darling", "ad", *anderson_darling(residuals(inputs).values))


def cramer_von_mises_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Cramér-von Mises on the standardised residuals.

    Raises:
        MonitorError: label or score is missing, or the residuals do not vary.
    """
    test = stats.cramervonmises(standardised(residuals(inputs).values), "norm")
    return _result("Cramer-von Mises", "cramer_von_mises", "cvm", float(test.statistic), float(test.pvalue))


def kolmogorov_smirnov_monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """One-sample Kolmogorov-Smirnov on the standardised residuals.

    Raises:
        MonitorError: label or score is missing, or the residuals do not vary.
    """
    test = stats.kstest(standardised(residuals(inputs).values), "norm")
    return _result("Kolmogorov-Smirnov", "kolmogorov_smirnov", "ks", float(test.statistic), float(test.pvalue))


def anderson_darling(sample: Floats) -> tuple[float, float]:
    """Statistic A² and p-value for normality with estimated mean and deviation.

    D'Agostino and Stephens (1986), Goodness-of-Fit Techniques, table 4.9, case 3.

    Args:
        sample: at least 8 values that are not all the same.
    """
    size = sample.size
    ordered = np.sort(standardised(sample))
    weights = 2 * np.arange(1, size + 1) - 1
    log_terms = stats.norm.logcdf(ordered) + stats.norm.logsf(ordered[::-1])
    statistic = float(-size - (weights * log_terms).sum() / size)
    return statistic, _anderson_darling_p(statistic * (1 + 0.75 / size + 2.25 / size**2))


def standardised(sample: Floats) -> Floats:
    """Mean 0 and deviation 1, the deviation with n - 1."""
    return np.asarray((sample - sample.mean()) / sample.std(ddof=1))


def _anderson_darling_p(adjusted: float) -> float:
    if adjusted < 0.2:
        return float(1 - np.exp(-13.436 + 101.14 * adjusted - 223.73 * adjusted**2))
    if adjusted < 0.34:
        return float(1 - np.exp(-8.318 + 42.796 * adjusted - 59.938 * adjusted**2))
    if adjusted < 0.6:
        return float(np.exp(0.9177 - 4.279 * adjusted - 1.38 * adjusted**2))
    # The last piece was fitted up to 13, where p is below 1e-30; its parabola would rise again far beyond.
    return float(np.exp(1.2937 - 5.709 * adjusted + 0.0186 * adjusted**2)) if adjusted < 13 else 0.0


def _result(name: str, test_type: str, prefix: str, statistic: float, p_value: float) -> dict[str, Any]:
    return {
        f"{prefix}_statistic": statistic,
        f"{prefix}_p_value": p_value,
        "normality": [
            {
                "test_name": name,
                "test_category": "normality",
                "test_type": test_type,
                "metric": "p_value",
                "test_id": f"normality_{test_type}_p_value",
                "values": {"statistic": statistic, "p_value": p_value},
            }
        ],
    }
