"""How an implementation looks on a terminal: the steps, and the outcome. Colours repeat what words say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.desk import Ending, ListedImplementation
from workflows.contract import (
    Gate,
    ImplementationStatus,
    MlcStage,
    TimelineEntry,
)


class StepState(Enum):
    """State of a step: symbol, words, style."""

    TO_COME = ("·", "to come", "dim")
    UNDER_WAY = ("▶", "under way", "cyan")
    WAITS = ("…", "waits for a person", "yellow")
    BLOCKED = ("!", "blocked", "bold red")
    DONE = ("✓", "done", "green")
    REJECTED = ("✗", "rejected", "bold red")
    FAILED = ("✗", "failed", "bold red")
    ENDED = ("✗", "ended here", "bold red")

    @property
    def symbol(self) -> str:
        """One character."""
        return self.value[0]

    @property
    def words(self) -> str:
        """For people and for screen readers."""
        return self.value[1]

    @property
    def settled(self) -> bool:
        """Whether the step is over."""
        return self in (StepState.DONE, StepState.REJECTED, StepState.FAILED, StepState.ENDED)

    @property
    def style(self) -> str:
        """A Rich style."""
        return self.value[2]


@dataclass(frozen=True)
class Step:
    """One line of the table of steps."""

    name: str
    state: StepState
    note: str = ""
    tickets: tuple[str, ...] = ()
    decided_by: str = ""
    took: timedelta | None = None


# Causes are written as one word: MissingAssets.
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STEPS: Sequence[tuple[MlcStage, str, Gate | None]] = [
    (MlcStage.REGISTERED, "Registered", None),
    (MlcStage.PIA_APPROVAL, "Privacy (PIA) approval", Gate.PIA),
    (MlcStage.SNAPSHOT, "Snapshot", None),
    (MlcStage.RISK_TESTS, "Standard Risk Tests", Gate.TEST_FAILURE),
    (MlcStage.RESULTS_APPROVAL, "Model review", Gate.RESULTS),
    (MlcStage.PRODUCTION_APPROVAL, "Production approval", Gate.PRODUCTION),
    (MlcStage.MARK_DEPLOYED, "Deployed in Production", None),
]
LONGEST_DURATION = len("59 min 59 s")
_ENDINGS = {
    MlcStage.REJECTED: StepState.REJECTED,
    MlcStage.FAILED: StepState.FAILED,
    MlcStage.ABORTED: StepState.ENDED,
    MlcStage.CANCELLED: StepState.ENDED,
}
_FINAL = {StepState.TO_COME, *(state for state in StepState if state.settled)}


def steps_of(status: ImplementationStatus, now: datetime, ending: Ending | None = None) -> list[Step]:
    """The steps of an implementation, those to come included.

    A run that was terminated or timed out could not record it: `ending` says so for it.
    """
    steps = [_step(stage, name, gate, status, ending.at if ending else now) for stage, name, gate in _STEPS]
    if ending is None:
        return steps
    return [each if each.state in _FINAL else replace(each, state=StepState.ENDED, note="") for each in steps]


def steps_table(steps: Sequence[Step], urls: Mapping[str, str]) -> Table:
    """The steps as a table; tickets that have an address in `urls` are links."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    # Fixed widths keep the columns from jumping while the words in them change; only the last one gives way.
    table.add_column("Step", width=22, no_wrap=True, header_style="bold")
    table.add_column("State", width=20, header_style="bold")
    table.add_column("Took", width=LONGEST_DURATION, no_wrap=True, justify="right", header_style="bold")
    table.add_column("Ticket", min_width=7, no_wrap=True, header_style="bold")
    table.add_column("Decided by", overflow="fold", header_style="bold")
    for step in steps:
        state = Text(f"{step.state.symbol} {step.state.words}", style=step.state.style)
        if step.note:
            state.append(f" ({step.note})")
        table.add_row(
            Text(step.name, style="dim" if step.state is StepState.TO_COME else ""),
            state,
            Text(_duration(step.took)),
            _tickets(step.tickets, urls),
            Text(step.decided_by),
        )
    return table


def step_line(step: Step, urls: Mapping[str, str]) -> str:
    """A step as one plain line, for output that is no terminal."""
    parts = [f"{step.state.symbol} {step.name}: {step.state.words}"]
    if step.note:
        parts.append(f"({step.note})")
    parts += [f"{ticket} {urls.get(ticket, '')}".rstrip() for ticket in step.tickets[-1:]]
    if step.decided_by:
        parts.append(f"decided by {step.decided_by}")
    if step.took is not None and step.state.settled:
        parts.append(f"after {_duration(step.took)}")
    return "  ".join(parts)


def status_view(
    status: ImplementationStatus, urls: Mapping[str, str], now: datetime, ending: Ending | None = None
) -> Group:
    """Everything about where an implementation stands, or how it ended."""
    name = status.model_name or ("(its name was never read)" if ending else "(name not read yet)")
    parts: list[Text | Table | Panel] = [
        Text.assemble((name, "bold"), f"  {status.model_id}"),
        Text(""),
        steps_table(steps_of(status, now, ending), {**urls, **ticket_urls(status)}),
    ]
    if ending:
        return Group(*parts, Text(""), Text(ending_line(ending), style="bold"))
    if status.blocked:
        parts += [Text(""), _blocked(status)]
    if status.waiting_on:
        waiting = status.waiting_on
        parts += [Text(""), Text(f"Waits for a decision on {waiting.ticket} in Jira: {waiting.url}", style="yellow")]
    return Group(*parts)


def ending_line(ending: Ending) -> str:
    """When and how a run ended."""
    return f"Ended {ending.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {ending.how}"


def ticket_urls(status: ImplementationStatus) -> dict[str, str]:
    """Addresses of tickets as far as a status names them."""
    return {status.waiting_on.ticket: status.waiting_on.url} if status.waiting_on else {}


def list_table(listed: Sequence[ListedImplementation]) -> Table:
    """Implementations, one a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Model", "Stage", "Ticket", "State"):
        table.add_column(heading, no_wrap=heading == "Model")
    for each in listed:
        table.add_row(each.model_id, each.stage or "–", each.ticket or "–", _list_state(each))
    return table


def _list_state(listed: ListedImplementation) -> Text:
    if not listed.blocked:
        return Text(listed.status.lower())
    state = Text("blocked: ", style="bold red")
    if listed.blocked_cause is None:
        return state.append("no worker answers")
    return state.append(_WORD_START.sub(" ", listed.blocked_cause).lower())


def _step(stage: MlcStage, name: str, gate: Gate | None, status: ImplementationStatus, now: datetime) -> Step:
    index = next((i for i, entry in enumerate(status.timeline) if entry.stage is stage), None)
    if index is None:
        return Step(name, StepState.TO_COME)
    decisions = [decision for decision in status.decisions if decision.gate is gate]
    following = status.timeline[index + 1] if index + 1 < len(status.timeline) else None
    until = following.at if following else now
    waits_here = status.waiting_on is not None and status.waiting_on.gate is gate
    being_written = gate is Gate.RESULTS and status.document is None
    open_ticket = [status.waiting_on.ticket] if waits_here and status.waiting_on else []
    return Step(
        name=name,
        state=_state(following, status, waits_here and not being_written),
        note=_note(stage, status, following),
        tickets=tuple(dict.fromkeys([*(decision.ticket for decision in decisions), *open_ticket])),
        decided_by=", ".join(dict.fromkeys(each.decided_by_name or each.decided_by for each in decisions)),
        took=max(until - status.timeline[index].at, timedelta(0)),
    )


def _state(following: TimelineEntry | None, status: ImplementationStatus, waits_here: bool) -> StepState:
    if following is not None:
        return _ENDINGS.get(following.stage, StepState.DONE)
    if status.blocked:
        return StepState.BLOCKED
    return StepState.WAITS if waits_here else StepState.UNDER_WAY


def _note(stage: MlcStage, status: ImplementationStatus, following: TimelineEntry | None) -> str:
    if following is None and status.blocked:
        return status.blocked.cause
    if stage is MlcStage.RESULTS_APPROVAL and following is None and status.document is None:
        return "writing the document"
    if stage is MlcStage.RISK_TESTS and status.test_runs:
        failed = sum(1 for run in status.test_runs if run.error)
        runs = len(status.test_runs)
        if failed:
            return f"{runs} runs, {failed} failed" if runs > 1 else "the test job failed"
        monitors = len(status.test_runs[-1].failed_monitors)
        return f"{monitors} monitors failed to run" if monitors else ""
    return ""


def _tickets(tickets: Sequence[str], urls: Mapping[str, str]) -> Text:
    text = Text()
    for ticket in tickets:
        text.append(", " if text else "")
        text.append(ticket, style=f"link {urls[ticket]}" if ticket in urls else "")
    return text


def _duration(took: timedelta | None) -> str:
    if took is None:
        return ""
    seconds = took.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def _blocked(status: ImplementationStatus) -> Panel:
    blocked = status.blocked
    assert blocked is not None
    text = Text(blocked.message)
    if blocked.next_retry_at:
        at = f"{blocked.next_retry_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        text.append(f"\nIt tries again by itself at {at}.", style="bold")
    return Panel(text, title=f"Blocked: {blocked.cause}", border_style="red", title_align="left")
