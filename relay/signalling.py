"""Hands a ticket's change to the implementations it concerns, and returns only when Temporal has it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.signals import namespace_is_unknown, signal_once
from relay.delivery import MAX_WORKFLOWS, Delivery
from workflows.contract import SIGNAL_JIRA_STATUS_CHANGED, TICKET_ATTRIBUTE, TicketStatusChanged

# Jira waits 20 s in the cloud but only 3 s from a Data Center automation rule.
DEADLINE = timedelta(seconds=2.5)


class TemporalUnavailable(Exception):
    """Temporal did not take the signal in time, and may later."""


class Signaller:
    """Finds the implementations that a delivery concerns and signals them."""

    def __init__(self, client: Client, *, deadline: timedelta = DEADLINE) -> None:
        """Uses `client`'s namespace and data converter; `deadline` bounds one delivery as a whole."""
        self._client = client
        self._deadline = deadline

    async def deliver(self, delivery: Delivery, *, request_id: str) -> list[str]:
        """Signals every running implementation the ticket belongs to, and returns their workflow ids.

        The server drops a signal whose `request_id` the same run has already seen, so a repeated delivery is harmless.

        Raises:
            TemporalUnavailable: Temporal was not reached, refused, or took longer than the deadline.
        """
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                workflow_ids = delivery.workflow_ids or await self._waiting_for(delivery.hint.issue_key)
                return await self._signal_all(workflow_ids, delivery.hint, request_id)
        # A client that has never been connected reports a failed connection as RuntimeError.
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise TemporalUnavailable(_cause(error)) from error

    async def obstacle(self) -> str | None:
        """Why no signal could be sent at this moment; None when nothing stands in the way."""
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                await self._client.workflow_service.describe_namespace(request, timeout=self._deadline)
        except RPCError as error:
            if namespace_is_unknown(error):
                return f"Temporal has no namespace {self._client.namespace}"
            return "Temporal does not answer"
        except (RuntimeError, TimeoutError):
            return "Temporal does not answer"
        return None

    async def _waiting_for(self, ticket: str) -> list[str]:
        """Workflow ids of the running implementations whose open ticket this is.

        `ticket` has been checked to be letters, digits, `_` and `-`, so it cannot end the quoted text.
        """
        found = await self._client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=self._client.namespace,
                page_size=MAX_WORKFLOWS,
                query=f"{TICKET_ATTRIBUTE.name} = '{ticket}' AND ExecutionStatus = 'Running'",
            ),
            timeout=self._deadline,
        )
        return [execution.execution.workflow_id for execution in found.executions]

    async def _signal_all(self, workflow_ids: Iterable[str], hint: TicketStatusChanged, request_id: str) -> list[str]:
        return [each for each in workflow_ids if await self._signal(each, hint, request_id)]

    async def _signal(self, workflow_id: str, hint: TicketStatusChanged, request_id: str) -> bool:
        return await signal_once(
            self._client,
            workflow_id,
            SIGNAL_JIRA_STATUS_CHANGED,
            hint,
            request_id=request_id,
            timeout=self._deadline,
        )


def _cause(error: BaseException) -> str:
    if isinstance(error, RPCError):
        return f"{error.status.name}: {error.message}"
    return f"{type(error).__name__}: {error}".rstrip(": ")
