"""What workers carry: many implementations at once on a local stack of its own, people approving everything at once.

`python -m bench.throughput [--runs 50] [--workers 1] [--json FILE]` prints runs per minute, activities per second, and
processor time and memory by process. The test jobs, both sandboxes and Temporal's development server share this
machine with the workers, so what it gives is a lower bound for a worker on a machine of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHandle

from console.faults import ConsoleFault
from console.sandbox_clients import JiraPeople
from console.stack import Addresses, RunningStack, _services, local_stack
from console.supervision import Supervisor, run_until_signalled
from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.seed import GERMAN_CREDIT
from worker.data_converter import data_converter
from workflows.contract import (
    STAGE_ATTRIBUTE,
    TASK_QUEUE,
    TICKET_ATTRIBUTE,
    WORKFLOW_TYPE,
    ImplementationResult,
    MlcStage,
    workflow_id,
)

DECIDERS = {MlcStage.PIA_APPROVAL: "paul", MlcStage.RESULTS_APPROVAL: "vera", MlcStage.PRODUCTION_APPROVAL: "aaron"}
GLANCE_SECONDS = 0.5
START_SECONDS = 60.0
GIVE_UP_SECONDS = 1800.0
DEPLOYED = "DEPLOYED"
# Of each process only one can listen there.
_PORTS_OF_ONE = ("MLC_WORKER__METRICS_PORT", "MLC_WORKER__HEALTH_PORT")
_MANAGED = ("id", "version", "createdDate", "createdBy", "lastModifiedDate", "lastModifiedBy", "_links")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process used so far: processor seconds, and megabytes of memory at most."""

    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Throughput:
    """One measurement.

    Attributes:
        seconds: from the first start to the last end.
        activities: that completed, of all runs.
        processes: by name, what each used meanwhile.
    """

    runs: int
    workers: int
    seconds: float
    activities: int
    outcomes: dict[str, int]
    processes: dict[str, Usage]

    @property
    def runs_per_minute(self) -> float:
        """Runs that ended in a minute, on average."""
        return 60 * self.runs / self.seconds


class Reviewers(JiraPeople):
    """People who read before they decide."""

    async def may_decide(self, ticket: str, person: str) -> bool:
        """Whether there is what to decide on; a verdict from before the document was attached would not count."""
        if person != DECIDERS[MlcStage.RESULTS_APPROVAL]:
            return True
        found = await self._call(
            "GET", f"/rest/api/2/issue/{ticket}", params={"fields": "attachment"}, auth=self._service
        )
        return bool(found.json()["fields"]["attachment"])


async def measure(directory: Path, *, runs: int, workers: int) -> Throughput:
    """Starts a stack on a new directory, lets all implementations run and ends the stack.

    Raises:
        ConsoleFault: the stack did not start, or a call to a sandbox failed.
        TimeoutError: the runs did not end within `GIVE_UP_SECONDS`.
    """
    async with local_stack(directory, say=lambda line: None) as (running, supervisor):
        _add_workers(running, supervisor, workers - 1)
        client = await Client.connect(running.addresses.temporal, data_converter=data_converter)
        await _all_at_work(client, workers)
        models = await _register(running.addresses, runs)
        before = _usages(supervisor.pids)
        began = time.monotonic()
        handles = [await _start(client, model) for model in models]
        async with asyncio.timeout(GIVE_UP_SECONDS):
            outcomes = await _until_ended(client, running.addresses, handles)
        seconds = time.monotonic() - began
        after = _usages(supervisor.pids)
        activities = sum([await _activities(handle) for handle in handles])
    used = {name: Usage(after[name].seconds - before[name].seconds, after[name].peak_mb) for name in after}
    return Throughput(runs, workers, seconds, activities, dict(outcomes), used)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the measurement; 1 if a run did not end deployed, 2 if the stack did not start."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--runs", type=_positive, default=50, help="implementations at once")
    parser.add_argument("--workers", type=_positive, default=1, help="worker processes on the one task queue")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        try:
            found = run_until_signalled(
                lambda: measure(Path(folder) / "data", runs=options.runs, workers=options.workers)
            )
        except ConsoleFault as fault:
            print(fault, file=sys.stderr)  # noqa: T201 - a program's own output
            return 2
    if found is None:
        return 1
    screen = Console(width=None if sys.stdout.isatty() else 140)
    screen.print(_summary(found), highlight=False)
    screen.print(_table(found))
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=2) + "\n")
    return 0 if found.outcomes == {DEPLOYED: found.runs} else 1


def _add_workers(running: RunningStack, supervisor: Supervisor, more: int) -> None:
    worker = next(each for each in _services(running.addresses, running.directory) if each.name == "worker")
    environment = {name: value for name, value in worker.environment.items() if name not in _PORTS_OF_ONE}
    for number in range(2, more + 2):
        supervisor.launch(replace(worker, name=f"worker {number}", environment=environment))


async def _all_at_work(client: Client, workers: int) -> None:
    """Waits until every worker asks for work: whoever serves a run first keeps it, and would keep all of them."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    async with asyncio.timeout(START_SECONDS):
        while True:
            described = await client.workflow_service.describe_task_queue(request)
            if len({poller.identity for poller in described.pollers}) >= workers:
                return
            await asyncio.sleep(GLANCE_SECONDS)


async def _register(addresses: Addresses, number: int) -> list[str]:
    """Registers copies of the seeded model and returns their ids."""
    async with httpx.AsyncClient(
        base_url=f"{addresses.modelop}/model-manage/api/",
        headers={"Authorization": f"Bearer {STATIC_TOKEN}"},
        timeout=10.0,
        trust_env=False,
    ) as http:
        example = (await http.get(f"storedModels/{GERMAN_CREDIT}")).raise_for_status().json()
        model = {key: value for key, value in example.items() if key not in _MANAGED}
        ids = []
        for each in range(number):
            named = {**model, "modelMetaData": {**model["modelMetaData"], "name": f"Throughput {each:04}"}}
            created = (await http.post("storedModels", json=named)).raise_for_status().json()
            ids.append(str(created["id"]))
        return ids


async def _start(client: Client, model_id: str) -> WorkflowHandle[Any, ImplementationResult]:
    return await client.start_workflow(
        WORKFLOW_TYPE,
        {"model_id": model_id},
        id=workflow_id(model_id),
        task_queue=TASK_QUEUE,
        result_type=ImplementationResult,
    )


async def _until_ended(
    client: Client, addresses: Addresses, handles: Sequence[WorkflowHandle[Any, ImplementationResult]]
) -> Counter[str]:
    approving = asyncio.create_task(_approve_everything(client, addresses))
    ending = asyncio.create_task(_outcomes(handles))
    try:
        await asyncio.wait({approving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if approving.done():
            approving.result()
        return await ending
    finally:
        approving.cancel()
        ending.cancel()


async def _outcomes(handles: Sequence[WorkflowHandle[Any, ImplementationResult]]) -> Counter[str]:
    results = await asyncio.gather(*(handle.result() for handle in handles))
    return Counter(str(result.outcome) for result in results)


async def _approve_everything(client: Client, addresses: Addresses) -> None:
    """Moves each ticket to Done as soon as a run waits on it, one glance at all runs at a time."""
    decided: set[str] = set()
    async with Reviewers(addresses.jira) as people:
        while True:
            async for run in client.list_workflows("MlcTicket IS NOT NULL AND ExecutionStatus = 'Running'"):
                ticket = run.typed_search_attributes.get(TICKET_ATTRIBUTE)
                person = DECIDERS.get(MlcStage(run.typed_search_attributes[STAGE_ATTRIBUTE]))
                if ticket and person and ticket not in decided and await people.may_decide(ticket, person):
                    await people.decide(person, ticket, status="Done", comment="Approved for the measurement.")
                    decided.add(ticket)
            await asyncio.sleep(GLANCE_SECONDS)


async def _activities(handle: WorkflowHandle[Any, ImplementationResult]) -> int:
    history = await handle.fetch_history()
    return sum(event.HasField("activity_task_completed_event_attributes") for event in history.events)


def _usages(pids: dict[str, int]) -> dict[str, Usage]:
    return {name: _usage(pid) for name, pid in pids.items()}


def _usage(pid: int) -> Usage:
    """From Linux's /proc, for a process that runs."""
    # The second field is the program's name in parentheses and may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(status["VmHWM"].split()[0]) / 1024)


def _summary(found: Throughput) -> str:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(found.outcomes.items()))
    return (
        f"{found.runs} implementations at once, {found.workers} worker(s), {os.cpu_count()} processors: "
        f"{found.runs_per_minute:.1f} runs/min, {found.activities / found.seconds:.1f} activities/s, "
        f"{found.seconds:.0f} s in all; {outcomes}"
    )


def _table(found: Throughput) -> Table:
    table = Table(box=None)
    for heading in ("Process", "CPU s", "CPU s per run", "Peak memory MB"):
        table.add_column(heading, justify="left" if heading == "Process" else "right")
    for name, used in found.processes.items():
        table.add_row(name, f"{used.seconds:.1f}", f"{used.seconds / found.runs:.2f}", f"{used.peak_mb:.0f}")
    return table


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("should be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
