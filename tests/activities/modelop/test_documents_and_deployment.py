"""The reviewed document on the snapshot, and marking the snapshot as deployed in production."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from datetime import datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import AMEND_ATTEMPTS, ModelOpClient
from activities.modelop.entities import fingerprint
from activities.modelop.rest import document_body
from activities.modelop.types import (
    DecisionRecord,
    DeployRequest,
    DocumentProvenance,
    LimitsUsed,
    Snapshot,
    SnapshotRequest,
    TemplateUsed,
    WithdrawDeploymentRequest,
)
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.conftest import Run, listed, settings_for
from tests.activities.modelop.scripted_server import Reply, ScriptedServer, json_reply

DOCUMENT = b"PK\x03\x04 the reviewed bytes"
SHA256 = hashlib.sha256(DOCUMENT).hexdigest()
MADE_WITH = DocumentProvenance(
    content_sha256="cd" * 32,
    template=TemplateUsed(filename="House-ModelReviewDocument.docx", sha256="ef" * 32),
    limits=LimitsUsed(title="House limits", sha256="01" * 32),
)
MADE_WITH_RECORD = {
    "contentSha256": "cd" * 32,
    "template": {"filename": "House-ModelReviewDocument.docx", "sha256": "ef" * 32},
    "limits": {"title": "House limits", "sha256": "01" * 32},
}
DECISION = DecisionRecord(
    gate="ProductionApproval",
    ticket="GOV-9",
    verdict="DONE",
    decided_by="aaron",
    decided_at="2026-11-22T14:05:00+00:00",
    comment="go",
)


@pytest.fixture
async def snapshot(activities: ModelOpActivities, perform: Run, run: RunIdentity) -> Snapshot:
    """A snapshot of this test's own."""
    frozen: Snapshot = await perform(
        activities.create_snapshot, SnapshotRequest(run=run, model_id=GERMAN_CREDIT, round=1)
    )
    return frozen


def deployment(run: RunIdentity, snapshot: Snapshot, **changes: Any) -> DeployRequest:
    values = {
        "run": run,
        "snapshot_id": snapshot.snapshot_id,
        "fingerprint": snapshot.fingerprint,
        "document_sha256": SHA256,
        "document_filename": "Model-Review.docx",
        "decisions": [DECISION],
        "endpoint_config_name": "german-credit-v1",
        "code_version": "0.1.0+abc",
    }
    return DeployRequest.model_validate({**values, **changes})


async def add(client: ModelOpClient, snapshot_id: str, content: bytes = DOCUMENT) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    await client.add_document(snapshot_id, filename="Model-Review.docx", content=content, sha256=sha256)


async def left_marker(client: ModelOpClient, snapshot: Snapshot, **changes: Any) -> str:
    """A marker without a deployed snapshot, as an attempt leaves it that dies before its last request."""
    body = {
        "deployableModel": {"id": snapshot.snapshot_id},
        "state": "DEPLOYED",
        "engine": {"engineType": "SAGEMAKER_RUNTIME", "environmentName": "prod", "inProduction": True},
    }
    left: str = (await client.post("deployedModels", {**body, **changes}))["id"]
    return left


async def test_a_document_is_added_to_the_others_byte_for_byte_and_once(
    client: ModelOpClient, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id, b"an earlier document")
    await add(client, snapshot.snapshot_id)
    await add(client, snapshot.snapshot_id)
    documents = (await client.get_snapshot(snapshot.snapshot_id))["modelDocuments"]
    assert [base64.b64decode(document["fileContent"]) for document in documents] == [b"an earlier document", DOCUMENT]
    assert documents[1]["assetRole"] == "MODEL_DOCUMENTATION"
    assert documents[1]["contentHash"] == {"hashType": "SHA-256", "hexString": SHA256}
    assert (documents[1]["fileSize"], documents[1]["fileFormat"]) == (len(DOCUMENT), "WORD")


async def test_a_document_carries_what_it_was_made_with(client: ModelOpClient, snapshot: Snapshot) -> None:
    await client.add_document(
        snapshot.snapshot_id, filename="Model-Review.docx", content=DOCUMENT, sha256=SHA256, provenance=MADE_WITH
    )
    (document,) = (await client.get_snapshot(snapshot.snapshot_id))["modelDocuments"]
    assert document["metaData"]["custom"]["mlc"] == MADE_WITH_RECORD


async def test_the_record_of_a_deployment_names_what_the_document_was_made_with(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id)
    request = deployment(run, snapshot, document_provenance=MADE_WITH)
    deployed = await perform(activities.mark_deployed, request)
    stored = await client.get_snapshot(snapshot.snapshot_id)
    assert stored["metaData"]["custom"]["mlc"]["document"] == {
        "filename": "Model-Review.docx",
        "sha256": SHA256,
        **MADE_WITH_RECORD,
    }
    assert await perform(activities.mark_deployed, request) == deployed
    assert (await client.get_snapshot(snapshot.snapshot_id))["version"] == stored["version"]


async def test_a_document_under_another_hash_than_its_own_is_refused(client: ModelOpClient, snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match=r"review\.docx has 1 bytes"):
        await client.add_document(snapshot.snapshot_id, filename="review.docx", content=b"x", sha256=SHA256)
    assert (await client.get_snapshot(snapshot.snapshot_id))["modelDocuments"] == []


async def test_documents_that_are_added_at_the_same_time_are_all_kept(
    client: ModelOpClient, snapshot: Snapshot
) -> None:
    contents = [f"document {number}".encode() for number in range(3)]
    await asyncio.gather(*(add(client, snapshot.snapshot_id, content) for content in contents))
    documents = (await client.get_snapshot(snapshot.snapshot_id))["modelDocuments"]
    assert sorted(base64.b64decode(document["fileContent"]) for document in documents) == contents


async def test_a_change_that_comes_between_reading_and_writing_is_not_lost(
    client: ModelOpClient, snapshot: Snapshot
) -> None:
    path = f"deployableModels/{snapshot.snapshot_id}"
    stale = (await client.get_snapshot(snapshot.snapshot_id))["version"]
    await client.patch(path, {"metaData": {"tags": ["theirs"]}})
    with pytest.raises(ApplicationError) as caught:
        await client.patch(path, {"metaData": {"tags": ["ours"]}}, version=stale)
    assert (caught.value.type, caught.value.non_retryable) == ("Conflict", False)

    await add(client, snapshot.snapshot_id)
    changed = await client.get_snapshot(snapshot.snapshot_id)
    assert changed["metaData"]["tags"] == ["theirs"]
    assert len(changed["modelDocuments"]) == 1


@pytest.mark.parametrize("status", [409, 412])
async def test_a_conflict_is_read_again_and_tried_five_times_at_most(
    scripted: ScriptedServer, scripted_client: ModelOpClient, status: int
) -> None:
    read = json_reply({"id": "s1", "version": 3, "modelDocuments": []})
    conflict = Reply(status)
    scripted.script(read, conflict, read, conflict, read, json_reply({}))
    await add(scripted_client, "s1")
    assert [request.method for request in scripted.received] == ["GET", "PATCH"] * 3
    assert scripted.received[1].headers["if-match"] == '"3"'

    scripted.script(*[read, conflict] * (AMEND_ATTEMPTS + 1))
    with pytest.raises(ApplicationError) as caught:
        await add(scripted_client, "s1")
    assert (caught.value.type, caught.value.non_retryable) == ("Conflict", False)
    assert len(scripted.received) == 2 * AMEND_ATTEMPTS


async def test_an_entity_without_a_version_is_changed_without_a_condition(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(json_reply({"id": "s1"}), Reply(204))
    await add(scripted_client, "s1")
    assert "if-match" not in scripted.received[1].headers


async def test_what_was_approved_is_marked_as_deployed_in_production_once(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id)
    request = deployment(run, snapshot)
    deployed = await perform(activities.mark_deployed, request)
    marked = await client.get_snapshot(snapshot.snapshot_id)
    assert marked["state"] == "DEPLOYED"
    assert marked["metaData"]["custom"]["mlc"] == {
        "workflowId": run.workflow_id,
        "runId": run.run_id,
        "round": 1,
        "decisions": [
            {
                "gate": "ProductionApproval",
                "ticket": "GOV-9",
                "verdict": "DONE",
                "decidedBy": "aaron",
                "decidedAt": "2026-11-22T14:05:00+00:00",
                "comment": "go",
            }
        ],
        "document": {"filename": "Model-Review.docx", "sha256": SHA256},
        "codeVersion": "0.1.0+abc",
        "deployedModelId": deployed.deployed_model_id,
    }

    assert await perform(activities.mark_deployed, request) == deployed
    assert (await client.get_snapshot(snapshot.snapshot_id))["version"] == marked["version"]
    all_deployed = await listed(client, "deployedModels")
    (marker,) = [entry for entry in all_deployed if entry["deployableModel"]["id"] == snapshot.snapshot_id]
    assert marker["id"] == deployed.deployed_model_id
    assert marker["engine"] == {
        "engineType": "SAGEMAKER_RUNTIME",
        "environmentName": "prod",
        "inProduction": True,
        "repositoryInfo": {"endpointConfigName": "german-credit-v1"},
    }


async def test_an_attempt_that_died_between_marker_and_snapshot_is_completed(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id)
    left = await left_marker(client, snapshot)
    deployed = await perform(activities.mark_deployed, deployment(run, snapshot))
    assert deployed.deployed_model_id == left
    assert (await client.get_snapshot(snapshot.snapshot_id))["state"] == "DEPLOYED"


async def test_a_marker_without_a_deployed_snapshot_is_withdrawn_once(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    left = await left_marker(client, snapshot)
    request = WithdrawDeploymentRequest(run=run, snapshot_id=snapshot.snapshot_id)
    assert await perform(activities.withdraw_deployment, request) is None
    withdrawn = await client.get(f"deployedModels/{left}")
    assert withdrawn["state"] == "UNDEPLOYED"
    assert datetime.fromisoformat(withdrawn["undeployTime"]) >= run.started_at.replace(microsecond=0)
    await perform(activities.withdraw_deployment, request)
    assert (await client.get(f"deployedModels/{left}"))["version"] == withdrawn["version"]
    assert (await client.get_snapshot(snapshot.snapshot_id))["state"] == "CREATED"


async def test_a_deployed_snapshot_is_not_withdrawn_but_told(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id)
    deployed = await perform(activities.mark_deployed, deployment(run, snapshot))
    request = WithdrawDeploymentRequest(run=run, snapshot_id=snapshot.snapshot_id)
    assert await perform(activities.withdraw_deployment, request) == deployed
    assert (await client.get(f"deployedModels/{deployed.deployed_model_id}"))["state"] == "DEPLOYED"


async def test_markers_of_others_outside_production_or_of_unknown_snapshots_are_left_alone(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    staging = {"engineType": "SAGEMAKER_RUNTIME", "environmentName": "staging", "inProduction": False}
    kept = await left_marker(client, snapshot, engine=staging)
    other = await client.post("deployableModels", {"storedModel": {"id": GERMAN_CREDIT}})
    others = await left_marker(client, snapshot, deployableModel={"id": other["id"]})
    for snapshot_id in (snapshot.snapshot_id, str(uuid.uuid4())):
        await perform(activities.withdraw_deployment, WithdrawDeploymentRequest(run=run, snapshot_id=snapshot_id))
    states = [(await client.get(f"deployedModels/{marker}"))["state"] for marker in (kept, others)]
    assert states == ["DEPLOYED", "DEPLOYED"]


async def test_neither_a_withdrawn_marker_nor_one_outside_production_counts_as_deployed(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    await add(client, snapshot.snapshot_id)
    staging = await left_marker(client, snapshot, engine={"engineType": "SAGEMAKER_RUNTIME", "inProduction": False})
    withdrawn = await left_marker(client, snapshot, state="UNDEPLOYED")
    deployed = await perform(activities.mark_deployed, deployment(run, snapshot))
    assert deployed.deployed_model_id not in (staging, withdrawn)
    assert (await client.get(f"deployedModels/{deployed.deployed_model_id}"))["state"] == "DEPLOYED"


async def test_another_model_or_document_than_the_approved_one_is_not_deployed(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, snapshot: Snapshot
) -> None:
    cases = {
        "is not on it": deployment(run, snapshot),
        "frozen model": deployment(run, snapshot, fingerprint="0" * 64),
        "it is gone": deployment(run, snapshot, snapshot_id=str(uuid.uuid4())),
    }
    for reason, request in cases.items():
        with pytest.raises(ApplicationError, match=reason) as caught:
            await perform(activities.mark_deployed, request)
        assert (caught.value.type, caught.value.non_retryable) == ("SnapshotChanged", True)
    assert (await client.get_snapshot(snapshot.snapshot_id))["state"] == "CREATED"
    markers = [entry["deployableModel"]["id"] async for entry in client.entries("deployedModels")]
    assert snapshot.snapshot_id not in markers


@pytest.mark.parametrize("content", ["", "***", base64.b64encode(b"other bytes").decode()])
async def test_a_document_whose_bytes_were_changed_under_its_hash_is_not_deployed(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity, content: str
) -> None:
    document = {"contentHash": {"hashType": "SHA-256", "hexString": SHA256}, "fileContent": content}
    scripted.script(json_reply({"id": "s1", "storedModel": {}, "modelDocuments": [document]}))
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    frozen = Snapshot(snapshot_id="s1", name="s", model_version=0, fingerprint=fingerprint({}))
    request = deployment(run, frozen)
    with pytest.raises(ApplicationError, match="bytes of Model-Review.docx") as caught:
        await perform(activities.mark_deployed, request)
    assert caught.value.type == "SnapshotChanged"
    assert [sent.method for sent in scripted.received] == ["GET"]


async def test_a_snapshot_that_changes_after_the_first_look_is_not_marked(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    document = document_body("Model-Review.docx", DOCUMENT, SHA256)
    approved = {"id": "s1", "version": 1, "storedModel": {}, "modelDocuments": [document]}
    marker = {"id": "d1", "deployableModel": {"id": "s1"}, "state": "DEPLOYED", "engine": {"inProduction": True}}
    replaced = {**approved, "version": 2, "modelDocuments": []}
    scripted.script(json_reply(approved), json_reply({"_embedded": {"deployedModels": [marker]}}), json_reply(replaced))
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    frozen = Snapshot(snapshot_id="s1", name="s", model_version=0, fingerprint=fingerprint({}))
    with pytest.raises(ApplicationError, match="is not on it"):
        await perform(activities.mark_deployed, deployment(run, frozen))
    assert [sent.method for sent in scripted.received] == ["GET", "GET", "GET"]
