from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import Process, World, problem, process_worker

GATES = ["PiaApproval", "ResultsApproval", "ProductionApproval"]


async def finish(process: Process, *, after: int = 0) -> None:
    """Approves at the gates that are left, `after` being the number of gates already passed."""
    await process.approve(*GATES[after:])
    assert (await process.handle.result()).outcome == "DEPLOYED"


@pytest.mark.parametrize(
    ("activity", "decided"),
    [
        ("supersede_tickets", 0),
        ("check_prerequisites", 0),
        ("open_ticket", 0),
        ("read_ticket", 1),
        ("create_snapshot", 1),
        ("start_test_job", 1),
        ("follow_test_job", 1),
        ("store_test_result", 1),
        ("prepare_review_document", 1),
        ("archive_review_document", 2),
        ("mark_deployed", 3),
    ],
)
async def test_any_step_that_fails_for_good_parks_the_run_and_resumes_there(
    process: Process, world: World, activity: str, decided: int
) -> None:
    world.failures[activity] = [problem("Forbidden", "answered 403")]
    await process.start()
    await process.approve(*GATES[:decided])
    status = await process.blocked("Forbidden")
    assert status.blocked is not None
    assert "answered 403" in status.blocked.message
    assert not status.blocked.transient and status.blocked.next_retry_at is None

    await process.handle.execute_update("resume")
    await finish(process, after=decided)
    assert len(world.tickets) == 3
    assert [p for p in world.notifications if p.startswith("block:")] == ["block:1"]
    assert "block:1" in world.closed


async def test_a_blocked_run_is_visible_and_says_what_to_do(process: Process, world: World) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden", "answered 403 to POST deployableModels")]
    handle = await process.start()
    await process.decide("PiaApproval")
    await process.blocked("Forbidden")
    values = {p.key.name: p.value for p in (await handle.describe()).typed_search_attributes}
    assert values["MlcBlocked"] is True
    details = (await handle.query("__temporal_workflow_metadata")).current_details
    assert "**Blocked: Forbidden.**" in details and "answered 403 to POST deployableModels" in details
    assert "send the update `resume`" in details
    await handle.execute_update("resume")
    await finish(process, after=1)


async def test_resume_of_a_run_that_is_not_blocked_is_refused_and_leaves_no_trace(process: Process) -> None:
    handle = await process.start()
    await process.waiting_on("PiaApproval")
    before = (await handle.describe()).history_length
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("resume")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.message == "nothing to resume: the run is not blocked"
    assert (await handle.describe()).history_length == before
    await finish(process)


async def test_parking_does_not_need_modelop_center_and_the_notification_comes_late(
    process: Process, world: World
) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden")]
    world.always["send_notification"] = problem("Unreachable", final=False)
    await process.start()
    # The ticket's own notification parks the run as well: nothing goes on while ModelOp Center is away.
    await process.blocked("Unreachable")
    assert world.notifications == {}
    del world.always["send_notification"]
    await process.handle.execute_update("resume")
    await process.decide("PiaApproval")
    await process.blocked("Forbidden")
    await process.until(lambda _: "block:2" in world.notifications)
    await process.handle.execute_update("resume")
    await finish(process, after=1)
    assert world.open_notifications() == []


async def test_a_transient_cause_is_tried_again_without_anybodys_help(
    skipping: WorkflowEnvironment, world: World
) -> None:
    # Two attempts before each of two blocks: one hour, then two hours, pass by themselves.
    world.failures["create_snapshot"] = [problem("Unavailable", final=False) for _ in range(4)]
    async with process_worker(skipping.client, world) as process:
        await process.start()
        await process.decide("PiaApproval")
        status = await process.blocked("Unavailable")
        assert status.blocked is not None and status.blocked.transient
        assert status.blocked.next_retry_at is not None
        assert status.blocked.next_retry_at - status.blocked.since == timedelta(hours=1)
        for _ in range(4):
            await skipping.sleep(timedelta(hours=1))
        status = await process.until(lambda s: s.snapshot_id is not None)
        assert status.blocked is None
        await finish(process, after=1)
    assert [p for p in world.notifications if p.startswith("block:")] == ["block:1"]


async def test_a_run_waits_for_weeks_and_goes_on(skipping: WorkflowEnvironment, world: World) -> None:
    async with process_worker(skipping.client, world) as process:
        await process.start()
        await process.waiting_on("PiaApproval")
        await skipping.sleep(timedelta(days=60))
        await finish(process)


async def test_a_resume_during_the_runs_own_try_counts(skipping: WorkflowEnvironment, world: World) -> None:
    world.failures["create_snapshot"] = [problem("Unavailable", final=False) for _ in range(4)]
    async with process_worker(skipping.client, world) as process:

        async def resume_during_the_second_try() -> None:
            if world.asked["create_snapshot"] == 4:
                del world.while_in["create_snapshot"]
                await process.handle.execute_update("resume", {"reason": "it is back"})

        world.while_in["create_snapshot"] = resume_during_the_second_try
        await process.start()
        await process.decide("PiaApproval")
        await process.blocked("Unavailable")
        before = await skipping.get_current_time()
        await skipping.sleep(timedelta(hours=1, minutes=1))
        await process.until(lambda s: s.snapshot_id is not None)
        assert await skipping.get_current_time() - before < timedelta(hours=2)
        await finish(process, after=1)


async def test_several_resumes_at_once_do_no_harm(process: Process, world: World) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden"), problem("Forbidden")]
    await process.start()
    await process.decide("PiaApproval")
    await process.blocked("Forbidden")
    answers = await asyncio.gather(*(process.handle.execute_update("resume") for _ in range(3)), return_exceptions=True)
    assert all(a is None or isinstance(a, WorkflowUpdateFailedError) for a in answers)
    await process.blocked("Forbidden")
    await process.handle.execute_update("resume")
    await finish(process, after=1)
    assert len(world.snapshots) == 1


async def test_a_refused_notification_of_a_block_is_sent_again_later(
    skipping: WorkflowEnvironment, world: World
) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden")]
    async with process_worker(skipping.client, world) as process:
        await process.start()
        await process.waiting_on("PiaApproval")
        await process.until(lambda _: "ticket:PiaApproval:1" in world.notifications)
        world.failures["send_notification"] = [problem("Unauthorized")]
        await process.decide("PiaApproval")
        await process.blocked("Forbidden")
        await skipping.sleep(timedelta(hours=2))
        await process.until(lambda _: "block:1" in world.notifications)
        await process.handle.execute_update("resume")
        await finish(process, after=1)


async def test_every_task_replayed_from_the_beginning_decides_the_same(
    temporal: WorkflowEnvironment, world: World
) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden")]
    async with process_worker(temporal.client, world, max_cached_workflows=0) as process:
        await process.start()
        await process.decide("PiaApproval")
        await process.blocked("Forbidden")
        await process.handle.execute_update("resume")
        await finish(process, after=1)


async def test_a_run_resumed_at_once_lets_an_attempt_of_unknown_end_settle_before_it_looks_again(
    process: Process, world: World
) -> None:
    world.settings.ambiguous_wait = timedelta(seconds=4)
    world.failures["create_snapshot"] = [ConnectionError("cut off")] * world.settings.retry_attempts
    handle = await process.start()
    await process.decide("PiaApproval")
    await process.blocked("ConnectionError")
    await handle.execute_update("resume")
    await process.waiting_on("ResultsApproval")

    events = [event async for event in handle.fetch_history_events()]
    scheduled = [
        e.event_time.ToDatetime()
        for e in events
        if e.activity_task_scheduled_event_attributes.activity_type.name == "create_snapshot"
    ]
    (failed,) = [e.event_time.ToDatetime() for e in events if e.HasField("activity_task_failed_event_attributes")]
    assert scheduled[1] - failed >= world.settings.ambiguous_wait
    await finish(process, after=1)
