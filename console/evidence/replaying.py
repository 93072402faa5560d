"""Replays a run with the installed code, and says in words whether it would decide the same."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from console.evidence.course import Course, read_course
from console.evidence.histories import UnreadableHistory, decode
from worker.code_version import code_version
from worker.wiring import WORKFLOWS
from workflows.contract import SWEEP_WORKFLOW_TYPE, WORKFLOW_TYPE

REPLAY_SECONDS = 60.0
MAX_SAID_CHARACTERS = 300
GUIDE = "docs/changing-the-process.md"
UNDER_WAY = f"WorkflowType IN ('{WORKFLOW_TYPE}', '{SWEEP_WORKFLOW_TYPE}') AND ExecutionStatus = 'Running'"

# The SDK wraps what it says into a dump of its own structures.
_MESSAGE = re.compile(r'\[TMPRL\d+\] (?:[^"\\]|\\.)*')
_FAILURE = re.compile(r'\bmessage: "((?:[^"\\]|\\.)*)"')
_KNOWN = {WORKFLOW_TYPE, SWEEP_WORKFLOW_TYPE}
_AT_EVENT = re.compile(r"HistoryEvent\(id: (\d+), (\w+)\)")
_MACHINE = re.compile(r"(\w+?)(?: machine|Machine) does not handle")
_OTHER_ACTIVITY = re.compile(r"scheduled event '([^']*)' does not match activity type of activity command '([^']*)'")
_IN_WORDS = {
    "activity": "an activity",
    "timer": "a timer",
    "upsertsearchattributes": "a change of search attributes",
    "upsertworkflowsearchattributes": "a change of search attributes",
    "patch": "a patch",
    "version": "a patch",
    "marker": "a patch",
    "markerrecorded": "a patch",
    "completeworkflow": "the end of the run",
    "failworkflow": "the run's failure",
    "cancelworkflow": "the run's cancellation",
    "activitytaskscheduled": "an activity",
    "activitytaskcancelrequested": "the cancellation of an activity",
    "timerstarted": "a timer",
    "timercanceled": "a timer's cancellation",
    "workflowexecutioncompleted": "the end of the run",
    "workflowexecutionfailed": "the run's failure",
    "workflowexecutioncanceled": "the run's cancellation",
}


class Answer(StrEnum):
    """Whether the installed code would decide as the history shows."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_POSSIBLE = "not possible with this release"


class Replay(BaseModel):
    """What a replay found.

    Attributes:
        event_id: where the code leaves the recorded course, if that is known.
        why: in words; empty if the answer is `SAME`.
        said: the same with what the SDK itself said, for example `[TMPRL1100] …`.
        result: what the code returned, as JSON; None if it did not come to its end.
        activities: which activities the code asked for, and with which arguments, as JSON.
    """

    answer: Answer
    event_id: int | None = None
    why: str = ""
    said: str = ""
    result: Any = None
    activities: list[tuple[str, list[Any]]] = []


@dataclass
class _Recording:
    """What the code did during a replay."""

    activities: list[tuple[str, Sequence[Any]]] = field(default_factory=list)
    result: Any = None


class _Recorder(Interceptor):
    """Keeps what the code of each replayed run asks for and returns."""

    def __init__(self) -> None:
        self.recordings: dict[str, _Recording] = {}

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        recordings = self.recordings

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
                recordings[workflow.info().workflow_id].activities.append((input.activity, input.args))
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                recording = recordings[workflow.info().workflow_id] = _Recording()
                recording.result = await super().execute_workflow(input)
                return recording.result

        return Inbound


async def replay(
    histories: AsyncIterator[WorkflowHistory], converter: DataConverter, workflows: Sequence[type] = WORKFLOWS
) -> AsyncIterator[tuple[WorkflowHistory, Replay]]:
    """Replays histories, ended or not, and yields each with what was found; last those that need or allow no replay.

    Args:
        histories: as Temporal holds them, encrypted or not.
        converter: reads their payloads.
        workflows: the workflow classes to replay with; by default those that the worker registers.
    """
    recorder = _Recorder()
    answered: list[tuple[WorkflowHistory, Replay]] = []

    async def possible() -> AsyncIterator[WorkflowHistory]:
        async for history in histories:
            if why := await _refusal(history, converter):
                answered.append((history, Replay(answer=Answer.NOT_POSSIBLE, why=why, said=why)))
            elif len(history.events) == 1:
                # A start that was put off: there is nothing to replay yet, and the SDK would wait for it for ever.
                answered.append((history, Replay(answer=Answer.SAME)))
            else:
                yield history

    # The sandbox imports the workflows anew for every run, which takes most of a replay.
    replayer = Replayer(
        workflows=workflows,
        data_converter=converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
        interceptors=[recorder],
        # By default the SDK hashes the code of every loaded module, which takes seconds.
        build_id=code_version(),
        runtime=_quiet_runtime(),
    )
    with _quiet_loggers():
        async with replayer.workflow_replay_iterator(possible()) as results:
            async for found in results:
                recording = recorder.recordings.pop(found.history.workflow_id, _Recording())
                yield found.history, await _replay(found.history, found.replay_failure, recording, converter)
    for each in answered:
        yield each


async def replay_one(
    history: WorkflowHistory, converter: DataConverter, workflows: Sequence[type] = WORKFLOWS
) -> Replay:
    """What `replay` finds for one history, which may come from anybody's file."""

    async def only() -> AsyncIterator[WorkflowHistory]:
        yield history

    async def found() -> Replay:
        return [found async for _, found in replay(only(), converter, workflows)][0]

    replayed = asyncio.create_task(found())
    # The SDK may wait for ever for what a senseless history lacks, also while it is being cancelled.
    await asyncio.wait({replayed}, timeout=REPLAY_SECONDS)
    if not replayed.done():
        return Replay(answer=Answer.NOT_POSSIBLE, why=f"the replay came to no end within {REPLAY_SECONDS:.0f} s")
    return replayed.result()


async def replay_running(
    client: Client, workflows: Sequence[type] = WORKFLOWS
) -> AsyncIterator[tuple[WorkflowHistory, Replay]]:
    """Replays every run that is under way, sweeps among them; it only reads."""
    async for found in replay(client.list_workflows(UNDER_WAY).map_histories(), client.data_converter, workflows):
        yield found


@functools.cache
def _quiet_runtime() -> Runtime:
    """What is found is said once, in words, and not in the SDK's log as well."""
    return Runtime(telemetry=TelemetryConfig(logging=None))


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Likewise for what the SDK and the workflows log in Python; a traceback would show what payloads hold."""
    sdk = logging.getLogger("temporalio")
    level = sdk.level
    sdk.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        sdk.setLevel(level)


async def _refusal(history: WorkflowHistory, converter: DataConverter) -> str:
    """Why the replay cannot even begin; empty if it can."""
    if not history.events:
        return "its history is gone: Temporal's retention is over"
    name = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    if name not in _KNOWN:
        return f"it is a run of the workflow {name[:60]}, which this release does not have"
    try:
        await decode(history, converter.payload_codec)
    except UnreadableHistory as error:
        return str(error)
    return ""


async def _replay(
    history: WorkflowHistory, failure: Exception | None, recording: _Recording, converter: DataConverter
) -> Replay:
    if failure is None:
        return Replay(
            answer=Answer.SAME,
            result=_as_json(recording.result, converter),
            activities=[
                (activity, [_as_json(argument, converter) for argument in arguments])
                for activity, arguments in recording.activities
            ],
        )
    course = read_course(await decode(history, converter.payload_codec))
    asked = [activity for activity, _ in recording.activities]
    said = _said(str(failure))
    event_id, why = _divergence(said, course, asked)
    return Replay(answer=Answer.DIFFERS, event_id=event_id, why=why, said=said if said == why else f"{why}: {said}")


def _as_json(value: Any, converter: DataConverter) -> Any:
    (payload,) = converter.payload_converter.to_payloads([value])
    return json.loads(payload.data) if payload.data else None


def _said(failure: str) -> str:
    if found := _MESSAGE.search(failure):
        return found.group(0)[:MAX_SAID_CHARACTERS]
    messages = ": ".join(_FAILURE.findall(failure)) or failure
    return " ".join(messages.replace(r"\n", " ").split())[:MAX_SAID_CHARACTERS]


def _divergence(said: str, course: Course, asked: Sequence[str]) -> tuple[int | None, str]:
    """Where the code leaves the course, and how, as far as the SDK's message tells."""
    if _OTHER_ACTIVITY.search(said):
        for step, other in zip(course.steps, asked, strict=False):
            if step.activity != other:
                return step.event_id, _in_words(step.event_id, f"activity {step.activity}", f"activity {other}")
    if at := _AT_EVENT.search(said):
        event_id, kind = int(at.group(1)), at.group(2)
        before = [step for step in course.steps if step.event_id < event_id]
        names = {step.event_id: step.activity for step in course.steps}
        recorded = f"activity {names[event_id]}" if event_id in names else _what(kind)
        return event_id, _in_words(event_id, recorded, _asked(said, asked[len(before) :]))
    return None, said


def _asked(message: str, further: Sequence[str]) -> str:
    machine = _MACHINE.search(message)
    if machine is None:
        return "nothing"
    asked = _what(machine.group(1))
    return f"activity {further[0]}" if asked == "an activity" and further else asked


def _in_words(event_id: int, recorded: str, asked: str) -> str:
    return f"at event {event_id} the history holds {recorded}; the installed code asks for {asked} instead"


def _what(name: str) -> str:
    return _IN_WORDS.get(name.lower(), name)
