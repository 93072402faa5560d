"""The snapshot of the same model that was deployed before, as the next snapshot knows it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop.activities import ADVISORY_ATTEMPTS, ADVISORY_PAGES, ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import Snapshot, SnapshotRequest
from sandbox.modelop.seed import CUSTOMER_TEMPLATE, NO_LABELS
from tests.activities.modelop.conftest import Run, settings_for
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply

Take = Callable[..., Awaitable[Snapshot]]
DEPLOYED_AT = "2026-05-04T09:30:00.000Z"
DOCUMENT = {"filename": "Model-Review-1a2b3c4d.docx", "sha256": "ab" * 32}


@pytest.fixture
def take(activities: ModelOpActivities, perform: Run) -> Take:
    """Takes a snapshot in a run of its own: `await take(model_id)`."""

    async def _take(model_id: str, run: RunIdentity | None = None) -> Snapshot:
        run = run or RunIdentity(workflow_id="w", run_id=str(uuid.uuid4()), started_at=datetime.now(UTC))
        taken: Snapshot = await perform(
            activities.create_snapshot, SnapshotRequest(run=run, model_id=model_id, round=1)
        )
        return taken

    return _take


async def deploy(client: ModelOpClient, snapshot: Snapshot, **record: Any) -> None:
    """Leaves behind what `mark_deployed` leaves."""
    engine = {"engineType": "SAGEMAKER_RUNTIME", "environmentName": "prod", "inProduction": True}
    body = {"deployableModel": {"id": snapshot.snapshot_id}, "state": "DEPLOYED", "engine": engine}
    deployed = await client.post("deployedModels", {**body, "deployTime": DEPLOYED_AT})
    mlc = {"document": DOCUMENT, "deployedModelId": deployed["id"], **record}
    await client.patch(f"deployableModels/{snapshot.snapshot_id}", {"metaData": {"custom": {"mlc": mlc}}})


async def test_the_first_snapshot_of_a_model_has_none_before_it(take: Take) -> None:
    first = await take(CUSTOMER_TEMPLATE)
    assert (first.previous, first.previous_unknown) == (None, "")


async def test_the_last_deployed_snapshot_is_found_with_its_document(
    client: ModelOpClient, take: Take, run: RunIdentity
) -> None:
    older, approved = await take(NO_LABELS), await take(NO_LABELS)
    await deploy(client, older)
    await deploy(client, approved)
    await take(NO_LABELS)
    now = await take(NO_LABELS, run)
    assert now.previous is not None
    assert (now.previous.snapshot_id, now.previous.name) == (approved.snapshot_id, approved.name)
    assert (now.previous.document_filename, now.previous.document_sha256) == tuple(DOCUMENT.values())
    assert now.previous.deployed_at == datetime.fromisoformat(DEPLOYED_AT)
    assert (await take(CUSTOMER_TEMPLATE)).previous is None

    later = await take(NO_LABELS)
    await deploy(client, later)
    # Asked again, after a reset for example, it is the one before this snapshot and not the newest.
    assert await take(NO_LABELS, run) == now


async def test_a_deployment_without_a_marker_is_still_the_one_before(client: ModelOpClient, take: Take) -> None:
    approved = await take(NO_LABELS)
    await deploy(client, approved, deployedModelId=str(uuid.uuid4()))
    previous = (await take(NO_LABELS)).previous
    assert previous is not None and (previous.snapshot_id, previous.deployed_at) == (approved.snapshot_id, None)


def older_snapshots_answer(answer: Reply) -> Callable[[Received], Awaitable[Reply]]:
    """Snapshots are listed without trouble for the run's own time, and answer as given beyond it."""
    asked: list[Received] = []

    async def reply(request: Received) -> Reply:
        if request.path.endswith("/deployableModels") and request.method == "GET":
            asked.append(request)
            return json_reply({}) if len(asked) == 1 else answer
        meta = {"name": "Credit"}
        return json_reply({"id": "s1", "createdDate": "2026-01-01T00:00:00Z", "storedModel": {"modelMetaData": meta}})

    return reply


@pytest.mark.parametrize(("status", "attempt"), [(403, 1), (503, ADVISORY_ATTEMPTS)])
async def test_a_look_up_that_fails_for_good_is_told_and_keeps_nobody_from_the_review(
    scripted: ScriptedServer, scripted_client: ModelOpClient, run: RunIdentity, status: int, attempt: int
) -> None:
    scripted.answer = older_snapshots_answer(Reply(status))
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    request = SnapshotRequest(run=run, model_id="m1", round=1)
    taken: Snapshot = await environment.run(activities.create_snapshot, request)
    assert taken.previous is None
    assert taken.previous_unknown.startswith(f"could not be looked up: ModelOp Center answered {status}")


async def test_a_look_up_that_may_succeed_later_is_tried_again(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    scripted.answer = older_snapshots_answer(Reply(503))
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    with pytest.raises(ApplicationError, match="answered 503"):
        await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id="m1", round=1))


async def test_only_the_newest_pages_are_searched(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    strangers = [{"id": "x", "createdDate": "2020-01-01T00:00:00Z", "storedModel": {"id": "other"}}]
    scripted.answer = older_snapshots_answer(
        json_reply({"_embedded": {"any": strangers}, "page": {"totalPages": 10**6}})
    )
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id="m1", round=1))
    assert sum(request.path.endswith("/deployableModels") for request in scripted.received) == 2 + ADVISORY_PAGES
