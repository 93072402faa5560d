"""The public contract: what a registration system, the relay and the console need to talk to the process.

Every name here is public for ever; fields may be added as optional ones, never renamed or removed, because runs
wait for weeks and their histories are replayed years later. This module stays light on purpose: the relay and
other people's clients import it without Word, charts or an HTTP library.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from temporalio.common import SearchAttributeKey

WORKFLOW_TYPE = "SagemakerModelImplementation"
TASK_QUEUE = "sagemaker-mlc"
WORKFLOW_ID_PREFIX = "sagemaker-mlc-"
SWEEP_WORKFLOW_TYPE = "TicketSweep"
SWEEP_SCHEDULE_ID = "sagemaker-mlc-ticket-sweep"

SIGNAL_JIRA_STATUS_CHANGED = "jira_status_changed"
QUERY_STATUS = "status"
UPDATE_RESUME = "resume"
UPDATE_ABORT = "abort"

MODEL_ID_ATTRIBUTE = SearchAttributeKey.for_keyword("MlcModelId")
STAGE_ATTRIBUTE = SearchAttributeKey.for_keyword("MlcStage")
TICKET_ATTRIBUTE = SearchAttributeKey.for_keyword("MlcTicket")
BLOCKED_ATTRIBUTE = SearchAttributeKey.for_bool("MlcBlocked")
SEARCH_ATTRIBUTES: list[SearchAttributeKey[Any]] = [
    MODEL_ID_ATTRIBUTE,
    STAGE_ATTRIBUTE,
    TICKET_ATTRIBUTE,
    BLOCKED_ATTRIBUTE,
]


def workflow_id(model_id: str) -> str:
    """The one workflow id under which a model's implementation may run; also a label of its Jira tickets."""
    return WORKFLOW_ID_PREFIX + model_id.strip().lower()


class MlcStage(StrEnum):
    """Where an implementation stands; the last five are final."""

    REGISTERED = "Registered"
    PIA_APPROVAL = "PiaApproval"
    SNAPSHOT = "Snapshot"
    RISK_TESTS = "RiskTests"
    RESULTS_APPROVAL = "ResultsApproval"
    PRODUCTION_APPROVAL = "ProductionApproval"
    MARK_DEPLOYED = "MarkDeployed"
    DEPLOYED = "Deployed"
    REJECTED = "Rejected"
    ABORTED = "Aborted"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class Gate(StrEnum):
    """The places where people decide."""

    PIA = "PiaApproval"
    TEST_FAILURE = "TestFailure"
    RESULTS = "ResultsApproval"
    PRODUCTION = "ProductionApproval"


class Verdict(StrEnum):
    """What people decided."""

    DONE = "DONE"
    REJECTED = "REJECTED"


class Outcome(StrEnum):
    """How an implementation ended."""

    DEPLOYED = "DEPLOYED"
    REJECTED = "REJECTED"
    ABORTED = "ABORTED"


class FailureType(StrEnum):
    """Types of the failures with which a run may end."""

    INVALID_REQUEST = "InvalidRequest"
    MODEL_NOT_FOUND = "ModelNotFound"
    WRONG_MODEL_TYPE = "WrongModelType"


class _Message(BaseModel):
    """Unknown fields are ignored, so that a newer client can talk to an older worker."""

    model_config = ConfigDict(extra="ignore")


ModelId = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", to_lower=True
    ),
]


# It is repeated in every ticket and in the history; no id or account name is longer.
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]


class ImplementationOptions(_Message):
    """Choices of the caller; the defaults are the process as it is described."""

    four_eyes: bool = True
    reminder_after: timedelta | None = Field(
        default=None,
        ge=timedelta(seconds=1),
        le=timedelta(days=366),
        description="ISO 8601 duration; None sends no reminders",
    )
    max_reminders: int = Field(default=3, ge=0, le=100)
    max_test_runs: int = Field(default=5, ge=1, le=20)


class ImplementationRequest(_Message):
    """Starts one implementation. `model_id` is the StoredModel's UUID in ModelOp Center; the rest is optional."""

    model_id: ModelId
    requested_by: ShortText | None = Field(
        default=None, description="Jira accountId (Cloud) or user name (Data Center)"
    )
    use_case_id: ShortText | None = None
    endpoint_config_name: ShortText | None = Field(default=None, description="SageMaker endpoint configuration")
    options: ImplementationOptions = Field(default_factory=ImplementationOptions)

    @field_validator("options", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: Any) -> Any:
        # Serialisers of other languages write absent objects as null.
        return {} if value is None else value


class TicketStatusChanged(_Message):
    """Payload of the signal: a hint that a ticket changed. The workflow reads the ticket itself."""

    issue_key: str
    issue_id: str | None = None
    status: str | None = None
    actor: str | None = None
    event_id: str | None = None
    occurred_at: str | None = None


class ResumeRequest(_Message):
    """Argument of the update `resume`."""

    reason: str | None = None


class AbortRequest(_Message):
    """Argument of the update `abort`."""

    reason: str = Field(min_length=1, max_length=2000)


class FailedMonitor(_Message):
    """A monitor that failed to run, and what it said."""

    monitor: str
    message: str


class TestRun(_Message):
    """One attempt at the Standard Risk Tests."""

    __test__ = False  # its name starts like a test class of pytest

    attempt: int
    job_id: str
    status: str
    result_id: str | None = None
    failed_monitors: list[FailedMonitor] = Field(default_factory=list)
    not_applicable: list[FailedMonitor] = Field(default_factory=list)
    error: str | None = None


class Document(_Message):
    """The review document that people decided on."""

    filename: str
    sha256: str
    size: int
    attachment_id: str
    content_sha256: str | None = None


class Decision(_Message):
    """One decision, with the person and the time that Jira's changelog names."""

    gate: Gate
    ticket: str
    verdict: Verdict
    decided_by: str
    decided_at: datetime
    comment: str = ""
    decided_by_name: str = ""


class ImplementationResult(_Message):
    """How an implementation ended and why."""

    outcome: Outcome
    stage: MlcStage = Field(description="the stage in which it ended")
    reason: str
    model_id: str
    snapshot_id: str | None = None
    deployed_model_id: str | None = None
    test_runs: list[TestRun] = Field(default_factory=list)
    document: Document | None = None
    decisions: list[Decision] = Field(default_factory=list)


class Blocked(_Message):
    """Why a run cannot go on by itself. `next_retry_at` is set when it will try again without anybody's help."""

    cause: str
    message: str
    since: datetime
    transient: bool
    next_retry_at: datetime | None = None


class WaitingOn(_Message):
    """The ticket that a run waits for."""

    gate: Gate
    ticket: str
    url: str
    since: datetime


class TimelineEntry(_Message):
    """When a stage was entered."""

    stage: MlcStage
    at: datetime


class ImplementationStatus(_Message):
    """Answer of the query `status`."""

    model_id: str
    model_name: str = ""
    stage: MlcStage = MlcStage.REGISTERED
    blocked: Blocked | None = None
    waiting_on: WaitingOn | None = None
    snapshot_id: str | None = None
    document: Document | None = None
    test_runs: list[TestRun] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    timeline: list[TimelineEntry] = Field(default_factory=list)
