"""Compares a file with the review document that a run wrote and people decided on."""

from __future__ import annotations

import io
import zipfile
import zlib
from enum import StrEnum

from pydantic import BaseModel

from activities.review_document.package import content_sha256, sha256
from workflows.contract import Decision, Document, MlcStage, Verdict

MAX_INFLATED_BYTES = 200_000_000


class ReviewRecord(BaseModel):
    """What a run says about its review document.

    Attributes:
        decision: the decision that stands; None while people have not decided, or are asked again.
        ticket: the ticket that asks for it; empty where none is open.
        stage: where the run stands, or how it ended.
    """

    workflow_id: str
    run_id: str
    document: Document
    decision: Decision | None = None
    ticket: str = ""
    stage: MlcStage


class Likeness(StrEnum):
    """How far a file is the run's document."""

    SAME_BYTES = "same bytes"
    SAME_CONTENT = "same content"
    DIFFERENT = "different"


class Verification(BaseModel):
    """The answer to `mlc document verify`.

    Attributes:
        content_sha256: over the parts inside the file; None where it is no Word file that can be opened.
        approved: whether these are the bytes that people accepted.
    """

    file: str
    sha256: str
    content_sha256: str | None
    likeness: Likeness
    approved: bool
    record: ReviewRecord


def verify(name: str, content: bytes, record: ReviewRecord) -> Verification:
    """Compares a file, down to its bytes, with the document of a run."""
    found = sha256(content)
    parts = _content_hash(content)
    likeness = _likeness(found, parts, record.document)
    accepted = record.decision is not None and record.decision.verdict is Verdict.DONE
    return Verification(
        file=name,
        sha256=found,
        content_sha256=parts,
        likeness=likeness,
        approved=accepted and likeness is Likeness.SAME_BYTES,
        record=record,
    )


def _likeness(found: str, parts: str | None, document: Document) -> Likeness:
    if found == document.sha256:
        return Likeness.SAME_BYTES
    if parts is not None and parts == document.content_sha256:
        return Likeness.SAME_CONTENT
    return Likeness.DIFFERENT


def _content_hash(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
        names = [entry.filename for entry in entries]
        # Of two parts with one name, Word may show the one that is not hashed.
        if len(names) != len(set(names)) or sum(entry.file_size for entry in entries) > MAX_INFLATED_BYTES:
            return None
        return content_sha256(content)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError):
        return None
