"""`mlc start`, `list`, `show`, `watch`, `resume`, `abort`: one implementation or all of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from console.desk import Desk, ListedImplementation, implementation_id, open_desk
from console.faults import ConsoleFault
from console.options import AsJson, DataDirectory, Identifier, OptionalIdentifier, UiUrl
from console.output import fault, out, print_json, say
from console.own_command import own_command
from console.screen import StepScreen
from console.stack import DEFAULT_DATA_DIRECTORY
from console.views import ending_line, list_table, status_view
from workflows.contract import WORKFLOW_ID_PREFIX, AbortRequest, ImplementationRequest, ImplementationResult, Outcome

PANEL = "Operate"
# Where the option is not the field's name.
_OPTIONS = {"endpoint_config_name": "--endpoint-config"}

Request = TypeVar("Request", bound=BaseModel)

app = typer.Typer()


@app.command(rich_help_panel=PANEL)
def start(
    model_id: Annotated[str, typer.Argument(help="The model's UUID in ModelOp Center.", show_default=False)],
    requested_by: Annotated[
        str | None, typer.Option(help="Jira account of the requester, who may not decide at the gates.")
    ] = None,
    use_case_id: Annotated[str | None, typer.Option(help="The use case in ModelOp Center.")] = None,
    endpoint_config: Annotated[str | None, typer.Option(help="SageMaker endpoint configuration.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; exit code 0 means deployed.")] = False,
    as_json: AsJson = False,
    ui_url: UiUrl = "",
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Start the implementation of a registered model. Starting one that runs already changes nothing."""
    request = _request(
        ImplementationRequest,
        model_id=implementation_id(model_id).removeprefix(WORKFLOW_ID_PREFIX),
        requested_by=requested_by,
        use_case_id=use_case_id,
        endpoint_config_name=endpoint_config,
    )

    async def run() -> ImplementationResult | None:
        async with open_desk(data_dir, ui_url) as desk:
            started = await desk.start(request)
            link = desk.link(started.workflow_id, started.run_id)
            if as_json and not wait:
                print_json({"workflow_id": started.workflow_id, "run_id": started.run_id, "url": link})
            if not as_json:
                say(f"{'Runs already' if started.already_running else 'Started'}: {started.workflow_id}")
                say(link)
                say(f"Where it stands: {own_command(f'watch {request.model_id}', data_dir)}")
            return await desk.result(started.workflow_id, started.run_id) if wait else None

    result = asyncio.run(run())
    if result is None:
        return
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        say(f"{result.outcome.value}: {result.reason}")
    raise typer.Exit(0 if result.outcome is Outcome.DEPLOYED else 1)


@app.command("list", rich_help_panel=PANEL)
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    blocked: Annotated[bool, typer.Option("--blocked", help="Only those that cannot go on by themselves.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """List implementations, the latest first."""
    if everything and blocked:
        raise ConsoleFault("--all and --blocked exclude each other: what has ended is not blocked", exit_code=2)

    async def run() -> list[ListedImplementation]:
        async with open_desk(data_dir) as desk:
            return await desk.list(everything=everything, blocked=blocked, limit=limit)

    listed = asyncio.run(run())
    if as_json:
        print_json(TypeAdapter(list[ListedImplementation]).dump_python(listed, mode="json"))
    elif listed:
        out.print(list_table(listed))
    elif blocked:
        say("No implementation is blocked.")
    else:
        say("No implementation." if everything else "No implementation is running; --all lists closed ones too.")


@app.command(rich_help_panel=PANEL)
def show(id: Identifier, as_json: AsJson = False, data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY) -> None:
    """Show where an implementation stands: steps, decisions, what it waits for, why it is blocked."""
    workflow_id = implementation_id(id)

    async def run() -> None:
        async with open_desk(data_dir) as desk:
            ending = None if as_json else await desk.ending(workflow_id)
            try:
                status = await desk.status(workflow_id)
            except ConsoleFault:
                # Only a worker can tell the steps, but Temporal itself knows how it ended.
                say(ending_line(ending) if ending else "")
                raise
            if as_json:
                print_json(status.model_dump(mode="json"))
            else:
                out.print(status_view(status, {}, datetime.now(UTC), ending))
                if status.blocked and not ending:
                    # A frame would break the command, which people copy.
                    say(f"Mend the cause, then: {own_command(f'resume {status.model_id}', data_dir)}")

    asyncio.run(run())


@app.command(rich_help_panel=PANEL)
def watch(id: Identifier, data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY) -> None:
    """Follow an implementation until it ends; exit code 0 means deployed."""
    workflow_id = implementation_id(id)

    async def run() -> bool:
        async with open_desk(data_dir) as desk:
            return await _follow(desk, workflow_id)

    raise typer.Exit(0 if asyncio.run(run()) else 1)


@app.command(rich_help_panel=PANEL)
def resume(
    id: OptionalIdentifier = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are blocked.")] = False,
    reason: Annotated[str | None, typer.Option(help="What was mended.")] = None,
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """Let a blocked implementation go on, or all of them."""
    if everything == (id is not None):
        raise ConsoleFault("resume takes either an ID or --all", exit_code=2)
    workflow_id = implementation_id(id) if id else None

    async def run() -> bool:
        async with open_desk(data_dir) as desk:
            if workflow_id is None:
                return await _resume_all(desk, reason)
            await desk.resume(workflow_id, reason)
            say(f"Resumed: {workflow_id}")
            return True

    raise typer.Exit(0 if asyncio.run(run()) else 1)


@app.command(rich_help_panel=PANEL)
def abort(
    id: Identifier,
    reason: Annotated[str, typer.Option(help="Why; it is written to the open ticket.", show_default=False)],
    data_dir: DataDirectory = DEFAULT_DATA_DIRECTORY,
) -> None:
    """End an implementation before its time; its open ticket is commented and closed."""
    workflow_id = implementation_id(id)
    request = _request(AbortRequest, reason=reason.strip())

    async def run() -> None:
        async with open_desk(data_dir) as desk:
            await desk.abort(workflow_id, request.reason)

    asyncio.run(run())
    say(f"Aborted: {workflow_id}")


def _request(shape: type[Request], **fields: str | None) -> Request:
    try:
        return shape(**fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = str(fault["loc"][0])
        option = _OPTIONS.get(field, f"--{field.replace('_', '-')}")
        raise ConsoleFault(f"{option}: {fault['msg'].replace('String', 'it', 1)}", exit_code=2) from error


async def _resume_all(desk: Desk, reason: str | None) -> bool:
    """Resumes all that are blocked, says of each what became of it, and whether none refused."""
    resumed = refused = 0
    async for each in desk.resume_all(reason):
        if each.refusal:
            refused += 1
            fault(each.refusal)
        else:
            resumed += 1
            say(f"Resumed: {each.workflow_id}")
    say(f"{resumed} resumed, {refused} refused" if resumed + refused else "No implementation is blocked.")
    return refused == 0


async def _follow(desk: Desk, workflow_id: str) -> bool:
    with StepScreen(out) as screen:
        while True:
            ending = await desk.ending(workflow_id)
            screen.show(await desk.status(workflow_id), ending)
            if ending is not None:
                break
            await asyncio.sleep(1)
    result = await desk.result(workflow_id)
    say(f"{result.outcome.value}: {result.reason}")
    return result.outcome is Outcome.DEPLOYED
