"""Every story of the demonstration with the relay switched off: the sweep alone brings each to its end.

Takes about a minute, so it is no part of `make test`.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from rich.console import Console
from temporalio.client import Client

from console.demo import perform
from console.scenarios import SCENARIOS, ScenarioName
from console.stack import RunningStack, local_stack
from tests.temporal_servers import failures_in_code
from worker.data_converter import data_converter
from worker.schedule import schedule_sweep
from workflows.contract import SWEEP_WORKFLOW_TYPE, WORKFLOW_TYPE

SWEEP_INTERVAL = timedelta(seconds=2)
# Two stories about the same model cannot be told at once.
LANES = (
    (ScenarioName.HAPPY, ScenarioName.REJECTED, ScenarioName.WRONG_TYPE),
    (ScenarioName.TEST_FAILURE, ScenarioName.MISSING_ASSET),
)


@pytest_asyncio.fixture
async def stack_without_relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """The local stack, whose relay has ended and whose sweep comes every two seconds."""
    async with local_stack(tmp_path_factory.mktemp("stack"), say=lambda _: None) as (stack, _):
        os.kill(stack.pids["relay"], signal.SIGTERM)
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.TransportError):
                while True:
                    await http.get(f"{stack.addresses.relay}/healthz")
                    await asyncio.sleep(0.1)
        client = await Client.connect(stack.addresses.temporal, data_converter=data_converter)
        assert await schedule_sweep(client, SWEEP_INTERVAL) == "changed"
        yield stack


async def tell(names: tuple[ScenarioName, ...], stack: RunningStack) -> dict[ScenarioName, str]:
    """Plays stories one after another; returns what was printed of those that did not end as they should."""
    bad = {}
    for name in names:
        printed = io.StringIO()
        if not await perform(name, stack, Console(file=printed, width=160)):
            bad[name] = printed.getvalue()
    return bad


@pytest.mark.timeout(600)
async def test_every_story_ends_as_it_should_when_no_webhook_ever_comes(stack_without_relay: RunningStack) -> None:
    assert {name for lane in LANES for name in lane} == set(SCENARIOS)
    told = await asyncio.gather(*(tell(lane, stack_without_relay) for lane in LANES))
    assert told == [{}, {}]

    client = await Client.connect(stack_without_relay.addresses.temporal, data_converter=data_converter)
    runs = [run async for run in client.list_workflows(f"WorkflowType = '{WORKFLOW_TYPE}'")]
    assert len(runs) == len(SCENARIOS)
    for run in runs:
        assert await failures_in_code(client.get_workflow_handle(run.id, run_id=run.run_id)) == []
    failed = (
        f"WorkflowType = '{SWEEP_WORKFLOW_TYPE}' AND ExecutionStatus != 'Completed' AND ExecutionStatus != 'Running'"
    )
    assert (await client.count_workflows(failed)).count == 0
