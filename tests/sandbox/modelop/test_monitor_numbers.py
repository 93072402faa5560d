"""Every number of the monitors against an independent computation: other libraries, or the definition by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_ratio,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression

from sandbox.modelop.monitors import bias, drift, linearity, normality, performance, stability
from sandbox.modelop.monitors.autocorrelation import durbin_watson
from sandbox.modelop.monitors.battery import run_battery
from sandbox.modelop.monitors.homoscedasticity import breusch_pagan, engle_lm, ljung_box
from sandbox.modelop.monitors.multicollinearity import variance_inflation
from tests.sandbox.modelop.risk_test_inputs import Columns, risk_test_input

GENERATOR = np.random.default_rng(7)


@pytest.fixture(scope="module")
def scored() -> Columns:
    """400 rows with ties in the score, and two groups that are treated differently."""
    group = GENERATOR.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2])
    score = np.clip(GENERATOR.beta(2, 2, 400) + 0.15 * (group == "a"), 0, 1).round(2)
    label = GENERATOR.random(400) < score
    return {
        "label": label.astype(int).tolist(),
        "score": score.tolist(),
        "group": group.tolist(),
        "amount": GENERATOR.lognormal(8, 1, 400).tolist(),
        "months": GENERATOR.integers(6, 60, 400).tolist(),
        "purpose": GENERATOR.choice(["car", "tv", "other"], 400).tolist(),
    }


@pytest.fixture(scope="module")
def shifted(scored: Columns) -> Columns:
    """A baseline that differs from `scored` in every column."""
    return {
        "label": GENERATOR.integers(0, 2, 300).tolist(),
        "score": GENERATOR.beta(3, 2, 300).round(2).tolist(),
        "group": GENERATOR.choice(["a", "b", "c"], 300).tolist(),
        "amount": GENERATOR.lognormal(8.2, 1, 300).tolist(),
        "months": GENERATOR.integers(6, 48, 300).tolist(),
        "purpose": GENERATOR.choice(["car", "tv", "boat"], 300).tolist(),
    }


FIELDS: dict[str, dict[str, Any]] = {
    "group": {"role": "non-predictor", "dataClass": "categorical", "protectedClass": True},
    "purpose": {"dataClass": "categorical"},
}


def outcomes(scored: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    label, score = np.array(scored["label"]), np.array(scored["score"])
    return label, score, (score >= 0.5).astype(int)


def test_classification_metrics_are_those_of_scikit_learn(scored: Columns) -> None:
    label, score, predicted = outcomes(scored)
    result = performance.monitor(risk_test_input(scored, **FIELDS))
    assert result["auc"] == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-12)
    for name in ("accuracy", "precision", "recall", "f1"):
        expected = getattr(metrics, f"{name}_score")(label, predicted)
        assert result["f1_score" if name == "f1" else name] == pytest.approx(expected, abs=1e-12)
    shares = metrics.confusion_matrix(label, predicted, normalize="all")
    assert [list(row.values()) for row in result["confusion_matrix"]] == [
        pytest.approx(row, abs=1e-12) for row in shares.tolist()
    ]
    assert [list(row) for row in result["confusion_matrix"]] == [["0", "1"], ["0", "1"]]


def test_roc_and_calibration_curves_are_those_of_scikit_learn(scored: Columns) -> None:
    label, score, _ = outcomes(scored)
    fpr, tpr = performance.roc_curve(label == 1, score)
    expected = metrics.roc_curve(label, score, drop_intermediate=False)
    assert fpr == pytest.approx(expected[0]) and tpr == pytest.approx(expected[1])
    uneven = np.clip(score + 0.003, 0, 1)
    bins = performance.calibration(label == 1, uneven)
    observed, predicted = calibration_curve(label, uneven, n_bins=10)
    assert [row["observed_rate"] for row in bins] == pytest.approx(observed.tolist())
    assert [row["mean_score"] for row in bins] == pytest.approx(predicted.tolist())


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    target = GENERATOR.normal(10, 3, 50)
    score = target + GENERATOR.normal(0, 1, 50)
    columns = {"label": target.tolist(), "score": score.tolist(), "x": score.tolist()}
    result = performance.monitor(risk_test_input(columns, methodology="Linear Regression"))
    assert result["r2_score"] == pytest.approx(metrics.r2_score(target, score))
    assert result["mae"] == pytest.approx(metrics.mean_absolute_error(target, score))
    assert result["rmse"] == pytest.approx(metrics.root_mean_squared_error(target, score))
    assert "auc" not in result


def test_group_rates_and_disparities_are_those_of_fairlearn(scored: Columns) -> None:
    label, _, predicted = outcomes(scored)
    frame = MetricFrame(
        metrics={"ppr": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate},
        y_true=label,
        y_pred=predicted,
        sensitive_features=scored["group"],
    )
    result = bias.monitor(risk_test_input(scored, **FIELDS))
    entry = result["bias"][0]
    assert entry["reference_group"] == "a"
    for row in entry["values"]:
        for name in ("ppr", "tpr", "fpr"):
            rate, reference = frame.by_group.loc[row["attribute_value"], name], frame.by_group.loc["a", name]
            assert row[name] == pytest.approx(rate)
            assert row[f"{name}_disparity"] == pytest.approx(rate / reference)
    lowest, highest = result["Bias_minPPRDisparityValue"], result["Bias_maxPPRDisparityValue"]
    ratio = demographic_parity_ratio(label, predicted, sensitive_features=scored["group"])
    assert lowest / highest == pytest.approx(ratio)
    assert result["Bias_minPPRDisparityValueFeature"] in {"group_b_ppr_disparity", "group_c_ppr_disparity"}


def test_drift_p_values_are_those_of_scipy(scored: Columns, shifted: Columns) -> None:
    inputs = risk_test_input(scored, shifted, **FIELDS)
    values = drift.data_drift_monitor(inputs)["data_drift"][0]["values"]
    assert set(values) == {"amount", "months"}
    for name, p_value in values.items():
        assert p_value == pytest.approx(stats.ks_2samp(shifted[name], scored[name]).pvalue)
    concept = drift.concept_drift_monitor(inputs)
    expected = {name: stats.ks_2samp(shifted[name], scored[name]).pvalue for name in ("score", "label")}
    assert concept["concept_drift"][0]["values"] == pytest.approx(expected)
    assert concept["ConceptDrift_maxKolmogorov-SmirnovPValueValue"] == pytest.approx(max(expected.values()))


def test_stability_index_of_shares_known_by_hand() -> None:
    baseline = {"label": [0, 1] * 50, "score": [0.5] * 100, "kind": ["x"] * 50 + ["y"] * 30 + ["z"] * 20}
    comparator = {"label": [0, 1] * 25, "score": [0.5] * 50, "kind": ["x"] * 15 + ["y"] * 15 + ["z"] * 20}
    inputs = risk_test_input(comparator, baseline, kind={"dataClass": "categorical"})
    result = stability.monitor(inputs)
    # Shares .5 .3 .2 against .3 .3 .4.
    expected = (0.3 - 0.5) * math.log(0.3 / 0.5) + (0.4 - 0.2) * math.log(0.4 / 0.2)
    assert result["kind_CSI"] == pytest.approx(expected)
    assert (result["CSI_maxCSIValue"], result["CSI_maxCSIValueFeature"]) == (result["kind_CSI"], "kind_CSI")
    analysis = result["stability"][0]["values"]["kind"]
    assert analysis["stability_chisq"] == pytest.approx(0.2**2 / 0.5 + 0.2**2 / 0.2)
    assert analysis["stability_ks"] == pytest.approx(0.2)
    assert [row["train_count"] for row in analysis["stability_analysis_table"]] == [50, 30, 20]
    assert [row["eval_percent"] for row in analysis["stability_analysis_table"]] == pytest.approx([0.3, 0.3, 0.4])
    assert result["score_PSI"] == 0


def test_stability_of_a_number_uses_the_baselines_deciles(scored: Columns, shifted: Columns) -> None:
    result = stability.monitor(risk_test_input(scored, shifted, **FIELDS))
    edges = np.quantile(shifted["amount"], np.linspace(0.1, 0.9, 9))
    total = 0.0
    for low, high in zip([-math.inf, *edges], [*edges, math.inf], strict=True):
        train = sum(low < value <= high for value in shifted["amount"]) / 300
        evaluation = sum(low < value <= high for value in scored["amount"]) / 400
        total += (evaluation - train) * math.log(evaluation / train)
    assert result["amount_CSI"] == pytest.approx(total)
    assert len(result["stability"][0]["values"]["amount"]["stability_analysis_table"]) == 10


def test_a_bucket_without_rows_is_given_the_floor() -> None:
    baseline = {"label": [0, 1], "score": [0.1, 0.9], "kind": ["x", "y"]}
    comparator = {"label": [0, 1], "score": [0.1, 0.9], "kind": ["x", "new"]}
    result = stability.monitor(risk_test_input(comparator, baseline, kind={"dataClass": "categorical"}))
    expected = 2 * (0.5 - 0.0001) * math.log(0.5 / 0.0001)
    assert result["kind_CSI"] == pytest.approx(expected)


def test_pearson_is_that_of_scipy(scored: Columns) -> None:
    result = linearity.monitor(risk_test_input(scored, **FIELDS))
    expected = {name: stats.pearsonr(scored[name], scored["label"])[0] for name in ("amount", "months")}
    assert result["linearity"][0]["values"] == pytest.approx(expected)
    assert result["Linearity_minPearsonCorrelationValue"] == pytest.approx(min(expected.values()))


def test_variance_inflation_is_the_diagonal_of_the_inverse_correlation_matrix() -> None:
    first, second = GENERATOR.normal(0, 1, (2, 200))
    predictors = np.column_stack([first, second * 1000, first + second + GENERATOR.normal(0, 0.5, 200)])
    expected = np.diag(np.linalg.inv(np.corrcoef(predictors, rowvar=False)))
    assert variance_inflation(predictors) == pytest.approx(expected.tolist())


def test_variance_inflation_of_two_predictors_by_hand() -> None:
    # Correlation 0.5, hence 1 / (1 - 0.25).
    predictors = np.array([[1, 1], [2, 3], [3, 2], [1, 2], [2, 1], [3, 3]], dtype=float)
    assert np.corrcoef(predictors, rowvar=False)[0, 1] == pytest.approx(0.5)
    assert variance_inflation(predictors) == pytest.approx([4 / 3, 4 / 3])


def test_durbin_watson_by_hand() -> None:
    # Steps 1, -3, 3: 19; squares 1, 4, 1, 4: 10.
    assert durbin_watson(np.array([1.0, 2.0, -1.0, 2.0])) == pytest.approx(19 / 10)
    alternating = np.array([1.0, -1.0] * 10)
    assert durbin_watson(alternating) == pytest.approx(4 * 19 / 20)


def test_ljung_box_by_hand() -> None:
    # Mean 0 and squares 10: r1 = (1·2 + 2·-1 - 1·-2) / 10 = 0.2, r2 = (1·-1 + 2·-2) / 10 = -0.5.
    statistics, p_values = ljung_box(np.array([1.0, 2.0, -1.0, -2.0]), lags=2)
    first = 4 * 6 * 0.2**2 / 3
    second = first + 4 * 6 * 0.5**2 / 2
    assert statistics == pytest.approx([first, second])
    # Chi-square with one degree of freedom is a squared normal, with two an exponential.
    assert p_values == pytest.approx([math.erfc(math.sqrt(first / 2)), math.exp(-second / 2)])


def auxiliary_fit(target: np.ndarray, predictors: np.ndarray) -> float:
    return float(LinearRegression().fit(predictors, target).score(predictors, target))


def test_breusch_pagan_by_its_auxiliary_regression() -> None:
    predictors = GENERATOR.normal(0, 1, (120, 3)) * [1, 100, 0.01]
    errors = GENERATOR.normal(0, 1, 120) * np.exp(predictors[:, 0] / 2)
    explained = auxiliary_fit(errors**2, predictors)
    test = breusch_pagan(errors, predictors)
    assert test.lm_statistic == pytest.approx(120 * explained)
    assert test.lm_p_value == pytest.approx(stats.chi2.sf(120 * explained, 3))
    f_statistic = (explained / 3) / ((1 - explained) / 116)
    assert (test.f_statistic, test.f_p_value) == pytest.approx((f_statistic, stats.f.sf(f_statistic, 3, 116)))
    assert test.f_p_value < 0.01


def test_breusch_pagan_of_two_levels_by_hand() -> None:
    # Squares 1 1 1 5 against a 0/1 predictor: means 1 and 3, explained 4 of 12.
    errors, level = np.array([1.0, -1.0, 1.0, -math.sqrt(5)]), np.array([[0.0], [0.0], [1.0], [1.0]])
    assert breusch_pagan(errors, level).lm_statistic == pytest.approx(4 * 4 / 12)


def test_engle_lm_by_its_auxiliary_regression() -> None:
    errors = GENERATOR.normal(0, 1, 80)
    squares = errors**2
    lagged = np.column_stack([squares[2:-1], squares[1:-2], squares[:-3]])
    explained = auxiliary_fit(squares[3:], lagged)
    test = engle_lm(errors, lags=3)
    assert test.lm_statistic == pytest.approx(77 * explained)
    assert test.lm_p_value == pytest.approx(stats.chi2.sf(77 * explained, 3))
    f_statistic = (explained / 3) / ((1 - explained) / (77 - 4))
    assert test.f_p_value == pytest.approx(stats.f.sf(f_statistic, 3, 73))


def test_engle_lm_of_alternating_squares_is_the_number_of_pairs() -> None:
    # Each square follows exactly from the one before, so R² is 1 over n - 1 pairs.
    assert engle_lm(np.array([1.0, 2.0] * 6), lags=1).lm_statistic == pytest.approx(11)


def test_anderson_darling_is_that_of_scipy_with_stephens_significance_points() -> None:
    sample = GENERATOR.normal(3, 2, 150)
    statistic, p_value = normality.anderson_darling(sample)
    assert statistic == pytest.approx(stats.anderson(sample, "norm", method="interpolate").statistic)
    assert p_value > 0.05
    # Upper tail points of Stephens (1974) for estimated mean and deviation.
    for adjusted, expected in ((0.631, 0.10), (0.752, 0.05), (0.873, 0.025), (1.035, 0.01)):
        assert normality._anderson_darling_p(adjusted) == pytest.approx(expected, rel=0.03)


def test_normality_p_values_are_those_of_scipy(scored: Columns) -> None:
    label, score, _ = outcomes(scored)
    residuals = label - score
    z = (residuals - residuals.mean()) / residuals.std(ddof=1)
    result = run_battery(risk_test_input(scored, **FIELDS))
    cramer, kolmogorov = stats.cramervonmises(z, "norm"), stats.kstest(z, "norm")
    assert (result["cvm_statistic"], result["cvm_p_value"]) == pytest.approx((cramer.statistic, cramer.pvalue))
    assert (result["ks_statistic"], result["ks_p_value"]) == pytest.approx((kolmogorov.statistic, kolmogorov.pvalue))
    assert result["dw_statistic"] == pytest.approx((np.diff(residuals) ** 2).sum() / (residuals**2).sum())


def test_on_a_regression_the_residual_tests_run_and_bias_does_not() -> None:
    size = 200
    first, second = GENERATOR.normal(50, 10, (2, size))
    score = 3 * first + second
    target = score + GENERATOR.normal(0, 1, size) * first / 10
    columns = {"label": target.tolist(), "score": score.tolist(), "first": first.tolist(), "second": second.tolist()}
    result = run_battery(risk_test_input(columns, methodology="Regression"))
    errors = target - score
    explained = auxiliary_fit(errors**2, np.column_stack([first, second]))
    f_statistic = (explained / 2) / ((1 - explained) / (size - 3))
    assert result["breusch_pagan_f_p_value"] == pytest.approx(stats.f.sf(f_statistic, 2, size - 3))
    assert result["engle_lm_p_value"] == pytest.approx(engle_lm(errors).lm_p_value)
    assert result["Homoscedasticity_minLjungBoxQPValue"] == pytest.approx(ljung_box(errors**2)[1].min())
    assert [test["test_type"] for test in result["homoscedasticity"]] == ["breusch_pagan", "ljung_box_q", "engle_lm"]
    assert result["r2_score"] > 0.9
    assert (result["Bias_maxPPRDisparityValue"], result["Bias_minPPRDisparityValue"]) == (-99, -99)
    assert [line.split(":")[0].rpartition(" ")[2] for line in result["executionErrors"]] == ["bias", "pii"]
