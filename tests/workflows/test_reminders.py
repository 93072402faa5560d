from __future__ import annotations

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import World, problem, process_worker

GATES = ["PiaApproval", "ResultsApproval", "ProductionApproval"]


async def test_people_are_reminded_as_often_as_the_caller_asked_for(
    skipping: WorkflowEnvironment, world: World
) -> None:
    async with process_worker(skipping.client, world) as process:
        await process.start(reminder_after="P2D", max_reminders=2)
        key = await process.waiting_on("PiaApproval")
        await skipping.sleep(timedelta(days=3))
        await process.until(lambda _: len(world.tickets[key].comments) == 1)
        await skipping.sleep(timedelta(days=30))
        await process.until(lambda _: len(world.tickets[key].comments) == 2)
        assert all("has waited for a decision since" in text for text in world.tickets[key].comments)
        told = [n for n in world.notifications.values() if "still waits for a decision" in n.message]
        assert {n.severity for n in told} == {"WARN"}
        await process.approve(*GATES)
        assert (await process.handle.result()).outcome == "DEPLOYED"
    assert len(world.tickets[key].comments) == 2


async def test_nobody_is_reminded_unless_the_caller_asked_for_it(skipping: WorkflowEnvironment, world: World) -> None:
    async with process_worker(skipping.client, world) as process:
        await process.start()
        key = await process.waiting_on("PiaApproval")
        await skipping.sleep(timedelta(days=300))
        assert world.tickets[key].comments == []
        await process.approve(*GATES)
        await process.handle.result()


async def test_a_reminder_that_fails_is_no_reason_to_miss_the_decision(
    skipping: WorkflowEnvironment, world: World
) -> None:
    world.always["comment_ticket"] = problem("Forbidden")
    async with process_worker(skipping.client, world) as process:
        await process.start(reminder_after="P1D", max_reminders=1)
        await process.waiting_on("PiaApproval")
        await skipping.sleep(timedelta(days=2))
        await process.until(lambda _: world.asked["comment_ticket"] > 0)
        assert (await process.status()).blocked is None
        await process.approve(*GATES)
        assert (await process.handle.result()).outcome == "DEPLOYED"
