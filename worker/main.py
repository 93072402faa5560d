"""Runs a worker from its first connection to its last drained activity."""

from __future__ import annotations

import asyncio
import logging
import signal

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from worker.connection import connect
from worker.schedule import schedule_sweep
from worker.search_attributes import register_search_attributes
from worker.settings import Settings, load_settings
from worker.wiring import WORKFLOWS, Wiring, wire
from workflows.contract import SWEEP_SCHEDULE_ID, TASK_QUEUE

logger = logging.getLogger(__name__)

MAX_CONCURRENT_WORKFLOW_TASKS = 20
# Following a test job holds a slot for as long as the job takes; activities wait, they do not compute.
MAX_CONCURRENT_ACTIVITIES = 500


async def run_worker() -> None:
    """Connects, works until SIGTERM or SIGINT, drains what is under way, and returns.

    Raises:
        SettingsError: settings are missing or wrong.
        TemporalUnreachable: there was no connection to Temporal within `MLC_WORKER__CONNECT_PATIENCE`.
    """
    settings = load_settings()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    logger.info("Connecting to Temporal, for up to %s", settings.worker.connect_patience)
    connecting = asyncio.ensure_future(connect(patience=settings.worker.connect_patience))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not connecting.done():
        connecting.cancel()
        return
    client = connecting.result()
    await _see_to_search_attributes(client)
    await _see_to_the_sweep(client, settings)
    wiring = wire(settings, client)
    try:
        async with build_worker(client, settings, wiring):
            logger.info("Working on task queue %s of namespace %s", TASK_QUEUE, client.namespace)
            await stop.wait()
            logger.info("Stopping: no new work is taken, what is under way is finished")
    finally:
        await wiring.aclose()


def build_worker(client: Client, settings: Settings, wiring: Wiring, task_queue: str = TASK_QUEUE) -> Worker:
    """The worker as it runs in production; tests give it a task queue of its own."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=wiring.activities,
        max_concurrent_workflow_tasks=MAX_CONCURRENT_WORKFLOW_TASKS,
        max_concurrent_activities=MAX_CONCURRENT_ACTIVITIES,
        graceful_shutdown_timeout=settings.worker.graceful_shutdown,
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
    except RPCError as error:
        logger.warning("Cannot look after search attributes (%s); an administrator runs `mlc setup`", error.message)
        return
    if added:
        logger.info("Registered the search attributes %s", ", ".join(added))
