"""A person at the board, and a site that is switched off and on again."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect
from temporalio.client import Client

from console.stack import local_stack
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.browser import chromium
from tests.end_to_end.site import Run, Site
from worker.data_converter import data_converter
from workflows.contract import workflow_id


async def test_a_person_reads_the_ticket_downloads_the_document_and_moves_it_on_the_board(
    site: Site, tmp_path: Path
) -> None:
    run = await site.start(GERMAN_CREDIT)
    await run.decide("PiaApproval", "paul")
    key = await run.waiting_on("ResultsApproval")
    async with chromium() as browser:
        page = await (await browser.new_context(base_url=site.stack.addresses.jira)).new_page()
        await page.goto(f"/browse/{key}")
        async with page.expect_navigation():
            await page.select_option("#person", "vera")
        await expect(page.locator("#description")).to_contain_text("What your decision does")
        model = (
            await page.locator("#description")
            .get_by_role("link", name="German Credit Scoring")
            .first.get_attribute("href")
        )
        assert model is not None
        other = await page.context.new_page()
        await other.goto(model)
        await other.wait_for_url(f"**/models/{GERMAN_CREDIT}")
        await expect(other.locator("h1")).to_contain_text("German Credit Scoring")

        async with page.expect_download() as downloading:
            await page.locator("#attachments a").first.click()
        saved = tmp_path / (await downloading.value).suggested_filename
        await (await downloading.value).save_as(saved)
        status = await run.status()
        assert status.document is not None
        assert (saved.name, saved.stat().st_size) == (status.document.filename, status.document.size)

        await page.get_by_role("button", name="Done").first.click()
        await run.waiting_on("ProductionApproval")
    (_, decision) = (await run.status()).decisions
    assert (decision.decided_by, decision.ticket) == ("vera", key)
    await run.abort()


async def test_a_run_that_waits_survives_a_restart_of_everything(tmp_path: Path) -> None:
    async with local_stack(tmp_path, say=lambda _: None) as (stack, _):
        site = Site(stack, await Client.connect(stack.addresses.temporal, data_converter=data_converter))
        key = await (await site.start(GERMAN_CREDIT)).waiting_on("PiaApproval")
        await site.aclose()
    async with local_stack(tmp_path, say=lambda _: None) as (stack, _):
        site = Site(stack, await Client.connect(stack.addresses.temporal, data_converter=data_converter))
        run = Run(site, site.client.get_workflow_handle(workflow_id(GERMAN_CREDIT)))
        assert await run.waiting_on("PiaApproval") == key
        await run.decide("PiaApproval", "paul")
        await run.decide("ResultsApproval", "vera", "Rejected")
        result = await run.until(lambda s: s.stage == "Rejected")
        assert [d.ticket for d in result.decisions][0] == key
        assert len(await site.people.tickets_of(run.handle.id)) == 2
        await site.nothing_spins()
        await site.aclose()
