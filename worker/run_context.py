"""Carries the stage and the ticket of a run to its activities, so that their log lines can name them.

They travel in a header of the activity, beside its arguments, and change no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from temporalio import activity, workflow
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from workflows.contract import STAGE_ATTRIBUTE, TICKET_ATTRIBUTE

HEADER = "mlc-run-context"
FIELDS = ("stage", "ticket")

_of_activity: ContextVar[Mapping[str, str]] = ContextVar("run_context", default={})  # noqa: B039 - never changed


class RunContextInterceptor(Interceptor):
    """Gives activities the stage and the ticket of the run that asks for them."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Reads the header on the activity's side."""
        return _Activity(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """Writes the header on the workflow's side."""
        return _Workflow


def run_context() -> dict[str, Any]:
    """What identifies the run that this code works for at this moment; empty where it works for none."""
    if activity.in_activity():
        info = activity.info()
        return {
            "workflow_id": info.workflow_id,
            **_of_activity.get(),
            "activity": info.activity_type,
            "attempt": info.attempt,
        }
    if workflow.in_workflow():
        own = workflow.info()
        return {"workflow_id": own.workflow_id, **_position(), "attempt": own.attempt}
    return {}


def _position() -> dict[str, str]:
    """Stage and ticket as the run has published them last."""
    published = workflow.info().typed_search_attributes
    position = {"stage": published.get(STAGE_ATTRIBUTE), "ticket": published.get(TICKET_ATTRIBUTE)}
    return {name: value for name, value in position.items() if value}


class _Workflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if position := _position():
            input.headers = {**input.headers, HEADER: PayloadConverter.default.to_payload(position)}
        return super().start_activity(input)


class _Activity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        _of_activity.set(_read(input.headers))
        return await super().execute_activity(input)


def _read(headers: Mapping[str, Any]) -> dict[str, str]:
    """The known fields of the header; an activity must not fail because of what serves its log lines only."""
    if HEADER not in headers:
        return {}
    try:
        given = PayloadConverter.default.from_payload(headers[HEADER])
    except Exception:
        return {}
    fields = given if isinstance(given, dict) else {}
    return {name: str(fields[name])[:100] for name in FIELDS if fields.get(name)}
