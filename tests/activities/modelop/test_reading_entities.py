"""What is read from models and jobs, however odd they are."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest

from activities.links import Links
from activities.modelop import entities
from activities.modelop.job_outcome import UnreadableResult, decoded_results, execution_errors, job_outcome
from activities.modelop.monitors import Monitor, classify
from activities.modelop.types import TestResult

MODEL: dict[str, Any] = {
    "id": "m1",
    "version": 3,
    "modelMetaData": {
        "name": "Credit",
        "type": "SAGEMAKER",
        "modelMethodology": "Classification",
        "inputSchema": [
            {"schemaId": "s1", "name": "in", "schemaDefinition": {"fields": [{"name": "p", "role": "score"}]}}
        ],
    },
    "modelAssets": [
        {
            "assetId": "a1",
            "name": "baseline.csv",
            "assetRole": "BASELINE_DATA",
            "fileUrl": "s3://bucket/baseline.csv",
            "fileSize": 10,
            "contentHash": {"hashType": "SHA-256", "hexString": "AB" * 32},
        },
        {"assetId": "a2", "filename": "comparator.csv", "assetRole": "COMPARATOR_DATA"},
    ],
}


def changed(**paths: Any) -> dict[str, Any]:
    model = copy.deepcopy(MODEL)
    for path, value in paths.items():
        target: Any = model
        *parents, last = path.split("__")
        for name in parents:
            target = target[int(name)] if name.isdigit() else target[name]
        target[last] = value
    return model


@pytest.mark.parametrize(
    "model",
    [
        changed(version=4),
        changed(modelAssets__0__fileUrl="s3://bucket/other.csv"),
        changed(modelAssets__0__fileSize=11),
        changed(modelAssets__0__contentHash={"hashType": "SHA-256", "hexString": "cd" * 32}),
        changed(modelAssets__1__assetRole="TEST_DATA"),
        changed(modelAssets=MODEL["modelAssets"][:1]),
        changed(modelMetaData__inputSchema=MODEL["modelMetaData"]["inputSchema"] * 2),
        changed(modelMetaData__inputSchema=[]),
    ],
)
def test_the_fingerprint_changes_with_version_assets_and_schema(model: dict[str, Any]) -> None:
    assert entities.fingerprint(model) != entities.fingerprint(MODEL)


@pytest.mark.parametrize(
    "model",
    [
        changed(modelAssets=MODEL["modelAssets"][::-1]),
        changed(modelAssets__0__assetId="another"),
        changed(modelAssets__0__contentHash={"hashType": "SHA256", "hexString": "ab" * 32}),
        changed(modelMetaData__inputSchema__0__schemaId="another"),
        changed(
            modelMetaData__inputSchema__0__schemaDefinition=json.dumps(
                MODEL["modelMetaData"]["inputSchema"][0]["schemaDefinition"], indent=2
            )
        ),
        changed(_links={"self": {}}, lastModifiedDate="2026-01-01T00:00:00Z"),
    ],
)
def test_the_fingerprint_of_a_copy_is_the_same(model: dict[str, Any]) -> None:
    assert entities.fingerprint(model) == entities.fingerprint(MODEL)


def test_the_roles_that_are_needed_survive_a_long_list_of_assets() -> None:
    many = [{"name": "x", "assetRole": role} for role in ("BASELINE_DATA", "TEST_DATA") for _ in range(100)]
    model = entities.business_model(changed(modelAssets=[*many, MODEL["modelAssets"][1]]), Links())
    assert len(model.assets) == entities.MAX_ASSETS
    assert [asset.role for asset in model.assets[:2]] == ["BASELINE_DATA", "COMPARATOR_DATA"]


def filled(value: Any, text: str) -> Any:
    """A copy of an entity in which every text that nothing depends on is replaced."""
    if isinstance(value, dict):
        return {name: item if name == "assetRole" else filled(item, text) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, text) for item in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("character", ["x", '"', "\\", "ü", "評", "𝔐", "\u2028", "\x00", "\ud800"])
def test_what_travels_through_a_history_stays_small_in_every_script(character: str) -> None:
    text = character * 3000
    facts = ("name", "type", "description", "modelMethodology", "modelOrganization", "modelRisk", "modelUseCategory")
    asset = {**filled(MODEL["modelAssets"][0], text), "fileFormat": text, "fileSize": 10**15}
    asset["contentHash"] = {"hashType": "SHA-256", "hexString": text}
    model = {
        "id": text,
        "version": 10**4000,
        "modelMetaData": {**dict.fromkeys(facts, text), "tags": [text] * 100},
        "modelAssets": [{**asset, "assetRole": role} for role in ("COMPARATOR_DATA", text, "BASELINE_DATA")] * 40,
    }
    frozen = {"id": text, "metaData": {"name": text}, "storedModel": model}
    links = Links(modelop_web_url="https://modelop.example")
    failed, not_applicable = classify([f"{name}: {text}{n}" for name in ("", *Monitor) for n in range(40)], "x")
    outcome = job_outcome({"jobStatus": "ERROR", "jobMessages": [text] * 100})
    assert outcome is not None
    payloads = [
        entities.business_model(model, links),
        entities.snapshot(frozen, links),
        outcome,
        TestResult(result_id="x" * 100, failed_monitors=failed, not_applicable=not_applicable),
    ]
    assert {asset.role for asset in payloads[0].assets[:2]} == {"BASELINE_DATA", "COMPARATOR_DATA"}
    assert all(len(payload.model_dump_json().encode()) < 40_000 for payload in payloads)


@pytest.mark.parametrize(
    "entity",
    [
        {},
        {"modelMetaData": None, "modelAssets": "none"},
        {"id": 7, "version": "3", "modelMetaData": [], "modelAssets": [None, 1, {"fileSize": "big"}]},
        {"modelMetaData": {"name": None, "type": {}, "tags": [1], "inputSchema": [{"schemaDefinition": "{"}]}},
    ],
)
def test_a_misshapen_model_reads_as_one_without_a_type(entity: dict[str, Any]) -> None:
    model = entities.business_model(entity, Links())
    assert (model.type, model.name, model.methodology) == ("", "", "")
    assert entities.score_is_text(entity) is None


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("string", True), (["null", "string"], True), ({"type": "string"}, True), ("double", False), (None, False)],
)
def test_the_schema_says_whether_the_score_is_text(declared: Any, expected: bool) -> None:
    fields = [{"name": "x", "role": "predictor", "type": "string"}, {"name": "p", "role": "score", "type": declared}]
    model = changed(modelMetaData__inputSchema__0__schemaDefinition={"fields": fields})
    assert entities.score_is_text(model) is expected


def finished(content: str | bytes | None = b"{}", **fields: Any) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode() if isinstance(content, bytes) else content
    return {
        "jobStatus": "COMPLETE",
        "jobResult": "SUCCESS",
        "jobMessages": ["2026/1/2 03:04:05 batch job complete"],
        "outputData": [{"filename": "test_result.json", "fileContent": encoded}],
        **fields,
    }


@pytest.mark.parametrize("status", ["CREATED", "WAITING", "RUNNING", "", None, "SOMETHING_NEW"])
def test_a_job_that_has_not_ended_has_no_outcome(status: str | None) -> None:
    assert job_outcome(finished(jobStatus=status)) is None


def test_a_complete_job_with_a_readable_result_succeeded() -> None:
    outcome = job_outcome(finished())
    assert outcome is not None
    assert (outcome.succeeded, outcome.status, outcome.error) == (True, "COMPLETE", "")


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (finished(jobStatus="ERROR", jobMessages=["received", "boom"]), "received\nboom"),
        (finished(jobStatus="CANCELLED", jobMessages=[]), "The job ended with CANCELLED."),
        (finished(jobResult="FAILURE", jobMessages=["no runtime"]), "no runtime"),
        (finished(outputData=[]), "it has no output"),
        (finished(None), "no embedded content in base64"),
        (finished("***"), "no embedded content in base64"),
        (finished("éé"), "no embedded content in base64"),
        (finished(b"{"), "not JSON"),
        (finished(b"\xff\xfe"), "not JSON"),
        (finished(b"[" * 100_000), "not JSON"),
        (finished(b"[1]"), "a JSON list"),
    ],
)
def test_any_other_end_is_a_failure_in_the_words_of_the_job(job: dict[str, Any], error: str) -> None:
    outcome = job_outcome(job)
    assert outcome is not None
    assert not outcome.succeeded
    assert error in outcome.error


def test_a_long_error_keeps_its_end() -> None:
    lines = [f"<b>line</b> {number}" for number in range(10_000)]
    outcome = job_outcome(finished(jobStatus="ERROR", jobMessages=lines))
    assert outcome is not None
    assert outcome.error.endswith("line 9999")
    assert len(outcome.error) <= 2000


def test_numbers_that_json_does_not_have_become_none() -> None:
    results = decoded_results(finished(b'{"a": NaN, "b": [-Infinity, 1e999], "c": 0.5}'))
    assert results == {"a": None, "b": [None, None], "c": 0.5}


def test_an_unreadable_result_cannot_be_decoded() -> None:
    with pytest.raises(UnreadableResult, match="no output"):
        decoded_results(finished(outputData=None))


@pytest.mark.parametrize(
    ("written", "errors"),
    [(["a", 1, None], ["a", "1", "None"]), ("one", ["one"]), (None, []), ({"a": 1}, []), (0, [])],
)
def test_execution_errors_are_texts_whatever_was_written(written: Any, errors: list[str]) -> None:
    assert execution_errors({"executionErrors": written}) == errors
