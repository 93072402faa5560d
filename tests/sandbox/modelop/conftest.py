"""One seeded sandbox for the whole folder, and clients that talk to it over HTTP."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.entities import Registry
from sandbox.modelop.objects import ObjectStore
from sandbox.modelop.seed import seed
from sandbox.modelop.store import Store
from tests.processes import ServerProcess
from tests.sandbox.modelop.client import ModelManage, sandbox_process


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Copies freshly seeded data into a directory of one's own: seeding takes seconds, copying does not."""
    original = tmp_path_factory.mktemp("modelop") / "data"
    registry = Registry(Store(original / "modelop.sqlite3"), ObjectStore(original / "objects"))
    asyncio.run(seed(registry))
    registry.store.close()
    return lambda directory: Path(shutil.copytree(original, directory))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, seeded: Callable[[Path], Path]) -> Iterator[ServerProcess]:
    """A running sandbox with its seeded data."""
    directory = tmp_path_factory.mktemp("modelop")
    with sandbox_process(seeded(directory / "data"), directory / "server.log") as running:
        yield running


@pytest.fixture(scope="session")
def api(server: ServerProcess) -> Iterator[ModelManage]:
    """A client that may write."""
    with ModelManage(server.url, STATIC_TOKEN) as client:
        yield client


@pytest.fixture
def browser(server: ServerProcess) -> Iterator[httpx.Client]:
    """Someone who looks at the pages, without any token."""
    with httpx.Client(base_url=server.url) as client:
        yield client
