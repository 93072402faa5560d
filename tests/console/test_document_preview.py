"""`mlc document preview`: the document from files alone, and a clear answer to whatever its authors give it."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import docx
import pytest

from activities.review_document.package import content_sha256, sha256
from activities.review_document.standard_layout.base_template import base_template
from console.document_preview import MARK, NOTICE
from tests.activities.review_document.samples import (
    RESULT_ID,
    SNAPSHOT_ID,
    classification_results,
    snapshot,
    stored_model,
)
from tests.console.conftest import Preview
from tests.console.document_files import FEW_RESULTS, given, job, limits, template, text_of


def test_a_whole_job_yields_the_document_of_its_snapshot_and_a_table_of_verdicts(
    preview: Preview, tmp_path: Path
) -> None:
    answer = preview("--results", given(tmp_path, job(classification_results())))
    assert (answer.code, answer.err) == (0, "")
    assert "FAIL" in answer.out and "NOT APPLICABLE" in answer.out and "Needs attention: 5 tests failed" in answer.out
    assert "none: the standard document" in answer.out and "Standard limits" in answer.out
    text = text_of(tmp_path / "out.docx")
    assert NOTICE in text and "German Credit Scoring" in text and SNAPSHOT_ID in text


def test_the_json_is_one_object_with_verdicts_hashes_and_limits(preview: Preview, tmp_path: Path) -> None:
    stored = {"id": RESULT_ID, "createdDate": "2026-11-22T14:05:30Z", "testResults": {**FEW_RESULTS, "auc": 0.61}}
    told = json.loads(preview("--results", given(tmp_path, stored), "--json").out)
    content = (tmp_path / "out.docx").read_bytes()
    assert told["output"] == "out.docx"
    assert (told["size"], told["sha256"], told["content_sha256"]) == (
        len(content),
        sha256(content),
        content_sha256(content),
    )
    assert told["counts"]["FAIL"] == 1 == sum(verdict["word"] == "FAIL" for verdict in told["verdicts"])
    assert told["template"] is None and told["unresolved"] == [] and told["notices"] == [NOTICE]
    assert len(told["limits"]["sha256"]) == 64


def test_without_model_and_snapshot_the_gaps_are_visible(preview: Preview, tmp_path: Path) -> None:
    assert preview("--results", given(tmp_path, FEW_RESULTS)).code == 0
    text = text_of(tmp_path / "out.docx")
    assert "Model without a name" in text and "not provided" in text


def test_results_alone_are_judged_by_the_methodology_that_they_name(preview: Preview, tmp_path: Path) -> None:
    told = json.loads(
        preview("--results", given(tmp_path, {"modelMethodology": "Linear Regression", "r2_score": 0.81}), "--json").out
    )
    judged = {verdict["threshold_id"] for verdict in told["verdicts"] if verdict["word"] == "PASS"}
    assert any("r2" in threshold for threshold in judged), judged


def test_the_same_files_yield_the_same_bytes(preview: Preview, tmp_path: Path) -> None:
    results = given(tmp_path, job(FEW_RESULTS))
    assert preview("--results", results).code == 0 == preview("--results", results, "-o", "again.docx").code
    assert (tmp_path / "out.docx").read_bytes() == (tmp_path / "again.docx").read_bytes()


def test_a_failed_monitor_is_told_from_one_that_does_not_apply(preview: Preview, tmp_path: Path) -> None:
    failed = "Error occurred while calculating durbin_watson: no label column"
    results = {**FEW_RESULTS, "dw_statistic": -99, "executionErrors": [*FEW_RESULTS["executionErrors"], failed]}
    told = json.loads(preview("--results", given(tmp_path, job(results)), "--json").out)
    words = {verdict["test"]: verdict["word"] for verdict in told["verdicts"]}
    assert any("Durbin" in test and word == "ERROR" for test, word in words.items()), words
    assert any("Breusch" in test and word == "NOT APPLICABLE" for test, word in words.items()), words


def test_a_model_takes_the_place_of_the_one_in_the_snapshot(preview: Preview, tmp_path: Path) -> None:
    renamed = stored_model()
    renamed["modelMetaData"]["name"] = "Renamed Scoring"
    files = ["--model", given(tmp_path, renamed, "m.json"), "--snapshot", given(tmp_path, snapshot(), "s.json")]
    assert preview("--results", given(tmp_path, FEW_RESULTS), *files).code == 0
    text = text_of(tmp_path / "out.docx")
    assert "Renamed Scoring" in text and SNAPSHOT_ID in text


def test_results_of_another_snapshot_are_printed_with_a_notice(preview: Preview, tmp_path: Path) -> None:
    stored = {"deployableModelId": "another-snapshot", "testResults": FEW_RESULTS}
    answer = preview("--results", given(tmp_path, stored), "--snapshot", given(tmp_path, snapshot(), "s.json"))
    notice = f"The results belong to snapshot another-snapshot, the snapshot given is {SNAPSHOT_ID}."
    assert answer.code == 0 and notice in answer.out and notice in text_of(tmp_path / "out.docx")


def test_the_authors_limits_judge_and_their_table_is_named(preview: Preview, tmp_path: Path) -> None:
    strict = given(tmp_path, limits((">=0.9", "true", "good"), ("]0..0.9[", "false", "too weak")), "house.dmn")
    told = json.loads(preview("--results", given(tmp_path, job(FEW_RESULTS)), "--thresholds", strict, "--json").out)
    assert told["limits"]["sha256"] == sha256((tmp_path / "house.dmn").read_bytes())
    assert told["limits"]["origin"] == "given with --thresholds"
    (performance,) = [verdict for verdict in told["verdicts"] if verdict["category"] == "Performance"]
    assert performance["word"] == "FAIL" and "too weak" in performance["reason"]


def test_a_decision_table_in_the_snapshot_counts_as_it_does_in_the_process(preview: Preview, tmp_path: Path) -> None:
    content = limits((">=0.9", "true", "good"), ("]0..0.9[", "false", "too weak"))
    asset = {
        "assetRole": "TEST_RESULT_COMPARATOR",
        "filename": "house.dmn",
        "fileContent": base64.b64encode(content).decode(),
    }
    told = json.loads(preview("--results", given(tmp_path, job(FEW_RESULTS, asset)), "--json").out)
    assert told["limits"]["sha256"] == sha256(content) and told["limits"]["origin"] == "of the business model"


def test_limits_that_the_export_only_names_are_not_replaced_by_others(preview: Preview, tmp_path: Path) -> None:
    asset = {
        "assetRole": "TEST_RESULT_COMPARATOR",
        "filename": "house.dmn",
        "fileUrl": "https://modelop.invalid/house.dmn",
    }
    answer = preview("--results", given(tmp_path, job(FEW_RESULTS, asset)), "--json")
    told = json.loads(answer.out)
    assert answer.code == 0 and set(told["counts"]) <= {"NOT EVALUATED", "NOT APPLICABLE"}
    (notice,) = [notice for notice in told["notices"] if "house.dmn" in notice]
    assert "--thresholds" in notice and notice in text_of(tmp_path / "out.docx")


def test_a_template_is_filled_and_its_unresolved_tokens_are_told(preview: Preview, tmp_path: Path) -> None:
    own = template("Review of <<modelop.storedModel.modelMetaData.name>>", "By <<modelop.storedModel.nobody>>")
    answer = preview("--results", given(tmp_path, job(FEW_RESULTS)), "--template", given(tmp_path, own, "T.docx"))
    assert answer.code == 0 and "modelop.storedModel.nobody" in answer.out and "T.docx" in answer.out
    paragraphs = [paragraph.text for paragraph in docx.Document(str(tmp_path / "out.docx")).paragraphs]
    assert paragraphs[0] == f"Please note: {NOTICE}" and paragraphs[1] == "Review of German Credit Scoring"
    assert "not provided" in paragraphs[2]


def test_rule_results_of_a_template_are_the_verdicts_of_the_preview(preview: Preview, tmp_path: Path) -> None:
    own = template("<<modelop.modelTestResult.dmnRuleResults.[testCategory=Performance].reason>>")
    table = given(tmp_path, limits((">=0.9", "true", "good"), ("]0..0.9[", "false", "too weak")), "house.dmn")
    files = ["--template", given(tmp_path, own, "T.docx"), "--thresholds", table]
    answer = preview("--results", given(tmp_path, job(FEW_RESULTS)), *files)
    assert answer.code == 0 and "no token" in answer.out
    assert "too weak" in text_of(tmp_path / "out.docx")


def test_the_styles_of_the_standard_document_can_be_tried(preview: Preview, tmp_path: Path) -> None:
    bare = given(tmp_path, template("no styles"), "base.docx")
    answer = preview("--results", given(tmp_path, FEW_RESULTS), "--base-template", bare)
    assert answer.code == 1 and answer.err.startswith("mlc: base.docx: ") and "style" in answer.err


def test_a_preview_is_replaced_until_somebody_edits_it(preview: Preview, tmp_path: Path) -> None:
    results = given(tmp_path, FEW_RESULTS)
    output = tmp_path / "out.docx"
    assert preview("--results", results).code == 0 == preview("--results", results).code
    edited = docx.Document(str(output))
    edited.add_paragraph("My remarks.")
    edited.save(str(output))

    refused = preview("--results", results)
    assert refused.code == 2 and "edited since" in refused.err and "--force" in refused.err
    assert "My remarks." in text_of(output)
    assert preview("--results", results, "--force").code == 0
    with zipfile.ZipFile(output) as archive:
        assert archive.comment == MARK and archive.testzip() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.docx", "results.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.pdf"], "should end in .docx"),
        (["-o", "missing/out.docx"], "there is no directory missing"),
        (["-o", "folder.docx"], "it is there and is no file"),
        (["-o", "T.docx", "--template", "T.docx", "--force"], "one of the inputs"),
        (["-o", "link.docx", "--template", "T.docx", "--force"], "one of the inputs"),
        (["--template", "T.docx", "--base-template", "T.docx"], "give one of them"),
    ],
)
def test_wrong_use_changes_nothing(preview: Preview, tmp_path: Path, arguments: list[str], message: str) -> None:
    own = template("Mine")
    given(tmp_path, own, "T.docx")
    (tmp_path / "link.docx").symlink_to("T.docx")
    (tmp_path / "folder.docx").mkdir()
    answer = preview("--results", given(tmp_path, FEW_RESULTS), *arguments)
    assert answer.code == 2 and message in answer.err
    assert (tmp_path / "T.docx").read_bytes() == own and not (tmp_path / "out.docx").exists()


def test_with_styles_for_it_the_standard_document_is_written_though_the_snapshot_has_a_template(
    preview: Preview, tmp_path: Path
) -> None:
    asset = {
        "assetRole": "MODEL_DOCUMENTATION",
        "filename": "ModelReviewDocument.docx",
        "fileContent": base64.b64encode(template("Their own layout")).decode(),
    }
    results = given(tmp_path, job(FEW_RESULTS, asset))
    assert json.loads(preview("--results", results, "--json").out)["template"]["origin"] == "of the business model"
    assert "Their own layout" in text_of(tmp_path / "out.docx")
    styles = given(tmp_path, base_template(), "styles.docx")
    assert json.loads(preview("--results", results, "--base-template", styles, "--json").out)["template"] is None
    assert "Their own layout" not in text_of(tmp_path / "out.docx")


def test_a_preview_claims_no_run_no_decision_and_no_look_up(preview: Preview, tmp_path: Path) -> None:
    assert preview("--results", given(tmp_path, FEW_RESULTS)).code == 0
    text = text_of(tmp_path / "out.docx")
    for gap in ("Reviewed by", "Workflow id", "Workflow run id", "Run started", "Previously deployed"):
        assert f"{gap}\nnot provided" in text, gap
    assert "\nrecorded in Jira\n" not in text and "1970" not in text
