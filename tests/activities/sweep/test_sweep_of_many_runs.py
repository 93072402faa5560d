"""A sweep over more runs than one call to Jira covers, on a real Temporal server with a scripted Jira."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.jira.types import ClosedTickets, DuplicateSearchRequest, Sighting, Sightings, SightingsRequest, Verdict
from activities.modelop.types import Notification, NotificationRequest
from activities.sweep.activities import RunNames, SweepActivities
from tests.temporal_servers import dev_server
from workflows.contract import (
    BLOCKED_ATTRIBUTE,
    MODEL_ID_ATTRIBUTE,
    SIGNAL_JIRA_STATUS_CHANGED,
    TICKET_ATTRIBUTE,
)

PATIENCE_SECONDS = 20.0


class ScriptedJira:
    """Every ticket is decided; calls fail as scripted."""

    def __init__(self) -> None:
        self.sighted: list[list[str]] = []
        self.sighting_fails: list[ApplicationError] = []
        self.closing_fails: list[ApplicationError] = []

    async def sight_tickets(self, request: SightingsRequest) -> Sightings:
        self.sighted.append(request.keys)
        if self.sighting_fails:
            raise self.sighting_fails.pop(0)
        return Sightings(tickets=[self._decided(key) for key in request.keys])

    def _decided(self, key: str) -> Sighting:
        return Sighting(key=key, issue_id=key, status_id="10002", updated="now", verdict=Verdict.DONE)

    async def close_duplicate_tickets(self, request: DuplicateSearchRequest) -> ClosedTickets:
        if self.closing_fails:
            raise self.closing_fails.pop(0)
        return ClosedTickets(keys=[])


class NobodyIsTold:
    """A ModelOp Center that no sweep of tickets may need."""

    async def send_notification(self, request: NotificationRequest) -> Notification:
        raise AssertionError("a sweep of tickets notifies nobody")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client() -> AsyncIterator[Client]:
    async with dev_server() as environment:
        yield environment.client


@pytest.fixture
def jira() -> ScriptedJira:
    return ScriptedJira()


@pytest.fixture
async def sweep(client: Client, jira: ScriptedJira, monkeypatch: pytest.MonkeyPatch) -> SweepActivities:
    """A sweep that asks for two tickets at a time, and five runs that wait on one each."""
    monkeypatch.setattr("activities.sweep.activities.BATCH", 2)
    names = RunNames(
        workflow_type=f"Waiting-{uuid.uuid4()}",
        signal=SIGNAL_JIRA_STATUS_CHANGED,
        ticket=TICKET_ATTRIBUTE,
        model_id=MODEL_ID_ATTRIBUTE,
        blocked=BLOCKED_ATTRIBUTE,
    )
    for number in range(1, 6):
        await client.start_workflow(
            names.workflow_type,
            id=f"{names.workflow_type}-{number}",
            task_queue="nobody-works-here",
            execution_timeout=timedelta(minutes=5),
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(TICKET_ATTRIBUTE, f"GOV-{number}"),
                    SearchAttributePair(BLOCKED_ATTRIBUTE, value=False),
                ]
            ),
        )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await client.count_workflows(f"WorkflowType = '{names.workflow_type}'")).count < 5:
            await asyncio.sleep(0.05)
    return SweepActivities(client, names, jira=jira, modelop=NobodyIsTold())


def failure(kind: str, *, final: bool) -> ApplicationError:
    return ApplicationError(f"Jira: {kind}", type=kind, non_retryable=final)


async def test_every_run_is_told_two_at_a_time(sweep: SweepActivities, jira: ScriptedJira) -> None:
    report = await ActivityEnvironment().run(sweep.sweep_tickets)
    assert (report.waiting, report.batches, report.signals, report.unread) == (5, 3, 5, [])
    assert sorted(map(len, jira.sighted)) == [1, 2, 2]


@pytest.mark.parametrize("final", [False, True])
async def test_duplicates_that_cannot_be_looked_for_keep_no_run_from_being_told(
    sweep: SweepActivities, jira: ScriptedJira, final: bool
) -> None:
    jira.closing_fails = [failure("Unavailable", final=final)]
    report = await ActivityEnvironment().run(sweep.sweep_tickets)
    assert (report.signals, report.unread) == (5, ["Jira: Unavailable"])


async def test_tickets_that_are_refused_keep_no_other_run_from_being_told(
    sweep: SweepActivities, jira: ScriptedJira
) -> None:
    jira.sighting_fails = [failure("Refused", final=True)]
    report = await ActivityEnvironment().run(sweep.sweep_tickets)
    assert (report.waiting, report.unread) == (5, ["Jira: Refused"])
    assert report.signals == 5 - len(jira.sighted[0])


async def test_a_jira_that_is_away_is_not_asked_further(sweep: SweepActivities, jira: ScriptedJira) -> None:
    jira.sighting_fails = [failure("Unreachable", final=False)]
    with pytest.raises(ApplicationError, match="Unreachable"):
        await ActivityEnvironment().run(sweep.sweep_tickets)
    assert len(jira.sighted) == 1
