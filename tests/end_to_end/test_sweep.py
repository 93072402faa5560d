"""What the sweep makes up for: webhooks that never come, tickets that vanish or move, duplicates, failing code."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.sweep.types import SweepReport
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Run, Site
from workflows.contract import (
    MODEL_ID_ATTRIBUTE,
    SWEEP_SCHEDULE_ID,
    SWEEP_WORKFLOW_TYPE,
    TASK_QUEUE,
    WORKFLOW_TYPE,
)


@pytest_asyncio.fixture(autouse=True)
async def webhooks_are_lost(site: Site) -> AsyncIterator[None]:
    answer = await site.jira.post("/faults/webhooks", json={"lost": 1.0})
    assert answer.is_success, answer.text
    yield
    assert (await site.jira.post("/faults/webhooks", json={"lost": 0.0})).is_success


async def sweep(client: Client) -> SweepReport:
    return await client.execute_workflow(
        SWEEP_WORKFLOW_TYPE, id=f"sweep-{uuid.uuid4()}", task_queue=TASK_QUEUE, result_type=SweepReport
    )


async def visible(site: Site, ticket: str) -> None:
    """Waits until Temporal's list knows which ticket the run waits on."""
    while (await site.client.count_workflows(f"MlcTicket = '{ticket}'")).count == 0:
        await asyncio.sleep(0.05)


async def not_blocked(site: Site, ticket: str) -> None:
    """Waits until Temporal's list knows that the run is not blocked any more."""
    while (await site.client.count_workflows(f"MlcTicket = '{ticket}' AND MlcBlocked = false")).count == 0:
        await asyncio.sleep(0.05)


async def waiting(site: Site, **request: str) -> tuple[Run, str]:
    run = await site.start(GERMAN_CREDIT, **request)
    key = await run.waiting_on("PiaApproval")
    await visible(site, key)
    return run, key


async def events(run: Run) -> int:
    return (await run.handle.describe()).history_length


async def test_a_decision_whose_webhook_was_lost_is_found(site: Site) -> None:
    run, key = await waiting(site)
    before = await events(run)
    nothing = await sweep(site.client)
    assert nothing.waiting >= 1 and nothing.signals == 0
    assert await events(run) == before

    await site.people.decide("paul", key, status="Done", comment="fine")
    assert (await sweep(site.client)).signalled == [run.handle.id]
    await run.until(lambda s: len(s.decisions) == 1)
    await run.abort()


async def test_a_refused_decision_that_stays_adds_nothing_sweep_after_sweep(site: Site) -> None:
    run, key = await waiting(site, requested_by="rita")
    await site.people.decide("rita", key, status="Done", comment="my own")
    await sweep(site.client)
    await run.until(lambda s: s.decisions == [])
    issue = await site.issue(key)
    while issue["fields"]["status"]["name"] != "To Do":
        await asyncio.sleep(0.1)
        issue = await site.issue(key)
    assert "does not count" in issue["fields"]["comment"]["comments"][-1]["body"]
    await sweep(site.client)
    before = await events(run)
    for _ in range(3):
        assert (await sweep(site.client)).signals == 0
    assert await events(run) == before
    await site.people.decide("paul", key, status="Done", comment="fine")
    await sweep(site.client)
    (decision,) = (await run.until(lambda s: len(s.decisions) == 1)).decisions
    assert decision.decided_by == "paul"
    await run.abort()


async def test_a_deleted_ticket_blocks_the_run_and_is_no_decision(site: Site) -> None:
    run, key = await waiting(site)
    assert (await site.jira.delete(f"/rest/api/2/issue/{key}")).is_success
    report = await sweep(site.client)
    assert report.missing == [key]
    status = await run.blocked("NotFound")
    assert status.blocked is not None and key in status.blocked.message
    assert status.decisions == []
    before = await events(run)
    await sweep(site.client)
    assert await events(run) == before
    await run.abort()


async def test_a_ticket_that_vanishes_again_is_noticed_again(site: Site) -> None:
    run, key = await waiting(site)
    for _ in range(2):
        assert (await site.jira.post("/sandbox/hide", json={"issue": key, "hidden": True})).is_success
        await not_blocked(site, key)
        assert (await sweep(site.client)).missing == [key]
        await run.blocked("NotFound")
        assert (await site.jira.post("/sandbox/hide", json={"issue": key, "hidden": False})).is_success
        await run.handle.execute_update("resume")
        await run.until(lambda s: s.blocked is None and s.waiting_on is not None)
    await run.abort()


async def test_what_jira_refuses_does_not_keep_failing_runs_from_being_told(site: Site) -> None:
    run, _ = await waiting(site)
    fault = {"method": "POST", "path": "/rest/api/2/search", "effect": "status", "status": 400}
    made = await site.jira.post("/faults", json=fault)
    assert made.is_success, made.text
    report = await sweep(site.client)
    assert report.waiting >= 1 and any("400" in line for line in report.unread)
    assert (await site.jira.delete("/faults")).is_success
    await run.abort()


async def test_a_ticket_moved_to_another_project_is_followed(site: Site) -> None:
    run, key = await waiting(site)
    moved = await site.jira.post("/sandbox/move", json={"issue": key, "project": "OPS"})
    assert moved.is_success, moved.text
    await site.people.decide("paul", key, status="Done", comment="fine")
    await sweep(site.client)
    (decision,) = (await run.until(lambda s: len(s.decisions) == 1)).decisions
    assert decision.ticket.startswith("OPS-") and decision.decided_by == "paul"
    await run.abort()


async def test_a_duplicate_of_a_waiting_ticket_is_closed_and_decides_nothing(site: Site) -> None:
    run, key = await waiting(site)
    fields = (await site.issue(key))["fields"]
    copy = await site.jira.post(
        "/rest/api/2/issue",
        json={
            "fields": {
                "project": {"key": "GOV"},
                "issuetype": {"name": "Task"},
                "summary": fields["summary"],
                "labels": fields["labels"],
            }
        },
    )
    duplicate = copy.json()["key"]
    assert (await sweep(site.client)).duplicates_closed == [duplicate]
    issue = await site.issue(duplicate)
    assert issue["fields"]["status"]["name"] == "Rejected"
    assert key in issue["fields"]["comment"]["comments"][-1]["body"]
    status = await run.status()
    assert status.waiting_on is not None and status.waiting_on.ticket == key and status.decisions == []
    await run.abort()


async def test_the_worker_schedules_the_sweep(site: Site) -> None:
    described = await site.client.get_schedule_handle(SWEEP_SCHEDULE_ID).describe()
    assert [spec.every.total_seconds() for spec in described.schedule.spec.intervals] == [120]


@workflow.defn(name=WORKFLOW_TYPE)
class BrokenWorkflow:
    """Stands for a release whose code cannot carry the runs."""

    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug of a bad release")


async def test_a_run_whose_code_fails_is_told_of_once(site: Site) -> None:
    queue, identity = f"broken-{uuid.uuid4()}", f"broken-{uuid.uuid4()}"
    worker = Worker(
        site.client,
        task_queue=queue,
        workflows=[BrokenWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        handle = await site.client.start_workflow(
            WORKFLOW_TYPE,
            id=identity,
            task_queue=queue,
            search_attributes=TypedSearchAttributes([SearchAttributePair(MODEL_ID_ATTRIBUTE, GERMAN_CREDIT)]),
        )
        query = f"WorkflowId = '{identity}' AND TemporalReportedProblems IS NOT NULL"
        while (await site.client.count_workflows(query)).count == 0:
            await asyncio.sleep(0.2)
        await sweep(site.client)
        await sweep(site.client)
        told = [n for n in await site.all("notifications") if identity in n["message"]]
        await handle.terminate(reason="the test has seen enough")
        # The site's own check must not find it any more.
        while (await site.client.count_workflows(f"{query} AND ExecutionStatus = 'Running'")).count:
            await asyncio.sleep(0.1)
    (notification,) = told
    assert (notification["notificationType"], notification["severity"]) == ("PROCESS_NOTIFICATION", "ERROR")
