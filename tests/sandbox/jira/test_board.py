"""The pages: what their forms insist on, and a real browser in which people move tickets."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import chromium
from tests.sandbox.jira.conftest import new_issue


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def api(sandbox: str) -> AsyncIterator[httpx.AsyncClient]:
    """The REST API as the service account sees it, beside the browser."""
    base_url, account = f"{sandbox}/rest/api/2", ("svc-mlc", "svc-mlc-password")
    async with httpx.AsyncClient(base_url=base_url, auth=account, trust_env=False) as client:
        yield client


@pytest.fixture
async def page(browser: Browser, sandbox: str) -> AsyncIterator[Page]:
    """A visitor who has not said yet who they are. A script error fails the test."""
    errors: list[str] = []
    context = await browser.new_context(base_url=sandbox, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    visitor = await context.new_page()
    visitor.on("pageerror", lambda error: errors.append(str(error)))
    yield visitor
    await context.close()
    assert errors == []


async def _become(page: Page, name: str) -> None:
    async with page.expect_navigation():
        await page.select_option("#person", name)


async def test_paul_moves_a_ticket_on_the_board(page: Page, service: httpx.Client, api: httpx.AsyncClient) -> None:
    key = new_issue(service, summary="PIA Approval Request: German Credit")
    await page.goto("/")
    await _become(page, "paul")
    card = page.locator(f"[data-status='To Do'] [data-key={key}]")
    await expect(card.locator(".kind")).to_have_text("PIA Approval Request")
    await card.get_by_role("button", name=f"Move {key} to Done").click()
    await expect(page.locator(f"[data-status='Done'] [data-key={key}]")).to_be_visible()
    issue = (await api.get(f"/issue/{key}?expand=changelog")).json()
    assert issue["fields"]["status"]["name"] == "Done"
    assert issue["changelog"]["histories"][0]["author"]["name"] == "paul"


async def test_a_card_can_be_dragged_to_a_column(page: Page, service: httpx.Client, api: httpx.AsyncClient) -> None:
    key = new_issue(service, summary="Model Review: dragged")
    await page.goto("/board/GOV")
    await _become(page, "vera")
    await page.drag_and_drop(f"[data-key={key}] .card-title", "[data-status='Rejected'] h2")
    await expect(page.locator(f"[data-status='Rejected'] [data-key={key}]")).to_be_visible()
    assert (await api.get(f"/issue/{key}")).json()["fields"]["status"]["name"] == "Rejected"


async def test_who_has_not_said_who_they_are_is_told_to(
    page: Page, service: httpx.Client, api: httpx.AsyncClient
) -> None:
    key = new_issue(service)
    await page.goto(f"/browse/{key}")
    await page.get_by_role("button", name=f"Move {key} to Done").click()
    await expect(page.locator("#notice")).to_contain_text("Choose who you are first")
    assert (await api.get(f"/issue/{key}")).json()["fields"]["status"]["name"] == "To Do"


async def test_a_ticket_shows_its_document_and_takes_a_comment(
    page: Page, service: httpx.Client, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    key = new_issue(service, summary="Model Review: German Credit", description="h2. Asked\n*Please* read.")
    content = os.urandom(3000)
    await api.post(
        f"/issue/{key}/attachments",
        files={"file": ("review-1a2b3c4d.docx", content)},
        headers={"X-Atlassian-Token": "no-check"},
    )
    await page.goto(f"/browse/{key}")
    await _become(page, "vera")
    await expect(page.locator("#description h2")).to_have_text("Asked")
    async with page.expect_download() as download:
        await page.click("#attachments a")
    saved = tmp_path / "review.docx"
    await (await download.value).save_as(saved)
    assert saved.read_bytes() == content
    await page.fill("#comment", "Table 3 is unclear.")
    await page.click("#add-comment")
    await expect(page.locator(".comment .wiki")).to_have_text("Table 3 is unclear.")
    (comment,) = (await api.get(f"/issue/{key}/comment")).json()["comments"]
    assert (comment["author"]["name"], comment["body"]) == ("vera", "Table 3 is unclear.")


@pytest.mark.parametrize("width", [1280, 800])
async def test_a_long_text_in_a_table_breaks_no_short_word_beside_it(
    page: Page, service: httpx.Client, width: int
) -> None:
    meaning = "The residuals are not normally distributed; intervals that assume it are unreliable. " * 3
    key = new_issue(service, description=f"||Verdict||Value||What it means||\n|FAIL|−0.240|{meaning}|")
    await page.set_viewport_size({"width": width, "height": 900})
    await page.goto(f"/browse/{key}")
    for word in ("Verdict", "FAIL", "−0.240"):
        cell = page.locator(".wiki").get_by_text(word, exact=True)
        lines = "e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length }"
        assert await cell.evaluate(lines) == 1, word


async def test_the_pages_follow_what_others_do_without_losing_ones_own_text(
    page: Page, service: httpx.Client, api: httpx.AsyncClient
) -> None:
    key = new_issue(service, description="\n\n".join(f"line {number}" for number in range(80)))
    await page.goto(f"/browse/{key}")
    await page.fill("#comment", "half a thought")
    await page.evaluate("window.scrollTo(0, 600)")
    await api.post(f"/issue/{key}/transitions", json={"transition": {"id": "21"}})
    await expect(page.locator("#status")).to_have_text("In Review")
    await expect(page.locator("#history li").first).to_contain_text("moved it from To Do to In Review")
    await expect(page.locator("#comment")).to_have_value("half a thought")
    assert await page.evaluate("window.scrollY") == 600


async def test_a_new_ticket_appears_on_an_open_board(page: Page, service: httpx.Client) -> None:
    await page.goto("/board/OPS")
    key = new_issue(service, project={"key": "OPS"}, summary="Test Failure: Churn")
    await expect(page.locator(f"[data-key={key}]")).to_be_visible()


async def test_a_moved_ticket_is_found_under_both_keys(
    page: Page, service: httpx.Client, api: httpx.AsyncClient
) -> None:
    key = new_issue(service)
    issue_id = (await api.get(f"/issue/{key}")).json()["id"]
    await page.goto(f"/browse/{key}")
    await _become(page, "rita")
    async with page.expect_navigation(url=re.compile(r"/browse/OPS-\d+$")):
        await page.click("#move-project")
    moved = (await api.get(f"/issue/{key}?expand=changelog")).json()
    assert moved["id"] == issue_id
    assert moved["key"].startswith("OPS-")
    fields = {item["field"]: item["toString"] for item in moved["changelog"]["histories"][0]["items"]}
    assert fields == {"project": "Model Operations", "Key": moved["key"]}
    found = (await api.get("/search", params={"jql": f"key = {key}"})).json()["issues"]
    assert [issue["key"] for issue in found] == [moved["key"]]


def _form_token(page: str) -> str:
    match = re.search(r'name="form_token" value="(\w+)"', page)
    assert match
    return match[1]


def test_a_form_of_another_session_is_refused(sandbox: str, service: httpx.Client) -> None:
    key = new_issue(service)
    with httpx.Client(base_url=sandbox) as visitor, httpx.Client(base_url=sandbox) as stranger:
        token = _form_token(visitor.get("/board/GOV").text)
        assert visitor.post("/session", data={"form_token": token, "person": "paul"}).status_code == 303
        foreign = _form_token(stranger.get("/board/GOV").text)
        for wrong in ("", foreign):
            answer = visitor.post(f"/browse/{key}/transition", data={"form_token": wrong, "transition": "31"})
            assert (answer.status_code, "out of date" in answer.text) == (403, True)
        assert service.get(f"/issue/{key}").json()["fields"]["status"]["name"] == "To Do"
        accepted = visitor.post(f"/browse/{key}/transition", data={"form_token": token, "transition": "31"})
        assert accepted.headers["location"] == f"/browse/{key}"
    assert service.get(f"/issue/{key}").json()["fields"]["status"]["name"] == "Done"


def test_a_forged_session_is_nobody(sandbox: str) -> None:
    forged = {"Cookie": "jira-sandbox-session=00.paul.00"}
    assert "selected" not in httpx.get(f"{sandbox}/board/GOV", headers=forged).text
    answer = httpx.get(f"{sandbox}/secure/attachment/1/a.docx", headers=forged)
    assert answer.status_code == 401


def test_nobody_acts_as_the_service_account_on_the_board(sandbox: str) -> None:
    with httpx.Client(base_url=sandbox) as visitor:
        token = _form_token(visitor.get("/board/GOV").text)
        answer = visitor.post("/session", data={"form_token": token, "person": "svc-mlc"})
        assert answer.status_code == 403


@pytest.mark.parametrize("target", ["https://example.org/", "//example.org/", "/\\example.org"])
def test_a_form_never_leads_to_another_site(sandbox: str, target: str) -> None:
    with httpx.Client(base_url=sandbox) as visitor:
        token = _form_token(visitor.get("/board/GOV").text)
        data = {"form_token": token, "person": "paul", "return_to": target}
        assert visitor.post("/session", data=data).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/browse/GOV-99999", "/board/NOPE", "/nothing/here"])
def test_what_is_not_there_has_a_page_that_leads_back(sandbox: str, path: str) -> None:
    answer = httpx.get(sandbox + path)
    assert answer.status_code == 404
    assert "Back to the board" in answer.text


def test_the_text_of_a_ticket_cannot_run_as_script(sandbox: str, service: httpx.Client) -> None:
    attack = "<img src=x onerror=alert(1)>"
    key = new_issue(service, summary=f"Model Review: {attack}", description=attack, labels=["<b>"])
    service.post(f"/issue/{key}/comment", json={"body": attack})
    link = {"object": {"url": "javascript:alert(1)", "title": attack}}
    service.post(f"/issue/{key}/remotelink", json=link)
    for path in (f"/browse/{key}", "/board/GOV"):
        page = httpx.get(sandbox + path)
        assert attack not in page.text
        assert "javascript:alert" not in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
