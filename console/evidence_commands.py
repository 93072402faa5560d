"""`mlc replay`, `export` and `verify`: would it decide the same, and what proves how it was decided."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter

from console.desk import implementation_id, open_desk
from console.document_inputs import read_file
from console.evidence.checks import visible
from console.faults import ConsoleFault
from console.options import AsJson, DataDirectory
from console.output import fault, out, print_json, say, write_whole
from console.stack import DEFAULT_DATA_DIRECTORY

if TYPE_CHECKING:
    from console.evidence.gathering import Exported
    from console.evidence.replaying import Replay

PANEL = "Evidence"
_BUNDLE_ID = re.compile(r"[0-9a-f]{64}")

RunId = Annotated[
    str | None,
    typer.Option("--run-id", metavar="ID", help="One certain run instead of the latest.", show_default=False),
]

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def replay(
    target: Annotated[
        str | None,
        typer.Argument(metavar="[ID|FILE]", help="Workflow id, model id, history or bundle.", show_default=False),
    ] = None,
    running: Annotated[bool, typer.Option("--running", help="Every run that is under way.")] = False,
    run_id: RunId = None,
    as_json: AsJson = False,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Tell whether the installed code would decide a run as it was decided. Changes nothing; exit code 0 means yes."""
    if running == (target is not None):
        raise ConsoleFault("replay takes either an ID, a FILE or --running", exit_code=2)
    path = _existing_file(target) if target else None
    if run_id and (running or path):
        raise ConsoleFault("--run-id goes with an ID: a file holds one run, and --running means all", exit_code=2)
    if path:
        found = asyncio.run(_replay_file(path))
    elif target:
        found = asyncio.run(_replay_run(implementation_id(target), run_id, data_dir))
    else:
        found = asyncio.run(_replay_running(data_dir))
    # Loaded here only: replaying loads the workflows, and no other command should wait for them.
    replaying = import_module("console.evidence.replaying")
    same = [each for _, each in found if each.answer is replaying.Answer.SAME]
    if as_json:
        print_json([{"workflow_id": history.workflow_id, **_replay_json(each)} for history, each in found])
    else:
        for history, each in found:
            say(visible(_line(history, each, replaying.GUIDE)))
        if running:
            say(f"{len(found)} under way, {len(found) - len(same)} of them cannot go on with the installed code")
    raise typer.Exit(0 if len(same) == len(found) else 1)


@app.command(rich_help_panel=PANEL)
def export(
    id: Annotated[str, typer.Argument(metavar="ID", help="Workflow id or model id.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="BUNDLE.zip", help="Where to write it.", show_default=False)
    ],
    run_id: RunId = None,
    decrypt: Annotated[
        bool | None,
        typer.Option("--decrypt/--keep-encrypted", help="For an encrypted history; one of them must be given."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace BUNDLE.zip.")] = False,
    as_json: AsJson = False,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Write a run's history, result, document and test result into one file that can be verified without any server."""
    workflow_id = implementation_id(id)
    _check_output(output, force)
    exported = asyncio.run(_export(workflow_id, run_id, decrypt, data_dir))
    write_whole(output, exported.content)
    if as_json:
        manifest = exported.manifest.model_dump(mode="json")
        print_json({"output": str(output), "bundle_id": exported.bundle_id, **manifest})
    else:
        say(f"{output}: {len(exported.content):,} bytes, run {exported.manifest.run_id} ({exported.manifest.ending})")
        say(f"bundle id {exported.bundle_id}")
    for missing in exported.missing:
        fault(f"{missing.name} is not in it: {missing.reason}")
    raise typer.Exit(0 if exported.is_complete else 1)


@app.command(rich_help_panel=PANEL)
def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE.zip", help="The file in question.", show_default=False)],
    bundle_id: Annotated[
        str, typer.Option("--bundle-id", metavar="ID", help="The id that `mlc export` printed.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check a bundle without any server: every byte, its documents and decisions, and a replay."""
    wanted = bundle_id.strip().lower()
    if wanted and not _BUNDLE_ID.fullmatch(wanted):
        raise ConsoleFault("--bundle-id: an id has 64 hexadecimal digits, as `mlc export` prints it", exit_code=2)
    content = read_file(file)
    bundles = import_module("console.evidence.bundle")
    verification = import_module("console.evidence.verification")
    try:
        found = asyncio.run(verification.verify(content, wanted))
    except bundles.UnreadableBundle as error:
        raise ConsoleFault(f"{file}: {visible(str(error))}") from error
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        out.print(import_module("console.evidence.views").verification_view(found))
    raise typer.Exit(0 if found.intact else 1)


Replayed = Sequence[tuple[WorkflowHistory, "Replay"]]


async def _replay_file(path: Path) -> Replayed:
    histories = import_module("console.evidence.histories")
    bundles = import_module("console.evidence.bundle")
    content = read_file(path)
    try:
        if bundles.is_bundle(content):
            content = bundles.read_bundle(content).parts.get(bundles.HISTORY, b"")
        history = histories.parse_history(content)
    except (bundles.UnreadableBundle, histories.UnreadableHistory) as error:
        raise ConsoleFault(f"{path}: {visible(str(error))}") from error
    converters = import_module("worker.data_converter")
    encoded = histories.is_encoded(history)
    return await _replay_one(history, converters.load_data_converter() if encoded else converters.data_converter)


async def _replay_run(workflow_id: str, run_id: str | None, directory: Path) -> Replayed:
    async with open_desk(directory) as desk:
        _, history = await desk.history(workflow_id, run_id)
        return await _replay_one(history, desk.client.data_converter)


async def _replay_running(directory: Path) -> Replayed:
    replaying = import_module("console.evidence.replaying")
    async with open_desk(directory) as desk:
        return [found async for found in replaying.replay_running(desk.client)]


async def _replay_one(history: WorkflowHistory, converter: DataConverter) -> Replayed:
    replaying = import_module("console.evidence.replaying")
    return [(history, await replaying.replay_one(history, converter))]


def _replay_json(replay: Replay) -> dict[str, object]:
    return replay.model_dump(mode="json", include={"answer", "event_id", "why", "said"})


def _line(history: WorkflowHistory, replay: Replay, guide: str) -> str:
    if not replay.why:
        return f"{replay.answer}: {history.workflow_id}: {len(history.events)} events"
    advice = f" (see {guide})" if replay.event_id or "TMPRL" in replay.said else ""
    return f"{replay.answer}: {history.workflow_id}: {replay.why}{advice}"


async def _export(workflow_id: str, run_id: str | None, decrypt: bool | None, directory: Path) -> Exported:
    histories = import_module("console.evidence.histories")
    gathering = import_module("console.evidence.gathering")
    async with open_desk(directory) as desk:
        run, history = await desk.history(workflow_id, run_id)
        encrypted = histories.is_encoded(history)
        if encrypted and decrypt is None:
            raise ConsoleFault(
                "the history is encrypted: say --decrypt, and the bundle can be read for as long as it is kept, by "
                "whoever has it; or --keep-encrypted, and it can be read only for as long as the key is kept",
                exit_code=2,
            )
        records = _records(directory)
        try:
            exported: Exported = await gathering.export(
                desk, workflow_id, run, history, records, keep_encrypted=encrypted and not decrypt
            )
        except histories.UnreadableHistory as error:
            raise ConsoleFault(f"{workflow_id}: {error}") from error
        return exported


def _records(directory: Path) -> object:
    gathering = import_module("console.evidence.gathering")
    found = import_module("console.checks.installation").find_installation(directory)
    why = f"the settings do not say where it is: {'; '.join(found.faults)}" if found.faults else ""
    return gathering.Records(modelop=found.modelop, jira=found.jira, why_unknown=why)


def _existing_file(target: str) -> Path | None:
    """The file that is meant, or None where an implementation is.

    Raises:
        ConsoleFault: it is neither; exit code 2.
    """
    try:
        implementation_id(target)
        return None
    except ConsoleFault:
        path = Path(target)
        if not path.is_file():
            raise ConsoleFault(
                f"'{target}' is neither a file, nor the UUID of a model, nor a workflow id made of one", exit_code=2
            ) from None
        return path


def _check_output(output: Path, force: bool) -> None:
    """Refuses a place where something would be lost.

    Raises:
        ConsoleFault: with exit code 2.
    """
    if not output.parent.is_dir():
        raise ConsoleFault(f"-o {output}: there is no directory {output.parent}", exit_code=2)
    if output.is_dir():
        raise ConsoleFault(f"-o {output}: it is a directory", exit_code=2)
    if output.exists() and not force:
        raise ConsoleFault(f"-o {output}: it is there already; give another name, or --force", exit_code=2)
