"""The ticket is the truth: nothing that is claimed, comes late or comes twice moves a run that its ticket does not."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from console.faults import ConsoleFault
from sandbox.modelop.seed import GERMAN_CREDIT, NO_LABELS
from tests.end_to_end.site import Run, Site
from workflows.contract import ImplementationStatus, Verdict

CREATE_ISSUE = {"method": "POST", "path": "/rest/api/2/issue"}
ATTACH = {"method": "POST", "path": "/rest/api/2/issue/*/attachments"}


def claim(run: Run, key: str, **changes: Any) -> dict[str, Any]:
    """A webhook that says that Aaron moved a ticket of a run to Done."""
    return {
        "timestamp": 1767261600000,
        "webhookEvent": "jira:issue_updated",
        "user": {"name": "aaron"},
        "issue": {"id": "999", "key": key, "fields": {"labels": [run.handle.id], "status": {"name": "Done"}}},
        "changelog": {"id": "999", "items": [{"field": "status", "fromString": "To Do", "toString": "Done"}]},
        "told_as": str(uuid.uuid4()),
        **changes,
    }


def still_waits(status: ImplementationStatus, key: str) -> bool:
    return status.waiting_on is not None and status.waiting_on.ticket == key and status.decisions == []


async def move(site: Site, person: str, key: str, status: str) -> None:
    await site.people.decide(person, key, status=status, comment=f"{person} says {status}")


async def test_forged_doubled_and_misdirected_messages_move_no_run(site: Site) -> None:
    run, other = await site.start(GERMAN_CREDIT), await site.start(NO_LABELS)
    key, theirs = await run.waiting_on("PiaApproval"), await other.waiting_on("PiaApproval")
    assert (await site.deliver(claim(run, key), secret="guessed")).status_code == 401
    await run.quiet()
    assert await run.scheduled("read_ticket") == 0

    for lie in (claim(run, key), claim(run, key, webhookEvent="jira:issue_deleted")):
        for _ in range(2):
            assert (await site.deliver(lie)).json()["workflow_ids"] == [run.handle.id]
        assert still_waits(await run.quiet(), key)
    assert await run.scheduled("read_ticket") == 2

    # The other run's ticket really is Done, and this run is told of it in every way.
    await other.decide("PiaApproval", "paul")
    await site.deliver(claim(run, theirs))
    await run.hint(theirs, status="Done")
    await run.hint(theirs, issue_id=(await site.issue(key))["id"], status="Done")
    assert still_waits(await run.quiet(), key)

    await run.decide("PiaApproval", "vera", "Rejected")
    (decision,) = (await run.handle.result()).decisions
    assert (decision.ticket, decision.verdict, decision.decided_by) == (key, Verdict.REJECTED, "vera")
    await other.abort()


async def test_what_is_said_before_there_is_a_ticket_decides_nothing(site: Site) -> None:
    async with site.failing("modelop", path="/model-manage/**", effect="delay", delay=0.4, times=2):
        run = await site.start(GERMAN_CREDIT)
        await run.hint("GOV-1", status="Done")
    async with site.failing("jira", **CREATE_ISSUE, effect="delay", delay=1.0):
        await run.until(lambda s: s.stage == "PiaApproval")
        while not await run.scheduled("open_ticket"):
            await asyncio.sleep(0.05)
        await run.hint("GOV-1", status="Done")
        key = await run.waiting_on("PiaApproval")
    assert still_waits(await run.quiet(), key)
    assert await run.scheduled("read_ticket") == 1
    await run.decide("PiaApproval", "vera", "Rejected")
    assert [d.ticket for d in (await run.handle.result()).decisions] == [key]


async def test_a_decision_that_was_taken_back_before_it_was_read_never_was(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key = await run.waiting_on("PiaApproval")
    async with site.without_webhooks():
        await move(site, "paul", key, "Done")
        await move(site, "rita", key, "To Do")
        # Late and in the wrong order.
        for status in ("To Do", "Done"):
            await run.hint(key, status=status)
        assert still_waits(await run.quiet(), key)
        await move(site, "vera", key, "Rejected")
        await run.hint(key, status="Done")
        (decision,) = (await run.handle.result()).decisions
    assert (decision.verdict, decision.decided_by) == (Verdict.REJECTED, "vera")


async def test_of_two_people_who_decide_at_once_the_one_counts_whom_jira_lets_through(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key = await run.waiting_on("PiaApproval")
    tries = await asyncio.gather(
        move(site, "paul", key, "Rejected"), move(site, "vera", key, "Rejected"), return_exceptions=True
    )
    assert [type(each) for each in tries if each is not None] == [ConsoleFault]
    (decision,) = (await run.handle.result()).decisions
    assert decision.decided_by == ("paul", "vera")[tries.index(None)]


async def test_of_two_decisions_in_the_same_instant_the_one_with_the_later_entry_counts(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key = await run.waiting_on("PiaApproval")
    async with site.without_webhooks():
        await move(site, "paul", key, "Rejected")
        await move(site, "paul", key, "To Do")
        await move(site, "vera", key, "Rejected")
        site.alter(
            "jira",
            "UPDATE change SET created = (SELECT max(created) FROM change WHERE issue = issue.id) "
            "FROM issue WHERE change.issue = issue.id AND issue.key = ?",
            key,
        )
        await run.hint(key)
        (decision,) = (await run.handle.result()).decisions
    assert decision.decided_by == "vera"


async def test_a_status_that_is_renamed_while_a_ticket_waits_keeps_its_meaning(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key = await run.waiting_on("PiaApproval")
    try:
        await site.administer("rename-status", status="Done", name="Approved")
        await site.administer("rename-status", status="In Review", name="Done")
        await move(site, "vera", key, "Done")
        assert still_waits(await run.quiet(), key)
        await move(site, "paul", key, "Approved")
        status = await run.until(lambda s: s.decisions != [])
    finally:
        await site.administer("rename-status", status="10001", name="In Review")
        await site.administer("rename-status", status="10002", name="Done")
    assert [(d.verdict, d.decided_by) for d in status.decisions] == [(Verdict.DONE, "paul")]
    await run.abort()


async def test_a_decision_before_the_document_was_attached_is_refused_and_taken_again(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    async with site.failing("jira", **ATTACH, effect="delay", delay=2.5):
        pia = await run.decide("PiaApproval", "paul")
        key = await _newer_ticket(site, run, pia)
        await move(site, "vera", key, "Done")
        assert await run.waiting_on("ResultsApproval") == key
    status = await run.quiet()
    assert [d.ticket for d in status.decisions] == [pia]
    fields = (await site.issue(key))["fields"]
    assert fields["status"]["name"] == "To Do"
    assert "older than the attached review document" in fields["comment"]["comments"][-1]["body"]
    snapshot = await site.entity(f"deployableModels/{status.snapshot_id}")
    assert snapshot["modelDocuments"] == []

    await run.decide("ResultsApproval", "vera")
    await run.waiting_on("ProductionApproval")
    assert [d.ticket for d in (await run.status()).decisions] == [pia, key]
    await run.abort()


async def _newer_ticket(site: Site, run: Run, than: str) -> str:
    """The run's ticket that was opened after another one, as soon as Jira has it."""
    number = int(than.partition("-")[2])
    async with asyncio.timeout(60):
        while True:
            keys = [key for key in await site.people.tickets_of(run.handle.id) if int(key.partition("-")[2]) > number]
            if keys:
                return keys[0]
            await asyncio.sleep(0.1)
