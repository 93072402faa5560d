"""Statuses that an administrator renames while tickets wait: what they mean is a matter of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.answers import Status
from activities.jira.settings import JiraSettings
from activities.jira.statuses import Statuses
from activities.jira.types import (
    CloseTicketRequest,
    ReadTicketRequest,
    SightingsRequest,
    TicketReference,
    TicketRequest,
    Verdict,
)
from tests.activities.jira.conftest import ON_CLOUD, attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

NAMES = {"10000": "To Do", "10001": "In Review", "10002": "Done", "10003": "Rejected"}
Rename = Callable[[str, str], None]


@pytest.fixture
def rename(admin: Person) -> Iterator[Rename]:
    """Renames a status until the end of the test."""
    yield admin.rename_status
    for swapped in (True, False):
        # Two statuses may have taken each other's names.
        for status, name in NAMES.items():
            admin.rename_status(status, f"{name} again" if swapped else name)


@pytest.fixture
async def ticket(jira: JiraActivities, request_for: Callable[..., TicketRequest]) -> ReadTicketRequest:
    """A ticket that was read once, under the names that the settings have."""
    opened = await attempt().run(jira.open_ticket, request_for())
    asked = ReadTicketRequest(issue_id=opened.issue_id, key=opened.key)
    assert (await attempt().run(jira.read_ticket, asked)).decision is None
    return asked


async def test_a_decision_in_a_renamed_status_counts(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, rename: Rename
) -> None:
    rename("Done", "Approved")
    paul.move(ticket.key, "Approved")
    seen = await attempt().run(jira.read_ticket, ticket)
    (sighting,) = (await attempt().run(jira.sight_tickets, SightingsRequest(keys=[ticket.key]))).tickets

    assert seen.status == "Approved"
    assert seen.decision and (seen.decision.verdict, seen.decision.decided_by) == (Verdict.DONE, paul.id)
    assert sighting.verdict is Verdict.DONE


async def test_a_status_that_is_given_the_name_of_another_decides_nothing(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, rename: Rename
) -> None:
    paul.move(ticket.key, "In Review")
    rename("Done", "Approved")
    rename("In Review", "Done")
    seen = await attempt().run(jira.read_ticket, ticket)

    assert (seen.status, seen.decision) == ("Done", None)


async def test_a_decision_is_not_turned_round_by_statuses_that_swap_their_names(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, rename: Rename
) -> None:
    paul.move(ticket.key, "Rejected")
    rename("Done", "Approved")
    rename("Rejected", "Done")
    seen = await attempt().run(jira.read_ticket, ticket)

    assert seen.decision and seen.decision.verdict is Verdict.REJECTED


async def test_a_ticket_is_closed_into_the_renamed_closing_status(
    jira: JiraActivities, ticket: ReadTicketRequest, paul: Person, rename: Rename, run: RunIdentity
) -> None:
    rename("Rejected", "Refused")
    reference = TicketReference(issue_id=ticket.issue_id, key=ticket.key)
    await attempt().run(jira.close_ticket, CloseTicketRequest(run=run, ticket=reference, reason="aborted"))

    assert paul.status(ticket.key) == "Refused"


async def test_the_statuses_are_asked_for_once(
    jira: JiraActivities, ticket: ReadTicketRequest, proxy: FaultyProxy
) -> None:
    proxy.requests.clear()
    await attempt().run(jira.read_ticket, ticket)

    assert proxy.count("GET .*/status") == 0


@ON_CLOUD
async def test_where_jira_does_not_tell_its_statuses_their_names_serve_and_it_is_not_asked_with_every_ticket(
    jira: JiraActivities, request_for: Callable[..., TicketRequest], paul: Person, proxy: FaultyProxy
) -> None:
    proxy.faults.append(Fault("GET .*/status", status=403))
    opened = await attempt().run(jira.open_ticket, request_for())
    paul.move(opened.key, "Done")
    for _ in range(3):
        seen = await attempt().run(jira.read_ticket, ReadTicketRequest(issue_id=opened.issue_id, key=opened.key))
        assert seen.decision and seen.decision.verdict is Verdict.DONE

    assert proxy.count("GET .*/status") == 1


@ON_CLOUD
async def test_statuses_that_jira_did_not_tell_are_asked_for_again_later_until_it_does(
    jira: JiraActivities,
    request_for: Callable[..., TicketRequest],
    proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activities.jira.activities.SECONDS_UNTIL_STATUSES_ARE_ASKED_AGAIN", 0.0)
    proxy.faults.append(Fault("GET .*/status", status=403))
    opened = await attempt().run(jira.open_ticket, request_for())
    for _ in range(3):
        await attempt().run(jira.read_ticket, ReadTicketRequest(issue_id=opened.issue_id, key=opened.key))

    assert proxy.count("GET .*/status") == 2


@ON_CLOUD
async def test_statuses_without_the_configured_names_are_not_asked_for_with_every_ticket(
    make_jira: Callable[[JiraSettings], JiraActivities],
    make_settings: Callable[..., JiraSettings],
    request_for: Callable[..., TicketRequest],
    proxy: FaultyProxy,
) -> None:
    jira = make_jira(make_settings(rejected_statuses=["Turned down"]))
    opened = await attempt().run(jira.open_ticket, request_for())
    for _ in range(3):
        await attempt().run(jira.read_ticket, ReadTicketRequest(issue_id=opened.issue_id, key=opened.key))

    assert proxy.count("GET .*/status") == 1


@pytest.mark.parametrize("missing", ["Done", "Rejected"])
def test_names_that_jira_does_not_have_yet_are_not_tied_to_ids(settings: JiraSettings, missing: str) -> None:
    statuses = Statuses(settings)
    names = {**NAMES, **{id_: "Later" for id_, name in NAMES.items() if name == missing}}
    assert not statuses.learn([Status(id=id_, name=name) for id_, name in names.items()])

    mended = Status(id=next(id_ for id_, name in names.items() if name == "Later"), name=missing)
    assert statuses.verdict(mended) == (Verdict.DONE if missing == "Done" else Verdict.REJECTED)


def test_a_status_that_was_added_since_is_told_by_its_name(settings: JiraSettings) -> None:
    statuses = Statuses(settings)
    assert statuses.learn([Status(id=id_, name=name) for id_, name in NAMES.items()])
    assert statuses.verdict(Status(id="10017", name="done")) is Verdict.DONE
