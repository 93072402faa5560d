"""Records the histories against which every later version of the process is replayed: `make histories`.

The scripted world gives every shape; the local stack gives whole runs with the data of real systems, and the sweep.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.service import RPCError

from activities.sweep.types import SweepReport
from console.stack import local_stack
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Site
from tests.replay import archive, fingerprint
from tests.replay.replaying import divergences
from tests.replay.scenarios import SCENARIOS
from tests.temporal_servers import dev_server, settled
from tests.workflows.world import World, process_worker
from worker.data_converter import data_converter
from workflows.contract import SWEEP_WORKFLOW_TYPE, TASK_QUEUE

logger = logging.getLogger("tests.replay.record")


async def history_of(handle: WorkflowHandle[Any, Any]) -> WorkflowHistory:
    """The run's history, up to where its code has nothing to do."""
    await settled(handle)
    return await handle.fetch_history()


async def from_the_scripted_world() -> AsyncIterator[tuple[str, WorkflowHistory]]:
    """One history of every scenario."""
    async with dev_server() as temporal:
        for name, play in SCENARIOS.items():
            world = World()
            async with process_worker(temporal.client, world) as process:
                await play(process, world)
                # A reset goes on under the same workflow id, a refused start has an id of its own.
                latest = temporal.client.get_workflow_handle(process.started[-1].id)
                yield name, await history_of(latest)
                if (await latest.describe()).close_time is None:
                    await latest.terminate(reason="recorded")


async def from_the_local_stack() -> AsyncIterator[tuple[str, WorkflowHistory]]:
    """A deployed implementation with its history at every gate, and one sweep."""
    with tempfile.TemporaryDirectory() as directory:
        async with local_stack(Path(directory), say=logger.info) as (stack, _):
            site = Site(stack, await Client.connect(stack.addresses.temporal, data_converter=data_converter))
            run = await site.start(GERMAN_CREDIT, requested_by="rita", endpoint_config_name="german-credit-2026-11")
            for gate, person in (("PiaApproval", "paul"), ("ResultsApproval", "vera"), ("ProductionApproval", "aaron")):
                await run.waiting_on(gate)
                yield f"stack-waiting-at-{gate.removesuffix('Approval').lower()}", await history_of(run.handle)
                if gate == "PiaApproval":
                    yield "stack-sweep", await _sweep(site.client)
                await run.decide(gate, person)
            await run.handle.result()
            yield "stack-deployed", await history_of(run.handle)
            await site.aclose()


async def _sweep(client: Client) -> WorkflowHistory:
    handle = await client.start_workflow(
        SWEEP_WORKFLOW_TYPE, id="recorded-sweep", task_queue=TASK_QUEUE, result_type=SweepReport
    )
    await handle.result()
    return await history_of(handle)


async def record(folder: Path) -> None:
    """Records every shape into a folder, which is replaced as a whole."""
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory)
        for source in (from_the_scripted_world(), from_the_local_stack()):
            async for name, history in source:
                archive.save(made / f"{name}{archive.SUFFIX}", history)
                logger.info("%s: %d events", name, len(history.events))
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)


async def main(replace: bool) -> int:
    """Records a new generation if the process changed, else the newest one anew.

    Args:
        replace: record the newest generation anew although the process changed; right only as long as no run was
            ever started by that generation's code.
    """
    committed, today = fingerprint.committed(), fingerprint.of_today()
    unchanged = committed.generation > 0 and (committed.methods == today or replace)
    generation = committed.generation if unchanged else committed.generation + 1
    older = [path for path in archive.recorded() if path.parent.name != str(generation)]
    for path, fault in zip(older, await divergences([archive.load(path) for path in older]), strict=True):
        if fault:
            logger.error("Nothing is recorded: %s does not replay with this code: %s", archive.name_of(path), fault)
            return 1
    await record(archive.HISTORIES / str(generation))
    fingerprint.commit(fingerprint.Fingerprint(generation=generation, methods=today))
    logger.info("Generation %d is recorded", generation)
    return 0


if __name__ == "__main__":
    # What fails in a scenario is meant to fail; only the recorder itself is worth reading.
    logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    logger.setLevel(logging.INFO)
    try:
        sys.exit(asyncio.run(main(replace="--replace" in sys.argv[1:])))
    except RPCError as error:
        sys.exit(f"Temporal refused: {error}")
