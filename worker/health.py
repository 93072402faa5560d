"""Tells an orchestrator whether the worker lives, and whether it works.

`GET /healthz` answers as long as the event loop turns. `GET /readyz` answers 200 only while Temporal names this very
process among those that ask for work. Temporal is asked when a probe comes, but not once for each of a flood of them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.signals import namespace_is_unknown

TEMPORAL_TIMEOUT = timedelta(seconds=2)
SHUTDOWN_SECONDS = 1
REMEMBERED_SECONDS = 1.0
"""Probes that come within so long of one another share Temporal's answer."""


class Readiness:
    """Knows what the worker does at this moment."""

    def __init__(self) -> None:
        self._working: tuple[Client, Worker] | None = None
        self._draining = False
        self._asking = asyncio.Lock()
        self._answer: str | None = None
        self._answer_holds_until = 0.0

    def works(self, client: Client, worker: Worker) -> None:
        """The worker has begun to ask for work."""
        self._working = client, worker
        self._answer_holds_until = 0.0

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
        async with self._asking:
            if time.monotonic() >= self._answer_holds_until:
                self._answer = await _not_polling(client, worker.task_queue)
                self._answer_holds_until = time.monotonic() + REMEMBERED_SECONDS
            return self._answer


async def _not_polling(client: Client, task_queue: str) -> str | None:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=task_queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        described = await client.workflow_service.describe_task_queue(request, timeout=TEMPORAL_TIMEOUT)
    except RPCError as error:
        if namespace_is_unknown(error):
            return f"Temporal has no namespace {client.namespace}"
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

    async def lives(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def works(request: Request) -> JSONResponse:
        obstacle = await readiness.obstacle()
        if obstacle:
            return JSONResponse({"status": "not ready", "reason": obstacle}, status_code=503)
        return JSONResponse({"status": "ready"})

    app = Starlette(routes=[Route("/healthz", lives), Route("/readyz", works)])
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        # A probe that keeps its connection open must not keep the worker from ending.
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to the worker, which drains on them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
