"""The seeded data: German Credit as published, split and scored the same way on every machine."""

from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sandbox.modelop.german_credit import Row, read_applications, split_and_score
from sandbox.modelop.seed import COLUMNS, is_predictor


@pytest.fixture(scope="module")
def halves() -> tuple[list[Row], list[Row]]:
    return split_and_score(read_applications())


def test_the_vendored_file_is_the_published_one() -> None:
    content = resources.files("sandbox.modelop").joinpath("data/german.data").read_bytes()
    assert hashlib.sha256(content).hexdigest() == "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871"
    notice = resources.files("sandbox.modelop").joinpath("data/NOTICE").read_text()
    assert "CC BY 4.0" in notice and "10.24432/C5NC77" in notice


def test_applications_are_complete_and_have_the_published_outcomes() -> None:
    rows = read_applications()
    assert (len(rows), sum(row["label"] for row in rows)) == (1000, 700)
    assert sum(row["age_group"] == "<=25" for row in rows) == sum(int(row["age"]) <= 25 for row in rows) == 190
    assert rows[0]["duration_months"] == "6" and rows[0]["foreign_worker"] == "A201"


def test_the_halves_share_no_application(halves: tuple[list[Row], list[Row]]) -> None:
    baseline, comparator = ({row["application_id"] for row in half} for half in halves)
    assert (len(baseline), len(comparator), baseline & comparator) == (500, 500, set())


def test_the_split_and_the_scores_are_the_same_every_time(halves: tuple[list[Row], list[Row]]) -> None:
    assert split_and_score(read_applications()) == halves


def test_the_model_ranks_well_on_data_it_has_not_seen(halves: tuple[list[Row], list[Row]]) -> None:
    labels = np.array([row["label"] for row in halves[1]])
    scores = np.array([float(row["score"]) for row in halves[1]])
    assert 0.75 < roc_auc_score(labels, scores) < 0.82


def test_the_model_does_not_decide_by_sex_age_or_origin() -> None:
    assert not any(map(is_predictor, ("personal_status_sex", "age", "age_group", "foreign_worker", "label")))
    assert sum(map(is_predictor, COLUMNS)) == 17
