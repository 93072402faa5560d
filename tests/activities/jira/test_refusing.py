"""A decision that does not count: one comment, and the ticket moved back where that is possible."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.types import ReadTicketRequest, RefuseDecisionRequest, TicketReference, TicketRequest
from tests.activities.jira.conftest import attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

TRANSITION = "POST .*/transitions"


@pytest.fixture
async def ticket(jira: JiraActivities, request_for: Callable[..., TicketRequest]) -> TicketReference:
    opened = await attempt().run(jira.open_ticket, request_for())
    return TicketReference(issue_id=opened.issue_id, key=opened.key)


async def refusal(jira: JiraActivities, run: RunIdentity, ticket: TicketReference) -> RefuseDecisionRequest:
    """The request that refuses the decision which a ticket carries now."""
    read = await attempt().run(jira.read_ticket, ReadTicketRequest(**ticket.model_dump()))
    assert read.decision is not None
    return RefuseDecisionRequest(
        run=run,
        ticket=ticket,
        change_id=read.decision.change_id,
        back_to=read.decision.previous_status,
        reason="not by *the requester*",
    )


async def test_a_refused_decision_is_commented_once_and_moved_back(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    for _ in range(2):
        await attempt().run(jira.refuse_decision, request)

    (comment,) = rita.comments(ticket.key)
    assert r"does not count: not by \*the requester\*." in comment
    assert "*To Do*" in comment
    assert rita.status(ticket.key) == "To Do"


async def test_a_second_wrong_decision_is_refused_on_its_own(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person
) -> None:
    for _ in range(2):
        rita.move(ticket.key, "Done")
        await attempt().run(jira.refuse_decision, await refusal(jira, run, ticket))

    assert (len(rita.comments(ticket.key)), rita.status(ticket.key)) == (2, "To Do")


async def test_a_decision_may_be_refused_without_moving_the_ticket(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    await attempt().run(jira.refuse_decision, request.model_copy(update={"move_back": False}))

    (comment,) = rita.comments(ticket.key)
    assert "please reopen it yourself" in comment
    assert rita.status(ticket.key) == "Done"


@pytest.mark.parametrize("request_lost", ["POST .*/comment", TRANSITION])
async def test_refusing_that_was_interrupted_is_finished_by_the_next_attempt(
    jira: JiraActivities,
    run: RunIdentity,
    ticket: TicketReference,
    rita: Person,
    proxy: FaultyProxy,
    request_lost: str,
) -> None:
    rita.move(ticket.key, "Rejected")
    request = await refusal(jira, run, ticket)
    proxy.faults.append(Fault(request_lost, after_work=True))
    with pytest.raises(ApplicationError):
        await attempt().run(jira.refuse_decision, request)
    await attempt(2).run(jira.refuse_decision, request)

    assert (len(rita.comments(ticket.key)), rita.status(ticket.key)) == (1, "To Do")


async def test_where_no_move_leads_back_the_comment_asks_to_reopen(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person
) -> None:
    rita.move(ticket.key, "In Review")
    rita.move(ticket.key, "Done")
    await attempt().run(jira.refuse_decision, await refusal(jira, run, ticket))

    (comment,) = rita.comments(ticket.key)
    assert "please reopen it yourself" in comment and "*In Review*" in comment
    assert rita.status(ticket.key) == "Done"


async def test_a_move_back_that_is_not_allowed_is_left_to_people(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person, proxy: FaultyProxy
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    proxy.faults.append(Fault(TRANSITION, status=403))
    await attempt().run(jira.refuse_decision, request)

    assert (len(rita.comments(ticket.key)), rita.status(ticket.key)) == (1, "Done")


async def test_a_renamed_status_is_found_by_its_id(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    rita.rename_status("To Do", "Backlog")
    try:
        await attempt().run(jira.refuse_decision, request)
        assert rita.status(ticket.key) == "Backlog"
    finally:
        rita.rename_status("Backlog", "To Do")


async def test_a_ticket_that_somebody_else_decided_since_is_not_moved(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person, paul: Person
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    paul.move(ticket.key, "To Do")
    paul.move(ticket.key, "Done")
    await attempt().run(jira.refuse_decision, request)

    (comment,) = paul.comments(ticket.key)
    assert "does not count" in comment and "To Do" not in comment
    assert paul.status(ticket.key) == "Done"


@pytest.mark.parametrize("request_met", ["POST .*/comment", TRANSITION])
async def test_a_ticket_that_is_reopened_at_this_very_moment_is_left_as_it_is(
    jira: JiraActivities,
    run: RunIdentity,
    ticket: TicketReference,
    rita: Person,
    proxy: FaultyProxy,
    request_met: str,
) -> None:
    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    proxy.faults.append(Fault(request_met, meanwhile=lambda: rita.move(ticket.key, "To Do")))
    await attempt().run(jira.refuse_decision, request)

    assert proxy.faults == []
    assert (len(rita.comments(ticket.key)), rita.status(ticket.key)) == (1, "To Do")


async def test_a_valid_decision_taken_while_the_comment_is_written_is_not_undone(
    jira: JiraActivities, run: RunIdentity, ticket: TicketReference, rita: Person, paul: Person, proxy: FaultyProxy
) -> None:
    def decide_anew() -> None:
        paul.move(ticket.key, "To Do")
        paul.move(ticket.key, "Done")

    rita.move(ticket.key, "Done")
    request = await refusal(jira, run, ticket)
    proxy.faults.append(Fault("POST .*/comment", meanwhile=decide_anew))
    await attempt().run(jira.refuse_decision, request)

    assert paul.status(ticket.key) == "Done"
    assert proxy.count(TRANSITION) == 0
