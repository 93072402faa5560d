"""What happens in a run is counted once, however often the run is replayed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner

from activities.jira import types as jira
from activities.metrics import IMPLEMENTATIONS_ENDED, STAGES_ENTERED, TICKETS_OPENED
from tests.temporal_servers import dev_server
from tests.workflows.world import World, process_worker
from worker.data_converter import data_converter
from workflows import run_metrics
from workflows.contract import Gate, MlcStage

APPROVED = (Gate.PIA, Gate.RESULTS, Gate.PRODUCTION)


async def idle(run: WorkflowHandle[Any, Any]) -> None:
    """Waits until the run only waits."""
    async with asyncio.timeout(60):
        while (now := (await run.describe()).raw_description).pending_activities or now.HasField(
            "pending_workflow_task"
        ):
            await asyncio.sleep(0.02)


async def test_a_run_that_is_replayed_for_every_task_counts_each_event_once() -> None:
    told, world = MetricBuffer(100_000), World()
    async with dev_server() as environment:
        client = await Client.connect(
            environment.client.service_client.config.target_host,
            data_converter=data_converter,
            runtime=Runtime(telemetry=TelemetryConfig(metrics=told)),
        )
        replaying = {"max_cached_workflows": 0, "workflow_runner": UnsandboxedWorkflowRunner()}
        async with process_worker(client, world, **replaying) as process:
            run = await process.start()
            for gate in APPROVED:
                # No query: one to a run that is not in memory plays what the run is about to do, and counts it as well.
                await idle(run)
                key = world.ticket(jira.Gate(gate)).ticket.key
                world.decide(key, "DONE", "paul")
                await process.signal({"issue_key": key})
            assert (await run.result()).outcome == "DEPLOYED"
    counted: dict[str, Counter[str]] = {}
    for update in told.retrieve_updates():
        label = next((str(update.attributes[n]) for n in ("stage", "outcome", "gate") if n in update.attributes), "")
        counted.setdefault(update.metric.name, Counter())[label] += int(update.value)
    passed = {*MlcStage} - run_metrics.FINAL_STAGES | {MlcStage.DEPLOYED}
    assert counted[STAGES_ENTERED.name] == {stage.value: 1 for stage in passed}
    assert counted[IMPLEMENTATIONS_ENDED.name] == {"Deployed": 1}
    assert counted[TICKETS_OPENED.name] == {gate.value: 1 for gate in APPROVED}
    assert counted["temporal_sticky_cache_total_forced_eviction"].total() > len(passed), "nothing was replayed"
