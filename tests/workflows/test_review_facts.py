"""What the run carries from the test result and the snapshot to the ticket, the document and the deployment."""

from __future__ import annotations

from datetime import UTC, datetime

from activities.jira.types import Gate
from activities.modelop.types import (
    LimitsUsed,
    PreviousSnapshot,
    TemplateUsed,
    TestFinding,
    TestResult,
    TestSummary,
)
from tests.workflows.world import Process, World

FINDING = TestFinding(word="FAIL", test="Drift: largest CSI", subject="age", reason="0.3", consequence="look at it")
SUMMARY = TestSummary(
    overall="Needs attention: 1 test failed",
    verdicts={"PASS": 9, "FAIL": 1},
    findings=[FINDING],
    limits=LimitsUsed(title="House limits", sha256="ee" * 32),
)
PREVIOUS = PreviousSnapshot(
    snapshot_id="snapshot-0",
    name="Credit-0",
    deployed_at=datetime(2026, 5, 4, tzinfo=UTC),
    document_filename="Old.docx",
    document_sha256="aa" * 32,
)


async def test_the_review_ticket_says_what_failed(process: Process, world: World) -> None:
    world.result = TestResult(result_id="result-1", summary=SUMMARY)
    await process.start()
    await process.decide("PiaApproval")
    await process.waiting_on("ResultsApproval")
    content = world.ticket(Gate.RESULTS).request.content
    assert content.summary == SUMMARY.overall and content.verdicts == SUMMARY.verdicts
    (finding,) = content.findings
    assert finding.model_dump() == FINDING.model_dump()
    await process.approve("ResultsApproval", "ProductionApproval")
    await process.handle.result()


async def test_a_result_without_a_summary_still_reaches_its_reviewer(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    content = world.ticket(Gate.RESULTS).request.content
    assert (content.findings, content.verdicts) == ([], {})


async def test_the_document_is_asked_for_with_what_was_tested_and_deployed_before(
    process: Process, world: World
) -> None:
    world.previous = PREVIOUS
    world.result = TestResult(result_id="result-1", summary=SUMMARY)
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    (asked,) = world.documents
    (kept,) = world.kept
    assert asked.risk_tests_snapshot_id == kept.risk_tests_snapshot_id == "srt-1"
    assert (asked.previous, asked.limits) == (PREVIOUS, SUMMARY.limits)


async def test_the_deployment_names_what_the_document_was_made_with(process: Process, world: World) -> None:
    world.template = TemplateUsed(filename="House.docx", sha256="bb" * 32)
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    (deployed,) = world.deployed
    made_with = deployed.document_provenance
    assert made_with is not None
    assert (made_with.content_sha256, made_with.template) == ("cd" * 32, world.template)
    assert world.archived[0].document.provenance == made_with
