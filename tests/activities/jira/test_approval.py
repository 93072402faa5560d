"""Who may decide: four-eyes approval, and the approvers of a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira.activities import JiraActivities
from activities.jira.settings import JiraSettings
from activities.jira.types import Gate, ReadTicketRequest, TicketDecision, TicketReference, TicketRequest
from tests.activities.jira.conftest import MakeSettings, attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

MakeJira = Callable[[JiraSettings], JiraActivities]
APPROVALS = [Gate.PIA, Gate.RESULTS, Gate.PRODUCTION]
LOOK_UP = "GET .*/(user|group/member)"


@pytest.fixture
async def ticket(jira: JiraActivities, request_for: Callable[..., TicketRequest]) -> TicketReference:
    opened = await attempt().run(jira.open_ticket, request_for())
    return TicketReference(issue_id=opened.issue_id, key=opened.key)


async def decision_of(jira: JiraActivities, ticket: TicketReference, **more: Any) -> TicketDecision:
    """The decision on a ticket, read with more in the request."""
    request = ReadTicketRequest.model_validate({**ticket.model_dump(), **more})
    decision = (await attempt().run(jira.read_ticket, request)).decision
    assert decision is not None
    return decision


async def test_the_status_before_the_decision_is_told(
    jira: JiraActivities, ticket: TicketReference, paul: Person
) -> None:
    paul.move(ticket.key, "In Review")
    paul.move(ticket.key, "Done")

    assert (await decision_of(jira, ticket)).previous_status == "In Review"


@pytest.mark.parametrize("gate", APPROVALS)
async def test_the_requester_cannot_approve(
    jira: JiraActivities, ticket: TicketReference, rita: Person, gate: Gate
) -> None:
    rita.move(ticket.key, "Done")
    decision = await decision_of(jira, ticket, gate=gate, four_eyes=True, requested_by=f" {rita.id.upper()}")

    assert "another person" in decision.refused_because
    assert decision.decided_by == rita.id


@pytest.mark.parametrize("gate", APPROVALS)
async def test_somebody_else_can_approve(
    jira: JiraActivities, ticket: TicketReference, rita: Person, paul: Person, gate: Gate
) -> None:
    paul.move(ticket.key, "Done")
    decision = await decision_of(jira, ticket, gate=gate, four_eyes=True, requested_by=rita.id)

    assert decision.refused_because == ""


async def test_the_account_of_the_process_cannot_approve(
    jira: JiraActivities, ticket: TicketReference, service: Person, proxy: FaultyProxy
) -> None:
    service.move(ticket.key, "Done")
    for _ in range(2):
        decision = await decision_of(jira, ticket, gate=Gate.PRODUCTION, four_eyes=True, requested_by="somebody")

    assert "process itself" in decision.refused_because
    assert proxy.count("GET .*/myself") == 1


@pytest.mark.parametrize(
    "more",
    [{"gate": Gate.TEST_FAILURE, "four_eyes": True}, {"gate": Gate.PIA, "four_eyes": False}, {}],
    ids=["test failure", "four eyes off", "a reference only"],
)
async def test_elsewhere_the_requester_may_decide(
    jira: JiraActivities, ticket: TicketReference, rita: Person, more: dict[str, Any]
) -> None:
    rita.move(ticket.key, "Rejected")
    requested_by = {"requested_by": rita.id} if more else {}

    assert (await decision_of(jira, ticket, **more, **requested_by)).refused_because == ""


async def test_an_account_that_cannot_be_told_is_not_taken_for_another_person(
    jira: JiraActivities, ticket: TicketReference, paul: Person, proxy: FaultyProxy
) -> None:
    paul.move(ticket.key, "Done")
    proxy.faults.append(Fault("GET .*/myself", status=500))
    with pytest.raises(ApplicationError) as failure:
        await decision_of(jira, ticket, gate=Gate.PIA, four_eyes=True, requested_by="rita")

    assert failure.value.type == "Unavailable"


@pytest.mark.parametrize("gate", list(Gate))
async def test_only_the_approvers_of_a_gate_may_decide(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, paul: Person, vera: Person, gate: Gate
) -> None:
    name = {Gate.PIA: "pia", Gate.TEST_FAILURE: "test_failure", Gate.RESULTS: "results"}.get(gate, "production")
    jira = make_jira(make_settings(gates={name: {"approvers": [paul.id.upper()]}}))
    paul.move(ticket.key, "Done")
    approved = await decision_of(jira, ticket, gate=gate)
    vera.move(ticket.key, "To Do")
    vera.move(ticket.key, "Done")
    refused = await decision_of(jira, ticket, gate=gate)

    assert (approved.refused_because, approved.decided_by) == ("", paul.id)
    assert refused.decided_by == vera.id
    assert paul.id.upper() in refused.refused_because


async def test_the_members_of_an_approving_group_may_decide(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, paul: Person, vera: Person
) -> None:
    jira = make_jira(make_settings(gates={"pia": {"approvers": ["somebody", "model-risk"]}}))
    vera.move(ticket.key, "Done")
    approved = await decision_of(jira, ticket, gate=Gate.PIA)
    paul.move(ticket.key, "To Do")
    paul.move(ticket.key, "Done")
    refused = await decision_of(jira, ticket, gate=Gate.PIA)

    assert approved.refused_because == ""
    assert refused.refused_because == "only somebody, model-risk may decide this ticket"


async def test_an_approver_who_asked_for_the_implementation_is_refused_all_the_same(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, vera: Person
) -> None:
    jira = make_jira(make_settings(gates={"pia": {"approvers": ["model-risk"]}}))
    vera.move(ticket.key, "Done")
    decision = await decision_of(jira, ticket, gate=Gate.PIA, four_eyes=True, requested_by=vera.id)

    assert "another person" in decision.refused_because


async def test_a_group_that_may_not_be_looked_up_is_an_error_and_no_permission(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, vera: Person, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(gates={"pia": {"approvers": ["model-risk"]}}))
    vera.move(ticket.key, "Done")
    proxy.faults.append(Fault(LOOK_UP, status=403))
    with pytest.raises(ApplicationError) as failure:
        await decision_of(jira, ticket, gate=Gate.PIA)

    assert (failure.value.type, failure.value.non_retryable) == ("Forbidden", True)
    assert "global permission" in failure.value.message


async def test_a_group_that_cannot_be_looked_up_now_is_tried_again(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: TicketReference, vera: Person, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(gates={"pia": {"approvers": ["model-risk"]}}))
    vera.move(ticket.key, "Done")
    proxy.faults.append(Fault(LOOK_UP))
    with pytest.raises(ApplicationError) as failure:
        await decision_of(jira, ticket, gate=Gate.PIA)

    assert (failure.value.type, failure.value.non_retryable) == ("Unreachable", False)
