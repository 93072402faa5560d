"""How many tickets stand, in as few calls as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira.activities import JiraActivities
from activities.jira.types import Sighting, SightingsRequest, Verdict
from tests.activities.jira.conftest import attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

BATCH, SINGLE = "POST .*/(search|issue/bulkfetch)", "GET .*/issue/.*"


async def sight(jira: JiraActivities, keys: Sequence[str]) -> dict[str, Sighting]:
    """The sightings of some tickets by the key asked for."""
    seen = (await attempt().run(jira.sight_tickets, SightingsRequest(keys=list(keys)))).tickets
    assert len({sighting.key for sighting in seen}) == len(seen)
    return {sighting.key: sighting for sighting in seen}


def tickets(paul: Person, count: int, **fields: object) -> list[str]:
    """Keys of new tickets."""
    return [paul.create(**fields)["key"] for _ in range(count)]


async def test_verdict_status_labels_and_time_of_each_ticket_are_told(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    waits, done, rejected = tickets(paul, 3, labels=["mlc-x"])
    paul.move(done, "Done")
    paul.move(rejected, "Rejected")
    seen = await sight(jira, [waits, done, rejected])

    assert [seen[key].verdict for key in (waits, done, rejected)] == [None, Verdict.DONE, Verdict.REJECTED]
    stored = paul.get(f"issue/{done}")
    assert seen[done] == Sighting(
        key=done,
        present_key=done,
        issue_id=stored["id"],
        status_id=stored["fields"]["status"]["id"],
        updated=stored["fields"]["updated"],
        verdict=Verdict.DONE,
        labels=["mlc-x"],
    )
    assert (proxy.count(BATCH), proxy.count(SINGLE)) == (1, 0)


async def test_a_hundred_tickets_are_one_call_and_one_more_is_two(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    keys = tickets(paul, 101)
    seen = await sight(jira, [*keys, keys[0]])

    assert list(seen) == keys
    assert (proxy.count(BATCH), proxy.count(SINGLE)) == (2, 0)


async def test_no_tickets_are_no_call(jira: JiraActivities, proxy: FaultyProxy) -> None:
    assert await sight(jira, []) == {}
    assert proxy.requests == []


async def test_a_moved_ticket_is_found_under_its_old_key(jira: JiraActivities, paul: Person) -> None:
    stays, moves = tickets(paul, 2)
    present = paul.move_to_project(moves, "OPS")
    paul.move(present, "Done")
    seen = await sight(jira, [moves, stays])

    assert (seen[moves].present_key, seen[moves].verdict) == (present, Verdict.DONE)
    assert not seen[moves].missing and not seen[stays].missing


async def test_deleted_hidden_and_invented_tickets_are_missing_and_no_verdict(
    jira: JiraActivities, paul: Person, admin: Person, proxy: FaultyProxy
) -> None:
    stays, deleted, hidden = tickets(paul, 3)
    paul.move(hidden, "Done")
    admin.delete(deleted)
    paul.hide(hidden)
    seen = await sight(jira, [stays, deleted, hidden, "GOV-999999", "NOPE-1"])

    assert [key for key, sighting in seen.items() if sighting.missing] == [deleted, hidden, "GOV-999999", "NOPE-1"]
    assert not any(sighting.verdict for sighting in seen.values())
    assert (proxy.count(BATCH), proxy.count(SINGLE)) == (1, 4)


async def test_a_ticket_that_the_index_does_not_show_yet_is_not_missing(
    jira: JiraActivities, paul: Person, search_trails_behind: Callable[[float], None]
) -> None:
    search_trails_behind(60)
    keys = tickets(paul, 2)
    seen = await sight(jira, keys)

    assert [seen[key].missing for key in keys] == [False, False]


@pytest.mark.parametrize(
    "fault",
    [Fault(BATCH, status=500), Fault(BATCH, status=400), Fault(BATCH), Fault(BATCH, status=200, body="<h1>Sorry</h1>")],
    ids=["500", "400", "cut", "page"],
)
async def test_a_batch_that_fails_is_read_one_by_one(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy, fault: Fault
) -> None:
    keys = tickets(paul, 3)
    proxy.faults.append(fault)
    seen = await sight(jira, [*keys, "GOV-999999"])

    assert list(seen) == [*keys, "GOV-999999"]
    assert seen["GOV-999999"].missing
    assert proxy.count(SINGLE) == 4


async def test_reading_one_by_one_is_a_sign_of_life_with_every_ticket(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    keys = tickets(paul, 3)
    proxy.faults.append(Fault(BATCH, status=500))
    beats: list[int] = []
    environment = attempt()
    environment.on_heartbeat = lambda *_: beats.append(proxy.count(SINGLE))
    await environment.run(jira.sight_tickets, SightingsRequest(keys=keys))

    assert {1, 2, 3} <= set(beats)


async def test_a_ticket_that_cannot_be_read_is_left_out_and_not_missing(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    first, second, third = tickets(paul, 3)
    proxy.faults += [Fault(BATCH, status=500), Fault(f"GET .*/issue/{second}", status=500)]

    assert list(await sight(jira, [first, second, third])) == [first, third]


@pytest.mark.parametrize("status", [429, 401])
async def test_a_caller_who_is_refused_does_not_ask_for_each_ticket(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy, status: int
) -> None:
    keys = tickets(paul, 3)
    proxy.faults.append(Fault(BATCH, status=status))
    with pytest.raises(ApplicationError):
        await sight(jira, keys)

    assert proxy.count(SINGLE) == 0


async def test_a_jira_that_is_away_is_an_error_after_two_calls(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    keys = tickets(paul, 3)
    proxy.faults += [Fault(BATCH), Fault(SINGLE)]
    with pytest.raises(ApplicationError) as failure:
        await sight(jira, keys)

    assert failure.value.type == "Unreachable"
    assert (proxy.count(BATCH), proxy.count(SINGLE)) == (1, 1)


async def test_a_jira_that_goes_away_meanwhile_leaves_the_rest_of_the_batch_for_the_next_time(
    jira: JiraActivities, paul: Person, proxy: FaultyProxy
) -> None:
    first, second, third = tickets(paul, 3)
    proxy.faults += [Fault(BATCH, status=500), Fault(f"GET .*/issue/{second}", status=429)]

    assert list(await sight(jira, [first, second, third])) == [first]
    assert proxy.count(f"GET .*/issue/{third}") == 0
