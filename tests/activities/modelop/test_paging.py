"""How lists are read: every page, newest first, and no further back than needed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.modelop import client as client_module
from activities.modelop import exchange
from activities.modelop.client import ModelOpClient
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.conftest import settings_for
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def entity(name: str, *, age: timedelta = timedelta(0)) -> dict[str, Any]:
    return {"id": name, "createdDate": (START - age).isoformat()}


def page(*entities: dict[str, Any], number: int = 0, total: int = 1, key: str = "jobs") -> Reply:
    return json_reply({"_embedded": {key: list(entities)}, "page": {"number": number, "totalPages": total}})


async def ids(client: ModelOpClient, since: datetime | None = None) -> list[str]:
    return [entry["id"] async for entry in client.entries("jobs", since=since)]


async def test_three_pages_are_read_in_order(scripted: ScriptedServer, scripted_client: ModelOpClient) -> None:
    scripted.script(
        *(page(entity(name), number=number, total=3) for number, name in enumerate(["a", "b", "c"])),
        Reply(500),
    )
    assert await ids(scripted_client) == ["a", "b", "c"]
    queries = [request.query for request in scripted.received]
    assert queries == [{"page": str(n), "size": "100", "sort": "createdDate,desc"} for n in range(3)]


async def test_a_list_without_embedded_entities_is_empty(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(json_reply({"page": {"totalElements": 0, "totalPages": 0, "number": 0}}), Reply(500))
    assert await ids(scripted_client) == []


async def test_the_key_of_the_list_does_not_matter_and_subtypes_may_have_one_each(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    mixed = {"_embedded": {"modelBatchTestJobs": [entity("a")], "modelBatchJobs": [entity("b")], "note": "x"}}
    scripted.script(json_reply(mixed))
    assert await ids(scripted_client) == ["a", "b"]


async def test_without_page_counts_the_link_to_the_next_page_is_followed(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    first = {"_embedded": {"jobs": [entity("a")]}, "_links": {"next": {"href": "ignored"}}}
    scripted.script(json_reply(first), json_reply({"_embedded": {"jobs": [entity("b")]}}), Reply(500))
    assert await ids(scripted_client) == ["a", "b"]


async def test_a_look_up_stops_at_entries_older_than_asked_for(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    old = entity("old", age=timedelta(days=2))
    scripted.script(page(entity("new"), old, total=50), Reply(500))
    assert await ids(scripted_client, since=START - timedelta(days=1)) == ["new"]
    assert len(scripted.received) == 1


async def test_a_server_that_does_not_sort_newest_first_is_read_to_the_end(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    old = entity("old", age=timedelta(days=2))
    older = entity("older", age=timedelta(days=3))
    scripted.script(page(older, old, total=2), page(entity("a"), entity("b"), number=1, total=2), Reply(500))
    assert await ids(scripted_client, since=START - timedelta(days=1)) == ["a", "b"]


async def test_an_entry_without_a_readable_date_is_never_left_out(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    undated: list[dict[str, Any]] = [
        {"id": "a"},
        {"id": "b", "createdDate": "yesterday"},
        {"id": "c", "createdDate": 10**30},
    ]
    scripted.script(page(*undated))
    assert await ids(scripted_client, since=START) == ["a", "b", "c"]


async def test_a_list_without_end_is_an_error_and_not_an_absence(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_PAGES", 3)
    scripted.script(page(entity("a"), total=10**6))
    with pytest.raises(ApplicationError, match="lists more than 300 jobs") as caught:
        await ids(scripted_client)
    assert caught.value.non_retryable
    assert len(scripted.received) == 3


async def test_more_than_a_hundred_entities_of_the_sandbox_are_all_seen(client: ModelOpClient) -> None:
    batch = str(uuid.uuid4())
    body = {"notificationType": "PROCESS_NOTIFICATION", "severity": "INFO", "storedModelId": GERMAN_CREDIT}
    for number in range(120):
        await client.post("notifications", {**body, "message": f"{batch} {number}"})
    seen = [entry["message"] async for entry in client.entries("notifications") if batch in entry["message"]]
    assert sorted(seen) == sorted(f"{batch} {number}" for number in range(120))


async def test_the_newest_pages_end_without_an_error(scripted: ScriptedServer, scripted_client: ModelOpClient) -> None:
    scripted.script(page(entity("a"), total=10**6))
    assert [entry["id"] async for entry in scripted_client.entries("jobs", newest_pages=4)] == ["a"] * 4
    assert len(scripted.received) == 4


async def test_each_page_is_a_heartbeat(scripted: ScriptedServer, scripted_client: ModelOpClient) -> None:
    scripted.script(*(page(entity(f"{number}"), number=number, total=5) for number in range(5)), Reply(500))
    environment = ActivityEnvironment()
    beats: list[tuple[Any, ...]] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    assert await environment.run(ids, scripted_client) == ["0", "1", "2", "3", "4"]
    assert len(beats) == 5


async def test_pages_that_are_too_large_are_asked_again_in_smaller_ones(
    client: ModelOpClient, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = str(uuid.uuid4())
    body = {"notificationType": "PROCESS_NOTIFICATION", "severity": "INFO", "storedModelId": GERMAN_CREDIT}
    for number in range(130):
        padding = "x" * 700_000 if number in (31, 32, 90) else ""
        await client.post("notifications", {**body, "message": f"{batch} {number} {padding}"})
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 1024 * 1024)
    asked: list[tuple[int, int]] = []

    async def note(request: httpx.Request) -> None:
        asked.append((int(request.url.params["page"]), int(request.url.params["size"])))

    seen = [number async for number in batch_numbers(sandbox_url, batch, note)]
    assert seen == list(reversed(range(130)))
    assert {size for _, size in asked} == {100, 20, 4, 1}
    assert len(asked) < 40


async def batch_numbers(url: str, batch: str, note: Any) -> AsyncIterator[int]:
    """The numbers of a batch of notifications in the order in which they are listed."""

    class Noting(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await note(request)
            return await super().handle_async_request(request)

    reader = ModelOpClient(settings_for(url), transport=Noting())
    async for entry in reader.entries("notifications"):
        if entry["message"].startswith(batch):
            yield int(entry["message"].split()[1])
    await reader.aclose()


async def test_a_single_entity_that_is_too_large_is_a_final_error(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 1024)
    scripted.script(page({"id": "x" * 2000}))
    with pytest.raises(ApplicationError, match="answered GET jobs with more than") as caught:
        await ids(scripted_client)
    assert (caught.value.type, caught.value.non_retryable) == ("UnexpectedAnswer", True)
    assert [request.query["size"] for request in scripted.received] == ["100", "20", "4", "1"]


async def test_nothing_is_left_out_where_the_server_holds_to_pages_of_its_own_size(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 100_000)
    everything = [{"id": str(number), "pad": "x" * (60_000 if number in (57, 58) else 0)} for number in range(130)]

    async def answer(request: Received) -> Reply:
        number, size = int(request.query["page"]), min(int(request.query["size"]), 50)
        served = everything[number * size : (number + 1) * size]
        facts = {"number": number, "size": size, "totalPages": -(-len(everything) // size)}
        return json_reply({"_embedded": {"jobs": served}, "page": facts})

    scripted.answer = answer
    assert await ids(scripted_client) == [str(number) for number in range(130)]
