"""Replays histories with today's code, or with code that stands for an edit.

As a program, `make replay-running`, it replays every run that is under way on the Temporal server that the `TEMPORAL_*`
variables name. It only reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence

from temporalio.client import Client, WorkflowHistory

from console.evidence import replaying
from console.evidence.replaying import UNDER_WAY, Answer
from worker.connection import TemporalUnreachable, connect
from worker.data_converter import data_converter
from worker.wiring import WORKFLOWS

__all__ = ["UNDER_WAY", "divergences", "replay_running"]


async def divergences(histories: Sequence[WorkflowHistory], workflows: Sequence[type] = WORKFLOWS) -> list[str | None]:
    """How the code leaves the course of each of a few histories; None where it follows it to the end."""

    async def each() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    found = replaying.replay(each(), data_converter, workflows)
    return [None if replay.answer is Answer.SAME else replay.said async for _, replay in found]


async def replay_running(client: Client, workflows: Sequence[type] = WORKFLOWS) -> tuple[int, dict[str, str]]:
    """Replays every run that is under way; returns how many there are, and what fails by workflow id."""
    count, faults = 0, {}
    async for history, replay in replaying.replay_running(client, workflows):
        count += 1
        if replay.answer is not Answer.SAME:
            faults[history.workflow_id] = replay.said
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
