"""What a run costs in Temporal Cloud's billable Actions, counted from its history.

`python -m bench.actions [HISTORY …] [--json FILE]` takes what `temporal workflow show --output json` prints, compressed
or not; without arguments it takes the recorded histories of the newest process. Source of the rules: Temporal's
documentation, "Temporal Cloud Actions".
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from tests.replay import archive

COLUMNS = ("start", "activities", "retries", "timers", "signals", "updates", "upserts", "others")
# A schedule that fires is three Actions, the start of the workflow among them.
SCHEDULED_START = 3
SCHEDULED_BY = "TemporalScheduledById"
FREE_ATTRIBUTE = "TemporalChangeVersion"
LOCAL_ACTIVITY = "core_local_activity"

_KINDS = {
    "activity_task_scheduled": "activities",
    "timer_started": "timers",
    "workflow_execution_signaled": "signals",
    "workflow_execution_update_accepted": "updates",
    "signal_external_workflow_execution_initiated": "others",
    "nexus_operation_scheduled": "others",
}
_SUFFIX = "_event_attributes"


class BadHistory(ValueError):
    """A file that is no history; the message says which and why."""


@dataclass(frozen=True)
class Bill:
    """What one history shows.

    Attributes:
        name: of the history.
        actions: Actions by kind, as in `COLUMNS`.
        events: events in the history.
        size: bytes of the events as protobuf, which is how the server measures a history.
        heartbeating: attempts of activities that have a heartbeat time-out. Their heartbeats are Actions too, but leave
            no trace.
    """

    name: str
    actions: Counter[str]
    events: int
    size: int
    heartbeating: int

    @property
    def total(self) -> int:
        """All Actions that the history shows."""
        return self.actions.total()


def count(name: str, history: WorkflowHistory) -> Bill:
    """Counts the Actions of a history.

    Retries show once an activity has ended or is cancelled, as the number of its last attempt. What leaves no trace at
    all is not counted: queries, heartbeats, updates that were rejected.
    """
    actions = Counter(dict.fromkeys(COLUMNS, 0))
    with_heartbeat: set[int] = set()
    heartbeating = 0
    for event, kind in _kinds(history.events):
        actions.update(_actions(event, kind))
        scheduled, started = (
            event.activity_task_scheduled_event_attributes,
            event.activity_task_started_event_attributes,
        )
        if kind == "activity_task_scheduled" and scheduled.heartbeat_timeout.ToNanoseconds():
            with_heartbeat.add(event.event_id)
        if kind == "activity_task_started" and started.scheduled_event_id in with_heartbeat:
            heartbeating += started.attempt
    size = sum(event.ByteSize() for event in history.events)
    return Bill(name, actions, len(history.events), size, heartbeating)


def read(path: Path) -> WorkflowHistory:
    """Reads an exported history.

    Raises:
        BadHistory: it cannot be read, or it is not one.
    """
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        started = content["events"][0]["workflowExecutionStartedEventAttributes"]
        return WorkflowHistory.from_json(started.get("workflowId", path.name), content)
    except OSError as error:
        raise BadHistory(f"{path}: cannot be read: {error.strerror or error}") from error
    # EOFError: a compressed file that is cut short.
    except (ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError) as error:
        raise BadHistory(
            f"{path}: not a history; give what `temporal workflow show --output json` prints ({type(error).__name__})"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; 2 if a file is no history."""
    parser = argparse.ArgumentParser(prog="python -m bench.actions", description=__doc__)
    parser.add_argument("histories", nargs="*", type=Path, metavar="HISTORY")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there, too")
    options = parser.parse_args(arguments)
    paths = options.histories or archive.recorded(max(archive.generations()))
    try:
        bills = [count(path.name.partition(".")[0], read(path)) for path in paths]
    except BadHistory as fault:
        print(fault, file=sys.stderr)  # noqa: T201 - a program's own output
        return 2
    Console(width=None if sys.stdout.isatty() else 160).print(_table(bills))
    if options.json:
        options.json.write_text(json.dumps([{**vars(bill), "total": bill.total} for bill in bills], indent=2) + "\n")
    return 0


def _kinds(events: Iterable[HistoryEvent]) -> Iterator[tuple[HistoryEvent, str]]:
    for event in events:
        yield event, (event.WhichOneof("attributes") or "").removesuffix(_SUFFIX)


def _actions(event: HistoryEvent, kind: str) -> dict[str, int]:
    """The Actions that one event stands for."""
    match kind:
        case "workflow_execution_started":
            attributes = event.workflow_execution_started_event_attributes.search_attributes.indexed_fields
            return {"start": SCHEDULED_START if SCHEDULED_BY in attributes else 1}
        case "activity_task_started":
            return {"retries": max(event.activity_task_started_event_attributes.attempt - 1, 0)}
        case "upsert_workflow_search_attributes":
            fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            return {"upserts": int(set(fields) != {FREE_ATTRIBUTE})}
        case "marker_recorded":
            return {"others": int(event.marker_recorded_event_attributes.marker_name == LOCAL_ACTIVITY)}
        case "start_child_workflow_execution_initiated":
            return {"others": 2}
    return {_KINDS[kind]: 1} if kind in _KINDS else {}


def _table(bills: Sequence[Bill]) -> Table:
    table = Table(title="Billable Actions by history", title_justify="left", box=None)
    table.caption = (
        "Not in a history and so not counted: queries, heartbeats (attempts that may send some: last column), "
        "rejected updates, retries of activities that have not ended."
    )
    table.caption_justify = "left"
    table.add_column("History", no_wrap=True)
    for heading in (*(column.capitalize() for column in COLUMNS), "Actions", "Events", "Bytes", "Beating"):
        table.add_column(heading, justify="right", no_wrap=True)
    for bill in bills:
        numbers = (*(bill.actions[column] for column in COLUMNS), bill.total, bill.events, bill.size, bill.heartbeating)
        table.add_row(bill.name, *(f"{number:,}" for number in numbers))
    return table


if __name__ == "__main__":
    sys.exit(main())
