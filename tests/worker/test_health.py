"""Health and readiness are what the worker really does, and nothing that is sent to them does harm."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.worker import Worker

from tests.processes import free_port
from tests.temporal_servers import dev_server
from worker.health import REMEMBERED_SECONDS, Readiness, health_server
from workflows.sweep import TicketSweepWorkflow


@activity.defn
async def nothing() -> None:
    """Does nothing."""


async def ask(port: int, path: str = "/readyz", method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        return await http.request(method, f"http://127.0.0.1:{port}{path}")


async def send(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_before_the_connection_the_worker_lives_and_is_not_ready() -> None:
    port = free_port()
    async with health_server("127.0.0.1", port, Readiness()):
        assert (await ask(port, "/healthz")).json() == {"status": "ok"}
        answer = await ask(port)
    assert answer.status_code == 503
    assert answer.json()["reason"] == "not connected to Temporal yet"


async def test_a_worker_is_ready_exactly_while_temporal_sees_it_poll() -> None:
    port, readiness = free_port(), Readiness()
    async with dev_server() as environment, health_server("127.0.0.1", port, readiness):
        polling = _polling(environment.client, "ready")
        readiness.works(environment.client, polling)
        assert (await ask(port)).json()["reason"] == "the worker has stopped"
        async with polling:
            await _until_ready(port)
            stranger = await _another_client(environment.client, identity="somebody else")
            readiness.works(stranger, polling)
            assert "does not see this worker" in (await ask(port)).json()["reason"]
            lost = await _another_client(environment.client, namespace="nowhere")
            readiness.works(lost, polling)
            assert (await ask(port)).json()["reason"] == "Temporal has no namespace nowhere"
            readiness.works(environment.client, polling)
            readiness.drains()
            assert (await ask(port)).json()["reason"].startswith("draining")


async def test_a_worker_whose_temporal_has_gone_is_not_ready_and_says_so_in_time() -> None:
    port, readiness = free_port(), Readiness()
    async with health_server("127.0.0.1", port, readiness):
        environment = dev_server()
        running = await environment.__aenter__()
        async with _polling(running.client, "gone") as polling:
            readiness.works(running.client, polling)
            await _until_ready(port)
            await environment.__aexit__(None, None, None)
            await asyncio.sleep(REMEMBERED_SECONDS)
            async with asyncio.timeout(5):
                answer = await ask(port)
            assert (answer.status_code, answer.json()["reason"]) == (503, "Temporal does not answer")
            assert (await ask(port, "/healthz")).status_code == 200


async def test_a_flood_of_probes_asks_temporal_once() -> None:
    requests = MetricBuffer(10_000)
    counted = Runtime(telemetry=TelemetryConfig(metrics=requests))
    port, readiness = free_port(), Readiness()
    async with dev_server() as environment, health_server("127.0.0.1", port, readiness):
        address = environment.client.service_client.config.target_host
        client = await Client.connect(address, runtime=counted)
        async with _polling(client, "flooded") as polling, httpx.AsyncClient(trust_env=False, timeout=10) as http:
            readiness.works(client, polling)
            await _until_ready(port)
            await asyncio.sleep(REMEMBERED_SECONDS)
            requests.retrieve_updates()
            answers = await asyncio.gather(*(http.get(f"http://127.0.0.1:{port}/readyz") for _ in range(200)))
            assert {answer.status_code for answer in answers} == {200}
            asked = sum(
                update.attributes.get("operation") == "DescribeTaskQueue"
                for update in requests.retrieve_updates()
                if update.metric.name == "temporal_request"
            )
    # More than one, since a busy machine may take some seconds for all of them.
    assert 1 <= asked <= 10


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /healthz HTTP/1.1", 200),
        (b"HEAD /readyz?verbose HTTP/1.0", 503),
        (b"POST /healthz HTTP/1.1", 405),
        (b"GET / HTTP/1.1", 404),
        (b"GET /readyz/../../etc/passwd HTTP/1.1", 404),
        (b"hello", 400),
        (b"\xff\x00", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1", 404),
    ],
)
async def test_every_request_has_its_answer(request_line: bytes, status: int) -> None:
    port = free_port()
    async with health_server("127.0.0.1", port, Readiness()):
        answer = await send(port, request_line + b"\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert (await ask(port, "/healthz")).status_code == 200


async def test_who_hangs_up_or_dawdles_holds_up_nobody_not_even_the_end() -> None:
    port = free_port()
    async with asyncio.timeout(10):
        async with health_server("127.0.0.1", port, Readiness()):
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
            for _, writer in idle[:25]:
                writer.write(b"GET /heal")
                await writer.drain()
            assert (await ask(port, "/healthz")).status_code == 200
        for _, writer in idle:
            writer.close()


async def _until_ready(port: int) -> None:
    async with asyncio.timeout(30):
        while (await ask(port)).status_code != 200:
            await asyncio.sleep(0.1)


def _polling(client: Client, queue: str) -> Worker:
    return Worker(client, task_queue=queue, workflows=[TicketSweepWorkflow], activities=[nothing])


async def _another_client(client: Client, **options: Any) -> Client:
    return await Client.connect(client.service_client.config.target_host, **options)
