"""Opening a ticket through a real Temporal server: what an attempt leaves behind must reach the next one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.settings import JiraSettings
from activities.jira.types import Ticket, TicketRequest
from tests.activities.jira.conftest import MakeSettings
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person
from tests.temporal_servers import dev_server

RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=4)


@workflow.defn
class OpenTicket:
    """Opens one ticket as the process does."""

    @workflow.run
    async def run(self, request: TicketRequest) -> Ticket:
        return await workflow.execute_activity(
            "open_ticket",
            request,
            result_type=Ticket,
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RETRIES,
        )


async def test_attempts_that_fail_before_and_after_creation_end_in_one_ticket(
    make_settings: MakeSettings,
    make_jira: Callable[[JiraSettings], JiraActivities],
    request_for: Callable[..., TicketRequest],
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT0.5S"))
    proxy.faults += [
        Fault("POST .*/issue", after_work=True),
        Fault("POST .*/remotelink", status=500),
        Fault("POST .*/remotelink", after_work=True),
    ]
    async with (
        dev_server() as server,
        Worker(
            server.client,
            task_queue="tickets",
            workflows=[OpenTicket],
            activities=[jira.open_ticket],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        ticket = await server.client.execute_workflow(
            OpenTicket.run, request_for(), id=str(uuid.uuid4()), task_queue="tickets"
        )

    assert ticket.adopted
    assert paul.labelled(run.workflow_id) == [ticket.key]
    # The search of the second attempt is the only one: the third and the fourth know the key from the heartbeat.
    assert proxy.count("GET .*/search") == 1
    assert proxy.count("POST .*/issue") == 1
    assert len(paul.get(f"issue/{ticket.key}/remotelink")) == 1
