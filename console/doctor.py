"""`mlc doctor`: every prerequisite of the process, looked at in the live systems."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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
    rows = asyncio.run(_examine(installations.find_installation(data_dir), wanted))
    if as_json:
        print_json({"checks": [row.model_dump(mode="json") for row in rows]})
    else:
        out.print(_table(rows))
        say(_tally(rows))
    raise typer.Exit(1 if any(row.status == "failed" for row in rows) else 0)


async def _examine(installation: Installation, wanted: Wanted) -> Sequence[Row]:
    installations = import_module("console.checks.installation")
    examination = import_module("console.checks.examination")
    async with installations.sections(installation, wanted) as sections:
        rows: Sequence[Row] = await examination.examine(sections)
        return rows


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "prerequisite", "found, and how to mend it"):
        table.add_column(heading, overflow="fold")
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
