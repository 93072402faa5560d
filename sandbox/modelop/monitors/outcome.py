"""What the model said against what happened: scores, predictions and labels, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sandbox.modelop.monitors.dataset import (
    Column,
    Dataset,
    Flags,
    Floats,
    MonitorError,
    RiskTestInput,
    distinct,
)

DECISION_THRESHOLD = 0.5
"""A probability from here on counts as a prediction of the positive class."""

MIN_RESIDUALS = 8
"""Below this the approximations behind the residual tests have no meaning."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Classification:
    """Outcomes of a binary classifier, rows with a missing label or score left out.

    Attributes:
        actual: whether the label is the positive class.
        predicted: whether the model predicted the positive class.
        score: probability of the positive class; 0 and 1 where the score column holds class labels.
        classes: names of the negative and the positive class.
        rows: positions of these outcomes in the data set.
    """

    actual: Flags
    predicted: Flags
    score: Floats
    classes: tuple[str, str]
    rows: Rows


@dataclass(frozen=True)
class Residuals:
    """Label minus score, in the order of the data set. `rows` are the positions of `values` in the data set."""

    values: Floats
    rows: Rows


def classification(inputs: RiskTestInput, data: Dataset) -> Classification:
    """The outcomes of a classifier on a data set.

    Raises:
        MonitorError: label or score is missing, or is not that of a binary classifier.
    """
    label = inputs.schema.only("label")
    labels = data.texts(label.name)
    classes = _classes(label, labels)
    scores = _probabilities(inputs.schema.only("score"), data, classes)
    present = np.array([value is not None for value in labels])
    rows = np.flatnonzero(present & ~np.isnan(scores))
    if not rows.size:
        raise MonitorError(f"{data.name} has no row with both a label and a score")
    return Classification(
        actual=np.array([labels[row] == classes[1] for row in rows]),
        predicted=scores[rows] >= DECISION_THRESHOLD,
        score=scores[rows],
        classes=classes,
        rows=rows,
    )


def label_values(inputs: RiskTestInput, data: Dataset) -> Floats:
    """The label as numbers: the target of a regression, or 1 for the positive class and 0 for the other.

    Raises:
        MonitorError: there is no label, or it is not numeric where it must be.
    """
    label = inputs.schema.only("label")
    if inputs.is_regression:
        return data.numbers(label.name)
    labels = data.texts(label.name)
    _, positive = _classes(label, labels)
    return np.array([np.nan if value is None else float(value == positive) for value in labels])


def residuals(inputs: RiskTestInput) -> Residuals:
    """Label minus score of the comparator, rows with a missing value left out.

    Raises:
        MonitorError: label or score is missing, or there are too few or only equal residuals.
    """
    data = inputs.comparator
    if inputs.is_regression:
        differences = label_values(inputs, data) - data.numbers(inputs.schema.only("score").name)
        rows = np.flatnonzero(~np.isnan(differences))
        found = Residuals(differences[rows], rows)
    else:
        outcome = classification(inputs, data)
        found = Residuals(outcome.actual - outcome.score, outcome.rows)
    if found.values.size < MIN_RESIDUALS:
        raise MonitorError(f"{data.name} has {found.values.size} residuals, at least {MIN_RESIDUALS} are needed")
    if np.ptp(found.values) == 0:
        raise MonitorError("all residuals are the same, so they have no distribution to test")
    return found


def _classes(label: Column, labels: list[str | None]) -> tuple[str, str]:
    """The negative and the positive class. Without a `positiveClassLabel` the last in order is the positive one."""
    found = distinct(labels)
    if not found:
        raise MonitorError(f"column {label.name!r} holds no label at all")
    positive = label.positive_label or found[-1]
    others = [value for value in found if value != positive]
    if len(others) > 1:
        raise MonitorError(f"column {label.name!r} must hold two classes, it holds {', '.join(found[:10])}")
    return (others[0] if others else f"not {positive}"), positive


def _probabilities(score: Column, data: Dataset, classes: tuple[str, str]) -> Floats:
    texts = data.texts(score.name)
    if set(distinct(texts)) <= set(classes):
        return np.array([np.nan if value is None else float(value == classes[1]) for value in texts])
    scores = data.numbers(score.name)
    present = scores[~np.isnan(scores)]
    if present.size and (present.min() < 0 or present.max() > 1):
        raise MonitorError(f"column {score.name!r} holds neither probabilities nor class labels")
    return scores
