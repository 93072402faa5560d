"""The Temporal servers that tests run against: the dev server, and the one that skips time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType, WorkflowTaskFailedCause
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from worker.data_converter import data_converter
from workflows.contract import SEARCH_ATTRIBUTES

TEMPORAL = Path(sys.executable).with_name("temporal")
TIME_SKIPPING_SERVER = Path(sys.executable).with_name("temporal-test-server")
NOT_OF_THE_CODE = (
    # The server's way of saying that a signal came just as the run wanted to go on; the task is simply done again.
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    # The run was terminated while a task of it was under way.
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
)
# A run that fails its workflow task is flagged after seconds instead of a minute.
FLAG_PROBLEMS_EARLY = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"

SETTLING_SECONDS = 20.0


@asynccontextmanager
async def dev_server() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal dev server with our search attributes, on a free port and in memory."""
    environment = await WorkflowEnvironment.start_local(
        data_converter=data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_existing_path=str(TEMPORAL),
        dev_server_extra_args=["--dynamic-config-value", FLAG_PROBLEMS_EARLY],
    )
    async with environment:
        yield environment


@asynccontextmanager
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal test server whose clock jumps whenever everybody waits."""
    environment = await WorkflowEnvironment.start_time_skipping(
        data_converter=data_converter, test_server_existing_path=str(TIME_SKIPPING_SERVER)
    )
    async with environment:
        # This server cannot list search attributes, which is what the worker's own registration begins with.
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes={
                    key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES
                },
            )
        )
        yield environment


async def settled(handle: WorkflowHandle[Any, Any]) -> None:
    """Waits until the run's code has nothing to do: what it decided last is in the history."""
    async with asyncio.timeout(SETTLING_SECONDS):
        while (await handle.describe()).raw_description.HasField("pending_workflow_task"):
            await asyncio.sleep(0.02)


async def failures_in_code(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """What a run's own code raised; such a run is tried again for ever and looks as if it waited."""
    return [
        event.workflow_task_failed_event_attributes.failure.message
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_failed_event_attributes")
        and event.workflow_task_failed_event_attributes.cause not in NOT_OF_THE_CODE
    ]
