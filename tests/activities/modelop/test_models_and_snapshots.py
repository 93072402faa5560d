"""Business models, their prerequisites, their snapshots and the Standard Risk Tests, in the sandbox."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop import risk_tests
from activities.modelop.activities import ADVISORY_PAGES, ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import ModelRequest, PrerequisitesRequest, SnapshotRequest
from sandbox.modelop.seed import (
    GERMAN_CREDIT,
    NO_COMPARATOR,
    NOTEBOOK,
    STANDARD_RISK_TESTS,
    STANDARD_RISK_TESTS_SNAPSHOT,
)
from tests.activities.modelop.conftest import Run, settings_for
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply


def pinned(client: ModelOpClient, url: str, **pins: str) -> ModelOpActivities:
    return ModelOpActivities(client, settings_for(url, **pins), Links())


async def own_model(client: ModelOpClient, **meta: Any) -> dict[str, Any]:
    """A copy of the German Credit model that a test may change."""
    model = await client.get_model(GERMAN_CREDIT)
    return await client.post("storedModels", {**model, "modelMetaData": {**model["modelMetaData"], **meta}})


def test_the_names_of_the_activities_are_a_public_contract() -> None:
    definitions = (
        getattr(method, "__temporal_activity_definition", None) for method in vars(ModelOpActivities).values()
    )
    assert {definition.name for definition in definitions if definition} == {
        "read_business_model",
        "check_prerequisites",
        "create_snapshot",
        "find_risk_tests",
        "start_test_job",
        "follow_test_job",
        "store_test_result",
        "send_notification",
        "close_notification",
        "close_ticket_notifications",
        "mark_deployed",
        "withdraw_deployment",
    }


async def test_a_business_model_is_read_with_its_facts(
    activities: ModelOpActivities, perform: Run, sandbox_url: str
) -> None:
    model = await perform(activities.read_business_model, ModelRequest(model_id=GERMAN_CREDIT))
    assert (model.model_id, model.type, model.methodology) == (GERMAN_CREDIT, "SAGEMAKER", "Classification")
    assert model.name == "German Credit Scoring"
    assert model.url == f"{sandbox_url}/#/models/business-models/{GERMAN_CREDIT}"
    data = {asset.role: asset for asset in model.assets}
    for role in ("BASELINE_DATA", "COMPARATOR_DATA"):
        assert len(data[role].sha256 or "") == 64
        assert (data[role].size or 0) > 1000


async def test_a_model_of_another_type_is_read_and_says_so(activities: ModelOpActivities, perform: Run) -> None:
    assert (await perform(activities.read_business_model, ModelRequest(model_id=NOTEBOOK))).type == "PYTHON"


ENDLESS = json_reply({"_embedded": {"any": [{"id": "x"}]}, "page": {"totalPages": 10**6}})


@pytest.mark.parametrize(
    ("listing", "said", "pages"), [(Reply(500), "Could not be checked", 1), (ENDLESS, "Not deployed", ADVISORY_PAGES)]
)
async def test_the_advisory_prerequisite_never_fails_and_reads_a_few_pages_only(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, listing: Reply, said: str, pages: int
) -> None:
    async def answer(request: Received) -> Reply:
        return listing if request.path.endswith("/deployedModels") else json_reply({"id": "x"})

    scripted.answer = answer
    activities = pinned(scripted_client, scripted.url, risk_tests_snapshot_id="srt")
    found = await perform(activities.check_prerequisites, PrerequisitesRequest(model_id="m1"))
    assert not found.items[4].found
    assert found.items[4].detail.startswith(said)
    assert sum(request.path.endswith("/deployedModels") for request in scripted.received) == pages


async def test_the_search_for_the_risk_tests_ends_and_says_which_ids_to_pin(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(risk_tests, "RISK_TESTS_PAGES", 3)
    scripted.script(ENDLESS)
    for pins, remedy in (
        ({}, "newest 300 models .*MLC_MODELOP__RISK_TESTS_MODEL_ID"),
        ({"risk_tests_model_id": "m1"}, "newest 300 .*MLC_MODELOP__RISK_TESTS_SNAPSHOT_ID"),
    ):
        scripted.received = []
        with pytest.raises(ApplicationError, match=remedy) as caught:
            await perform(pinned(scripted_client, scripted.url, **pins).find_risk_tests)
        assert caught.value.type == "RiskTestsMissing"
        assert len(scripted.received) == 3


@pytest.mark.parametrize("model_id", ["00000000-0000-4000-8000-000000000000", "no-such-model", "../jobs", ""])
async def test_an_unknown_or_malformed_model_id_is_not_found(
    activities: ModelOpActivities, perform: Run, model_id: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await perform(activities.read_business_model, ModelRequest(model_id=model_id))
    assert (caught.value.type, caught.value.non_retryable) == ("NotFound", True)


async def test_prerequisites_of_a_complete_model_are_found(activities: ModelOpActivities, perform: Run) -> None:
    request = PrerequisitesRequest(model_id=GERMAN_CREDIT, endpoint_config_name="german-credit-v1")
    items = (await perform(activities.check_prerequisites, request)).items
    assert [item.found for item in items[:4]] == [True] * 4
    assert STANDARD_RISK_TESTS_SNAPSHOT in items[2].detail
    assert "german-credit-v1" in items[3].detail
    assert "advisory" in items[4].name


async def test_missing_prerequisites_are_named(client: ModelOpClient, sandbox_url: str, perform: Run) -> None:
    activities = pinned(client, sandbox_url, risk_tests_name="Other Tests")
    items = (await perform(activities.check_prerequisites, PrerequisitesRequest(model_id=NO_COMPARATOR))).items
    assert [item.found for item in items] == [True, False, False, False, False]
    assert "COMPARATOR_DATA" in items[1].detail
    assert "Other Tests" in items[2].detail
    assert "endpoint_config_name" in items[3].detail


async def test_a_snapshot_is_a_marked_copy_of_the_model(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, sandbox_url: str
) -> None:
    run = RunIdentity(workflow_id="w", run_id=str(uuid.uuid4()), started_at=datetime.now(UTC))
    request = SnapshotRequest(run=run, model_id=GERMAN_CREDIT, round=1, endpoint_config_name="german-credit-v1")
    snapshot = await perform(activities.create_snapshot, request)
    live = await perform(activities.read_business_model, ModelRequest(model_id=GERMAN_CREDIT))
    assert (snapshot.fingerprint, snapshot.model_version) == (live.fingerprint, live.version)
    assert snapshot.assets == live.assets
    assert snapshot.name == f"German Credit Scoring-{run.started_at:%Y%m%d_%H%M}"
    assert snapshot.url == f"{sandbox_url}/#/models/business-models/snapshot/{snapshot.snapshot_id}"

    stored = await client.get_snapshot(snapshot.snapshot_id)
    assert stored["metaData"]["custom"]["mlc"] == {"workflowId": "w", "runId": run.run_id, "round": 1}
    assert stored["targetRuntimes"] == [{"repositoryInfo": {"endpointConfigName": "german-credit-v1"}}]
    assert "_links" not in stored["storedModel"]


async def test_asking_twice_for_a_snapshot_makes_one(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    request = SnapshotRequest(run=run, model_id=GERMAN_CREDIT, round=1)
    first = await perform(activities.create_snapshot, request)
    assert await perform(activities.create_snapshot, request) == first
    marks = [s["metaData"]["custom"].get("mlc", {}) async for s in client.entries("deployableModels")]
    assert [mark.get("runId") for mark in marks].count(run.run_id) == 1


async def test_a_new_round_freezes_the_mended_model_and_names_what_it_supersedes(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    model = await own_model(client)
    first = await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id=model["id"], round=1))
    await client.patch(f"storedModels/{model['id']}", {"modelAssets": model["modelAssets"][:1]})
    second_round = SnapshotRequest(run=run, model_id=model["id"], round=2, supersedes=first.snapshot_id)
    second = await perform(activities.create_snapshot, second_round)
    assert second.snapshot_id != first.snapshot_id
    assert second.fingerprint != first.fingerprint
    assert second.name == f"{first.name}-r2"
    custom = (await client.get_snapshot(second.snapshot_id))["metaData"]["custom"]
    assert custom["mlc"]["supersedes"] == first.snapshot_id


async def test_of_two_snapshots_that_were_made_after_all_every_attempt_takes_the_older(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    mark = {"workflowId": run.workflow_id, "runId": run.run_id, "round": 1}
    twins = [
        {
            "id": name,
            "createdDate": f"2100-01-01T00:00:0{second}Z",
            "metaData": {"custom": {"mlc": mark}},
            "storedModel": {"id": "m1", "modelMetaData": {"name": "Credit"}},
        }
        for name, second in (("newer", 2), ("older", 1))
    ]
    scripted.script(json_reply({"_embedded": {"deployableModels": twins}}))
    activities = pinned(scripted_client, scripted.url)
    snapshot = await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id="m1", round=1))
    assert snapshot.snapshot_id == "older"
    assert {request.method for request in scripted.received} == {"GET"}


async def test_the_standard_risk_tests_are_found_by_name(activities: ModelOpActivities, perform: Run) -> None:
    found = await perform(activities.find_risk_tests)
    assert (found.snapshot_id, found.model_id) == (STANDARD_RISK_TESTS_SNAPSHOT, STANDARD_RISK_TESTS)


@pytest.mark.parametrize(
    "pins",
    [{"risk_tests_model_id": STANDARD_RISK_TESTS}, {"risk_tests_snapshot_id": STANDARD_RISK_TESTS_SNAPSHOT}],
)
async def test_pinned_risk_tests_are_taken_whatever_their_name(
    client: ModelOpClient, sandbox_url: str, perform: Run, pins: dict[str, str]
) -> None:
    activities = pinned(client, sandbox_url, risk_tests_name="no such name", **pins)
    assert (await perform(activities.find_risk_tests)).snapshot_id == STANDARD_RISK_TESTS_SNAPSHOT


@pytest.mark.parametrize(
    ("pins", "remedy"),
    [
        ({"risk_tests_name": "Other Tests"}, "RISK_TESTS_NAME"),
        ({"risk_tests_name": "German Credit Scoring"}, "RISK_TESTS_NAME"),
        ({"risk_tests_model_id": NOTEBOOK}, "create one"),
        ({"risk_tests_snapshot_id": str(uuid.uuid4())}, "RISK_TESTS_SNAPSHOT_ID"),
    ],
)
async def test_missing_risk_tests_are_a_final_error_with_a_remedy(
    client: ModelOpClient, sandbox_url: str, perform: Run, pins: dict[str, str], remedy: str
) -> None:
    with pytest.raises(ApplicationError, match=remedy) as caught:
        await perform(pinned(client, sandbox_url, **pins).find_risk_tests)
    assert (caught.value.type, caught.value.non_retryable) == ("RiskTestsMissing", True)


async def test_of_several_monitors_of_one_name_the_newest_with_a_snapshot_is_taken(
    client: ModelOpClient, sandbox_url: str, perform: Run
) -> None:
    name = f"Tests {uuid.uuid4()}"
    monitor = {"name": name, "type": "PYTHON", "modelCategory": "MODEL_MONITORING_MODEL"}
    oldest, newer, newest = [await client.post("storedModels", {"modelMetaData": monitor}) for _ in range(3)]
    activities = pinned(client, sandbox_url, risk_tests_name=name)
    for model in (newer, oldest):
        await client.post("deployableModels", {"storedModel": {"id": model["id"]}})
    assert (await perform(activities.find_risk_tests)).model_id == newer["id"]
    expected = await client.post("deployableModels", {"storedModel": {"id": newest["id"]}})
    assert (await perform(activities.find_risk_tests)).snapshot_id == expected["id"]
