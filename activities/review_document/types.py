"""What crosses the border between the process and the review document."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from activities.identity import RunIdentity
from activities.jira.types import TicketReference
from activities.modelop.types import (
    DecisionRecord,
    DocumentProvenance,
    LimitsUsed,
    MonitorProblem,
    PreviousSnapshot,
    TemplateUsed,
)
from activities.sagemaker.types import EndpointConfig


class TestRunRecord(BaseModel):
    """One attempt at the Standard Risk Tests, for the execution record."""

    __test__ = False  # its name starts like a test class of pytest

    attempt: int
    job_id: str
    status: str
    error: str = ""
    result_id: str | None = None
    failed_monitors: list[MonitorProblem] = Field(default_factory=list)
    not_applicable: list[MonitorProblem] = Field(default_factory=list)


class ReviewDocumentRequest(BaseModel):
    """Asks for the document of one review ticket; the same request yields the same bytes.

    It holds no time of its own: the document bears the date of the stored result, so that a run that is reset writes
    the very document that was reviewed before.
    """

    run: RunIdentity
    ticket: TicketReference
    snapshot_id: str
    result_id: str
    test_runs: list[TestRunRecord]
    decisions: list[DecisionRecord]
    requested_by: str | None = None
    use_case_id: str | None = None
    endpoint_config_name: str | None = None
    code_version: str
    risk_tests_snapshot_id: str | None = Field(
        default=None, description="its template and decision table count where the model has none of its own"
    )
    limits: LimitsUsed | None = Field(default=None, description="what the verdicts on the ticket rest on")
    endpoint: EndpointConfig | None = Field(
        default=None, description="what AWS said of the endpoint configuration; None: nobody asked"
    )
    previous: PreviousSnapshot | None = None
    previous_unknown: str = Field(default="", description="why it is not known whether there is a previous snapshot")


class ReviewDocument(BaseModel):
    """The document that hangs on the review ticket.

    Attributes:
        verdicts: counts test verdicts by word, for example `{"PASS": 9}`.
        unresolved: places of the customer's template that nothing was found for, the first ones.
        template: the customer's template that was filled; None for our own layout.
        limits: what the verdicts rest on.
        notices: problems that the document begins with, in whole sentences.
    """

    filename: str
    sha256: str
    content_sha256: str = Field(description="over the parts inside the file, independent of compression")
    size: int
    attachment_id: str
    attached_at: datetime
    verdicts: dict[str, int] = Field(default_factory=dict)
    unresolved: list[str] = Field(default_factory=list)
    template: TemplateUsed | None = None
    limits: LimitsUsed | None = None
    notices: list[str] = Field(default_factory=list)

    @property
    def provenance(self) -> DocumentProvenance:
        """What is kept beside the document on the snapshot."""
        return DocumentProvenance(content_sha256=self.content_sha256, template=self.template, limits=self.limits)


class ArchiveRequest(BaseModel):
    """Asks to add the reviewed document to the snapshot."""

    run: RunIdentity
    ticket: TicketReference
    snapshot_id: str
    document: ReviewDocument


class VerifyRequest(BaseModel):
    """Asks whether the document can still be written as it was approved."""

    document: ReviewDocument
    request: ReviewDocumentRequest


class ArchivedDocument(BaseModel):
    """The document as it stands on the snapshot."""

    snapshot_id: str
    sha256: str


class DocumentError(StrEnum):
    """Errors of the document's own; none of them is retried."""

    MISSING = "DocumentMissing"
    CHANGED = "DocumentChanged"
    NOT_REPRODUCIBLE = "DocumentNotReproducible"
    RESULT_UNREADABLE = "ResultUnreadable"
