"""A whole site for the tests: the local stack as processes, its people, and what its systems hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from console.sandbox_clients import JiraPeople, ModelRegistry
from console.stack import RunningStack
from sandbox.modelop.accounts import STATIC_TOKEN
from tests.temporal_servers import failures_in_code
from workflows.contract import TASK_QUEUE, WORKFLOW_TYPE, ImplementationResult, ImplementationStatus, workflow_id

PATIENCE_SECONDS = 60.0
SERVICE_ACCOUNT = ("svc-mlc", "svc-mlc-password")
Entity = dict[str, Any]


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

    async def patch(self, path: str, change: Entity) -> None:
        """Changes an entity of ModelOp Center."""
        answer = await self._modelop.patch(path, json=change)
        assert answer.status_code == 200, answer.text

    async def issue(self, key: str) -> Entity:
        """A Jira issue with all its fields."""
        answer = await self.jira.get(f"/rest/api/2/issue/{key}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

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
                    status = await self.status()
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

    async def blocked(self, cause: str) -> ImplementationStatus:
        return await self.until(lambda s: s.blocked is not None and s.blocked.cause == cause)

    async def abort(self) -> None:
        """Ends the run when the test has seen enough."""
        await self.handle.execute_update("abort", {"reason": "the test has seen enough"})
        await self.handle.result()
