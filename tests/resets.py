"""Resets a run as an operator does in the Web UI: a new execution goes on from an earlier point of the same history."""

from __future__ import annotations

import uuid
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle

from tests.temporal_servers import settled


async def reset_before(client: Client, handle: WorkflowHandle[Any, Any], activity: str) -> str:
    """Resets a run to the moment before it first scheduled an activity; returns the run id of the new execution.

    Args:
        client: the connection to the run's namespace.
        handle: the run; its latest execution is reset.
        activity: name of the activity, for example `open_ticket`.
    """
    # A run that is reset in the middle of a task keeps that task as a failed one.
    await settled(handle)
    latest = await handle.describe()
    decided_at = await _decided_at(client.get_workflow_handle(latest.id, run_id=latest.run_id), activity)
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=latest.id, run_id=latest.run_id),
            reason="a test of what a reset repeats",
            workflow_task_finish_event_id=decided_at,
            request_id=str(uuid.uuid4()),
        )
    )
    return str(answer.run_id)


async def _decided_at(handle: WorkflowHandle[Any, Any], activity: str) -> int:
    """The event of the workflow task that scheduled the activity: everything from it on is done again."""
    async for event in handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == activity:
            return int(scheduled.workflow_task_completed_event_id)
    raise LookupError(f"{handle.id} never scheduled {activity}")
