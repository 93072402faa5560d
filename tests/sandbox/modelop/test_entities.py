"""Lists, entities, deep-merging PATCH, versions and what is refused."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import httpx
import pytest

from tests.sandbox.modelop.client import (
    GERMAN_CREDIT,
    NOTEBOOK,
    RISK_TESTS,
    RISK_TESTS_SNAPSHOT,
    ModelManage,
    job_body,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOTIFICATION = {"notificationType": "PROCESS_NOTIFICATION", "severity": "ERROR", "message": "Something is missing"}


def document(content: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "assetType": "FILE",
        "assetRole": "MODEL_DOCUMENTATION",
        "filename": "review.docx",
        "fileFormat": "WORD",
        "fileSize": len(content),
        "contentHash": {"hashType": "SHA-256", "hexString": hashlib.sha256(content).hexdigest()},
        "fileContent": base64.b64encode(content).decode(),
        **changes,
    }


def test_a_list_has_hal_shape_and_its_pages_follow_the_links(api: ModelManage) -> None:
    first = api.get("/storedModels", params={"page": 0, "size": 4, "sort": "createdDate,asc"}).json()
    assert first["page"] == {"size": 4, "totalElements": 7, "totalPages": 2, "number": 0}
    assert "prev" not in first["_links"]
    second = api.get(first["_links"]["next"]["href"]).json()
    assert "next" not in second["_links"]
    ids = [model["id"] for page in (first, second) for model in page["_embedded"]["storedModels"]]
    assert ids == [
        GERMAN_CREDIT,
        *(f"{GERMAN_CREDIT[:-1]}{digit}" for digit in "2345"),
        f"{GERMAN_CREDIT[:-2]}12",
        RISK_TESTS,
    ]


def test_a_list_sorts_by_a_nested_field_in_either_direction(api: ModelManage) -> None:
    names = {}
    for direction in ("asc", "desc"):
        page = api.get("/storedModels", params={"sort": f"modelMetaData.name,{direction}", "size": 100}).json()
        names[direction] = [model["modelMetaData"]["name"] for model in page["_embedded"]["storedModels"]]
    assert names["asc"] == sorted(names["asc"])
    assert names["desc"] == names["asc"][::-1]


def test_newest_first_is_the_reverse_of_creation_even_within_a_millisecond(api: ModelManage) -> None:
    created = [api.create("notifications", {**NOTIFICATION, "message": f"{n}"})["id"] for n in range(5)]
    page = api.get("/notifications", params={"sort": "createdDate,desc", "size": 5}).json()
    assert [item["id"] for item in page["_embedded"]["notifications"]] == created[::-1]


def test_an_empty_page_has_no_embedded_part(api: ModelManage) -> None:
    page = api.get("/storedModels", params={"page": 7}).json()
    assert "_embedded" not in page
    assert page["page"]["number"] == 7


@pytest.mark.parametrize(
    ("query", "word"),
    [("page=-1", "page"), ("size=0", "size"), ("size=x", "size"), ("sort=a'--", "sort"), ("sort=name,up", "sort")],
)
def test_a_senseless_page_is_refused_by_name(api: ModelManage, query: str, word: str) -> None:
    response = api.get(f"/storedModels?{query}")
    assert response.status_code == 400
    assert response.json()["message"].startswith(word)


def test_every_entity_carries_the_managed_fields_and_links_to_itself(api: ModelManage) -> None:
    model = api.fetch("storedModels", GERMAN_CREDIT)
    managed = {"id", "group", "version", "createdDate", "lastModifiedDate", "createdBy", "lastModifiedBy"}
    assert managed <= set(model)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", model["createdDate"])
    assert api.get(model["_links"]["self"]["href"]).json()["id"] == GERMAN_CREDIT


def test_an_id_is_found_in_upper_case_too(api: ModelManage) -> None:
    assert api.fetch("storedModels", GERMAN_CREDIT.upper())["id"] == GERMAN_CREDIT


@pytest.mark.parametrize("path", [f"/storedModels/{UNKNOWN}", "/jobs/no-uuid", "/nonsense", f"/nonsense/{UNKNOWN}"])
def test_what_is_not_there_is_a_404_in_the_error_envelope(api: ModelManage, path: str) -> None:
    response = api.get(path)
    assert response.status_code == 404
    assert response.json()["path"] == f"/model-manage/api{path}"


def test_a_snapshot_freezes_the_stored_model(api: ModelManage) -> None:
    model = api.create("storedModels", {"modelMetaData": {"name": "Frozen", "type": "SAGEMAKER"}})
    snapshot = api.snapshot(model["id"])
    assert snapshot["state"] == "CREATED"
    assert re.fullmatch(r"Frozen-\d{8}_\d{4}", snapshot["metaData"]["name"])
    mended = api.patch(f"/storedModels/{model['id']}", json={"modelMetaData": {"name": "Thawed"}}).json()
    assert (mended["version"], mended["modelMetaData"]) == (1, {"name": "Thawed", "type": "SAGEMAKER"})
    frozen = api.fetch("deployableModels", snapshot["id"])["storedModel"]
    assert (frozen["id"], frozen["version"], frozen["modelMetaData"]["name"]) == (model["id"], 0, "Frozen")


def test_a_snapshot_keeps_the_model_as_it_was_sent(api: ModelManage) -> None:
    model = api.fetch("storedModels", GERMAN_CREDIT)
    model["modelMetaData"]["description"] = "As sent"
    body = {
        "storedModel": model,
        "metaData": {"name": "Sent", "custom": {"mlc": {"round": 1}}},
        "targetRuntimes": [{"repositoryInfo": {"endpointConfigName": "german-credit"}}],
    }
    snapshot = api.create("deployableModels", body)
    assert snapshot["storedModel"]["modelMetaData"]["description"] == "As sent"
    assert "_links" not in snapshot["storedModel"]
    assert snapshot["metaData"]["name"] == "Sent"
    assert snapshot["metaData"]["custom"] == {"mlc": {"round": 1}}
    assert snapshot["targetRuntimes"] == body["targetRuntimes"]


def test_the_model_inside_a_snapshot_cannot_be_changed(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    response = api.patch(
        f"/deployableModels/{snapshot['id']}", json={"storedModel": {"modelMetaData": {"name": "Other"}}}
    )
    assert response.status_code == 409
    assert "frozen" in response.json()["message"]


def test_patch_merges_objects_and_replaces_arrays(api: ModelManage) -> None:
    snapshot = api.create(
        "deployableModels",
        {"storedModel": {"id": NOTEBOOK}, "metaData": {"tags": ["a", "b"], "custom": {"kept": 1, "mlc": {"x": 1}}}},
    )
    response = api.patch(
        f"/deployableModels/{snapshot['id']}",
        json={"state": "DEPLOYED", "metaData": {"tags": ["c"], "custom": {"mlc": {"y": 2}}}},
    )
    patched = response.json()
    assert patched["metaData"]["custom"] == {"kept": 1, "mlc": {"x": 1, "y": 2}}
    assert patched["metaData"]["tags"] == ["c"]
    assert (patched["state"], patched["version"], response.headers["etag"]) == ("DEPLOYED", 1, '"1"')
    assert api.fetch("deployableModels", snapshot["id"]) == patched


def test_if_match_lets_the_first_of_two_writers_win(api: ModelManage) -> None:
    notification = api.create("notifications", NOTIFICATION)
    path = f"/notifications/{notification['id']}"
    answers = [api.patch(path, json={"open": False}, headers={"If-Match": '"0"'}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 412]
    assert "version is now 1" in answers[1].json()["message"]
    assert api.patch(path, json={"open": True}).json()["version"] == 2
    assert api.patch(path, json={"open": True}, headers={"If-Match": "*"}).status_code == 200


def test_a_patch_with_an_old_version_or_another_id_is_refused(api: ModelManage) -> None:
    notification = api.create("notifications", NOTIFICATION)
    path = f"/notifications/{notification['id']}"
    assert api.patch(path, json={"version": 7, "open": False}).status_code == 409
    assert api.patch(path, json={"id": UNKNOWN, "open": False}).status_code == 400
    echoed = api.patch(path, json={**notification, "open": False})
    assert (echoed.status_code, echoed.json()["open"]) == (200, False)


def test_a_document_keeps_its_bytes_and_a_damaged_one_is_refused(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    path = f"/deployableModels/{snapshot['id']}"
    assert api.patch(path, json={"modelDocuments": [document(b"PK\x03\x04")]}).status_code == 200
    stored = api.fetch("deployableModels", snapshot["id"])["modelDocuments"]
    assert base64.b64decode(stored[0]["fileContent"]) == b"PK\x03\x04"
    for damaged in (
        document(b"x", contentHash={"hashType": "SHA-256", "hexString": "0" * 64}),
        document(b"x", fileSize=2),
        document(b"x", fileContent="not base64!"),
    ):
        response = api.patch(path, json={"modelDocuments": [*stored, damaged]})
        assert response.status_code == 400
        assert response.json()["message"].startswith("modelDocuments.1")
    assert len(api.fetch("deployableModels", snapshot["id"])["modelDocuments"]) == 1


def test_a_deployment_marks_a_snapshot_in_production(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    engine = {"engineType": "SAGEMAKER_RUNTIME", "environmentName": "prod", "inProduction": True}
    deployed = api.create(
        "deployedModels", {"deployableModel": {"id": snapshot["id"]}, "state": "DEPLOYED", "engine": engine}
    )
    found = api.fetch("deployedModels", deployed["id"])
    assert (found["deployableModel"]["id"], found["engine"]) == (snapshot["id"], engine)
    assert found["deployTime"]


def test_size_and_hash_of_an_asset_are_those_of_the_object(api: ModelManage) -> None:
    asset = {
        "assetType": "EXTERNAL_FILE",
        "assetRole": "COMPARATOR_DATA",
        "fileUrl": "s3://german-credit-sandbox/comparator.csv",
        "fileFormat": "CSV",
    }
    model = api.create(
        "storedModels", {"modelMetaData": {"name": "Assets", "type": "SAGEMAKER"}, "modelAssets": [asset]}
    )
    seeded = api.fetch("storedModels", GERMAN_CREDIT)["modelAssets"][1]
    assert model["modelAssets"][0]["contentHash"] == seeded["contentHash"]
    assert model["modelAssets"][0]["fileSize"] == seeded["fileSize"] > 40_000


def test_a_notification_can_be_closed_and_deleted(api: ModelManage) -> None:
    assignment = {"assignmentType": "JIRA_NOTIFICATION_ASSIGNMENT", "issueId": "MRM-1", "currentStatus": "To Do"}
    notification = api.create("notifications", {**NOTIFICATION, "assignment": assignment})
    assert notification["open"] is True
    path = f"/notifications/{notification['id']}"
    closed = api.patch(path, json={"open": False, "assignment": {"currentStatus": "Done"}}).json()
    assert closed["assignment"] == {**assignment, "currentStatus": "Done"}
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code == 404


def test_only_notifications_can_be_deleted(api: ModelManage) -> None:
    assert api.delete(f"/storedModels/{GERMAN_CREDIT}").status_code == 405


@pytest.mark.parametrize(
    ("collection", "body", "fault"),
    [
        ("storedModels", {"modelMetaData": {"name": "X", "type": "FORTRAN"}}, "modelMetaData.type"),
        ("storedModels", {"modelMetaData": {"type": "R"}}, "modelMetaData.name"),
        ("storedModels", {}, "modelMetaData"),
        ("deployableModels", {"storedModel": {"id": UNKNOWN}}, "storedModel.id"),
        ("deployableModels", {"storedModel": {"id": NOTEBOOK}, "state": "SHINY"}, "state"),
        ("deployableModels", {}, "storedModel"),
        ("deployedModels", {"deployableModel": {"id": UNKNOWN}, "state": "DEPLOYED"}, "engine"),
        ("notifications", {**NOTIFICATION, "severity": "CRITICAL"}, "severity"),
        ("notifications", {**NOTIFICATION, "notificationType": "NEWS"}, "notificationType"),
        ("notifications", {**NOTIFICATION, "message": ""}, "message"),
        ("notifications", {**NOTIFICATION, "open": "no"}, "open"),
        ("notifications", {**NOTIFICATION, "storedModelId": UNKNOWN}, "storedModelId"),
        ("notifications", {**NOTIFICATION, "assignment": {"assignmentType": "PIGEON"}}, "assignment.assignmentType"),
        ("modelTestResults", {"testResults": [], "deployableModelId": RISK_TESTS_SNAPSHOT}, "testResults"),
        ("modelTestResults", {"testResults": {}, "deployableModelId": UNKNOWN}, "deployableModelId"),
        (
            "modelTestResults",
            {"testResults": {}, "deployableModelId": RISK_TESTS_SNAPSHOT, "jobId": UNKNOWN},
            "jobId",
        ),
    ],
)
def test_an_invalid_entity_is_refused_and_the_field_named(
    api: ModelManage, collection: str, body: dict[str, Any], fault: str
) -> None:
    before = api.get(f"/{collection}").json()["page"]["totalElements"]
    response = api.post(f"/{collection}", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith(fault)
    assert api.get(f"/{collection}").json()["page"]["totalElements"] == before


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"jobType": "MODEL_TEST_JOB"}, "jobType"),
        ({"jobStatus": "RUNNING"}, "jobStatus"),
        ({"model": {"id": UNKNOWN}}, "model.id"),
        ({"referenceModel": None}, "referenceModel"),
        ({"inputData": [{"assetType": "FILE", "assetRole": "GOSSIP"}]}, "inputData.0.assetRole"),
    ],
)
def test_an_invalid_job_is_refused_and_the_field_named(api: ModelManage, changes: dict[str, Any], fault: str) -> None:
    response = api.post("/jobs", json={**job_body(api.fetch("deployableModels", RISK_TESTS_SNAPSHOT)), **changes})
    assert response.status_code == 400
    assert response.json()["message"].startswith(fault)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"text"', b'{"x": NaN}', b'{"x": "\\ud800"}', b"\xff\xfe", b'{"a":' * 100_000]
)
def test_a_body_that_is_no_json_object_is_refused(api: ModelManage, content: bytes) -> None:
    response = api.post("/notifications", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert "JSON" in response.json()["message"]


def test_another_content_type_is_refused(api: ModelManage) -> None:
    response = api.post("/notifications", content=b"a=b", headers={"Content-Type": "text/plain"})
    assert response.status_code == 415


def test_a_body_that_is_too_large_is_refused(api: ModelManage) -> None:
    content = b'{"message": "' + b"x" * (33 * 1024 * 1024) + b'"}'
    try:
        response = api.post("/notifications", content=content, headers={"Content-Type": "application/json"})
    except httpx.WriteError as error:
        pytest.fail(f"the answer was lost: {error}")
    assert response.status_code == 413
