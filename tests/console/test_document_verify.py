"""`mlc document verify`: whether a file is the very document that people approved."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import docx
import pytest
from rich.console import Console

from activities.review_document.package import content_sha256, pack, sha256
from console import document_verification
from console.document_verification import Likeness, ReviewRecord, Verification, verify
from console.document_views import verification_view
from console.sandbox_clients import JiraPeople
from console.stack import RunningStack
from sandbox.modelop.seed import GERMAN_CREDIT, NOTEBOOK
from tests.console.conftest import Command
from workflows.contract import (
    Decision,
    Document,
    Gate,
    ImplementationStatus,
    MlcStage,
    Verdict,
    workflow_id,
)

PARTS = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document>approved</document>"}
ORIGINAL = pack(PARTS)


def recompressed(content: bytes) -> bytes:
    """The same parts in an archive without compression, as a mail gateway may pack them anew."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target.getvalue()


def record(verdict: Verdict | None = Verdict.DONE, original: bytes = ORIGINAL) -> ReviewRecord:
    decision = verdict and Decision(
        gate=Gate.RESULTS,
        ticket="GOV-7",
        verdict=verdict,
        decided_by="vera",
        decided_by_name="Vera Validator",
        decided_at=datetime(2026, 11, 22, 14, 5, tzinfo=UTC),
        comment="Read it.",
    )
    return ReviewRecord(
        workflow_id=workflow_id(GERMAN_CREDIT),
        run_id="0f9a",
        document=Document(
            filename="Model-Review.docx",
            sha256=sha256(original),
            content_sha256=content_sha256(original),
            size=len(original),
            attachment_id="1",
        ),
        decision=decision,
        ticket="" if decision else "GOV-7",
        stage=MlcStage.RESULTS_APPROVAL,
    )


def printed(checked: Verification, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(verification_view(checked))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_approved_bytes_are_told_with_who_decided_and_when() -> None:
    checked = verify("copy.docx", ORIGINAL, record())
    assert checked.approved and checked.likeness is Likeness.SAME_BYTES
    said = printed(checked)
    assert said.startswith("Yes: copy.docx is the approved document, byte for byte.")
    assert "accepted by Vera Validator (vera) on GOV-7, 2026-11-22 14:05 UTC" in " ".join(said.split())
    assert said.count(sha256(ORIGINAL)) == 2


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [(None, "nobody has decided on it"), (Verdict.REJECTED, "it was rejected")],
)
def test_the_right_bytes_are_not_approved_unless_people_accepted_them(verdict: Verdict | None, answer: str) -> None:
    checked = verify("copy.docx", ORIGINAL, record(verdict))
    assert checked.likeness is Likeness.SAME_BYTES and not checked.approved
    assert answer in " ".join(printed(checked).split())


def test_what_people_wrote_cannot_steer_the_terminal() -> None:
    hostile = record()
    assert hostile.decision is not None
    hostile.decision.comment = "\x1b[2J\u202efine"
    assert "Comment   fine" in printed(verify("\x1b[31mcopy.docx", ORIGINAL, hostile))
    assert "\x1b" not in printed(verify("\x1b[31mcopy.docx", ORIGINAL, hostile))


def test_a_file_that_was_packed_anew_has_the_same_content_and_is_still_not_the_approved_one() -> None:
    checked = verify("copy.docx", recompressed(ORIGINAL), record())
    assert checked.likeness is Likeness.SAME_CONTENT and not checked.approved
    assert checked.content_sha256 == content_sha256(ORIGINAL) and checked.sha256 != sha256(ORIGINAL)
    assert "not the same bytes" in printed(checked)


def test_a_changed_word_in_the_file_is_noticed() -> None:
    forged = pack({**PARTS, "word/document.xml": b"<document>rejected</document>"})
    checked = verify("copy.docx", forged, record())
    assert checked.likeness is Likeness.DIFFERENT and not checked.approved


def test_a_second_part_of_the_same_name_does_not_pass_for_the_same_content() -> None:
    target = io.BytesIO(pack({**PARTS, "word/document.xml": b"<document>forged</document>"}))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(target, "a") as archive:
        archive.writestr("word/document.xml", PARTS["word/document.xml"])
    assert content_sha256(target.getvalue()) == content_sha256(ORIGINAL)
    assert verify("copy.docx", target.getvalue(), record()).likeness is Likeness.DIFFERENT


@pytest.mark.parametrize(
    "content",
    [b"not a Word file", b"PK\x05\x06" + b"\0" * 18, ORIGINAL[:-40], ORIGINAL.replace(b"<", b"\0")],
    ids=["text", "empty archive", "cut off", "damaged"],
)
def test_any_other_file_is_told_apart_and_never_an_error(content: bytes) -> None:
    checked = verify("copy.docx", content, record())
    assert checked.likeness is Likeness.DIFFERENT
    assert "is not the document of this run" in " ".join(printed(checked).split())


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = pack({"word/document.xml": bytes(2_000_000)})
    monkeypatch.setattr(document_verification, "MAX_INFLATED_BYTES", 2_000_000)
    assert verify("copy.docx", bomb, record()).content_sha256 == content_sha256(bomb)
    monkeypatch.setattr(document_verification, "MAX_INFLATED_BYTES", 1_999_999)
    assert verify("copy.docx", bomb, record()).content_sha256 is None


def test_a_document_of_a_run_is_verified_from_the_review_to_the_end(
    mlc_here: Command, running_stack: RunningStack, tmp_path: Path
) -> None:
    assert mlc_here("start", GERMAN_CREDIT).code == 0
    early = mlc_here("document", "verify", __file__, "--workflow", GERMAN_CREDIT)
    assert early.code == 1 and "has written no review document" in early.err

    _decide(running_stack, _waiting(mlc_here, Gate.PIA), "paul")
    ticket = _waiting(mlc_here, Gate.RESULTS)
    status = _status(mlc_here)
    assert status.document is not None
    file = tmp_path / "from-the-ticket.docx"
    file.write_bytes(asyncio.run(_attachment(running_stack, status.document.attachment_id)))

    undecided = mlc_here("document", "verify", str(file), "--workflow", GERMAN_CREDIT)
    assert undecided.code == 1
    assert undecided.out.startswith("Not yet: ") and f"none yet; {ticket} asks for it" in undecided.out

    _decide(running_stack, ticket, "vera")
    production = _waiting(mlc_here, Gate.PRODUCTION)
    approved = mlc_here("document", "verify", str(file), "--workflow", workflow_id(GERMAN_CREDIT), "--json")
    assert approved.code == 0
    told = json.loads(approved.out)
    assert (told["approved"], told["likeness"], told["sha256"]) == (True, "same bytes", status.document.sha256)
    assert told["content_sha256"] == status.document.content_sha256
    assert told["record"]["decision"]["decided_by"] == "vera" and told["record"]["decision"]["ticket"] == ticket

    _decide(running_stack, production, "aaron")
    assert mlc_here("watch", GERMAN_CREDIT).code == 0
    run = told["record"]["run_id"]
    ended = mlc_here("document", "verify", str(file), "--workflow", GERMAN_CREDIT, "--run-id", run)
    assert ended.code == 0 and "Deployed" in ended.out

    edited = tmp_path / "edited.docx"
    opened = docx.Document(str(file))
    opened.add_paragraph("One more sentence.")
    opened.save(str(edited))
    assert mlc_here("document", "verify", str(edited), "--workflow", GERMAN_CREDIT).code == 1


def test_a_run_that_nobody_knows_is_said_in_one_line(mlc_here: Command) -> None:
    for arguments in (["--workflow", str(uuid4())], ["--workflow", NOTEBOOK, "--run-id", str(uuid4())]):
        answer = mlc_here("document", "verify", __file__, *arguments)
        assert answer.code == 1
        assert "no such implementation" in answer.err and len(answer.err.splitlines()) == 1


def _status(mlc_here: Command) -> ImplementationStatus:
    return ImplementationStatus.model_validate_json(mlc_here("show", GERMAN_CREDIT, "--json").out)


def _waiting(mlc_here: Command, gate: Gate, seconds: float = 60) -> str:
    """The ticket that the run waits on at a gate, its document attached."""
    deadline = time.monotonic() + seconds
    while True:
        status = _status(mlc_here)
        written = gate is not Gate.RESULTS or status.document is not None
        if status.waiting_on and status.waiting_on.gate is gate and written:
            return status.waiting_on.ticket
        assert time.monotonic() < deadline and status.blocked is None, status
        time.sleep(0.2)


def _decide(stack: RunningStack, ticket: str, person: str) -> None:
    async def decide() -> None:
        async with JiraPeople(stack.addresses.jira) as people:
            await people.decide(person, ticket, status="Done", comment="fine")

    asyncio.run(decide())


async def _attachment(stack: RunningStack, attachment_id: str) -> bytes:
    async with JiraPeople(stack.addresses.jira) as people:
        return await people.attachment(attachment_id)
