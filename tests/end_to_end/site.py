"""A whole site for the tests: the local stack as processes, its people, and what its systems hold."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any, Literal

import httpx
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from console.sandbox_clients import JiraPeople, ModelRegistry
from console.stack import RunningStack
from sandbox.modelop.accounts import STATIC_TOKEN
from tests.temporal_servers import failures_in_code
from workflows.contract import TASK_QUEUE, WORKFLOW_TYPE, ImplementationResult, ImplementationStatus, workflow_id

PATIENCE_SECONDS = 60.0
UNANSWERED = {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.UNAVAILABLE}
SERVICE_ACCOUNT = ("svc-mlc", "svc-mlc-password")
Entity = dict[str, Any]
System = Literal["jira", "modelop"]


class Site:
    """The systems around the process, read and moved over HTTP as other programs and people do."""

    def __init__(self, stack: RunningStack, client: Client) -> None:
        self.stack = stack
        self.client = client
        self.started: list[WorkflowHandle[Any, Any]] = []
        self.people = JiraPeople(stack.addresses.jira)
        self.registry = ModelRegistry(stack.addresses.modelop)
        self._modelop = httpx.AsyncClient(
            base_url=f"{stack.addresses.modelop}/model-manage/api/",
            headers={"Authorization": f"Bearer {STATIC_TOKEN}"},
            timeout=10,
        )
        self.jira = httpx.AsyncClient(base_url=stack.addresses.jira, auth=SERVICE_ACCOUNT, timeout=10)

    async def start(self, model_id: str, task_queue: str = TASK_QUEUE, **request: Any) -> Run:
        """Starts an implementation as a registration system does, or joins the one that runs."""
        handle = await self.client.start_workflow(
            WORKFLOW_TYPE,
            {"model_id": model_id, **request},
            id=workflow_id(model_id),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            result_type=ImplementationResult,
        )
        self.started.append(self.client.get_workflow_handle(handle.id, run_id=handle.result_run_id))
        return Run(self, handle)

    async def entity(self, path: str) -> Entity:
        """One entity of ModelOp Center by its path, such as `deployableModels/<id>`."""
        answer = await self._modelop.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def all(self, collection: str) -> list[Entity]:
        """All entities of a ModelOp Center collection, newest first."""
        answer = await self._modelop.get(collection, params={"size": 1000, "sort": "createdDate,desc"})
        assert answer.status_code == 200, answer.text
        return list(answer.json().get("_embedded", {}).get(collection, []))

    async def notifications_since(self, run: Run) -> list[Entity]:
        """Notifications about the run's model that are not older than the run."""
        started = (await run.handle.describe()).start_time
        return [
            n
            for n in await self.all("notifications")
            if n["storedModelId"] == run.model_id and n["createdDate"] >= started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        ]

    async def mirrors(self) -> dict[str, bool]:
        """Whether the notification of a ticket is open, by the ticket's key."""
        notifications = await self.all("notifications")
        return {
            n["assignment"]["issueId"]: n["open"] for n in notifications if (n.get("assignment") or {}).get("issueId")
        }

    async def patch(self, path: str, change: Entity) -> None:
        """Changes an entity of ModelOp Center."""
        answer = await self._modelop.patch(path, json=change)
        assert answer.status_code == 200, answer.text

    async def issue(self, key: str) -> Entity:
        """A Jira issue with all its fields."""
        answer = await self.jira.get(f"/rest/api/2/issue/{key}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @asynccontextmanager
    async def failing(self, system: System, **fault: Any) -> AsyncIterator[None]:
        """Lets requests to a sandbox fail until the end of the block; `docs/sandboxes.md` says what `fault` may be."""
        faults = f"{getattr(self.stack.addresses, system)}/faults"
        made = await self.jira.post(faults, json=fault)
        assert made.is_success, made.text
        try:
            yield
        finally:
            assert (await self.jira.delete(f"{faults}/{made.json()['id']}")).is_success

    @asynccontextmanager
    async def without_webhooks(self) -> AsyncIterator[None]:
        """Lets Jira lose every webhook until the end of the block."""
        assert (await self.jira.post("/faults/webhooks", json={"lost": 1.0})).is_success
        try:
            yield
        finally:
            assert (await self.jira.delete("/faults/webhooks")).is_success

    async def administer(self, call: str, **body: Any) -> None:
        """Does in Jira what administrators do on its pages; `docs/sandboxes.md` names the calls."""
        answer = await self.jira.post(f"/sandbox/{call}", json=body)
        assert answer.is_success, answer.text

    def alter(self, system: System, statement: str, *values: Any) -> None:
        """Changes a system's database behind its back, as what none of its pages and calls does."""
        path = self.stack.directory / system / f"{system}.sqlite3"
        with closing(sqlite3.connect(path, timeout=10)) as database, database:
            assert database.execute(statement, values).rowcount > 0, "nothing was changed"

    def falsify(self, snapshot_id: str, field: str, value: object) -> None:
        """Changes a field of a snapshot, named by its path, that ModelOp Center lets nobody change."""
        statement = "UPDATE entity SET body = json_set(body, ?, ?) WHERE collection = 'deployableModels' AND id = ?"
        self.alter("modelop", statement, f"$.{field}", value, snapshot_id)

    async def deliver(self, body: Entity, *, secret: str | None = None) -> httpx.Response:
        """Sends the relay a webhook, signed as Jira signs it or with another secret."""
        raw = json.dumps(body).encode()
        secret = secret or (self.stack.directory / "webhook-secret").read_text().strip()
        signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        url = f"{self.stack.addresses.relay}/webhooks/jira"
        return await self.jira.post(url, content=raw, headers={"X-Hub-Signature": signature}, auth=httpx.Auth())

    async def end_what_runs(self) -> None:
        """Terminates what the test started and left running."""
        for handle in self.started:
            if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                await handle.terminate(reason="the test is over")

    async def nothing_spins(self) -> None:
        """No run failed in its own code, neither one that was started here nor any that Temporal reports."""
        for handle in self.started:
            assert await failures_in_code(handle) == []
        assert (
            await self.client.count_workflows("TemporalReportedProblems IS NOT NULL AND ExecutionStatus = 'Running'")
        ).count == 0

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._modelop.aclose()
        await self.jira.aclose()


class Run:
    """One implementation on the site."""

    def __init__(self, site: Site, handle: WorkflowHandle[Any, ImplementationResult]) -> None:
        self.site = site
        self.handle = handle
        self.model_id = handle.id.removeprefix("sagemaker-mlc-")

    async def status(self) -> ImplementationStatus:
        return await self.handle.query("status", result_type=ImplementationStatus)

    async def until(self, condition: Callable[[ImplementationStatus], bool]) -> ImplementationStatus:
        """Polls the status until a condition holds, and fails with the last status when it never does."""
        status = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while status is None or not condition(status):
                    await asyncio.sleep(0.1)
                    # A query finds no worker for some seconds where one has just been replaced.
                    try:
                        status = await self.status()
                    except RPCError as error:
                        if error.status not in UNANSWERED:
                            raise
                return status
        except TimeoutError:
            raise AssertionError(f"never came about; last status: {status}") from None

    async def waiting_on(self, gate: str) -> str:
        """Waits until a gate's ticket can be decided; returns its key."""
        status = await self.until(lambda s: s.waiting_on is not None and s.waiting_on.gate == gate)
        assert status.waiting_on is not None
        return status.waiting_on.ticket

    async def decide(self, gate: str, person: str, status: str = "Done") -> str:
        """Lets a person decide a gate's ticket in Jira; the run hears of it by webhook."""
        key = await self.waiting_on(gate)
        await self.site.people.decide(person, key, status=status, comment=f"{person} says {status}")
        return key

    async def approve_all(self) -> None:
        """Three people approve at the three approval gates."""
        await self.decide("PiaApproval", "paul")
        await self.decide("ResultsApproval", "vera")
        await self.decide("ProductionApproval", "aaron")

    async def hint(self, ticket: str, **claims: Any) -> None:
        """Signals that a ticket changed, as the relay does and as anybody could."""
        await self.handle.signal("jira_status_changed", {"issue_key": ticket, **claims})

    async def quiet(self) -> ImplementationStatus:
        """Waits until the run has acted on all that it was told and only waits; returns its status then."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                now = (await self.handle.describe()).raw_description
                if not now.pending_activities and not now.HasField("pending_workflow_task"):
                    return await self.status()
                await asyncio.sleep(0.05)

    async def failing(self, activity: str) -> None:
        """Waits until an activity of the run has failed and is to be tried again."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(
                pending.activity_type.name == activity and pending.attempt > 1
                for pending in (await self.handle.describe()).raw_description.pending_activities
            ):
                await asyncio.sleep(0.05)

    async def scheduled(self, activity: str) -> int:
        """How often the run has had an activity done, attempts not counted."""
        return sum(
            [
                event.activity_task_scheduled_event_attributes.activity_type.name == activity
                async for event in self.handle.fetch_history_events()
            ]
        )

    async def resume(self) -> None:
        """Lets a blocked run try again."""
        await self.handle.execute_update("resume", {"reason": "mended"})

    async def blocked(self, cause: str) -> ImplementationStatus:
        return await self.until(lambda s: s.blocked is not None and s.blocked.cause == cause)

    async def abort(self) -> None:
        """Ends the run when the test has seen enough."""
        await self.handle.execute_update("abort", {"reason": "the test has seen enough"})
        await self.handle.result()
