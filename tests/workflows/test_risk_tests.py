from __future__ import annotations

from activities.jira.types import Gate
from activities.modelop.types import JobOutcome, MonitorProblem, TestResult
from tests.workflows.world import Process, World, problem
from workflows.contract import MlcStage, Outcome

FAILED_JOB = JobOutcome(status="ERROR", succeeded=False, error="Expected only 1 input schema definition, but found 2")


async def finish(process: Process) -> None:
    await process.approve("ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome is Outcome.DEPLOYED


async def test_a_failed_job_opens_a_ticket_with_the_jobs_error_and_is_run_again_when_done(
    process: Process, world: World
) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start()
    await process.decide("PiaApproval")
    key = await process.waiting_on("TestFailure")
    content = world.tickets[key].request.content
    assert content.error == "Expected only 1 input schema definition, but found 2"
    assert content.attempt == 1
    await process.until(lambda _: "ticket:TestFailure:1" in world.notifications)
    assert world.notifications["ticket:TestFailure:1"].type == "JOB_NOTIFICATION"
    assert world.notifications["ticket:TestFailure:1"].job_id == "job-1"
    await process.decide("TestFailure")
    await finish(process)

    result = await process.handle.result()
    assert [(r.attempt, r.status, r.error) for r in result.test_runs] == [
        (1, "ERROR", "Expected only 1 input schema definition, but found 2"),
        (2, "COMPLETE", None),
    ]
    assert [r.error for r in world.documents[0].test_runs] == [FAILED_JOB.error, ""]


async def test_a_model_mended_meanwhile_gets_a_new_snapshot(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start()
    await process.decide("PiaApproval")
    await process.waiting_on("TestFailure")
    world.version = 2
    await process.decide("TestFailure")
    await finish(process)

    assert [(s.round, s.supersedes) for s in world.snapshots] == [(1, None), (2, "snapshot-1")]
    assert [j.snapshot_id for j in world.jobs] == ["snapshot-1", "snapshot-2"]
    assert world.deployed[0].snapshot_id == "snapshot-2"


async def test_a_model_left_alone_is_tested_again_on_the_same_snapshot(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB, FAILED_JOB]
    await process.start()
    await process.approve("PiaApproval", "TestFailure")
    await process.until(lambda s: len(s.test_runs) == 2)
    await process.decide("TestFailure")
    await finish(process)

    assert len(world.snapshots) == 1
    assert [t.request.round for t in world.tickets.values() if t.request.gate == Gate.TEST_FAILURE] == [1, 2]
    assert [j.attempt for j in world.jobs] == [1, 2, 3]


async def test_more_failures_than_allowed_block_the_run_and_a_resume_allows_one_more(
    process: Process, world: World
) -> None:
    world.outcomes = [FAILED_JOB, FAILED_JOB]
    await process.start(max_test_runs=2)
    await process.decide("PiaApproval")
    await process.decide("TestFailure")
    await process.until(lambda s: len(s.test_runs) == 2)
    await process.decide("TestFailure")
    status = await process.blocked("TestRunsExhausted")
    assert status.blocked is not None and not status.blocked.transient
    await process.handle.execute_update("resume")
    await finish(process)
    assert len(world.jobs) == 3


async def test_each_monitor_that_failed_to_run_is_told_and_not_applicable_ones_are_not(
    process: Process, world: World
) -> None:
    world.result = TestResult(
        result_id="result-1",
        failed_monitors=[
            MonitorProblem(monitor="performance", message="no label"),
            MonitorProblem(monitor="", message="something odd"),
        ],
        not_applicable=[MonitorProblem(monitor="breusch_pagan", message="regression only")],
    )
    await process.start()
    await process.decide("PiaApproval")
    await finish(process)

    told = [n for n in world.notifications.values() if n.type == "MODEL_TEST_NOTIFICATION"]
    assert [n.message for n in told] == [
        "Monitor performance failed to run for Credit | Scoring: no label",
        "Monitor not recognised failed to run for Credit | Scoring: something odd",
    ]
    assert {n.severity for n in told} == {"WARN"}
    (run,) = (await process.handle.result()).test_runs
    assert [m.monitor for m in run.failed_monitors] == ["performance", ""]
    assert [m.monitor for m in run.not_applicable] == ["breusch_pagan"]


async def test_a_missing_risk_tests_snapshot_is_told_as_an_error_and_blocks_until_resumed(
    process: Process, world: World
) -> None:
    world.failures["find_risk_tests"] = [problem("RiskTestsMissing", "the Standard Risk Tests snapshot is not found")]
    await process.start()
    await process.decide("PiaApproval")
    status = await process.blocked("RiskTestsMissing")
    assert status.stage is MlcStage.RISK_TESTS
    await process.until(lambda _: "block:1" in world.notifications)
    told = world.notifications["block:1"]
    assert (told.type, told.severity) == ("PROCESS_NOTIFICATION", "ERROR")
    assert "the Standard Risk Tests snapshot is not found" in told.message

    await process.handle.execute_update("resume", {"reason": "snapshot made"})
    await finish(process)
    assert "block:1" in world.closed


async def test_a_missing_asset_blocks_naming_the_role_and_a_new_snapshot_is_taken_after_resume(
    process: Process, world: World
) -> None:
    world.roles = ["BASELINE_DATA"]
    await process.start()
    await process.decide("PiaApproval")
    status = await process.blocked("MissingAssets")
    assert status.blocked is not None and "COMPARATOR_DATA" in status.blocked.message
    assert "BASELINE_DATA" not in status.blocked.message
    await process.until(lambda _: "block:1" in world.notifications)
    assert "COMPARATOR_DATA" in world.notifications["block:1"].message

    await process.handle.execute_update("resume")
    await process.blocked("MissingAssets")
    world.roles = ["BASELINE_DATA", "COMPARATOR_DATA"]
    await process.handle.execute_update("resume")
    await finish(process)

    assert [s.supersedes for s in world.snapshots] == [None, "snapshot-1"]
    assert len([p for p in world.notifications if p.startswith("block:")]) == 2
    assert [t.request.gate for t in world.tickets.values()] == [Gate.PIA, Gate.RESULTS, Gate.PRODUCTION]
