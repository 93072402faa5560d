"""What goes into production is what people approved: the document down to its bytes, and the model that was tested."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Run, Site
from workflows.contract import Document, Outcome

NEWER = b"PK\x03\x04 a newer document, which nobody was asked about"


async def reviewable(run: Run) -> tuple[str, Document]:
    """Goes on until the reviewer can read the document; returns the ticket and the document."""
    await run.decide("PiaApproval", "paul")
    key = await run.waiting_on("ResultsApproval")
    document = (await run.status()).document
    assert document is not None
    return key, document


async def attach(site: Site, key: str, filename: str, content: bytes) -> None:
    answer = await site.jira.post(
        f"/rest/api/2/issue/{key}/attachments",
        files={"file": (filename, content)},
        headers={"X-Atlassian-Token": "no-check"},
    )
    assert answer.is_success, answer.text


async def replace(site: Site, key: str, document: Document) -> None:
    assert (await site.jira.delete(f"/rest/api/2/attachment/{document.attachment_id}")).is_success
    await attach(site, key, document.filename, NEWER)


async def edit(site: Site, key: str, document: Document) -> None:
    """Changes the first byte of the file where Jira keeps it."""
    site.alter(
        "jira",
        "UPDATE attachment SET content = CAST(x'51' || substr(content, 2) AS BLOB) WHERE id = ?",
        int(document.attachment_id),
    )


def archived(snapshot: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and SHA-256 of the documents on a snapshot."""
    return [
        (each["filename"], hashlib.sha256(base64.b64decode(each["fileContent"])).hexdigest())
        for each in snapshot["modelDocuments"]
    ]


async def test_a_document_that_was_replaced_or_edited_is_written_again_and_asked_for_again(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key, document = await reviewable(run)
    reviewed = []
    for tamper, cause in ((replace, "DocumentMissing"), (edit, "DocumentChanged")):
        await tamper(site, key, document)
        reviewed.append(await run.decide("ResultsApproval", "vera"))
        status = await run.blocked(cause)
        assert status.blocked is not None and not status.blocked.transient
        assert "resume writes it again from the stored result and asks the reviewer again" in status.blocked.message
        assert (await site.entity(f"deployableModels/{status.snapshot_id}"))["modelDocuments"] == []

        await run.resume()
        key = await run.waiting_on("ResultsApproval")
        again = (await run.status()).document
        assert again is not None and again.sha256 == document.sha256
        assert again.attachment_id != document.attachment_id
        document = again
    reviewed.append(await run.decide("ResultsApproval", "vera"))
    await run.decide("ProductionApproval", "aaron")

    result = await run.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert len(set(reviewed)) == 3 and [d.ticket for d in result.decisions][1:-1] == reviewed
    snapshot = await site.entity(f"deployableModels/{result.snapshot_id}")
    assert archived(snapshot) == [(document.filename, document.sha256)]


async def test_a_newer_attachment_is_not_taken_and_a_changed_snapshot_is_not_deployed(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key, document = await reviewable(run)
    await attach(site, key, document.filename, NEWER)
    await run.decide("ResultsApproval", "vera")
    await run.waiting_on("ProductionApproval")
    path = f"deployableModels/{(await run.status()).snapshot_id}"
    snapshot = await site.entity(path)
    assert archived(snapshot) == [(document.filename, document.sha256)]

    tested = snapshot["storedModel"]["version"]
    site.falsify(snapshot["id"], "storedModel.version", tested + 1)
    await run.decide("ProductionApproval", "aaron")
    status = await run.blocked("SnapshotChanged")
    assert status.blocked is not None
    assert "its frozen model is not the one that was approved" in status.blocked.message
    assert "nothing was deployed; put it right, or abort" in status.blocked.message
    assert (await site.entity(path))["state"] != "DEPLOYED"

    site.falsify(snapshot["id"], "storedModel.version", tested)
    site.falsify(snapshot["id"], "modelDocuments[0].fileContent", base64.b64encode(NEWER).decode())
    await run.resume()
    status = await run.until(lambda s: s.blocked is not None and "the bytes of" in s.blocked.message)
    assert (await site.entity(path))["state"] != "DEPLOYED"

    site.falsify(snapshot["id"], "modelDocuments[0].fileContent", snapshot["modelDocuments"][0]["fileContent"])
    await run.resume()
    result = await run.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert archived(await site.entity(path)) == [(document.filename, document.sha256)]
    assert len(result.decisions) == 3
