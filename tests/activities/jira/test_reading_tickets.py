from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira import reading
from activities.jira.activities import JiraActivities
from activities.jira.answers import Issue
from activities.jira.settings import JiraSettings
from activities.jira.statuses import Statuses
from activities.jira.types import ReadTicketRequest, TicketRequest, Verdict
from tests.activities.jira.conftest import ON_CLOUD, MakeSettings, attempt
from tests.activities.jira.people import Person

RequestFor = Callable[..., TicketRequest]
MakeJira = Callable[[JiraSettings], JiraActivities]

# More than Cloud adds to an issue.
LATER_CHANGES = 101


@pytest.fixture
async def ticket(jira: JiraActivities, request_for: RequestFor) -> ReadTicketRequest:
    opened = await attempt().run(jira.open_ticket, request_for())
    return ReadTicketRequest(issue_id=opened.issue_id, key=opened.key)


async def test_an_open_ticket_carries_no_decision(
    jira: JiraActivities, ticket: ReadTicketRequest, jira_url: str
) -> None:
    seen = await attempt().run(jira.read_ticket, ticket)

    assert (seen.key, seen.issue_id, seen.status) == (ticket.key, ticket.issue_id, "To Do")
    assert (seen.decision, seen.url) == (None, f"{jira_url}/browse/{ticket.key}")


@pytest.mark.parametrize(("status", "verdict"), [("Done", Verdict.DONE), ("Rejected", Verdict.REJECTED)])
async def test_who_decided_and_when_is_read_from_the_changelog(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, status: str, verdict: Verdict
) -> None:
    before = datetime.now(UTC)
    paul.move(ticket.key, status)
    decision = (await attempt().run(jira.read_ticket, ticket)).decision

    assert decision is not None
    assert (decision.verdict, decision.decided_by) == (verdict, paul.id)
    assert decision.decided_by_name == "Paul Privacy (privacy officer)"
    assert abs(decision.decided_at - before) < timedelta(seconds=10)


async def test_a_reopened_ticket_carries_no_decision(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person
) -> None:
    paul.move(ticket.key, "Done")
    paul.move(ticket.key, "To Do")
    seen = await attempt().run(jira.read_ticket, ticket)

    assert (seen.status, seen.decision) == ("To Do", None)


async def test_after_reopening_the_newest_decision_counts_and_not_the_first(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, vera: Person
) -> None:
    paul.move(ticket.key, "Done")
    first = (await attempt().run(jira.read_ticket, ticket)).decision
    paul.move(ticket.key, "To Do")
    vera.move(ticket.key, "Rejected")
    second = (await attempt().run(jira.read_ticket, ticket)).decision

    assert first and second
    assert (second.verdict, second.decided_by) == (Verdict.REJECTED, vera.id)
    assert second.change_id != first.change_id


async def test_the_same_decision_taken_again_by_another_person_is_that_persons(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, vera: Person
) -> None:
    paul.move(ticket.key, "Done")
    vera.move(ticket.key, "To Do")
    vera.move(ticket.key, "Done")
    decision = (await attempt().run(jira.read_ticket, ticket)).decision

    assert decision and decision.decided_by == vera.id


async def test_status_names_are_settings_in_any_case(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: ReadTicketRequest, paul: Person
) -> None:
    settings = make_settings(done_statuses=["Approved", "in review"], rejected_statuses=["Rejected"])
    paul.move(ticket.key, "In Review")
    decision = (await attempt().run(make_jira(settings).read_ticket, ticket)).decision

    assert decision and decision.verdict is Verdict.DONE


async def test_a_final_status_that_is_not_configured_decides_nothing(
    make_settings: MakeSettings, make_jira: MakeJira, ticket: ReadTicketRequest, paul: Person
) -> None:
    paul.move(ticket.key, "Done")
    seen = await attempt().run(make_jira(make_settings(done_statuses=["Approved"])).read_ticket, ticket)

    assert (seen.status, seen.decision) == ("Done", None)


async def test_the_comment_of_a_decision_is_the_last_one_of_the_person_who_decided(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, vera: Person
) -> None:
    paul.comment(ticket.key, "first thought")
    paul.comment(ticket.key, "Accuracy < 0.8 is fine here,\nrecall > 0.5. Größe 模型")
    vera.comment(ticket.key, "not mine to decide")
    paul.move(ticket.key, "Done")
    decision = (await attempt().run(jira.read_ticket, ticket)).decision

    assert decision and decision.comment == "Accuracy < 0.8 is fine here, recall > 0.5. Größe 模型"


async def test_a_long_comment_is_shortened(jira: JiraActivities, ticket: ReadTicketRequest, paul: Person) -> None:
    paul.comment(ticket.key, "x" * 2000)
    paul.move(ticket.key, "Done")
    decision = (await attempt().run(jira.read_ticket, ticket)).decision

    assert decision and decision.comment == "x" * 499 + "…"


async def test_a_ticket_that_moved_to_another_project_is_followed_by_its_id(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, jira_url: str
) -> None:
    moved = paul.move_to_project(ticket.key, "OPS")
    paul.move(moved, "Done")
    seen = await attempt().run(jira.read_ticket, ticket)

    assert (seen.key, seen.issue_id, seen.url) == (moved, ticket.issue_id, f"{jira_url}/browse/{moved}")
    assert moved.startswith("OPS-")
    assert seen.decision and seen.decision.decided_by == paul.id


async def test_a_deleted_ticket_is_an_error_that_says_so_and_never_a_decision(
    jira: JiraActivities, ticket: ReadTicketRequest, admin: Person
) -> None:
    admin.delete(ticket.key)
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.read_ticket, ticket)

    assert (failure.value.type, failure.value.non_retryable) == ("NotFound", True)
    assert ticket.key in failure.value.message and "deleted" in failure.value.message


@ON_CLOUD
async def test_a_decision_behind_many_later_changes_is_found(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, vera: Person
) -> None:
    vera.move(ticket.key, "Done")
    for number in range(LATER_CHANGES):
        paul.edit(ticket.key, labels=[f"edited-{number}"])
    shown = paul.get(f"issue/{ticket.key}", expand="changelog")["changelog"]
    decision = (await attempt().run(jira.read_ticket, ticket)).decision

    assert shown["total"] > len(shown["histories"])
    assert decision and decision.decided_by == vera.id


def test_an_account_that_cloud_cannot_tell_is_nobody(settings: JiraSettings) -> None:
    change = _change(1, "", "2026-03-01T09:00:00.000+0000", "done")
    change["author"] = {"accountId": "unknown", "displayName": "Former user"}
    assert reading.read(_issue([change]), Statuses(settings), "").decision is None


def test_the_order_of_the_changelog_does_not_matter_and_ids_settle_the_same_instant(settings: JiraSettings) -> None:
    changes = [
        _change(12, "vera", "2026-03-01T10:00:00.000+0100", "done"),
        _change(9, "paul", "2026-03-01T09:00:00.000+0000", "done"),
        _change(13, "rita", "2026-03-01T08:59:59.999+0000", "done"),
        _change(14, "aaron", "2026-03-01T11:00:00.000+0000", "done", field="Workflow"),
    ]
    for histories in (changes, changes[::-1]):
        decision = reading.read(_issue(histories), Statuses(settings), "").decision
        assert decision and (decision.decided_by, decision.change_id) == ("vera", "12")
        assert decision.decided_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_ticket_created_in_its_final_status_carries_no_decision(settings: JiraSettings) -> None:
    assert reading.read(_issue([]), Statuses(settings), "").decision is None


def test_a_change_whose_author_is_unknown_is_nobodys_decision(settings: JiraSettings) -> None:
    anonymous = {**_change(1, "", "2026-03-01T09:00:00.000+0000", "done"), "author": None}
    assert reading.read(_issue([anonymous]), Statuses(settings), "").decision is None


def test_the_account_id_of_cloud_goes_before_the_name(settings: JiraSettings) -> None:
    change = _change(1, "old-name", "2026-03-01T09:00:00.000+0000", "done")
    change["author"] = {"accountId": "5b10a2844c20165700ede21g", "name": "old-name", "displayName": "Mia"}
    decision = reading.read(_issue([change]), Statuses(settings), "").decision
    assert decision and (decision.decided_by, decision.decided_by_name) == ("5b10a2844c20165700ede21g", "Mia")


def test_a_comment_for_some_people_only_is_not_copied(settings: JiraSettings) -> None:
    change = _change(1, "paul", "2026-03-01T09:00:00.000+0000", "done")
    confidential: dict[str, object] = {
        "id": "1",
        "author": {"name": "paul"},
        "body": "about a named person",
        "created": "2026-03-01T08:00:00.000+0000",
        "visibility": {"type": "role", "value": "Administrators"},
    }
    decision = reading.read(_issue([change], comments=[confidential]), Statuses(settings), "").decision
    assert decision and decision.comment == ""


def _change(number: int, author: str, created: str, to: str, field: str = "status") -> dict[str, object]:
    item = {"field": field, "from": "todo", "fromString": "To Do", "to": to, "toString": "Done"}
    return {"id": str(number), "author": {"name": author}, "created": created, "items": [item]}


def _issue(histories: list[dict[str, object]], comments: list[dict[str, object]] | None = None) -> Issue:
    fields = {
        "status": {"id": "done", "name": "Done", "statusCategory": {"key": "done"}},
        "labels": [],
        "comment": {"comments": comments or [], "total": len(comments or [])},
    }
    return Issue.model_validate({"id": "1", "key": "GOV-1", "fields": fields, "changelog": {"histories": histories}})
