from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client

from console.stack import RunningStack, local_stack
from tests.end_to_end.site import Site
from worker.data_converter import data_converter


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    said: list[str] = []
    async with local_stack(tmp_path_factory.mktemp("stack"), say=said.append) as (running, _):
        yield running


@pytest_asyncio.fixture
async def site(stack: RunningStack) -> AsyncIterator[Site]:
    """The site, which must hold no run that spins when the test is over."""
    client = await Client.connect(stack.addresses.temporal, data_converter=data_converter)
    site = Site(stack, client)
    yield site
    await site.nothing_spins()
    await site.aclose()
