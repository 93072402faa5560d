"""Shows an implementation while it happens: a live table on a terminal, else one plain line per change."""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from console.desk import Ending
from console.views import Step, StepState, step_line, steps_of, steps_table, ticket_urls
from workflows.contract import ImplementationStatus


class StepScreen:
    """A place on the output for the steps; what is said meanwhile scrolls above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal else None
        self._urls: dict[str, str] = {}
        self._shown: dict[str, tuple[StepState, str, tuple[str, ...]]] = {}
        self._blocked_since: datetime | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Addresses of all tickets seen so far."""
        return dict(self._urls)

    def say(self, text: str, style: str = "") -> None:
        """Prints a line."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def show(self, status: ImplementationStatus, ending: Ending | None = None) -> None:
        """Shows where the implementation stands now, or stood when it ended."""
        self._urls |= ticket_urls(status)
        steps = steps_of(status, datetime.now(UTC), ending)
        if self._live:
            self._live.update(Group(Text(), steps_table(steps, self._urls)), refresh=True)
        else:
            self._print_changes(steps)
        self._say_why_it_is_blocked(status)

    def _say_why_it_is_blocked(self, status: ImplementationStatus) -> None:
        since = status.blocked.since if status.blocked else None
        if status.blocked and since != self._blocked_since:
            self.say(f"Blocked: {status.blocked.message}", style="red")
        self._blocked_since = since

    def _print_changes(self, steps: list[Step]) -> None:
        for step in steps:
            seen = (step.state, step.note, step.tickets)
            if step.state is not StepState.TO_COME and self._shown.get(step.name) != seen:
                self._shown[step.name] = seen
                self.say(step_line(step, self._urls))
