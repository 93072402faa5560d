"""Replays histories with today's code, or with code that stands for an edit.

As a program, `make replay-running`, it replays every run that is under way on the Temporal server that the `TEMPORAL_*`
variables name. It only reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from worker.connection import TemporalUnreachable, connect
from worker.data_converter import data_converter
from worker.wiring import WORKFLOWS
from workflows.contract import SWEEP_WORKFLOW_TYPE, WORKFLOW_TYPE

UNDER_WAY = f"WorkflowType IN ('{WORKFLOW_TYPE}', '{SWEEP_WORKFLOW_TYPE}') AND ExecutionStatus = 'Running'"


async def replay(
    histories: AsyncIterator[WorkflowHistory], workflows: Sequence[type] = WORKFLOWS
) -> AsyncIterator[tuple[WorkflowHistory, str | None]]:
    """Yields each history with how the code leaves its course, or None where the code follows it to the end.

    Args:
        histories: the histories of runs, ended or not.
        workflows: the workflow classes to replay with; by default those that the worker registers.
    """
    # The sandbox imports the workflows anew for every run, which takes most of a replay; other tests run inside it.
    replayer = Replayer(workflows=workflows, data_converter=data_converter, workflow_runner=UnsandboxedWorkflowRunner())
    async with replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            yield result.history, str(result.replay_failure) if result.replay_failure else None


async def divergences(histories: Sequence[WorkflowHistory], workflows: Sequence[type] = WORKFLOWS) -> list[str | None]:
    """What `replay` finds for each of a few histories, in their order."""

    async def each() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    return [fault async for _, fault in replay(each(), workflows)]


async def replay_running(client: Client, workflows: Sequence[type] = WORKFLOWS) -> tuple[int, dict[str, str]]:
    """Replays every run that is under way; returns how many there are, and what fails by workflow id."""
    count, faults = 0, {}
    async for history, fault in replay(client.list_workflows(UNDER_WAY).map_histories(), workflows):
        count += 1
        if fault:
            faults[history.workflow_id] = fault
    return count, faults


async def _main() -> int:
    try:
        client = await connect()
    except TemporalUnreachable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    count, faults = await replay_running(client)
    sys.stdout.writelines(f"{identity}: {fault}\n" for identity, fault in faults.items())
    sys.stdout.write(
        f"{count} runs under way in {client.namespace}, {len(faults)} of them cannot go on with this code\n"
    )
    # The SDK may abort a process that ends while its threads are still winding up (temporalio/sdk-python#300).
    await asyncio.sleep(0.3)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
