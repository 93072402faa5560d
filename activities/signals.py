"""Signals that the server itself recognises when they come twice."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

# Sending again cannot mend either: no such run, or an id that Temporal does not accept.
_FINAL = {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}


async def signal_once(
    client: Client, workflow_id: str, signal: str, message: BaseModel, *, request_id: str, timeout: timedelta
) -> bool:
    """Signals the running run of a workflow id; the server drops a repetition with the same request id.

    The handle's own `signal` makes a new request id for every call, and repeats would no longer be recognised.

    Returns:
        Whether there is a running run that has the signal now.

    Raises:
        RPCError: Temporal did not take it, and may later.
    """
    request = SignalWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        signal_name=signal,
        input=Payloads(payloads=await client.data_converter.encode([message])),
        identity=client.identity,
        request_id=request_id,
    )
    try:
        await client.workflow_service.signal_workflow_execution(request, timeout=timeout)
    except RPCError as error:
        if error.status in _FINAL:
            return False
        raise
    return True
