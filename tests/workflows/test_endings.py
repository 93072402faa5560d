from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.modelop.types import Deployment
from tests.workflows.world import Process, World, problem, process_worker
from workflows.contract import MlcStage, Outcome


async def test_abort_closes_the_open_ticket_and_its_notification_and_says_why(process: Process, world: World) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    await process.until(lambda _: "ticket:PiaApproval:1" in world.notifications)
    await process.handle.execute_update("abort", {"reason": "model withdrawn"})
    result = await process.handle.result()

    assert (result.outcome, result.stage) == (Outcome.ABORTED, MlcStage.PIA_APPROVAL)
    assert result.reason == "aborted: model withdrawn"
    assert world.tickets[key].closed_because == "aborted: model withdrawn"
    assert world.open_notifications() == []
    end = world.notifications["end:Aborted"]
    assert (end.type, end.severity) == ("MODEL_NOTIFICATION", "ERROR")
    status = await process.status()
    assert status.stage is MlcStage.ABORTED and status.waiting_on is None


async def test_abort_of_a_blocked_run_withdraws_the_notification_of_the_block(process: Process, world: World) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden")]
    await process.start()
    await process.decide("PiaApproval")
    await process.blocked("Forbidden")
    await process.until(lambda _: "block:1" in world.notifications)
    await process.handle.execute_update("abort", {"reason": "given up"})
    result = await process.handle.result()
    assert (result.outcome, result.stage) == (Outcome.ABORTED, MlcStage.SNAPSHOT)
    assert "block:1" in world.closed


async def test_abort_while_a_ticket_is_being_opened_closes_that_ticket(process: Process, world: World) -> None:
    async def abort_meanwhile() -> None:
        await process.handle.execute_update("abort", {"reason": "too late to ask"})

    world.while_in["open_ticket"] = abort_meanwhile
    await process.start()
    result = await process.handle.result()
    assert result.outcome is Outcome.ABORTED
    assert [t.closed_because for t in world.tickets.values()] == ["aborted: too late to ask"]


async def test_abort_while_an_opening_is_tried_again_closes_the_ticket_it_may_have_left(
    process: Process, world: World
) -> None:
    async def lose_the_answer() -> None:
        if not world.tickets:
            await world.make_ticket()
            await process.handle.execute_update("abort", {"reason": "too late to ask"})
        raise problem("Unreachable", final=False)

    world.while_in["open_ticket"] = lose_the_answer
    await process.start()
    assert (await process.handle.result()).outcome is Outcome.ABORTED
    assert [t.closed_because for t in world.tickets.values()] == ["aborted: too late to ask"]


async def test_abort_while_a_ticket_is_mirrored_closes_the_notification_whose_id_got_lost(
    process: Process, world: World
) -> None:
    async def lose_the_answer() -> None:
        if world.sending and world.sending.ticket:
            world.notifications[world.sending.purpose] = world.sending
            await process.handle.execute_update("abort", {"reason": "model withdrawn"})
            raise problem("Unreachable", final=False)

    world.while_in["send_notification"] = lose_the_answer
    await process.start()
    assert (await process.handle.result()).outcome is Outcome.ABORTED
    assert [n.ticket.key for n in world.notifications.values() if n.ticket] == ["GOV-1"]
    assert world.open_notifications() == []


async def test_an_attempt_that_fails_after_an_abort_is_not_told_as_a_block(process: Process, world: World) -> None:
    async def fail_after_the_abort() -> None:
        await process.handle.execute_update("abort", {"reason": "model withdrawn"})
        raise problem("Forbidden")

    world.while_in["check_prerequisites"] = fail_after_the_abort
    await process.start()
    assert (await process.handle.result()).outcome is Outcome.ABORTED
    assert [purpose for purpose in world.notifications if purpose.startswith("block:")] == []


async def test_abort_needs_a_reason(process: Process, world: World) -> None:
    await process.start()
    await process.waiting_on("PiaApproval")
    for bad in ({}, {"reason": ""}, "stop", None):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await process.handle.execute_update("abort", bad)
        assert isinstance(refused.value.cause, ApplicationError)
        assert "abort takes" in refused.value.cause.message
    await process.handle.execute_update("abort", {"reason": "enough"})
    await process.handle.result()


async def test_abort_of_an_ended_run_is_refused(process: Process, world: World) -> None:
    await process.start()
    await process.decide("PiaApproval", "REJECTED")
    await process.handle.result()
    with pytest.raises((RPCError, WorkflowUpdateFailedError)):
        await process.handle.execute_update("abort", {"reason": "too late"})
    assert (await process.status()).stage is MlcStage.REJECTED


async def test_cancelling_in_temporal_cleans_up_and_ends_cancelled(process: Process, world: World) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    await process.until(lambda _: "ticket:PiaApproval:1" in world.notifications)
    await process.handle.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await process.handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert world.tickets[key].closed_because is not None
    assert world.tickets[key].closed_because.startswith("cancelled: ")
    assert world.open_notifications() == []
    assert (await process.status()).stage is MlcStage.CANCELLED


async def test_a_run_cancelled_before_it_knows_its_settings_says_so(process: Process, world: World) -> None:
    async def cancel_first() -> None:
        await process.handle.cancel()
        raise problem("Unreachable", final=False)

    world.while_in["read_process_settings"] = cancel_first
    await process.start()
    with pytest.raises(WorkflowFailureError) as ended:
        await process.handle.result()
    assert isinstance(ended.value.cause, CancelledError)
    assert (await process.status()).stage is MlcStage.CANCELLED
    assert world.tickets == {} and world.notifications == {}


async def test_a_clean_up_that_jira_refuses_still_ends_the_run(process: Process, world: World) -> None:
    world.always["close_ticket"] = problem("Forbidden")
    await process.start()
    await process.waiting_on("PiaApproval")
    await process.handle.execute_update("abort", {"reason": "model withdrawn"})
    assert (await process.handle.result()).outcome is Outcome.ABORTED
    assert world.open_notifications() == []


async def test_cancelling_while_the_model_is_being_marked_does_not_hide_the_deployment(
    process: Process, world: World
) -> None:
    async def cancel_meanwhile() -> None:
        await process.handle.cancel()

    world.while_in["mark_deployed"] = cancel_meanwhile
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    result = await process.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert world.notifications["end:Deployed"].severity == "INFO"


async def test_cancelling_while_marking_ends_deployed_even_when_nobody_can_be_told(
    process: Process, world: World
) -> None:
    async def cancel_and_refuse() -> None:
        world.always["send_notification"] = problem("Refused")
        await process.handle.cancel()

    world.while_in["mark_deployed"] = cancel_and_refuse
    handle = await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert (await handle.result()).outcome is Outcome.DEPLOYED
    assert (await process.status()).stage is MlcStage.DEPLOYED
    assert (await handle.describe()).history_length < 300


async def test_a_run_that_cannot_tell_of_its_end_is_let_go_by_abort_and_ends_as_decided(
    process: Process, world: World
) -> None:
    async def refuse_the_end() -> None:
        if "ticket:PiaApproval:1" in world.closed:
            raise problem("Refused")

    world.while_in["send_notification"] = refuse_the_end
    await process.start()
    await process.decide("PiaApproval", "REJECTED")
    await process.blocked("Refused")
    await process.handle.execute_update("abort", {"reason": "ModelOp Center will not take it"})
    result = await process.handle.result()
    assert (result.outcome, result.stage) == (Outcome.REJECTED, MlcStage.PIA_APPROVAL)
    assert (await process.status()).stage is MlcStage.REJECTED


async def test_a_cancellation_after_an_abort_does_not_disturb_the_clean_up(process: Process, world: World) -> None:
    async def abort_then_cancel() -> None:
        await process.handle.execute_update("abort", {"reason": "model withdrawn"})
        await process.handle.cancel()

    world.while_in["read_ticket"] = abort_then_cancel
    await process.start()
    key = await process.waiting_on("PiaApproval")
    await process.signal({"issue_key": key})
    result = await process.handle.result()
    assert result.outcome is Outcome.ABORTED
    assert world.tickets[key].closed_because == "aborted: model withdrawn"
    assert world.open_notifications() == []


async def test_a_notification_that_cannot_be_closed_does_not_keep_a_finished_run_from_ending(
    skipping: WorkflowEnvironment, world: World
) -> None:
    world.failures["create_snapshot"] = [problem("Forbidden")]
    async with process_worker(skipping.client, world) as process:
        await process.start()
        await process.decide("PiaApproval")
        await process.blocked("Forbidden")
        await process.until(lambda _: "block:1" in world.notifications)

        async def refuse_blocks() -> None:
            if world.closing == "block:1":
                raise problem("Unavailable", final=False)

        world.while_in["close_notification"] = refuse_blocks
        await process.handle.execute_update("resume")
        await process.approve("ResultsApproval", "ProductionApproval")
        await skipping.sleep(timedelta(minutes=5))
        await process.until(lambda s: s.stage is MlcStage.DEPLOYED)
        assert (await process.handle.result()).outcome is Outcome.DEPLOYED


async def test_abort_of_a_run_that_is_blocked_while_marking_withdraws_a_half_done_mark(
    process: Process, world: World
) -> None:
    world.failures["mark_deployed"] = [problem("Forbidden")]
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.blocked("Forbidden")
    await process.handle.execute_update("abort", {"reason": "not this month"})
    result = await process.handle.result()
    assert (result.outcome, result.deployed_model_id) == (Outcome.ABORTED, None)
    assert world.asked["withdraw_deployment"] == 1


@pytest.mark.parametrize("how", ["abort", "cancel"])
async def test_a_run_whose_mark_turns_out_to_stand_ends_deployed_although_it_was_stopped(
    process: Process, world: World, how: str
) -> None:
    world.failures["mark_deployed"] = [problem("Unreachable", final=False) for _ in range(2)]
    world.standing = Deployment(deployed_model_id="deployed-9")
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.blocked("Unreachable")
    if how == "abort":
        await process.handle.execute_update("abort", {"reason": "not this month"})
    else:
        await process.handle.cancel()
    result = await process.handle.result()
    assert (result.outcome, result.deployed_model_id) == (Outcome.DEPLOYED, "deployed-9")
    assert result.reason.startswith("deployed in production before it was")
    assert [p for p in world.notifications if p.startswith("end:")] == ["end:Deployed"]
    assert (await process.status()).stage is MlcStage.DEPLOYED


async def test_what_a_terminated_run_left_open_is_closed_with_its_notifications(process: Process, world: World) -> None:
    world.left_open = ["GOV-77"]
    await process.start()
    await process.waiting_on("PiaApproval")
    assert world.closed_mirrors == ["GOV-77"]
    await process.handle.execute_update("abort", {"reason": "seen enough"})
    await process.handle.result()
    assert world.asked["withdraw_deployment"] == 0


async def test_a_finished_implementation_may_be_run_again(process: Process, world: World) -> None:
    await process.start()
    await process.decide("PiaApproval", "REJECTED")
    await process.handle.result()
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome is Outcome.DEPLOYED
    assert len({run.run_id for run in world.superseded}) == 2
