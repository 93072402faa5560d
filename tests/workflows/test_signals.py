from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from tests.workflows.world import Process, World

BAD_SIGNALS: dict[str, list[Any]] = {
    "no argument": [],
    "null": [None],
    "a string": ["GOV-1"],
    "another shape": [{"key": "GOV-1"}],
    "a key that is no string": [{"issue_key": 7}],
    "two arguments, the first of them wrong": ["GOV-1", {"issue_key": "GOV-1"}],
    "broken JSON": [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{broken"))],
    "an unknown encoding": [RawValue(Payload(metadata={"encoding": b"avro/binary"}, data=b"\x00"))],
}


async def finish(process: Process) -> None:
    await process.approve("ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome == "DEPLOYED"


@pytest.mark.parametrize("payload", BAD_SIGNALS.values(), ids=BAD_SIGNALS.keys())
async def test_a_bad_signal_is_ignored(process: Process, world: World, payload: list[Any]) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    await process.signal(*payload)
    status = await process.status()
    assert status.waiting_on is not None and status.waiting_on.ticket == key
    assert world.asked["read_ticket"] == 0
    await process.handle.execute_update("abort", {"reason": "seen enough"})
    await process.handle.result()


async def test_a_second_argument_of_a_signal_is_ignored(process: Process, world: World) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    world.decide(key, "DONE")
    await process.signal({"issue_key": key}, {"anything": 1})
    await finish(process)


async def test_a_signal_that_lies_about_the_status_costs_a_read_and_nothing_else(
    process: Process, world: World
) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    await process.signal({"issue_key": key, "status": "Done", "actor": "mallory"})
    await process.until(lambda _: world.asked["read_ticket"] == 1)
    status = await process.status()
    assert status.waiting_on is not None and status.decisions == []
    await process.decide("PiaApproval")
    await finish(process)


async def test_a_signal_about_another_ticket_is_not_even_read(process: Process, world: World) -> None:
    await process.start()
    await process.waiting_on("PiaApproval")
    await process.signal({"issue_key": "OTHER-99", "status": "Done"})
    await process.decide("PiaApproval")
    await process.until(lambda s: len(s.decisions) == 1)
    assert world.asked["read_ticket"] == 1
    await finish(process)


async def test_doubled_signals_decide_once(process: Process, world: World) -> None:
    await process.start()
    key = await process.waiting_on("PiaApproval")
    world.decide(key, "DONE")
    for _ in range(5):
        await process.signal({"issue_key": key})
    await finish(process)
    assert len((await process.handle.result()).decisions) == 3
    assert len(world.tickets) == 3


async def test_a_decision_made_before_the_run_knew_its_ticket_is_not_lost(process: Process, world: World) -> None:
    async def decided_while_opening() -> None:
        # Runs inside the activity, before the ticket exists for the workflow: the webhook is faster than the answer.
        await process.signal({"issue_key": "GOV-1"})
        world.while_in.pop("open_ticket")

    world.while_in["open_ticket"] = decided_while_opening

    async def decided_before_the_mirror() -> None:
        if "GOV-1" in world.tickets and world.tickets["GOV-1"].decision is None:
            world.decide("GOV-1", "DONE")

    world.while_in["send_notification"] = decided_before_the_mirror
    await process.start()
    await finish(process)


async def test_a_ticket_that_stood_there_already_is_read_without_any_signal(process: Process, world: World) -> None:
    async def already_open_and_decided() -> None:
        del world.while_in["check_prerequisites"]
        world.adopt_decided = True

    world.while_in["check_prerequisites"] = already_open_and_decided
    await process.start()
    await finish(process)
    assert world.tickets["GOV-1"].decision is not None


async def test_a_verdict_older_than_the_document_does_not_count(process: Process, world: World) -> None:
    await process.start()
    await process.decide("PiaApproval")
    key = await process.waiting_on("ResultsApproval")
    await process.until(lambda s: s.document is not None)
    world.decide(key, "DONE", at=datetime.now(UTC) - timedelta(hours=1))
    await process.signal({"issue_key": key})
    await process.until(lambda _: world.tickets[key].comments != [])
    assert "older than the attached review document" in world.tickets[key].comments[0]
    assert (await process.status()).waiting_on is not None

    assert world.tickets[key].status == "To Do"
    await process.signal({"issue_key": key})
    await finish(process)
    assert len(world.tickets[key].comments) == 1
