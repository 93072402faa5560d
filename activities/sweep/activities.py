"""The activities of the sweep.

One activity walks through all waiting runs, so that the sweep's own history stays a few events long however many
runs wait, and nothing at all is added to the history of a run that has nothing to learn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from pydantic import BaseModel
from temporalio import activity
from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from activities import metrics
from activities.identity import RunIdentity
from activities.jira.types import ClosedTickets, DuplicateSearchRequest, Sighting, Sightings, SightingsRequest
from activities.modelop.types import Notification, NotificationRequest, NotificationType, Severity
from activities.signals import signal_once
from activities.sweep.types import FailingRuns, SweepReport

# What Jira reads in one call.
BATCH = 100
SIGNAL_TIMEOUT = timedelta(seconds=10)
MAX_REPORTED = 100
RUN_LABEL_PREFIX = "mlc-"


class Tickets(Protocol):
    """What the sweep needs of Jira."""

    async def sight_tickets(self, request: SightingsRequest) -> Sightings:
        """How many tickets stand."""

    async def close_duplicate_tickets(self, request: DuplicateSearchRequest) -> ClosedTickets:
        """Closes other tickets with the same run label."""


class Notifications(Protocol):
    """What the sweep needs of ModelOp Center."""

    async def send_notification(self, request: NotificationRequest) -> Notification:
        """Sends a notification once per run and purpose."""


@dataclass(frozen=True)
class RunNames:
    """The public names by which runs are found and told."""

    workflow_type: str
    signal: str
    ticket: SearchAttributeKey[str]
    model_id: SearchAttributeKey[str]
    blocked: SearchAttributeKey[bool]


class TicketHint(BaseModel):
    """The hint that a run gets, in the form of its public signal."""

    issue_key: str
    issue_id: str | None = None
    status: str | None = None
    event_id: str


class SweepActivities:
    """Finds what webhooks did not tell, and what Temporal reports as failing."""

    def __init__(self, client: Client, names: RunNames, *, jira: Tickets, modelop: Notifications) -> None:
        self._client = client
        self._names = names
        self._jira = jira
        self._modelop = modelop

    @activity.defn(name="sweep_tickets")
    async def sweep_tickets(self) -> SweepReport:
        """Reads the ticket of every waiting run, a hundred at a time, and signals each that is decided or missing.

        The request id names ticket, status and time of the last change: the server drops what a run was told before,
        so a ticket that stays as it is adds nothing to a history, sweep after sweep.
        """
        report = SweepReport()
        async for batch in self._batches():
            report.waiting += len(batch)
            report.batches += 1
            activity.heartbeat(report.waiting)
            try:
                await self._sweep(batch, report)
            except ApplicationError as error:
                # What Jira refuses for one batch it may do for the next; a Jira that is away is not asked further.
                if not error.non_retryable:
                    raise
                _note(error, report)
        meter = activity.metric_meter()
        metrics.count(meter, metrics.SWEEPS)
        metrics.count(meter, metrics.SWEEP_SIGNALS, report.signals)
        return report

    @activity.defn(name="report_failing_runs")
    async def report_failing_runs(self) -> FailingRuns:
        """Sends one error notification for each run whose code fails; such a run cannot tell of itself.

        It is not kept open: what closes it would be the run itself, or nobody.
        """
        told = []
        async for run in self._running("TemporalReportedProblems IS NOT NULL"):
            activity.heartbeat(run.id)
            if await self._report(run):
                told.append(run.id)
        return FailingRuns(workflow_ids=told[:MAX_REPORTED])

    async def _sweep(self, batch: dict[str, str], report: SweepReport) -> None:
        sightings = (await self._jira.sight_tickets(SightingsRequest(keys=list(batch)))).tickets
        for sighting in sightings:
            await self._tell(batch[sighting.key], sighting, report)
        try:
            closed = await self._jira.close_duplicate_tickets(DuplicateSearchRequest(waiting=_labels(sightings)))
        except ApplicationError as error:
            # Duplicates can wait for the next sweep; the people who decided in the next batch should not.
            _note(error, report)
        else:
            report.duplicates_closed = [*report.duplicates_closed, *closed.keys][:MAX_REPORTED]

    async def _tell(self, workflow_id: str, sighting: Sighting, report: SweepReport) -> None:
        if sighting.missing:
            report.missing = [*report.missing, sighting.key][:MAX_REPORTED]
            # A ticket can vanish, come back and vanish again: each time is news. A run that is blocked by it is not
            # among those that are swept.
            request_id = f"missing:{sighting.key}:{activity.info().workflow_run_id}"
        elif sighting.verdict is not None:
            request_id = f"{sighting.issue_id}:{sighting.status_id}:{sighting.updated}"
        else:
            return
        # The run knows its ticket by the key it waits on, also after a move to another project.
        hint = TicketHint(issue_key=sighting.key, issue_id=sighting.issue_id or None, event_id=request_id)
        if await signal_once(
            self._client,
            workflow_id,
            self._names.signal,
            hint,
            request_id=request_id,
            timeout=SIGNAL_TIMEOUT,
        ):
            report.signals += 1
            report.signalled = [*report.signalled, workflow_id][:MAX_REPORTED]

    async def _batches(self) -> AsyncIterator[dict[str, str]]:
        """Workflow ids by ticket key, a hundred at a time."""
        batch: dict[str, str] = {}
        # A blocked run reads its ticket when it is resumed.
        waiting = f"{self._names.ticket.name} IS NOT NULL AND {self._names.blocked.name} = false"
        async for run in self._running(waiting):
            key = run.typed_search_attributes.get(self._names.ticket)
            if key:
                batch[key] = run.id
            if len(batch) == BATCH:
                yield batch
                batch = {}
        if batch:
            yield batch

    def _running(self, condition: str) -> AsyncIterator[WorkflowExecution]:
        return self._client.list_workflows(
            f"WorkflowType = '{self._names.workflow_type}' AND ExecutionStatus = 'Running' AND {condition}"
        )

    async def _report(self, run: WorkflowExecution) -> bool:
        model_id = run.typed_search_attributes.get(self._names.model_id)
        if not model_id:
            activity.logger.error("Run %s of %s fails its workflow task", run.run_id, run.id)
            return False
        request = NotificationRequest(
            run=RunIdentity(workflow_id=run.id, run_id=run.run_id, started_at=run.start_time),
            purpose="workflow-task-failing",
            type=NotificationType.PROCESS,
            severity=Severity.ERROR,
            message=f"The process of {run.id} fails in its own code and stands still. "
            "Look at the run's history in Temporal and deploy a worker that can carry it.",
            model_id=model_id,
        )
        try:
            await self._modelop.send_notification(request)
        except ApplicationError as error:
            # One run whose model is gone must not keep the others from being reported.
            if not error.non_retryable:
                raise
            activity.logger.error("Run %s fails, and nobody could be told: %s", run.id, error.message)
            return False
        return True


def _note(error: ApplicationError, report: SweepReport) -> None:
    activity.logger.error("A part of the sweep failed: %s", error.message)
    report.unread = [*report.unread, error.message][:MAX_REPORTED]


def _labels(sightings: list[Sighting]) -> dict[str, str]:
    return {
        label: sighting.issue_id
        for sighting in sightings
        for label in sighting.labels
        if label.startswith(RUN_LABEL_PREFIX) and not sighting.missing
    }
