"""One run of chaos from the first process to the judgement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from bench.chaos.ledger import Ledger
from bench.chaos.parts import Parts, running_parts
from bench.chaos.people import People
from bench.chaos.report import Report, RunEnd
from bench.chaos.scripts import REQUESTER, TESTS_FAIL, Script, write_scripts
from bench.chaos.trouble import Say, Trouble
from worker.data_converter import data_converter
from workflows.contract import TASK_QUEUE, WORKFLOW_TYPE, ImplementationResult, workflow_id

# The whole is bounded to ten minutes; what is left is for starting, counting and stopping.
DEADLINE_SECONDS = 550.0
# What a run does beyond its end, such as a person who changes her mind, is over soon.
SETTLING_SECONDS = 20.0


@dataclass
class Drill:
    """Everything that one run of chaos needs at hand."""

    parts: Parts
    client: Client
    ledger: Ledger
    people: People
    trouble: Trouble
    scripts: Mapping[str, Script]
    say: Say
    endings: dict[str, str] = field(default_factory=dict)

    async def take_place(self, seconds: float) -> None:
        """Plays all scripts amid the trouble, until every run has ended or the time is up."""
        playing = [asyncio.create_task(self.people.play(s, model_id)) for model_id, s in self.scripts.items()]
        ending = [asyncio.create_task(self._await_end(model_id)) for model_id in self.scripts]
        raging = asyncio.create_task(self.trouble.rage())
        forging = asyncio.create_task(self.trouble.forge())
        try:
            _, endless = await asyncio.wait(ending, timeout=seconds)
            if not endless:
                await asyncio.wait(playing, timeout=SETTLING_SECONDS)
        finally:
            broken = [task for task in (*playing, *ending, raging, forging) if task.done() and not task.cancelled()]
            for task in (*playing, *ending, raging, forging):
                task.cancel()
            await asyncio.gather(*playing, *ending, raging, forging, return_exceptions=True)
        for task in broken:
            # An error in chaos itself must not pass for a finding.
            task.result()

    async def _await_end(self, model_id: str) -> None:
        handle = self.client.get_workflow_handle(workflow_id(model_id), result_type=ImplementationResult)
        while model_id not in self.endings:
            try:
                self.endings[model_id] = (await handle.result()).outcome
            except WorkflowFailureError as failure:
                self.endings[model_id] = f"failed: {failure.cause}"
            except RPCError:
                await asyncio.sleep(1)
        self.say(f"{len(self.endings)} of {len(self.scripts)} ended: {self.scripts[model_id].course}")

    async def ends(self) -> list[RunEnd]:
        """Every run with what exists of it."""
        return [await self._end(model_id, script) for model_id, script in self.scripts.items()]

    async def _end(self, model_id: str, script: Script) -> RunEnd:
        handle = self.client.get_workflow_handle(workflow_id(model_id))
        described = (await handle.describe()).raw_description.workflow_execution_info
        end = RunEnd(
            script,
            model_id,
            self.endings.get(model_id),
            self.ledger.found(model_id),
            history_events=described.history_length,
            history_bytes=described.history_size_bytes,
        )
        if end.faults:
            # Whoever looks for the cause needs the history more than anything.
            evidence = self.parts.directory / "histories"
            evidence.mkdir(exist_ok=True)
            (evidence / f"{model_id}.json").write_text((await handle.fetch_history()).to_json())
        return end

    async def trouble_in_code(self) -> list[str]:
        """Runs that Temporal still reports as failing."""
        return [
            f"{run.id}: its workflow task fails"
            async for run in self.client.list_workflows("TemporalReportedProblems IS NOT NULL")
            if run.status is WorkflowExecutionStatus.RUNNING
        ]


async def run_chaos(seed: int, *, defect: str | None, directory: Path, say: Say) -> Report:
    """Runs chaos once on a new stack.

    Args:
        seed: fixes the scripts, the order of the trouble and the chances of the faults.
        defect: a defect planted into the worker, to see that it is noticed.
        directory: must not exist; keeps data, logs and the histories of runs that went wrong.
        say: takes a line of progress.
    """
    began = time.monotonic()
    async with running_parts(directory, defect=defect) as parts:
        client = await Client.connect(parts.addresses.temporal, data_converter=data_converter, runtime=_quiet_runtime())
        ledger = Ledger(parts.directory / "jira" / "jira.sqlite3", parts.directory / "modelop" / "modelop.sqlite3")
        people = People(parts.addresses, ledger)
        scripts = {
            await people.register(script.name, outdated_schema=script.course in TESTS_FAIL): script
            for script in write_scripts(seed)
        }
        trouble = Trouble(parts, client, ledger, list(scripts), seed=seed, say=say)
        drill = Drill(parts, client, ledger, people, trouble, scripts, say)
        try:
            await trouble.bewitch()
            for model_id in scripts:
                await client.start_workflow(
                    WORKFLOW_TYPE,
                    {"model_id": model_id, "requested_by": REQUESTER},
                    id=workflow_id(model_id),
                    task_queue=TASK_QUEUE,
                )
            await drill.take_place(DEADLINE_SECONDS - (time.monotonic() - began))
            await trouble.count_faults()
            runs, problems = await drill.ends(), await drill.trouble_in_code()
        finally:
            await people.aclose()
            await trouble.aclose()
    return Report(seed, defect, time.monotonic() - began, runs, trouble.damage, problems)


def _quiet_runtime() -> Runtime:
    # A server that is killed on purpose is no news.
    quiet = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=quiet)))
