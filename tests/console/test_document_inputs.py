"""What authors give to `mlc document`: every form that is accepted, and one clear line for every one that is not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from console import document_inputs
from console.document_inputs import read_file, read_model, read_results, read_snapshot
from console.faults import ConsoleFault
from tests.activities.review_document.samples import RESULT_ID, snapshot, stored_model

RESULTS = {"auc": 0.78, "executionErrors": []}


def written(folder: Path, content: Any, name: str = "given.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def job(results: Any = RESULTS, **changes: Any) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(results).encode()).decode()
    return {
        "id": "job-7",
        "jobStatus": "COMPLETE",
        "referenceModel": snapshot(),
        "model": {"id": "risk-tests", "storedModel": {}},
        "outputData": [{"fileContent": encoded}],
        **changes,
    }


def test_bare_test_results_are_accepted(tmp_path: Path) -> None:
    found = read_results(written(tmp_path, RESULTS))
    assert found.test_results == RESULTS
    assert found.snapshot is None and found.job_id == ""


def test_a_test_result_of_modelop_center_keeps_what_it_says_around_the_results(tmp_path: Path) -> None:
    found = read_results(written(tmp_path, {"id": RESULT_ID, "jobId": "job-3", "testResults": RESULTS}))
    assert found.test_results == RESULTS
    assert found.entity["id"] == RESULT_ID and found.job_id == "job-3"


def test_a_whole_job_brings_its_results_and_both_snapshots(tmp_path: Path) -> None:
    found = read_results(written(tmp_path, job()))
    assert found.test_results == RESULTS
    assert found.snapshot == snapshot()
    assert found.risk_tests["id"] == "risk-tests"
    assert found.job_id == "job-7"


def test_a_job_export_that_was_cut_down_to_its_output_is_enough(tmp_path: Path) -> None:
    cut_down = {"outputData": job()["outputData"]}
    found = read_results(written(tmp_path, cut_down))
    assert found.test_results == RESULTS and found.snapshot is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_the_encodings_that_windows_tools_write_are_read(tmp_path: Path, encoding: str) -> None:
    found = read_results(written(tmp_path, json.dumps({"größe": 1}).encode(encoding)))
    assert found.test_results == {"größe": 1}


def test_numbers_that_are_no_numbers_become_gaps(tmp_path: Path) -> None:
    found = read_results(written(tmp_path, b'{"auc": NaN, "dw_statistic": -Infinity, "cvm_p_value": 1e999}'))
    assert found.test_results == {"auc": None, "dw_statistic": None, "cvm_p_value": None}


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        (b"", "it is empty", "export or save it again"),
        (b'{\n "auc": 0.7,,\n}', "it is not JSON: line 2, column 13", "as ModelOp Center exports it"),
        (b'{"name": "Gr\xf6\xdfe"}', "it cannot be read as JSON", "export it again"),
        (b"PK\x03\x04 a Word file", "it is not JSON", "give test results"),
        (b"[" * 100_000, "nested too deeply", "export it again"),
        (b'{"auc": ' + b"9" * 5000 + b"}", "it cannot be read as JSON", "export it again"),
        ([RESULTS], "it holds a JSON list instead of an object", "one object to a file"),
        ({"_embedded": {"modelTestResults": []}}, "it holds a page of a list", "save one object"),
        ({"testResults": [1]}, "its testResults are a JSON list", "export the test result again"),
        (stored_model(), "it holds a model and no test results", "--model or --snapshot"),
        (snapshot(), "it holds a model and no test results", "--model or --snapshot"),
        (job(jobStatus="RUNNING"), "the job is RUNNING", "once it is COMPLETE"),
        (job(jobStatus="ERROR", jobMessages=["found 2 schemas"]), "found 2 schemas", "a job that is COMPLETE"),
        (job(outputData=[]), "it has no output", "a job that is COMPLETE"),
        (job(outputData=[{"fileUrl": "s3://bucket/out"}]), "no embedded content", "a job that is COMPLETE"),
        (job(results=[1]), "its output is a JSON list", "a job that is COMPLETE"),
    ],
)
def test_results_that_cannot_be_read_are_named_with_what_is_wrong_and_how_to_mend_it(
    tmp_path: Path, content: Any, what: str, remedy: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConsoleFault) as fault:
        read_results(path)
    said = str(fault.value)
    assert said.startswith(f"{path}: ") and what in said and remedy in said
    assert fault.value.exit_code == 1


def test_a_model_and_a_snapshot_that_are_mixed_up_are_told_apart(tmp_path: Path) -> None:
    model, frozen = written(tmp_path, stored_model(), "model.json"), written(tmp_path, snapshot(), "snapshot.json")
    assert read_model(model) == stored_model()
    assert read_snapshot(frozen) == snapshot()
    with pytest.raises(ConsoleFault, match="it holds a snapshot .give it with --snapshot"):
        read_model(frozen)
    with pytest.raises(ConsoleFault, match="it holds a model, not a snapshot of one .give it with --model"):
        read_snapshot(model)


@pytest.mark.parametrize(("read", "field"), [(read_model, "modelMetaData"), (read_snapshot, "storedModel")])
def test_any_other_object_is_no_model_and_no_snapshot(tmp_path: Path, read: Any, field: str) -> None:
    with pytest.raises(ConsoleFault, match=f"it holds no {field}"):
        read(written(tmp_path, {"id": "x"}))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConsoleFault, match="missing.docx: no such file or directory"):
        read_file(tmp_path / "missing.docx")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConsoleFault, match="is a directory"):
        read_file(tmp_path)


def test_a_file_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_inputs, "MAX_INPUT_BYTES", 1_000_000)
    with pytest.raises(ConsoleFault, match="larger than 1 MB"):
        read_file(Path("/dev/zero"))
