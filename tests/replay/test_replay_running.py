"""Before a deployment the runs that are under way are replayed with the new code, without touching them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from tests.mlc_process import REPOSITORY, environment
from tests.replay.changed_process import PausingFirst
from tests.replay.replaying import UNDER_WAY, replay_running
from tests.workflows.world import Process, World, process_worker


@pytest_asyncio.fixture
async def waiting(temporal: WorkflowEnvironment) -> AsyncIterator[Process]:
    """The only run under way, which waits at its first gate without a worker."""
    async with process_worker(temporal.client, World()) as process:
        await process.start()
        await process.waiting_on("PiaApproval")
    await listed(temporal.client, 1)
    yield process
    await process.handle.terminate(reason="seen enough")
    await listed(temporal.client, 0)


async def listed(client: Client, count: int) -> None:
    """Waits until Temporal's list, which follows the runs with a delay, shows so many."""
    while (await client.count_workflows(UNDER_WAY)).count != count:
        await asyncio.sleep(0.05)


async def test_a_run_that_new_code_cannot_carry_on_is_named_and_stays_as_it_is(waiting: Process) -> None:
    length = (await waiting.handle.describe()).history_length
    assert await replay_running(waiting.client) == (1, {})
    count, faults = await replay_running(waiting.client, [PausingFirst])
    assert count == 1
    assert list(faults) == [waiting.workflow_id] and "TMPRL1100" in faults[waiting.workflow_id]
    assert (await waiting.handle.describe()).history_length == length


async def test_the_command_counts_the_runs_under_way(waiting: Process) -> None:
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.replay.replaying"),
        env=environment({"TEMPORAL_ADDRESS": waiting.client.service_client.config.target_host}),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    printed, _ = await done.communicate()
    assert printed.decode() == "1 runs under way in default, 0 of them cannot go on with this code\n"
    assert done.returncode == 0
