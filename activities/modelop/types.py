"""What crosses the border between the process and ModelOp Center.

Field names are ours; the comments name the ModelOp Center term where it differs.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from activities.identity import RunIdentity
from activities.sagemaker.types import EndpointConfig


class AssetRole(StrEnum):
    """The asset roles that the process looks for."""

    BASELINE_DATA = "BASELINE_DATA"
    COMPARATOR_DATA = "COMPARATOR_DATA"


class Asset(BaseModel):
    """One asset of a model: metadata only, never its content."""

    name: str
    role: str
    file_format: str | None = None
    size: int | None = Field(default=None, description="bytes")
    sha256: str | None = None


class ModelRequest(BaseModel):
    """Names a business model (StoredModel UUID)."""

    model_id: str


class DeclaredFields(BaseModel):
    """What a model's input schema says of its fields; at most some names of each kind are listed.

    Attributes:
        fields: how many fields it has.
        protected: fields declared as protected classes (`protectedClass`).
        identifiers: fields that tell one person or case from another (role `identifier`).
    """

    fields: int
    protected: list[str] = Field(default_factory=list)
    identifiers: list[str] = Field(default_factory=list)


class BusinessModel(BaseModel):
    """A business model as it is registered now (StoredModel).

    `declared_fields` is None where there is no input schema that can be read.
    """

    model_id: str
    name: str
    version: int
    type: str
    description: str = ""
    methodology: str = ""
    organization: str = ""
    risk: str = ""
    use_category: str = ""
    assets: list[Asset] = Field(default_factory=list)
    declared_fields: DeclaredFields | None = None
    fingerprint: str = Field(description="changes when version or assets change; compared, never shown")
    url: str = ""
    known_as: list[str] = Field(
        default_factory=list, description="what SageMaker may know it by: names, ARNs, addresses of its data"
    )


class PrerequisitesRequest(BaseModel):
    """Asks which prerequisites of the process are in place for a model."""

    model_id: str
    endpoint_config_name: str | None = None
    endpoint_config_is_read: bool = Field(default=False, description="whether AWS will be asked for it")


class Prerequisite(BaseModel):
    """One prerequisite, whether it was found, and what was seen."""

    name: str
    found: bool
    detail: str


class Prerequisites(BaseModel):
    """All prerequisites that can be checked in ModelOp Center."""

    items: list[Prerequisite]


class SnapshotRequest(BaseModel):
    """Asks for the snapshot of one round; asking again yields the same one."""

    run: RunIdentity
    model_id: str
    round: int
    endpoint_config_name: str | None = None
    endpoint: EndpointConfig | None = Field(default=None, description="what AWS said of it; None: nobody asked")
    supersedes: str | None = Field(default=None, description="snapshot id of the round before")


class PreviousSnapshot(BaseModel):
    """The snapshot of the same model that was deployed in production last, and the document it was approved with."""

    snapshot_id: str
    name: str
    deployed_at: datetime | None = None
    document_filename: str = ""
    document_sha256: str = ""


class Snapshot(BaseModel):
    """A frozen copy of a business model (DeployableModel).

    `previous` is None if none was found; `previous_unknown` then says why the look-up failed, if it did. `endpoint` is
    the endpoint configuration as it was when the copy was made.
    """

    snapshot_id: str
    name: str
    model_version: int
    fingerprint: str = Field(description="fingerprint of the frozen model, see BusinessModel")
    assets: list[Asset] = Field(default_factory=list)
    url: str = ""
    endpoint: EndpointConfig | None = None
    previous: PreviousSnapshot | None = None
    previous_unknown: str = ""


class RiskTests(BaseModel):
    """The Standard Risk Tests monitor's snapshot that a test job runs."""

    snapshot_id: str
    model_id: str
    name: str


class TestJobRequest(BaseModel):
    """Asks for the test job of one attempt; asking again yields the same one."""

    __test__ = False  # its name starts like a test class of pytest

    run: RunIdentity
    attempt: int
    snapshot_id: str
    risk_tests_snapshot_id: str


class TestJob(BaseModel):
    """A test job (ModelBatchTestJob)."""

    __test__ = False

    job_id: str
    url: str = ""


class JobOutcome(BaseModel):
    """How a test job ended.

    `succeeded` is true only for a COMPLETE job with a readable result; otherwise `error` says why, in the job's words.
    """

    status: str
    succeeded: bool
    error: str = ""


class StoreResultRequest(BaseModel):
    """Asks to keep the result of a job (ModelTestResult); asking again yields the same one."""

    run: RunIdentity
    job_id: str
    snapshot_id: str
    model_id: str
    risk_tests_snapshot_id: str | None = Field(
        default=None, description="its decision table counts where the model has none of its own"
    )


class MonitorProblem(BaseModel):
    """A monitor without a result, and what it said. `monitor` is empty when no monitor of ours is named."""

    monitor: str
    message: str


class TestFinding(BaseModel):
    """One test that needs a person's attention, as the decision summary lists it; texts are bounded."""

    __test__ = False

    word: str = Field(description="the verdict, for example `FAIL`")
    test: str
    subject: str = Field(default="", description="the feature or group; empty for the whole model")
    reason: str = ""
    consequence: str = ""


class LimitsUsed(BaseModel):
    """The limits that verdicts rest on. `sha256` is empty where they could not be read."""

    title: str
    sha256: str = ""


class TemplateUsed(BaseModel):
    """The customer's template that a review document was filled from."""

    filename: str
    sha256: str


class TestSummary(BaseModel):
    """What a test result says, small enough to travel through a history.

    `verdicts` counts every verdict by word; `findings` holds the first ones that need attention. `notices` are problems
    with the limits, in whole sentences.
    """

    __test__ = False

    overall: str
    verdicts: dict[str, int] = Field(default_factory=dict)
    findings: list[TestFinding] = Field(default_factory=list)
    limits: LimitsUsed | None = None
    notices: list[str] = Field(default_factory=list)


class TestResult(BaseModel):
    """A kept test result; the numbers themselves stay in ModelOp Center."""

    __test__ = False

    result_id: str
    failed_monitors: list[MonitorProblem] = Field(default_factory=list)
    not_applicable: list[MonitorProblem] = Field(default_factory=list)
    summary: TestSummary | None = None


class NotificationType(StrEnum):
    """ModelOp Center's notification types that the process uses."""

    PROCESS = "PROCESS_NOTIFICATION"
    MODEL = "MODEL_NOTIFICATION"
    MODEL_TEST = "MODEL_TEST_NOTIFICATION"
    MODEL_APPROVAL = "MODEL_APPROVAL_NOTIFICATION"
    DOCUMENT_REVIEW = "MODEL_DOCUMENT_REVIEW_NOTIFICATION"
    JOB = "JOB_NOTIFICATION"


class Severity(StrEnum):
    """ModelOp Center's notification severities that the process uses."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class TicketAssignment(BaseModel):
    """The Jira ticket that a notification mirrors."""

    key: str
    url: str
    status: str


class NotificationRequest(BaseModel):
    """Asks for one notification; the same `purpose` in the same run yields the same one.

    `closes_mirrors_of` holds keys of tickets whose own notifications are closed first, wherever their ids got lost.
    """

    run: RunIdentity
    purpose: str
    type: NotificationType
    severity: Severity
    message: str
    model_id: str
    snapshot_id: str | None = None
    job_id: str | None = None
    approval_type: str | None = None
    open: bool = False
    ticket: TicketAssignment | None = None
    closes_mirrors_of: list[str] = Field(default_factory=list)


class Notification(BaseModel):
    """A notification that stands in ModelOp Center."""

    notification_id: str


class CloseNotificationRequest(BaseModel):
    """Asks to close a notification, with the ticket's last status and who decided, where there is a ticket."""

    notification_id: str
    ticket_status: str | None = None
    closed_by: str | None = None


class TicketNotificationsRequest(BaseModel):
    """Asks to close a model's open notifications that mirror one of these tickets."""

    model_id: str
    keys: list[str] = Field(description="keys of the tickets, for example `GOV-7`")


class DecisionRecord(BaseModel):
    """One decision as it is written into the snapshot."""

    gate: str
    ticket: str
    verdict: str
    decided_by: str
    decided_at: str = Field(description="ISO 8601 with offset")
    comment: str = ""


class DocumentProvenance(BaseModel):
    """What a review document was made with; it is kept beside the document on the snapshot.

    `content_sha256` is taken over the parts inside the file, independent of compression. `template` is None for a
    document of our own layout.
    """

    content_sha256: str
    template: TemplateUsed | None = None
    limits: LimitsUsed | None = None


class DeployRequest(BaseModel):
    """Asks to mark a snapshot as deployed in production."""

    run: RunIdentity
    snapshot_id: str
    fingerprint: str = Field(description="of the snapshot that was approved")
    document_sha256: str
    document_filename: str
    document_provenance: DocumentProvenance | None = None
    decisions: list[DecisionRecord]
    endpoint_config_name: str | None = None
    endpoint: EndpointConfig | None = None
    code_version: str


class Deployment(BaseModel):
    """The marker of a model in production (DeployedModel)."""

    deployed_model_id: str


class WithdrawDeploymentRequest(BaseModel):
    """Asks to take back the marker of a snapshot that did not become deployed; asking again changes nothing."""

    run: RunIdentity
    snapshot_id: str


class ModelOpError(StrEnum):
    """Errors beyond HTTP that ModelOp activities raise; none of them is retried."""

    RISK_TESTS_MISSING = "RiskTestsMissing"
    JOB_TIMEOUT = "JobTimeout"
    SNAPSHOT_CHANGED = "SnapshotChanged"
