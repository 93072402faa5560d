from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.settings import JiraSettings
from activities.jira.types import (
    CloseTicketRequest,
    CommentRequest,
    Gate,
    SupersedeRequest,
    TicketReference,
    TicketRequest,
)
from tests.activities.jira.conftest import MakeSettings, attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

RequestFor = Callable[..., TicketRequest]
MakeJira = Callable[[JiraSettings], JiraActivities]

MANY_ROUNDS = 150
COMMENT, TRANSITION = "POST .*/comment", "POST .*/transitions"


@pytest.fixture
async def ticket(jira: JiraActivities, request_for: RequestFor) -> TicketReference:
    opened = await attempt().run(jira.open_ticket, request_for())
    return TicketReference(issue_id=opened.issue_id, key=opened.key)


async def test_a_comment_is_written_once_per_purpose(
    jira: JiraActivities, ticket: TicketReference, run: RunIdentity, paul: Person
) -> None:
    for purpose in ("reminder-1", "reminder-1", "reminder-2"):
        request = CommentRequest(run=run, ticket=ticket, purpose=purpose, text=f"*{purpose}* Größe 模型")
        await attempt().run(jira.comment_ticket, request)

    first, second = paul.comments(ticket.key)
    assert first.startswith("*reminder-1* Größe 模型\n") and second.startswith("*reminder-2* ")
    assert first.endswith(f"mlc:{run.mark('comment', 'reminder-1', ticket.issue_id)}{{color}}")


@pytest.mark.parametrize("status", [None, 500])
async def test_a_lost_answer_to_a_comment_makes_no_second_one(
    jira: JiraActivities,
    ticket: TicketReference,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
    status: int | None,
) -> None:
    request = CommentRequest(run=run, ticket=ticket, purpose="once", text="Hello")
    proxy.faults.append(Fault(COMMENT, status=status, after_work=True))
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.comment_ticket, request)
    await attempt(2).run(jira.comment_ticket, request)

    assert not failure.value.non_retryable
    assert failure.value.next_retry_delay == timedelta(seconds=0.4)
    assert len(paul.comments(ticket.key)) == 1


async def test_the_mark_is_found_behind_many_comments(
    jira: JiraActivities, ticket: TicketReference, run: RunIdentity, paul: Person
) -> None:
    for number in range(101):
        paul.comment(ticket.key, f"chat {number}")
    request = CommentRequest(run=run, ticket=ticket, purpose="once", text="Hello")
    for _ in range(2):
        await attempt().run(jira.comment_ticket, request)

    assert len(paul.comments(ticket.key)) == 102


async def test_closing_says_why_and_moves_the_ticket(
    jira: JiraActivities, ticket: TicketReference, run: RunIdentity, paul: Person
) -> None:
    request = CloseTicketRequest(run=run, ticket=ticket, reason="Aborted by Olga: {noformat}wrong model")
    await attempt().run(jira.close_ticket, request)

    (comment,) = paul.comments(ticket.key)
    assert comment.startswith("Aborted by Olga: \\{noformat\\}wrong model\n")
    assert paul.status(ticket.key) == "Rejected"


@pytest.mark.parametrize("request_lost", [COMMENT, TRANSITION])
async def test_closing_that_was_interrupted_is_finished_by_the_next_attempt(
    jira: JiraActivities,
    ticket: TicketReference,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
    request_lost: str,
) -> None:
    request = CloseTicketRequest(run=run, ticket=ticket, reason="Aborted")
    proxy.faults.append(Fault(request_lost, after_work=True))
    with pytest.raises(ApplicationError):
        await attempt().run(jira.close_ticket, request)
    await attempt(2).run(jira.close_ticket, request)

    assert (len(paul.comments(ticket.key)), paul.status(ticket.key)) == (1, "Rejected")


@pytest.mark.parametrize("request_met", ["GET .*/transitions", TRANSITION])
async def test_a_decision_taken_while_the_ticket_is_being_closed_stays(
    jira: JiraActivities,
    ticket: TicketReference,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
    request_met: str,
) -> None:
    proxy.faults.append(Fault(request_met, meanwhile=lambda: paul.move(ticket.key, "Done")))
    await attempt().run(jira.close_ticket, CloseTicketRequest(run=run, ticket=ticket, reason="Aborted"))

    assert proxy.faults == []
    assert (len(paul.comments(ticket.key)), paul.status(ticket.key)) == (1, "Done")


@pytest.mark.parametrize("status", ["Done", "Rejected"])
async def test_a_decided_ticket_is_left_as_it_is(
    jira: JiraActivities, ticket: TicketReference, run: RunIdentity, paul: Person, status: str
) -> None:
    paul.move(ticket.key, status)
    await attempt().run(jira.close_ticket, CloseTicketRequest(run=run, ticket=ticket, reason="Aborted"))

    assert (paul.comments(ticket.key), paul.status(ticket.key)) == ([], status)


async def test_a_ticket_that_is_gone_needs_no_closing(
    jira: JiraActivities, ticket: TicketReference, run: RunIdentity, admin: Person, proxy: FaultyProxy
) -> None:
    admin.delete(ticket.key)
    proxy.requests.clear()
    await attempt().run(jira.close_ticket, CloseTicketRequest(run=run, ticket=ticket, reason="Aborted"))

    assert proxy.requests == [f"GET /rest/api/2/issue/{ticket.issue_id}"]


async def test_a_status_that_cannot_be_reached_is_named_with_the_ticket_and_the_choices(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, run: RunIdentity
) -> None:
    jira = make_jira(make_settings(close_status="Cancelled"))
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.close_ticket, CloseTicketRequest(run=run, ticket=ticket, reason="Aborted"))

    assert (failure.value.type, failure.value.non_retryable) == ("Refused", True)
    for word in (ticket.key, '"To Do"', '"Cancelled"', '"In Review"', '"Rejected"'):
        assert word in failure.value.message


async def test_open_tickets_of_earlier_runs_are_superseded_and_nothing_else(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    earlier = run.model_copy(update={"run_id": "earlier"})
    old = [
        await attempt().run(jira.open_ticket, request_for(gate, round=2).model_copy(update={"run": earlier}))
        for gate in Gate
    ]
    paul.move(old[0].key, "Done")
    own = await attempt().run(jira.open_ticket, request_for(Gate.RESULTS, round=MANY_ROUNDS))

    closed = await attempt().run(jira.supersede_tickets, SupersedeRequest(run=run))
    again = await attempt(2).run(jira.supersede_tickets, SupersedeRequest(run=run))

    assert closed.keys == [ticket.key for ticket in old[1:]]
    assert again.keys == []
    assert [paul.status(t.key) for t in (*old, own)] == ["Done", "Rejected", "Rejected", "Rejected", "To Do"]
    assert [len(paul.comments(t.key)) for t in (*old, own)] == [0, 1, 1, 1, 0]
    assert "newer run" in paul.comments(old[1].key)[0]
