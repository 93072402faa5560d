"""A ticket that stays decided without moving its run costs the run nothing, however often it is swept."""

from __future__ import annotations

from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Run, Site
from tests.end_to_end.test_sweep import events, sweep, visible

SWEEPS = 4


async def waiting(site: Site, **request: str) -> tuple[Run, str]:
    run = await site.start(GERMAN_CREDIT, **request)
    key = await run.waiting_on("PiaApproval")
    await visible(site, key)
    return run, key


async def test_a_refused_ticket_that_nobody_may_move_back_is_read_once_per_change(site: Site) -> None:
    run, key = await waiting(site, requested_by="rita")
    async with (
        site.without_webhooks(),
        site.failing(
            "jira", method="POST", path="/rest/api/2/issue/*/transitions", effect="status", status=403, skip=1
        ),
    ):
        await site.people.decide("rita", key, status="Done", comment="my own")
        assert (await sweep(site.client)).signalled == [run.handle.id]
        await run.quiet()
        # The comment that refuses the decision is a change of the ticket, too.
        assert (await sweep(site.client)).signalled == [run.handle.id]
        await run.quiet()
        before, read = await events(run), await run.scheduled("read_ticket")
        for _ in range(SWEEPS):
            # It is signalled each time; the server drops what the run was told before.
            assert (await sweep(site.client)).waiting == 1
        assert (await events(run), read) == (before, 2)
    fields = (await site.issue(key))["fields"]
    assert fields["status"]["name"] == "Done"
    assert ["does not count" in comment["body"] for comment in fields["comment"]["comments"]] == [False, True]
    status = await run.status()
    assert status.decisions == [] and status.waiting_on is not None

    await site.people.decide("paul", key, status="To Do", comment="this one is mine")
    await site.people.decide("paul", key, status="Done", comment="fine")
    (decision,) = (await run.until(lambda s: s.decisions != [])).decisions
    assert decision.decided_by == "paul"
    await run.abort()


async def test_a_blocked_runs_ticket_that_is_decided_waits_for_the_resume(site: Site) -> None:
    run, key = await waiting(site)
    await site.administer("hide", issue=key)
    async with site.without_webhooks():
        assert (await sweep(site.client)).missing == [key]
        await run.blocked("NotFound")
        await site.administer("hide", issue=key, hidden=False)
        await site.people.decide("paul", key, status="Done", comment="fine")
        before = (await run.quiet(), await events(run))
        for _ in range(SWEEPS):
            assert (await sweep(site.client)).signals == 0
        assert (await run.status(), await events(run)) == before
        await run.resume()
        (decision,) = (await run.until(lambda s: s.decisions != [])).decisions
    assert (decision.ticket, decision.decided_by) == (key, "paul")
    await run.abort()
