"""A reset in the Web UI: the same run goes on from an earlier point, and knows what it made before."""

from __future__ import annotations

from activities.jira.types import Gate
from tests.resets import reset_before
from tests.workflows.world import Process, World
from workflows.contract import Outcome

GATES = ["PiaApproval", "ResultsApproval", "ProductionApproval"]


async def test_a_run_that_is_reset_to_before_its_ticket_waits_on_the_same_ticket(
    process: Process, world: World
) -> None:
    handle = await process.start()
    key = await process.waiting_on("PiaApproval")
    execution = await reset_before(process.client, process.handle, "open_ticket")
    assert execution != handle.first_execution_run_id
    await process.until(lambda _: world.asked["open_ticket"] == 2)
    assert await process.waiting_on("PiaApproval") == key
    assert list(world.tickets) == [key]

    await process.approve(*GATES)
    assert (await process.handle.result()).outcome is Outcome.DEPLOYED
    assert len(world.tickets) == 3


async def test_after_a_reset_tickets_are_searched_for_and_everything_carries_the_first_marks(
    process: Process, world: World
) -> None:
    handle = await process.start()
    await process.decide("PiaApproval")
    await process.waiting_on("ResultsApproval")
    await reset_before(process.client, process.handle, "supersede_tickets")
    await process.until(lambda _: len(world.jobs) == 2)
    await process.waiting_on("ResultsApproval")

    # The decided ticket was read again, and nobody was asked anew.
    assert [t.request.gate for t in world.tickets.values()] == [Gate.PIA, Gate.RESULTS]
    assert world.snapshots[0] == world.snapshots[1]
    assert world.jobs[0] == world.jobs[1]
    assert world.superseded[0] == world.superseded[1]
    assert world.superseded[0].run_id == handle.first_execution_run_id
    await process.handle.execute_update("abort", {"reason": "seen enough"})
    await process.handle.result()


async def test_a_deployed_run_that_is_reset_to_its_last_step_only_marks_again(process: Process, world: World) -> None:
    handle = await process.start()
    await process.approve(*GATES)
    await handle.result()
    await reset_before(process.client, process.handle, "mark_deployed")
    assert (await process.handle.result()).outcome is Outcome.DEPLOYED
    first, second = world.deployed
    assert first == second
    assert world.asked["open_ticket"] == 3


async def test_a_run_that_is_reset_to_before_its_document_finds_it_attached_and_decided(
    process: Process, world: World
) -> None:
    handle = await process.start()
    await process.approve(*GATES)
    await handle.result()
    await reset_before(process.client, process.handle, "prepare_review_document")

    result = await process.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert [d.decided_by for d in result.decisions] == ["paul", "paul", "paul"]
    first, second = world.documents
    assert first == second
    assert all(ticket.comments == [] for ticket in world.tickets.values())


async def test_a_document_that_another_release_writes_differently_is_decided_again_on_the_same_ticket(
    process: Process, world: World
) -> None:
    handle = await process.start()
    await process.approve(*GATES)
    await handle.result()
    world.attached.clear()
    await reset_before(process.client, process.handle, "prepare_review_document")
    review = await process.waiting_on("ResultsApproval")
    await process.until(lambda _: world.tickets[review].comments != [])
    assert "read the document and decide again" in world.tickets[review].comments[0]

    await process.decide("ResultsApproval", by="vera")
    result = await process.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert [d.decided_by for d in result.decisions] == ["paul", "vera", "paul"]
    assert len(world.tickets) == 3
