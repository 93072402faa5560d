"""The outside world at the activities' border, in memory: what a run asked for, and what it gets.

The real clients are tested against real servers elsewhere; here every answer and every failure can be scripted.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.identity import RunIdentity
from activities.jira import types as jira
from activities.modelop import types as modelop
from activities.process_settings import ProcessSettings
from activities.review_document import types as review_document
from activities.sagemaker import types as sagemaker
from tests.temporal_servers import failures_in_code, settled
from worker.wiring import activity_methods
from workflows.contract import WORKFLOW_TYPE, ImplementationResult, ImplementationStatus, workflow_id
from workflows.implementation import SagemakerModelImplementationWorkflow

PATIENCE_SECONDS = 20.0
REPLAY_ALWAYS = "REPLAY_ALWAYS" in os.environ


def problem(kind: str, message: str = "as scripted", *, final: bool = True) -> ApplicationError:
    """An error such as the real activities raise; not final means that Temporal retries it."""
    return ApplicationError(message, type=kind, non_retryable=final)


@dataclass
class TicketState:
    request: jira.TicketRequest
    ticket: jira.Ticket
    decision: jira.TicketDecision | None = None
    status: str = "To Do"
    comments: list[str] = field(default_factory=list)
    closed_because: str | None = None


class World:
    """Implements every activity of the process, records what it was asked, and fails as scripted."""

    def __init__(self) -> None:
        self.model_id = str(uuid.uuid4())
        self.model_type = "SAGEMAKER"
        self.version = 1
        self.roles = ["BASELINE_DATA", "COMPARATOR_DATA"]
        self.tickets: dict[str, TicketState] = {}
        self.snapshots: list[modelop.SnapshotRequest] = []
        self.jobs: list[modelop.TestJobRequest] = []
        self.outcomes: list[modelop.JobOutcome] = []
        self.result = modelop.TestResult(result_id="result-1")
        self.kept: list[modelop.StoreResultRequest] = []
        self.previous: modelop.PreviousSnapshot | None = None
        self.template: modelop.TemplateUsed | None = None
        self.notifications: dict[str, modelop.NotificationRequest] = {}
        self.closed: dict[str, modelop.CloseNotificationRequest] = {}
        self.documents: list[review_document.ReviewDocumentRequest] = []
        self.attached: dict[str, review_document.ReviewDocument] = {}
        self.archived: list[review_document.ArchiveRequest] = []
        self.deployed: list[modelop.DeployRequest] = []
        self.standing: modelop.Deployment | None = None
        self.superseded: list[RunIdentity] = []
        self.asked: dict[str, int] = defaultdict(int)
        self.failures: dict[str, list[BaseException]] = defaultdict(list)
        self.always: dict[str, BaseException] = {}
        self.while_in: dict[str, Callable[[], Any]] = {}
        self.settings = ProcessSettings(
            retry_attempts=2,
            blocked_retry=timedelta(hours=1),
            job_timeout=timedelta(minutes=1),
            ambiguous_wait=timedelta(seconds=1),
            code_version="test",
        )
        self.endpoints_read: list[sagemaker.EndpointConfigRequest] = []
        self.endpoints_verified: list[sagemaker.EndpointConfig] = []
        self.adopt_decided = False
        self.sending: modelop.NotificationRequest | None = None
        self.closing = ""
        self.read: list[jira.ReadTicketRequest] = []
        self.left_open: list[str] = []
        self.closed_mirrors: list[str] = []
        self._keys = itertools.count(1)

    async def _asked(self, name: str) -> None:
        self.asked[name] += 1
        if name in self.while_in:
            await self.while_in[name]()
        if self.failures[name]:
            raise self.failures[name].pop(0)
        if name in self.always:
            raise self.always[name]

    def ticket(self, gate: jira.Gate) -> TicketState:
        """The newest ticket of a gate."""
        return [t for t in self.tickets.values() if t.request.gate == gate][-1]

    def decide(
        self, key: str, verdict: str, by: str = "paul", at: datetime | None = None, refused_because: str = ""
    ) -> None:
        """Moves a ticket to Done or Rejected, as a person does."""
        state = self.tickets[key]
        previous = state.status
        state.status = "Done" if verdict == "DONE" else "Rejected"
        state.decision = jira.TicketDecision(
            change_id=str(uuid.uuid4()),
            verdict=jira.Verdict(verdict),
            decided_by=by,
            decided_by_name=by.title(),
            decided_at=at or datetime.now(UTC),
            comment="because",
            previous_status=previous,
            refused_because=refused_because,
        )

    def open_notifications(self) -> list[modelop.NotificationRequest]:
        return [n for purpose, n in self.notifications.items() if n.open and purpose not in self.closed]

    def _fingerprint(self) -> str:
        return f"{self.version}:{self.roles}"

    def _assets(self) -> list[modelop.Asset]:
        return [modelop.Asset(name=f"{role}.csv", role=role) for role in self.roles]

    @activity.defn(name="read_process_settings")
    async def read_process_settings(self) -> ProcessSettings:
        await self._asked("read_process_settings")
        return self.settings

    @activity.defn(name="read_business_model")
    async def read_business_model(self, request: modelop.ModelRequest) -> modelop.BusinessModel:
        await self._asked("read_business_model")
        return modelop.BusinessModel(
            model_id=request.model_id,
            name="Credit | Scoring",
            version=self.version,
            type=self.model_type,
            assets=self._assets(),
            fingerprint=self._fingerprint(),
            known_as=["Credit | Scoring"],
        )

    @activity.defn(name="check_prerequisites")
    async def check_prerequisites(self, request: modelop.PrerequisitesRequest) -> modelop.Prerequisites:
        await self._asked("check_prerequisites")
        return modelop.Prerequisites(items=[modelop.Prerequisite(name="BASELINE_DATA", found=True, detail="one")])

    @activity.defn(name="create_snapshot")
    async def create_snapshot(self, request: modelop.SnapshotRequest) -> modelop.Snapshot:
        await self._asked("create_snapshot")
        self.snapshots.append(request)
        return modelop.Snapshot(
            snapshot_id=f"snapshot-{request.round}",
            name=f"Credit-{request.round}",
            model_version=self.version,
            fingerprint=self._fingerprint(),
            assets=self._assets(),
            endpoint=request.endpoint,
            previous=self.previous,
        )

    @activity.defn(name="read_endpoint_config")
    async def read_endpoint_config(self, request: sagemaker.EndpointConfigRequest) -> sagemaker.EndpointConfig:
        self.endpoints_read.append(request)
        await self._asked("read_endpoint_config")
        return sagemaker.EndpointConfig(
            name=request.name,
            arn=f"arn:aws:sagemaker:eu-central-1:1:endpoint-config/{request.name}",
            region="eu-central-1",
            read_at=datetime(2026, 11, 22, 12, 0, self.asked["read_endpoint_config"], tzinfo=UTC),
            fingerprint="ff" * 32,
        )

    @activity.defn(name="verify_endpoint_config")
    async def verify_endpoint_config(self, request: sagemaker.VerifyEndpointRequest) -> None:
        self.endpoints_verified.append(request.approved)
        await self._asked("verify_endpoint_config")

    @activity.defn(name="find_risk_tests")
    async def find_risk_tests(self) -> modelop.RiskTests:
        await self._asked("find_risk_tests")
        return modelop.RiskTests(snapshot_id="srt-1", model_id="srt", name="Standard Risk Tests")

    @activity.defn(name="start_test_job")
    async def start_test_job(self, request: modelop.TestJobRequest) -> modelop.TestJob:
        await self._asked("start_test_job")
        self.jobs.append(request)
        return modelop.TestJob(job_id=f"job-{request.attempt}")

    @activity.defn(name="follow_test_job")
    async def follow_test_job(self, job: modelop.TestJob) -> modelop.JobOutcome:
        await self._asked("follow_test_job")
        return self.outcomes.pop(0) if self.outcomes else modelop.JobOutcome(status="COMPLETE", succeeded=True)

    @activity.defn(name="store_test_result")
    async def store_test_result(self, request: modelop.StoreResultRequest) -> modelop.TestResult:
        await self._asked("store_test_result")
        self.kept.append(request)
        return self.result

    @activity.defn(name="send_notification")
    async def send_notification(self, request: modelop.NotificationRequest) -> modelop.Notification:
        self.sending = request
        await self._asked("send_notification")
        self.notifications[request.purpose] = request
        for purpose, notification in self.notifications.items():
            if notification.ticket and notification.ticket.key in request.closes_mirrors_of:
                self.closed[purpose] = modelop.CloseNotificationRequest(notification_id=purpose)
        return modelop.Notification(notification_id=request.purpose)

    @activity.defn(name="close_notification")
    async def close_notification(self, request: modelop.CloseNotificationRequest) -> None:
        self.closing = request.notification_id
        await self._asked("close_notification")
        self.closed[request.notification_id] = request

    @activity.defn(name="close_ticket_notifications")
    async def close_ticket_notifications(self, request: modelop.TicketNotificationsRequest) -> None:
        await self._asked("close_ticket_notifications")
        self.closed_mirrors += request.keys

    @activity.defn(name="withdraw_deployment")
    async def withdraw_deployment(self, request: modelop.WithdrawDeploymentRequest) -> modelop.Deployment | None:
        await self._asked("withdraw_deployment")
        return self.standing

    @activity.defn(name="mark_deployed")
    async def mark_deployed(self, request: modelop.DeployRequest) -> modelop.Deployment:
        await self._asked("mark_deployed")
        self.deployed.append(request)
        return modelop.Deployment(deployed_model_id="deployed-1")

    @activity.defn(name="open_ticket")
    async def open_ticket(self, request: jira.TicketRequest) -> jira.Ticket:
        self._request = request
        await self._asked("open_ticket")
        for state in self.tickets.values():
            if (state.request.run, state.request.gate, state.request.round) == (
                request.run,
                request.gate,
                request.round,
            ):
                return state.ticket.model_copy(update={"adopted": True})
        return await self.make_ticket()

    async def make_ticket(self) -> jira.Ticket:
        """Makes the ticket that was asked for last, whatever becomes of the answer."""
        request = self._request
        number = next(self._keys)
        ticket = jira.Ticket(key=f"GOV-{number}", issue_id=str(10000 + number), url=f"http://jira/browse/GOV-{number}")
        self.tickets[ticket.key] = TicketState(request=request, ticket=ticket)
        if self.adopt_decided:
            self.adopt_decided = False
            self.decide(ticket.key, "DONE")
            return ticket.model_copy(update={"adopted": True})
        return ticket

    @activity.defn(name="read_ticket")
    async def read_ticket(self, reference: jira.ReadTicketRequest) -> jira.TicketReading:
        await self._asked("read_ticket")
        self.read.append(reference)
        state = self.tickets[reference.key]
        return jira.TicketReading(
            key=reference.key,
            issue_id=reference.issue_id,
            url=state.ticket.url,
            status=state.status,
            decision=state.decision,
        )

    @activity.defn(name="comment_ticket")
    async def comment_ticket(self, request: jira.CommentRequest) -> None:
        await self._asked("comment_ticket")
        self.tickets[request.ticket.key].comments.append(request.text)

    @activity.defn(name="refuse_decision")
    async def refuse_decision(self, request: jira.RefuseDecisionRequest) -> None:
        await self._asked("refuse_decision")
        state = self.tickets[request.ticket.key]
        state.comments.append(request.reason)
        if request.move_back:
            state.status, state.decision = request.back_to, None

    @activity.defn(name="withdraw_ticket")
    async def withdraw_ticket(self, request: jira.WithdrawTicketRequest) -> jira.ClosedTickets:
        await self._asked("withdraw_ticket")
        found = [t for t in self.tickets.values() if (t.request.gate, t.request.round) == (request.gate, request.round)]
        for state in found:
            state.closed_because = request.reason
        return jira.ClosedTickets(keys=[state.ticket.key for state in found])

    @activity.defn(name="close_ticket")
    async def close_ticket(self, request: jira.CloseTicketRequest) -> None:
        await self._asked("close_ticket")
        self.tickets[request.ticket.key].closed_because = request.reason

    @activity.defn(name="supersede_tickets")
    async def supersede_tickets(self, request: jira.SupersedeRequest) -> jira.ClosedTickets:
        await self._asked("supersede_tickets")
        self.superseded.append(request.run)
        return jira.ClosedTickets(keys=self.left_open)

    @activity.defn(name="prepare_review_document")
    async def prepare_review_document(
        self, request: review_document.ReviewDocumentRequest
    ) -> review_document.ReviewDocument:
        await self._asked("prepare_review_document")
        self.documents.append(request)
        return self.attached.setdefault(
            request.model_dump_json(),
            review_document.ReviewDocument(
                filename="Model-Review.docx",
                sha256="ab" * 32,
                content_sha256="cd" * 32,
                size=1234,
                attachment_id="1",
                attached_at=datetime.now(UTC),
                verdicts={"PASS": 9, "FAIL": 1},
                template=self.template,
            ),
        )

    @activity.defn(name="verify_review_document")
    async def verify_review_document(self, request: review_document.VerifyRequest) -> None:
        await self._asked("verify_review_document")

    @activity.defn(name="archive_review_document")
    async def archive_review_document(
        self, request: review_document.ArchiveRequest
    ) -> review_document.ArchivedDocument:
        await self._asked("archive_review_document")
        self.archived.append(request)
        return review_document.ArchivedDocument(snapshot_id=request.snapshot_id, sha256=request.document.sha256)


class Process:
    """Starts and steers runs of the process on one worker."""

    def __init__(self, client: Client, world: World, task_queue: str) -> None:
        self.client = client
        self.world = world
        self.task_queue = task_queue
        self.workflow_id = workflow_id(world.model_id)
        self.started: list[WorkflowHandle[Any, Any]] = []

    async def start(self, *args: Any, workflow_id: str | None = None, **options: Any) -> WorkflowHandle[Any, Any]:
        """Starts a run; without arguments, with the world's model."""
        handle = await self.client.start_workflow(
            WORKFLOW_TYPE,
            args=args or [{"model_id": self.world.model_id, "options": options}],
            id=workflow_id or self.workflow_id,
            task_queue=self.task_queue,
            result_type=ImplementationResult,
        )
        self.started.append(
            self.client.get_workflow_handle(handle.id, run_id=handle.result_run_id, result_type=ImplementationResult)
        )
        return handle

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(self.workflow_id, result_type=ImplementationResult)

    async def status(self) -> ImplementationStatus:
        return await self.handle.query("status", result_type=ImplementationStatus)

    async def until(self, condition: Callable[[ImplementationStatus], bool]) -> ImplementationStatus:
        """Polls the status until a condition holds, and fails with the last status when it never does."""
        status = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while status is None or not condition(status):
                    await asyncio.sleep(0.02)
                    status = await self.status()
                if REPLAY_ALWAYS:
                    # Without a cache a query replays events that the run itself has not acted on yet.
                    await settled(self.handle)
                return status
        except TimeoutError:
            raise AssertionError(f"never came about; last status: {status}") from None

    async def waiting_on(self, gate: str) -> str:
        """Waits until the run waits on a gate's ticket; returns the ticket's key."""
        status = await self.until(lambda s: s.waiting_on is not None and s.waiting_on.gate == gate)
        assert status.waiting_on is not None
        return status.waiting_on.ticket

    async def blocked(self, cause: str) -> ImplementationStatus:
        return await self.until(lambda s: s.blocked is not None and s.blocked.cause == cause)

    async def signal(self, *payload: Any) -> None:
        await self.handle.signal("jira_status_changed", args=payload)

    async def decide(self, gate: str, verdict: str = "DONE", by: str = "paul") -> str:
        """Decides the gate's ticket and tells the run, as the relay does."""
        key = await self.waiting_on(gate)
        self.world.decide(key, verdict, by)
        await self.signal({"issue_key": key})
        return key

    async def approve(self, *gates: str) -> None:
        for gate in gates:
            await self.decide(gate)

    async def nothing_spins(self) -> None:
        """No run that was started here ever failed in its own code."""
        for handle in self.started:
            failures = await failures_in_code(handle)
            assert failures == [], failures


@asynccontextmanager
async def process_worker(client: Client, world: World, **options: Any) -> AsyncIterator[Process]:
    """A worker with the real workflow and this world's activities, on a task queue of its own."""
    task_queue = str(uuid.uuid4())
    if REPLAY_ALWAYS:
        # The sandbox would import the workflows anew for every task and every query.
        options = {**options, "max_cached_workflows": 0, "workflow_runner": UnsandboxedWorkflowRunner()}
    async with Worker(
        client,
        task_queue=task_queue,
        workflows=[SagemakerModelImplementationWorkflow],
        activities=activity_methods(world),
        **options,
    ):
        process = Process(client, world, task_queue)
        yield process
        await process.nothing_spins()
