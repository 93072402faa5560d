"""The activities against stand-ins for their two collaborators."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.errors import OutsideError
from activities.jira.types import Attachment, TicketReference
from activities.modelop.types import DocumentProvenance, LimitsUsed, PreviousSnapshot, TemplateUsed
from activities.review_document import activities
from activities.review_document.activities import MAX_UNRESOLVED, ReviewDocumentActivities, document_filename
from activities.review_document.limits.thresholds import standard_thresholds_sha256
from activities.review_document.package import content_sha256
from activities.review_document.standard_layout.base_template import base_template
from activities.review_document.types import (
    ArchiveRequest,
    DocumentError,
    ReviewDocument,
    ReviewDocumentRequest,
    VerifyRequest,
)
from tests.activities.review_document import samples

ATTACHED_AT = datetime(2026, 11, 22, 14, 6, tzinfo=UTC)
TICKET = TicketReference(issue_id="10013", key="GOV-13")
RISK_TESTS_ID = "5f7c1d20-0000-4000-8000-000000000003"
TEMPLATE_NAME = "House-ModelReviewDocument.docx"


class ModelOpStandIn:
    """Holds two snapshots, the assets' files and one result; keeps what is added."""

    def __init__(self, results: Any = None) -> None:
        self.snapshot: dict[str, Any] = samples.snapshot()
        self.result: dict[str, Any] = {
            "deployableModelId": samples.SNAPSHOT_ID,
            "testResults": samples.classification_results(5) if results is None else results,
        }
        self.risk_tests: dict[str, Any] = {"id": RISK_TESTS_ID, "storedModel": {"modelAssets": []}}
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.provenance: dict[str, DocumentProvenance] = {}

    async def get_snapshot(self, snapshot_id: str) -> dict[str, Any]:
        return {samples.SNAPSHOT_ID: self.snapshot, RISK_TESTS_ID: self.risk_tests}[snapshot_id]

    async def read_asset(self, asset: dict[str, Any]) -> bytes:
        content: bytes = asset["content"]
        return content

    async def get_result(self, result_id: str) -> dict[str, Any]:
        assert result_id == samples.RESULT_ID
        return self.result

    async def add_document(
        self, snapshot_id: str, *, filename: str, content: bytes, sha256: str, provenance: DocumentProvenance
    ) -> None:
        self.documents.setdefault(sha256, (filename, content))
        self.provenance[sha256] = provenance

    def add_asset(self, role: str, filename: str, content: bytes) -> None:
        asset = {"filename": filename, "assetRole": role, "content": content}
        self.snapshot["storedModel"]["modelAssets"].append(asset)


def with_short_document() -> ModelOpStandIn:
    """For what does not depend on the document's text: a customer's template of one line is filled in no time."""
    modelop = ModelOpStandIn()
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, customer_template("About the model"))
    return modelop


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


def request(**changes: Any) -> ReviewDocumentRequest:
    made = ReviewDocumentRequest(
        run=samples.RUN,
        ticket=TICKET,
        snapshot_id=samples.SNAPSHOT_ID,
        result_id=samples.RESULT_ID,
        test_runs=samples.test_runs({}),
        decisions=[samples.pia_decision()],
        requested_by="rita.requester",
        code_version="0.1.0",
        risk_tests_snapshot_id=RISK_TESTS_ID,
    )
    return made.model_copy(update=changes)


async def prepared(
    modelop: ModelOpStandIn, jira: JiraStandIn, base: bytes | None = None, **changes: Any
) -> ReviewDocument:
    activities = ReviewDocumentActivities(modelop, jira, base_template=base)
    return await ActivityEnvironment().run(activities.prepare_review_document, request(**changes))


async def verified(modelop: ModelOpStandIn, document: ReviewDocument) -> None:
    activities = ReviewDocumentActivities(modelop, JiraStandIn())
    await ActivityEnvironment().run(
        activities.verify_review_document, VerifyRequest(document=document, request=request())
    )


def customer_template(*paragraphs: str) -> bytes:
    document = docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def text_of(jira: JiraStandIn) -> str:
    """All text of the one attached document."""
    ((_, content),) = jira.files.values()
    paragraphs = docx.Document(io.BytesIO(content)).element.body.iter(qn("w:p"))
    return "\n".join("".join(text.text or "" for text in paragraph.iter(qn("w:t"))) for paragraph in paragraphs)


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
    modelop, jira = with_short_document(), JiraStandIn()
    first = await prepared(modelop, jira)
    assert await prepared(modelop, jira) == first
    assert (len(jira.files), len(jira.comments)) == (1, 1)


async def test_an_attempt_that_dies_after_the_upload_is_continued() -> None:
    modelop, jira = with_short_document(), JiraStandIn()
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
    modelop, jira = with_short_document(), JiraStandIn()
    document = await prepared(modelop, jira)
    assert await archived(modelop, jira, document) == document.sha256
    assert await archived(modelop, jira, document) == document.sha256
    assert modelop.documents == {document.sha256: (document.filename, jira.files[document.attachment_id][1])}


async def test_a_changed_attachment_is_never_archived() -> None:
    modelop, jira = with_short_document(), JiraStandIn()
    document = await prepared(modelop, jira)
    attachment, content = jira.files[document.attachment_id]
    jira.files[document.attachment_id] = (attachment, content[:-1] + b"!")
    with pytest.raises(ApplicationError, match="is not the file that was attached") as raised:
        await archived(modelop, jira, document)
    assert (raised.value.type, raised.value.non_retryable) == (DocumentError.CHANGED, True)
    assert not modelop.documents


async def test_a_removed_attachment_is_told_from_an_unreachable_jira() -> None:
    modelop, jira = with_short_document(), JiraStandIn()
    document = await prepared(modelop, jira)
    jira.files.clear()
    with pytest.raises(ApplicationError, match="is no longer on GOV-13") as raised:
        await archived(modelop, jira, document)
    assert (raised.value.type, raised.value.non_retryable) == (DocumentError.MISSING, True)


async def test_the_customers_template_is_filled_and_what_it_lacks_is_listed() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    content = customer_template(
        "About <<modelop.storedModel.modelMetaData.name>>, AUC <<modelop.modelTestResult.testResults.auc>>",
        "Verdict: <<modelop.modelTestResult.dmnRuleResults.[testCategory=Performance].reason>>",
        "Budget <<modelop.storedModel.modelMetaData.custom.Budget>>",
    )
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, content)
    document = await prepared(modelop, jira)
    assert document.template == TemplateUsed(filename=TEMPLATE_NAME, sha256=hashlib.sha256(content).hexdigest())
    assert document.unresolved == ["modelop.storedModel.modelMetaData.custom.Budget"]
    text = text_of(jira)
    assert "About German Credit Scoring, AUC 0.7785" in text and "Verdict: PASS" in text
    assert "not provided: modelop.storedModel.modelMetaData.custom.Budget" in text
    (comment,) = jira.comments.values()
    assert "custom.Budget" in comment.replace("\\", "")


async def test_a_template_with_thousands_of_gaps_leaves_the_history_small() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    gaps = [f"<<modelop.storedModel.place_{number}_{'x' * 300}>>" for number in range(2000)]
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, customer_template(*gaps))
    document = await prepared(modelop, jira)
    assert len(document.unresolved) == MAX_UNRESOLVED
    assert len(document.model_dump_json()) < 16_000


async def test_a_broken_template_yields_our_layout_with_a_notice_in_document_and_comment() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, b"\xd0\xcf\x11\xe0 an encrypted container")
    document = await prepared(modelop, jira)
    assert document.template is None and document.unresolved == []
    (notice,) = document.notices
    assert f"The template {TEMPLATE_NAME} of the business model cannot be used" in notice
    (comment,) = jira.comments.values()
    for shown in (text_of(jira), comment.replace("\\", "")):
        assert TEMPLATE_NAME in shown and "cannot be used" in shown


@pytest.mark.parametrize("source", [ModelOpStandIn, with_short_document], ids=["our layout", "their template"])
async def test_a_broken_decision_table_leaves_every_test_unjudged_and_the_document_says_why(
    source: Callable[[], ModelOpStandIn],
) -> None:
    modelop, jira = source(), JiraStandIn()
    modelop.add_asset("TEST_RESULT_COMPARATOR", "limits.dmn", b"<!DOCTYPE x><definitions/>")
    document = await prepared(modelop, jira)
    assert not {"PASS", "FAIL"} & set(document.verdicts) and document.verdicts["NOT EVALUATED"] > 5
    assert document.limits is not None and "limits.dmn" in document.limits.title
    (notice,) = document.notices
    assert "limits.dmn of the business model cannot be used" in notice and notice in text_of(jira)


async def test_what_the_risk_tests_bring_counts_where_the_model_brings_nothing() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    asset = {"filename": TEMPLATE_NAME, "assetRole": "MODEL_DOCUMENTATION", "content": customer_template("Theirs")}
    modelop.risk_tests["storedModel"]["modelAssets"].append(asset)
    assert (await prepared(modelop, jira)).template is not None
    assert "Theirs" in text_of(jira)


async def test_a_filled_template_can_be_written_again_after_it_was_archived_and_deployed() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    places = ("metaData.name", "lastModifiedDate", "state", "metaData.custom", "modelDocuments", "createdDate")
    modelop.add_asset(
        "MODEL_DOCUMENTATION",
        TEMPLATE_NAME,
        customer_template(*(f"<<modelop.deployableModel.{place}>>" for place in places)),
    )
    modelop.snapshot |= {"createdDate": "2026-11-22T14:00:00.000Z", "lastModifiedDate": "2026-11-22T14:00:01.000Z"}
    document = await prepared(modelop, jira)
    modelop.snapshot |= {
        "state": "DEPLOYED",
        "lastModifiedDate": "2026-12-01T00:00:00.000Z",
        "modelDocuments": [{"filename": document.filename}],
    }
    modelop.snapshot["metaData"].setdefault("custom", {})["mlc"] = {"decisions": [1, 2, 3]}
    await verified(modelop, document)
    modelop.snapshot["metaData"]["name"] = "renamed"
    with pytest.raises(ApplicationError, match="cannot be written again") as raised:
        await verified(modelop, document)
    assert raised.value.type == DocumentError.NOT_REPRODUCIBLE


async def test_the_snapshot_keeps_what_the_document_was_made_with() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, customer_template("House"))
    document = await prepared(modelop, jira)
    await archived(modelop, jira, document)
    assert modelop.provenance == {
        document.sha256: DocumentProvenance(
            content_sha256=document.content_sha256, template=document.template, limits=document.limits
        )
    }
    assert document.limits is not None and document.limits.sha256 == standard_thresholds_sha256()


async def test_the_previous_snapshot_and_a_failed_look_up_are_shown() -> None:
    previous = PreviousSnapshot(
        snapshot_id="0ld", name="German Credit-20260504", document_filename="Old.docx", document_sha256="cd" * 32
    )
    known, unknown = JiraStandIn(), JiraStandIn()
    await prepared(ModelOpStandIn(), known, previous=previous)
    assert "German Credit-20260504" in text_of(known) and "cd" * 32 in text_of(known)
    document = await prepared(with_short_document(), unknown, previous_unknown="could not be looked up: Forbidden")
    said = "Whether an earlier snapshot of this model was approved could not be looked up: Forbidden."
    assert document.notices == [said] and said in text_of(unknown)


async def test_limits_that_changed_since_the_ticket_was_written_are_said() -> None:
    before = LimitsUsed(title="Standard limits of last year", sha256="0f" * 32)
    jira = JiraStandIn()
    document = await prepared(with_short_document(), jira, limits=before)
    (notice,) = document.notices
    assert "rest on Standard limits of last year (SHA-256 0f0f0f0f0f0f)" in notice and notice in text_of(jira)
    assert (await prepared(with_short_document(), JiraStandIn(), limits=document.limits)).notices == []


async def test_a_place_that_lists_the_assets_prints_no_file_and_no_signature() -> None:
    modelop, jira = ModelOpStandIn(), JiraStandIn()
    modelop.add_asset("MODEL_DOCUMENTATION", TEMPLATE_NAME, customer_template("<<modelop.storedModel.modelAssets>>"))
    for asset in modelop.snapshot["storedModel"]["modelAssets"]:
        asset |= {"fileContent": "QUJDREVGRw==", "fileUrl": "https://store.example/data?signature=s3cr3t"}
    await prepared(modelop, jira)
    printed = text_of(jira)
    assert TEMPLATE_NAME in printed and "https://store.example/data" in printed
    assert "QUJDREVGRw" not in printed and "s3cr3t" not in printed


async def test_the_sites_base_template_gives_our_layout_its_styles() -> None:
    styled = JiraStandIn()
    house = docx.Document(io.BytesIO(base_template()))
    house.styles["Normal"].font.name = "Georgia"
    buffer = io.BytesIO()
    house.save(buffer)
    await prepared(ModelOpStandIn(), styled, base=buffer.getvalue())
    ((_, content),) = styled.files.values()
    assert docx.Document(io.BytesIO(content)).styles["Normal"].font.name == "Georgia"


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
