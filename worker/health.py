"""Tells an orchestrator whether the worker lives, and whether it works.

`GET /healthz` answers as long as the event loop turns. `GET /readyz` answers 200 only while Temporal, asked at that
moment, names this very process among those that ask for work.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

TEMPORAL_TIMEOUT = timedelta(seconds=2)
REQUEST_SECONDS = 5.0
MAX_REQUEST_BYTES = 8 * 1024

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Readiness:
    """Knows what the worker does at this moment."""

    def __init__(self) -> None:
        self._working: tuple[Client, Worker] | None = None
        self._draining = False

    def works(self, client: Client, worker: Worker) -> None:
        """The worker has begun to ask for work."""
        self._working = client, worker

    def drains(self) -> None:
        """The worker takes no new work."""
        self._draining = True

    async def obstacle(self) -> str | None:
        """Why the worker does not work at this moment; None when it does."""
        if self._draining:
            return "draining: what is under way is finished, nothing new is taken"
        if self._working is None:
            return "not connected to Temporal yet"
        client, worker = self._working
        if not worker.is_running:
            return "the worker has stopped"
        return await _not_polling(client, worker.task_queue)


async def _not_polling(client: Client, task_queue: str) -> str | None:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        described = await client.workflow_service.describe_task_queue(request, timeout=TEMPORAL_TIMEOUT)
    except RPCError as error:
        # An account that may work but not look around is told so by a server that is there.
        return None if error.status == RPCStatusCode.PERMISSION_DENIED else "Temporal does not answer"
    if any(poller.identity == client.identity for poller in described.pollers):
        return None
    return f"Temporal does not see this worker on task queue {task_queue}"


@asynccontextmanager
async def health_server(host: str, port: int, readiness: Readiness) -> AsyncIterator[None]:
    """Answers `/healthz` and `/readyz` while the block runs.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await _answer(reader, writer, readiness)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # Who hangs up or dawdles gets no answer, and nobody else waits for it.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, port, limit=MAX_REQUEST_BYTES)
    try:
        yield
    finally:
        # Not waited for: a probe that keeps its connection open must not keep the worker from ending.
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, readiness: Readiness) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        head = b""
    status, body = await _respond(head.partition(b"\r\n")[0].split(), readiness)
    content = json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Connection: close",
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head.startswith(b"HEAD ") else content))
    await writer.drain()


async def _respond(request_line: list[bytes], readiness: Readiness) -> tuple[int, dict[str, str]]:
    if len(request_line) != 3:
        return 400, {"status": "not an HTTP request"}
    method, path = request_line[0], request_line[1].partition(b"?")[0]
    if path not in (b"/healthz", b"/readyz"):
        return 404, {"status": "there are /healthz and /readyz"}
    if method not in (b"GET", b"HEAD"):
        return 405, {"status": "only GET and HEAD"}
    if path == b"/healthz":
        return 200, {"status": "ok"}
    obstacle = await readiness.obstacle()
    return (503, {"status": "not ready", "reason": obstacle}) if obstacle else (200, {"status": "ready"})
