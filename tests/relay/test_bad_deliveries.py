"""What is sent to the relay by mistake or malice, and what it costs."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from relay import app
from relay.app import MAX_BODY_BYTES, MAX_IN_FLIGHT
from tests.processes import free_port
from tests.relay.conftest import post, serving, sign, waiting_run, webhook
from workflows.contract import SEARCH_ATTRIBUTES

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"Hello World!", "not JSON"),
        (b'{"issue": ', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1, 2]", "not an object"),
        (b"null", "not an object"),
        (b"{}", "event (none) tells nothing about a decision"),
        (b'{"webhookEvent": "jira:issue_updated"}', "issue.key"),
        (b'{"webhookEvent": "jira:issue_updated", "issue": {"key": 7}}', "issue.key"),
        (json.dumps(webhook("GOV-1' OR MlcTicket = 'GOV-2")).encode(), "issue.key"),
        (json.dumps(webhook("GOV-1\n")).encode(), "issue.key"),
        (json.dumps(webhook("GOV-\u0661")).encode(), "issue.key"),
        (json.dumps(webhook("GOV-1", webhookEvent="jira:worklog_updated")).encode(), "jira:worklog_updated"),
        (json.dumps(webhook("GOV-1", webhookEvent={"a": 1})).encode(), "tells nothing"),
    ],
)
async def test_signed_nonsense_is_answered_200_and_says_what_is_wrong(relay_url: str, body: bytes, reason: str) -> None:
    answer = await post(relay_url, body)
    assert answer.status_code == 200
    assert answer.json()["result"] == "ignored"
    assert reason in answer.json()["reason"]


async def test_a_body_of_26_megabytes_is_refused_before_it_is_read(relay_url: str) -> None:
    status, taken = await _declare(relay_url, 26 * MEGABYTE)
    assert status == 413
    assert taken < MEGABYTE


async def test_a_chunked_body_that_overruns_is_cut_off(relay_url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(26):
            yield b"x" * MEGABYTE

    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.post(
            f"{relay_url}/webhooks/jira", content=endless(), headers={"X-Hub-Signature": sign(b"")}
        )
    assert answer.status_code == 413


async def test_a_body_of_exactly_25_megabytes_is_read(relay_url: str) -> None:
    answer = await post(relay_url, b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"')
    assert answer.status_code == 200
    assert "not an object" in answer.json()["reason"]


async def test_a_body_that_does_not_come_gives_its_place_back(relay_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_SECONDS", 0.5)
    slow = [await _open_request(relay_url) for _ in range(MAX_IN_FLIGHT)]
    try:
        for reader, _ in slow:
            status = await asyncio.wait_for(reader.readline(), 5)
            assert status.startswith(b"HTTP/1.1 408")
        assert (await post(relay_url, b"{}")).status_code == 200
    finally:
        for _, writer in slow:
            writer.close()


async def test_too_many_deliveries_at_once_are_sent_away_and_may_come_again(relay_url: str) -> None:
    half_open = [await _open_request(relay_url) for _ in range(MAX_IN_FLIGHT)]
    try:
        await asyncio.sleep(0.2)
        busy = await post(relay_url, b"{}")
        assert busy.status_code == 503
    finally:
        for _, writer in half_open:
            writer.close()
    await asyncio.sleep(0.2)
    assert (await post(relay_url, b"{}")).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "X-Hub-Signature: \r\n", "X-Hub-Signature: sha1=00\r\n", "X-Hub-Signature: sha256\r\n"]
)
async def test_who_shows_no_signature_is_answered_before_the_body_and_takes_no_place(
    relay_url: str, header: str
) -> None:
    unsigned = [await _open_request(relay_url, header) for _ in range(MAX_IN_FLIGHT + 1)]
    try:
        for reader, _ in unsigned:
            status = await asyncio.wait_for(reader.readline(), 3)
            assert status.startswith(b"HTTP/1.1 401")
        assert (await post(relay_url, b"{}")).status_code == 200
    finally:
        for _, writer in unsigned:
            writer.close()


async def test_in_an_unknown_namespace_nothing_is_taken_for_an_ended_run(temporal: Client) -> None:
    address = temporal.service_client.config.target_host
    astray = await Client.connect(address, namespace="elsewhere", data_converter=pydantic_data_converter)
    with serving(astray) as url:
        for labels in (["sagemaker-mlc-1"], []):
            answer = await post(url, webhook("GOV-1", *labels))
            assert (answer.status_code, answer.json()["result"]) == (503, "unavailable")
        async with httpx.AsyncClient() as http:
            ready = await http.get(f"{url}/readyz")
    assert ready.status_code == 503
    assert ready.json()["reason"] == "Temporal has no namespace elsewhere"


async def test_only_post_is_served(relay_url: str) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{relay_url}/webhooks/jira")).status_code == 405
        assert (await http.post(f"{relay_url}/webhooks/other")).status_code == 404


async def test_health_and_readiness_while_temporal_answers(relay_url: str) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{relay_url}/healthz")).json() == {"status": "ok"}
        assert (await http.get(f"{relay_url}/readyz")).json() == {"status": "ready"}


async def test_without_temporal_the_answer_is_503_in_time_for_jira_to_try_again() -> None:
    absent = await Client.connect(f"127.0.0.1:{free_port()}", data_converter=pydantic_data_converter, lazy=True)
    with serving(absent) as url:
        for labels in (["sagemaker-mlc-1"], []):
            began = time.monotonic()
            answer = await post(url, webhook("GOV-1", *labels))
            assert answer.status_code == 503
            assert answer.json()["result"] == "unavailable"
            assert time.monotonic() - began < 3.5
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{url}/healthz")).status_code == 200
            assert (await http.get(f"{url}/readyz")).status_code == 503


async def test_a_temporal_that_hangs_is_given_up_in_time() -> None:
    async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    hanging = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    host, port = hanging.sockets[0].getsockname()
    client = await Client.connect(f"{host}:{port}", data_converter=pydantic_data_converter, lazy=True)
    async with hanging:
        with serving(client) as url:
            began = time.monotonic()
            answer = await post(url, webhook("GOV-1", "sagemaker-mlc-1"))
            assert answer.status_code == 503
            assert 2 < time.monotonic() - began < 3.5


async def test_a_relay_that_started_before_temporal_delivers_once_it_is_there() -> None:
    port = free_port()
    early = await Client.connect(f"127.0.0.1:{port}", data_converter=pydantic_data_converter, lazy=True)
    with serving(early) as url:
        assert (await post(url, webhook("GOV-1", "sagemaker-mlc-1"))).status_code == 503
        async with await WorkflowEnvironment.start_local(
            port=port,
            search_attributes=SEARCH_ATTRIBUTES,
            dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        ) as environment:
            run = await waiting_run(environment.client)
            answer = await post(url, webhook("GOV-1", run.id))
            assert answer.json() == {"result": "signalled", "workflow_ids": [run.id]}


async def _open_request(
    url: str, header: str = "X-Hub-Signature: sha256=00\r\n"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Sends the head of a request, with a further header, and never its body."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"POST /webhooks/jira HTTP/1.1\r\nHost: relay\r\nContent-Length: 100\r\n{header}\r\n".encode())
    await writer.drain()
    return reader, writer


async def _declare(url: str, size: int) -> tuple[int, int]:
    """Declares a signed body of `size` bytes and sends it until answered; returns the status and the bytes sent."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    head = f"POST /webhooks/jira HTTP/1.1\r\nHost: relay\r\nContent-Length: {size}\r\n"
    writer.write(f"{head}X-Hub-Signature: sha256=00\r\n\r\n".encode())
    answered: asyncio.Task[bytes] = asyncio.create_task(reader.readline())
    sent = 0
    while not answered.done() and sent < size:
        writer.write(b"x" * 65536)
        sent += 65536
        await asyncio.sleep(0.02)
    status: Any = (await answered).split()[1]
    writer.close()
    return int(status), sent
