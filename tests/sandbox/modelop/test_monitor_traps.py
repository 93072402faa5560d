"""What real data does to monitors: constants, missing values, single classes, ties, odd spellings."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sandbox.modelop.monitors import battery
from sandbox.modelop.monitors.battery import json_ready, run_battery
from sandbox.modelop.monitors.dataset import Dataset, RiskTestInput, UnusableInput
from tests.sandbox.modelop.risk_test_inputs import Columns, risk_test_input

ROWS = 40
GROUP = {"role": "non-predictor", "dataClass": "categorical", "protectedClass": True}


def columns(**changes: list[Any]) -> Columns:
    """Forty rows that every monitor for classifiers can work with."""
    return {
        "label": [0, 1, 1, 0] * (ROWS // 4),
        "score": [0.2 + 0.015 * row for row in range(ROWS)],
        "group": ["a", "b"] * (ROWS // 2),
        "amount": [float(row**2) for row in range(ROWS)],
        "months": [row % 7 for row in range(ROWS)],
        **changes,
    }


def result_of(comparator: Columns, baseline: Columns | None = None, **options: Any) -> dict[str, Any]:
    result = run_battery(risk_test_input(comparator, baseline, group=GROUP, **options))
    json.dumps(result, allow_nan=False)
    return result


def failed(result: dict[str, Any]) -> dict[str, str]:
    lines = [line.removeprefix("Error occurred while calculating ") for line in result["executionErrors"]]
    not_applicable = ("breusch_pagan", "ljung_box", "engle_lm", "pii")
    return {name: reason for name, _, reason in (line.partition(": ") for line in lines) if name not in not_applicable}


def test_clean_data_fails_nothing() -> None:
    assert failed(result_of(columns())) == {}


def test_a_single_class_has_no_auc_and_nothing_else_is_lost() -> None:
    result = result_of(columns(label=[1] * ROWS))
    assert failed(result)["performance"].startswith("only one class occurs")
    assert set(failed(result)) == {"performance", "pearson_correlation"}
    assert result["auc"] == -99
    assert result["Bias_minPPRDisparityValue"] > 0


def test_a_constant_column_is_stable_uncorrelated_and_left_out_of_inflation() -> None:
    result = result_of(columns(months=[3] * ROWS))
    assert failed(result) == {}
    assert result["months_CSI"] == 0
    assert result["data_drift"][0]["values"]["months"] == 1
    assert result["linearity"][0]["values"]["months"] is None
    assert set(result["multicollinearity"][0]["values"]) == {"amount"}


def test_a_column_that_follows_from_another_has_the_largest_inflation() -> None:
    result = result_of(columns(months=[2 * row**2 + 1 for row in range(ROWS)]))
    assert result["Multicollinearity_maxVIFValue"] == pytest.approx(1e6)


@pytest.mark.parametrize("missing", ["", "NaN", None, math.nan, "null", math.inf])
def test_missing_values_are_left_out_and_get_a_bucket_of_their_own(missing: Any) -> None:
    amounts: list[Any] = [float(row**2) for row in range(ROWS)]
    gaps = [*amounts[:-5], *[missing] * 5]
    records = columns(amount=gaps)
    rows = [{name: values[row] for name, values in records.items()} for row in range(ROWS)]
    parsed = Dataset.parse(json.dumps(rows).encode(), file_format="JSON", name="gaps")
    inputs = risk_test_input(columns(), group=GROUP)
    result = run_battery(RiskTestInput(inputs.metadata, inputs.schema, inputs.baseline, parsed))
    table = result["stability"][0]["values"]["amount"]["stability_analysis_table"]
    assert (table[-1]["bucket"], table[-1]["train_count"], table[-1]["eval_count"]) == ("missing", 0, 5)
    assert 0 < result["data_drift"][0]["values"]["amount"] <= 1
    assert "data_drift" not in failed(result)


def test_rows_without_a_label_or_a_score_do_not_count() -> None:
    labels: list[Any] = [0, 1, 1, 0] * (ROWS // 4)
    result = result_of(columns(label=[*labels[:-4], None, None, None, None]))
    assert sum(bin_["count"] for bin_ in result["charts"]["calibration"]) == ROWS - 4


def test_a_column_without_any_value_fails_only_what_needs_it() -> None:
    assert set(failed(result_of(columns(score=[None] * ROWS)))) == {
        "performance", "bias", "stability",
        "durbin_watson", "anderson_darling", "cramer_von_mises", "kolmogorov_smirnov"
    }  # fmt: skip
    assert "baseline" in failed(result_of(columns(), columns(amount=[None] * ROWS)))["stability"]


def test_text_where_a_number_belongs_is_named() -> None:
    reason = failed(result_of(columns(amount=["12 EUR"] * ROWS)))["data_drift"]
    assert "'amount'" in reason and "'12 EUR'" in reason and "not a number" in reason


def test_a_score_may_hold_predicted_classes() -> None:
    result = result_of(columns(label=["bad", "good"] * 20, score=["bad", "good", "good", "good"] * 10))
    # Half of the bad ones are called good: (1 + 0.5) / 2.
    assert result["auc"] == pytest.approx(0.75)
    assert result["accuracy"] == pytest.approx(0.75)
    assert result["confusion_matrix"] == [{"bad": 0.25, "good": 0.25}, {"bad": 0.0, "good": 0.5}]


def test_a_score_outside_of_zero_to_one_is_refused() -> None:
    reason = failed(result_of(columns(score=[600.0 + row for row in range(ROWS)])))["performance"]
    assert reason == "column 'score' holds neither probabilities nor class labels"


def test_three_classes_are_refused() -> None:
    assert "must hold two classes" in failed(result_of(columns(label=["a", "b", "c", "a"] * 10)))["performance"]


@pytest.mark.parametrize("labels", [["1", "0"], [1, 0], [1.0, 0.0], [" 1 ", "0"]])
def test_a_label_is_the_same_in_any_spelling(labels: list[Any]) -> None:
    reference = result_of(columns(label=[1, 0] * 20))
    assert result_of(columns(label=labels * 20))["auc"] == reference["auc"]


def test_one_group_alone_cannot_be_compared() -> None:
    assert "nothing can be compared" in failed(result_of(columns(group=["a"] * ROWS)))["bias"]


def test_a_reference_group_without_positive_predictions_defines_no_disparity() -> None:
    reason = failed(result_of(columns(score=[0.1] * ROWS)))["bias"]
    assert reason.startswith("no reference group has a positive prediction")


def test_rates_over_nothing_are_none_and_stay_out_of_the_extremes() -> None:
    labels = [1 if row % 2 else row // 2 % 2 for row in range(ROWS)]
    rows = {row["attribute_value"]: row for row in result_of(columns(label=labels))["bias"][0]["values"]}
    assert rows["b"]["fpr"] is None and rows["b"]["fpr_disparity"] is None
    assert rows["a"]["fpr"] is not None


def test_equal_residuals_have_no_distribution() -> None:
    reasons = failed(result_of(columns(score=[0.0, 1.0, 1.0, 0.0] * 10)))
    assert reasons["anderson_darling"] == "all residuals are the same, so they have no distribution to test"


def test_too_few_rows_are_said_to_be_too_few() -> None:
    few = {name: values[:6] for name, values in columns().items()}
    assert failed(result_of(few))["durbin_watson"] == "comparator has 6 residuals, at least 8 are needed"


def test_a_regression_with_equal_squares_is_refused_by_the_variance_tests() -> None:
    score = [float(row) for row in range(ROWS)]
    label = [value + (1 if row % 2 else -1) for row, value in enumerate(score)]
    result = result_of(columns(score=score, label=label), methodology="regression")
    assert result["breusch_pagan_f_p_value"] == -99
    assert any("ljung_box: the squared residuals do not vary" in line for line in result["executionErrors"])


def test_a_monitor_that_crashes_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(inputs: RiskTestInput) -> dict[str, Any]:
        raise ZeroDivisionError("by nothing")

    crashing = battery.Monitor("bias", crash, {"Bias_maxPPRDisparityValue": -99})
    monkeypatch.setattr(battery, "MONITORS", (crashing, *battery.MONITORS[1:]))
    result = result_of(columns())
    assert failed(result) == {"bias": "ZeroDivisionError: by nothing"}
    assert result["Bias_maxPPRDisparityValue"] == -99
    assert result["score_PSI"] == 0


def test_nothing_but_json_leaves_the_battery() -> None:
    assert json_ready({"a": (math.nan, [math.inf, 1.5])}) == {"a": [None, [None, 1.5]]}


def test_json_lines_and_csv_hold_the_same_data() -> None:
    as_csv = Dataset.parse(b"a,b\r\n1,x\r\n,y\r\n", file_format="CSV", name="csv")
    as_lines = Dataset.parse(b'{"a": 1, "b": "x"}\n{"b": "y"}\n', file_format="JSON", name="lines")
    for data in (as_csv, as_lines):
        assert data.texts("a") == ["1", None]
        assert math.isnan(data.numbers("a")[1])
        assert (data.texts("b"), data.rows) == (["x", "y"], 2)


def test_broken_json_is_refused_as_a_whole() -> None:
    with pytest.raises(UnusableInput, match="broken is not readable as JSON"):
        Dataset.parse(b'[{"a": 1}', file_format="JSON", name="broken")
