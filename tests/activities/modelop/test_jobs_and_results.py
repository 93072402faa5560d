"""Test jobs from creation to the kept result: real ones in the sandbox, and the odd ones from a script."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop import activities as module
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.monitors import Monitor
from activities.modelop.types import SnapshotRequest, StoreResultRequest, TestJob, TestJobRequest, TestResult
from sandbox.modelop.seed import (
    GERMAN_CREDIT,
    NO_COMPARATOR,
    NO_LABELS,
    STANDARD_RISK_TESTS_SNAPSHOT,
    TWO_SCHEMAS,
)
from tests.activities.modelop.conftest import Run, listed, settings_for
from tests.activities.modelop.scripted_server import Reply, ScriptedServer, json_reply

Start = Callable[..., Awaitable[tuple[str, TestJob]]]
NOT_FOR_CLASSIFIERS = {Monitor.BREUSCH_PAGAN, Monitor.LJUNG_BOX, Monitor.ENGLE_LM, Monitor.PII}
WAITING = json_reply({"id": "j1", "jobStatus": "WAITING", "createdDate": datetime.now(UTC).isoformat()})
CANCELLED = json_reply({"id": "j1", "jobStatus": "CANCELLED", "jobMessages": ["stopped"]})


@pytest.fixture
def start(activities: ModelOpActivities, perform: Run, run: RunIdentity) -> Start:
    """Freezes a model and starts its test job: `snapshot_id, job = await start(model_id)`."""

    async def _start(model_id: str) -> tuple[str, TestJob]:
        snapshot = await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id=model_id, round=1))
        return snapshot.snapshot_id, await perform(activities.start_test_job, job_request(run, snapshot.snapshot_id))

    return _start


def job_request(run: RunIdentity, snapshot_id: str, attempt: int = 1) -> TestJobRequest:
    return TestJobRequest(
        run=run, attempt=attempt, snapshot_id=snapshot_id, risk_tests_snapshot_id=STANDARD_RISK_TESTS_SNAPSHOT
    )


def scripted_activities(client: ModelOpClient, url: str, **changes: Any) -> ModelOpActivities:
    quick = {"job_poll": timedelta(milliseconds=100), **changes}
    return ModelOpActivities(client, settings_for(url, **quick), Links())


async def keep(
    activities: ModelOpActivities, perform: Run, run: RunIdentity, model_id: str, snapshot_id: str, job: TestJob
) -> TestResult:
    request = StoreResultRequest(run=run, job_id=job.job_id, snapshot_id=snapshot_id, model_id=model_id)
    result: TestResult = await perform(activities.store_test_result, request)
    return result


async def test_the_risk_tests_of_german_credit_run_and_their_result_is_kept_once(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity, start: Start
) -> None:
    snapshot_id, job = await start(GERMAN_CREDIT)
    outcome = await perform(activities.follow_test_job, job)
    assert (outcome.status, outcome.succeeded, outcome.error) == ("COMPLETE", True, "")

    result = await keep(activities, perform, run, GERMAN_CREDIT, snapshot_id, job)
    assert result.failed_monitors == []
    assert {problem.monitor for problem in result.not_applicable} == NOT_FOR_CLASSIFIERS
    assert await keep(activities, perform, run, GERMAN_CREDIT, snapshot_id, job) == result

    (stored,) = await listed(client, "modelTestResults", jobId=job.job_id)
    assert stored["id"] == result.result_id
    assert (stored["deployableModelId"], stored["storedModelId"]) == (snapshot_id, GERMAN_CREDIT)
    assert 0.5 < (await client.get_result(result.result_id))["testResults"]["auc"] <= 1


async def test_a_job_carries_its_mark_and_its_inputs_in_order(
    client: ModelOpClient, run: RunIdentity, start: Start, activities: ModelOpActivities, perform: Run
) -> None:
    snapshot_id, job = await start(TWO_SCHEMAS)
    stored = await client.get_job(job.job_id)
    assert stored["jobParameters"]["mlc"] == {"workflowId": run.workflow_id, "runId": run.run_id, "attempt": 1}
    assert [data["assetRole"] for data in stored["inputData"]] == ["BASELINE_DATA", "COMPARATOR_DATA"]
    assert (stored["model"]["id"], stored["referenceModel"]["id"]) == (STANDARD_RISK_TESTS_SNAPSHOT, snapshot_id)

    assert await perform(activities.start_test_job, job_request(run, snapshot_id)) == job
    second = await perform(activities.start_test_job, job_request(run, snapshot_id, attempt=2))
    ours = [entry async for entry in client.entries("jobs") if entry["referenceModel"]["id"] == snapshot_id]
    assert {entry["id"] for entry in ours} == {job.job_id, second.job_id}
    assert len(ours) == 2


async def test_a_job_with_two_schemas_fails_and_says_so(
    activities: ModelOpActivities, perform: Run, run: RunIdentity, start: Start
) -> None:
    snapshot_id, job = await start(TWO_SCHEMAS)
    outcome = await perform(activities.follow_test_job, job)
    assert (outcome.status, outcome.succeeded) == ("ERROR", False)
    assert "Expected only 1 input schema definition, but found 2" in outcome.error
    with pytest.raises(ApplicationError, match="left no result") as caught:
        await keep(activities, perform, run, TWO_SCHEMAS, snapshot_id, job)
    assert caught.value.non_retryable


async def test_without_labels_the_performance_monitor_failed_and_others_are_not_applicable(
    activities: ModelOpActivities, perform: Run, run: RunIdentity, start: Start
) -> None:
    snapshot_id, job = await start(NO_LABELS)
    assert (await perform(activities.follow_test_job, job)).succeeded
    result = await keep(activities, perform, run, NO_LABELS, snapshot_id, job)
    failed = {problem.monitor: problem.message for problem in result.failed_monitors}
    assert "label" in failed[Monitor.PERFORMANCE]
    assert {problem.monitor for problem in result.not_applicable} == NOT_FOR_CLASSIFIERS
    assert not set(failed) & NOT_FOR_CLASSIFIERS


async def test_a_snapshot_without_comparator_data_starts_no_job(start: Start) -> None:
    with pytest.raises(ApplicationError, match="no asset with role COMPARATOR_DATA") as caught:
        await start(NO_COMPARATOR)
    assert caught.value.non_retryable


async def test_a_job_that_is_unknown_is_not_found(activities: ModelOpActivities, perform: Run) -> None:
    with pytest.raises(ApplicationError) as caught:
        await perform(activities.follow_test_job, TestJob(job_id=str(uuid.uuid4())))
    assert (caught.value.type, caught.value.non_retryable) == ("NotFound", True)


async def test_a_job_is_polled_with_heartbeats_until_it_ends(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(WAITING, WAITING, WAITING, CANCELLED)
    environment = ActivityEnvironment()
    beats: list[tuple[Any, ...]] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    activities = scripted_activities(scripted_client, scripted.url)
    outcome = await environment.run(activities.follow_test_job, TestJob(job_id="j1"))
    assert (outcome.status, outcome.succeeded, outcome.error) == ("CANCELLED", False, "stopped")
    assert len(scripted.received) == 4
    assert len(beats) >= 3


async def test_heartbeats_go_on_while_polls_are_far_apart(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_INTERVAL", timedelta(milliseconds=50))
    scripted.script(WAITING, CANCELLED)
    environment = ActivityEnvironment()
    beats: list[tuple[Any, ...]] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    activities = scripted_activities(scripted_client, scripted.url, job_poll=timedelta(milliseconds=500))
    await environment.run(activities.follow_test_job, TestJob(job_id="j1"))
    assert len(beats) >= 10


async def test_a_few_failed_polls_are_waited_out(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run
) -> None:
    scripted.script(Reply(502), Reply(cut=True), WAITING, Reply(500), Reply(body=b"<html>"), CANCELLED)
    activities = scripted_activities(scripted_client, scripted.url)
    assert (await perform(activities.follow_test_job, TestJob(job_id="j1"))).status == "CANCELLED"


@pytest.mark.parametrize(
    ("reply", "polls"),
    [(Reply(502), module.TOLERATED_POLL_ERRORS + 1), (Reply(403), 1), (Reply(429, headers={"Retry-After": "60"}), 1)],
)
async def test_failures_that_last_or_are_final_or_ask_for_a_wait_end_the_attempt(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, reply: Reply, polls: int
) -> None:
    scripted.script(reply)
    activities = scripted_activities(scripted_client, scripted.url)
    with pytest.raises(ApplicationError, match=f"answered {reply.status}"):
        await perform(activities.follow_test_job, TestJob(job_id="j1"))
    assert len(scripted.received) == polls


@pytest.mark.parametrize("dated", [True, False])
async def test_a_job_that_does_not_end_in_time_is_a_final_error(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, dated: bool
) -> None:
    created = datetime.now(UTC) - timedelta(hours=25)
    job = {"id": "j1", "jobStatus": "CREATED", **({"createdDate": created.isoformat()} if dated else {})}
    scripted.script(json_reply(job))
    activities = scripted_activities(scripted_client, scripted.url)
    with pytest.raises(ApplicationError, match="still CREATED after 1 day") as caught:
        await perform(activities.follow_test_job, TestJob(job_id="j1"))
    assert (caught.value.type, caught.value.non_retryable) == ("JobTimeout", True)


async def test_a_follow_up_after_a_resume_has_the_whole_time_again(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    old = {"id": "j1", "jobStatus": "CREATED", "createdDate": (datetime.now(UTC) - timedelta(hours=25)).isoformat()}
    scripted.script(json_reply(old), CANCELLED)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, scheduled_time=datetime.now(UTC))
    activities = scripted_activities(scripted_client, scripted.url)
    assert (await environment.run(activities.follow_test_job, TestJob(job_id="j1"))).status == "CANCELLED"


async def test_a_result_whose_answer_was_lost_is_found_again(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    snapshot = json_reply({"id": "s1", "storedModel": {"modelMetaData": {"modelMethodology": "Regression"}}})
    kept = {"id": "r1", "jobId": "j1", "testResults": {"executionErrors": ["bias: x", "engle_lm: y", "?"]}}
    listed_results = json_reply({"_embedded": {"modelTestResults": [{"id": "r0", "jobId": "j0"}, kept]}})
    scripted.script(snapshot, listed_results, Reply(500))
    activities = scripted_activities(scripted_client, scripted.url)
    result = await keep(activities, perform, run, "m1", "s1", TestJob(job_id="j1"))
    assert result.result_id == "r1"
    assert [problem.monitor for problem in result.failed_monitors] == [Monitor.ENGLE_LM, ""]
    assert [problem.monitor for problem in result.not_applicable] == [Monitor.BIAS]


async def test_a_kept_result_that_is_listed_without_its_numbers_is_read_whole(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    listed_results = json_reply({"_embedded": {"modelTestResults": [{"id": "r1", "jobId": "j1"}]}})
    whole = json_reply({"id": "r1", "jobId": "j1", "testResults": {"executionErrors": ["performance: x"]}})
    scripted.script(json_reply({"id": "s1", "storedModel": {}}), listed_results, whole)
    activities = scripted_activities(scripted_client, scripted.url)
    result = await keep(activities, perform, run, "m1", "s1", TestJob(job_id="j1"))
    assert [problem.monitor for problem in result.failed_monitors] == [Monitor.PERFORMANCE]
    assert scripted.received[-1].path.endswith("/modelTestResults/r1")
