"""Other tickets with the label of one that a run waits on: a late creation, or somebody's clone."""

from __future__ import annotations

import logging
import secrets

import pytest

from activities.jira.activities import JiraActivities
from activities.jira.types import DuplicateSearchRequest
from tests.activities.jira.conftest import attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

SEARCH, TRANSITION = "POST .*/search(/jql)?", "POST .*/transitions"


@pytest.fixture
def label() -> str:
    return f"mlc-{secrets.token_hex(12)}"


async def test_duplicates_are_commented_once_and_closed_and_the_original_is_left_alone(
    jira: JiraActivities, paul: Person, label: str, jira_url: str
) -> None:
    original, open_one, decided = (paul.create(labels=[label, "sagemaker-mlc"]) for _ in range(3))
    paul.move(decided["key"], "Done")
    request = DuplicateSearchRequest(waiting={label: original["id"]})
    first = await attempt().run(jira.close_duplicate_tickets, request)
    again = await attempt().run(jira.close_duplicate_tickets, request)

    assert (first.keys, again.keys) == ([open_one["key"]], [])
    assert [paul.status(issue["key"]) for issue in (original, open_one, decided)] == ["To Do", "Rejected", "Done"]
    assert paul.comments(original["key"]) == []
    for issue in (open_one, decided):
        (comment,) = paul.comments(issue["key"])
        assert f"[{original['key']}|{jira_url}/browse/{original['key']}]" in comment
        assert "decides nothing" in comment


async def test_the_ticket_that_is_waited_on_stays_although_it_is_the_younger_one(
    jira: JiraActivities, paul: Person, label: str
) -> None:
    older, waited_on = paul.create(labels=[label]), paul.create(labels=[label])
    await attempt().run(jira.close_duplicate_tickets, DuplicateSearchRequest(waiting={label: waited_on["id"]}))

    assert (paul.status(older["key"]), paul.status(waited_on["key"])) == ("Rejected", "To Do")


async def test_a_ticket_that_a_run_waits_on_is_never_closed_for_a_label_that_was_added_to_it(
    jira: JiraActivities, paul: Person, label: str
) -> None:
    other_label = f"mlc-{secrets.token_hex(12)}"
    one, other = paul.create(labels=[label]), paul.create(labels=[other_label, label])
    request = DuplicateSearchRequest(waiting={label: one["id"], other_label: other["id"]})
    closed = await attempt().run(jira.close_duplicate_tickets, request)

    assert closed.keys == []
    assert (paul.status(other["key"]), paul.comments(other["key"])) == ("To Do", [])


async def test_many_labels_are_searched_for_fifty_at_a_time(
    jira: JiraActivities, paul: Person, label: str, proxy: FaultyProxy
) -> None:
    original, duplicate = paul.create(labels=[label]), paul.create(labels=[label])
    others = {f"mlc-{secrets.token_hex(12)}": str(1_000_000 + number) for number in range(100)}
    closed = await attempt().run(
        jira.close_duplicate_tickets, DuplicateSearchRequest(waiting={**others, label: original["id"]})
    )

    assert closed.keys == [duplicate["key"]]
    assert proxy.count(SEARCH) == 3


async def test_closing_is_a_sign_of_life_with_every_duplicate(
    jira: JiraActivities, paul: Person, label: str, proxy: FaultyProxy
) -> None:
    original, *_ = (paul.create(labels=[label]) for _ in range(3))
    beats: list[int] = []
    environment = attempt()
    environment.on_heartbeat = lambda *_: beats.append(proxy.count(TRANSITION))
    await environment.run(jira.close_duplicate_tickets, DuplicateSearchRequest(waiting={label: original["id"]}))

    assert {1, 2} <= set(beats)


async def test_nothing_is_closed_if_the_ticket_that_is_waited_on_is_gone(
    jira: JiraActivities, paul: Person, admin: Person, label: str
) -> None:
    original, duplicate = paul.create(labels=[label]), paul.create(labels=[label])
    admin.delete(original["key"])
    closed = await attempt().run(jira.close_duplicate_tickets, DuplicateSearchRequest(waiting={label: original["id"]}))

    assert closed.keys == []
    assert (paul.status(duplicate["key"]), paul.comments(duplicate["key"])) == ("To Do", [])


@pytest.mark.parametrize("status", [403, 500])
async def test_a_duplicate_that_cannot_be_closed_now_is_logged_and_does_not_stop_the_others(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    labels = sorted(f"mlc-{secrets.token_hex(12)}" for _ in range(2))
    originals = [paul.create(labels=[label]) for label in labels]
    duplicates = [paul.create(labels=[label])["key"] for label in labels]
    request = DuplicateSearchRequest(waiting={label: o["id"] for label, o in zip(labels, originals, strict=True)})
    proxy.faults.append(Fault(TRANSITION, status=status))
    with caplog.at_level(logging.WARNING):
        first = await attempt().run(jira.close_duplicate_tickets, request)
    second = await attempt().run(jira.close_duplicate_tickets, request)

    assert (first.keys, second.keys) == ([duplicates[1]], [duplicates[0]])
    assert duplicates[0] in caplog.text
    assert len(paul.comments(duplicates[0])) == 1
