"""Performance on the comparator: how well scores and predictions agree with labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from sandbox.modelop.monitors.dataset import Flags, Floats, MonitorError, RiskTestInput
from sandbox.modelop.monitors.outcome import Classification, classification, label_values

ROC_POINTS = 60
CALIBRATION_BINS = 10


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Classification metrics, or regression metrics where the methodology says so.

    Raises:
        MonitorError: label or score is missing, or only one class occurs.
    """
    return _regression_metrics(inputs) if inputs.is_regression else _classification_metrics(inputs)


def area_under_roc(actual: Flags, score: Floats) -> float:
    """Area under the ROC curve by the rank-sum identity, ties counted half (Hanley and McNeil 1982).

    Raises:
        MonitorError: only one class occurs.
    """
    positives = int(actual.sum())
    negatives = actual.size - positives
    if not positives or not negatives:
        raise MonitorError("only one class occurs in the labels, so the AUC is not defined")
    rank_sum = stats.rankdata(score)[actual].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def roc_curve(actual: Flags, score: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates at every distinct score, from (0, 0) to (1, 1)."""
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(score[order])), score.size - 1)
    true_positives = np.cumsum(actual[order])[last_of_ties]
    false_positives = last_of_ties + 1 - true_positives
    return (
        np.append(0.0, false_positives / false_positives[-1]),
        np.append(0.0, true_positives / true_positives[-1]),
    )


def calibration(actual: Flags, score: Floats) -> list[dict[str, Any]]:
    """Mean score and observed rate of the positive class in ten equal bins of the score; empty bins left out."""
    positions = np.minimum((score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        {
            "lower": position / CALIBRATION_BINS,
            "upper": (position + 1) / CALIBRATION_BINS,
            "count": int(inside.sum()),
            "mean_score": float(score[inside].mean()),
            "observed_rate": float(actual[inside].mean()),
        }
        for position in range(CALIBRATION_BINS)
        if (inside := positions == position).any()
    ]


def _classification_metrics(inputs: RiskTestInput) -> dict[str, Any]:
    outcome = classification(inputs, inputs.comparator)
    auc = area_under_roc(outcome.actual, outcome.score)
    hits = int((outcome.actual & outcome.predicted).sum())
    precision = _ratio(hits, int(outcome.predicted.sum()))
    recall = _ratio(hits, int(outcome.actual.sum()))
    metrics = {
        "accuracy": float((outcome.actual == outcome.predicted).mean()),
        "precision": precision,
        "recall": recall,
        "auc": auc,
        "f1_score": _ratio(2 * precision * recall, precision + recall),
        "confusion_matrix": _confusion_matrix(outcome),
    }
    fpr, tpr = (_thinned(rates) for rates in roc_curve(outcome.actual, outcome.score))
    return {
        **metrics,
        "performance": [_entry("Classification Metrics", "classification_metrics", metrics)],
        "charts": {
            "roc": {"fpr": fpr, "tpr": tpr},
            "calibration": calibration(outcome.actual, outcome.score),
        },
    }


def _regression_metrics(inputs: RiskTestInput) -> dict[str, Any]:
    target = label_values(inputs, inputs.comparator)
    score = inputs.comparator.numbers(inputs.schema.only("score").name)
    present = ~np.isnan(target) & ~np.isnan(score)
    target, errors = target[present], (target - score)[present]
    variation = float(((target - target.mean()) ** 2).sum()) if target.size else 0.0
    if variation == 0:
        raise MonitorError("the label does not vary, so R² is not defined")
    metrics = {
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(np.abs(errors).mean()),
        "r2_score": 1 - float((errors**2).sum()) / variation,
    }
    return {**metrics, "performance": [_entry("Regression Metrics", "regression_metrics", metrics)]}


def _entry(name: str, test_type: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "test_name": name,
        "test_category": "performance",
        "test_type": test_type,
        "test_id": f"performance_{test_type}",
        "values": values,
    }


def _confusion_matrix(outcome: Classification) -> list[dict[str, float]]:
    """Shares of all rows: one object per actual class, negative first, keyed by predicted class."""
    return [
        {
            name: float(((outcome.actual == actual) & (outcome.predicted == predicted)).mean())
            for name, predicted in zip(outcome.classes, (False, True), strict=True)
        }
        for actual in (False, True)
    ]


def _ratio(part: float, whole: float) -> float:
    """A share of nothing is 0, as scikit-learn has it."""
    return part / whole if whole else 0.0


def _thinned(rates: Floats) -> list[float]:
    kept = np.unique(np.linspace(0, rates.size - 1, min(rates.size, ROC_POINTS)).round().astype(int))
    return [float(rate) for rate in rates[kept]]
