"""What only Cloud does: signing in, naming people, searching, bulk reads, downloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.jira.conftest import ANYBODY, cloud_client, new_issue

PAUL = "5b10ac8d82e05b22cc710102"


@pytest.fixture(scope="module")
def service(cloud: str) -> Iterator[httpx.Client]:
    """The shared Cloud site as the service account sees it."""
    with cloud_client(cloud, "svc-mlc") as signed_in:
        yield signed_in


@pytest.fixture(scope="module")
def many(service: httpx.Client) -> list[str]:
    """The keys of five issues labelled `many`, oldest first."""
    return [new_issue(service, summary=f"Ticket {number}", labels=["many"]) for number in range(5)]


def test_it_says_that_it_is_cloud(cloud: str) -> None:
    info = ANYBODY.get(f"{cloud}/rest/api/2/serverInfo").json()
    assert (info["deploymentType"], info["versionNumbers"], info["baseUrl"]) == ("Cloud", [1001, 0, 0], cloud)


@pytest.mark.parametrize(
    ("account", "status"),
    [
        (("svc-mlc@sandbox.invalid", "sandbox-jira-token"), 200),
        (("PAUL@sandbox.invalid", "paul-api-token"), 200),
        (("paul@sandbox.invalid", "paul-password"), 401),
        (("paul", "paul-api-token"), 401),
        (("nobody@sandbox.invalid", "nobody-api-token"), 401),
    ],
)
def test_people_sign_in_with_email_address_and_api_token(cloud: str, account: tuple[str, str], status: int) -> None:
    assert ANYBODY.get(f"{cloud}/rest/api/2/myself", auth=account).status_code == status


def test_a_personal_access_token_is_refused(cloud: str) -> None:
    answer = ANYBODY.get(f"{cloud}/rest/api/2/myself", headers={"Authorization": "Bearer sandbox-jira-token"})
    assert (answer.status_code, list(answer.json())) == (403, ["error"])


def test_people_are_account_ids_and_keep_their_email_address(service: httpx.Client) -> None:
    myself = service.get("/myself").json()
    assert myself["emailAddress"] == "svc-mlc@sandbox.invalid"
    paul = service.get("/user", params={"accountId": PAUL, "expand": "groups"}).json()
    assert (paul["accountId"], paul["accountType"]) == (PAUL, "atlassian")
    assert not {"name", "key", "emailAddress"} & set(paul)
    assert "privacy-officers" in [group["name"] for group in paul["groups"]["items"]]
    (automation,) = service.get("/user/search", params={"query": "automation"}).json()
    assert automation["accountType"] == "app"


@pytest.mark.parametrize("query", [{"username": "paul"}, {"key": "JIRAUSER10102"}, {}])
def test_user_names_and_keys_are_unknown(service: httpx.Client, query: dict[str, str]) -> None:
    assert service.get("/user", params=query).status_code == 400


def test_approvers_can_be_read(service: httpx.Client) -> None:
    found = service.get("/user/bulk", params={"accountId": [PAUL, "nobody"]}).json()
    assert ([user["accountId"] for user in found["values"]], found["isLast"]) == ([PAUL], True)
    by_name = service.get("/group/member", params={"groupname": "privacy-officers"}).json()
    assert [user["accountId"] for user in by_name["values"]] == [PAUL]
    (group,) = [g for g in service.get("/user/groups", params={"accountId": PAUL}).json() if "privacy" in g["name"]]
    by_id = service.get("/group/member", params={"groupId": group["groupId"]}).json()
    assert by_id["values"] == by_name["values"]
    assert service.get("/group/member", params={"groupname": "nobody-knows"}).status_code == 404
    assert service.get("/group/member").status_code == 400
    assert service.get("/user/bulk").status_code == 400


@pytest.mark.parametrize("path", ["/rest/api/2/search", "/rest/api/3/search"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_search_by_offset_is_gone(cloud: str, method: str, path: str) -> None:
    answer = ANYBODY.request(method, cloud + path, auth=("svc-mlc@sandbox.invalid", "sandbox-jira-token"))
    assert answer.status_code == 410
    assert "/rest/api/3/search/jql" in answer.json()["errorMessages"][0]


def test_version_3_says_that_it_is_not_played(cloud: str) -> None:
    answer = ANYBODY.get(f"{cloud}/rest/api/3/issue/GOV-1")
    assert (answer.status_code, "/rest/api/2/issue/GOV-1" in answer.text) == (501, True)


def test_a_search_returns_ids_unless_fields_are_asked_for(service: httpx.Client) -> None:
    key = new_issue(service)
    query = {"jql": f"key = {key}"}
    answer = service.get("/search/jql", params=query).json()
    assert answer == {"issues": [{"id": service.get(f"/issue/{key}").json()["id"]}], "isLast": True}
    (issue,) = service.get("/search/jql", params={**query, "fields": "status,labels"}).json()["issues"]
    assert (issue["key"], set(issue["fields"])) == (key, {"status", "labels"})
    (issue,) = service.post("/search/jql", json={**query, "fields": ["*all"], "expand": "changelog"}).json()["issues"]
    assert (issue["fields"]["comment"]["total"], issue["changelog"]["histories"]) == (0, [])


def test_tokens_lead_through_all_pages(service: httpx.Client, many: list[str]) -> None:
    query: dict[str, Any] = {"jql": "labels = many ORDER BY key", "fields": ["key"], "maxResults": 2}
    keys: list[str] = []
    while True:
        page = service.post("/search/jql", json=query).json()
        assert "total" not in page
        keys += [issue["key"] for issue in page["issues"]]
        if page["isLast"]:
            break
        query["nextPageToken"] = page["nextPageToken"]
    assert ("nextPageToken" in page, keys) == (False, many)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "Unbounded JQL queries are not allowed here."),
        ({"jql": "ORDER BY created"}, "Unbounded JQL queries are not allowed here."),
        ({"jql": "project ="}, "Expecting either a value, list or function"),
        ({"jql": "project = GOV ORDER BY " + ", ".join(["key"] * 8)}, "ORDER BY clause may name 7 fields"),
        ({"jql": "assignee = paul"}, "The value 'paul' does not exist for the field 'assignee'."),
        ({"jql": "project = GOV", "nextPageToken": "made-up"}, "'nextPageToken' is invalid"),
        ({"jql": "project = GOV", "reconcileIssues": list(range(51))}, "may name 50 issues, not 51"),
        ({"jql": "project = GOV", "startAt": 1}, 'Unrecognized field "startAt"'),
    ],
)
def test_a_search_that_cannot_be_answered_is_refused(service: httpx.Client, query: dict[str, Any], words: str) -> None:
    answer = service.post("/search/jql", json=query)
    assert answer.status_code == 400
    assert words in answer.json()["errorMessages"][0]


def test_a_token_of_another_query_is_refused(service: httpx.Client, many: list[str]) -> None:
    token = service.post("/search/jql", json={"jql": "labels = many", "maxResults": 1}).json()["nextPageToken"]
    answer = service.post("/search/jql", json={"jql": "project = GOV", "nextPageToken": token})
    assert answer.status_code == 400


@pytest.mark.parametrize("who", [PAUL, '"paul@sandbox.invalid"'])
def test_queries_name_people_by_account_id_or_email_address(service: httpx.Client, who: str) -> None:
    key = new_issue(service, assignee={"accountId": PAUL})
    found = service.get("/search/jql", params={"jql": f"assignee = {who} AND key = {key}"}).json()
    assert len(found["issues"]) == 1


def test_reconciled_issues_are_found_however_far_the_index_is_behind(cloud: str, service: httpx.Client) -> None:
    ANYBODY.post(f"{cloud}/faults/search", json={"seconds": 60}).raise_for_status()
    try:
        issue_id = service.get(f"/issue/{new_issue(service, labels=['late'])}").json()["id"]
        query: dict[str, Any] = {"jql": "labels = late"}
        assert service.post("/search/jql", json=query).json()["issues"] == []
        found = service.post("/search/jql", json={**query, "reconcileIssues": [int(issue_id)]}).json()
        assert found["issues"] == [{"id": issue_id}]
        by_query = service.get("/search/jql", params={**query, "reconcileIssues": issue_id}).json()
        assert by_query["issues"] == [{"id": issue_id}]
    finally:
        ANYBODY.delete(f"{cloud}/faults/search").raise_for_status()


def test_issues_are_read_in_bulk(service: httpx.Client, many: list[str]) -> None:
    first, _, third, *_ = many
    first_id = service.get(f"/issue/{first}").json()["id"]
    wanted = {"issueIdsOrKeys": [third.lower(), first_id, "GOV-99999", first], "fields": ["status"]}
    answer = service.post("/issue/bulkfetch", json=wanted).json()
    assert [(issue["key"], set(issue["fields"])) for issue in answer["issues"]] == [
        (first, {"status"}),
        (third, {"status"}),
    ]
    (error,) = answer["issueErrors"]
    assert (error["id"], "does not exist" in error["errorMessage"]) == ("GOV-99999", True)


@pytest.mark.parametrize("wanted", [[], [f"GOV-{number}" for number in range(101)], "GOV-1", None])
def test_a_bulk_read_of_none_or_too_many_is_refused(service: httpx.Client, wanted: object) -> None:
    assert service.post("/issue/bulkfetch", json={"issueIdsOrKeys": wanted}).status_code == 400


def test_the_whole_history_comes_in_pages_and_the_recent_one_newest_first(service: httpx.Client) -> None:
    key = new_issue(service)
    for number in range(3):
        service.put(f"/issue/{key}", json={"fields": {"summary": f"Version {number}"}})
    recent = service.get(f"/issue/{key}?expand=changelog").json()["changelog"]
    assert [entry["items"][0]["toString"] for entry in recent["histories"]] == ["Version 2", "Version 1", "Version 0"]
    first = service.get(f"/issue/{key}/changelog?maxResults=2").json()
    assert (first["total"], first["isLast"]) == (3, False)
    second = service.get(first["nextPage"]).json()
    texts = [entry["items"][0]["toString"] for page in (first, second) for entry in page["values"]]
    assert (texts, second["isLast"], "nextPage" in second) == (["Version 0", "Version 1", "Version 2"], True, False)


def test_bytes_come_directly_or_over_a_link_that_needs_no_account(cloud: str, service: httpx.Client) -> None:
    upload: dict[str, Any] = {
        "files": {"file": ("a b.docx", b"document")},
        "headers": {"X-Atlassian-Token": "no-check"},
    }
    (attachment,) = service.post(f"/issue/{new_issue(service)}/attachments", **upload).json()
    assert attachment["content"] == f"{cloud}/rest/api/2/attachment/content/{attachment['id']}"
    assert service.get(f"/attachment/{attachment['id']}").json()["id"] == int(attachment["id"])
    direct = service.get(attachment["content"], params={"redirect": "false"})
    assert (direct.status_code, direct.content) == (200, b"document")
    leading = service.get(attachment["content"])
    assert leading.status_code == 303
    link = leading.headers["location"]
    assert ANYBODY.get(link).content == b"document"
    assert ANYBODY.get(link[:-1]).status_code == 403
    assert ANYBODY.get(attachment["content"]).status_code == 401


@pytest.mark.parametrize("query", ["", "?permissions=", "?permissions=BROWSE_PROJECTS,FLY"])
def test_permissions_must_be_named(service: httpx.Client, query: str) -> None:
    assert service.get(f"/mypermissions{query}").status_code == 400


def test_only_the_named_permissions_are_told(service: httpx.Client) -> None:
    answer = service.get("/mypermissions?permissions=BROWSE_PROJECTS,CREATE_ATTACHMENTS").json()
    assert set(answer["permissions"]) == {"BROWSE_PROJECTS", "CREATE_ATTACHMENTS"}


def test_a_throttled_client_is_told_why(cloud: str, service: httpx.Client) -> None:
    fault = {"effect": "status", "status": 429, "path": "/rest/api/2/field", "retry_after": 7, "times": 1}
    ANYBODY.post(f"{cloud}/faults", json=fault).raise_for_status()
    headers = service.get("/field").headers
    assert (headers["retry-after"], headers["x-ratelimit-remaining"]) == ("7", "0")
    assert (headers["ratelimit-reason"], headers["x-ratelimit-nearlimit"]) == ("jira-burst-based", "true")
    assert headers["x-ratelimit-reset"].endswith("Z")
    assert service.get("/field").status_code == 200
