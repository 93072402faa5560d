"""The activities on ModelOp Center.

Each looks for what it would create, by the mark of its run, before it creates it: an attempt that follows a crash, a
lost answer or a reset of the run finds the first one's work.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop import entities, rest
from activities.modelop.client import ModelOpClient
from activities.modelop.job_outcome import UnreadableResult, decoded_results, execution_errors, job_outcome
from activities.modelop.monitors import classify
from activities.modelop.rest import Entity
from activities.modelop.risk_tests import RiskTestsSearch
from activities.modelop.settings import ModelOpSettings
from activities.modelop.types import (
    AssetRole,
    BusinessModel,
    CloseNotificationRequest,
    Deployment,
    DeployRequest,
    JobOutcome,
    ModelOpError,
    ModelRequest,
    MonitorProblem,
    Notification,
    NotificationRequest,
    Prerequisite,
    Prerequisites,
    PrerequisitesRequest,
    PreviousSnapshot,
    RiskTests,
    Snapshot,
    SnapshotRequest,
    StoreResultRequest,
    TestJob,
    TestJobRequest,
    TestResult,
    TestSummary,
    TicketNotificationsRequest,
    WithdrawDeploymentRequest,
)

LOOK_BACK = timedelta(hours=1)
"""How far before a run's start its objects are looked for: more than the clocks of two systems differ."""

TOLERATED_POLL_ERRORS = 5
"""Failed polls in a row that are waited out; more fail the attempt, and the next one follows the same job."""

ADVISORY_PAGES = 5
"""How many pages are searched for what informs and decides nothing: newer entities than that are meant to be enough."""

ADVISORY_ATTEMPTS = 3
CLEAN_UP_PAGES = 50
HEARTBEAT_INTERVAL = timedelta(seconds=10)
MAX_NOTIFICATION_CHARACTERS = 4000


@dataclass(frozen=True)
class Judgement:
    """What a judge finds in a test result.

    Attributes:
        rule_results: rows `{testCategory, passes, reason}` to be kept beside the result.
        summary: what the process shows of it; None if nobody judged.
    """

    rule_results: list[Entity] = field(default_factory=list)
    summary: TestSummary | None = None


class Judge(Protocol):
    """Turns the numbers of a test result into verdicts."""

    async def judge(
        self,
        request: StoreResultRequest,
        *,
        results: Entity,
        snapshot: Entity,
        failed: Sequence[MonitorProblem],
        not_applicable: Sequence[MonitorProblem],
    ) -> Judgement:
        """Judges `testResults` by the limits that are frozen in the snapshot or in that of the risk tests."""


class ModelOpActivities:
    """Reads models, freezes and tests them, keeps results, notifies, and marks what was approved as deployed.

    Args:
        client: the connection to ModelOp Center; whoever made it closes it.
        settings: names, pinned ids, and how jobs are followed.
        links: addresses for people.
        judge: what judges results before they are kept; None keeps the numbers without verdicts.
    """

    def __init__(
        self, client: ModelOpClient, settings: ModelOpSettings, links: Links, judge: Judge | None = None
    ) -> None:
        self._client = client
        self._settings = settings
        self._links = links
        self._judge = judge
        self._risk_tests = RiskTestsSearch(client, settings)

    @activity.defn(name="read_business_model")
    async def read_business_model(self, request: ModelRequest) -> BusinessModel:
        """Reads a business model as it is registered now.

        Raises:
            ApplicationError: `NotFound`, there is no such model or the service account may not see it.
        """
        return entities.business_model(await self._client.get_model(request.model_id), self._links)

    @activity.defn(name="check_prerequisites")
    async def check_prerequisites(self, request: PrerequisitesRequest) -> Prerequisites:
        """Reports what the process will need for a model; nothing that is missing here is an error yet."""
        model = await self._client.get_model(request.model_id)
        return Prerequisites(
            items=[
                _asset_prerequisite(model, AssetRole.BASELINE_DATA, "Baseline data"),
                _asset_prerequisite(model, AssetRole.COMPARATOR_DATA, "Comparator data"),
                await self._risk_tests_prerequisite(),
                _endpoint_prerequisite(request),
                await self._production_prerequisite(request.model_id),
            ]
        )

    @activity.defn(name="create_snapshot")
    async def create_snapshot(self, request: SnapshotRequest) -> Snapshot:
        """Freezes a business model as it is now; once per run and round."""
        mark = rest.snapshot_mark(request.run, request.round)
        frozen = await self._ours(
            rest.DEPLOYABLE_MODELS, request.run, lambda snapshot: rest.carries_snapshot_mark(snapshot, mark)
        )
        if frozen is None:
            model = await self._client.get_model(request.model_id)
            supersedes = {"supersedes": request.supersedes} if request.supersedes else {}
            body = rest.snapshot_body(
                model,
                name=_snapshot_name(model, request),
                mlc={**mark, **supersedes},
                endpoint_config_name=request.endpoint_config_name,
                endpoint=request.endpoint,
            )
            frozen = await self._client.post(rest.DEPLOYABLE_MODELS, body)
        # What the server froze counts, not what was sent: its answer may name the model only by id.
        if not rest.sub(frozen, "storedModel", "modelMetaData"):
            frozen = await self._client.get_snapshot(rest.text(frozen, "id"))
        previous, unknown = await self._previous(frozen)
        taken = entities.snapshot(frozen, self._links)
        # A server may not keep what it does not know; what is frozen counts where it does.
        endpoint = taken.endpoint or request.endpoint
        return taken.model_copy(update={"endpoint": endpoint, "previous": previous, "previous_unknown": unknown})

    @activity.defn(name="find_risk_tests")
    async def find_risk_tests(self) -> RiskTests:
        """Finds the snapshot of the Standard Risk Tests: the pinned one, or the newest by name.

        Of several monitors with that name, the newest one that has a snapshot is taken.

        Raises:
            ApplicationError: `RiskTestsMissing`; the message says what to do about it.
        """
        return await self._risk_tests.find()

    @activity.defn(name="start_test_job")
    async def start_test_job(self, request: TestJobRequest) -> TestJob:
        """Creates the test job of one attempt; once per run and attempt.

        Raises:
            ApplicationError: `NotFound`, the snapshot has no asset of a role that the tests need.
        """
        mark = rest.job_mark(request.run, request.attempt)
        job = await self._ours(rest.JOBS, request.run, lambda job: rest.carries_job_mark(job, mark))
        if job is None:
            snapshot = await self._client.get_snapshot(request.snapshot_id)
            risk_tests = await self._client.get_snapshot(request.risk_tests_snapshot_id)
            inputs = [_input_asset(snapshot, role) for role in (AssetRole.BASELINE_DATA, AssetRole.COMPARATOR_DATA)]
            job = await self._client.post(rest.JOBS, rest.job_body(risk_tests, snapshot, inputs, mark))
        job_id = rest.text(job, "id")
        return TestJob(job_id=job_id, url=self._links.job(job_id))

    @activity.defn(name="follow_test_job")
    async def follow_test_job(self, job: TestJob) -> JobOutcome:
        """Waits for the end of a test job.

        The time it may take counts from the job's creation, so an attempt that takes over after a worker died does not
        start it anew; one that is scheduled later, after a person resumed the run, has the whole time again.

        Raises:
            ApplicationError: `JobTimeout`, it has not ended within the configured time.
        """
        errors = 0
        while True:
            try:
                entity = await self._client.get_job(job.job_id)
            except ApplicationError as error:
                errors += 1
                # A wait that was asked for is left to Temporal: it may be longer than a heartbeat may be missing.
                if error.non_retryable or error.next_retry_delay or errors > TOLERATED_POLL_ERRORS:
                    raise
                activity.logger.warning("Poll of job %s failed (%d in a row): %s", job.job_id, errors, error.message)
            else:
                errors = 0
                if outcome := job_outcome(entity):
                    return outcome
                self._check_time(entity)
            await _pause(self._settings.job_poll)

    @activity.defn(name="store_test_result")
    async def store_test_result(self, request: StoreResultRequest) -> TestResult:
        """Keeps a job's results and their verdicts in ModelOp Center, once per job, and says what is in them."""
        snapshot = await self._client.get_snapshot(request.snapshot_id)
        stored = await self._ours(
            rest.MODEL_TEST_RESULTS, request.run, lambda result: result.get("jobId") == request.job_id
        )
        if stored is None:
            results = _results_of(await self._client.get_job(request.job_id))
        elif not (results := rest.sub(stored, "testResults")):
            results = rest.sub(await self._client.get_result(rest.text(stored, "id")), "testResults")
        failed, not_applicable = _problems(results, rest.sub(snapshot, "storedModel"))
        judgement = await self._judged(request, results, snapshot, failed, not_applicable)
        if stored is None:
            body = rest.result_body(
                results,
                judgement.rule_results,
                snapshot=request.snapshot_id,
                model=request.model_id,
                job=request.job_id,
            )
            stored = await self._client.post(rest.MODEL_TEST_RESULTS, body)
        return TestResult(
            result_id=rest.text(stored, "id"),
            failed_monitors=failed,
            not_applicable=not_applicable,
            summary=judgement.summary,
        )

    @activity.defn(name="send_notification")
    async def send_notification(self, request: NotificationRequest) -> Notification:
        """Puts a notification on ModelOp Center's screens; once per run and purpose."""
        if request.closes_mirrors_of:
            await self._close_mirrors(request.model_id, request.closes_mirrors_of)
        mark = rest.notification_mark(request.run, request.purpose)
        notification = await self._ours(
            rest.NOTIFICATIONS, request.run, lambda entity: rest.carries_notification_mark(entity, mark)
        )
        if notification is None:
            body = rest.notification_body(request, _marked(request.message, mark))
            notification = await self._client.post(rest.NOTIFICATIONS, body)
        return Notification(notification_id=rest.text(notification, "id"))

    @activity.defn(name="close_notification")
    async def close_notification(self, request: CloseNotificationRequest) -> None:
        """Closes a notification; one that is closed already, or was deleted, is fine."""
        await self._close(request)

    @activity.defn(name="close_ticket_notifications")
    async def close_ticket_notifications(self, request: TicketNotificationsRequest) -> None:
        """Closes a model's open notifications that mirror one of some tickets; none is fine.

        What is not among the newest `CLEAN_UP_PAGES` pages of notifications stays as it is.
        """
        await self._close_mirrors(request.model_id, request.keys)

    @activity.defn(name="mark_deployed")
    async def mark_deployed(self, request: DeployRequest) -> Deployment:
        """Marks the snapshot as deployed in production, if it is what was approved.

        Raises:
            ApplicationError: `SnapshotChanged`, the snapshot is gone, its frozen model is not the one that was
                approved, or the approved document is not on it byte for byte.
        """
        _verify(await self._approved_snapshot(request.snapshot_id), request)
        deployed_id = await self._deployed_model_id(request)
        record = rest.approval_record(
            request.decisions,
            filename=request.document_filename,
            sha256=request.document_sha256,
            provenance=request.document_provenance,
            code_version=request.code_version,
            deployed_model_id=deployed_id,
        )

        def deployed(snapshot: Entity) -> Entity | None:
            _verify(snapshot, request)
            recorded = record.items() <= rest.sub(snapshot, "metaData", "custom", "mlc").items()
            return None if recorded and snapshot.get("state") == rest.DEPLOYED else rest.deployed_patch(record)

        await self._client.amend(rest.entity_path(rest.DEPLOYABLE_MODELS, request.snapshot_id), deployed)
        return Deployment(deployed_model_id=deployed_id)

    @activity.defn(name="withdraw_deployment")
    async def withdraw_deployment(self, request: WithdrawDeploymentRequest) -> Deployment | None:
        """Takes back what an unfinished `mark_deployed` left: a marker in production without a deployed snapshot.

        Nothing to take back is fine.

        Returns:
            The deployment that stands, because the snapshot is marked as deployed after all; None: there is none.
        """
        standing = await self._standing_deployment(request.snapshot_id)
        if standing is not None:
            activity.logger.warning("Snapshot %s is deployed; nothing is withdrawn", request.snapshot_id)
            return standing

        def undeployed(deployed: Entity) -> Entity | None:
            current = rest.is_deployment_of(deployed, request.snapshot_id)
            return rest.undeployed_patch(datetime.now(UTC)) if current else None

        async for deployed in self._entries_since(rest.DEPLOYED_MODELS, request.run):
            if rest.is_deployment_of(deployed, request.snapshot_id):
                path = rest.entity_path(rest.DEPLOYED_MODELS, rest.text(deployed, "id"))
                await self._client.amend(path, undeployed)
        return None

    async def _close_mirrors(self, model_id: str, keys: Collection[str]) -> None:
        mirrors = [
            rest.text(notification, "id")
            async for notification in self._client.entries(rest.NOTIFICATIONS, newest_pages=CLEAN_UP_PAGES)
            if rest.is_open_mirror(notification, model_id, keys)
        ]
        # A page that moved while it was read may have shown one twice.
        for notification_id in dict.fromkeys(mirrors):
            await self._close(CloseNotificationRequest(notification_id=notification_id))

    async def _close(self, request: CloseNotificationRequest) -> None:
        def closing(notification: Entity) -> Entity | None:
            patch = rest.closed_patch(notification, ticket_status=request.ticket_status, closed_by=request.closed_by)
            return None if patch.items() <= notification.items() else patch

        try:
            await self._client.amend(rest.entity_path(rest.NOTIFICATIONS, request.notification_id), closing)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            activity.logger.warning("Notification %s is gone; nothing to close", request.notification_id)

    async def _ours(self, collection: str, run: RunIdentity, matches: Callable[[Entity], bool]) -> Entity | None:
        """The oldest match among the entities of a run's time: every attempt settles on the same one."""
        found = [entity async for entity in self._entries_since(collection, run) if matches(entity)]
        return min(found, key=rest.age, default=None)

    def _entries_since(self, collection: str, run: RunIdentity) -> AsyncIterator[Entity]:
        return self._client.entries(collection, since=_aware(run.started_at) - LOOK_BACK)

    async def _judged(
        self,
        request: StoreResultRequest,
        results: Entity,
        snapshot: Entity,
        failed: Sequence[MonitorProblem],
        not_applicable: Sequence[MonitorProblem],
    ) -> Judgement:
        if self._judge is None:
            return Judgement()
        return await self._judge.judge(
            request, results=results, snapshot=snapshot, failed=failed, not_applicable=not_applicable
        )

    async def _previous(self, snapshot: Entity) -> tuple[PreviousSnapshot | None, str]:
        """The snapshot of the same model that was deployed last before this one, or why that is not known.

        It informs the reviewer and decides nothing, so only the newest pages are read, and a failure that is final or
        lasts is told instead of keeping the model from its review.
        """
        try:
            async for other in self._client.entries(rest.DEPLOYABLE_MODELS, newest_pages=ADVISORY_PAGES):
                if rest.is_deployed_before(other, snapshot):
                    deployed = await self._deployment_time(other)
                    return entities.previous_snapshot(other, deployed), ""
        except ApplicationError as error:
            if not error.non_retryable and activity.info().attempt < ADVISORY_ATTEMPTS:
                raise
            return None, f"could not be looked up: {error.message}"[: entities.MAX_DESCRIPTION_CHARACTERS]
        return None, ""

    async def _deployment_time(self, snapshot: Entity) -> datetime | None:
        """When a snapshot was marked as deployed; None if its marker is gone or says nothing."""
        marker = rest.text(rest.sub(snapshot, "metaData", "custom", "mlc"), "deployedModelId")
        try:
            deployed = await self._client.get(rest.entity_path(rest.DEPLOYED_MODELS, marker))
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            return None
        return rest.moment(deployed.get("deployTime"))

    async def _risk_tests_prerequisite(self) -> Prerequisite:
        name = f"Snapshot of {self._settings.risk_tests_name}"
        try:
            tests = await self._risk_tests.find()
        except ApplicationError as error:
            if error.type != ModelOpError.RISK_TESTS_MISSING:
                raise
            return Prerequisite(name=name, found=False, detail=error.message)
        return Prerequisite(name=name, found=True, detail=f"{tests.name} ({tests.snapshot_id})")

    async def _production_prerequisite(self, model_id: str) -> Prerequisite:
        """Advisory: a model that is implemented for the first time cannot be in production yet.

        Nothing waits for the answer, so a failure is part of it and only the newest pages are read.
        """
        name = "Deployed in production before (advisory)"
        try:
            async for deployed in self._client.entries(rest.DEPLOYED_MODELS, newest_pages=ADVISORY_PAGES):
                if rest.is_in_production(deployed, model_id):
                    return Prerequisite(name=name, found=True, detail=f"Deployed model {rest.text(deployed, 'id')}")
        except ApplicationError as error:
            return Prerequisite(name=name, found=False, detail=f"Could not be checked: {error.message}")
        return Prerequisite(name=name, found=False, detail="Not deployed in production yet; not required")

    def _check_time(self, job: Entity) -> None:
        begun = activity.info().scheduled_time
        if created := rest.created_at(job):
            begun = max(begun, created)
        if datetime.now(UTC) - begun > self._settings.job_timeout:
            raise _final(
                ModelOpError.JOB_TIMEOUT,
                f"Job {job.get('id')} is still {job.get('jobStatus')} after {self._settings.job_timeout} "
                "(check that ModelOp Center has a runtime for monitors, then resume)",
            )

    async def _standing_deployment(self, snapshot_id: str) -> Deployment | None:
        try:
            snapshot = await self._client.get_snapshot(snapshot_id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            return None
        if snapshot.get("state") != rest.DEPLOYED:
            return None
        record = rest.sub(snapshot, "metaData", "custom", "mlc")
        return Deployment(deployed_model_id=rest.text(record, "deployedModelId"))

    async def _approved_snapshot(self, snapshot_id: str) -> Entity:
        try:
            return await self._client.get_snapshot(snapshot_id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            raise _changed(snapshot_id, "it is gone") from None

    async def _deployed_model_id(self, request: DeployRequest) -> str:
        """The marker of the snapshot's deployment, made if there is none yet."""
        deployed = await self._ours(
            rest.DEPLOYED_MODELS,
            request.run,
            lambda deployed: rest.is_deployment_of(deployed, request.snapshot_id),
        )
        if deployed is None:
            body = rest.deployed_body(
                request.snapshot_id,
                environment=self._settings.production_environment,
                endpoint_config_name=request.endpoint_config_name,
                endpoint=request.endpoint,
                at=datetime.now(UTC),
            )
            deployed = await self._client.post(rest.DEPLOYED_MODELS, body)
        return rest.text(deployed, "id")


def _asset_prerequisite(model: Entity, role: AssetRole, name: str) -> Prerequisite:
    asset = entities.asset_with_role(model, role)
    if asset is None:
        return Prerequisite(name=name, found=False, detail=f"No asset with role {role} (add one to the model)")
    label = rest.text(asset, "name") or rest.text(asset, "filename") or "without a name"
    return Prerequisite(name=name, found=True, detail=f"{label[: entities.MAX_NAME_CHARACTERS]} (role {role})")


def _endpoint_prerequisite(request: PrerequisitesRequest) -> Prerequisite:
    name = "Endpoint configuration named"
    if request.endpoint_config_name:
        verified = "read from AWS with the snapshot" if request.endpoint_config_is_read else "not verified against AWS"
        return Prerequisite(name=name, found=True, detail=f"{request.endpoint_config_name} ({verified})")
    return Prerequisite(name=name, found=False, detail="The request names none (endpoint_config_name)")


def _snapshot_name(model: Entity, request: SnapshotRequest) -> str:
    started = _aware(request.run.started_at).astimezone(UTC)
    suffix = f"-r{request.round}" if request.round > 1 else ""
    return f"{entities.model_name(model)}-{started:%Y%m%d_%H%M}{suffix}"


def _input_asset(snapshot: Entity, role: AssetRole) -> Entity:
    asset = entities.asset_with_role(rest.sub(snapshot, "storedModel"), role)
    if asset is None:
        raise _final(
            OutsideError.NOT_FOUND,
            f"Snapshot {snapshot.get('id')} has no asset with role {role} (add it to the model and resume)",
        )
    return asset


def _results_of(job: Entity) -> Entity:
    try:
        return decoded_results(job)
    except UnreadableResult as error:
        raise _final(OutsideError.UNEXPECTED_ANSWER, f"Job {job.get('id')} left no result: {error}") from None


def _problems(results: Entity, model: Entity) -> tuple[list[MonitorProblem], list[MonitorProblem]]:
    """The monitors that failed to run, and those that do not apply to the model."""
    return classify(execution_errors(results), entities.methodology(model), score_is_text=entities.score_is_text(model))


def _marked(message: str, mark: str) -> str:
    """A message with its mark as the last line; what is too long is cut before the mark, never in it."""
    room = MAX_NOTIFICATION_CHARACTERS - len(mark) - 1
    cut = message if len(message) <= room else message[: room - 1] + "…"
    return f"{cut}\n{mark}"


def _verify(snapshot: Entity, request: DeployRequest) -> None:
    """Compares a snapshot with what was approved: the frozen model, and the document down to its bytes."""
    if entities.fingerprint(rest.sub(snapshot, "storedModel")) != request.fingerprint:
        raise _changed(request.snapshot_id, "its frozen model is not the one that was approved")
    documents = rest.items(snapshot, "modelDocuments")
    recorded = [document for document in documents if rest.content_sha256(document) == request.document_sha256]
    if not recorded:
        raise _changed(request.snapshot_id, f"the approved document {request.document_filename} is not on it")
    if not any(_bytes_sha256(document) == request.document_sha256 for document in recorded):
        raise _changed(
            request.snapshot_id, f"the bytes of {request.document_filename} are not those that were approved"
        )


def _bytes_sha256(document: Entity) -> str | None:
    content = rest.embedded_bytes(document)
    return hashlib.sha256(content).hexdigest() if content else None


async def _pause(duration: timedelta) -> None:
    """Waits between two polls, with a heartbeat at least every `HEARTBEAT_INTERVAL`."""
    activity.heartbeat()
    remaining = duration.total_seconds()
    while remaining > 0:
        step = min(remaining, HEARTBEAT_INTERVAL.total_seconds())
        await asyncio.sleep(step)
        activity.heartbeat()
        remaining -= step


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _changed(snapshot_id: str, what: str) -> ApplicationError:
    return _final(
        ModelOpError.SNAPSHOT_CHANGED,
        f"Snapshot {snapshot_id} is not what was approved: {what} (nothing was deployed; put it right, or abort)",
    )


def _final(kind: ModelOpError | OutsideError, message: str) -> ApplicationError:
    return ApplicationError(message, type=kind, non_retryable=True)
