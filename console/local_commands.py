"""`mlc demo` and `mlc up`: everything on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console import demo as demonstration
from console.faults import ConsoleFault
from console.options import DataDirectory
from console.output import err, out, progress, say
from console.own_command import own_command
from console.scenarios import SEEDED_MODELS, ScenarioName
from console.stack import DEFAULT_DATA_DIRECTORY, JIRA_PROJECT, RunningStack, local_stack
from console.supervision import run_until_signalled
from sandbox.jira.people import PEOPLE

PANEL = "On this machine"

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def demo(
    scenario: Annotated[ScenarioName, typer.Option(help="What to play.")] = ScenarioName.HAPPY,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Run one implementation end to end on this machine; people are played by a script."""

    async def play() -> bool:
        async with local_stack(data_dir.absolute(), say=progress) as (running, supervisor):
            for line in _address_lines(running):
                say(line)
            return await supervisor.watch_over(demonstration.perform(scenario, running, out))

    as_it_should = run_until_signalled(play)
    if as_it_should is None:
        raise ConsoleFault("interrupted; every process of the stack has been ended")
    again = "make up" if _is_plain_checkout(data_dir) else own_command("up", data_dir)
    say(f"The stack is stopped and its data is kept; `{again}` starts it again.")
    raise typer.Exit(0 if as_it_should else 1)


@app.command(rich_help_panel=PANEL)
def up(data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY) -> None:
    """Start the local stack and leave it running until Ctrl-C."""

    async def stay() -> None:
        async with local_stack(data_dir.absolute(), say=progress) as (running, supervisor):
            _print_welcome(running, data_dir)
            await supervisor.watch_over(asyncio.Event().wait())

    run_until_signalled(stay)
    err.print("stopped; the data is kept", style="dim")


def _print_welcome(running: RunningStack, data_dir: Path) -> None:
    people = Table.grid(padding=(0, 2))
    for person in PEOPLE:
        if person.on_board:
            people.add_row(person.name, person.password, person.display_name)
    models = Table.grid(padding=(0, 2))
    for model_id, about in SEEDED_MODELS.items():
        models.add_row(model_id, about)
    content = Table.grid()
    for part in (
        Text("\n".join(_address_lines(running))),
        Text("\nPeople (user, password)", style="bold"),
        people,
        Text("\nModels to start", style="bold"),
        models,
    ):
        content.add_row(part)
    out.print(Panel(content, title="The local stack is up. Ctrl-C stops it.", title_align="left", expand=False))
    # A frame would break the commands, which people copy.
    example = next(iter(SEEDED_MODELS))
    say("In another terminal:")
    say(own_command(f"start {example} --requested-by rita", data_dir))
    say(own_command(f"watch {example}", data_dir))
    say(f"Then be the people who decide: {running.addresses.jira}/board/{JIRA_PROJECT}")


def _is_plain_checkout(data_dir: Path) -> bool:
    return data_dir == DEFAULT_DATA_DIRECTORY and Path("Makefile").is_file()


def _address_lines(running: RunningStack) -> list[str]:
    addresses = running.addresses
    named = {
        "Jira board": f"{addresses.jira}/board/{JIRA_PROJECT}",
        "ModelOp Center": addresses.modelop,
        "Temporal Web UI": addresses.temporal_ui,
        "Temporal": addresses.temporal,
        "Webhook relay": f"{addresses.relay}/readyz",
        "Metrics": f"{addresses.metrics}/metrics",
        "Data and logs": str(running.directory),
    }
    return [f"{name:<17}{address}" for name, address in named.items()]
