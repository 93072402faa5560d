"""The process: one SageMaker model from registration to Deployed in Production.

`run` and `_implement` read like the process description; every outside effect goes through `Outside.perform`, which
knows retries, blocking and resuming. What a person must mend parks the run, it never ends it.

One history holds a run from its start to its end: a run that everybody approves has some two hundred events of the
51,200 that Temporal allows, and what the process repeats by itself is bounded (a blocked run's own tries slow down to
one a day; reminders and moves back are counted). Only whoever edits a waiting ticket some thousands of times could fill
it, as each edit is a signal and a read. So a run is never continued as new.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from workflows import policies, run_metrics, ticket_content
from workflows.messages import parse
from workflows.outside import MAX_TEXT, Outside, describe_failure
from workflows.status_board import StatusBoard

with workflow.unsafe.imports_passed_through():
    from activities.errors import OutsideError
    from activities.identity import RunIdentity
    from activities.jira import types as jira
    from activities.jira.activities import JiraActivities
    from activities.links import Links
    from activities.modelop import types as modelop
    from activities.modelop.activities import ModelOpActivities
    from activities.process_settings import ProcessSettingsActivities
    from activities.review_document import types as review_document
    from activities.review_document.activities import ReviewDocumentActivities
    from activities.sagemaker import types as sagemaker
    from activities.sagemaker.activities import SageMakerActivities
    from workflows.contract import (
        QUERY_STATUS,
        SIGNAL_JIRA_STATUS_CHANGED,
        UPDATE_ABORT,
        UPDATE_RESUME,
        WORKFLOW_TYPE,
        AbortRequest,
        Decision,
        Document,
        FailedMonitor,
        FailureType,
        Gate,
        ImplementationRequest,
        ImplementationResult,
        ImplementationStatus,
        MlcStage,
        Outcome,
        ResumeRequest,
        TestRun,
        TicketStatusChanged,
        Verdict,
        WaitingOn,
        workflow_id,
    )

SAGEMAKER = "SAGEMAKER"
MIRRORS = {
    Gate.PIA: modelop.NotificationType.MODEL_APPROVAL,
    Gate.TEST_FAILURE: modelop.NotificationType.JOB,
    Gate.RESULTS: modelop.NotificationType.DOCUMENT_REVIEW,
    Gate.PRODUCTION: modelop.NotificationType.MODEL_APPROVAL,
}
# Every attempt is kept, in every history event that quotes them: only the last one's error is kept at length.
MAX_EARLIER_ERROR = 300
LOST_DOCUMENT = (review_document.DocumentError.MISSING, review_document.DocumentError.CHANGED)
# What decides a ticket anew each time it is moved back is an automation: that would fill ticket and history for ever.
MAX_MOVES_BACK = 10
# How many signals for tickets that this run does not wait on are worth a line in the log.
MAX_LOGGED_STRAYS = 20


class GateRejected(Exception):
    """People said no at a gate."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.gate)
        self.decision = decision


@workflow.defn(name=WORKFLOW_TYPE)
class SagemakerModelImplementationWorkflow:
    """Carries one model implementation through its gates; see `workflows.contract` for what it takes and gives."""

    def __init__(self) -> None:
        # Handlers may run before `run` does: everything they touch is made here.
        self._board = StatusBoard()
        self._outside = Outside(self._board)
        self._hinted = False
        self._strays = 0
        self._stop: tuple[MlcStage, str] | None = None
        self._ending: _Ending | None = None
        self._ticket: jira.Ticket | None = None
        self._opening: jira.TicketRequest | None = None
        self._mirror: modelop.Notification | None = None
        self._handled_changes: set[str] = set()
        self._rounds: dict[Gate, int] = {}
        self._snapshot_round = 0
        self._deployment: modelop.Deployment | None = None
        self._endpoint: sagemaker.EndpointConfig | None = None

    @workflow.run
    async def run(self, payload: Any = None, *ignored: Any) -> ImplementationResult:
        """Runs one implementation to its end.

        The arguments are untyped on purpose: an argument of the wrong number or type would otherwise fail the
        workflow task for ever instead of failing the run with a clear error.

        Raises:
            ApplicationError: `InvalidRequest`, `ModelNotFound` or `WrongModelType`; all else parks the run.
        """
        self._accept(payload, ignored)
        try:
            await self._read_settings()
        except ActivityError as error:
            if is_cancelled_exception(error):
                self._board.enter(MlcStage.CANCELLED)
            raise
        course = asyncio.create_task(self._take_its_course())
        while not course.done():
            try:
                await workflow.wait_condition(course.done)
            except asyncio.CancelledError:
                # Only this wait is cancelled: what is being cleaned up by now goes on undisturbed.
                self._stop_for(MlcStage.CANCELLED, workflow.cancellation_reason() or "cancelled in Temporal")
        if self._board.status.stage is MlcStage.CANCELLED:
            raise asyncio.CancelledError
        return course.result()

    async def _take_its_course(self) -> ImplementationResult:
        """Runs the implementation to its end or until it is stopped, and leaves nothing open behind it."""
        implementation = asyncio.create_task(self._implement())
        await workflow.wait_condition(lambda: implementation.done() or self._stop is not None)
        if not implementation.done():
            self._outside.stop()
            implementation.cancel()
            await workflow.wait_condition(implementation.done)
        try:
            await implementation
        except (asyncio.CancelledError, ActivityError) as error:
            if self._stop is None or not is_cancelled_exception(error):
                raise
            await self._clean_up(*self._stop)
        await self._outside.settle_notices()
        if self._ending is None:
            raise AssertionError("an implementation that has ended has decided how")
        self._board.enter(self._ending.final_stage)
        return self._ending.result

    async def _implement(self) -> None:
        try:
            await self._register()
            await self._approve_privacy()
            await self._take_snapshot()
            await self._run_risk_tests()
            await self._approve_results()
            await self._approve_production()
            await self._mark_deployed()
        except GateRejected as rejection:
            await self._announce(Outcome.REJECTED, MlcStage.REJECTED, _rejection_reason(rejection.decision))
        else:
            await self._announce(Outcome.DEPLOYED, MlcStage.DEPLOYED, "deployed in production")

    async def _register(self) -> None:
        self._board.enter(MlcStage.REGISTERED)
        try:
            self._model = await self._outside.perform(
                ModelOpActivities.read_business_model,
                modelop.ModelRequest(model_id=self._request.model_id),
                summary="Read the business model",
                final=(OutsideError.NOT_FOUND,),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            raise await self._failed(
                FailureType.MODEL_NOT_FOUND,
                f"ModelOp Center has no business model {self._request.model_id}; check the id and register it first",
            ) from error
        self._board.status.model_name = self._model.name
        if self._model.type != SAGEMAKER:
            raise await self._failed(
                FailureType.WRONG_MODEL_TYPE,
                f"model {self._model.name} ({self._model.model_id}) is of type {self._model.type or 'unknown'}; "
                f"this process implements models of type {SAGEMAKER} only",
            )
        self._board.links[self._model.model_id] = self._model.url
        superseded = await self._outside.perform(
            JiraActivities.supersede_tickets,
            jira.SupersedeRequest(run=self._outside.run),
            policy=policies.jira,
            summary="Close what earlier runs left open",
        )
        if superseded.keys:
            await self._outside.perform(
                ModelOpActivities.close_ticket_notifications,
                modelop.TicketNotificationsRequest(model_id=self._model.model_id, keys=superseded.keys),
                summary="Close the notifications of those tickets",
            )

    async def _approve_privacy(self) -> None:
        self._board.enter(MlcStage.PIA_APPROVAL)
        prerequisites = await self._outside.perform(
            ModelOpActivities.check_prerequisites,
            modelop.PrerequisitesRequest(
                model_id=self._model.model_id,
                endpoint_config_name=self._request.endpoint_config_name,
                endpoint_config_is_read=self._outside.settings.reads_endpoint_config,
            ),
            summary="Look which prerequisites are in place",
        )
        content = ticket_content.privacy(self._subject(), prerequisites.items)
        await self._ask(Gate.PIA, content)

    async def _take_snapshot(self) -> None:
        self._board.enter(MlcStage.SNAPSHOT)
        await self._new_snapshot(supersedes=None)

    async def _run_risk_tests(self) -> None:
        self._board.enter(MlcStage.RISK_TESTS)
        allowed = self._request.options.max_test_runs
        tested_before = ""
        while True:
            risk_tests = self._risk_tests = await self._outside.perform(
                ModelOpActivities.find_risk_tests, summary="Find the Standard Risk Tests snapshot"
            )
            await self._require_test_data()
            if len(self._board.status.test_runs) >= allowed:
                await self._outside.block(
                    "TestRunsExhausted",
                    f"the Standard Risk Tests failed {len(self._board.status.test_runs)} times, which is all that "
                    "`max_test_runs` allows; resume allows one more",
                )
                allowed = len(self._board.status.test_runs) + 1
                await self._renew_snapshot()
                continue
            run, job = await self._test(risk_tests)
            if run.result_id is not None:
                return
            content = ticket_content.test_failure(
                self._subject(),
                self._snapshot,
                run,
                job.url,
                earlier=self._board.status.test_runs[:-1],
                tested_before=tested_before,
                decisions=self._board.status.decisions,
                url_of=self._board.links,
            )
            await self._ask(Gate.TEST_FAILURE, content, job_id=job.job_id)
            tested_before = self._snapshot.snapshot_id
            await self._renew_snapshot()

    async def _approve_results(self) -> None:
        self._board.enter(MlcStage.RESULTS_APPROVAL)
        run = self._board.status.test_runs[-1]
        content = ticket_content.review(
            self._subject(),
            self._snapshot,
            run,
            self._board.status.decisions,
            self._board.links,
            summary=self._summary,
        )
        ticket = await self._open_ticket(Gate.RESULTS, content)
        # Weeks may have passed: the document names the code that writes it.
        await self._read_settings()
        request = self._document_request(ticket, run)
        while True:
            await self._review(ticket, request)
            if await self._archive(ticket, request):
                return
            # What was approved is gone from the ticket. The same document again is the same question again, and
            # the only case in which people are asked twice.
            ticket = await self._open_ticket(Gate.RESULTS, content)
            request = request.model_copy(update={"ticket": _reference(ticket)})

    async def _review(self, ticket: jira.Ticket, request: review_document.ReviewDocumentRequest) -> None:
        self._document = await self._outside.perform(
            ReviewDocumentActivities.prepare_review_document,
            request,
            policy=policies.document,
            summary="Write the review document and attach it",
        )
        self._board.status.document = Document.model_validate(self._document.model_dump())
        try:
            await self._await_decision(Gate.RESULTS, ticket, not_before=self._document.attached_at)
        except GateRejected as rejection:
            await self._report_rejected_document(rejection.decision)
            raise

    async def _archive(self, ticket: jira.Ticket, request: review_document.ReviewDocumentRequest) -> bool:
        """Adds the approved bytes to the snapshot; false when they are lost but can be written again, bit for bit."""
        try:
            await self._outside.perform(
                ReviewDocumentActivities.archive_review_document,
                review_document.ArchiveRequest(
                    run=self._outside.run,
                    ticket=_reference(ticket),
                    snapshot_id=self._snapshot.snapshot_id,
                    document=self._document,
                ),
                policy=policies.document,
                summary="Add the approved document to the snapshot",
                final=LOST_DOCUMENT,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            kind, message, _ = describe_failure(error)
            await self._outside.block(
                kind, f"{message}; resume writes it again from the stored result and asks the reviewer again"
            )
            await self._outside.perform(
                ReviewDocumentActivities.verify_review_document,
                review_document.VerifyRequest(document=self._document, request=request),
                policy=policies.document,
                summary="Write the document again and compare",
            )
            return False
        return True

    async def _approve_production(self) -> None:
        self._board.enter(MlcStage.PRODUCTION_APPROVAL)
        content = ticket_content.production(
            self._subject(), self._snapshot, self._document, self._board.status.decisions, self._board.links
        )
        await self._ask(Gate.PRODUCTION, content)

    async def _mark_deployed(self) -> None:
        self._board.enter(MlcStage.MARK_DEPLOYED)
        await self._read_settings()
        await self._verify_endpoint_config()
        self._deployment = await self._outside.perform(
            ModelOpActivities.mark_deployed,
            modelop.DeployRequest(
                run=self._outside.run,
                snapshot_id=self._snapshot.snapshot_id,
                fingerprint=self._snapshot.fingerprint,
                document_sha256=self._document.sha256,
                document_filename=self._document.filename,
                document_provenance=self._document.provenance,
                decisions=self._decision_records(),
                endpoint_config_name=self._request.endpoint_config_name,
                endpoint=self._endpoint,
                code_version=self._outside.settings.code_version,
            ),
            summary="Mark the snapshot as deployed in production",
        )

    @workflow.signal(
        name=SIGNAL_JIRA_STATUS_CHANGED,
        description='A hint that a Jira ticket changed: {"issue_key": "GOV-7"}. The run reads the ticket itself.',
    )
    def jira_status_changed(self, payload: Any = None, *ignored: Any) -> None:
        """Remembers that the ticket is worth reading; whatever else the payload claims decides nothing."""
        try:
            hint = parse(TicketStatusChanged, payload, 'a signal carries {"issue_key": "GOV-7"}')
        except ApplicationError as error:
            workflow.logger.warning("Ignored a malformed signal: %s", error.message)
            return
        # While no ticket is known yet, the hint may be about the one that is being opened.
        if self._ticket is None or hint.issue_id == self._ticket.issue_id or hint.issue_key == self._ticket.key:
            self._hinted = True
            return
        self._strays += 1
        if self._strays <= MAX_LOGGED_STRAYS:
            workflow.logger.info("Ignored a signal for %s; the run waits on %s", hint.issue_key, self._ticket.key)

    @workflow.query(name=QUERY_STATUS, description="Where the run stands and what it waits for.")
    def status(self) -> ImplementationStatus:
        """Answers at any time, also after the end."""
        return self._board.status

    @workflow.update(name=UPDATE_RESUME, description='Goes on after a block: {"reason": "asset added"}.')
    def resume(self, payload: Any = None, *ignored: Any) -> None:
        """Tries the blocked step again."""
        # The reason, which people write freely, stands in the history and not in logs.
        workflow.logger.info("Resumed by an operator")
        self._outside.resume()

    @resume.validator
    def _may_resume(self, payload: Any = None, *ignored: Any) -> None:
        parse(ResumeRequest, payload or {}, 'resume takes {"reason": "…"} or nothing')
        if self._board.status.blocked is None or self._stop is not None:
            raise ApplicationError("nothing to resume: the run is not blocked", type="NotBlocked")

    @workflow.update(name=UPDATE_ABORT, description='Ends the run: {"reason": "model withdrawn"}.')
    def abort(self, payload: Any = None, *ignored: Any) -> None:
        """Stops the process, closes its open ticket and ends the run as Aborted."""
        self._stop_for(MlcStage.ABORTED, AbortRequest.model_validate(payload).reason)

    @abort.validator
    def _may_abort(self, payload: Any = None, *ignored: Any) -> None:
        parse(AbortRequest, payload, 'abort takes {"reason": "…"} with a reason')
        # A run that has decided how to end is aborted only out of a block, and then ends as decided.
        if self._stop is not None or (self._ending is not None and self._board.status.blocked is None):
            raise ApplicationError("nothing to abort: the run is ending", type="Ending")

    def _accept(self, payload: Any, ignored: tuple[Any, ...]) -> None:
        try:
            self._request = parse(
                ImplementationRequest,
                payload,
                'start the process with one JSON object: {"model_id": "<StoredModel UUID>", …}',
            )
        except ApplicationError as error:
            raise self._refused(FailureType.INVALID_REQUEST, error.message) from None
        info = workflow.info()
        if info.workflow_id != workflow_id(self._request.model_id):
            raise self._refused(
                FailureType.INVALID_REQUEST,
                f"this run has the workflow id {info.workflow_id}, but model {self._request.model_id} runs under "
                f"{workflow_id(self._request.model_id)} only: the id keeps a model from being implemented twice "
                "at once",
            )
        if ignored:
            workflow.logger.warning("Ignored %d further start arguments", len(ignored))
        self._outside.run = RunIdentity(
            workflow_id=info.workflow_id, run_id=info.first_execution_run_id, started_at=info.workflow_start_time
        )
        self._board.status.model_id = self._request.model_id

    async def _read_settings(self) -> None:
        self._outside.settings = await workflow.execute_activity_method(
            ProcessSettingsActivities.read_process_settings,
            **policies.summarised(policies.LOCAL, "Read the process settings"),
        )

    def _subject(self) -> ticket_content.Subject:
        aws = Links(aws_region=self._outside.settings.aws_region)
        return ticket_content.Subject(
            request=self._request,
            model=self._model,
            endpoint_config_url=aws.endpoint_config(self._request.endpoint_config_name or ""),
            endpoint=self._endpoint,
            endpoint_is_read=self._outside.settings.reads_endpoint_config,
        )

    async def _ask(self, gate: Gate, content: jira.TicketContent, job_id: str | None = None) -> None:
        ticket = await self._open_ticket(gate, content, job_id)
        await self._await_decision(gate, ticket)

    async def _open_ticket(self, gate: Gate, content: jira.TicketContent, job_id: str | None = None) -> jira.Ticket:
        # Cleared before the ticket exists: a webhook may be faster than the answer to our request.
        self._hinted = False
        self._rounds[gate] = self._rounds.get(gate, 0) + 1
        info = workflow.info()
        request = jira.TicketRequest(
            run=self._outside.run,
            gate=jira.Gate(gate),
            round=self._rounds[gate],
            content=content,
            # After a reset this history no longer shows what an earlier execution of the run has opened.
            never_asked=info.run_id == info.first_execution_run_id,
        )
        self._opening = request
        self._ticket = ticket = await self._outside.perform(
            JiraActivities.open_ticket,
            request,
            again=request.model_copy(update={"never_asked": False}),
            policy=policies.open_ticket,
            summary=f"Open the ticket: {jira.TITLES[request.gate]}",
        )
        if not ticket.adopted:
            run_metrics.ticket_opened(gate)
        self._board.links[ticket.key] = ticket.url
        self._opening = None
        self._board.open_ticket = ticket.key
        self._board.publish()
        self._mirror = await self._outside.notify(
            f"ticket:{gate}:{request.round}",
            MIRRORS[gate],
            modelop.Severity.INFO,
            f"{jira.TITLES[request.gate]} for {self._model.name}: {ticket.key}",
            job_id=job_id,
            approval_type=jira.TITLES[request.gate],
            open=True,
            ticket=modelop.TicketAssignment(key=ticket.key, url=ticket.url, status="open"),
        )
        return ticket

    async def _await_decision(self, gate: Gate, ticket: jira.Ticket, not_before: datetime | None = None) -> None:
        """Waits until Jira shows a decision on the ticket, records it, and goes on or raises `GateRejected`."""
        self._asked_at = self._reminded_at = workflow.now()
        self._reminders = self._refusals = 0
        self._board.status.waiting_on = WaitingOn(gate=gate, ticket=ticket.key, url=ticket.url, since=self._asked_at)
        self._board.publish()
        # A ticket that stood there before us may be decided already, with nobody left to tell.
        self._hinted = self._hinted or ticket.adopted
        found = None
        while found is None:
            await self._until_hinted(gate, ticket)
            # Cleared before the read: what happens to the ticket during the read is worth another one.
            self._hinted = False
            reading = await self._outside.perform(
                JiraActivities.read_ticket,
                jira.ReadTicketRequest(
                    issue_id=ticket.issue_id,
                    key=ticket.key,
                    gate=jira.Gate(gate),
                    four_eyes=self._request.options.four_eyes,
                    requested_by=self._request.requested_by,
                ),
                policy=policies.jira,
                summary=f"Read {ticket.key}",
            )
            found = await self._new_decision(ticket, reading, not_before)
        decision = _decision(gate, reading.key, found)
        self._board.links[reading.key] = reading.url
        self._board.status.decisions.append(decision)
        run_metrics.decided(gate, decision.verdict, workflow.now() - self._asked_at)
        self._release_ticket()
        self._board.publish()
        await self._close_mirror(reading.status, decision)
        if decision.verdict is Verdict.REJECTED:
            raise GateRejected(decision)

    def _release_ticket(self) -> None:
        self._ticket = None
        self._board.open_ticket = None
        self._board.status.waiting_on = None

    async def _new_decision(
        self, ticket: jira.Ticket, reading: jira.TicketReading, not_before: datetime | None
    ) -> jira.TicketDecision | None:
        found = reading.decision
        if found is None or found.change_id in self._handled_changes:
            return None
        self._handled_changes.add(found.change_id)
        refusal = found.refused_because
        if not_before is not None and found.decided_at < not_before:
            refusal = "it is older than the attached review document; read the document and decide again"
        if not refusal:
            return found
        self._refusals += 1
        # Why may name people, which the ticket may and a log may not.
        workflow.logger.warning("A decision on %s does not count; a comment on it says why", ticket.key)
        await self._outside.perform(
            JiraActivities.refuse_decision,
            jira.RefuseDecisionRequest(
                run=self._outside.run,
                ticket=_reference(ticket),
                change_id=found.change_id,
                back_to=found.previous_status,
                reason=refusal,
                move_back=self._refusals <= MAX_MOVES_BACK,
            ),
            policy=policies.jira,
            summary=f"Refuse a decision on {ticket.key}",
        )
        return None

    async def _until_hinted(self, gate: Gate, ticket: jira.Ticket) -> None:
        """Waits for a hint that the ticket changed, and reminds people of it as often as the caller asked for."""
        options = self._request.options
        while True:
            pause = options.reminder_after if self._reminders < options.max_reminders else None
            try:
                await self._outside.until(
                    lambda: self._hinted,
                    pause and max(self._reminded_at + pause - workflow.now(), timedelta(seconds=1)),
                    timeout_summary=f"Remind of {ticket.key}",
                )
                return
            except TimeoutError:
                self._reminders += 1
                # Reminders that came due while no worker was up are one reminder, not a burst of them.
                self._reminded_at = workflow.now()
                await self._remind(gate, ticket)

    async def _remind(self, gate: Gate, ticket: jira.Ticket) -> None:
        """Comments and notifies; a reminder that fails is no reason to stop waiting for the decision."""
        purpose = f"reminder:{gate}:{self._rounds[gate]}:{self._reminders}"
        text = ticket_content.reminder(self._asked_at)
        await self._outside.try_within_reason(
            JiraActivities.comment_ticket,
            jira.CommentRequest(run=self._outside.run, ticket=_reference(ticket), purpose=purpose, text=text),
            summary=f"Remind of {ticket.key}",
        )
        await self._outside.try_within_reason(
            ModelOpActivities.send_notification,
            self._outside.notification(
                purpose,
                MIRRORS[gate],
                modelop.Severity.WARN,
                f"{jira.TITLES[jira.Gate(gate)]} for {self._model.name} still waits for a decision: {ticket.key}",
            ),
            summary=f"Notify of the reminder of {ticket.key}",
        )

    async def _close_mirror(self, ticket_status: str, decision: Decision) -> None:
        if self._mirror is None:
            return
        await self._outside.perform(
            ModelOpActivities.close_notification,
            modelop.CloseNotificationRequest(
                notification_id=self._mirror.notification_id,
                ticket_status=ticket_status,
                closed_by=decision.decided_by,
            ),
            summary=f"Close the notification of {decision.ticket}",
        )
        self._mirror = None

    async def _require_test_data(self) -> None:
        while missing := self._missing_roles():
            await self._outside.block(
                "MissingAssets",
                f"snapshot {self._snapshot.name} has no asset with role {' and none with role '.join(missing)}; "
                "add it to the business model in ModelOp Center, then resume",
            )
            await self._renew_snapshot()

    def _missing_roles(self) -> list[str]:
        roles = {asset.role for asset in self._snapshot.assets}
        return [role.value for role in modelop.AssetRole if role.value not in roles]

    async def _renew_snapshot(self) -> None:
        """Freezes the model again if people changed it; a snapshot never follows its model by itself."""
        self._model = await self._outside.perform(
            ModelOpActivities.read_business_model,
            modelop.ModelRequest(model_id=self._request.model_id),
            summary="Read the business model again",
        )
        if self._model.fingerprint != self._snapshot.fingerprint:
            await self._new_snapshot(supersedes=self._snapshot.snapshot_id)

    async def _new_snapshot(self, supersedes: str | None) -> None:
        endpoint = await self._read_endpoint_config()
        self._snapshot_round += 1
        self._snapshot = await self._outside.perform(
            ModelOpActivities.create_snapshot,
            modelop.SnapshotRequest(
                run=self._outside.run,
                model_id=self._model.model_id,
                round=self._snapshot_round,
                endpoint_config_name=self._request.endpoint_config_name,
                endpoint=endpoint,
                supersedes=supersedes,
            ),
            summary="Take a snapshot of the business model",
        )
        self._endpoint = self._snapshot.endpoint
        self._board.status.snapshot_id = self._snapshot.snapshot_id
        self._board.links[self._snapshot.snapshot_id] = self._snapshot.url
        self._board.publish()

    async def _read_endpoint_config(self) -> sagemaker.EndpointConfig | None:
        """What AWS says of the endpoint configuration now; None if none is named, or the site does not ask AWS."""
        name = self._request.endpoint_config_name
        if name is None or not self._outside.settings.reads_endpoint_config:
            return None
        return await self._outside.perform(
            SageMakerActivities.read_endpoint_config,
            sagemaker.EndpointConfigRequest(name=name, known_as=self._model.known_as),
            policy=policies.sagemaker,
            summary="Read the endpoint configuration from AWS",
        )

    async def _verify_endpoint_config(self) -> None:
        """Parks the run unless AWS still shows what people approved."""
        if self._endpoint is None:
            return
        await self._outside.perform(
            SageMakerActivities.verify_endpoint_config,
            sagemaker.VerifyEndpointRequest(approved=self._endpoint),
            policy=policies.sagemaker,
            summary="Compare the endpoint configuration with what was approved",
        )

    async def _test(self, risk_tests: modelop.RiskTests) -> tuple[TestRun, modelop.TestJob]:
        """Runs the Standard Risk Tests once. The run carries a result id if, and only if, the job succeeded."""
        attempt = len(self._board.status.test_runs) + 1
        job = await self._outside.perform(
            ModelOpActivities.start_test_job,
            modelop.TestJobRequest(
                run=self._outside.run,
                attempt=attempt,
                snapshot_id=self._snapshot.snapshot_id,
                risk_tests_snapshot_id=risk_tests.snapshot_id,
            ),
            summary=f"Start the Standard Risk Tests, attempt {attempt}",
        )
        outcome = await self._outside.perform(
            ModelOpActivities.follow_test_job,
            job,
            policy=policies.follow_job,
            summary=f"Follow test job {job.job_id}",
        )
        run = TestRun(attempt=attempt, job_id=job.job_id, status=outcome.status)
        if outcome.succeeded:
            await self._keep_result(run)
        else:
            run.error = outcome.error[:MAX_TEXT] or f"the job ended {outcome.status} without a message"
        for earlier in self._board.status.test_runs:
            earlier.error = earlier.error and earlier.error[:MAX_EARLIER_ERROR]
        self._board.status.test_runs.append(run)
        self._board.publish()
        return run, job

    async def _keep_result(self, run: TestRun) -> None:
        result = await self._outside.perform(
            ModelOpActivities.store_test_result,
            modelop.StoreResultRequest(
                run=self._outside.run,
                job_id=run.job_id,
                snapshot_id=self._snapshot.snapshot_id,
                model_id=self._model.model_id,
                risk_tests_snapshot_id=self._risk_tests.snapshot_id,
            ),
            summary="Keep the test result",
        )
        self._summary = result.summary
        run.result_id = result.result_id
        run.failed_monitors = [_failed_monitor(problem) for problem in result.failed_monitors]
        run.not_applicable = [_failed_monitor(problem) for problem in result.not_applicable]
        for number, monitor in enumerate(run.failed_monitors, start=1):
            await self._outside.notify(
                f"monitor:{run.attempt}:{number}",
                modelop.NotificationType.MODEL_TEST,
                modelop.Severity.WARN,
                f"Monitor {monitor.monitor or 'not recognised'} failed to run for {self._model.name}: "
                f"{monitor.message}",
                job_id=run.job_id,
                open=True,
            )

    def _document_request(self, ticket: jira.Ticket, run: TestRun) -> review_document.ReviewDocumentRequest:
        return review_document.ReviewDocumentRequest(
            run=self._outside.run,
            ticket=_reference(ticket),
            snapshot_id=self._snapshot.snapshot_id,
            result_id=run.result_id or "",
            test_runs=[
                review_document.TestRunRecord.model_validate({**r.model_dump(), "error": r.error or ""})
                for r in self._board.status.test_runs
            ],
            decisions=self._decision_records(),
            requested_by=self._request.requested_by,
            use_case_id=self._request.use_case_id,
            endpoint_config_name=self._request.endpoint_config_name,
            code_version=self._outside.settings.code_version,
            risk_tests_snapshot_id=self._risk_tests.snapshot_id,
            limits=self._summary.limits if self._summary else None,
            endpoint=self._endpoint,
            previous=self._snapshot.previous,
            previous_unknown=self._snapshot.previous_unknown,
        )

    def _decision_records(self) -> list[modelop.DecisionRecord]:
        return [
            modelop.DecisionRecord(
                gate=d.gate,
                ticket=d.ticket,
                verdict=d.verdict,
                decided_by=d.decided_by,
                decided_at=d.decided_at.isoformat(),
                comment=d.comment,
            )
            for d in self._board.status.decisions
        ]

    async def _report_rejected_document(self, decision: Decision) -> None:
        await self._outside.notify(
            f"document-rejected:{decision.ticket}",
            modelop.NotificationType.PROCESS,
            modelop.Severity.ERROR,
            f"The review document of {self._model.name} was rejected by "
            f"{decision.decided_by_name or decision.decided_by} in {decision.ticket}"
            + (f": {decision.comment}" if decision.comment else ""),
        )

    async def _announce(self, outcome: Outcome, stage: MlcStage, reason: str) -> None:
        """Decides how the run ends, and says so. What stops the run from here on cannot change how it ends."""
        self._ending = self._end(outcome, stage, reason)
        await self._outside.perform(
            ModelOpActivities.send_notification, self._ending.notification, summary="Say how the run ended"
        )
        self._ending.told = True

    def _end(self, outcome: Outcome, stage: MlcStage, reason: str) -> _Ending:
        deployed = outcome is Outcome.DEPLOYED
        # A run that is stopped while it mirrors its ticket may never learn the id of a notification that stands.
        unknown = [self._ticket.key] if self._ticket is not None and self._mirror is None else []
        return _Ending(
            final_stage=stage,
            result=self._result(outcome, stage if deployed else self._board.status.stage, reason),
            notification=self._outside.notification(
                f"end:{stage}",
                modelop.NotificationType.MODEL,
                modelop.Severity.INFO if deployed else modelop.Severity.ERROR,
                f"{self._board.title}: {reason}",
                closes_mirrors_of=unknown,
            ),
        )

    def _stop_for(self, stage: MlcStage, reason: str) -> None:
        """Remembers the first reason to stop; the course of the run acts on it."""
        self._stop = self._stop or (stage, reason[:MAX_TEXT])

    async def _clean_up(self, stage: MlcStage, reason: str) -> None:
        """Closes what stands open outside, as far as the outside answers in time, and says how the run ended."""
        reason = f"{stage.value.lower()}: {reason}"
        self._ending = self._ending or self._end(Outcome.ABORTED, stage, reason)
        self._outside.clear_block()
        if self._ticket is not None:
            await self._outside.try_within_reason(
                JiraActivities.close_ticket,
                jira.CloseTicketRequest(run=self._outside.run, ticket=_reference(self._ticket), reason=reason),
                summary=f"Close {self._ticket.key}",
            )
        elif self._opening is not None:
            await self._outside.try_within_reason(
                JiraActivities.withdraw_ticket,
                jira.WithdrawTicketRequest(
                    run=self._outside.run, gate=self._opening.gate, round=self._opening.round, reason=reason
                ),
                policy=policies.withdraw_ticket,
                summary="Close the ticket that was being opened, if there is one",
            )
        if self._mirror is not None:
            await self._outside.try_within_reason(
                ModelOpActivities.close_notification,
                modelop.CloseNotificationRequest(notification_id=self._mirror.notification_id),
                summary="Close the ticket's notification",
            )
        if self._board.status.stage is MlcStage.MARK_DEPLOYED and self._deployment is None:
            await self._outside.try_within_reason(
                ModelOpActivities.withdraw_deployment,
                modelop.WithdrawDeploymentRequest(run=self._outside.run, snapshot_id=self._snapshot.snapshot_id),
                summary="Withdraw what marking may have left half done",
                learn=lambda standing: self._acknowledge(standing, reason),
            )
        ending = self._ending
        if not ending.told:
            await self._outside.try_within_reason(
                ModelOpActivities.send_notification, ending.notification, summary="Say how the run ended"
            )
        self._release_ticket()

    def _acknowledge(self, standing: modelop.Deployment | None, stopped: str) -> None:
        """Marking may have succeeded with its answer lost: what is in production is not called aborted."""
        if standing is not None:
            self._deployment = standing
            reason = f"deployed in production before it was {stopped}"
            self._ending = self._end(Outcome.DEPLOYED, MlcStage.DEPLOYED, reason)

    async def _failed(self, type: FailureType, message: str) -> ApplicationError:
        await self._outside.settle_notices()
        return self._refused(type, message)

    def _refused(self, type: FailureType, message: str) -> ApplicationError:
        workflow.logger.error("%s: %s", type, message)
        self._board.enter(MlcStage.FAILED)
        return ApplicationError(message, type=type, non_retryable=True)

    def _result(self, outcome: Outcome, stage: MlcStage, reason: str) -> ImplementationResult:
        return ImplementationResult(
            outcome=outcome,
            stage=stage,
            reason=reason,
            model_id=self._board.status.model_id,
            snapshot_id=self._board.status.snapshot_id,
            deployed_model_id=self._deployment.deployed_model_id if self._deployment else None,
            test_runs=self._board.status.test_runs,
            document=self._board.status.document,
            decisions=self._board.status.decisions,
        )


@dataclass
class _Ending:
    """How the run has decided to end, and whether ModelOp Center was told."""

    final_stage: MlcStage
    result: ImplementationResult
    notification: modelop.NotificationRequest
    told: bool = False


def _reference(ticket: jira.Ticket) -> jira.TicketReference:
    return jira.TicketReference(issue_id=ticket.issue_id, key=ticket.key)


def _decision(gate: Gate, key: str, found: jira.TicketDecision) -> Decision:
    return Decision(
        gate=gate,
        ticket=key,
        verdict=Verdict(found.verdict),
        decided_by=found.decided_by,
        decided_by_name=found.decided_by_name,
        decided_at=found.decided_at,
        comment=found.comment,
    )


def _failed_monitor(problem: modelop.MonitorProblem) -> FailedMonitor:
    return FailedMonitor(monitor=problem.monitor, message=problem.message)


def _rejection_reason(decision: Decision) -> str:
    comment = f": {decision.comment}" if decision.comment else ""
    return f"{decision.ticket} was rejected by {decision.decided_by_name or decision.decided_by}{comment}"
