"""A reset in the Web UI on the local stack: the systems hold nothing twice afterwards."""

from __future__ import annotations

from typing import Any

from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Run, Site
from tests.resets import reset_before
from workflows.contract import ImplementationResult, Outcome


async def tickets(site: Site, run: Run) -> set[str]:
    """The keys of all tickets that carry the run's label."""
    answer = await site.jira.get(
        "/rest/api/2/search", params={"jql": f'labels = "{run.handle.id}"', "maxResults": 1000}
    )
    assert answer.status_code == 200, answer.text
    return {issue["key"] for issue in answer.json()["issues"]}


async def marked(site: Site, collection: str, run_id: str, *path: str) -> list[str]:
    """The ids of the objects in a ModelOp Center collection that carry the run's mark under a path."""

    def mark(entity: dict[str, Any]) -> Any:
        for part in (*path, "mlc", "runId"):
            entity = entity.get(part) or {}
        return entity

    return [entity["id"] for entity in await site.all(collection) if mark(entity) == run_id]


async def test_a_run_that_is_reset_makes_no_second_ticket_snapshot_job_result_or_notification(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    run_id = str((await run.handle.describe()).run_id)
    before = await tickets(site, run)
    privacy = await run.decide("PiaApproval", "paul")
    review = await run.waiting_on("ResultsApproval")

    execution = await reset_before(site.client, run.handle, "read_business_model")
    reset = Run(
        site, site.client.get_workflow_handle(run.handle.id, run_id=execution, result_type=ImplementationResult)
    )
    assert await reset.waiting_on("ResultsApproval") == review
    (decision,) = (await reset.status()).decisions
    assert (decision.ticket, decision.decided_by) == (privacy, "paul")
    await reset.decide("ResultsApproval", "vera")
    production = await reset.decide("ProductionApproval", "aaron")
    result = await reset.handle.result()

    assert result.outcome is Outcome.DEPLOYED
    mine = {privacy, review, production}
    assert await tickets(site, run) == before | mine
    assert await marked(site, "deployableModels", run_id, "metaData", "custom") == [result.snapshot_id]
    (job,) = await marked(site, "jobs", run_id, "jobParameters")
    assert len([r for r in await site.all("modelTestResults") if r["jobId"] == job]) == 1
    assert len((await site.entity(f"deployableModels/{result.snapshot_id}"))["modelDocuments"]) == 1
    mirrored = [(n.get("assignment") or {}).get("issueId") for n in await site.all("notifications")]
    assert sorted(key for key in mirrored if key in mine) == sorted(mine)


async def test_a_deployed_run_that_is_reset_to_before_its_document_writes_the_same_one_and_asks_nobody(
    site: Site,
) -> None:
    run = await site.start(GERMAN_CREDIT)
    await run.decide("PiaApproval", "paul")
    review = await run.decide("ResultsApproval", "vera")
    await run.decide("ProductionApproval", "aaron")
    before = await run.handle.result()

    execution = await reset_before(site.client, run.handle, "prepare_review_document")
    after = await site.client.get_workflow_handle(
        run.handle.id, run_id=execution, result_type=ImplementationResult
    ).result()

    assert after == before
    issue = (await site.jira.get(f"/rest/api/2/issue/{review}")).json()["fields"]
    assert [file["filename"] for file in issue["attachment"]] == [after.document.filename]
    assert len(issue["comment"]["comments"]) == 2  # the document, and the reviewer's own
    assert len((await site.entity(f"deployableModels/{after.snapshot_id}"))["modelDocuments"]) == 1
