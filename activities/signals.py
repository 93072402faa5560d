"""Signals that the server itself recognises when they come twice."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel
from temporalio.api.common.v1 import Header, Payloads, WorkflowExecution
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.observation import trace_headers

_NO_NAMESPACE = NamespaceNotFoundFailure.DESCRIPTOR.full_name


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
        header=Header(fields=trace_headers()),
    )
    try:
        await client.workflow_service.signal_workflow_execution(request, timeout=timeout)
    except RPCError as error:
        if _is_final(error):
            return False
        raise
    return True


def namespace_is_unknown(error: RPCError) -> bool:
    """Whether the namespace is what was not found: a fault of the settings, or of a server that is being set up."""
    if error.status != RPCStatusCode.NOT_FOUND:
        return False
    named = any(detail.type_url.rpartition("/")[2] == _NO_NAMESPACE for detail in error.grpc_status.details)
    # A gateway in between may drop the details.
    return named or error.message.lower().startswith("namespace ")


def _is_final(error: RPCError) -> bool:
    """Sending again cannot mend either: there is no such run, or Temporal does not accept the id."""
    if error.status == RPCStatusCode.NOT_FOUND:
        return not namespace_is_unknown(error)
    return error.status == RPCStatusCode.INVALID_ARGUMENT
