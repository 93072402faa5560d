"""The activities against stand-ins for their two collaborators."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.errors import OutsideError
from activities.jira.types import Attachment, TicketReference
from activities.review_document import activities
from activities.review_document.activities import ReviewDocumentActivities, document_filename
from activities.review_document.package import content_sha256
from activities.review_document.types import (
    ArchiveRequest,
    DocumentError,
    ReviewDocument,
    ReviewDocumentRequest,
)
from tests.activities.review_document import samples

ATTACHED_AT = datetime(2026, 11, 22, 14, 6, tzinfo=UTC)
TICKET = TicketReference(issue_id="10013", key="GOV-13")


class ModelOpStandIn:
    """Holds one snapshot and one result; keeps what is added."""

    def __init__(self, results: Any = None) -> None:
        self.snapshot: dict[str, Any] = samples.snapshot()
        self.result: dict[str, Any] = {
            "deployableModelId": samples.SNAPSHOT_ID,
            "testResults": samples.classification_results(5) if results is None else results,
        }
        self.documents: dict[str, tuple[str, bytes]] = {}

    async def get_snapshot(self, snapshot_id: str) -> dict[str, Any]:
        assert snapshot_id == samples.SNAPSHOT_ID
        return self.snapshot

    async def get_result(self, result_id: str) -> dict[str, Any]:
        assert result_id == samples.RESULT_ID
        return self.result

    async def add_document(self, snapshot_id: str, *, filename: str, content: bytes, sha256: str) -> None:
        self.documents.setdefault(sha256, (filename, content))


class JiraStandIn:
    """One ticket with attachments and comments, kept as Jira keeps them."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[Attachment, bytes]] = {}
        self.comments: dict[str, str] = {}
        self.fail_comment_once = False

    async def list_attachments(self, issue_id: str) -> list[Attachment]:
        assert issue_id == TICKET.issue_id
        return [attachment for attachment, _ in self.files.values()]

    async def attach(self, issue_id: str, filename: str, content: bytes) -> Attachment:
        number = str(20000 + len(self.files))
        attachment = Attachment(attachment_id=number, filename=filename, size=len(content), created=ATTACHED_AT)
        self.files[number] = (attachment, content)
        return attachment

    async def download(self, attachment_id: str) -> bytes:
        if attachment_id not in self.files:
            raise ApplicationError("gone", type=OutsideError.NOT_FOUND, non_retryable=True)
        return self.files[attachment_id][1]

    async def comment(self, issue_id: str, *, mark: str, text: str) -> None:
        if self.fail_comment_once:
            self.fail_comment_once = False
            raise ApplicationError("Jira went away", type=OutsideError.UNAVAILABLE)
        self.comments.setdefault(mark, text)


def request() -> ReviewDocumentRequest:
    return ReviewDocumentRequest(
        run=samples.RUN,
        ticket=TICKET,
        snapshot_id=samples.SNAPSHOT_ID,
        result_id=samples.RESULT_ID,
        test_runs=samples.test_runs({}),
        decisions=[samples.pia_decision()],
        requested_by="rita.requester",
        code_version="0.1.0",
    )


async def prepared(modelop: ModelOpStandIn, jira: JiraStandIn) -> ReviewDocument:
    return await ActivityEnvironment().run(ReviewDocumentActivities(modelop, jira).prepare_review_document, request())


async def archived(modelop: ModelOpStandIn, jira: JiraStandIn, document: ReviewDocument) -> str:
    archive = ArchiveRequest(run=samples.RUN, ticket=TICKET, snapshot_id=samples.SNAPSHOT_ID, document=document)
    answer = await ActivityEnvironment().run(ReviewDocumentActivities(modelop, jira).archive_review_document, archive)
    return answer.sha256


async def test_the_document_is_attached_and_announced_with_its_hashes_and_findings() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    document = await prepared(modelop, jira)
    (attachment, content), *others = jira.files.values()
    assert not others
    assert document.sha256 == hashlib.sha256(content).hexdigest()
    assert document.content_sha256 == content_sha256(content)
    assert document.filename == f"Model-Review-German-Credit-Scoring-{document.sha256[:8]}.docx" == attachment.filename
    assert (document.size, document.attachment_id, document.attached_at) == (len(content), "20000", ATTACHED_AT)
    assert document.verdicts == {"PASS": 6, "FAIL": 5, "NOT APPLICABLE": 4, "INFORMATION": 2}
    (comment,) = jira.comments.values()
    for part in (document.filename, document.sha256, document.content_sha256, "5 FAIL", "*FAIL*", "duration_months"):
        assert part in comment.replace("\\", "")


async def test_asking_again_neither_attaches_nor_comments_again() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    first = await prepared(modelop, jira)
    assert await prepared(modelop, jira) == first
    assert (len(jira.files), len(jira.comments)) == (1, 1)


async def test_an_attempt_that_dies_after_the_upload_is_continued() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    jira.fail_comment_once = True
    with pytest.raises(ApplicationError, match="Jira went away"):
        await prepared(modelop, jira)
    await prepared(modelop, jira)
    assert (len(jira.files), len(jira.comments)) == (1, 1)


async def test_it_heartbeats_while_it_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities, "HEARTBEAT_SECONDS", 0.02)
    beats: list[Any] = []
    environment = ActivityEnvironment()
    environment.on_heartbeat = lambda *details: beats.append(details)
    await environment.run(ReviewDocumentActivities(ModelOpStandIn(), JiraStandIn()).prepare_review_document, request())
    assert len(beats) > 3


async def test_the_event_loop_stays_free_while_it_renders() -> None:
    work = asyncio.ensure_future(prepared(ModelOpStandIn(), JiraStandIn()))
    ticks = 0
    while not work.done():
        await asyncio.sleep(0.01)
        ticks += 1
    await work
    assert ticks > 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"testResults": None}, "has no testResults object"),
        ({"testResults": "text"}, "has no testResults object"),
        ({"deployableModelId": "another"}, "belongs to snapshot another"),
    ],
)
async def test_a_result_that_is_not_this_snapshots_is_refused_and_nothing_is_attached(
    change: dict[str, Any], message: str
) -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    modelop.result |= change
    with pytest.raises(ApplicationError, match=message) as raised:
        await prepared(modelop, jira)
    assert (raised.value.type, raised.value.non_retryable) == (DocumentError.RESULT_UNREADABLE, True)
    assert not jira.files


async def test_the_very_bytes_that_were_reviewed_reach_the_snapshot() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    document = await prepared(modelop, jira)
    assert await archived(modelop, jira, document) == document.sha256
    assert await archived(modelop, jira, document) == document.sha256
    assert modelop.documents == {document.sha256: (document.filename, jira.files[document.attachment_id][1])}


async def test_a_changed_attachment_is_never_archived() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    document = await prepared(modelop, jira)
    attachment, content = jira.files[document.attachment_id]
    jira.files[document.attachment_id] = (attachment, content[:-1] + b"!")
    with pytest.raises(ApplicationError, match="is not the file that was attached") as raised:
        await archived(modelop, jira, document)
    assert (raised.value.type, raised.value.non_retryable) == (DocumentError.CHANGED, True)
    assert not modelop.documents


async def test_a_removed_attachment_is_told_from_an_unreachable_jira() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    document = await prepared(modelop, jira)
    jira.files.clear()
    with pytest.raises(ApplicationError, match="is no longer on GOV-13") as raised:
        await archived(modelop, jira, document)
    assert (raised.value.type, raised.value.non_retryable) == (DocumentError.MISSING, True)


@pytest.mark.parametrize(
    ("model", "filename"),
    [
        ("Kreditprüfung Österreich / 2026", "Model-Review-Kreditprufung-Osterreich-2026-0123abcd.docx"),
        ("../../etc/passwd", "Model-Review-etc-passwd-0123abcd.docx"),
        ("信用", "Model-Review-0123abcd.docx"),
        ("x" * 200, f"Model-Review-{'x' * 60}-0123abcd.docx"),
    ],
)
def test_file_names_are_safe_anywhere(model: str, filename: str) -> None:
    assert document_filename(model, "0123abcd" + "0" * 56) == filename
