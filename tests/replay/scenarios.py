"""Every shape that the history of a run can have, played against the scripted world.

A scenario leaves its run as it is to be recorded: waiting, trying again, blocked or ended.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowFailureError

from activities.modelop.types import JobOutcome, MonitorProblem, TestResult
from tests.resets import reset_before
from tests.workflows.world import Process, World, problem

Scenario = Callable[[Process, World], Awaitable[None]]

FAILED_JOB = JobOutcome(status="ERROR", succeeded=False, error="Expected only 1 input schema definition, but found 2")
MOMENT = timedelta(milliseconds=300)
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Registers a scenario under its function's name."""
    SCENARIOS[play.__name__.replace("_", "-")] = play
    return play


async def resume(process: Process) -> None:
    await process.handle.execute_update("resume", {"reason": "mended"})


async def abort(process: Process) -> None:
    await process.handle.execute_update("abort", {"reason": "model withdrawn"})
    await process.handle.result()


async def fails(process: Process, *arguments: Any, workflow_id: str | None = None) -> None:
    handle = await process.start(*arguments, workflow_id=workflow_id)
    try:
        await handle.result()
    except WorkflowFailureError:
        return
    raise AssertionError("the run was to fail")


async def asked(world: World, activity: str, times: int) -> None:
    async with asyncio.timeout(20):
        while world.asked[activity] < times:
            await asyncio.sleep(0.02)


def patient(world: World) -> None:
    """Attempts never end, so that a step that fails stays in its retries."""
    world.settings = world.settings.model_copy(update={"retry_attempts": 1000})


def hasty(world: World) -> None:
    """A blocked run tries again by itself within a moment."""
    world.settings = world.settings.model_copy(update={"blocked_retry": MOMENT})


@scenario
async def deployed(process: Process, world: World) -> None:
    await process.start({"model_id": world.model_id, "requested_by": "rita", "endpoint_config_name": "credit-7"})
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def waiting_at_pia(process: Process, world: World) -> None:
    await process.start()
    await process.waiting_on("PiaApproval")


@scenario
async def waiting_at_test_failure(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("TestFailure")


@scenario
async def waiting_at_results(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("ResultsApproval")


@scenario
async def waiting_at_production(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval")
    await process.waiting_on("ProductionApproval")


@scenario
async def waiting_with_reminders_to_come(process: Process, world: World) -> None:
    await process.start(reminder_after="P2D")
    await process.waiting_on("PiaApproval")


@scenario
async def reminded(process: Process, world: World) -> None:
    await process.start(reminder_after="PT1S", max_reminders=2)
    key = await process.waiting_on("PiaApproval")
    await process.until(lambda _: len(world.tickets[key].comments) == 2)
    await process.approve("PiaApproval")
    await process.waiting_on("ResultsApproval")


@scenario
async def trying_to_read_the_model(process: Process, world: World) -> None:
    patient(world)
    world.always["read_business_model"] = problem("Unavailable", final=False)
    await process.start()
    await asked(world, "read_business_model", 2)


@scenario
async def trying_to_open_a_ticket(process: Process, world: World) -> None:
    patient(world)
    world.always["open_ticket"] = problem("Unavailable", final=False)
    await process.start()
    await asked(world, "open_ticket", 2)


@scenario
async def trying_to_follow_the_job(process: Process, world: World) -> None:
    patient(world)
    world.always["follow_test_job"] = problem("Unavailable", final=False)
    await process.start()
    await process.approve("PiaApproval")
    await asked(world, "follow_test_job", 2)


@scenario
async def blocked_for_a_person(process: Process, world: World) -> None:
    world.always["create_snapshot"] = problem("Forbidden")
    await process.start()
    await process.approve("PiaApproval")
    await process.until(lambda _: "block:1" in world.notifications)


@scenario
async def blocked_for_a_while(process: Process, world: World) -> None:
    world.always["create_snapshot"] = problem("Unavailable", final=False)
    await process.start()
    await process.approve("PiaApproval")
    await process.until(lambda _: "block:1" in world.notifications)


@scenario
async def blocked_and_nobody_can_be_told(process: Process, world: World) -> None:
    await process.start()
    await process.until(lambda _: "ticket:PiaApproval:1" in world.notifications)
    world.always["create_snapshot"] = problem("Forbidden")
    await process.decide("PiaApproval")
    await process.until(lambda _: "ticket:PiaApproval:1" in world.closed)
    world.always["send_notification"] = problem("Unauthorized")
    await process.blocked("Forbidden")
    await asked(world, "send_notification", 2)


@scenario
async def blocked_first_for_a_while_then_for_a_person(process: Process, world: World) -> None:
    hasty(world)
    twice = [problem("Unavailable", final=False) for _ in range(2)]
    world.failures["create_snapshot"] = [*twice, problem("Forbidden")]
    await process.start()
    await process.approve("PiaApproval")
    await process.until(lambda _: "block:2" in world.notifications)


@scenario
async def resumed(process: Process, world: World) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden"), problem("Forbidden")]
    world.failures["open_ticket"] = [problem("Invalid", "customfield_10200 is required")]
    await process.start()
    await process.blocked("Invalid")
    await resume(process)
    await process.approve("PiaApproval")
    for _ in range(2):
        await process.blocked("Forbidden")
        await resume(process)
    await process.approve("ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def went_on_by_itself(process: Process, world: World) -> None:
    hasty(world)
    world.failures["create_snapshot"] = [problem("Unavailable", final=False) for _ in range(6)]
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def risk_tests_missing(process: Process, world: World) -> None:
    world.failures["find_risk_tests"] = [problem("RiskTestsMissing")]
    await process.start()
    await process.approve("PiaApproval")
    await process.blocked("RiskTestsMissing")
    await resume(process)
    await process.waiting_on("ResultsApproval")


@scenario
async def assets_missing(process: Process, world: World) -> None:
    world.roles = []
    await process.start()
    await process.approve("PiaApproval")
    await process.blocked("MissingAssets")
    await resume(process)
    await process.until(lambda _: world.asked["read_business_model"] == 2)
    await process.blocked("MissingAssets")


@scenario
async def assets_added(process: Process, world: World) -> None:
    world.roles = ["BASELINE_DATA"]
    await process.start()
    await process.approve("PiaApproval")
    await process.blocked("MissingAssets")
    world.roles = ["BASELINE_DATA", "COMPARATOR_DATA"]
    await resume(process)
    await process.waiting_on("ResultsApproval")


@scenario
async def testing_again(process: Process, world: World) -> None:
    patient(world)
    world.outcomes = [FAILED_JOB]
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("TestFailure")
    world.always["follow_test_job"] = problem("Unavailable", final=False)
    await process.decide("TestFailure")
    await asked(world, "follow_test_job", 3)


@scenario
async def tested_again_on_a_mended_model(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB, FAILED_JOB]
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("TestFailure")
    world.version = 2
    await process.decide("TestFailure")
    await process.until(lambda s: len(s.test_runs) == 2)
    await process.approve("TestFailure", "ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def out_of_test_runs(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start(max_test_runs=1)
    await process.approve("PiaApproval", "TestFailure")
    await process.blocked("TestRunsExhausted")


@scenario
async def allowed_one_more_test_run(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await process.start(max_test_runs=1)
    await process.approve("PiaApproval", "TestFailure")
    await process.blocked("TestRunsExhausted")
    await resume(process)
    await process.waiting_on("ResultsApproval")


@scenario
async def monitors_failed(process: Process, world: World) -> None:
    world.result = TestResult(
        result_id="result-1",
        failed_monitors=[
            MonitorProblem(monitor="performance", message="no label"),
            MonitorProblem(monitor="", message="odd"),
        ],
        not_applicable=[MonitorProblem(monitor="breusch_pagan", message="regression only")],
    )
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("ResultsApproval")


async def rejected_at(process: Process, gate: str, *approved: str) -> None:
    await process.start()
    await process.approve(*approved)
    await process.decide(gate, "REJECTED")
    await process.handle.result()


@scenario
async def rejected_at_pia(process: Process, world: World) -> None:
    await rejected_at(process, "PiaApproval")


@scenario
async def rejected_at_test_failure(process: Process, world: World) -> None:
    world.outcomes = [FAILED_JOB]
    await rejected_at(process, "TestFailure", "PiaApproval")


@scenario
async def rejected_at_results(process: Process, world: World) -> None:
    await rejected_at(process, "ResultsApproval", "PiaApproval")


@scenario
async def rejected_at_production(process: Process, world: World) -> None:
    await rejected_at(process, "ProductionApproval", "PiaApproval", "ResultsApproval")


@scenario
async def document_lost(process: Process, world: World) -> None:
    world.failures["archive_review_document"] = [problem("DocumentMissing")]
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval")
    await process.blocked("DocumentMissing")


@scenario
async def lost_document_asked_again(process: Process, world: World) -> None:
    world.failures["archive_review_document"] = [problem("DocumentMissing")]
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval")
    await process.blocked("DocumentMissing")
    await resume(process)
    await process.until(lambda s: s.waiting_on is not None and s.waiting_on.ticket == "GOV-3")
    await process.approve("ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def document_cannot_be_written_again(process: Process, world: World) -> None:
    world.failures["archive_review_document"] = [problem("DocumentChanged")]
    world.always["verify_review_document"] = problem("DocumentNotReproducible")
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval")
    await process.blocked("DocumentChanged")
    await resume(process)
    await process.blocked("DocumentNotReproducible")


@scenario
async def decision_of_the_requester_refused(process: Process, world: World) -> None:
    await process.start({"model_id": world.model_id, "requested_by": "rita"})
    key = await process.waiting_on("PiaApproval")
    world.decide(key, "DONE", by="rita", refused_because="rita requested this implementation")
    await process.signal({"issue_key": key})
    await process.until(lambda _: world.tickets[key].comments != [])
    await process.approve("PiaApproval")
    await process.waiting_on("ResultsApproval")


@scenario
async def decision_before_the_document_refused(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval")
    key = await process.waiting_on("ResultsApproval")
    world.decide(key, "DONE", at=datetime.now(UTC) - timedelta(hours=1))
    await process.signal({"issue_key": key})
    await process.until(lambda _: world.tickets[key].comments != [])


@scenario
async def strange_signals(process: Process, world: World) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    for payload in ([], [None], ["GOV-1"], [{"issue_key": 7}], [{"issue_key": "OTHER-9"}], [{"issue_key": key}, 1]):
        await process.signal(*payload)
    await asked(world, "read_ticket", 1)


@scenario
async def ticket_found_decided(process: Process, world: World) -> None:
    world.adopt_decided = True
    await process.start()
    await process.waiting_on("ResultsApproval")


@scenario
async def aborted_while_waiting(process: Process, world: World) -> None:
    await process.start()
    await process.waiting_on("PiaApproval")
    await abort(process)


@scenario
async def aborted_while_blocked(process: Process, world: World) -> None:
    world.always["create_snapshot"] = problem("Unavailable", final=False)
    await process.start()
    await process.approve("PiaApproval")
    await process.until(lambda _: "block:1" in world.notifications)
    await abort(process)


@scenario
async def aborted_while_opening_a_ticket(process: Process, world: World) -> None:
    async def lose_the_answer() -> None:
        if not world.tickets:
            await world.make_ticket()
            await process.handle.execute_update("abort", {"reason": "too late to ask"})
        raise problem("Unreachable", final=False)

    world.while_in["open_ticket"] = lose_the_answer
    await process.start()
    await process.handle.result()


@scenario
async def aborted_while_jira_is_down(process: Process, world: World) -> None:
    world.always["close_ticket"] = problem("Forbidden")
    await process.start()
    await process.waiting_on("PiaApproval")
    await abort(process)


@scenario
async def cancelled_while_waiting(process: Process, world: World) -> None:
    await process.start()
    await process.waiting_on("PiaApproval")
    await process.handle.cancel()
    try:
        await process.handle.result()
    except WorkflowFailureError:
        return
    raise AssertionError("the run was to be cancelled")


@scenario
async def cancelled_too_late(process: Process, world: World) -> None:
    async def cancel_meanwhile() -> None:
        await process.handle.cancel()

    world.while_in["mark_deployed"] = cancel_meanwhile
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()


@scenario
async def failed_by_a_bad_request(process: Process, world: World) -> None:
    await fails(process, {"model_id": "../../etc"}, workflow_id=f"sagemaker-mlc-{uuid.uuid4()}")


@scenario
async def failed_by_a_wrong_workflow_id(process: Process, world: World) -> None:
    await fails(process, {"model_id": world.model_id}, workflow_id=f"my-own-{uuid.uuid4()}")


@scenario
async def failed_by_an_unknown_model(process: Process, world: World) -> None:
    world.failures["read_business_model"] = [problem("NotFound")]
    await fails(process)


@scenario
async def failed_by_a_wrong_model_type(process: Process, world: World) -> None:
    world.model_type = "PYTHON"
    await fails(process)


@scenario
async def failed_after_a_block(process: Process, world: World) -> None:
    world.failures["read_business_model"] = [problem("Forbidden"), problem("NotFound")]
    handle = await process.start()
    await process.until(lambda _: "block:1" in world.notifications)
    await resume(process)
    try:
        await handle.result()
    except WorkflowFailureError:
        return
    raise AssertionError("the run was to fail")


@scenario
async def reset_to_its_first_step(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval")
    await process.waiting_on("ResultsApproval")
    await reset_before(process.client, process.handle, "read_business_model")
    await asked(world, "prepare_review_document", 2)
    await process.waiting_on("ResultsApproval")
