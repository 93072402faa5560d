"""`mlc doctor`: every prerequisite of the process, looked at in the live systems."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from console.desk import implementation_id
from console.options import AsJson, DataDirectory
from console.output import out, print_json, say
from console.stack import DEFAULT_DATA_DIRECTORY
from workflows.contract import WORKFLOW_ID_PREFIX

if TYPE_CHECKING:
    from console.checks.examination import Row
    from console.checks.installation import Installation, Wanted

LEAVING_SECONDS = 2.0
"""The longest wait for connections to be closed once all rows are shown."""

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}

app = typer.Typer()


@app.command(rich_help_panel="Operate")
def doctor(
    model: Annotated[str | None, typer.Option("--model", metavar="ID", help="Look at this model as well.")] = None,
    endpoint_config: Annotated[
        str | None, typer.Option(help="SageMaker endpoint configuration; default: any that serves the model.")
    ] = None,
    relay_url: Annotated[str, typer.Option(help="The relay, where it is not on this machine.")] = "",
    as_json: AsJson = False,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Check every prerequisite of the process live, and say how to mend what is missing. Changes nothing."""
    model_id = implementation_id(model).removeprefix(WORKFLOW_ID_PREFIX) if model else None
    # Loaded here only: the clients of every system, and no other command should wait for them.
    installations = import_module("console.checks.installation")
    wanted = installations.Wanted(model_id=model_id, endpoint_config=endpoint_config, relay_url=relay_url)
    show = _print_json if as_json else _print_table
    with contextlib.ExitStack() as leaving:
        code = asyncio.run(_examine(installations.find_installation(data_dir), wanted, show, leaving))
    raise typer.Exit(code)


async def _examine(
    installation: Installation, wanted: Wanted, show: Callable[[Sequence[Row]], None], leaving: contextlib.ExitStack
) -> int:
    """Shows the rows as soon as all are there, and returns the exit code; from then on time to leave is short."""
    installations = import_module("console.checks.installation")
    examination = import_module("console.checks.examination")
    async with installations.sections(installation, wanted) as sections:
        rows: Sequence[Row] = await examination.examine(sections)
        show(rows)
        code = 1 if any(row.status == "failed" for row in rows) else 0
        leaving.enter_context(_ended_within(LEAVING_SECONDS, code))
    return code


@contextlib.contextmanager
def _ended_within(seconds: float, code: int) -> Iterator[None]:
    """Ends the process if leaving takes longer.

    A thread that waits for a server which answers drop by drop cannot be stopped, and would be waited for.
    """
    sys.stdout.flush()
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _print_json(rows: Sequence[Row]) -> None:
    print_json({"checks": [row.model_dump(mode="json") for row in rows]})


def _print_table(rows: Sequence[Row]) -> None:
    out.print(_table(rows))
    say(_tally(rows))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    table.add_column("prerequisite", overflow="fold")
    # Wide enough for the UUIDs that people copy.
    table.add_column("found, and how to mend it", overflow="fold", min_width=40)
    for row in rows:
        style = _STYLES[row.status.value]
        said = Text(row.found)
        if row.remedy:
            said.append(f"\n→ {row.remedy}", style=style)
        table.add_row(Text(row.status.value, style=style), Text(row.name), said)
    return table


def _tally(rows: Sequence[Row]) -> str:
    statuses = [row.status.value for row in rows]
    return ", ".join(f"{statuses.count(status)} {status}" for status in _STYLES if status in statuses)
