from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.temporal_servers import dev_server, time_skipping_server
from tests.workflows.world import Process, World, process_worker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with dev_server() as environment:
        yield environment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    async with time_skipping_server() as environment:
        yield environment


@pytest_asyncio.fixture
async def world() -> World:
    return World()


@pytest_asyncio.fixture
async def process(temporal: WorkflowEnvironment, world: World) -> AsyncIterator[Process]:
    """A worker on the dev server, and the way to start and steer runs on it."""
    async with process_worker(temporal.client, world) as process:
        yield process
