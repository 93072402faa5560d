"""`mlc document preview` and `verify`: for authors of templates and limits, and for whoever holds a document."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.desk import implementation_id, open_desk
from console.document_inputs import read_file, read_model, read_results, read_snapshot
from console.document_verification import verify as compare
from console.document_views import preview_view, verification_view
from console.faults import ConsoleFault
from console.options import AsJson, DataDirectory
from console.output import out, print_json, write_whole
from console.stack import DEFAULT_DATA_DIRECTORY

if TYPE_CHECKING:
    from console.document_preview import GivenFile

PANEL = "Documents"

app = typer.Typer()
document = typer.Typer(no_args_is_help=True, help="Preview a review document, or check one against its approval.")
app.add_typer(document, name="document", rich_help_panel=PANEL)


def _file(option: str, help: str) -> Any:
    return typer.Option(option, metavar="FILE", help=help, show_default=False)


@document.command()
def preview(
    results: Annotated[Path, _file("--results", "Test results, bare or as ModelOp Center keeps them, or a whole job.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.docx", help="Where to write it.", show_default=False)
    ],
    model: Annotated[Path | None, _file("--model", "The storedModel; overrides the snapshot's.")] = None,
    snapshot: Annotated[Path | None, _file("--snapshot", "The deployableModel; overrides the job's.")] = None,
    template: Annotated[Path | None, _file("--template", "A Word template; overrides the snapshot's.")] = None,
    thresholds: Annotated[Path | None, _file("--thresholds", "A DMN table; overrides the snapshot's.")] = None,
    base_template: Annotated[
        Path | None, _file("--base-template", "A Word file with the styles for the standard document.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.docx even if it is no preview.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the review document that the process would write, from files and without any server.

    It says in its first lines that it is a preview and not for approval. What no file tells shows as a gap.
    """
    inputs = [file for file in (results, model, snapshot, template, thresholds, base_template) if file]
    if template and base_template:
        raise ConsoleFault("--base-template has no effect on a --template: give one of them", exit_code=2)
    # Loaded here only: it draws charts and writes documents, and no other command should wait for that.
    making = importlib.import_module("console.document_preview")
    _check_output(output, inputs, making.is_preview, force)

    def given(path: Path | None, option: str) -> GivenFile | None:
        return making.GivenFile(path, read_file(path), option) if path else None

    content, written = making.write_preview(
        making.PreviewInputs(
            results=read_results(results),
            model=read_model(model) if model else None,
            snapshot=read_snapshot(snapshot) if snapshot else None,
            template=given(template, "--template"),
            thresholds=given(thresholds, "--thresholds"),
            base=given(base_template, "--base-template"),
        )
    )
    write_whole(output, content)
    if as_json:
        print_json({"output": str(output), **written.model_dump(mode="json")})
    else:
        out.print(preview_view(written, str(output)))


@document.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file in question.", show_default=False)],
    workflow: Annotated[
        str, typer.Option("--workflow", metavar="ID", help="Workflow id or model id.", show_default=False)
    ],
    run_id: Annotated[
        str | None, typer.Option(metavar="ID", help="One certain run instead of the latest.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Tell whether a file is the document that was approved: exit code 0 only if it is, byte for byte."""
    workflow_id = implementation_id(workflow)
    content = read_file(file)

    async def run() -> bool:
        async with open_desk(data_dir) as desk:
            checked = compare(file.name, content, await desk.reviewed(workflow_id, run_id))
        if as_json:
            print_json(checked.model_dump(mode="json"))
        else:
            out.print(verification_view(checked))
        return checked.approved

    raise typer.Exit(0 if asyncio.run(run()) else 1)


def _check_output(output: Path, inputs: Sequence[Path], is_preview: Callable[[Path], bool], force: bool) -> None:
    """Refuses a place where something would be lost.

    Raises:
        ConsoleFault: with exit code 2.
    """
    if output.suffix.lower() != ".docx":
        raise ConsoleFault(f"-o {output}: the name should end in .docx, or Word will not open it", exit_code=2)
    if not output.parent.is_dir():
        raise ConsoleFault(f"-o {output}: there is no directory {output.parent}", exit_code=2)
    if not output.exists():
        return
    if not output.is_file():
        raise ConsoleFault(f"-o {output}: it is there and is no file", exit_code=2)
    if any(each.exists() and output.samefile(each) for each in inputs):
        raise ConsoleFault(f"-o {output}: this is one of the inputs; give another name", exit_code=2)
    if not force and not is_preview(output):
        raise ConsoleFault(
            f"-o {output}: there is a file that is no preview, or was edited since; give another name, or --force",
            exit_code=2,
        )
