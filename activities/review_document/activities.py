"""Activities that make the review document, attach it to its ticket, and add it to the approved snapshot."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError, plain
from activities.jira.types import Attachment, TicketReference
from activities.modelop.rest import created_at
from activities.modelop.types import DocumentProvenance, LimitsUsed, TemplateUsed
from activities.review_document.conclusion import overall
from activities.review_document.formatting import clean
from activities.review_document.judge import limits_used
from activities.review_document.limits.verdicts import count_by_word
from activities.review_document.package import content_sha256, sha256
from activities.review_document.review import Review
from activities.review_document.selection import FrozenSources, Template
from activities.review_document.ticket_text import document_comment
from activities.review_document.types import (
    ArchivedDocument,
    ArchiveRequest,
    DocumentError,
    ReviewDocument,
    ReviewDocumentRequest,
    VerifyRequest,
)
from activities.review_document.writing import WrittenDocument, write

HEARTBEAT_SECONDS = 2.0
MAX_SLUG = 60
MAX_UNRESOLVED = 50
MAX_UNRESOLVED_CHARACTERS = 160

T = TypeVar("T")


class ModelOp(Protocol):
    """What is needed of ModelOp Center."""

    async def get_snapshot(self, snapshot_id: str) -> Mapping[str, Any]:
        """The snapshot as JSON, the model's frozen copy inside."""

    async def get_result(self, result_id: str) -> Mapping[str, Any]:
        """The test result as JSON, with `testResults`."""

    async def read_asset(self, asset: dict[str, Any]) -> bytes:
        """The bytes of a model's asset; raises `UnreadableAsset` if they cannot be had."""

    async def add_document(
        self, snapshot_id: str, *, filename: str, content: bytes, sha256: str, provenance: DocumentProvenance
    ) -> None:
        """Adds a file to the snapshot; one that is there already is not added again."""


class Jira(Protocol):
    """What is needed of Jira."""

    async def list_attachments(self, issue_id: str) -> list[Attachment]:
        """The attachments of a ticket."""

    async def attach(self, issue_id: str, filename: str, content: bytes) -> Attachment:
        """Attaches a file to a ticket."""

    async def download(self, attachment_id: str) -> bytes:
        """The bytes of an attachment."""

    async def comment(self, issue_id: str, *, mark: str, text: str) -> None:
        """Adds a comment unless one with the mark is there."""


class ReviewDocumentActivities:
    """Makes and keeps review documents. All activities may be repeated: they find what an earlier attempt did.

    Args:
        modelop: where results, templates and limits come from, and where the document is kept.
        jira: where the document is reviewed.
        base_template: a .docx that gives our own layout its styles; None: ours.
    """

    def __init__(self, modelop: ModelOp, jira: Jira, base_template: bytes | None = None) -> None:
        self._modelop = modelop
        self._jira = jira
        self._base_template = base_template
        self._writing = asyncio.Lock()

    @activity.defn(name="prepare_review_document")
    async def prepare_review_document(self, request: ReviewDocumentRequest) -> ReviewDocument:
        """Renders the document from the stored result, attaches it to the ticket and announces it in one comment.

        Raises:
            ApplicationError: of type `ResultUnreadable` if snapshot or result are not what they should be, and the
                errors of ModelOp Center and Jira.
        """
        return await _with_heartbeats(self._prepare(request))

    @activity.defn(name="archive_review_document")
    async def archive_review_document(self, request: ArchiveRequest) -> ArchivedDocument:
        """Adds the very bytes that hang on the ticket to the snapshot, after checking that they are what was attached.

        Raises:
            ApplicationError: of type `DocumentMissing` or `DocumentChanged`, and the errors of ModelOp Center and Jira.
        """
        return await _with_heartbeats(self._archive(request))

    @activity.defn(name="verify_review_document")
    async def verify_review_document(self, request: VerifyRequest) -> None:
        """Checks that the document can still be written as it was approved; changes nothing.

        Raises:
            ApplicationError: of type `DocumentNotReproducible`, and the errors of ModelOp Center.
        """
        await _with_heartbeats(self._verify(request))

    async def _verify(self, request: VerifyRequest) -> None:
        _, written = await self._written(request.request)
        if sha256(written.content) != request.document.sha256:
            raise ApplicationError(
                f"{request.document.filename} cannot be written again as it was approved: it would have SHA-256 "
                f"{sha256(written.content)}, approved was {request.document.sha256} (restore the approved file on the "
                "ticket or its snapshot, or use the release of the worker, and its base template, that wrote it)",
                type=DocumentError.NOT_REPRODUCIBLE,
                non_retryable=True,
            )

    async def _written(self, request: ReviewDocumentRequest) -> tuple[Review, WrittenDocument]:
        review, template = await self._gathered(request)
        # One at a time: documents that are written side by side only make each other late, and a worker that dies
        # would take all of them along.
        async with self._writing:
            return review, await asyncio.to_thread(_write, review, template, self._base_template)

    async def _gathered(self, request: ReviewDocumentRequest) -> tuple[Review, Template | None]:
        """What the document is written from: everything in it is frozen, so that it can be written again."""
        snapshot = await self._modelop.get_snapshot(request.snapshot_id)
        result = await self._modelop.get_result(request.result_id)
        review = _review(request, snapshot, result)
        sources = FrozenSources(self._modelop, snapshot, request.risk_tests_snapshot_id)
        limits, template = await sources.limits(), await sources.template()
        notices = [*_notices(request, limits_used(limits)), *sources.notices]
        return replace(review, limits=limits, notices=notices), template

    async def _prepare(self, request: ReviewDocumentRequest) -> ReviewDocument:
        review, written = await self._written(request)
        content, template = written.content, written.template
        digest = sha256(content)
        filename = document_filename(review.model_name, digest)
        attachment = await self._attached_once(request.ticket, filename, content)
        document = ReviewDocument(
            filename=filename,
            sha256=digest,
            content_sha256=content_sha256(content),
            size=len(content),
            attachment_id=attachment.attachment_id,
            attached_at=attachment.created,
            verdicts=count_by_word(review.verdicts),
            unresolved=[clean(path, MAX_UNRESOLVED_CHARACTERS) for path in written.unresolved[:MAX_UNRESOLVED]],
            template=TemplateUsed(filename=template.filename, sha256=template.sha256) if template else None,
            limits=limits_used(review.limits),
            notices=list(written.notices),
        )
        await self._jira.comment(
            request.ticket.issue_id,
            mark=request.run.mark("ReviewDocument", request.ticket.issue_id, digest),
            text=document_comment(document, overall(review), review.findings),
        )
        return document

    async def _attached_once(self, ticket: TicketReference, filename: str, content: bytes) -> Attachment:
        for found in await self._jira.list_attachments(ticket.issue_id):
            if (found.filename, found.size) == (filename, len(content)):
                return found
        return await self._jira.attach(ticket.issue_id, filename, content)

    async def _archive(self, request: ArchiveRequest) -> ArchivedDocument:
        document = request.document
        content = await self._download(document, request.ticket)
        found = sha256(content)
        if (found, len(content)) != (document.sha256, document.size):
            raise ApplicationError(
                f"{document.filename} on {request.ticket.key} is not the file that was attached: it has {len(content)} "
                f"bytes and SHA-256 {found}, attached were {document.size} bytes with {document.sha256} "
                "(restore the attachment, or resume to have the document made and reviewed again)",
                type=DocumentError.CHANGED,
                non_retryable=True,
            )
        await self._modelop.add_document(
            request.snapshot_id,
            filename=document.filename,
            content=content,
            sha256=document.sha256,
            provenance=document.provenance,
        )
        return ArchivedDocument(snapshot_id=request.snapshot_id, sha256=document.sha256)

    async def _download(self, document: ReviewDocument, ticket: TicketReference) -> bytes:
        try:
            return await self._jira.download(document.attachment_id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            raise ApplicationError(
                f"{document.filename} (attachment {document.attachment_id}) is no longer on {ticket.key} "
                "(resume to have the document made and reviewed again)",
                type=DocumentError.MISSING,
                non_retryable=True,
            ) from error


def document_filename(model_name: str, digest: str) -> str:
    """For example `Model-Review-German-Credit-Scoring-1a2b3c4d.docx`: ASCII only, safe as a file name anywhere."""
    ascii_name = unicodedata.normalize("NFKD", model_name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name)[:MAX_SLUG].strip("-")
    return "-".join(filter(None, ["Model-Review", slug, digest[:8]])) + ".docx"


def _review(request: ReviewDocumentRequest, snapshot: Mapping[str, Any], result: Mapping[str, Any]) -> Review:
    results = result.get("testResults")
    if not isinstance(results, Mapping):
        raise _unreadable(f"test result {request.result_id} has no testResults object")
    tested = result.get("deployableModelId")
    if tested is not None and tested != request.snapshot_id:
        other = plain(str(tested), 60)
        raise _unreadable(f"test result {request.result_id} belongs to snapshot {other}, not to {request.snapshot_id}")
    model = snapshot.get("storedModel")
    if not isinstance(model, Mapping):
        raise _unreadable(f"snapshot {request.snapshot_id} holds no storedModel")
    return Review(
        stored_model=model,
        snapshot=snapshot,
        test_results=results,
        run=request.run,
        result_id=request.result_id,
        stored_at=created_at(result),
        code_version=request.code_version,
        test_runs=request.test_runs,
        decisions=request.decisions,
        requested_by=request.requested_by,
        use_case_id=request.use_case_id,
        endpoint_config_name=request.endpoint_config_name,
        result=result,
        previous=request.previous,
        previous_unknown=request.previous_unknown,
        endpoint=request.endpoint,
    )


def _notices(request: ReviewDocumentRequest, limits: LimitsUsed) -> list[str]:
    notices = []
    if request.limits and request.limits != limits:
        notices.append(
            f"The limits have changed since the ticket was written: its verdicts rest on {_named(request.limits)}, "
            f"those of this document on {_named(limits)}."
        )
    if why := clean(request.previous_unknown):
        notices.append(f"Whether an earlier snapshot of this model was approved {why}.")
    if request.endpoint and request.endpoint.serves_model is False:
        notices.append(
            f"No variant of the endpoint configuration {clean(request.endpoint.name)} is recognised as this model: "
            "compare the SageMaker models that it names."
        )
    return notices


def _named(limits: LimitsUsed) -> str:
    return f"{limits.title} (SHA-256 {limits.sha256[:12] or 'unknown'})"


def _write(review: Review, template: Template | None, base_template: bytes | None) -> WrittenDocument:
    try:
        return write(review, template, base_template)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"test result {review.result_id} cannot be printed: {plain(str(error), 200)}") from error


def _unreadable(what: str) -> ApplicationError:
    return ApplicationError(
        f"{what} (look at the result in ModelOp Center, then resume)",
        type=DocumentError.RESULT_UNREADABLE,
        non_retryable=True,
    )


async def _with_heartbeats(work: Awaitable[T]) -> T:
    """Reports that the worker is alive while the work goes on, so that a dead one is noticed within seconds."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            activity.heartbeat()
            done, _ = await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS)
            if done:
                return task.result()
    finally:
        task.cancel()
