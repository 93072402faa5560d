"""What people do on Jira's pages and tests do over the sandbox's own calls, on both editions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.jira.app import SandboxSettings, create_app
from sandbox.jira.edition import Edition
from sandbox.jira.people import find_person
from tests.sandbox.jira.conftest import ANYBODY, Site, client, new_issue


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[httpx.Client]:
    """The site as the service account sees it."""
    with site.client("svc-mlc") as signed_in:
        yield signed_in


def _do(site: Site, call: str, **body: Any) -> httpx.Response:
    return ANYBODY.post(f"{site.url}/sandbox/{call}", json=body)


def test_a_moved_issue_is_found_under_its_old_key(site: Site, service: httpx.Client) -> None:
    key = new_issue(service)
    moved = _do(site, "move", issue=key, project="OPS").json()
    issue = service.get(f"/issue/{key}?expand=changelog").json()
    assert (issue["id"], issue["key"]) == (moved["id"], moved["key"])
    assert moved["key"].startswith("OPS-")
    assert issue["changelog"]["histories"][-1]["author"]["displayName"] == "Jira Administrator"
    assert site.found(service, f"key = {key}") == [moved["key"]]
    if site.is_cloud:
        bulk = service.post("/issue/bulkfetch", json={"issueIdsOrKeys": [key]}).json()
        assert ([entry["key"] for entry in bulk["issues"]], bulk["issueErrors"]) == ([moved["key"]], [])


@pytest.mark.parametrize("path", ["", "/transitions", "/comment", "/remotelink", "/properties"])
def test_a_hidden_issue_is_not_there_for_the_service_account(site: Site, service: httpx.Client, path: str) -> None:
    key = new_issue(service)
    assert _do(site, "hide", issue=key).json()["person"] == "svc-mlc"
    assert service.get(f"/issue/{key}{path}").status_code == 404
    with site.client("vera") as vera:
        assert vera.get(f"/issue/{key}{path}").status_code == 200
    _do(site, "hide", issue=key, hidden=False)
    assert service.get(f"/issue/{key}{path}").status_code == 200


def test_a_hidden_issue_is_found_by_no_search_nor_read_through_its_files(site: Site, service: httpx.Client) -> None:
    key = new_issue(service, labels=["hidden-away"])
    upload: dict[str, Any] = {"files": {"file": ("a.docx", b"a")}, "headers": {"X-Atlassian-Token": "no-check"}}
    (attachment,) = service.post(f"/issue/{key}/attachments", **upload).json()
    _do(site, "hide", issue=key)
    assert site.found(service, "labels = hidden-away") == []
    assert service.get(attachment["content"]).status_code == 404
    assert service.get(f"/attachment/{attachment['id']}").status_code == 404
    assert service.post(f"/issue/{key}/transitions", json={"transition": {"id": "31"}}).status_code == 404
    with site.client("vera") as vera:
        assert site.found(vera, "labels = hidden-away") == [key]
    if site.is_cloud:
        bulk = service.post("/issue/bulkfetch", json={"issueIdsOrKeys": [key]}).json()
        assert (bulk["issues"], [error["id"] for error in bulk["issueErrors"]]) == ([], [key])
    else:
        query = {"jql": f"key = {key}", "validateQuery": False}
        answer = service.post("/search", json=query).json()
        assert (answer["total"], len(answer["warningMessages"])) == (0, 1)


def test_a_renamed_status_has_its_new_name_everywhere_but_in_the_history(site: Site, service: httpx.Client) -> None:
    key = new_issue(service)
    service.post(f"/issue/{key}/transitions", json={"transition": {"id": "31"}})
    assert _do(site, "rename-status", status="Done", name="Approved").json() == {"id": "10002", "name": "Approved"}
    try:
        issue = service.get(f"/issue/{key}?expand=changelog").json()
        assert issue["fields"]["status"]["name"] == "Approved"
        items = issue["changelog"]["histories"][-1]["items"]
        assert "Done" in [item["toString"] for item in items if item["field"] == "status"]
        (kind, *_) = service.get("/project/GOV/statuses").json()
        assert [status["name"] for status in kind["statuses"]] == ["To Do", "In Review", "Approved", "Rejected"]
        assert key in site.found(service, "status = Approved")
        moves = service.get(f"/issue/{new_issue(service)}/transitions").json()["transitions"]
        assert ("Done", "Approved") in [(move["name"], move["to"]["name"]) for move in moves]
    finally:
        assert _do(site, "rename-status", status="10002", name="Done").status_code == 200


@pytest.mark.parametrize(
    ("call", "body", "status", "words"),
    [
        ("move", {"issue": "GOV-99999", "project": "OPS"}, 404, "Issue"),
        ("move", {"project": "OPS"}, 400, "'issue' must be a text"),
        ("move", {"issue": "GOV-1", "project": "NOPE"}, 400, "There is no project 'NOPE'"),
        ("hide", {"issue": "GOV-1", "person": "nobody"}, 400, "There is no person 'nobody'"),
        ("hide", {"issue": "GOV-1", "hidden": "yes"}, 400, "'hidden' must be true or false"),
        ("rename-status", {"status": "Finished", "name": "x"}, 400, "10002 (Done)"),
        ("rename-status", {"status": "Done", "name": "rejected"}, 400, "Another status is called 'rejected'"),
        ("hide", {"issue": "GOV-1", "who": "vera"}, 400, 'Unrecognized field \\"who\\"'),
    ],
)
def test_a_wrong_call_is_explained(sandbox: str, call: str, body: dict[str, Any], status: int, words: str) -> None:
    with client(sandbox, "svc-mlc") as service:
        new_issue(service)
    answer = ANYBODY.post(f"{sandbox}/sandbox/{call}", json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_a_page_of_another_site_cannot_call(sandbox: str) -> None:
    answer = ANYBODY.post(
        f"{sandbox}/sandbox/hide", content=b'{"issue": "GOV-1"}', headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415


async def test_what_was_hidden_and_renamed_stays_so_whichever_edition_is_played_next(tmp_path: Path) -> None:
    async with _inside(tmp_path, Edition.DATA_CENTER, "svc-mlc") as service:
        fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "A ticket"}
        key = (await service.post("/rest/api/2/issue", json={"fields": fields})).json()["key"]
        await service.post("/sandbox/hide", json={"issue": key})
        await service.post("/sandbox/rename-status", json={"status": "To Do", "name": "Open"})
    async with _inside(tmp_path, Edition.CLOUD, "svc-mlc") as service:
        assert (await service.get(f"/rest/api/2/issue/{key}")).status_code == 404
    async with _inside(tmp_path, Edition.CLOUD, "vera") as vera:
        issue = (await vera.get(f"/rest/api/2/issue/{key}")).json()
    assert issue["fields"]["status"]["name"] == "Open"


def _inside(data: Path, edition: Edition, name: str) -> httpx.AsyncClient:
    """A sandbox without a server, as one of the people."""
    person = find_person(name)
    assert person
    cloud = edition is Edition.CLOUD
    account = (person.email, person.api_token) if cloud else (person.name, person.password)
    app = create_app(SandboxSettings(data, "http://jira.example", edition=edition))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://jira.example", auth=account)
