"""Opening a ticket through a real Temporal server: what an attempt leaves behind must reach the next one."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.settings import JiraSettings
from activities.jira.types import Ticket, TicketRequest
from tests.activities.jira.conftest import ON_ONE_EDITION, MakeSettings
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person
from tests.temporal_servers import dev_server

OpenTicketOnServer = Callable[[TicketRequest], Awaitable[Ticket]]

# What the server hands on does not depend on the edition.
pytestmark = ON_ONE_EDITION

CREATE, SEARCH = "POST .*/issue", "POST .*/search"
RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=4)


@workflow.defn
class OpenTicket:
    """Opens one ticket as the process does."""

    @workflow.run
    async def run(self, request: TicketRequest) -> Ticket:
        ticket: Ticket = await workflow.execute_activity(
            "open_ticket",
            request,
            result_type=Ticket,
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RETRIES,
        )
        return ticket


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    async with dev_server() as server:
        yield server


@pytest.fixture
async def open_ticket(
    server: WorkflowEnvironment, make_settings: MakeSettings, make_jira: Callable[[JiraSettings], JiraActivities]
) -> AsyncIterator[OpenTicketOnServer]:
    """Opens a ticket in a workflow of that server."""
    jira = make_jira(make_settings(ambiguous_wait="PT1S"))
    async with Worker(
        server.client,
        task_queue="tickets",
        workflows=[OpenTicket],
        activities=[jira.open_ticket],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):

        async def open_one(request: TicketRequest) -> Ticket:
            return await server.client.execute_workflow(
                OpenTicket.run, request, id=str(uuid.uuid4()), task_queue="tickets"
            )

        yield open_one


async def test_attempts_that_fail_before_and_after_creation_end_in_one_ticket(
    open_ticket: OpenTicketOnServer,
    request_for: Callable[..., TicketRequest],
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
) -> None:
    proxy.faults += [
        Fault(CREATE, after_work=True),
        Fault("POST .*/remotelink", status=500),
        Fault("POST .*/remotelink", after_work=True),
    ]
    ticket = await open_ticket(request_for())

    assert ticket.adopted
    assert paul.labelled(run.workflow_id) == [ticket.key]
    # The search of the second attempt is the only one: the third and the fourth know the key from the heartbeat.
    assert (proxy.count(SEARCH), proxy.count(CREATE)) == (1, 1)
    assert len(paul.get(f"issue/{ticket.key}/remotelink")) == 1


async def test_an_attempt_that_the_server_held_back_does_not_wait_once_more(
    open_ticket: OpenTicketOnServer, request_for: Callable[..., TicketRequest], run: RunIdentity, proxy: FaultyProxy
) -> None:
    proxy.faults.append(Fault(CREATE))
    ticket = await open_ticket(request_for())

    assert not ticket.adopted
    # A second attempt that does not know when the answer was lost waits after its first search and searches again.
    assert (proxy.count(SEARCH), proxy.count(CREATE)) == (1, 2)
