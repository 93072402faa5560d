"""What the document says, read back from the file."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from docx.oxml.ns import qn

from activities.review_document.limits.thresholds import standard_thresholds_sha256
from activities.review_document.limits.verdict_types import Word
from activities.review_document.review import Limits
from activities.review_document.standard_layout.base_template import open_base
from activities.review_document.standard_layout.families import confusion_matrix
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples
from tests.activities.review_document.limits import dmn
from tests.activities.review_document.reading import opened, text_of

REGRESSION = "Linear Regression"


@pytest.fixture(scope="module")
def content() -> bytes:
    return render(samples.review())


@pytest.fixture(scope="module")
def text(content: bytes) -> str:
    return text_of(content)


def test_every_fail_is_named_with_its_consequence(text: str) -> None:
    review = samples.review()
    assert len(review.findings) == 5
    for verdict in review.findings:
        assert verdict.test in text
        assert verdict.consequence in text
        assert verdict.reason in text


def test_the_first_page_says_what_it_is_and_that_people_decide(text: str) -> None:
    for part in (
        "German Credit Scoring",
        "SAGEMAKER",
        "Needs attention: 5 tests failed.",
        "Verdicts: 6 PASS, 5 FAIL, 4 NOT APPLICABLE, 2 INFORMATION.",
        "Generated automatically – a human decision is required.",
        "22 November 2026, 14:05 UTC",
        "Standard limits, version 2026-11.1",
        "MR-058f3a61-c1d2e3f4  revision 2",
        "Model owner\nJane Doe",
        "Reviewed by\nrecorded in Jira",
        samples.RUN.workflow_id,
    ):
        assert part in text


def test_a_clean_result_says_so() -> None:
    good = {"CSI_maxCSIValue": 0.1, "Bias_minPPRDisparityValue": 0.9, "bias": []}
    good |= {"ks_p_value": 0.4, "ad_p_value": 0.4, "cvm_p_value": 0.4}
    text = text_of(render(samples.review(samples.classification_results(3) | good)))
    assert "No findings among 11 judged tests; 4 do not apply or have no result." in text
    assert "There is no FAIL and no ERROR: 11 verdicts within the limits." in text


def test_the_hashes_are_those_of_results_and_limits(text: str) -> None:
    canonical = json.dumps(samples.classification_results(), sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() in text
    assert standard_thresholds_sha256() in text
    assert samples.SHA256_OF_BASELINE in text


def test_identity_and_lineage_are_printed_and_gaps_are_visible(text: str) -> None:
    for part in (
        samples.MODEL_ID,
        samples.SNAPSHOT_ID,
        samples.RESULT_ID,
        samples.RUN.workflow_id,
        "german-credit-config-7",
    ):
        assert part in text
    assert "Materiality (risk tier)\nnot provided" in text
    assert "Use case\nnot provided" in text


def test_the_sign_off_points_to_jira_and_knows_only_what_was_decided_before(text: str) -> None:
    assert "PIA Approval Request\nPrivacy officer\nDONE (GOV-12)\npaula.privacy" in text
    for step in ("Model Review\nModel reviewer", "Production Approval\nProduction approver"):
        assert step + "\nrecorded in Jira" * 3 in text


def test_every_attempt_and_every_monitor_without_a_result_is_recorded() -> None:
    failed = {"performance": "no label column", "": "Unheard-of failure"}
    results = samples.classification_results(5) | {"auc": -99}
    text = text_of(render(samples.review(results, failed=failed)))
    for part in (
        "Expected only 1 input schema definition, but found 2",
        "job-1",
        "job-2",
        "no label column",
        "Unheard-of failure",
        samples.REGRESSION_ONLY["ljung_box"],
        "Without a result, and therefore unknown: Area under the ROC curve (AUC)",
    ):
        assert part in text


def test_headings_are_real_and_the_contents_link_to_them(content: bytes) -> None:
    document = opened(content)
    headings = [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Heading 1"]
    assert headings[0] == "1  Decision summary"
    assert headings[-1] == "Appendix B  Regulatory references"
    body = document.element.body
    bookmarks = {mark.get(qn("w:name")) for mark in body.iter(qn("w:bookmarkStart"))}
    links = [link.get(qn("w:anchor")) for link in body.iter(qn("w:hyperlink"))]
    assert len(links) == len(headings)
    assert set(links) == bookmarks


def test_pictures_and_tables_carry_text_for_those_who_cannot_see_them(content: bytes) -> None:
    body = opened(content).element.body
    pictures = list(body.iter(qn("wp:docPr")))
    assert len(pictures) == 8
    assert all(len(picture.get("descr")) > 30 for picture in pictures)
    assert "duration_months 0.345" in "".join(picture.get("descr") for picture in pictures)
    for table in body.iter(qn("w:tbl")):
        properties = table.find(qn("w:tblPr"))
        assert properties.find(qn("w:tblCaption")).get(qn("w:val"))
        assert properties.find(qn("w:tblDescription")).get(qn("w:val"))


def test_tables_fit_the_page_and_their_headings_repeat(content: bytes) -> None:
    tables = list(opened(content).element.body.iter(qn("w:tbl")))
    assert len(tables) > 15
    base = open_base(None)
    for table in tables:
        widths = [int(column.get(qn("w:w"))) for column in table.iter(qn("w:gridCol"))]
        assert sum(widths) == (base.text_height if len(widths) == 8 else base.text_width)
        if table.find(qn("w:tblPr")).find(qn("w:tblStyle")).get(qn("w:val")) == "ReviewTable":
            assert table.find(qn("w:tr")).find(qn("w:trPr")).find(qn("w:tblHeader")) is not None


def test_properties_are_ours(content: bytes) -> None:
    properties = opened(content).core_properties
    assert (properties.author, properties.language) == ("sagemaker-mlc", "en-GB")
    assert properties.title == "Model review: German Credit Scoring"
    assert properties.created is not None
    assert properties.created.isoformat() == "2026-11-22T14:05:30+00:00"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
        assert not [name for name in archive.namelist() if "thumbnail" in name]
    assert b"python-docx" not in everything.replace(b"python-docx 1", b"")


def test_long_tables_say_how_much_they_leave_out() -> None:
    text = text_of(render(samples.review(samples.classification_results(200))))
    assert text.count("The table shows 50; 150 more features are in the test result.") == 3
    assert "those of the other 197 are in the test result" in text


def test_small_groups_are_withheld(text: str) -> None:
    assert "unknown\nover 25\n< 10\nwithheld\nwithheld" in text
    assert "3.500" not in text


def test_a_regression_is_shown_without_charts_of_a_classifier() -> None:
    text = text_of(render(samples.review(samples.regression_results(), methodology=REGRESSION)))
    assert "Coefficient of determination (R²)" in text
    assert "1,204.5" in text
    assert "Confusion matrix" not in text
    assert "meant for classification models; the methodology of this one is Linear Regression" in text


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"stability": None, "bias": {}, "charts": [], "confusion_matrix": [{"0": 1}]},
        {"charts": {"roc": {"fpr": [0, 1], "tpr": [0]}, "score_histogram": {"edges": [1], "baseline": [0]}}},
        {"confusion_matrix": [{"a": 0.0, "b": 0.0}, {"a": 0.0, "b": 0.0}], "accuracy": 0.0},
        {
            "hallucination": [{"test_name": "Judge", "values": {"rate": 0.2, "deep": {"a": [1, {"b": 2}]}}}],
            "x": float("nan"),
        },
        {"linearity": [{"values": {"\x1b[31mred\x00\ud800": 0.5, "x" * 100_000: -0.5}}]},
        {
            "bias": [
                {"values": [{"attribute_name": "a", "attribute_value": "b", "ppr_disparity": 0.0, "group_size": 50}]}
            ]
        },
        {"CSI_maxCSIValue": 0.0, "only_CSI": 0.0, "dw_statistic": 77, "executionErrors": "none"},
        {"multicollinearity": [{"values": {"x": 1e300, "y": 1e-300}}]},
    ],
)
def test_strange_results_make_a_document_that_shows_them(results: dict[str, Any]) -> None:
    text = text_of(render(samples.review(results)))
    assert "ERROR" in text
    assert "\x1b" not in text


def test_values_of_unknown_families_are_printed() -> None:
    results = samples.classification_results(3) | {"hallucination": [{"test_name": "Judge", "values": {"rate": 0.25}}]}
    assert "hallucination / Judge / rate\n0.250" in text_of(render(samples.review(results)))


def test_a_model_that_says_nothing_about_itself_still_makes_a_document() -> None:
    text = text_of(
        render(samples.review(stored_model={}, snapshot={}, test_runs=[], decisions=[], endpoint_config_name=None))
    )
    assert "Model without a name" in text
    assert "Privacy impact assessment: not provided." in text
    assert "Endpoint configuration\nnot provided" in text
    assert "Test runs: not provided." in text


def test_numbers_that_overflow_or_cannot_be_counts_are_left_out_and_never_misprinted() -> None:
    results = samples.classification_results(3)
    results["confusion_matrix"] = [{"a": 1e308, "b": 1e308}, {"a": 1e308, "b": 1e308}]
    results["charts"]["score_histogram"] |= {"baseline": [1e308] * 20}
    for row in results["stability"][0]["values"]["duration_months"]["stability_analysis_table"][:2]:
        row |= {"train_count": 1e308, "eval_count": 1e308}
    content = render(samples.review(results))
    assert "Confusion matrix" not in text_of(content)
    assert "nan" not in opened(content).element.xml
    negative = [{"a": -0.2, "b": 0.4}, {"a": 0.4, "b": 0.4}]
    assert confusion_matrix({"confusion_matrix": negative}) is None


@pytest.mark.parametrize(
    ("rule", "results", "word"),
    [
        (dmn.row({dmn.AUC: "<0.5"}, "false", "bad", "Performance"), {"auc": -99}, Word.NOT_APPLICABLE),
        (dmn.row({dmn.AUC: ">0.5"}, "true", "good", "Performance"), {"auc": 0.8, "dw_statistic": 1.9}, Word.PASS),
    ],
    ids=["nothing passed", "a family without a rule"],
)
def test_what_is_not_all_clear_does_not_look_like_it(rule: Any, results: dict[str, Any], word: Word) -> None:
    limits = Limits("Limits", "", "", dmn.table([rule]))
    review = samples.review({"modelMethodology": "Classification", **results}, limits=limits)
    assert [v.word for v in review.verdicts] == [word]
    banner = opened(render(review)).tables[0]
    assert "VerdictFail" in banner._tbl.xml and "VerdictPass" not in banner._tbl.xml


def test_what_is_all_clear_looks_calm() -> None:
    limits = Limits("Limits", "", "", dmn.table([dmn.row({dmn.AUC: ">0.5"}, "true", "good", "Performance")]))
    review = samples.review({"modelMethodology": "Classification", "auc": 0.8}, limits=limits)
    banner = opened(render(review)).tables[0]
    assert "VerdictPass" in banner._tbl.xml and "VerdictFail" not in banner._tbl.xml
