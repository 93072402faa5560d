from __future__ import annotations

import pytest

from activities.modelop.types import JobOutcome
from tests.workflows.world import Process, World
from workflows.contract import MlcStage, Outcome

FAILED_JOB = JobOutcome(status="ERROR", succeeded=False, error="Expected only 1 input schema definition, but found 2")


async def reject_at(process: Process, gate: str) -> None:
    await process.start()
    for earlier in ("PiaApproval", "ResultsApproval", "ProductionApproval"):
        if earlier == gate:
            break
        await process.decide(earlier)
    await process.decide(gate, "REJECTED", by="vera")


@pytest.mark.parametrize(
    ("gate", "stage"),
    [
        ("PiaApproval", MlcStage.PIA_APPROVAL),
        ("ResultsApproval", MlcStage.RESULTS_APPROVAL),
        ("ProductionApproval", MlcStage.PRODUCTION_APPROVAL),
    ],
)
async def test_a_rejection_at_an_approval_gate_ends_the_run_there(
    process: Process, world: World, gate: str, stage: MlcStage
) -> None:
    await reject_at(process, gate)
    result = await process.handle.result()

    assert (result.outcome, result.stage) == (Outcome.REJECTED, stage)
    assert result.decisions[-1].verdict == "REJECTED"
    assert "was rejected by Vera: because" in result.reason
    assert world.deployed == []
    end = world.notifications["end:Rejected"]
    assert (end.type, end.severity) == ("MODEL_NOTIFICATION", "ERROR")
    assert world.open_notifications() == []
    assert (await process.status()).stage is MlcStage.REJECTED


async def test_a_privacy_rejection_leaves_no_snapshot_behind(process: Process, world: World) -> None:
    await reject_at(process, "PiaApproval")
    await process.handle.result()
    assert world.snapshots == [] and world.jobs == []


async def test_a_rejected_document_is_told_as_an_error_and_stays_off_the_snapshot(
    process: Process, world: World
) -> None:
    await reject_at(process, "ResultsApproval")
    await process.handle.result()
    told = world.notifications["document-rejected:GOV-2"]
    assert (told.type, told.severity) == ("PROCESS_NOTIFICATION", "ERROR")
    assert told.message == "The review document of Credit | Scoring was rejected by Vera in GOV-2: because"
    assert world.archived == []


async def test_a_rejection_at_the_test_failure_gate_ends_the_run(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start()
    await process.decide("PiaApproval")
    await process.decide("TestFailure", "REJECTED")
    result = await process.handle.result()

    assert (result.outcome, result.stage) == (Outcome.REJECTED, MlcStage.RISK_TESTS)
    assert [d.gate for d in result.decisions] == ["PiaApproval", "TestFailure"]
    assert len(world.jobs) == 1 and world.documents == []
