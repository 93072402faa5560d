"""A real ModelOp Center sandbox for the whole folder, and a scripted server for answers that it never gives."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.settings import ModelOpSettings
from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.scripted_server import ScriptedServer
from tests.processes import free_port, server_process

Run = Callable[..., Any]


def settings_for(url: str, **changes: Any) -> ModelOpSettings:
    """Settings with a static token and quick polls, changed as given."""
    values = {"url": url, "token": STATIC_TOKEN, "job_poll": timedelta(milliseconds=200), **changes}
    return ModelOpSettings.model_validate(values)


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a freshly seeded sandbox."""
    folder = tmp_path_factory.mktemp("modelop")
    port = free_port()
    command = ["-m", "sandbox.modelop", "--port", str(port), "--data", str(folder / "data")]
    with server_process(command, port=port, log=folder / "sandbox.log") as server:
        yield server.url


@pytest.fixture
async def client(sandbox_url: str) -> AsyncIterator[ModelOpClient]:
    """A client of the sandbox."""
    modelop = ModelOpClient(settings_for(sandbox_url))
    yield modelop
    await modelop.aclose()


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server that answers from a script."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def scripted_client(scripted: ScriptedServer) -> AsyncIterator[ModelOpClient]:
    """A client of the scripted server with a static token."""
    modelop = ModelOpClient(settings_for(scripted.url))
    yield modelop
    await modelop.aclose()


@pytest.fixture
def activities(client: ModelOpClient, sandbox_url: str) -> ModelOpActivities:
    """The activities on the sandbox."""
    return ModelOpActivities(client, settings_for(sandbox_url), Links(modelop_web_url=sandbox_url))


@pytest.fixture
def perform() -> Run:
    """Runs an activity the way a worker does: `await perform(activities.method, request)`."""
    return ActivityEnvironment().run


@pytest.fixture
def run() -> RunIdentity:
    """A run that nothing belongs to yet."""
    return RunIdentity(
        workflow_id=f"sagemaker-mlc-{GERMAN_CREDIT}", run_id=str(uuid.uuid4()), started_at=datetime.now(UTC)
    )


async def listed(client: ModelOpClient, collection: str, **fields: Any) -> list[dict[str, Any]]:
    """All entities of a collection with these field values."""
    entities = [entity async for entity in client.entries(collection)]
    return [entity for entity in entities if fields.items() <= entity.items()]
