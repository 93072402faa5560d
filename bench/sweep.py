"""What one sweep costs: calls to Jira, seconds and signals, by how many runs wait on a ticket and by Jira's edition.

`python -m bench.sweep [--json FILE]` takes some minutes, most of them to fill two Jira sandboxes with 10,000 tickets
each. It measures the real activity against those and a Temporal dev server. Beyond `REAL_RUNS` the list of waiting runs
is made up, each with a real ticket of its own, and the output says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
from rich.console import Console
from rich.table import Table
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import ActivityEnvironment

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.adapter import JiraAdapter
from activities.jira.settings import JiraSettings
from activities.jira.types import Gate
from activities.links import Links
from activities.modelop.types import Notification, NotificationRequest
from activities.sweep.activities import SweepActivities
from activities.sweep.types import SweepReport
from tests.processes import free_port, server_process
from tests.temporal_servers import dev_server
from worker.wiring import RUN_NAMES
from workflows.contract import TICKET_ATTRIBUTE, WORKFLOW_TYPE, workflow_id

SIZES = (10, 1_000, 10_000)
REAL_RUNS = 1_000
# So many of a hundred tickets are decided before the first sweep, at least one.
DECIDED_PERCENT = 1
GIVE_UP_SECONDS = 600
PROJECT = "GOV"
# More only queue up in the sandbox, which answers from one process.
AT_ONCE = 8
UNPOLLED_TASK_QUEUE = "bench-without-a-worker"

EDITIONS = {"Data Center": "datacenter", "Cloud": "cloud"}
SIGN_IN = {
    "Data Center": {"username": "svc-mlc", "token": "svc-mlc-password"},
    "Cloud": {"username": "svc-mlc@sandbox.invalid", "token": "sandbox-jira-token"},
}
PAUL = {"Data Center": ("paul", "paul-password"), "Cloud": ("paul@sandbox.invalid", "paul-api-token")}
COUNTED = {
    "all": ("*", "/rest/**"),
    "POST search": ("POST", "/rest/api/2/search"),
    "POST issue/bulkfetch": ("POST", "/rest/api/2/issue/bulkfetch"),
    "POST search/jql": ("POST", "/rest/api/2/search/jql"),
}


@dataclass(frozen=True)
class Measurement:
    """One sweep over so many waiting runs.

    Attributes:
        edition: which Jira.
        waiting: runs that wait on a ticket.
        simulated: those of them that exist in the list only; their tickets are real and undecided.
        sweep: `first` after some tickets were decided, or `again`, with nothing new.
        jira_calls: HTTP requests that the sandbox counted.
        calls: the same by kind.
        seconds: for the whole sweep, reading Temporal's list included.
        signals: hints sent to runs.
        new_events: events that they added to the histories of all real runs.
    """

    edition: str
    waiting: int
    simulated: int
    sweep: str
    jira_calls: int
    calls: dict[str, int]
    seconds: float
    signals: int
    new_events: int


@dataclass(frozen=True)
class Waiting:
    """A run that waits: the identity that its ticket's label is made of, and the ticket's key."""

    run: RunIdentity
    ticket: str

    @property
    def labels(self) -> list[str]:
        """The labels that the process gives its tickets."""
        return ["sagemaker-mlc", self.run.workflow_id, f"mlc-{self.run.mark(Gate.PIA, 1)}"]


class JiraSite:
    """A sandbox of one edition, with its tickets and its count of requests."""

    def __init__(self, edition: str, url: str) -> None:
        self.edition = edition
        self.url = url
        self.tickets = 0
        self.decided = 0
        self._http = httpx.AsyncClient(base_url=url, auth=PAUL[edition], timeout=30, trust_env=False)

    async def add_tickets(self, waiting: Sequence[Waiting]) -> None:
        """Creates the tickets that are not there yet; keys are given in the order of creation."""
        for wanted in waiting[self.tickets :]:
            fields = {"project": {"key": PROJECT}, "issuetype": {"name": "Task"}, "labels": wanted.labels}
            created = await self._post("/rest/api/2/issue", {"fields": {**fields, "summary": wanted.ticket}})
            if created["key"] != wanted.ticket:
                raise AssertionError(f"the sandbox made {created['key']} instead of {wanted.ticket}")
            self.tickets += 1

    async def decide(self, waiting: Sequence[Waiting]) -> None:
        """Moves those of some tickets to Done that nobody moved yet."""
        for each in waiting[self.decided :]:
            path = f"/rest/api/2/issue/{each.ticket}/transitions"
            moves = (await self._http.get(path)).raise_for_status().json()["transitions"]
            (done,) = (move["id"] for move in moves if move["to"]["name"] == "Done")
            await self._post(path, {"transition": {"id": done}})
            self.decided += 1

    @contextlib.asynccontextmanager
    async def counting(self) -> AsyncIterator[dict[str, int]]:
        """Fills in, when the block is left, how many requests of each kind came meanwhile."""
        counts: dict[str, int] = {}
        ids = {name: await self._count(*what) for name, what in COUNTED.items()}
        yield counts
        for name, id_ in ids.items():
            counts[name] = (await self._http.delete(f"/faults/{id_}")).raise_for_status().json()["matched"]

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._http.aclose()

    async def _count(self, method: str, path: str) -> int:
        # A fault that spares every request changes nothing and still counts.
        fault = {"method": method, "path": path, "effect": "delay", "delay": 1, "skip": sys.maxsize}
        return int((await self._post("/faults", fault))["id"])

    async def _post(self, path: str, body: Any) -> dict[str, Any]:
        answer = (await self._http.post(path, json=body)).raise_for_status()
        return dict(answer.json()) if answer.content else {}


class ListedRuns:
    """Stands for a client whose list shows runs that do not exist; everything else is the real client's."""

    def __init__(self, client: Client, waiting: Sequence[Waiting]) -> None:
        self._client = client
        self._waiting = waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def list_workflows(self, query: str) -> AsyncIterator[Any]:
        """All runs, whatever is asked."""
        for each in self._waiting:
            attributes = TypedSearchAttributes([SearchAttributePair(TICKET_ATTRIBUTE, each.ticket)])
            yield SimpleNamespace(id=each.run.workflow_id, typed_search_attributes=attributes)


class NobodyToNotify:
    """ModelOp Center is no part of this measurement."""

    async def send_notification(self, request: NotificationRequest) -> Notification:
        raise AssertionError(f"a sweep over tickets has nothing to notify: {request.message}")


class Bench:
    """Runs that wait in Temporal, and the sweeps over them."""

    def __init__(self, client: Client, waiting: Sequence[Waiting]) -> None:
        self._client = client
        self._waiting = waiting
        self._handles: list[WorkflowHandle[Any, Any]] = []

    async def measure(self, sites: Sequence[JiraSite], size: int) -> AsyncIterator[Measurement]:
        """Sweeps twice over `size` waiting runs on each site."""
        waiting = self._waiting[:size]
        await self._start(waiting[:REAL_RUNS])
        await asyncio.gather(*(site.add_tickets(waiting) for site in sites))
        for site in sites:
            # Only runs that exist can be told.
            await site.decide(waiting[:REAL_RUNS][: max(1, size * DECIDED_PERCENT // 100)])
            adapter, settings = _adapter(site)
            try:
                jira = JiraActivities(adapter, settings, Links())
                for sweep in ("first", "again"):
                    yield await self._sweep(site, jira, waiting, sweep)
            finally:
                await adapter.aclose()

    async def _sweep(self, site: JiraSite, jira: JiraActivities, waiting: Sequence[Waiting], sweep: str) -> Measurement:
        simulated = max(0, len(waiting) - REAL_RUNS)
        client = cast(Client, ListedRuns(self._client, waiting)) if simulated else self._client
        activities = SweepActivities(client, RUN_NAMES, jira=jira, modelop=NobodyToNotify())
        events = await self._events()
        async with site.counting() as calls:
            began = time.perf_counter()
            report: SweepReport = await ActivityEnvironment().run(activities.sweep_tickets)
            seconds = time.perf_counter() - began
        if report.waiting != len(waiting):
            raise AssertionError(f"the sweep saw {report.waiting} of {len(waiting)} runs")
        return Measurement(
            edition=site.edition,
            waiting=report.waiting,
            simulated=simulated,
            sweep=sweep,
            jira_calls=calls.pop("all"),
            calls={name: count for name, count in calls.items() if count},
            seconds=round(seconds, 2),
            signals=report.signals,
            new_events=await self._events() - events,
        )

    async def _start(self, waiting: Sequence[Waiting]) -> None:
        """Starts the runs that do not run yet, and waits until Temporal's list shows them all."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def start(each: Waiting) -> WorkflowHandle[Any, Any]:
            async with turns:
                return await self._client.start_workflow(
                    WORKFLOW_TYPE,
                    id=each.run.workflow_id,
                    task_queue=UNPOLLED_TASK_QUEUE,
                    search_attributes=TypedSearchAttributes([SearchAttributePair(TICKET_ATTRIBUTE, each.ticket)]),
                )

        self._handles += await asyncio.gather(*(start(each) for each in waiting[len(self._handles) :]))
        query = f"{TICKET_ATTRIBUTE.name} IS NOT NULL"
        while (await self._client.count_workflows(query)).count < len(waiting):  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.1)

    async def _events(self) -> int:
        """Events in the histories of all real runs."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def length(handle: WorkflowHandle[Any, Any]) -> int:
            async with turns:
                return (await handle.describe()).history_length

        return sum(await asyncio.gather(*(length(handle) for handle in self._handles)))


async def measure_all(say: Callable[[str], None]) -> list[Measurement]:
    """Measures all sizes on both editions, on servers that live only so long.

    Raises:
        TimeoutError: it takes longer than `GIVE_UP_SECONDS`.
    """
    found: list[Measurement] = []
    waiting = [_waiting(number) for number in range(1, max(SIZES) + 1)]
    with ExitStack() as processes:
        folder = Path(processes.enter_context(tempfile.TemporaryDirectory()))
        sites = [processes.enter_context(_jira(edition, folder)) for edition in EDITIONS]
        async with asyncio.timeout(GIVE_UP_SECONDS), dev_server() as temporal:
            bench = Bench(temporal.client, waiting)
            for size in SIZES:
                say(f"{size:,} waiting runs ...")
                found += [measurement async for measurement in bench.measure(sites, size)]
        for site in sites:
            await site.aclose()
    return found


def main() -> None:
    """Prints the table, and the same numbers as JSON or writes those to a file."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description="What one sweep costs.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the JSON (default: it is printed)")
    file: Path | None = parser.parse_args().json
    console = Console(highlight=False)
    try:
        found = asyncio.run(measure_all(lambda line: console.print(line, style="dim")))
    except TimeoutError:
        sys.exit(f"not done after {GIVE_UP_SECONDS} s: free the machine of other work, or lower SIZES")
    console.print(_table(found))
    numbers = json.dumps([asdict(measurement) for measurement in found], indent=2) + "\n"
    if file is None:
        sys.stdout.write(numbers)
    else:
        file.write_text(numbers)


def _waiting(number: int) -> Waiting:
    model_id = str(uuid.uuid4())
    run = RunIdentity(workflow_id=workflow_id(model_id), run_id=str(uuid.uuid4()), started_at=datetime.now(UTC))
    return Waiting(run=run, ticket=f"{PROJECT}-{number}")


@contextlib.contextmanager
def _jira(edition: str, folder: Path) -> Iterator[JiraSite]:
    data, port = folder / EDITIONS[edition], free_port()
    data.mkdir()
    command = ["-m", "sandbox.jira", "--edition", EDITIONS[edition], "--port", str(port), "--data", str(data)]
    with server_process(command, port=port, log=folder / f"{EDITIONS[edition]}.log") as server:
        yield JiraSite(edition, server.url)


def _adapter(site: JiraSite) -> tuple[JiraAdapter, JiraSettings]:
    settings = JiraSettings.model_validate({"url": site.url, "project": PROJECT, **SIGN_IN[site.edition]})
    return JiraAdapter(settings), settings


def _table(found: Sequence[Measurement]) -> Table:
    table = Table(title="One sweep over the tickets of all waiting runs", title_justify="left", box=None)
    table.caption = (
        f"* {REAL_RUNS:,} runs wait in Temporal, the others are simulated in its list; every ticket is real.\n"
        f"{DECIDED_PERCENT} % of the tickets (at least one) were decided before the first sweep, nothing after it: "
        "Temporal drops the signals that it has already."
    )
    table.caption_justify = "left"
    for heading in ("Waiting", "Jira", "Sweep", "Jira calls", "Seconds", "Signals", "New events"):
        table.add_column(heading, justify="left" if heading in ("Jira", "Sweep") else "right", no_wrap=True)
    for each in found:
        table.add_row(
            f"{each.waiting:,}{'*' if each.simulated else ' '}",
            each.edition,
            each.sweep,
            f"{each.jira_calls:,}",
            f"{each.seconds:.2f}",
            f"{each.signals:,}",
            f"{each.new_events:,}",
        )
    return table


if __name__ == "__main__":
    main()
