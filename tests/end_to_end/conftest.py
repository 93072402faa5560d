from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from temporalio.client import Client

from console.stack import RunningStack
from tests.end_to_end.site import Site
from worker.data_converter import data_converter


@pytest_asyncio.fixture
async def site(running_stack: RunningStack) -> AsyncIterator[Site]:
    """The site, which must hold no run that spins when the test is over."""
    client = await Client.connect(running_stack.addresses.temporal, data_converter=data_converter)
    site = Site(running_stack, client)
    yield site
    # A test that failed must not make those after it join its run.
    await site.end_what_runs()
    await site.nothing_spins()
    await site.aclose()
