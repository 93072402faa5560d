"""Every row of the table of limits, decided by hand, and everything that a result may hold instead of a number."""

from __future__ import annotations

import math
from typing import Any

import pytest

from activities.modelop.types import MonitorProblem
from activities.review_document.limits.threshold_verdicts import chance_limit
from activities.review_document.limits.thresholds import standard_thresholds
from activities.review_document.limits.verdict_types import Verdict, Word
from activities.review_document.limits.verdicts import count_by_word, evaluate, rule_results
from tests.activities.review_document import samples

CLASSIFICATION = "Classification"
REGRESSION = "Linear Regression"


def judged(
    threshold_id: str, results: dict[str, Any], methodology: str = CLASSIFICATION, **problems: list[MonitorProblem]
) -> Verdict:
    found = [v for v in evaluate(results, methodology=methodology, **problems) if v.threshold_id == threshold_id]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("threshold_id", "metric", "value", "methodology", "word"),
    [
        ("performance.auc", "auc", 0.7, CLASSIFICATION, Word.PASS),
        ("performance.auc", "auc", 0.69999, CLASSIFICATION, Word.FAIL),
        ("performance.auc", "auc", 0, CLASSIFICATION, Word.FAIL),
        ("performance.auc", "auc", 1.2, CLASSIFICATION, Word.ERROR),
        ("performance.r2", "r2_score", 0.7, REGRESSION, Word.PASS),
        ("performance.r2", "r2_score", 0.69, REGRESSION, Word.FAIL),
        ("performance.r2", "r2_score", -3.0, REGRESSION, Word.FAIL),
        ("performance.r2", "r2_score", 99, REGRESSION, Word.NOT_APPLICABLE),
        ("performance.r2", "r2_score", 98, REGRESSION, Word.ERROR),
        ("bias.largest_disparity", "Bias_maxPPRDisparityValue", 1.2, CLASSIFICATION, Word.PASS),
        ("bias.largest_disparity", "Bias_maxPPRDisparityValue", 1.21, CLASSIFICATION, Word.FAIL),
        ("bias.smallest_disparity", "Bias_minPPRDisparityValue", 0.8, CLASSIFICATION, Word.PASS),
        ("bias.smallest_disparity", "Bias_minPPRDisparityValue", 0.79, CLASSIFICATION, Word.FAIL),
        ("data_drift.csi", "CSI_maxCSIValue", 0.2, CLASSIFICATION, Word.PASS),
        ("data_drift.csi", "CSI_maxCSIValue", 0.2001, CLASSIFICATION, Word.FAIL),
        ("data_drift.ks", "DataDrift_maxKolmogorov-SmirnovPValue", 0.0, CLASSIFICATION, Word.INFORMATION),
        ("concept_drift.psi", "score_PSI", 0.2, CLASSIFICATION, Word.PASS),
        ("concept_drift.psi", "score_PSI", 0.3, CLASSIFICATION, Word.FAIL),
        ("concept_drift.ks", "ConceptDrift_maxKolmogorov-SmirnovPValueValue", 0.01, CLASSIFICATION, Word.INFORMATION),
        ("autocorrelation.durbin_watson", "dw_statistic", 2, CLASSIFICATION, Word.PASS),
        ("autocorrelation.durbin_watson", "dw_statistic", 1, CLASSIFICATION, Word.FAIL),
        ("autocorrelation.durbin_watson", "dw_statistic", 3, CLASSIFICATION, Word.FAIL),
        ("homoscedasticity.breusch_pagan", "breusch_pagan_f_p_value", 0.051, REGRESSION, Word.PASS),
        ("homoscedasticity.breusch_pagan", "breusch_pagan_f_p_value", 0.05, REGRESSION, Word.FAIL),
        ("homoscedasticity.engle_lm", "engle_lm_p_value", 0.2, REGRESSION, Word.PASS),
        ("homoscedasticity.engle_lm", "engle_lm_p_value", 0.0, REGRESSION, Word.FAIL),
        ("homoscedasticity.ljung_box", "Homoscedasticity_minLjungBoxQPValue", 0.2, REGRESSION, Word.PASS),
        ("homoscedasticity.ljung_box", "Homoscedasticity_minLjungBoxQPValue", 0.05, REGRESSION, Word.FAIL),
        ("normality.kolmogorov_smirnov", "ks_p_value", 0.06, CLASSIFICATION, Word.PASS),
        ("normality.kolmogorov_smirnov", "ks_p_value", 0.05, CLASSIFICATION, Word.FAIL),
        ("normality.anderson_darling", "ad_p_value", 0.06, CLASSIFICATION, Word.PASS),
        ("normality.anderson_darling", "ad_p_value", 0.04, CLASSIFICATION, Word.FAIL),
        ("normality.cramer_von_mises", "cvm_p_value", 0.06, CLASSIFICATION, Word.PASS),
        ("normality.cramer_von_mises", "cvm_p_value", 0.04, CLASSIFICATION, Word.FAIL),
        ("linearity.pearson", "Linearity_minPearsonCorrelationValue", 0.1, CLASSIFICATION, Word.PASS),
        ("linearity.pearson", "Linearity_minPearsonCorrelationValue", -0.4, CLASSIFICATION, Word.FAIL),
        ("multicollinearity.vif", "Multicollinearity_maxVIFValue", 9.99, CLASSIFICATION, Word.PASS),
        ("multicollinearity.vif", "Multicollinearity_maxVIFValue", 10, CLASSIFICATION, Word.FAIL),
        ("personal_data.violations", "num_PII_violations", 0, CLASSIFICATION, Word.PASS),
        ("personal_data.violations", "num_PII_violations", 3, CLASSIFICATION, Word.FAIL),
        ("personal_data.violations", "num_PII_violations", -99, CLASSIFICATION, Word.NOT_APPLICABLE),
    ],
)
def test_each_limit_decides_as_computed_by_hand(
    threshold_id: str, metric: str, value: float, methodology: str, word: Word
) -> None:
    assert judged(threshold_id, {metric: value}, methodology).word is word


def test_every_limit_has_a_passing_or_informing_case_above() -> None:
    cases = next(m for m in test_each_limit_decides_as_computed_by_hand.pytestmark if m.name == "parametrize").args[1]
    decided = {case[0] for case in cases if case[4] in (Word.PASS, Word.INFORMATION)}
    assert decided == {threshold.id for threshold in standard_thresholds().thresholds}


def test_a_sentinel_is_not_applicable_unless_the_monitor_failed() -> None:
    results = {"CSI_maxCSIValue": -99}
    assert judged("data_drift.csi", results).word is Word.NOT_APPLICABLE
    failure = [MonitorProblem(monitor="stability", message="column 'age' is missing")]
    verdict = judged("data_drift.csi", results, failed=failure)
    assert (verdict.word, verdict.reason) == (Word.ERROR, "column 'age' is missing")
    assert verdict.consequence
    skipped = [MonitorProblem(monitor="stability", message="no drift candidate")]
    verdict = judged("data_drift.csi", results, not_applicable=skipped)
    assert (verdict.word, verdict.reason) == (Word.NOT_APPLICABLE, "no drift candidate")


def test_regression_only_tests_do_not_apply_to_a_classifier_whatever_the_result_holds() -> None:
    verdict = judged("homoscedasticity.engle_lm", {"engle_lm_p_value": 0.001})
    assert verdict.word is Word.NOT_APPLICABLE
    assert "Classification" in verdict.reason


def test_a_methodology_that_contains_regression_is_judged_on_its_r2_and_not_on_bias() -> None:
    verdicts = evaluate({"r2_score": 0.8, "auc": 0.1}, methodology="Penalised REGRESSION")
    by_id = {v.threshold_id: v.word for v in verdicts}
    assert by_id["performance.r2"] is Word.PASS
    assert "performance.auc" not in by_id
    assert by_id["bias.largest_disparity"] is Word.NOT_APPLICABLE


@pytest.mark.parametrize("garbage", [None, math.nan, math.inf, "0.9", True, [0.9], {"value": 0.9}, 10**400])
def test_what_is_not_a_finite_number_is_a_visible_error_and_never_a_verdict(garbage: Any) -> None:
    verdict = judged("performance.auc", {"auc": garbage})
    assert verdict.word is Word.ERROR
    assert verdict.value is None
    assert verdict.reason.startswith("not provided: ")


def test_an_empty_result_yields_a_row_for_every_test_and_no_pass() -> None:
    words = count_by_word(evaluate({}, methodology=""))
    assert words == {"ERROR": 14, "NOT APPLICABLE": 3}


def test_results_of_a_wrong_shape_do_not_stop_the_other_tests() -> None:
    broken = {
        "stability": "broken",
        "bias": [1, {"values": {"a": 1}}, {"values": [3]}],
        "linearity": [{"values": [1]}],
        "data_drift": {"values": {"x": "y"}},
    }
    results = samples.classification_results(5) | broken
    assert judged("data_drift.csi", results).word is Word.FAIL
    assert judged("bias.smallest_disparity", results).word is Word.FAIL
    assert judged("linearity.pearson", results).word is Word.PASS


def test_a_failing_index_names_its_feature_and_the_others_outside() -> None:
    verdict = judged("data_drift.csi", samples.classification_results(20))
    assert verdict.feature_or_group == "duration_months"
    assert "outside the limit are duration_months, feature_001, feature_008" in verdict.reason
    assert "500 baseline and 490 comparator rows, where chance alone reaches 0.088" in verdict.reason


def test_the_group_with_the_extreme_disparity_is_named() -> None:
    verdict = judged("bias.smallest_disparity", samples.classification_results(5))
    assert (verdict.feature_or_group, verdict.value_text) == ("age_group: 25 or younger", "0.770")


def test_the_score_is_found_under_a_name_of_the_sites_own() -> None:
    assert judged("concept_drift.psi", {"probability_PSI": 0.5}).word is Word.FAIL


def test_a_failed_monitor_without_a_row_of_its_own_gets_one() -> None:
    failed = [
        MonitorProblem(monitor="", message="Weird failure"),
        MonitorProblem(monitor="model_fields", message="no fields"),
    ]
    verdicts = evaluate(samples.classification_results(5), methodology=CLASSIFICATION, failed=failed)
    assert [(v.word, v.test, v.reason) for v in verdicts[-2:]] == [
        (Word.ERROR, "Monitor without a known name", "Weird failure"),
        (Word.ERROR, "model_fields", "no fields"),
    ]


def test_rounding_never_prints_a_value_on_the_other_side_of_its_limit() -> None:
    assert judged("data_drift.csi", {"CSI_maxCSIValue": 0.20004}).value_text == "0.20004"
    assert judged("normality.cramer_von_mises", {"cvm_p_value": 0.0496}).value_text == "0.0496"
    assert judged("normality.cramer_von_mises", {"cvm_p_value": 1e-9}).value_text == "< 0.001"


def test_rule_results_have_one_row_per_category_and_tell_no_result_from_a_fail() -> None:
    verdicts = evaluate(samples.classification_results(20), methodology=CLASSIFICATION)
    rows = {row["testCategory"]: row["passes"] for row in rule_results(verdicts)}
    assert len(rows) == len(rule_results(verdicts))
    assert rows["Performance"] is True
    assert rows["Bias Disparity"] is False
    assert rows["Characteristic Stability"] is False
    assert rows["KS Data Drift"] is None
    assert rows["Homoscedacticity: Ljung Box Q"] is None


def test_the_chance_limit_agrees_with_simulated_values() -> None:
    # Quantiles of χ² with 9 degrees of freedom at 99 %: 21.666; times (1/500 + 1/500).
    assert chance_limit(500, 500, 10) == pytest.approx(21.666 * 2 / 500, rel=0.002)
    assert chance_limit(0, 500, 10) is None
