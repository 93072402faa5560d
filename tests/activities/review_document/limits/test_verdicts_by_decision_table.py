"""Verdicts by a customer's decision table: the same rows as by the standard limits, and never a wrong one."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest

from activities.modelop.types import MonitorProblem
from activities.review_document.limits.decision_table import DecisionTable, UnusableLimits
from activities.review_document.limits.thresholds import standard_thresholds
from activities.review_document.limits.verdict_types import Verdict, Word
from activities.review_document.limits.verdicts import OTHER_MONITORS, count_by_word, evaluate, families, rule_results
from tests.activities.review_document import samples
from tests.activities.review_document.limits import dmn
from tests.activities.review_document.limits.dmn import AUC, CSI, DW, KS_DRIFT, LARGEST, METHODOLOGY, R2, SMALLEST, row

CLASSIFICATION = "Classification"
REGRESSION = "Linear Regression"
STANDARD = dmn.table(dmn.limits_like_the_standard_ones())
SEVERITY = [Word.FAIL, Word.ERROR, Word.PASS, Word.NOT_APPLICABLE]


def judged(
    table: DecisionTable, results: dict[str, Any], methodology: str = CLASSIFICATION, **problems: list[MonitorProblem]
) -> list[Verdict]:
    return evaluate(results, methodology=methodology, table=table, **problems)


def only(table: DecisionTable, results: dict[str, Any], **problems: list[MonitorProblem]) -> Verdict:
    verdicts = judged(table, results, **problems)
    assert len(verdicts) == 1
    return verdicts[0]


def worst_by_category(verdicts: list[Verdict]) -> dict[str, Word]:
    found: dict[str, list[Word]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.category, []).append(verdict.word)
    return {category: min(words, key=SEVERITY.index) for category, words in found.items()}


@pytest.mark.parametrize(
    ("results", "methodology"),
    [(samples.classification_results(20), CLASSIFICATION), (samples.regression_results(), REGRESSION)],
    ids=["classification", "regression"],
)
def test_a_decision_table_with_the_standard_limits_yields_the_standard_verdicts(
    results: dict[str, Any], methodology: str
) -> None:
    ours = [v for v in evaluate(results, methodology=methodology) if v.word is not Word.INFORMATION]
    assert worst_by_category(judged(STANDARD, results, methodology)) == worst_by_category(ours)


@pytest.mark.parametrize(
    ("metric", "value", "category", "word"),
    [
        (AUC, 0.7, "Performance", Word.PASS),
        (AUC, 0.69, "Performance", Word.FAIL),
        (AUC, -99, "Performance", Word.NOT_APPLICABLE),
        (AUC, 0, "Performance", Word.NOT_EVALUATED),
        (R2, -99, "Performance", Word.NOT_EVALUATED),
        (CSI, 0.2, "Characteristic Stability", Word.PASS),
        (CSI, 0.21, "Characteristic Stability", Word.FAIL),
        (CSI, -99, "Characteristic Stability", Word.NOT_APPLICABLE),
        (DW, 1, "Autocorrelation", Word.FAIL),
        (DW, 1.01, "Autocorrelation", Word.PASS),
        (DW, 3, "Autocorrelation", Word.FAIL),
        ("breusch_pagan_f_p_value", -99, "Homoscedacticity: Breusch Pagan", Word.NOT_APPLICABLE),
        ("Multicollinearity_maxVIFValue", 10, "Mulitcolinearity", Word.FAIL),
        (SMALLEST, 0.79, "Bias Disparity", Word.FAIL),
    ],
)
def test_each_value_is_judged_as_its_rules_say(metric: str, value: float, category: str, word: Word) -> None:
    found = [v.word for v in judged(STANDARD, {metric: value}) if v.category == category]
    assert found == [word]


def test_a_verdict_carries_number_limit_subject_reason_and_consequence() -> None:
    verdicts = judged(STANDARD, samples.classification_results(20))
    failed = next(v for v in verdicts if v.category == "Characteristic Stability")
    assert (failed.family, failed.feature_or_group) == ("Data drift", "duration_months")
    assert (failed.value_text, failed.limit) == ("0.345", "≤ 0.2")
    assert failed.reason == "outside the limit; rule 12 of Limits of the bank"
    assert failed.consequence == standard_thresholds().of("data_drift.csi").consequence
    passed = next(v for v in verdicts if v.category == "Performance")
    assert (passed.value, passed.value_text, passed.limit, passed.consequence) == (0.7785, "0.778", "≥ 0.7", "")


def test_what_the_table_says_to_do_is_the_consequence_of_a_fail_and_part_of_the_reason_otherwise() -> None:
    rules = [
        row({AUC: ">=0.7"}, "true", "fine", "P", action="none"),
        row({AUC: "<0.7"}, "false", "weak", "P", action="retrain"),
    ]
    table = dmn.table(rules, outputs=("passes", "reason", "category", "action"))
    assert only(table, {AUC: 0.1}).consequence == "retrain"
    assert only(table, {AUC: 0.9}).reason == "fine; action: none; rule 1 of Limits of the bank"


def test_a_table_with_rules_that_only_fail_says_at_which_values() -> None:
    assert only(dmn.table([row({"own": "]-99..5["}, "false", "low", "Own")]), {"own": 4.999}).limit == "fails if < 5"


def test_a_rule_over_two_numbers_prints_both() -> None:
    verdict = next(v for v in judged(STANDARD, {LARGEST: 1.1, SMALLEST: 0.9}) if v.category == "Bias Disparity")
    assert verdict.word is Word.PASS
    assert verdict.value_text == "1.100; 0.900"
    assert verdict.limit == "≥ 0 and ≤ 1.2; ≥ 0.8"


@pytest.mark.parametrize("cell", ["<0.05", "-99", "<=0", "not(5)", "[-100..1]"])
@pytest.mark.parametrize("passes", ["true", "false"])
def test_no_rule_that_rests_on_a_sentinel_passes_or_fails(cell: str, passes: str) -> None:
    verdict = only(dmn.table([row({KS_DRIFT: cell}, passes, "said", "KS Data Drift")]), {KS_DRIFT: -99})
    assert verdict.word is Word.NOT_APPLICABLE
    assert verdict.value is None


def test_several_rules_that_a_sentinel_matches_share_one_row() -> None:
    rules = [
        row({KS_DRIFT: "[0.05..1]"}, "true", "no drift", "KS Data Drift"),
        row({KS_DRIFT: "<0.05"}, "false", "drift in one or more features", "KS Data Drift"),
        row({KS_DRIFT: "-99"}, "false", "not computed", "KS Data Drift"),
    ]
    verdict = only(dmn.table(rules), {KS_DRIFT: -99})
    assert (verdict.word, verdict.reason) == (Word.NOT_APPLICABLE, "the monitor reports that it has no result")


def test_a_sentinel_of_a_monitor_that_failed_is_an_error_with_its_message() -> None:
    failed = [MonitorProblem(monitor="stability", message="column 'age' is missing")]
    table = dmn.table([row({CSI: "-99"}, "false", "x", "CSI")])
    verdict = only(table, {CSI: -99}, failed=failed)
    assert (verdict.word, verdict.reason) == (Word.ERROR, "column 'age' is missing")
    assert verdict.consequence
    assert only(table, {}, failed=failed).word is Word.ERROR


def test_a_number_that_is_a_sentinel_elsewhere_is_judged() -> None:
    table = dmn.table([row({R2: "<0.7"}, "false", "weak", "Performance")])
    assert judged(table, {R2: -99}, REGRESSION)[0].word is Word.FAIL
    assert judged(table, {R2: 99}, REGRESSION)[0].word is Word.NOT_APPLICABLE


def test_a_fail_that_does_not_need_the_sentinel_stays_a_fail() -> None:
    table = dmn.table([row({"x": "auc < 0.7 || dw_statistic > 3"}, "false", "weak", "Any")])
    assert only(table, {AUC: -99, DW: 3.5}).word is Word.FAIL
    words = [v.word for v in judged(table, {AUC: -99, DW: 2})]
    assert words == [Word.NOT_APPLICABLE, Word.NOT_EVALUATED]


@pytest.mark.parametrize("garbage", [None, math.nan, math.inf, "0.9", True, [0.9], {"value": 0.9}, 10**400])
def test_what_is_not_a_number_matches_no_comparison_and_its_category_says_so(garbage: Any) -> None:
    rules = [row({AUC: ">=0.7"}, "true", "", "Performance"), row({AUC: "<0.7"}, "false", "", "Performance")]
    verdict = only(dmn.table(rules), {AUC: garbage})
    assert verdict.word is Word.NOT_EVALUATED
    assert verdict.reason.startswith("no rule of this category matched; auc is ")
    assert verdict.value is None


def test_an_empty_result_has_a_row_for_every_category_and_no_pass_and_no_fail() -> None:
    verdicts = judged(STANDARD, {})
    categories = {rule.category for rule in STANDARD.decisions[0].rules}
    assert {v.category for v in verdicts} == categories
    assert {v.word for v in verdicts} == {Word.NOT_EVALUATED, Word.NOT_APPLICABLE}


def test_the_methodology_of_the_model_stands_in_where_the_results_do_not_carry_it() -> None:
    table = dmn.table([row({METHODOLOGY: '"Scorecard"', "own": ">1"}, "true", "", "Own")])
    assert evaluate({"own": 2}, methodology="Scorecard", table=table)[0].word is Word.PASS
    other = {"own": 2, METHODOLOGY: "Other"}
    assert evaluate(other, methodology="Scorecard", table=table)[0].word is Word.NOT_EVALUATED


def test_a_regression_that_the_table_does_not_recognise_is_not_evaluated_and_its_number_is_shown() -> None:
    rules = [
        row({AUC: ">=0.7"}, "true", "", "Performance"),
        row({AUC: "-99"}, "false", "", "Performance"),
        row({R2: f'{METHODOLOGY}.equalsIgnoreCase("regression") && {R2}<0.7'}, "false", "weak", "Performance"),
    ]
    table = dmn.table(rules)
    assert judged(table, {R2: 0.3, METHODOLOGY: "REGRESSION"}, "Regression")[0].word is Word.FAIL
    unknown = judged(table, {R2: 0.3, METHODOLOGY: REGRESSION}, REGRESSION)
    assert [(v.word, v.value) for v in unknown] == [(Word.NOT_EVALUATED, 0.3)]
    with_sentinel = judged(table, {R2: 0.3, AUC: -99, METHODOLOGY: REGRESSION}, REGRESSION)
    assert [v.word for v in with_sentinel] == [Word.NOT_APPLICABLE, Word.NOT_EVALUATED]


def test_a_rule_that_cannot_be_evaluated_has_a_row_that_says_why_beside_those_that_can() -> None:
    rules = [row({AUC: ">=0.7"}, "true", "good", "P"), row({AUC: "> max(a)"}, "false", "bad", "P")]
    verdicts = judged(dmn.table(rules), {AUC: 0.8})
    assert [v.word for v in verdicts] == [Word.PASS, Word.NOT_EVALUATED]
    assert '"> max(a)"' in verdicts[1].reason
    assert rule_results(verdicts)[0]["passes"] is None


FIRST_WITH_A_REST = dmn.table(
    [row({AUC: "<0.7"}, "false", "weak", "Performance"), row({AUC: "-"}, "true", "fine", "Performance")],
    hit_policy="FIRST",
)


@pytest.mark.parametrize("garbage", [None, math.nan, "0.9", True, [0.9]])
def test_everything_else_is_fine_is_no_verdict_on_what_was_not_measured(garbage: Any) -> None:
    verdict = only(FIRST_WITH_A_REST, {AUC: garbage})
    assert verdict.word is Word.NOT_EVALUATED
    assert verdict.reason.startswith("it cannot be told whether a rule that fails matches; auc is ")


def test_everything_else_is_fine_passes_with_the_numbers_that_it_rests_on() -> None:
    verdict = only(FIRST_WITH_A_REST, {AUC: 0.9})
    assert (verdict.word, verdict.value, verdict.value_text) == (Word.PASS, 0.9, "0.900")
    assert only(FIRST_WITH_A_REST, {AUC: -99}).word is Word.NOT_APPLICABLE
    of_all = [row({CSI: ">0.2"}, "false", "drift", "Drift"), row({AUC: "-"}, "true", "fine", "Overall")]
    found = {v.category: v.word for v in judged(dmn.table(of_all, hit_policy="FIRST"), {AUC: 0.9})}
    assert found["Overall"] is Word.NOT_EVALUATED


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({AUC: "-"}, "rule 1 passes whatever the result holds"),
        ({AUC: "null"}, "rule 1 passes without a number; auc is not in the result"),
        ({"own": "null"}, "rule 1 passes without a number; own is not in the result"),
        ({"x": "auc == null"}, "rule 1 passes without a number; auc is not in the result"),
    ],
)
def test_a_rule_that_passes_without_any_number_is_not_evaluated(cells: dict[str, str], said: str) -> None:
    verdict = only(dmn.table([row(cells, "true", "fine", "Performance")]), {})
    assert (verdict.word, verdict.reason) == (Word.NOT_EVALUATED, said)


def test_thousands_of_rules_without_conditions_are_none_of_them_a_verdict() -> None:
    table = dmn.table([row({AUC: "-"}, "true", "fine", f"Category {i}") for i in range(5000)])
    started = time.process_time()
    assert {v.word for v in judged(table, {AUC: 0.9})} == {Word.NOT_EVALUATED}
    assert time.process_time() - started < 5


def test_a_rule_that_passes_by_a_word_of_the_result_passes() -> None:
    table = dmn.table([row({"modelRisk": '"Tier 3"'}, "true", "exempt", "Own")])
    assert only(table, {"modelRisk": "Tier 3"}).word is Word.PASS


def test_the_missing_half_of_a_category_stands_beside_the_half_that_passes() -> None:
    rules = [
        row({LARGEST: "<=1.2"}, "true", "alike", "Bias Disparity"),
        row({SMALLEST: "<0.8"}, "false", "apart", "Bias Disparity"),
    ]
    rows = judged(dmn.table(rules), {LARGEST: 1.0})
    assert [v.word for v in rows] == [Word.PASS, Word.NOT_EVALUATED]
    assert rule_results(rows)[0]["passes"] is None
    assert [v.word for v in judged(dmn.table(rules), {LARGEST: 1.0, SMALLEST: -99})] == [
        Word.PASS,
        Word.NOT_APPLICABLE,
    ]
    assert [v.word for v in judged(dmn.table(rules), {LARGEST: 1.0, SMALLEST: 0.9})] == [Word.PASS]


@pytest.mark.parametrize(("metric", "value"), [(AUC, 5), (AUC, 99), (CSI, -5), (DW, -1)])
def test_an_impossible_number_never_passes(metric: str, value: float) -> None:
    verdict = only(dmn.table([row({metric: "not(3)"}, "true", "fine", "Any")]), {metric: value})
    assert (verdict.word, verdict.value) == (Word.ERROR, value)
    assert "outside the possible range" in verdict.reason


def test_a_rule_whose_outcome_is_no_literal_is_not_evaluated() -> None:
    verdict = only(dmn.table([({AUC: ">0"}, ("auc > 0.5", '"r"', '"P"'))]), {AUC: 0.8})
    assert verdict.word is Word.NOT_EVALUATED
    assert '"auc > 0.5", neither true nor false' in verdict.reason


def test_a_rule_without_an_outcome_informs() -> None:
    verdict = only(dmn.table([row({KS_DRIFT: "<0.05"}, "", "every feature differs", "KS")]), {KS_DRIFT: 0.01})
    assert verdict.word is Word.INFORMATION
    assert rule_results([verdict])[0]["passes"] is None


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("FIRST", "hit policy FIRST: rule 1 matches, no later one counts"),
        ("PRIORITY", 'the hit policy "PRIORITY" is not evaluated'),
        ("UNIQUE", "hit policy UNIQUE allows one rule to match, but these do: 1, 2"),
    ],
)
def test_categories_that_the_hit_policy_leaves_without_an_answer_say_so(policy: str, reason: str) -> None:
    rules = [row({AUC: ">=0.7"}, "true", "good", "Performance"), row({CSI: ">0.2"}, "false", "drift", "CSI")]
    verdicts = judged(dmn.table(rules, hit_policy=policy), {AUC: 0.8, CSI: 0.5})
    assert [v.word for v in verdicts if v.category == "CSI"] == [Word.NOT_EVALUATED]
    assert reason in next(v.reason for v in verdicts if v.category == "CSI")


def test_rules_with_the_same_word_and_reason_share_a_row_and_others_do_not() -> None:
    rules = [
        row({LARGEST: ">1.2"}, "false", "groups differ", "Bias Disparity"),
        row({SMALLEST: "<0.8"}, "false", "groups differ", "Bias Disparity"),
        row({SMALLEST: "<0.5"}, "false", "groups differ by far", "Bias Disparity"),
    ]
    verdicts = judged(dmn.table(rules), {LARGEST: 1.5, SMALLEST: 0.4})
    assert [v.reason for v in verdicts] == [
        "groups differ; rule 1, 2 of Limits of the bank",
        "groups differ by far; rule 3 of Limits of the bank",
    ]
    assert verdicts[0].value_text == "1.500; 0.400"


def test_decisions_of_one_file_are_judged_in_its_order() -> None:
    second = dmn.decision([row({CSI: ">0.2"}, "false", "drift", "Two")], name="Second")
    first = dmn.decision([row({AUC: ">0"}, "true", "good", "One")], name="First", hit_policy="FIRST")
    table = DecisionTable.read(dmn.file(first, second), filename="two.dmn")
    verdicts = judged(table, {AUC: 0.8, CSI: 0.3})
    assert [(v.category, v.word) for v in verdicts] == [("One", Word.PASS), ("Two", Word.FAIL)]


def test_every_monitor_that_failed_has_an_error_row_also_where_the_table_has_none() -> None:
    failed = [
        MonitorProblem(monitor="pii", message="no text column"),
        MonitorProblem(monitor="performance", message="no label column"),
        MonitorProblem(monitor="", message="Weird failure"),
    ]
    verdicts = judged(dmn.table([row({AUC: "-99"}, "false", "", "Performance")]), {AUC: -99}, failed=failed)
    assert [(v.word, v.family, v.reason) for v in verdicts] == [
        (Word.ERROR, "Performance", "no label column"),
        (Word.ERROR, OTHER_MONITORS, "no text column"),
        (Word.ERROR, OTHER_MONITORS, "Weird failure"),
    ]


@pytest.mark.parametrize(
    "table", [None, dmn.table([row({AUC: ">=0.7"}, "true", "", "Performance")])], ids=["ours", "theirs"]
)
def test_a_monitor_that_failed_after_it_gave_a_number_has_an_error_row_too(table: DecisionTable | None) -> None:
    failed = [MonitorProblem(monitor="performance", message="confusion matrix failed")]
    verdicts = evaluate({AUC: 0.8}, methodology=CLASSIFICATION, failed=failed, table=table)
    assert verdicts[0].word is Word.PASS
    assert (verdicts[-1].word, verdicts[-1].reason) == (Word.ERROR, "confusion matrix failed")


def test_personal_data_that_was_found_is_shown_where_the_table_has_no_rule_for_it() -> None:
    table = dmn.table([row({AUC: ">=0.7"}, "true", "", "Performance")])
    verdict = judged(table, {AUC: 0.8, "num_PII_violations": 3})[-1]
    assert (verdict.category, verdict.word, verdict.value_text) == ("PII", Word.NOT_EVALUATED, "3 findings")
    assert verdict.limit == ""
    for nothing in (0, -99, None):
        assert len(judged(table, {AUC: 0.8, "num_PII_violations": nothing})) == 1
    assert [v.word for v in judged(STANDARD, {"num_PII_violations": 3}) if v.category == "PII"] == [Word.FAIL]


def test_limits_that_cannot_be_used_are_not_replaced_by_others() -> None:
    results = samples.classification_results(5) | {CSI: -99}
    failed = [MonitorProblem(monitor="stability", message="no columns")]
    limits = UnusableLimits("limits.dmn", "it is not XML")
    verdicts = evaluate(results, methodology=CLASSIFICATION, failed=failed, table=limits)
    assert count_by_word(verdicts) == {"ERROR": 1, "NOT EVALUATED": 12, "NOT APPLICABLE": 4}
    auc = verdicts[0]
    assert (auc.value_text, auc.limit) == ("0.778", "")
    assert auc.reason == "the decision table limits.dmn cannot be used: it is not XML"
    assert all(not v.limit for v in verdicts)
    assert {row["passes"] for row in rule_results(verdicts)} == {None}


def test_families_are_the_standard_ones_then_the_customers_then_other_monitors() -> None:
    rules = [
        row({"own": ">0"}, "true", "", "Fairness by region"),
        row({CSI: ">0.2"}, "false", "", "Characteristic Stability"),
    ]
    rules += [
        row({"shapiro": ">0"}, "true", "", "Normality: Shapiro Wilk"),
        row({AUC: ">0"}, "true", "", "performance"),
    ]
    failed = [MonitorProblem(monitor="", message="Weird failure")]
    results = {"own": 1, CSI: 0.3, "shapiro": 0.5, AUC: 0.9}
    found = families(judged(dmn.table(rules), results, failed=failed))
    assert [f.name for f in found] == ["Performance", "Data drift", "Normality", "Fairness by region", OTHER_MONITORS]
    assert all(f.question for f in found)


def test_rule_results_have_one_row_per_category_in_the_tables_order_and_survive_json() -> None:
    rows = rule_results(judged(STANDARD, samples.classification_results(20)))
    categories = list(dict.fromkeys(rule.category for rule in STANDARD.decisions[0].rules))
    assert [entry["testCategory"] for entry in rows] == categories
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert {tuple(entry) for entry in rows} == {("testCategory", "passes", "reason")}


def test_hostile_text_in_a_table_is_made_printable_and_short() -> None:
    nasty = "\u202eevil \u200b" + "x" * 5000
    content = dmn.file(
        dmn.decision(
            [row({"n" + "o" * 3000: ">0"}, "false", nasty, nasty, action=nasty)],
            outputs=("passes", "reason", "category", "action"),
        )
    )
    verdict = evaluate({}, methodology="", table=DecisionTable.read(content, filename=nasty))[0]
    texts = (verdict.category, verdict.family, verdict.test, verdict.reason, verdict.limit, verdict.consequence)
    assert max(map(len, texts)) < 1000
    assert not any("\u202e" in text or "\u200b" in text for text in texts)


def test_a_table_of_thousands_of_categories_lists_what_needs_attention_and_counts_the_rest() -> None:
    fails = [row({AUC: "<0.7"}, "false", "weak", f"Weak {i}") for i in range(50)]
    rules = [row({AUC: f"[0.{i:05}..1]"}, "true", "good", f"Range {i}") for i in range(2000)] + fails
    table = dmn.table(rules)
    started = time.process_time()
    verdicts = judged(table, {AUC: 0.5})
    assert time.process_time() - started < 10
    assert len(verdicts) == 301
    assert sum(v.word is Word.FAIL for v in verdicts) == 50
    assert verdicts[-1].word is Word.NOT_EVALUATED
    assert "1,750 PASS" in verdicts[-1].reason
    assert len(json.dumps(rule_results(verdicts))) < 100_000
