"""What becomes of answers that are no success: retried or final, and what the error says."""

from __future__ import annotations

import asyncio
import gzip
import uuid
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.modelop import exchange
from activities.modelop.client import ModelOpClient
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.conftest import settings_for
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply
from tests.processes import free_port


async def failure_of(call: Awaitable[Any]) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (400, "Refused", True),
        (401, "Unauthorized", True),
        (403, "Forbidden", True),
        (404, "NotFound", True),
        (405, "Refused", True),
        (408, "Unavailable", False),
        (409, "Conflict", False),
        (412, "Conflict", False),
        (413, "Refused", True),
        (422, "Refused", True),
        (429, "RateLimited", False),
        (500, "Unavailable", False),
        (502, "Unavailable", False),
        (503, "Unavailable", False),
        (504, "Unavailable", False),
    ],
)
async def test_each_status_is_retried_or_final(
    scripted: ScriptedServer, scripted_client: ModelOpClient, status: int, kind: str, final: bool
) -> None:
    scripted.script(json_reply({"message": "the group is unknown"}, status))
    error = await failure_of(scripted_client.get_model("m1"))
    assert (error.type, error.non_retryable) == (kind, final)
    assert f"ModelOp Center answered {status} to GET storedModels/m1: the group is unknown" in error.message


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("2.5", timedelta(seconds=2.5)),
        ("86400", timedelta(hours=1)),
        (None, None),
        ("soon", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_wait_that_is_asked_for_is_kept(
    scripted: ScriptedServer,
    scripted_client: ModelOpClient,
    status: int,
    header: str | None,
    expected: timedelta | None,
) -> None:
    scripted.script(Reply(status, b"", {"Retry-After": header} if header else {}))
    assert (await failure_of(scripted_client.get_model("m1"))).next_retry_delay == expected


async def test_the_wait_may_be_given_as_a_date(scripted: ScriptedServer, scripted_client: ModelOpClient) -> None:
    when = datetime.now(UTC) + timedelta(seconds=90)
    scripted.script(Reply(503, b"", {"Retry-After": format_datetime(when, usegmt=True)}))
    delay = (await failure_of(scripted_client.get_model("m1"))).next_retry_delay
    assert delay is not None
    assert timedelta(seconds=80) < delay <= timedelta(seconds=90)


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(body=b'{"id": "m1"', truncated=True)])
async def test_a_cut_connection_is_retried(
    scripted: ScriptedServer, scripted_client: ModelOpClient, reply: Reply
) -> None:
    scripted.script(reply)
    error = await failure_of(scripted_client.get_model("m1"))
    assert (error.type, error.non_retryable) == ("Unreachable", False)
    assert "GET storedModels/m1" in error.message


async def test_nobody_listening_is_retried() -> None:
    client = ModelOpClient(settings_for(f"http://127.0.0.1:{free_port()}"))
    error = await failure_of(client.get_model("m1"))
    await client.aclose()
    assert (error.type, error.non_retryable) == ("Unreachable", False)


async def test_a_server_that_sends_drop_by_drop_is_given_up(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "TOTAL_SECONDS", 0.3)
    scripted.script(Reply(200, b'{"id": "m1"}', pause=0.1))
    error = await failure_of(scripted_client.get_model("m1"))
    assert (error.type, error.non_retryable) == ("Unreachable", False)
    assert "TimeoutError" in error.message


async def test_a_login_page_instead_of_json_is_an_unexpected_answer(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    page = b"<html><head><title>Sign in</title></head><body>please</body></html>"
    scripted.script(Reply(200, page, {"Content-Type": "text/html"}))
    error = await failure_of(scripted_client.get_model("m1"))
    assert error.type == "UnexpectedAnswer"
    assert "text/html" in error.message
    assert "<" not in error.message


async def test_markup_of_an_error_page_stays_out_of_the_message(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(502, b"<html><body><h1>Bad Gateway</h1></body></html>", {"Content-Type": "text/html"}))
    error = await failure_of(scripted_client.get_model("m1"))
    assert "Bad Gateway" in error.message
    assert "<" not in error.message


async def test_a_redirect_is_not_followed(scripted: ScriptedServer, scripted_client: ModelOpClient) -> None:
    scripted.script(Reply(302, b"", {"Location": f"{scripted.url}/login"}))
    error = await failure_of(scripted_client.get_model("m1"))
    assert error.type == "UnexpectedAnswer"
    assert len(scripted.received) == 1


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null"])
async def test_json_that_is_no_object_is_an_unexpected_answer(
    scripted: ScriptedServer, scripted_client: ModelOpClient, body: bytes
) -> None:
    scripted.script(Reply(200, body))
    assert (await failure_of(scripted_client.get_model("m1"))).type == "UnexpectedAnswer"


async def test_json_nested_too_deeply_is_an_unexpected_answer(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(200, b"[" * 200_000))
    assert (await failure_of(scripted_client.get_model("m1"))).type == "UnexpectedAnswer"


async def test_a_created_entity_without_an_id_is_tried_again(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(json_reply({}, 201))
    error = await failure_of(scripted_client.post("jobs", {}))
    assert (error.type, error.non_retryable) == ("UnexpectedAnswer", False)


async def test_a_huge_answer_is_not_read_to_its_end(
    scripted: ScriptedServer, scripted_client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 1024 * 1024)
    packed = gzip.compress(b" " * 3 * 1024 * 1024)
    scripted.script(Reply(200, packed, {"Content-Encoding": "gzip"}))
    error = await failure_of(scripted_client.get_model("m1"))
    assert (error.type, error.non_retryable) == ("UnexpectedAnswer", True)
    assert "more than 1 MB" in error.message


async def test_a_huge_error_page_leaves_a_short_message(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(500, b"x" * 5_000_000))
    error = await failure_of(scripted_client.get_model("m1"))
    assert error.type == "Unavailable"
    assert len(error.message) < 1000


async def test_neither_token_nor_address_stands_in_an_error(scripted: ScriptedServer) -> None:
    client = ModelOpClient(settings_for(scripted.url, token="t0p-secret"))
    scripted.script(json_reply({"message": "token t0p-secret has no rights"}, 403))
    refused = await failure_of(client.get_model("m1"))
    scripted.script(Reply(cut=True))
    cut = await failure_of(client.get_model("m1"))
    await client.aclose()
    for error in (refused, cut):
        assert not any(word in str(error) + repr(error.__cause__) for word in ("t0p-secret", "127.0.0.1"))
    assert all(request.headers["authorization"] == "Bearer t0p-secret" for request in scripted.received)


@pytest.mark.parametrize("entity_id", ["", "..", "a/b", "m1?x=1", "x" * 101, "é"])
async def test_text_that_is_no_id_is_refused_before_anything_is_sent(
    scripted: ScriptedServer, scripted_client: ModelOpClient, entity_id: str
) -> None:
    error = await failure_of(scripted_client.get_model(entity_id))
    assert (error.type, error.non_retryable) == ("NotFound", True)
    assert scripted.received == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(cut=True),
        Reply(201, b'{"id": "j1"', truncated=True),
        Reply(500),
        Reply(502),
        Reply(503, headers={"Retry-After": "2"}),
        Reply(504),
        Reply(408),
        Reply(302, headers={"Location": "/login"}),
        Reply(200, b"<html>"),
        json_reply([], 201),
        json_reply({}, 201),
    ],
    ids=lambda reply: f"{reply.status} {reply.body[:9]!r}",
)
async def test_a_creation_without_a_known_end_waits_before_it_is_repeated(
    scripted: ScriptedServer, scripted_client: ModelOpClient, reply: Reply
) -> None:
    scripted.script(reply)
    error = await failure_of(scripted_client.post("jobs", {}))
    assert (error.non_retryable, error.next_retry_delay) == (False, timedelta(seconds=30))
    assert "is not known" in error.message


async def test_a_longer_wait_that_the_server_asks_for_is_kept(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(503, headers={"Retry-After": "90"}))
    assert (await failure_of(scripted_client.post("jobs", {}))).next_retry_delay == timedelta(seconds=90)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
async def test_a_creation_that_was_refused_is_known_to_have_changed_nothing(
    scripted: ScriptedServer, scripted_client: ModelOpClient, status: int
) -> None:
    scripted.script(Reply(status))
    error = await failure_of(scripted_client.post("jobs", {}))
    assert error.next_retry_delay is None
    assert "is not known" not in error.message


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
async def test_a_creation_that_reached_nobody_is_repeated_without_a_wait(host: str) -> None:
    client = ModelOpClient(settings_for(f"http://{host}:{free_port()}"))
    error = await failure_of(client.post("jobs", {}))
    await client.aclose()
    assert (error.type, error.next_retry_delay) == ("Unreachable", None)


async def test_a_creation_that_got_no_token_is_repeated_without_a_wait(scripted: ScriptedServer) -> None:
    client = ModelOpClient(settings_for(scripted.url, token=None, username="svc", password="p"))
    scripted.script(Reply(500))
    error = await failure_of(client.post("jobs", {}))
    await client.aclose()
    assert (error.type, error.next_retry_delay) == ("Unavailable", None)
    assert [request.path for request in scripted.received] == ["/gocli/token"]


async def test_a_slow_creation_is_found_by_the_next_attempt_instead_of_doubled(
    scripted: ScriptedServer, sandbox_url: str, client: ModelOpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(request: Received) -> Reply:
        await asyncio.sleep(0.6)
        async with httpx.AsyncClient() as http:
            headers = {name: request.headers[name] for name in ("authorization", "content-type")}
            answer = await http.post(sandbox_url + request.path, content=request.body, headers=headers)
        return Reply(answer.status_code, answer.content)

    scripted.answer = late
    monkeypatch.setattr(exchange, "TOTAL_SECONDS", 0.2)
    slow = ModelOpClient(settings_for(scripted.url, ambiguous_wait=timedelta(seconds=1)))
    message = str(uuid.uuid4())
    body = {"notificationType": "MODEL_NOTIFICATION", "severity": "INFO", "message": message}
    error = await failure_of(slow.post("notifications", {**body, "storedModelId": GERMAN_CREDIT}))
    await slow.aclose()
    monkeypatch.undo()

    async def looked_up() -> int:
        return sum([entry["message"] == message async for entry in client.entries("notifications")])

    assert await looked_up() == 0
    assert error.next_retry_delay is not None
    await asyncio.sleep(error.next_retry_delay.total_seconds())
    assert await looked_up() == 1


async def test_a_creation_that_a_stopping_worker_gives_up_waits_before_it_is_repeated(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    error = await failure_of(given_up(scripted, scripted_client, ActivityCancellationDetails(worker_shutdown=True)))
    assert (error.type, error.next_retry_delay) == ("Unreachable", timedelta(seconds=30))


async def test_a_creation_that_is_cancelled_by_its_run_ends_as_cancelled(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    with pytest.raises(asyncio.CancelledError):
        await given_up(scripted, scripted_client, ActivityCancellationDetails(cancel_requested=True))


async def given_up(server: ScriptedServer, client: ModelOpClient, reason: ActivityCancellationDetails) -> None:
    environment = ActivityEnvironment()

    async def cancel(request: Received) -> Reply:
        environment.cancel(reason)
        await asyncio.sleep(0.2)
        return Reply(201)

    server.answer = cancel
    await environment.run(client.post, "jobs", {})
