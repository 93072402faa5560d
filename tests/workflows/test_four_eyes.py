from __future__ import annotations

import asyncio

import pytest

from activities.jira.types import Gate
from activities.modelop.types import JobOutcome
from tests.workflows.world import PATIENCE_SECONDS, Process, World
from workflows.implementation import MAX_MOVES_BACK


async def test_a_decision_by_somebody_who_may_not_decide_is_refused_once_and_moved_back(
    process: Process, world: World
) -> None:
    await process.start({"model_id": world.model_id, "requested_by": "rita"})
    key = await process.waiting_on("PiaApproval")
    world.decide(key, "DONE", by="rita", refused_because="rita requested this")
    for _ in range(3):
        await process.signal({"issue_key": key})
    await process.until(lambda _: world.tickets[key].comments != [])
    assert world.tickets[key].comments == ["rita requested this"]
    assert world.tickets[key].status == "To Do"
    assert (await process.status()).decisions == []

    await process.decide("PiaApproval", by="paul")
    await process.approve("ResultsApproval", "ProductionApproval")
    result = await process.handle.result()
    assert [d.decided_by for d in result.decisions] == ["paul", "paul", "paul"]


async def test_a_refused_decision_that_stays_is_refused_once_however_often_it_is_told(
    process: Process, world: World
) -> None:
    async def cannot_be_moved_back() -> None:
        decision = world.tickets["GOV-1"].decision
        world.while_in["read_ticket"] = restore(decision)

    def restore(decision: object) -> object:
        async def again() -> None:
            world.tickets["GOV-1"].decision = decision  # type: ignore[assignment]

        return again

    world.while_in["refuse_decision"] = cannot_be_moved_back
    await process.start()
    key = await process.waiting_on("PiaApproval")
    world.decide(key, "REJECTED", by="svc-mlc", refused_because="our own account")
    await process.signal({"issue_key": key})
    await process.until(lambda _: world.asked["refuse_decision"] == 1)
    for expected in (2, 3):
        await process.signal({"issue_key": key})
        await process.until(lambda _, n=expected: world.asked["read_ticket"] == n)  # type: ignore[misc]
    assert world.asked["refuse_decision"] == 1
    await process.handle.execute_update("abort", {"reason": "seen enough"})
    assert (await process.handle.result()).outcome == "ABORTED"


@pytest.mark.parametrize("four_eyes", [True, False])
async def test_who_may_decide_is_asked_of_jira_with_the_callers_choice(
    process: Process, world: World, four_eyes: bool
) -> None:
    world.outcomes = [JobOutcome(status="ERROR", succeeded=False, error="no luck")]
    await process.start({"model_id": world.model_id, "requested_by": "rita", "options": {"four_eyes": four_eyes}})
    await process.approve("PiaApproval", "TestFailure", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    assert {(r.requested_by, r.four_eyes) for r in world.read} == {("rita", four_eyes)}
    assert {r.gate for r in world.read} == set(Gate)


async def test_an_automation_that_decides_whatever_is_moved_back_is_left_alone_after_a_while(
    process: Process, world: World
) -> None:
    async def decided_by_a_robot() -> None:
        if world.tickets and world.tickets["GOV-1"].decision is None:
            world.decide("GOV-1", "DONE", by="robot", refused_because="only approvers may decide this ticket")
            await process.signal({"issue_key": "GOV-1"})

    await process.start()
    await process.waiting_on("PiaApproval")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while world.tickets["GOV-1"].decision is None or len(world.tickets["GOV-1"].comments) <= MAX_MOVES_BACK:
            await decided_by_a_robot()
            await asyncio.sleep(0.02)
    assert (len(world.tickets["GOV-1"].comments), world.tickets["GOV-1"].status) == (MAX_MOVES_BACK + 1, "Done")
    assert (await process.status()).decisions == []

    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert [d.decided_by for d in (await process.handle.result()).decisions] == ["paul", "paul", "paul"]
