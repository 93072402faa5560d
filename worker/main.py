"""Runs a worker from its first connection to its last drained activity."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from worker.code_version import code_version
from worker.connection import connect
from worker.deployment import worker_deployment
from worker.health import Readiness, health_server
from worker.run_context import RunContextInterceptor
from worker.schedule import schedule_sweep
from worker.search_attributes import mistyped_search_attributes, register_search_attributes
from worker.settings import Settings, SettingsError, WorkerSettings, load_settings
from worker.telemetry import census, start_telemetry
from worker.wiring import WORKFLOWS, Wiring, wire
from workflows import run_metrics
from workflows.contract import SWEEP_SCHEDULE_ID, TASK_QUEUE

if TYPE_CHECKING:
    from worker.tracing import OpenTelemetryTracing

logger = logging.getLogger(__name__)

MAX_CONCURRENT_WORKFLOW_TASKS = 20
# Following a test job holds a slot for as long as the job takes; activities wait, they do not compute.
MAX_CONCURRENT_ACTIVITIES = 500


async def run_worker() -> None:
    """Connects, works until SIGTERM or SIGINT, drains what is under way, and returns. A second signal ends it at once.

    Raises:
        SettingsError: settings are missing or wrong, or the address of metrics or health cannot be listened on.
        TemporalUnreachable: there was no connection to Temporal within `MLC_WORKER__CONNECT_PATIENCE`.
    """
    settings = load_settings()
    stop = _stopped_by_signals()
    async with AsyncExitStack() as resources:
        telemetry = start_telemetry(
            "sagemaker-mlc-worker",
            host=settings.worker.metrics_host,
            port=settings.worker.metrics_port,
            port_variable="MLC_WORKER__METRICS_PORT",
        )
        resources.push_async_callback(telemetry.aclose)
        readiness = Readiness()
        await _serve_health(settings.worker, readiness, resources)
        client = await _connected(settings.worker, stop)
        if client is not None:
            await _see_to_search_attributes(client)
            await _see_to_the_sweep(client, settings)
            if settings.worker.metrics_port is not None:
                run_metrics.begin(telemetry.meter, namespace=client.namespace, task_queue=TASK_QUEUE)
                await resources.enter_async_context(census(client, telemetry.meter))
            wiring = wire(settings, client)
            resources.push_async_callback(wiring.aclose)
            await _work(build_worker(client, settings, wiring, tracing=telemetry.tracing), client, readiness, stop)


async def _work(worker: Worker, client: Client, readiness: Readiness, stop: asyncio.Event) -> None:
    async with worker:
        readiness.works(client, worker)
        logger.info("Working on task queue %s of namespace %s", worker.task_queue, client.namespace)
        await stop.wait()
        readiness.drains()
        logger.info("Stopping: no new work is taken, what is under way is finished; a second signal ends it now")


async def _connected(settings: WorkerSettings, stop: asyncio.Event) -> Client | None:
    """The connection to Temporal; None if the worker was stopped before there was one."""
    logger.info("Connecting to Temporal, for up to %s", settings.connect_patience)
    connecting = asyncio.ensure_future(connect(patience=settings.connect_patience))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None


async def _serve_health(settings: WorkerSettings, readiness: Readiness, resources: AsyncExitStack) -> None:
    host, port = settings.health_host, settings.health_port
    if port is None:
        return
    try:
        await resources.enter_async_context(health_server(host, port, readiness))
    except OSError as error:
        raise SettingsError(f"MLC_WORKER__HEALTH_PORT: cannot listen on {host} port {port}: {error.strerror}") from None
    logger.info("Health on http://%s:%d/readyz", host, port)


def _stopped_by_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT."""
    stop = asyncio.Event()

    def take() -> None:
        if stop.is_set():
            logger.warning("Ended at once by a second signal; Temporal gives what was under way to another worker")
            logging.shutdown()
            # Not an exit: that would wait for threads, which are what somebody does not want to wait for.
            os._exit(0)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take)
    return stop


def build_worker(
    client: Client,
    settings: Settings,
    wiring: Wiring,
    task_queue: str = TASK_QUEUE,
    tracing: OpenTelemetryTracing | None = None,
) -> Worker:
    """The worker as it runs in production; tests give it a task queue of its own."""
    deployment = worker_deployment(settings.worker)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=wiring.activities,
        max_concurrent_workflow_tasks=MAX_CONCURRENT_WORKFLOW_TASKS,
        max_concurrent_activities=MAX_CONCURRENT_ACTIVITIES,
        graceful_shutdown_timeout=settings.worker.graceful_shutdown,
        deployment_config=deployment,
        # By default the SDK hashes the code of every loaded module, which takes seconds at every start.
        build_id=None if deployment else code_version(),
        interceptors=[RunContextInterceptor(), *([tracing.interceptor] if tracing else [])],
    )


async def _see_to_the_sweep(client: Client, settings: Settings) -> None:
    try:
        done = await schedule_sweep(client, settings.worker.sweep_interval)
    except RPCError as error:
        logger.warning("Cannot look after the sweep's schedule (%s); an administrator runs `mlc setup`", error.message)
        return
    if done != "there already":
        logger.info("Schedule %s: %s", SWEEP_SCHEDULE_ID, done)


async def _see_to_search_attributes(client: Client) -> None:
    try:
        added = await register_search_attributes(client)
        mistyped = await mistyped_search_attributes(client)
    except RPCError as error:
        logger.warning("Cannot look after search attributes (%s); an administrator runs `mlc setup`", error.message)
        return
    if added:
        logger.info("Registered the search attributes %s", ", ".join(added))
    for name, kind in mistyped.items():
        logger.error(
            "Search attribute %s is registered as %s, so every run fails its tasks; `mlc setup` says what to do",
            name,
            kind,
        )
