"""One scripted implementation: people approve everything, the first test job fails and its model is mended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from tests.faults.effects import Leg
from tests.faults.lanes import Lane
from workflows.contract import (
    QUERY_STATUS,
    SIGNAL_JIRA_STATUS_CHANGED,
    TASK_QUEUE,
    WORKFLOW_TYPE,
    ImplementationResult,
    ImplementationStatus,
    workflow_id,
)

PATIENCE_SECONDS = 420.0
"""For one leg: a killed worker is noticed after a minute and a half, and every struck effect takes its wait."""

_ENDS_OF_LEGS = {
    Leg.TO_PRIVACY: ("PiaApproval", "paul"),
    Leg.TO_TEST_FAILURE: ("TestFailure", "rita"),
    Leg.TO_RESULTS: ("ResultsApproval", "vera"),
    Leg.TO_PRODUCTION: ("ProductionApproval", "aaron"),
}


@dataclass
class Implementation:
    """A run of the process for a model of its own."""

    lane: Lane
    model_id: str
    ticket: str = ""
    outcome: str = "running"
    _handle: WorkflowHandle[object, ImplementationResult] | None = field(default=None, repr=False)

    @classmethod
    async def of_new_model(cls, lane: Lane, name: str) -> Implementation:
        """Registers a model; nothing has begun yet."""
        return cls(lane, await lane.register_model(name))

    @property
    def handle(self) -> WorkflowHandle[object, ImplementationResult]:
        """The run, once its first leg has begun."""
        assert self._handle is not None
        return self._handle

    async def begin(self, leg: Leg) -> None:
        """Sets a leg going: starts the run, or lets the person decide on whose decision it waits."""
        if leg is Leg.TO_PRIVACY:
            self._handle = await self.lane.client.start_workflow(
                WORKFLOW_TYPE,
                {"model_id": self.model_id},
                id=workflow_id(self.model_id),
                task_queue=TASK_QUEUE,
                result_type=ImplementationResult,
            )
            return
        if leg is Leg.TO_RESULTS:
            await self.lane.mend_model(self.model_id)
        await self.lane.decide(_ENDS_OF_LEGS[Leg(leg - 1)][1], self.ticket)
        await self.handle.signal(SIGNAL_JIRA_STATUS_CHANGED, {"issue_key": self.ticket})

    async def finish(self, leg: Leg) -> None:
        """Waits until a leg is over.

        Raises:
            TimeoutError: it is not within `PATIENCE_SECONDS`; the message says where the run stands.
        """
        status: ImplementationStatus | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if leg is Leg.TO_THE_END:
                    self.outcome = (await self.handle.result()).outcome
                    return
                while status is None or not self._waits_at(leg, status):
                    await asyncio.sleep(0.3)
                    status = await self.status() or status
        except TimeoutError:
            raise TimeoutError(f"{self.model_id} is not through leg {leg.name}: {status}") from None

    async def walk(self, leg: Leg) -> None:
        """A whole leg."""
        await self.begin(leg)
        await self.finish(leg)

    async def status(self) -> ImplementationStatus | None:
        """Where the run stands, if a worker is there to say it."""
        try:
            answer = await self.handle.query(
                QUERY_STATUS, result_type=ImplementationStatus, rpc_timeout=timedelta(seconds=5)
            )
        except RPCError:
            return None
        return ImplementationStatus.model_validate(answer)

    async def is_inside(self, activity: str) -> bool:
        """Whether Temporal waits for an attempt of that activity at this moment."""
        described = await self.handle.describe()
        return any(pending.activity_type.name == activity for pending in described.raw_description.pending_activities)

    def _waits_at(self, leg: Leg, status: ImplementationStatus) -> bool:
        gate, _ = _ENDS_OF_LEGS[leg]
        if status.waiting_on is None or status.waiting_on.gate != gate:
            return False
        self.ticket = status.waiting_on.ticket
        return True
