"""Plays a scenario on the local stack: starts an implementation, acts as the people, watches, and judges the end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from console.desk import Desk, Started, connect_to, describe_failure
from console.faults import ConsoleFault
from console.sandbox_clients import JiraPeople, ModelRegistry
from console.scenarios import SCENARIOS, Scenario, ScenarioName
from console.screen import StepScreen
from console.stack import RunningStack
from sandbox.jira.people import find_person
from workflows.contract import (
    Gate,
    ImplementationRequest,
    ImplementationResult,
    ImplementationStatus,
    Outcome,
    WaitingOn,
    workflow_id,
)

REQUESTER = "rita"
GIVE_UP_SECONDS = 180.0

_LEFTOVER_SECONDS = 20.0
_REFRESH_SECONDS = 0.25
# Long enough to be seen on the screen, short enough for nobody to wait.
_THINKING_SECONDS = 0.6


@dataclass
class Ending:
    """How an implementation ended: the outcome or the failure's type, and why."""

    how: str
    reason: str
    result: ImplementationResult | None = None


@dataclass
class Performance:
    """One scenario on one stack."""

    scenario: Scenario
    desk: Desk
    jira: JiraPeople
    registry: ModelRegistry
    screen: StepScreen
    status: ImplementationStatus = field(default_factory=lambda: ImplementationStatus(model_id=""))
    was_blocked: bool = False
    _decided: set[str] = field(default_factory=set)

    @property
    def workflow_id(self) -> str:
        """Under which the implementation runs."""
        return workflow_id(self.scenario.model_id)

    async def set_the_stage(self) -> None:
        """Ends what an earlier, interrupted demonstration left running, and puts the model into its initial state."""
        await self._end_leftover()
        if self.scenario.prepare:
            await self.scenario.prepare(self.registry)

    async def start(self) -> Started:
        """Starts the implementation as the registration system would."""
        return await self.desk.start(
            ImplementationRequest(
                model_id=self.scenario.model_id,
                requested_by=REQUESTER,
                endpoint_config_name=self.scenario.endpoint_config or None,
            )
        )

    async def play(self, started: Started) -> Ending:
        """Acts and watches until the implementation ends.

        Raises:
            ConsoleFault: it is blocked and the story has no way out, or a sandbox refuses what people do.
        """
        ending = asyncio.create_task(self._ending(started))
        try:
            while not ending.done():
                await self._look()
                await self._act()
                await asyncio.wait([ending], timeout=_REFRESH_SECONDS)
            await self._look()
            return ending.result()
        finally:
            ending.cancel()

    async def _look(self) -> None:
        self.status = await self.desk.status(self.workflow_id)
        self.was_blocked |= self.status.blocked is not None
        self.screen.show(self.status)

    async def _act(self) -> None:
        if self.status.blocked:
            await self._unblock()
        elif self.status.waiting_on and self._can_be_decided(self.status.waiting_on):
            await self._decide(self.status.waiting_on)

    def _can_be_decided(self, waiting_on: WaitingOn) -> bool:
        # A verdict on the results counts only once there is a document to read.
        unread = waiting_on.gate is Gate.RESULTS and self.status.document is None
        return waiting_on.ticket not in self._decided and not unread

    async def _unblock(self) -> None:
        blocked = self.status.blocked
        assert blocked is not None
        if self.scenario.mend is None or not self.scenario.blocks:
            raise ConsoleFault(f"the implementation is blocked by {blocked.cause}: {blocked.message}")
        await asyncio.sleep(_THINKING_SECONDS)
        await self._mend()
        await self.desk.resume(self.workflow_id, self.scenario.mending)

    async def _decide(self, waiting_on: WaitingOn) -> None:
        move = self.scenario.moves.get(waiting_on.gate)
        if move is None:
            raise ConsoleFault(f"the story has nobody who decides {waiting_on.ticket} ({waiting_on.gate.value})")
        await asyncio.sleep(_THINKING_SECONDS)
        if waiting_on.gate is Gate.TEST_FAILURE:
            await self._mend()
        self.screen.say(f"{_name(move.person)} moves {waiting_on.ticket} to {move.status}: “{move.comment}”", "italic")
        await self.jira.decide(move.person, waiting_on.ticket, status=move.status, comment=move.comment)
        self._decided.add(waiting_on.ticket)

    async def _mend(self) -> None:
        assert self.scenario.mend is not None
        self.screen.say(f"{_name(REQUESTER)} {self.scenario.mending}", "italic")
        await self.scenario.mend(self.registry)

    async def _ending(self, started: Started) -> Ending:
        try:
            result = await self.desk.handle(started.workflow_id, started.run_id).result()
        except WorkflowFailureError as error:
            kind = error.cause.type if isinstance(error.cause, ApplicationError) else type(error.cause).__name__
            reason = error.cause.message if isinstance(error.cause, ApplicationError) else describe_failure(error)
            return Ending(how=kind or "", reason=reason)
        return Ending(how=result.outcome, reason=result.reason, result=result)

    async def _end_leftover(self) -> None:
        handle = self.desk.handle(self.workflow_id)
        try:
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return
            raise
        self.screen.say("An earlier demonstration of this model was interrupted; it is ended first.", "dim")
        with contextlib.suppress(ConsoleFault, TimeoutError, WorkflowFailureError):
            await self.desk.abort(self.workflow_id, "a new demonstration starts")
            await asyncio.wait_for(handle.result(), _LEFTOVER_SECONDS)
            return
        await handle.terminate(reason="a new demonstration starts")


async def perform(name: ScenarioName, running: RunningStack, console: Console) -> bool:
    """Plays a scenario and prints what happened; returns whether it ended as it should.

    Raises:
        ConsoleFault: it cannot go on, or did not end in time.
    """
    scenario, began = SCENARIOS[name], time.monotonic()
    console.print(Text.assemble((f"\nScenario {name.value}: ", "bold"), scenario.about), soft_wrap=True)
    desk = Desk(await connect_to(running.addresses.temporal), running.addresses.temporal_ui)
    async with JiraPeople(running.addresses.jira) as jira, ModelRegistry(running.addresses.modelop) as registry:
        with StepScreen(console) as screen:
            performance = Performance(scenario, desk, jira, registry, screen)
            await performance.set_the_stage()
            tickets_before = set(await jira.tickets_of(performance.workflow_id))
            started = await performance.start()
            screen.say(f"Started {started.workflow_id}\n{desk.link(started.workflow_id, started.run_id)}")
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    ending = await performance.play(started)
            except TimeoutError as error:
                raise ConsoleFault(_gave_up(performance.status)) from error
        tickets = [key for key in await jira.tickets_of(performance.workflow_id) if key not in tickets_before]
        document = await _save_document(performance.status, jira, running.directory / "documents")
        complaints = [*_complaints(performance, ending, tickets), *await _workflow_problems(desk)]
    _print_outcome(console, ending, time.monotonic() - began)
    run = desk.link(started.workflow_id, started.run_id)
    for label, value in _links(running, run, ending, sorted(tickets), performance.status.snapshot_id, document):
        console.print(Text.assemble((f"  {label:<10} ", "bold"), value), soft_wrap=True)
    _print_verdict(console, name, complaints)
    return not complaints


def _complaints(performance: Performance, ending: Ending, tickets: Sequence[str]) -> list[str]:
    """What is not as the scenario says it must be."""
    scenario, status = performance.scenario, performance.status
    complaints = []
    if ending.how != scenario.ending:
        complaints.append(f"it ended {ending.how}, not {scenario.ending}: {ending.reason}")
    if len(status.test_runs) != scenario.test_runs:
        complaints.append(f"the tests ran {len(status.test_runs)} times, not {scenario.test_runs}")
    if performance.was_blocked != scenario.blocks:
        complaints.append(f"it was {'' if performance.was_blocked else 'never '}blocked")
    if len(tickets) != len(scenario.moves):
        complaints.append(f"people got {len(tickets)} tickets, not {len(scenario.moves)}: {', '.join(tickets)}")
    if {decision.gate for decision in status.decisions} != set(scenario.moves):
        complaints.append(f"recorded decisions: {[decision.gate.value for decision in status.decisions]}")
    return complaints


async def _workflow_problems(desk: Desk) -> list[str]:
    """Runs that fail their workflow task over and over, which no scenario may leave."""
    spinning = [each.id async for each in desk.client.list_workflows("TemporalReportedProblems IS NOT NULL")]
    return [f"Temporal reports problems of {each}" for each in spinning]


async def _save_document(status: ImplementationStatus, jira: JiraPeople, directory: Path) -> Path | None:
    """Saves the review document as it hangs on the ticket, once its hash is the one that people decided on."""
    if status.document is None:
        return None
    content = await jira.attachment(status.document.attachment_id)
    if hashlib.sha256(content).hexdigest() != status.document.sha256:
        raise ConsoleFault(f"the document on the ticket is not the one that was recorded: {status.document.filename}")
    # A name that came over the network must not choose the directory.
    path = directory / Path(status.document.filename).name
    await asyncio.to_thread(_write, path, content)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _links(
    running: RunningStack, run: str, ending: Ending, tickets: Sequence[str], snapshot: str | None, document: Path | None
) -> list[tuple[str, str]]:
    addresses = running.addresses
    links = [("Run", run)]
    links += [("Ticket", f"{addresses.jira}/browse/{ticket}") for ticket in tickets]
    if snapshot:
        links.append(("Snapshot", f"{addresses.modelop}/snapshots/{snapshot}"))
    if snapshot and ending.how == Outcome.DEPLOYED:
        links.append(("Archived", f"{addresses.modelop}/snapshots/{snapshot}/documents/0"))
    if document:
        links.append(("Document", str(document)))
    return links


def _print_outcome(console: Console, ending: Ending, seconds: float) -> None:
    good = ending.how == Outcome.DEPLOYED
    text = Text.assemble((ending.how, "bold"), f": {ending.reason}")
    title = f"Outcome after {seconds:.0f} s"
    if console.is_terminal:
        console.print()
        console.print(Panel(text, title=title, title_align="left", border_style="green" if good else "yellow"))
    else:
        console.print(Text(f"\n{title}: ").append_text(text), soft_wrap=True)


def _print_verdict(console: Console, name: ScenarioName, complaints: Sequence[str]) -> None:
    if not complaints:
        console.print(Text(f"\n✓ Scenario {name.value} ended as it should.", style="bold green"))
        return
    console.print(Text(f"\n✗ Scenario {name.value} did not end as it should:", style="bold red"))
    for complaint in complaints:
        console.print(Text(f"  - {complaint}"), soft_wrap=True)


def _gave_up(status: ImplementationStatus) -> str:
    seen = f"it stands at {status.stage.value}"
    if status.waiting_on:
        seen += f" and waits on {status.waiting_on.ticket}"
    if status.blocked:
        seen += f" and is blocked by {status.blocked.cause}: {status.blocked.message}"
    return f"the implementation did not end within {GIVE_UP_SECONDS:.0f} s: {seen}"


def _name(person: str) -> str:
    account = find_person(person)
    return account.display_name if account else person
