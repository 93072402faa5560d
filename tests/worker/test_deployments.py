"""Worker deployments: runs that wait go on with the version that an operator makes current, and back again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.temporal_servers import TEMPORAL, dev_server
from tests.workflows.world import Process, World
from worker.code_version import code_version
from worker.deployment import worker_deployment
from worker.settings import SettingsError, WorkerSettings, load_worker_settings
from worker.wiring import WORKFLOWS, activity_methods
from workflows.contract import SWEEP_WORKFLOW_TYPE

DEPLOYMENT = "governance"
OLD, NEW = "1.4.0+5f2c9a17d0b3", "1.5.0+0b1d3ac2f9e4"
TASK_QUEUE = "versioned"
PATIENCE_SECONDS = 40.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with dev_server() as environment:
        yield environment


async def operate(client: Client, *arguments: str) -> tuple[int, str]:
    """Runs `temporal worker deployment …` as an operator does."""
    address = client.service_client.config.target_host
    done = await asyncio.create_subprocess_exec(
        *(str(TEMPORAL), "worker", "deployment", *arguments, "--address", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await done.communicate()
    return done.returncode or 0, printed.decode()


async def make_current(client: Client, build_id: str) -> None:
    """Makes a version current as soon as the server knows its workers."""
    arguments = ("set-current-version", "--deployment-name", DEPLOYMENT, "--build-id", build_id, "--yes")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (done := await operate(client, *arguments))[0]:
            assert "not found" in done[1] or "pollers" in done[1].lower() or "missing" in done[1].lower(), done[1]
            await asyncio.sleep(0.5)


@asynccontextmanager
async def worker_of(client: Client, world: World, build_id: str) -> AsyncIterator[Worker]:
    settings = WorkerSettings(deployment=DEPLOYMENT, build_id=build_id)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=activity_methods(world),
        deployment_config=worker_deployment(settings),
    )
    async with worker:
        yield worker


async def carried_by(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Which builds did the run's workflow tasks, in their order; one twice in a row counts once."""
    builds: list[str] = []
    async for event in handle.fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            build = event.workflow_task_completed_event_attributes.deployment_version.build_id
            builds += [build] if builds[-1:] != [build] else []
    return builds


async def test_a_run_that_waits_moves_to_the_version_that_is_made_current_and_back(
    temporal: WorkflowEnvironment,
) -> None:
    client, world = temporal.client, World()
    process = Process(client, world, TASK_QUEUE)
    async with worker_of(client, world, OLD):
        await make_current(client, OLD)
        run = await process.start()
        await process.waiting_on("PiaApproval")
        async with worker_of(client, world, NEW):
            await make_current(client, NEW)
            await process.decide("PiaApproval")
            await process.waiting_on("ResultsApproval")
            assert await carried_by(run) == [OLD, NEW]
            await make_current(client, OLD)
            await process.decide("ResultsApproval")
            await process.waiting_on("ProductionApproval")
        await process.decide("ProductionApproval")
        assert (await run.result()).outcome == "DEPLOYED"
    assert await carried_by(run) == [OLD, NEW, OLD]
    await process.nothing_spins()
    described = await run.describe()
    assert described.raw_description.workflow_execution_info.versioning_info.behavior == 2  # AUTO_UPGRADE


async def test_the_sweep_is_carried_by_the_current_version_too(temporal: WorkflowEnvironment) -> None:
    client, world = temporal.client, World()
    async with worker_of(client, world, NEW):
        await make_current(client, NEW)
        sweep = await client.start_workflow(SWEEP_WORKFLOW_TYPE, id="sweep", task_queue=TASK_QUEUE)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await carried_by(sweep) != [NEW]:
                await asyncio.sleep(0.1)
        await sweep.terminate()
    code, printed = await operate(client, "describe", "--name", DEPLOYMENT, "--output", "json")
    assert code == 0
    assert json.loads(printed)["routingConfig"]["currentVersionBuildID"] == NEW, printed


def test_without_a_name_workers_are_not_versioned() -> None:
    assert worker_deployment(WorkerSettings()) is None


def test_the_build_is_the_code_unless_it_is_named() -> None:
    deployment = worker_deployment(WorkerSettings(deployment=DEPLOYMENT))
    assert deployment is not None and deployment.version.build_id == code_version()
    assert deployment.use_worker_versioning


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BUILD_ID": "1"}, "MLC_WORKER: BUILD_ID has no effect without DEPLOYMENT"),
        ({"DEPLOYMENT": "a.b"}, "MLC_WORKER__DEPLOYMENT: String should match"),
        ({"DEPLOYMENT": "a", "BUILD_ID": "a b"}, "MLC_WORKER__BUILD_ID: String should match"),
    ],
)
def test_settings_that_name_no_version_are_refused(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLC_ENV_FILE", "")
    for name, value in variables.items():
        monkeypatch.setenv(f"MLC_WORKER__{name}", value)
    with pytest.raises(SettingsError, match=said):
        load_worker_settings()
