"""The tickets as people see them in a browser, on a narrow and on a wide screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from activities.jira.activities import JiraActivities
from activities.jira.types import DecisionLine, Fact, Finding, Gate, PrerequisiteLine, TicketRequest
from tests.activities.jira.conftest import ON_ONE_EDITION, attempt
from tests.browser import chromium

PHONE, DESK = 390, 1280
LONG_NAME = "[x|http://evil.example] {panel} " + "Unbreakable" * 15
CONTENT: dict[str, Any] = {
    "model_name": LONG_NAME,
    "facts": [Fact(name="Model", value="Credit", url="http://modelop.example/#/x"), Fact(name="Use case", value="")],
    "description": "Scores loans.",
    "prerequisites": [PrerequisiteLine(name="Asset with role COMPARATOR_DATA", found=False, detail="add it")],
    "decided_on": [Fact(name="Snapshot id", value="0f0e1d2c-aaaa-bbbb-cccc-1234567890ab")],
    "decisions": [
        DecisionLine(
            gate="PiaApproval",
            ticket="GOV-1",
            url="http://jira.example/browse/GOV-1",
            verdict="DONE",
            decided_by="Paul",
            decided_at="5 March 2026, 10:00 UTC",
            comment="Register entry 112.",
        )
    ],
    "summary": "Needs attention: 1 test failed",
    "verdicts": {"PASS": 9, "FAIL": 1},
    "findings": [
        Finding(
            word="FAIL",
            test="Largest characteristic stability index (CSI)",
            subject="duration_months",
            reason="0.345 against a limit of at most 0.2",
            consequence="The population differs from the one that the model was built on.",
        )
    ],
    "error": f"Traceback\n  {'frame ' * 60}\nValueError: no label column",
    "attempt": 1,
}
FIRST_WORDS = {
    Gate.PIA: "is a SageMaker model on its way into production.",
    Gate.TEST_FAILURE: "failed (attempt 1).",
    Gate.RESULTS: "Needs attention: 1 test failed",
    Gate.PRODUCTION: "has been assessed, tested and reviewed.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@ON_ONE_EDITION
@pytest.mark.parametrize("gate", Gate)
async def test_a_ticket_is_read_without_scrolling_sideways(
    gate: Gate, jira: JiraActivities, request_for: Callable[..., TicketRequest], browser: Browser
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for(gate, **CONTENT))
    for width in (PHONE, DESK):
        page = await browser.new_page(viewport={"width": width, "height": 844})
        await page.goto(ticket.url)
        description = page.locator("#description")
        await expect(description).to_contain_text(FIRST_WORDS[gate])
        await expect(description.get_by_role("heading", name="What your decision does")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        for table in await description.locator("table").all():
            assert await table.evaluate("table => table.scrollWidth <= table.clientWidth")
        await page.close()


@ON_ONE_EDITION
async def test_what_decides_a_review_stands_before_everything_else(
    jira: JiraActivities, request_for: Callable[..., TicketRequest], browser: Browser
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for(Gate.RESULTS, **CONTENT))
    page = await browser.new_page(viewport={"width": PHONE, "height": 844})
    await page.goto(ticket.url)
    headings = await page.locator("#description h2").all_inner_texts()
    assert headings == [
        "Needs attention: 1 test failed",
        "What is asked",
        "What your decision does",
        "Key facts",
        "What the model is for",
        "Decisions so far",
    ]
    finding = page.locator("#description tr", has_text="duration_months").locator("td")
    assert await finding.all_inner_texts() == [
        "FAIL\nLargest characteristic stability index (CSI)\nduration_months",
        "0.345 against a limit of at most 0.2\nThe population differs from the one that the model was built on.",
    ]
    await page.close()
