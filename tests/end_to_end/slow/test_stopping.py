"""Runs that are stopped while Jira is down: they end, and what could not be closed is closed once Jira is back."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import CancelledError

from sandbox.modelop.seed import GERMAN_CREDIT, NO_LABELS
from tests.end_to_end.site import Run, Site
from workflows.contract import Outcome

DOWN = {"path": "/rest/**", "effect": "cut"}


async def abort(run: Run) -> None:
    await run.handle.execute_update("abort", {"reason": "model withdrawn"})


async def test_runs_that_are_stopped_while_jira_is_down_close_their_tickets_once_it_is_back(site: Site) -> None:
    aborted, cancelled = await site.start(GERMAN_CREDIT), await site.start(NO_LABELS)
    tickets = {run: await run.waiting_on("PiaApproval") for run in (aborted, cancelled)}
    async with site.failing("jira", **DOWN):
        await abort(aborted)
        await cancelled.handle.cancel()
        for run in tickets:
            await run.failing("close_ticket")
    assert (await aborted.handle.result()).outcome is Outcome.ABORTED
    with pytest.raises(WorkflowFailureError) as ended:
        await cancelled.handle.result()
    assert isinstance(ended.value.cause, CancelledError)

    mirrors = await site.mirrors()
    for run, key in tickets.items():
        fields = (await site.issue(key))["fields"]
        assert fields["status"]["name"] == "Rejected"
        assert (await run.status()).stage in fields["comment"]["comments"][-1]["body"]
        assert mirrors[key] is False


async def test_a_run_that_is_stopped_while_it_opens_a_ticket_that_jira_kept_leaves_none_open(site: Site) -> None:
    known = set(await site.people.tickets_of(f"sagemaker-mlc-{GERMAN_CREDIT}"))
    # Jira makes the ticket, the answer is lost, and then Jira does not say whether there is one.
    async with (
        site.failing("jira", method="POST", path="/rest/api/2/issue", effect="cut", when="after"),
        site.failing("jira", method="POST", path="/rest/api/2/search", effect="cut", skip=1),
    ):
        run = await site.start(GERMAN_CREDIT)
        await run.failing("open_ticket")
        await abort(run)
        await run.failing("withdraw_ticket")
    assert (await run.handle.result()).outcome is Outcome.ABORTED
    (left,) = set(await site.people.tickets_of(run.handle.id)) - known
    assert (await site.issue(left))["fields"]["status"]["name"] == "Rejected"


async def test_a_terminated_runs_ticket_is_superseded_with_its_notification_and_decides_nothing_any_more(
    site: Site,
) -> None:
    run = await site.start(GERMAN_CREDIT)
    left = await run.waiting_on("PiaApproval")
    await run.handle.terminate(reason="a test of what follows")
    again = await site.start(GERMAN_CREDIT)
    key = await again.waiting_on("PiaApproval")
    assert (await site.issue(left))["fields"]["status"]["name"] == "Rejected"
    mirrors = await site.mirrors()
    assert mirrors[left] is False and mirrors[key] is True

    # Neither a move of the old ticket nor word of it reaches the new run.
    await site.people.decide("vera", left, status="To Do", comment="once more")
    await site.people.decide("vera", left, status="Done", comment="late")
    await again.hint(left, status="Done")
    status = await again.quiet()
    assert status.waiting_on is not None and status.waiting_on.ticket == key and status.decisions == []
    await again.abort()
