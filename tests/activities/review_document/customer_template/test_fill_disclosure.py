"""What a token does not print, wherever its path leads: personal data, and figures about a handful of people."""

from __future__ import annotations

from typing import Any

import pytest

from activities.review_document.customer_template.presentable import presentable
from tests.activities.review_document.customer_template import word_templates as word

RESULTS = "modelop.modelTestResult.testResults"
FINDINGS = [
    {"entity_type": "PERSON", "score": 0.85, "content": "Jane Doe"},
    {"entity_type": "EMAIL_ADDRESS", "score": 1.0, "content": "jane.doe@example.com"},
]


def shown(results: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = presentable({"testResults": results})["testResults"]
    return found


@pytest.mark.parametrize(
    "path",
    [
        f"{RESULTS}.(PII Findings)",
        f"{RESULTS}.(PII Findings)[0].content",
        f"{RESULTS}.(PII Findings).[entity_type=PERSON].content",
        f"{RESULTS}.scan",
        f"{RESULTS}.scan[0].values.samples",
        f"{RESULTS}",
        "modelop.modelTestResult",
        "modelopgraph.bargraph.PII Findings",
    ],
)
def test_texts_that_a_scan_for_personal_data_found_are_in_no_document(path: str) -> None:
    scan = [
        {"test_name": "Scan", "test_category": "pii", "values": {"PERSON": 1, "samples": ["Jane Doe", ["Jane Doe"]]}}
    ]
    filled = word.fill(word.of_paragraphs(f"<<{path}>>"), word.sources({"PII Findings": FINDINGS, "scan": scan}))
    assert filled.unresolved == []
    for name, held in word.parts(filled.content).items():
        assert b"Jane" not in held and b"jane.doe" not in held, name


def test_a_finding_keeps_its_kind_and_its_score() -> None:
    (person, email) = shown({"PII Findings": FINDINGS})["PII Findings"]
    assert person == {"entity_type": "PERSON", "score": 0.85, "content": "masked"}
    assert email["content"] == "masked"


def test_a_graph_of_findings_over_time_keeps_its_dates() -> None:
    graph = {"title": "PII over time", "data": {"num_PII_violations": [["2026-11-20", 3.0]]}}
    assert shown({"pii_violations_over_time": graph})["pii_violations_over_time"] == graph


def test_addresses_and_numbers_of_people_are_masked_in_every_other_text_of_a_result() -> None:
    found = shown({"executionErrors": ["row 7: jane.doe@example.com, 4111 1111 1111 1111"], "note": "41 rows, v1.0"})
    assert found == {"executionErrors": ["row 7: [e-mail address], [card number]"], "note": "41 rows, v1.0"}


def test_the_model_owner_of_the_models_metadata_is_printed_as_it_is() -> None:
    content = word.of_paragraphs("<<modelop.storedModel.modelMetaData.owner>>")
    assert word.texts(word.fill(content, word.sources(owner="jane.doe@example.com"))) == ["jane.doe@example.com"]


def test_figures_about_fewer_than_ten_people_are_withheld() -> None:
    filled = word.fill(word.of_paragraphs(f"<<{RESULTS}.(bias)[0].values>>"))
    rows = {row[1]: row[2:] for row in word.tables(filled)[0]}
    assert rows["25 or younger"] == ["96", "0.7701", "1.31"]
    assert rows["unknown"] == ["< 10", "withheld", "withheld"]
    one = word.fill(word.of_paragraphs(f"<<{RESULTS}.(bias)[0].values.[attribute_value=unknown].ppr_disparity>>"))
    assert word.texts(one) == ["withheld"]


def test_the_largest_disparity_is_withheld_where_it_is_that_of_a_small_group() -> None:
    extremes = {
        "Bias_maxPPRDisparityValue": 3.5,
        "Bias_maxPPRDisparityValueFeature": "age_group_unknown_ppr_disparity",
        "Bias_minPPRDisparityValue": 0.7701,
        "Bias_minPPRDisparityValueFeature": "age_group_25 or younger_ppr_disparity",
    }
    found = shown(word.sources(extremes)["modelTestResult"]["testResults"])
    assert (found["Bias_maxPPRDisparityValue"], found["Bias_minPPRDisparityValue"]) == ("withheld", 0.7701)


def test_small_rows_of_a_stability_table_are_withheld() -> None:
    bucket = {
        "bucket": "A43",
        "train_count": 222,
        "eval_count": 4,
        "train_percent": 0.5,
        "eval_percent": 0.01,
        "psi_calc": 0.2,
    }
    assert shown({"table": [bucket]})["table"] == [
        bucket | {"eval_count": "< 10", "eval_percent": "withheld", "psi_calc": "withheld"}
    ]


def test_the_chart_of_a_protected_class_leaves_small_groups_out() -> None:
    (picture,) = word.pictures(word.fill(word.of_paragraphs("<<modelopgraph.groupbias.age_group>>")))
    assert "25 or younger 0.770" in picture.get("descr")
    assert "3.5" not in picture.get("descr")
    assert "1 group without a figure." in picture.get("descr")


def test_a_result_of_another_shape_is_copied_as_far_as_it_goes() -> None:
    odd = {"testResults": {"bias": [{"values": "x"}, 3], "n": None, "a": [[], {}]}, "dmnRuleResults": ["x", {}]}
    assert presentable(odd) == odd
    assert presentable({"testResults": None, "dmnRuleResults": 3}) == {"testResults": None, "dmnRuleResults": 3}
