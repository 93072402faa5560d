"""`mlc worker`, `relay`, `codec-server` and `setup`: the processes of an installation and what they need."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import Annotated

import typer
from temporalio.service import RPCError

from console.codec_server import run_codec_server
from console.desk import open_desk
from console.faults import ConsoleFault
from console.options import DataDirectory
from console.output import out
from console.relay_server import run_relay
from console.stack import DEFAULT_DATA_DIRECTORY
from worker.logs import configure_logging
from worker.schedule import schedule_sweep
from worker.search_attributes import mistyped_search_attributes, register_search_attributes
from worker.settings import LogSettings, SettingsError, load_log_settings, load_worker_settings
from workflows.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID

PANEL = "Serve"
ListeningHost = Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default=False)]
ListeningPort = Annotated[int | None, typer.Option("--port", help="Port.", min=1, max=65535, show_default=False)]

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def worker() -> None:
    """Run a worker: the process that carries implementations. Ends orderly on SIGTERM."""
    _log_to_stderr()
    # Loaded here only: a worker draws charts and writes documents, and no other command should wait for that.
    asyncio.run(importlib.import_module("worker.main").run_worker())


@app.command(rich_help_panel=PANEL)
def relay() -> None:
    """Run the relay: Jira's webhooks in, signals to Temporal out. Ends orderly on SIGTERM."""
    _log_to_stderr()
    asyncio.run(run_relay())


@app.command(rich_help_panel=PANEL)
def codec_server(host: ListeningHost = None, port: ListeningPort = None) -> None:
    """Run the codec server: shows encrypted payloads in the Temporal Web UI to those who may read them."""
    _log_to_stderr()
    asyncio.run(run_codec_server(host=host, port=port))


@app.command(rich_help_panel=PANEL)
def setup(data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY) -> None:
    """Prepare a Temporal namespace: register missing search attributes, schedule the sweep."""
    interval = load_worker_settings().sweep_interval

    async def prepare() -> None:
        async with open_desk(data_dir) as desk:
            try:
                _insist_on_types(await mistyped_search_attributes(desk.client), desk.client.namespace)
                added = await register_search_attributes(desk.client)
            except RPCError as error:
                names = ", ".join(f"{key.name} ({key.indexed_value_type.name.title()})" for key in SEARCH_ATTRIBUTES)
                raise ConsoleFault(
                    f"Temporal does not let this account register search attributes ({error.message}); "
                    f"ask an administrator for {names} in namespace {desk.client.namespace}"
                ) from error
            scheduled = await schedule_sweep(desk.client, interval)
        for key in SEARCH_ATTRIBUTES:
            out.print(f"search attribute {key.name}: {'added' if key.name in added else 'there already'}")
        out.print(f"schedule {SWEEP_SCHEDULE_ID}, every {interval}: {scheduled}")

    asyncio.run(prepare())


def _insist_on_types(mistyped: Mapping[str, str], namespace: str) -> None:
    wanted = {key.name: key.indexed_value_type.name.title() for key in SEARCH_ATTRIBUTES}
    if mistyped:
        wrong = ", ".join(f"{name} is {found} and must be {wanted[name]}" for name, found in mistyped.items())
        remove = " ".join(f"--name {name}" for name in mistyped)
        raise ConsoleFault(
            f"search attributes of namespace {namespace} are registered with another type: {wrong}; nothing was "
            f"changed. Remove them with `temporal operator search-attribute remove -n {namespace} {remove}` "
            "and run `mlc setup` again"
        )


def _log_to_stderr() -> None:
    try:
        settings = load_log_settings()
    except SettingsError:
        # Whoever reads all settings in a moment names this fault beside the others.
        settings = LogSettings()
    configure_logging(settings)
