"""Temporal's prerequisites: that it answers, keeps histories long enough, and has what the process registers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
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
from workflows.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID, TASK_QUEUE

LEAST_RETENTION = timedelta(days=30)
RPC_TIMEOUT = timedelta(seconds=8)
POLLED_WITHIN = timedelta(minutes=2)
"""A poll lasts a minute at most, and the server keeps the names of pollers for five."""

_WORK = {
    TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: "workflows",
    TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: "activities",
}
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
        found = dict(listed.custom_attributes)
        missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in found]
        if missing:
            return [failed(name, f"not registered: {', '.join(missing)}", _SETUP)]
        wrong = [key.name for key in SEARCH_ATTRIBUTES if found[key.name] != int(key.indexed_value_type)]
        if wrong:
            types = ", ".join(f"{each} is {IndexedValueType.Name(found[each])}" for each in wrong)
            return [failed(name, f"registered with another type: {types}", "remove them, then run `mlc setup`")]
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
        every = " and ".join(f"{interval.every}" for interval in described.schedule.spec.intervals)
        return [ok(name, f"runs every {every} (h:mm:ss)")]

    async def worker(self) -> list[Row]:
        """Somebody works: workflows and activities of our task queue are asked for."""
        name = "Worker"
        workers = [await self._pollers(kind) for kind in _WORK]
        if not all(workers):
            idle = [work for work, found in zip(_WORK.values(), workers, strict=True) if not found]
            found = f"nobody asks for {' and '.join(idle)} of task queue {TASK_QUEUE}"
            return [failed(name, found, "start a worker with `mlc worker`, or see why it does not run")]
        return [ok(name, f"{len(set.union(*workers))} at work on task queue {TASK_QUEUE}")]

    async def _pollers(self, kind: TaskQueueType.ValueType) -> set[str]:
        described = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=TASK_QUEUE),
                task_queue_type=kind,
            ),
            timeout=RPC_TIMEOUT,
        )
        recently = datetime.now(UTC) - POLLED_WITHIN
        return {p.identity for p in described.pollers if p.last_access_time.ToDatetime(UTC) >= recently}


def _days(duration: timedelta) -> str:
    hours = duration / timedelta(hours=1)
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
