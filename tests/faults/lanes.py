"""Lanes: a pair of sandboxes and a worker with a Temporal namespace of their own, so that rows do not meet."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.seed import TWO_SCHEMAS
from tests.faults.effects import API, ISSUE, SERVICE_ACCOUNT, Census, Entity, System
from tests.mlc_process import MLC, environment
from tests.processes import free_port, server_process
from tests.temporal_servers import TEMPORAL
from worker.data_converter import data_converter
from workflows.contract import SEARCH_ATTRIBUTES, TASK_QUEUE, workflow_id

AMBIGUOUS_WAIT = 6
"""Seconds where production has a minute: longer than any answer is late and than any search lags here."""

WORKER_START_SECONDS = 120.0


@asynccontextmanager
async def temporal_server(namespaces: Sequence[str]) -> AsyncIterator[str]:
    """A Temporal server with these namespaces; yields its address."""
    named = [part for namespace in namespaces for part in ("--namespace", namespace)]
    server = await WorkflowEnvironment.start_local(
        data_converter=data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_existing_path=str(TEMPORAL),
        dev_server_extra_args=named,
    )
    async with server:
        yield server.client.service_client.config.target_host


class Worker:
    """The worker as a process that can be killed as the machine it runs on could die."""

    def __init__(self, client: Client, settings: Mapping[str, str], log: Path) -> None:
        self._client = client
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Starts it and returns when Temporal has seen it ask for work."""
        before = await self._pollers()
        self._process = self._spawned()
        async with asyncio.timeout(WORKER_START_SECONDS):
            while not await self._pollers() - before:
                if self._process.poll() is not None:
                    raise RuntimeError(f"the worker ended: {self._log.read_text()[-3000:]}")
                await asyncio.sleep(0.2)

    def _spawned(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*MLC, "worker"], stdout=log, stderr=log, env=environment(self._settings), cwd=self._log.parent
            )

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is said."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends it, in order if it will."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        self._process.kill()
        self._process.wait()

    async def _pollers(self) -> set[str]:
        described = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=TASK_QUEUE),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            )
        )
        return {poller.identity for poller in described.pollers}


@dataclass
class Lane:
    """One pair of sandboxes, the worker that uses them, and what tests and people do there."""

    client: Client
    worker: Worker
    sandboxes: Mapping[System, httpx.AsyncClient]

    async def register_model(self, name: str) -> str:
        """Registers a model of its own for one implementation; its test job fails until it is mended."""
        fields = await self._get("modelop", f"{API}/storedModels/{TWO_SCHEMAS}")
        copied = {key: fields[key] for key in ("modelMetaData", "modelAssets")}
        copied["modelMetaData"] = {**copied["modelMetaData"], "name": name}
        created = await self._send("modelop", "POST", f"{API}/storedModels", json=copied)
        return str(created["id"])

    async def mend_model(self, model_id: str) -> None:
        """Takes the outdated input schema off a model."""
        path = f"{API}/storedModels/{model_id}"
        schemas = (await self._get("modelop", path))["modelMetaData"]["inputSchema"]
        await self._send("modelop", "PATCH", path, json={"modelMetaData": {"inputSchema": schemas[:1]}})

    async def decide(self, person: str, ticket: str) -> None:
        """Lets a person move a ticket to Done; no comment, so that all comments on it are the process's."""
        path, auth = f"{ISSUE}/{ticket}/transitions", (person, f"{person}-password")
        offered = (await self._get("jira", path, auth=auth))["transitions"]
        move = next(each["id"] for each in offered if each["to"]["name"] == "Done")
        await self._send("jira", "POST", path, auth=auth, json={"transition": {"id": move}})

    async def add_fault(self, system: System, fault: Mapping[str, Any]) -> int:
        """Makes a sandbox misbehave; returns the fault's id."""
        return int((await self._send(system, "POST", "/faults", json=fault))["id"])

    async def fault(self, system: System, fault_id: int) -> Entity:
        """What a fault has done so far."""
        shown: Entity = await self._get(system, f"/faults/{fault_id}")
        return shown

    async def remove_fault(self, system: System, fault_id: int) -> None:
        """Ends a fault."""
        await self._send(system, "DELETE", f"/faults/{fault_id}")

    async def search_lags(self, seconds: float) -> None:
        """Lets Jira's search trail behind for new and changed tickets."""
        await self._send("jira", "POST", "/faults/search", json={"seconds": seconds})

    async def clear_faults(self) -> None:
        """Ends all misbehaviour of both sandboxes."""
        for system in _SYSTEMS:
            await self._send(system, "DELETE", "/faults")

    async def census(self, model_id: str) -> Census:
        """Counts nothing itself: hands out all that belongs to a model, from the sandboxes' own data."""
        snapshots = await self._all("deployableModels", lambda e: e["storedModel"]["id"] == model_id)
        ids = {snapshot["id"] for snapshot in snapshots}
        return Census(
            tickets=await self._tickets(workflow_id(model_id)),
            snapshots=snapshots,
            jobs=await self._all("jobs", lambda e: e["referenceModel"]["id"] in ids),
            results=await self._all("modelTestResults", lambda e: e["storedModelId"] == model_id),
            deployed=await self._all("deployedModels", lambda e: e["deployableModel"]["id"] in ids),
            notifications=await self._all("notifications", lambda e: e["storedModelId"] == model_id),
        )

    async def _tickets(self, label: str) -> list[Entity]:
        query = {"jql": f'labels = "{label}"', "fields": "summary,status,attachment,comment", "maxResults": 1000}
        found: list[Entity] = (await self._get("jira", "/rest/api/2/search", params=query))["issues"]
        return found

    async def _all(self, collection: str, belongs: Any) -> list[Entity]:
        found: list[Entity] = []
        number, pages = 0, 1
        while number < pages:
            page = await self._get("modelop", f"{API}/{collection}", params={"size": 1000, "page": number})
            found += page.get("_embedded", {}).get(collection, [])
            number, pages = number + 1, page["page"]["totalPages"]
        return [entity for entity in found if belongs(entity)]

    async def _get(self, system: System, path: str, **arguments: Any) -> Any:
        return await self._send(system, "GET", path, **arguments)

    async def _send(self, system: System, method: str, path: str, **arguments: Any) -> Any:
        answer = await self.sandboxes[system].request(method, path, **arguments)
        if answer.is_error:
            raise RuntimeError(f"{system} answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer.json() if answer.content else None


@asynccontextmanager
async def lane(temporal: str, namespace: str, directory: Path, settings: Mapping[str, str]) -> AsyncIterator[Lane]:
    """Starts the processes of one lane; nothing of them is left when the block is left.

    Args:
        settings: variables of the worker beside its addresses and credentials.
    """
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.to_thread(directory.mkdir, parents=True)
        urls = {system: await asyncio.to_thread(_start_sandbox, stack, system, directory) for system in _SYSTEMS}
        client = await Client.connect(temporal, namespace=namespace, data_converter=data_converter)
        variables = {**_variables(temporal, namespace, urls), **settings}
        worker = Worker(client, variables, directory / "worker.log")
        stack.callback(worker.stop)
        await worker.start()
        sandboxes = {
            "jira": httpx.AsyncClient(
                base_url=urls["jira"], auth=(SERVICE_ACCOUNT, f"{SERVICE_ACCOUNT}-password"), **_HTTP
            ),
            "modelop": httpx.AsyncClient(
                base_url=urls["modelop"], headers={"Authorization": f"Bearer {STATIC_TOKEN}"}, **_HTTP
            ),
        }
        for sandbox in sandboxes.values():
            stack.push_async_callback(sandbox.aclose)
        yield Lane(client=client, worker=worker, sandboxes=sandboxes)  # type: ignore[arg-type]


_SYSTEMS: tuple[System, ...] = ("modelop", "jira")
_HTTP: dict[str, Any] = {"timeout": 30, "trust_env": False}


def _start_sandbox(stack: contextlib.AsyncExitStack, system: System, directory: Path) -> str:
    port = free_port()
    command = ["-m", f"sandbox.{system}", "--port", str(port), "--data", str(directory / system)]
    return stack.enter_context(server_process(command, port=port, log=directory / f"{system}.log", timeout=120)).url


def _variables(temporal: str, namespace: str, urls: Mapping[System, str]) -> dict[str, str]:
    return {
        "TEMPORAL_ADDRESS": temporal,
        "TEMPORAL_NAMESPACE": namespace,
        "MLC_MODELOP__URL": urls["modelop"],
        "MLC_MODELOP__TOKEN": STATIC_TOKEN,
        "MLC_MODELOP__JOB_POLL": "PT0.5S",
        "MLC_MODELOP__AMBIGUOUS_WAIT": f"PT{AMBIGUOUS_WAIT}S",
        "MLC_JIRA__URL": urls["jira"],
        "MLC_JIRA__USERNAME": SERVICE_ACCOUNT,
        "MLC_JIRA__TOKEN": f"{SERVICE_ACCOUNT}-password",
        "MLC_JIRA__PROJECT": "GOV",
        "MLC_JIRA__AMBIGUOUS_WAIT": f"PT{AMBIGUOUS_WAIT}S",
        # The sweep would close duplicates; here every one of them is to be seen.
        "MLC_WORKER__SWEEP_INTERVAL": "PT24H",
        "MLC_WORKER__GRACEFUL_SHUTDOWN": "PT1S",
        "NO_PROXY": "127.0.0.1,localhost",
    }
