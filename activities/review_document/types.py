"""What crosses the border between the process and the review document."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from activities.identity import RunIdentity
from activities.jira.types import TicketReference
from activities.modelop.types import DecisionRecord, MonitorProblem


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


class ReviewDocument(BaseModel):
    """The document that hangs on the review ticket. `verdicts` counts test verdicts by word, e.g. `{"PASS": 9}`."""

    filename: str
    sha256: str
    content_sha256: str = Field(description="over the parts inside the file, independent of compression")
    size: int
    attachment_id: str
    attached_at: datetime
    verdicts: dict[str, int] = Field(default_factory=dict)


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
