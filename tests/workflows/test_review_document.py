from __future__ import annotations

import pytest

from activities.jira.types import Gate
from tests.workflows.world import Process, World, problem
from workflows.contract import Outcome


@pytest.mark.parametrize("kind", ["DocumentMissing", "DocumentChanged"])
async def test_a_document_lost_after_the_approval_is_written_again_and_asked_again(
    process: Process, world: World, kind: str
) -> None:
    world.failures["archive_review_document"] = [problem(kind, "no longer on GOV-2")]
    await process.start()
    await process.decide("PiaApproval")
    await process.decide("ResultsApproval", by="vera")
    status = await process.blocked(kind)
    assert status.blocked is not None and "asks the reviewer again" in status.blocked.message
    await process.handle.execute_update("resume")
    await process.until(lambda s: s.waiting_on is not None and s.waiting_on.ticket == "GOV-3")
    await process.decide("ResultsApproval", by="vera")
    await process.decide("ProductionApproval")
    result = await process.handle.result()

    assert result.outcome is Outcome.DEPLOYED
    assert [t.request.round for t in world.tickets.values() if t.request.gate == Gate.RESULTS] == [1, 2]
    first, second = world.documents
    assert second.model_copy(update={"ticket": first.ticket}) == first
    assert [a.ticket.key for a in world.archived] == ["GOV-3"]


async def test_a_lost_document_that_cannot_be_written_again_asks_nobody(process: Process, world: World) -> None:
    world.failures["archive_review_document"] = [problem("DocumentMissing")]
    world.always["verify_review_document"] = problem("DocumentNotReproducible", "it would have SHA-256 ee")
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval")
    await process.blocked("DocumentMissing")
    await process.handle.execute_update("resume")
    status = await process.blocked("DocumentNotReproducible")
    assert status.blocked is not None and "it would have SHA-256 ee" in status.blocked.message
    assert len(world.tickets) == 2
    await process.handle.execute_update("abort", {"reason": "the record cannot be kept"})
    assert (await process.handle.result()).outcome is Outcome.ABORTED
