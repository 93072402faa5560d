"""The doctor's look at what answers in the relay's place."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from console.checks.examination import Row, examine
from console.checks.relay import MAX_BODY_BYTES, relay_section
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply

READY = json_reply({"status": "ready"})


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as scripted:
        yield scripted


async def look(url: str) -> dict[str, Row]:
    """What the doctor finds at an address."""
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        section = relay_section(http, url, [SecretStr("canary-one"), SecretStr("canary-two")])
        return {row.name: row for row in await examine([section])}


def answering(ready: Reply, signed: Reply, unsigned: Reply, server: ScriptedServer) -> None:
    """Scripts what is answered to each of the doctor's requests."""

    async def answer(received: Received) -> Reply:
        if received.method == "GET":
            return ready
        return signed if "x-hub-signature" in received.headers else unsigned

    server.answer = answer


async def test_a_relay_takes_each_secret_and_refuses_the_unsigned(server: ScriptedServer) -> None:
    answering(READY, json_reply({"result": "ignored"}), Reply(401), server)
    rows = await look(server.url)
    assert rows["Relay signature"].found == "a ping signed with each of 2 secrets is taken, an unsigned one refused"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>welcome</html>"),
        Reply(302, b"", {"Location": "http://elsewhere.invalid/"}),
        Reply(404, b"{}"),
        json_reply(["ready"]),
        Reply(200, b"y" * 10 * MAX_BODY_BYTES),
        Reply(200, b"[" * 60_000),
    ],
)
async def test_something_else_is_not_taken_for_the_relay(server: ScriptedServer, reply: Reply) -> None:
    server.script(reply)
    rows = await look(server.url)
    assert rows["Relay"].status == "failed" and "is not the relay" in rows["Relay"].found
    assert rows["Relay signature"].found == "not checked because Relay failed"


async def test_an_endless_answer_is_not_read_to_its_end(server: ScriptedServer) -> None:
    server.script(Reply(200, b"y" * 2 * MAX_BODY_BYTES, truncated=True))
    begun = time.monotonic()
    assert "is not the relay" in (await look(server.url))["Relay"].found
    assert time.monotonic() - begun < 5


async def test_a_relay_without_temporal_says_why_it_is_not_ready(server: ScriptedServer) -> None:
    server.script(json_reply({"status": "not ready", "reason": "no namespace x"}, 503))
    assert (await look(server.url))["Relay"].found == "not ready: no namespace x"


@pytest.mark.parametrize(
    ("signed", "unsigned", "found"),
    [
        (Reply(200), Reply(200), "an unsigned ping is answered 200, not 401"),
        (Reply(401), Reply(401), "2 of 2 secrets are refused"),
        (Reply(503), Reply(401), "a signed ping is answered 503"),
        (Reply(cut=True), Reply(401), "a ping is not answered (RemoteProtocolError)"),
    ],
)
async def test_a_ping_that_is_not_answered_as_the_relay_would_fails(
    server: ScriptedServer, signed: Reply, unsigned: Reply, found: str
) -> None:
    answering(READY, signed, unsigned, server)
    row = (await look(server.url))["Relay signature"]
    assert (row.status, row.found) == ("failed", found) and row.remedy


async def test_neither_secrets_nor_a_password_in_the_address_are_shown(server: ScriptedServer) -> None:
    answering(READY, Reply(401), Reply(401), server)
    rows = await look(server.url.replace("//", "//somebody:canary-password@"))
    assert rows["Relay"].status == "ok" and "canary" not in str(rows)
