"""Makes the seeded data sets.

Reads the German Credit data (data/NOTICE), halves it at random with a fixed seed, fits a logistic regression on one
half and scores both. Writes `baseline.csv`, `comparator.csv`, and the two without their label column.
"""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sandbox.modelop.seed import AGE_GROUPS, COLUMNS, LABEL, SCORE, is_numerical, is_predictor

SPLIT_SEED = 20261122
REGULARISATION = 0.3
"""Inverse strength of the L2 penalty: 500 rows for some 60 one-hot columns call for a firm one."""

Row = dict[str, Any]


def read_applications() -> list[Row]:
    """The 1000 credit applications, label 1 for repaid and 0 for defaulted, with their age group."""
    text = resources.files("sandbox.modelop").joinpath("data/german.data").read_text(encoding="ascii")
    source_columns = [name for name in COLUMNS if name not in ("application_id", "age_group", SCORE)]
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        row: Row = dict(zip(source_columns, line.split(), strict=True))
        row[LABEL] = 1 if row[LABEL] == "1" else 0
        row["application_id"] = f"GC-{number:04d}"
        row["age_group"] = AGE_GROUPS[int(row["age"]) > 25]
        rows.append(row)
    return rows


def split_and_score(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Two random halves, each row with the fitted probability of repayment; the model saw the first one only."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(rows))
    half = len(rows) // 2
    baseline = [rows[position] for position in order[:half]]
    comparator = [rows[position] for position in order[half:]]
    model = _classifier().fit(_features(baseline), [row[LABEL] for row in baseline])
    return _scored(model, baseline), _scored(model, comparator)


def write_csv(path: Path, rows: list[Row], columns: list[str]) -> None:
    """Writes some columns of the rows, header first."""
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_data(directory: Path) -> None:
    """Writes the four files into an existing directory."""
    columns = list(COLUMNS)
    unlabelled = [name for name in columns if name != LABEL]
    for name, rows in zip(("baseline", "comparator"), split_and_score(read_applications()), strict=True):
        write_csv(directory / f"{name}.csv", rows, columns)
        write_csv(directory / f"{name}_unlabelled.csv", rows, unlabelled)


def _classifier() -> Pipeline:
    predictors = [name for name in COLUMNS if is_predictor(name)]
    numerical = [position for position, name in enumerate(predictors) if is_numerical(name)]
    categorical = [position for position, name in enumerate(predictors) if not is_numerical(name)]
    encoding = make_column_transformer(
        (StandardScaler(), numerical), (OneHotEncoder(handle_unknown="ignore"), categorical)
    )
    return make_pipeline(encoding, LogisticRegression(C=REGULARISATION, max_iter=1000))


def _features(rows: list[Row]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Predictors in schema order, shape (rows, predictors)."""
    predictors = [name for name in COLUMNS if is_predictor(name)]
    return np.array(
        [[float(row[name]) if is_numerical(name) else row[name] for name in predictors] for row in rows],
        dtype=object,
    )


def _scored(model: Pipeline, rows: list[Row]) -> list[Row]:
    # Six digits hide the last bits, in which machines may differ.
    probabilities = model.predict_proba(_features(rows))[:, 1]
    return [{**row, SCORE: f"{probability:.6f}"} for row, probability in zip(rows, probabilities, strict=True)]
