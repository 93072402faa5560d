"""Stability between baseline and comparator: population stability of the score, characteristic stability of inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from sandbox.modelop.monitors.dataset import Column, Floats, MonitorError, RiskTestInput, distinct, drop_missing

BUCKETS = 10
"""Numerical columns are cut at the deciles of the baseline."""

FLOOR = 0.0001
"""Smallest share that an empty bucket is given, so that the logarithm stays finite."""

HISTOGRAM_BINS = 20


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """PSI of the score, CSI of every drift candidate, and the tables behind them.

    Raises:
        MonitorError: a column of the schema is missing, or the schema has no drift candidate.
    """
    candidates = inputs.schema.drift_candidates
    if not candidates:
        raise MonitorError("the input schema declares no driftCandidate")
    score = inputs.schema.only("score")
    analyses = {column.name: analyse(inputs, column) for column in (*candidates, score)}
    indices = {f"{column.name}_CSI": analyses[column.name]["stability_index"] for column in candidates}
    highest, lowest = max(indices, key=indices.__getitem__), min(indices, key=indices.__getitem__)
    return {
        "score_PSI": analyses[score.name]["stability_index"],
        **indices,
        "CSI_maxCSIValue": indices[highest],
        "CSI_maxCSIValueFeature": highest,
        "CSI_minCSIValue": indices[lowest],
        "CSI_minCSIValueFeature": lowest,
        "stability": [
            {
                "test_name": "Stability Analysis",
                "test_category": "stability",
                "test_type": "stability_analysis",
                "test_id": "stability_stability_analysis",
                "values": analyses,
            }
        ],
        "charts": {"score_histogram": _score_histogram(inputs, score)} if score.numerical else {},
    }


def analyse(inputs: RiskTestInput, column: Column) -> dict[str, Any]:
    """Table, index, chi-square distance and Kolmogorov-Smirnov distance of one column over its buckets.

    Raises:
        MonitorError: the column is missing on a side.
    """
    buckets, train, evaluation = _counts(inputs, column)
    train_share, eval_share = _shares(train), _shares(evaluation)
    contributions = psi_contributions(train_share, eval_share)
    table = [
        {
            "bucket": bucket,
            "train_count": int(train[position]),
            "eval_count": int(evaluation[position]),
            "train_percent": float(train_share[position]),
            "eval_percent": float(eval_share[position]),
            "psi_calc": float(contributions[position]),
        }
        for position, bucket in enumerate(buckets)
    ]
    distances = np.abs(np.cumsum(eval_share) - np.cumsum(train_share))
    floored = np.maximum(train_share, FLOOR)
    return {
        "stability_analysis_table": table,
        "stability_index": float(contributions.sum()),
        "stability_chisq": float(((eval_share - train_share) ** 2 / floored).sum()),
        "stability_ks": float(distances.max()),
    }


def psi_contributions(train_share: Floats, eval_share: Floats) -> Floats:
    """(e - t) · ln(e / t) for each bucket, shares floored (Siddiqi 2006, Credit Risk Scorecards, chapter 8)."""
    train, evaluation = np.maximum(train_share, FLOOR), np.maximum(eval_share, FLOOR)
    return np.asarray((evaluation - train) * np.log(evaluation / train))


def decile_edges(baseline: Floats) -> Floats:
    """Inner bucket edges: the deciles of the baseline that differ. A constant has one edge, its value."""
    return np.unique(np.quantile(baseline, np.arange(1, BUCKETS) / BUCKETS))


def _counts(inputs: RiskTestInput, column: Column) -> tuple[list[str], Floats, Floats]:
    """Bucket names, and how many rows of baseline and comparator fall into each; empty everywhere is left out."""
    if column.numerical:
        names, counts = _numerical_counts(inputs, column)
    else:
        names, counts = _categorical_counts(inputs, column)
    used = np.flatnonzero(counts.sum(axis=0))
    return [names[position] for position in used], counts[0, used], counts[1, used]


def _numerical_counts(inputs: RiskTestInput, column: Column) -> tuple[list[str], Floats]:
    sides = [data.numbers(column.name) for data in (inputs.baseline, inputs.comparator)]
    known = drop_missing(sides[0])
    if not known.size:
        raise MonitorError(f"column {column.name!r} has no values in the baseline")
    edges = decile_edges(known)
    counts = np.zeros((2, edges.size + 2))
    for row, values in enumerate(sides):
        present = drop_missing(values)
        # Buckets are closed on the right: a value on an edge belongs to the bucket that ends there.
        counts[row, :-1] = np.bincount(np.searchsorted(edges, present), minlength=edges.size + 1)
        counts[row, -1] = values.size - present.size
    labels = [f"{edge:g}" for edge in edges]
    names = [f"({low}, {high}]" for low, high in zip(["-inf", *labels], labels, strict=False)]
    return [*names, f"({labels[-1]}, inf)", "missing"], counts


def _categorical_counts(inputs: RiskTestInput, column: Column) -> tuple[list[str], Floats]:
    sides = [data.texts(column.name) for data in (inputs.baseline, inputs.comparator)]
    names = distinct([*sides[0], *sides[1]])
    counts = np.zeros((2, len(names) + 1))
    positions: dict[str | None, int] = {name: position for position, name in enumerate(names)}
    for row, values in enumerate(sides):
        for value in values:
            counts[row, positions.get(value, len(names))] += 1
    return [*names, "missing"], counts


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum())


def _score_histogram(inputs: RiskTestInput, score: Column) -> dict[str, Any]:
    sides = {
        "baseline": drop_missing(inputs.baseline.numbers(score.name)),
        "comparator": drop_missing(inputs.comparator.numbers(score.name)),
    }
    everything = np.concatenate(list(sides.values()))
    if not everything.size:
        return {}
    edges = np.histogram_bin_edges(everything, bins=HISTOGRAM_BINS)
    counts = {side: np.histogram(values, bins=edges)[0].tolist() for side, values in sides.items()}
    return {"edges": edges.tolist(), **counts}
