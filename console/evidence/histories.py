"""Histories of runs as evidence: read from JSON, made readable, hashed event by event."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseError
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import PayloadCodec

from worker.encryption import UnknownKeyError, refusal

_READABLE = {b"json/plain", b"json/protobuf", b"binary/protobuf", b"binary/plain", b"binary/null", b""}
"""Encodings of payloads that no codec has touched."""

_ENDS_OF_A_TASK = {
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
}
_UNREADABLE = (ParseError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class UnreadableHistory(Exception):
    """Something is no history, or cannot be read as one; the text says why."""


class KeyNeeded(UnreadableHistory):
    """A history is encrypted under a key that is not here; with the key it may well be readable."""


def parse_history(content: bytes) -> WorkflowHistory:
    """Reads the JSON that `temporal workflow show --output json` prints or the Web UI downloads.

    Raises:
        UnreadableHistory: it is something else, or events are missing, mislabelled or out of place in it.
    """
    try:
        found = json.loads(content)
        events = WorkflowHistory.from_json("", found).events
    except json.JSONDecodeError as error:
        raise UnreadableHistory(f"it is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except _UNREADABLE as error:
        raise UnreadableHistory(f"it is no workflow history: {str(error)[:200] or type(error).__name__}") from None
    if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
        raise UnreadableHistory("it is no workflow history: it does not begin with the start of a workflow")
    for number, event in enumerate(events, start=1):
        if event.event_id != number:
            raise UnreadableHistory(f"event {number} is missing or out of place: there is event {event.event_id}")
        kind = event.WhichOneof("attributes") or "unspecified_event_attributes"
        if f"EVENT_TYPE_{kind.removesuffix('_event_attributes').upper()}" != _type_name(event):
            raise UnreadableHistory(f"event {number} is not of the type that it says")
    # A replay of such a history would never come to an end.
    for before, event in itertools.pairwise(events):
        if before.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and event.event_type not in _ENDS_OF_A_TASK:
            raise UnreadableHistory(f"event {event.event_id} is out of place: it comes before its workflow task ended")
    return WorkflowHistory(events[0].workflow_execution_started_event_attributes.workflow_id, events)


def history_json(history: WorkflowHistory) -> bytes:
    """A history as JSON: the same bytes for the same events."""
    text = json.dumps(history.to_json_dict(), sort_keys=True, indent=1, ensure_ascii=False)
    return text.encode() + b"\n"


def event_chain(content: bytes) -> list[str]:
    """SHA-256 of every event, each over the one before and its own content, in hexadecimal.

    The digest of an event holds for all events up to it, whatever the layout of the file. So the first altered event
    is the first with another digest, and what was exported while a run waited can be found again in a later export.

    Args:
        content: a history as JSON.
    """
    chain, before = [], ""
    for event in json.loads(content)["events"]:
        before = hashlib.sha256(f"{before}{canonical(event)}".encode()).hexdigest()
        chain.append(before)
    return chain


def canonical(value: Any) -> str:
    """JSON in the one form in which equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def is_encoded(history: WorkflowHistory) -> bool:
    """Whether a codec, such as encryption, stands between the history and a reader."""
    return any(_encoded(payload) for event in history.events for payload in _payloads(event))


async def decode(history: WorkflowHistory, codec: PayloadCodec | None) -> WorkflowHistory:
    """The history with all its payloads as they were before a codec encoded them.

    Raises:
        KeyNeeded: some of them are encrypted under a key that is not here.
        UnreadableHistory: they were changed, or no codec of ours wrote them.
    """
    if not is_encoded(history):
        return history
    if codec is None:
        raise KeyNeeded("it is encrypted, and there is no key: set MLC_ENCRYPTION__KEYS as the workers have it")
    events = []
    for encoded in history.events:
        event = type(encoded).FromString(encoded.SerializeToString())
        for payload in _payloads(event):
            if _encoded(payload):
                await _decode(payload, codec, event.event_id)
        events.append(event)
    return WorkflowHistory(history.workflow_id, events)


def run_chain(history: WorkflowHistory) -> list[str]:
    """Ids of the runs that led to this one, as far as its events tell: the first, those that were reset, this one.

    A reset starts a new run that continues a copy of the events before it.
    """
    started = history.events[0].workflow_execution_started_event_attributes
    runs = [started.first_execution_run_id, started.original_execution_run_id]
    for event in history.events:
        reset = event.workflow_task_failed_event_attributes
        if reset.new_run_id:
            runs += [reset.base_run_id, reset.new_run_id]
    return list(dict.fromkeys(run for run in runs if run))


def _type_name(event: HistoryEvent) -> str:
    known = event.event_type in EventType.values()
    return EventType.Name(event.event_type) if known else ""


def _encoded(payload: Payload) -> bool:
    return payload.metadata.get("encoding", b"") not in _READABLE


async def _decode(payload: Payload, codec: PayloadCodec, event_id: int) -> None:
    try:
        (plain,) = await codec.decode([payload])
    # Another codec than ours may raise what it likes.
    except Exception as error:
        raise UnreadableHistory(f"event {event_id} cannot be decrypted: {error}") from error
    if why := refusal(plain):
        fault = KeyNeeded if isinstance(why, UnknownKeyError) else UnreadableHistory
        raise fault(f"event {event_id} cannot be decrypted: {why}")
    payload.CopyFrom(plain)
    if _encoded(payload):
        encoding = payload.metadata["encoding"].decode(errors="replace")[:60]
        raise UnreadableHistory(f"event {event_id} has a payload of the unknown encoding {encoding}")


def _payloads(message: Message) -> Iterator[Payload]:
    """Every payload anywhere inside a message."""
    if isinstance(message, Payload):
        yield message
        return
    for _, value in message.ListFields():
        for inner in _entries(value):
            if isinstance(inner, Message):
                yield from _payloads(inner)


def _entries(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
