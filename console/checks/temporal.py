"""Temporal's prerequisites: that it answers, keeps histories long enough, and has what the process registers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentOptions, WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from console.checks.examination import Check, Row, Section, failed, ok, warning
from worker.search_attributes import mistyped_search_attributes
from workflows.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID, TASK_QUEUE

LEAST_RETENTION = timedelta(days=30)
RPC_TIMEOUT = timedelta(seconds=8)
POLLED_WITHIN = timedelta(minutes=2)
"""A poll lasts a minute at most, and the server keeps the names of pollers for five."""

_WORK = {
    TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: "workflows",
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: "activities",
}
_CURRENT = "make them current with `temporal worker deployment set-current-version`, see docs/upgrading.md"
_SETUP = "run `mlc setup`, or have an administrator register them"


def temporal_section(connect: Callable[[], Awaitable[Client]]) -> Section:
    """All checks on Temporal; connecting is the first of them."""
    checks = TemporalChecks(connect)
    return Section(
        first=Check("Temporal", checks.reachable),
        others=[
            Check("Temporal retention", checks.retention),
            Check("Temporal search attributes", checks.search_attributes),
            Check("Temporal sweep schedule", checks.schedule),
            Check("Worker", checks.worker),
        ],
    )


class TemporalChecks:
    """Looks at one namespace of one Temporal server."""

    _client: Client

    def __init__(self, connect: Callable[[], Awaitable[Client]]) -> None:
        self._connect = connect

    async def reachable(self) -> list[Row]:
        """It answers, and has the namespace."""
        self._client = client = await self._connect()
        info = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=RPC_TIMEOUT)
        return [ok("Temporal", f"server {info.server_version}, namespace {client.namespace}")]

    async def retention(self) -> list[Row]:
        """Histories of closed runs are kept until people want to see them."""
        name = "Temporal retention"
        described = await self._client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=self._client.namespace), timeout=RPC_TIMEOUT
        )
        kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
        if kept < LEAST_RETENTION:
            remedy = f"`temporal operator namespace update -n {self._client.namespace} --retention 90d`"
            found = f"closed runs are forgotten after {_days(kept)}; decisions should stay replayable for longer"
            return [warning(name, found, remedy)]
        return [ok(name, f"closed runs are kept for {_days(kept)}")]

    async def search_attributes(self) -> list[Row]:
        """Runs can be found; a run that sets an attribute which is missing fails its task over and over."""
        name = "Temporal search attributes"
        listed = await self._client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=self._client.namespace), timeout=RPC_TIMEOUT
        )
        missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in listed.custom_attributes]
        if missing:
            return [failed(name, f"not registered: {', '.join(missing)}", _SETUP)]
        if mistyped := await mistyped_search_attributes(self._client):
            types = ", ".join(f"{each} is {found}" for each, found in mistyped.items())
            return [
                failed(name, f"registered with another type: {types}", "run `mlc setup`, which says how to mend it")
            ]
        return [ok(name, ", ".join(key.name for key in SEARCH_ATTRIBUTES))]

    async def schedule(self) -> list[Row]:
        """Lost webhooks are made up for."""
        name = "Temporal sweep schedule"
        try:
            described = await self._client.get_schedule_handle(SWEEP_SCHEDULE_ID).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return [failed(name, f"there is no schedule {SWEEP_SCHEDULE_ID}", "run `mlc setup`")]
        if described.schedule.state.paused:
            note = described.schedule.state.note or "no note says why"
            return [warning(name, f"paused: {note}", f"`temporal schedule toggle --unpause -s {SWEEP_SCHEDULE_ID}`")]
        every = " and ".join(_spoken(interval.every) for interval in described.schedule.spec.intervals)
        return [ok(name, f"runs every {every}")]

    async def worker(self) -> list[Row]:
        """Somebody works: workflows and activities of our task queue are asked for, by workers that are given some."""
        name = "Worker"
        queues = {work: await self._queue(kind) for kind, work in _WORK.items()}
        if idle := [work for work, queue in queues.items() if not queue.pollers]:
            found = f"nobody asks for {' and '.join(idle)} of task queue {TASK_QUEUE}"
            return [failed(name, found, "start a worker with `mlc worker`, or see why it does not run")]
        for queue in queues.values():
            if not queue.served:
                found = f"work is for workers of {queue.current}; those that ask are of {', '.join(queue.versions)}"
                return [failed(name, found, _CURRENT)]
        workers = set[str]().union(*(queue.served for queue in queues.values()))
        return [ok(name, f"{len(workers)} at work on task queue {TASK_QUEUE}")]

    async def _queue(self, kind: TaskQueueType.ValueType) -> _Queue:
        described = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=TASK_QUEUE),
                task_queue_type=kind,
            ),
            timeout=RPC_TIMEOUT,
        )
        recently = datetime.now(UTC) - POLLED_WITHIN
        return _Queue(
            current=_version(described.versioning_info.current_deployment_version),
            pollers={
                poller.identity: _version(poller.deployment_options)
                for poller in described.pollers
                if poller.last_access_time.ToDatetime(UTC) >= recently
            },
        )


@dataclass(frozen=True)
class _Queue:
    """Which version of the worker deployment gets the work of a task queue, and who asks for it.

    Attributes:
        current: the version that gets it.
        pollers: the version of each worker by the worker's identity.
    """

    current: str
    pollers: Mapping[str, str]

    @property
    def served(self) -> set[str]:
        """The workers that are given work."""
        return {identity for identity, version in self.pollers.items() if version == self.current}

    @property
    def versions(self) -> Sequence[str]:
        """The versions of all that ask, each once."""
        return sorted(set(self.pollers.values()))


def _version(version: WorkerDeploymentVersion | WorkerDeploymentOptions) -> str:
    # Workers without a deployment have a build all the same, which does not route anything.
    return f"{version.deployment_name}:{version.build_id}" if version.deployment_name else "no deployment"


def _days(duration: timedelta) -> str:
    hours = duration / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"


def _spoken(interval: timedelta) -> str:
    seconds = interval.total_seconds()
    return f"{seconds:g} s" if seconds % 60 else f"{seconds / 60:g} min"
