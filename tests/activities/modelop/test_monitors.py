"""Monitors that failed to run, told apart from monitors that do not apply."""

from __future__ import annotations

import pytest

from activities.modelop.monitors import MAX_MESSAGE_CHARACTERS, MAX_PROBLEMS, Monitor, classify
from sandbox.modelop.monitors.battery import MONITORS

CLASSIFICATION, REGRESSION = "Classification", "Linear Regression"


def named(text: str, methodology: str = CLASSIFICATION, **facts: bool) -> tuple[list[str], list[str]]:
    failed, not_applicable = classify([text], methodology, **facts)
    return [problem.monitor for problem in failed], [problem.monitor for problem in not_applicable]


@pytest.mark.parametrize(
    ("text", "monitor"),
    [
        ("Error occurred while calculating performance: column 'label' is missing", Monitor.PERFORMANCE),
        ("classification_metrics could not be computed", Monitor.PERFORMANCE),
        ("Aequitas: no reference group", Monitor.BIAS),
        ("Data Drift (Kolmogorov-Smirnov): empty frame", Monitor.DATA_DRIFT),
        ("DataDrift_maxKolmogorov-SmirnovPValue is not available", Monitor.DATA_DRIFT),
        ("kolmogorov_smirnov data drift: empty frame", Monitor.DATA_DRIFT),
        ("ConceptDrift kolmogorov_smirnov failed", Monitor.CONCEPT_DRIFT),
        ("concept_drift: no label", Monitor.CONCEPT_DRIFT),
        ("Stability Analysis: division by zero", Monitor.STABILITY),
        ("could not bin purpose for the PSI", Monitor.STABILITY),
        ("pearson_correlation: constant column", Monitor.LINEARITY),
        ("Linearity metrics: constant column", Monitor.LINEARITY),
        ("variance_inflation_factor: singular matrix", Monitor.MULTICOLLINEARITY),
        ("Multicollinearity: singular matrix", Monitor.MULTICOLLINEARITY),
        ("Durbin-Watson: no residuals", Monitor.DURBIN_WATSON),
        ("anderson_darling: too few rows", Monitor.ANDERSON_DARLING),
        ("Anderson Darling test: too few rows", Monitor.ANDERSON_DARLING),
        ("Cramér–von Mises: too few rows", Monitor.CRAMER_VON_MISES),
        ("cramer_von_mises: too few rows", Monitor.CRAMER_VON_MISES),
        ("Error occurred while calculating kolmogorov_smirnov: too few rows", Monitor.KOLMOGOROV_SMIRNOV),
        ("extract_model_fields: no metadata", Monitor.MODEL_FIELDS),
    ],
)
@pytest.mark.parametrize("methodology", [CLASSIFICATION, "", "Binary classifier"])
def test_a_monitor_for_every_model_failed_whatever_way_its_name_is_written(
    text: str, monitor: Monitor, methodology: str
) -> None:
    assert named(text, methodology) == ([monitor], [])


@pytest.mark.parametrize(
    ("text", "monitor"),
    [
        ("breusch_pagan: can only be run for regression models", Monitor.BREUSCH_PAGAN),
        ("Error in BREUSCH-PAGAN test", Monitor.BREUSCH_PAGAN),
        ("BreuschPagan: no residuals", Monitor.BREUSCH_PAGAN),
        ("The Ljung Box Q test can only be run for regression models", Monitor.LJUNG_BOX),
        ("ljung_box: no residuals", Monitor.LJUNG_BOX),
        ("engle_lm: no residuals", Monitor.ENGLE_LM),
        ("Engle's Lagrange multiplier: no residuals", Monitor.ENGLE_LM),
    ],
)
def test_a_monitor_for_regression_fails_on_regressions_and_is_not_applicable_to_classifiers(
    text: str, monitor: Monitor
) -> None:
    assert named(text, CLASSIFICATION) == ([], [monitor])
    assert named(text, REGRESSION) == ([monitor], [])
    assert named(text, "REGRESSION") == ([monitor], [])


def test_bias_fails_on_classifiers_and_is_not_applicable_to_regressions() -> None:
    text = "Error occurred while calculating bias: no protected class"
    assert named(text, CLASSIFICATION) == ([Monitor.BIAS], [])
    assert named(text, REGRESSION) == ([], [Monitor.BIAS])


@pytest.mark.parametrize(
    ("text", "score_is_text", "applicable"),
    [
        ("pii: scanner crashed", True, True),
        ("PII: score column is not a string", False, False),
        ("pii: scanner crashed", False, False),
        ("PII can only be run for models that generate text", None, False),
        ("Error occurred while calculating PII: scanner crashed", None, True),
    ],
)
def test_the_scan_for_personal_data_applies_to_text_scores_only(
    text: str, score_is_text: bool | None, applicable: bool
) -> None:
    failed, not_applicable = classify([text], CLASSIFICATION, score_is_text=score_is_text)
    assert [problem.monitor for problem in (failed if applicable else not_applicable)] == [Monitor.PII]
    assert len(failed) + len(not_applicable) == 1


def test_the_monitor_is_the_one_named_first_and_not_one_that_the_cause_resembles() -> None:
    text = "Error occurred while calculating anderson_darling: column 'bias_stability_drift' has no values"
    assert named(text) == ([Monitor.ANDERSON_DARLING], [])


def test_a_text_without_a_known_monitor_is_a_failure_of_its_own() -> None:
    texts = ["KeyError: 'x'", "cannot unpack", "KeyError: 'x'"]
    failed, not_applicable = classify(texts, CLASSIFICATION)
    assert [(problem.monitor, problem.message) for problem in failed] == [("", texts[0]), ("", texts[1])]
    assert not_applicable == []


def test_several_texts_about_one_monitor_become_one_problem() -> None:
    failed, _ = classify(["bias: gender", "data_drift: age", "Bias: age", "bias: gender"], CLASSIFICATION)
    assert [(problem.monitor, problem.message) for problem in failed] == [
        (Monitor.BIAS, "bias: gender; Bias: age"),
        (Monitor.DATA_DRIFT, "data_drift: age"),
    ]


def test_texts_and_their_number_are_bounded() -> None:
    failed, _ = classify([f"\x1b[31m<b>{number}</b> " + "x" * 10_000 for number in range(1000)], CLASSIFICATION)
    assert len(failed) == MAX_PROBLEMS
    assert all(len(problem.message) <= MAX_MESSAGE_CHARACTERS for problem in failed)
    assert all(problem.message.isprintable() and "<b>" not in problem.message for problem in failed)


def test_every_monitor_that_the_sandbox_can_report_is_recognised() -> None:
    for monitor in MONITORS:
        failed, not_applicable = classify([f"Error occurred while calculating {monitor.name}: x"], CLASSIFICATION)
        assert (failed + not_applicable)[0].monitor != "", monitor.name
