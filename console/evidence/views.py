"""What `mlc verify` prints."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from console.evidence.checks import Status, visible
from console.evidence.verification import Verification

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red"}


def verification_view(found: Verification) -> Group:
    """Every check in a line, and the answer below."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "what", "found"):
        table.add_column(heading, overflow="fold")
    for check in found.checks:
        table.add_row(Text(check.status, style=_STYLES[check.status]), Text(check.name), Text(check.found))
    word, style = ("Intact", "bold green") if found.intact else ("NOT INTACT", "bold red")
    run = visible(f"{found.workflow_id}, run {found.run_id}")
    return Group(table, Text(f"\n{word}: {run}. Replay: {found.replay}.", style=style))
