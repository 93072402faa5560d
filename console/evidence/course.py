"""What a history says about a run, without running any code: who was asked, what they answered, how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from console.evidence.histories import run_chain

SETTINGS = "read_process_settings"
SNAPSHOT = "create_snapshot"
RESULT = "store_test_result"
DOCUMENT = "prepare_review_document"
ARCHIVE = "archive_review_document"
READING = "read_ticket"
DEPLOYMENT = "mark_deployed"

_ENDINGS = {
    "workflow_execution_completed_event_attributes": "completed",
    "workflow_execution_failed_event_attributes": "failed",
    "workflow_execution_canceled_event_attributes": "cancelled",
    "workflow_execution_terminated_event_attributes": "terminated",
    "workflow_execution_timed_out_event_attributes": "timed out",
    "workflow_execution_continued_as_new_event_attributes": "continued as new",
}
RUNNING = "running"


@dataclass(frozen=True)
class Step:
    """One activity that was asked for, and what it answered.

    Attributes:
        event_id: the event that asked for it.
        request: its arguments.
        answer: None while it has not answered, or failed.
        answered_at: the event with the answer; None likewise.
    """

    event_id: int
    activity: str
    request: Sequence[Any]
    answer: Any = None
    answered_at: int | None = None


@dataclass(frozen=True)
class Course:
    """A run as its history tells it; payloads must be readable.

    Attributes:
        runs: ids of the runs of a chain of resets, this one last.
        ending: `running`, `completed`, `failed`, `cancelled`, `terminated` or `timed out`.
        result: what it returned; None unless it completed.
    """

    workflow_id: str
    workflow_type: str
    runs: Sequence[str]
    events: int
    request: Sequence[Any]
    steps: Sequence[Step]
    ending: str
    result: Any = None
    by_activity: dict[str, list[Step]] = field(default_factory=dict, repr=False)

    def answered(self, activity: str) -> Sequence[Step]:
        """The steps of one activity that answered, in their order."""
        return self.by_activity.get(activity, [])

    def last(self, activity: str) -> Any:
        """What an activity answered last, as far as it is an object; an empty one otherwise."""
        steps = self.answered(activity)
        return _object(steps[-1].answer) if steps else {}

    @property
    def code_versions(self) -> Sequence[str]:
        """The releases that decided, in their order; one twice in a row counts once."""
        versions = [str(_object(step.answer).get("code_version", "")) for step in self.answered(SETTINGS)]
        return list(dict.fromkeys(version for version in versions if version))


def read_course(history: WorkflowHistory) -> Course:
    """Reads what a history says; texts that are no JSON are left as they are, so that nothing here can fail."""
    started = history.events[0].workflow_execution_started_event_attributes
    steps = _steps(history.events)
    ending, result = _ending(history.events[-1])
    by_activity: dict[str, list[Step]] = {}
    for step in steps:
        if step.answered_at is not None:
            by_activity.setdefault(step.activity, []).append(step)
    return Course(
        workflow_id=history.workflow_id,
        workflow_type=started.workflow_type.name,
        runs=run_chain(history),
        events=len(history.events),
        request=_values(started.input.payloads),
        steps=steps,
        ending=ending,
        result=result,
        by_activity=by_activity,
    )


def _steps(events: Sequence[HistoryEvent]) -> list[Step]:
    answers = {}
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            completed = event.activity_task_completed_event_attributes
            answers[completed.scheduled_event_id] = (event.event_id, _values(completed.result.payloads))
    steps = []
    for event in events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            scheduled = event.activity_task_scheduled_event_attributes
            answered_at, values = answers.get(event.event_id, (None, []))
            steps.append(
                Step(
                    event_id=event.event_id,
                    activity=scheduled.activity_type.name,
                    request=_values(scheduled.input.payloads),
                    answer=values[0] if values else None,
                    answered_at=answered_at,
                )
            )
    return steps


def _ending(last: HistoryEvent) -> tuple[str, Any]:
    kind = last.WhichOneof("attributes") or ""
    values = _values(last.workflow_execution_completed_event_attributes.result.payloads)
    return _ENDINGS.get(kind, RUNNING), values[0] if values else None


def _values(payloads: Sequence[Payload]) -> list[Any]:
    return [_value(payload) for payload in payloads]


def _value(payload: Payload) -> Any:
    if payload.metadata.get("encoding") == b"binary/null":
        return None
    try:
        return json.loads(payload.data)
    except (ValueError, RecursionError):
        return payload.data.decode(errors="replace")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
