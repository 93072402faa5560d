"""One run that meets every trouble and is deployed all the same, and what its history then weighs.

Takes about half a minute, so it is no part of `make test`. The history is left in `.mlc/every-trouble.json.gz`, for
`python -m bench.actions .mlc/every-trouble.json.gz`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.actions import count
from console.scenarios import SCENARIOS, ScenarioName
from sandbox.modelop.seed import STANDARD_RISK_TESTS, TWO_SCHEMAS
from tests.end_to_end.site import Run, Site
from tests.end_to_end.test_sweep import sweep, visible
from tests.replay import archive
from workflows.contract import Outcome

HISTORY = Path(".mlc/every-trouble.json.gz")
STORY = SCENARIOS[ScenarioName.TEST_FAILURE]
# Temporal warns at 10,240 events and 10 MB.
MOST_EVENTS, MOST_BYTES = 1_000, 256 * 1024


@pytest.mark.timeout(300)
async def test_a_run_that_meets_every_trouble_is_deployed(site: Site) -> None:
    assert STORY.prepare is not None
    await STORY.prepare(site.registry)
    async with site.failing("jira", method="POST", path="/rest/api/2/issue", effect="status", status=503, times=2):
        run = await site.start(
            TWO_SCHEMAS, requested_by="rita", options={"reminder_after": "PT2S", "max_reminders": 1, "max_test_runs": 1}
        )
        await privacy_after_a_reminder_and_a_refusal(site, run)
    await risk_tests_that_are_missing_then_fail_then_are_used_up(site, run)
    await results_whose_document_is_lost(site, run)
    await production_whose_ticket_vanishes(site, run)
    await a_snapshot_that_is_changed(site, run)

    result = await run.handle.result()
    assert result.outcome is Outcome.DEPLOYED
    assert [t.result_id is None for t in result.test_runs] == [True, False]
    assert [d.decided_by for d in result.decisions] == ["paul", "rita", "vera", "vera", "aaron"]
    history = await run.handle.fetch_history()
    archive.save(HISTORY, history)
    bill = count("every trouble", history)
    assert bill.actions["retries"] >= 2 and bill.actions["updates"] == 5
    assert bill.events < MOST_EVENTS and bill.size < MOST_BYTES


async def privacy_after_a_reminder_and_a_refusal(site: Site, run: Run) -> None:
    key = await run.waiting_on("PiaApproval")
    while not await run.scheduled("comment_ticket"):
        await run.quiet()
    await site.people.decide("rita", key, status="Done", comment="my own")
    while (await site.issue(key))["fields"]["status"]["name"] != "To Do":
        await run.quiet()
    for ticket in (key, "GOV-999"):
        await run.hint(ticket, status="Done", actor="mallory")
    await site.patch(f"storedModels/{STANDARD_RISK_TESTS}", {"modelMetaData": {"name": "Renamed Tests"}})
    await run.decide("PiaApproval", "paul")


async def risk_tests_that_are_missing_then_fail_then_are_used_up(site: Site, run: Run) -> None:
    await run.blocked("RiskTestsMissing")
    await site.patch(f"storedModels/{STANDARD_RISK_TESTS}", {"modelMetaData": {"name": "Standard Risk Tests"}})
    await run.resume()
    await run.waiting_on("TestFailure")
    assert STORY.mend is not None
    await STORY.mend(site.registry)
    await run.decide("TestFailure", "rita")
    await run.blocked("TestRunsExhausted")
    await run.resume()


async def results_whose_document_is_lost(site: Site, run: Run) -> None:
    await run.waiting_on("ResultsApproval")
    document = (await run.status()).document
    assert document is not None
    assert (await site.jira.delete(f"/rest/api/2/attachment/{document.attachment_id}")).is_success
    await run.decide("ResultsApproval", "vera")
    await run.blocked("DocumentMissing")
    await run.resume()
    await run.decide("ResultsApproval", "vera")


async def production_whose_ticket_vanishes(site: Site, run: Run) -> None:
    key = await run.waiting_on("ProductionApproval")
    await visible(site, key)
    await site.administer("hide", issue=key)
    assert (await sweep(site.client)).missing == [key]
    await run.blocked("NotFound")
    await site.administer("hide", issue=key, hidden=False)
    await run.resume()
    await run.until(lambda s: s.blocked is None)


async def a_snapshot_that_is_changed(site: Site, run: Run) -> None:
    snapshot = await site.entity(f"deployableModels/{(await run.status()).snapshot_id}")
    site.falsify(snapshot["id"], "storedModel.version", -1)
    await run.decide("ProductionApproval", "aaron")
    await run.blocked("SnapshotChanged")
    site.falsify(snapshot["id"], "storedModel.version", snapshot["storedModel"]["version"])
    await run.resume()
