"""The standard table of limits as data: what is looked up in it."""

from __future__ import annotations

import pytest

from activities.review_document.limits.thresholds import Interval, standard_thresholds


@pytest.mark.parametrize(
    ("category", "family"),
    [
        ("Performance", "Performance"),
        ("Bias Disparity", "Bias"),
        ("bias", "Bias"),
        ("KS Data Drift", "Data drift"),
        ("Characteristic Stability", "Data drift"),
        ("Homoscedacticity: Breusch Pagan", "Homoscedasticity"),
        ("Homoscedacticity: a test of our own", "Homoscedasticity"),
        ("Homoscedasticity", "Homoscedasticity"),
        ("Normality: Shapiro Wilk", "Normality"),
        ("Mulitcolinearity", "Multicollinearity"),
        (" pii ", "Personal data"),
        ("Fairness by region", None),
        ("", None),
    ],
)
def test_a_category_belongs_to_a_family_in_the_spelling_of_either_table(category: str, family: str | None) -> None:
    assert standard_thresholds().family_of(category) == family


def test_the_range_of_a_pass_is_found_by_metric_and_information_has_none() -> None:
    table = standard_thresholds()
    assert table.passing("dw_statistic") == Interval(above=1, below=3)
    assert table.passing("DataDrift_maxKolmogorov-SmirnovPValue") is None
    assert table.passing("unheard_of") is None


def test_no_two_rows_judge_the_same_number() -> None:
    metrics = [threshold.metric for threshold in standard_thresholds().thresholds]
    assert len(set(metrics)) == len(metrics)
