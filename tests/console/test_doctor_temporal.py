"""The doctor's look at Temporal: workers that ask for work and get none, and attributes of another type."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio
from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkerDeploymentConfig

from console.checks.examination import Row, examine
from console.checks.temporal import temporal_section
from tests.console.conftest import Mlc
from tests.temporal_servers import TEMPORAL
from worker.search_attributes import mistyped_search_attributes, register_search_attributes
from workflows.contract import TASK_QUEUE

PATIENCE_SECONDS = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[Client]:
    """A server on which somebody has registered an attribute of ours as something else."""
    environment = await WorkflowEnvironment.start_local(
        search_attributes=[SearchAttributeKey.for_bool("MlcStage")], dev_server_existing_path=str(TEMPORAL)
    )
    async with environment:
        yield environment.client


@workflow.defn(sandboxed=False)
class Nothing:
    """A workflow, so that the worker asks for some."""

    @workflow.run
    async def run(self) -> None:
        """Ends."""


@activity.defn
async def nothing() -> None:
    """An activity, so that the worker asks for some."""


def worker_of(client: Client, version: WorkerDeploymentVersion) -> Worker:
    """A worker of our task queue."""
    deployment = WorkerDeploymentConfig(
        version=version, use_worker_versioning=True, default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE
    )
    return Worker(
        client, task_queue=TASK_QUEUE, workflows=[Nothing], activities=[nothing], deployment_config=deployment
    )


async def look(client: Client) -> dict[str, Row]:
    """What the doctor finds."""

    async def connected() -> Client:
        return client

    return {row.name: row for row in await examine([temporal_section(connected)])}


async def until(client: Client, status: str) -> Row:
    """The worker's row once it has a status; the server notices workers and versions in its own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        row = (await look(client))["Worker"]
        if row.status == status and "nobody asks" not in row.found:
            return row
        assert time.monotonic() < deadline, row
        await asyncio.sleep(0.3)


async def test_workers_of_a_deployment_get_nothing_until_their_version_is_current(temporal: Client) -> None:
    version = WorkerDeploymentVersion(deployment_name=f"governance-{uuid4().hex[:6]}", build_id="1.5.0")
    async with worker_of(temporal, version):
        row = await until(temporal, "failed")
        assert (
            row.found == f"work is for workers of no deployment; those that ask are of {version.deployment_name}:1.5.0"
        )
        assert "set-current-version" in row.remedy
        await make_current(temporal, version)
        assert "1 at work" in (await until(temporal, "ok")).found


async def test_an_attribute_of_another_type_is_found_and_setup_changes_nothing(temporal: Client, mlc: Mlc) -> None:
    rows = await look(temporal)
    assert "MlcModelId" in rows["Temporal search attributes"].found
    assert await mistyped_search_attributes(temporal) == {"MlcStage": "Bool"}
    address = temporal.service_client.config.target_host
    done = await asyncio.to_thread(mlc, "setup", TEMPORAL_ADDRESS=address)
    assert done.returncode == 1 and done.stdout == ""
    assert "MlcStage is Bool and must be Keyword; nothing was changed" in done.stderr
    assert "temporal operator search-attribute remove -n default --name MlcStage" in done.stderr
    rows = await look(temporal)
    assert "MlcModelId" in rows["Temporal search attributes"].found
    assert "there is no schedule" in rows["Temporal sweep schedule"].found
    await register_search_attributes(temporal)
    row = (await look(temporal))["Temporal search attributes"]
    assert row.found == "registered with another type: MlcStage is Bool"


async def make_current(client: Client, version: WorkerDeploymentVersion) -> None:
    """Gives a version all work, as an operator does; it must have been seen."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=version.deployment_name,
        build_id=version.build_id,
        ignore_missing_task_queues=True,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
            return
        except RPCError as error:
            assert time.monotonic() < deadline, error.message
            await asyncio.sleep(0.3)
