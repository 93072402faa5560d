"""Issues over plain HTTP on both editions: what is accepted, what is refused, and what the history says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.jira.errors import ISSUE_MISSING
from tests.sandbox.jira.conftest import Site, new_issue

VALID = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "A ticket"}


@pytest.fixture(scope="session")
def service(site: Site) -> Iterator[httpx.Client]:
    """The site as the service account sees it."""
    with site.client("svc-mlc") as signed_in:
        yield signed_in


@pytest.fixture(scope="session")
def paul(site: Site) -> Iterator[httpx.Client]:
    """The site as the privacy officer sees it."""
    with site.client("paul") as signed_in:
        yield signed_in


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"summary": ""}, "summary", "You must specify a summary of the issue."),
        ({"summary": "a\nb"}, "summary", "newline"),
        ({"summary": "x" * 256}, "summary", "255 characters"),
        ({"project": {"key": "NOPE"}}, "project", "valid project is required"),
        ({"issuetype": {"name": "Epic"}}, "issuetype", "valid issue type is required"),
        ({"labels": ["two words"]}, "labels", "The label 'two words' contains spaces which is invalid."),
        ({"labels": "one"}, "labels", "data was not an array"),
        ({"description": "x" * 32768}, "description", "32,767 characters"),
        ({"description": {"type": "doc"}}, "description", "must be a string"),
        ({"assignee": {"name": "nobody", "accountId": "nobody"}}, "assignee", "User 'nobody' does not exist."),
        ({"assignee": {"key": "JIRAUSER10103"}}, "assignee", "expected an object with the property"),
        ({"priority": {"name": "Urgent"}}, "priority", "The priority selected is invalid."),
        ({"customfield_99999": 1}, "customfield_99999", "cannot be set. It is not on the appropriate screen"),
        ({"status": {"name": "Done"}}, "status", "cannot be set. It is not on the appropriate screen"),
        ({"issuetype": {"name": "Story"}}, "customfield_10100", "Business unit is required."),
    ],
)
def test_a_wrong_field_is_named(service: httpx.Client, change: dict[str, Any], field: str, words: str) -> None:
    answer = service.post("/issue", json={"fields": VALID | change})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"] == []
    assert words in answer.json()["errors"][field]


def test_all_missing_fields_are_named_at_once(service: httpx.Client) -> None:
    answer = service.post("/issue", json={"fields": {}})
    assert set(answer.json()["errors"]) == {"project", "issuetype", "summary"}


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"unheard":1}', "application/json", 400),
        (b'{"fields":7}', "application/json", 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    service: httpx.Client, content: bytes, content_type: str, status: int
) -> None:
    answer = service.post("/issue", content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert answer.json()["errorMessages"] or answer.json()["errors"]


def test_half_a_surrogate_pair_is_a_clear_error(service: httpx.Client) -> None:
    body = b'{"fields":{"project":{"key":"GOV"},"issuetype":{"name":"Task"},"summary":"\\ud800"}}'
    answer = service.post("/issue", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "invalid text" in answer.text) == (400, True)
    # The connection and the next transaction are unharmed.
    assert new_issue(service)


def test_properties_are_stored_with_the_create(service: httpx.Client) -> None:
    body = {"fields": VALID, "properties": [{"key": "mlc", "value": {"gate": "PiaApproval"}}]}
    key = service.post("/issue", json=body).json()["key"]
    assert service.get(f"/issue/{key}/properties/mlc").json() == {"key": "mlc", "value": {"gate": "PiaApproval"}}
    assert service.get(f"/issue/{key}?properties=mlc").json()["properties"] == {"mlc": {"gate": "PiaApproval"}}


def test_properties_are_made_overwritten_and_removed(service: httpx.Client) -> None:
    url = f"/issue/{new_issue(service)}/properties/mlc"
    assert service.put(url, json=1).status_code == 201
    assert service.put(url, json=2).status_code == 200
    assert service.get(url).json()["value"] == 2
    assert service.delete(url).status_code == 204
    assert service.get(url).status_code == 404


def test_an_issue_is_found_by_id_and_by_key_in_any_case(service: httpx.Client) -> None:
    key = new_issue(service)
    issue = service.get(f"/issue/{key}").json()
    assert service.get(f"/issue/{issue['id']}").json()["key"] == key
    assert service.get(f"/issue/{key.lower()}").json()["key"] == key
    assert service.get(issue["self"]).json()["key"] == key


@pytest.mark.parametrize("path", ["", "/transitions", "/comment", "/remotelink", "/properties"])
def test_an_unknown_issue_is_not_there(site: Site, service: httpx.Client, path: str) -> None:
    answer = service.get(f"/issue/GOV-99999{path}")
    assert (answer.status_code, answer.json()) == (
        404,
        {"errorMessages": [ISSUE_MISSING[site.edition]], "errors": {}},
    )


def test_only_the_wanted_fields_are_returned(service: httpx.Client) -> None:
    key = new_issue(service)
    assert set(service.get(f"/issue/{key}?fields=status,labels").json()["fields"]) == {"status", "labels"}
    assert "comment" not in service.get(f"/issue/{key}?fields=-comment").json()["fields"]
    assert "changelog" not in service.get(f"/issue/{key}").json()


def test_the_history_names_who_moved_it_and_when(site: Site, service: httpx.Client, paul: httpx.Client) -> None:
    key = new_issue(service)
    assert paul.post(f"/issue/{key}/transitions", json={"transition": {"id": "31"}}).status_code == 204
    issue = service.get(f"/issue/{key}?expand=changelog").json()
    (history,) = issue["changelog"]["histories"]
    assert site.reference("paul").items() <= history["author"].items()
    assert history["created"] == issue["fields"]["updated"] == issue["fields"]["resolutiondate"]
    moved = next(item for item in history["items"] if item["field"] == "status")
    assert moved == {
        "field": "status",
        "fieldtype": "jira",
        "from": "10000",
        "fromString": "To Do",
        "to": "10002",
        "toString": "Done",
        **({"fieldId": "status"} if site.is_cloud else {}),
    }
    assert issue["fields"]["resolution"]["name"] == "Done"


def test_reopening_clears_the_resolution(service: httpx.Client, paul: httpx.Client) -> None:
    key = new_issue(service)
    paul.post(f"/issue/{key}/transitions", json={"transition": {"id": "41"}})
    assert service.get(f"/issue/{key}").json()["fields"]["resolution"]["name"] == "Won't Do"
    (reopen,) = paul.get(f"/issue/{key}/transitions").json()["transitions"]
    assert (reopen["name"], reopen["to"]["name"]) == ("Reopen", "To Do")
    paul.post(f"/issue/{key}/transitions", json={"transition": {"id": reopen["id"]}})
    fields = service.get(f"/issue/{key}").json()["fields"]
    assert (fields["status"]["name"], fields["resolution"], fields["resolutiondate"]) == ("To Do", None, None)


def test_a_move_the_workflow_does_not_offer_is_refused(service: httpx.Client) -> None:
    key = new_issue(service)
    for transition in ({"id": "51"}, {"id": "999"}, {}):
        answer = service.post(f"/issue/{key}/transitions", json={"transition": transition})
        assert answer.status_code == 400, transition
        assert answer.json()["errorMessages"]
    assert service.get(f"/issue/{key}").json()["fields"]["status"]["name"] == "To Do"


def test_of_many_moves_at_once_exactly_one_is_made(site: Site, service: httpx.Client) -> None:
    key = new_issue(service)

    def decide(transition: str) -> int:
        with site.client("vera") as vera:
            return vera.post(f"/issue/{key}/transitions", json={"transition": {"id": transition}}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(decide, ["31", "41"] * 4))
    assert sorted(answers) == [204] + [400] * 7
    histories = service.get(f"/issue/{key}?expand=changelog").json()["changelog"]["histories"]
    assert len(histories) == 1


def test_edits_are_recorded_field_by_field(site: Site, service: httpx.Client) -> None:
    key = new_issue(service, labels=["a", "b"], description="before")
    edit = {
        "fields": {"summary": "New", "description": None, "assignee": site.reference("vera")},
        "update": {"labels": [{"add": "c"}, {"remove": "a"}]},
    }
    assert service.put(f"/issue/{key}", json=edit).status_code == 204
    issue = service.get(f"/issue/{key}?expand=changelog").json()
    assert issue["fields"]["labels"] == ["b", "c"]
    items = {item["field"]: item for item in issue["changelog"]["histories"][0]["items"]}
    assert (items["labels"]["fromString"], items["labels"]["toString"]) == ("a b", "b c")
    vera = "5b10ac8d82e05b22cc710103" if site.is_cloud else "JIRAUSER10103"
    assert (items["assignee"]["to"], items["assignee"]["toString"]) == (vera, "Vera Reviewer (model risk)")
    assert (items["description"]["fromString"], items["description"]["toString"]) == ("before", None)
    assert items["summary"]["toString"] == "New"


def test_an_edit_that_changes_nothing_leaves_no_trace(service: httpx.Client) -> None:
    key = new_issue(service)
    before = service.get(f"/issue/{key}").json()["fields"]["updated"]
    assert service.put(f"/issue/{key}", json={"fields": {"summary": "A ticket"}}).status_code == 204
    issue = service.get(f"/issue/{key}?expand=changelog").json()
    assert (issue["fields"]["updated"], issue["changelog"]["total"]) == (before, 0)


def test_attachments_come_back_byte_for_byte(service: httpx.Client) -> None:
    key = new_issue(service)
    content = bytes(range(256)) * 40
    answer = service.post(
        f"/issue/{key}/attachments",
        files={"file": ("review-1a2b3c4d.docx", content, "application/octet-stream")},
        headers={"X-Atlassian-Token": "no-check"},
    )
    assert answer.status_code == 200
    (attachment,) = answer.json()
    assert (attachment["filename"], attachment["size"]) == ("review-1a2b3c4d.docx", len(content))
    assert service.get(attachment["content"], follow_redirects=True).content == content
    history = service.get(f"/issue/{key}?expand=changelog").json()["changelog"]["histories"][0]
    assert (history["items"][0]["field"], history["items"][0]["to"]) == ("Attachment", attachment["id"])
    assert service.delete(attachment["self"]).status_code == 204
    assert service.get(attachment["content"]).status_code == 404
    assert service.get(f"/issue/{key}").json()["fields"]["attachment"] == []


def test_an_upload_needs_the_xsrf_header(service: httpx.Client) -> None:
    key = new_issue(service)
    answer = service.post(f"/issue/{key}/attachments", files={"file": ("a.txt", b"a")})
    assert (answer.status_code, answer.json()["errorMessages"]) == (403, ["XSRF check failed"])


@pytest.mark.parametrize("size", [100_001, 400_000])
def test_a_file_over_the_limit_is_refused(service: httpx.Client, size: int) -> None:
    key = new_issue(service)
    assert service.get("/attachment/meta").json() == {"enabled": True, "uploadLimit": 100_000}
    answer = service.post(
        f"/issue/{key}/attachments", files={"file": ("a.bin", b"x" * size)}, headers={"X-Atlassian-Token": "no-check"}
    )
    assert answer.status_code == 413
    assert "100000 bytes" in answer.json()["errorMessages"][0]
    assert service.get(f"/issue/{key}").json()["fields"]["attachment"] == []


def test_an_empty_file_is_accepted_as_jira_does(service: httpx.Client) -> None:
    key = new_issue(service)
    answer = service.post(
        f"/issue/{key}/attachments", files={"file": ("a.txt", b"")}, headers={"X-Atlassian-Token": "no-check"}
    )
    assert answer.json()[0]["size"] == 0


def test_comments_are_added_edited_and_removed(site: Site, service: httpx.Client, paul: httpx.Client) -> None:
    key = new_issue(service)
    comment = paul.post(f"/issue/{key}/comment", json={"body": "first"}).json()
    assert site.reference("paul").items() <= comment["author"].items()
    url = f"/issue/{key}/comment/{comment['id']}"
    editor = service.put(url, json={"body": "*second*"}).json()["updateAuthor"]
    assert editor["displayName"] == "Model life cycle (service account)"
    listed = service.get(f"/issue/{key}/comment?expand=renderedBody").json()
    assert (listed["total"], listed["comments"][0]["renderedBody"]) == (1, "<p><strong>second</strong></p>")
    assert service.delete(url).status_code == 204
    assert service.get(f"/issue/{key}/comment").json()["total"] == 0
    assert service.post(f"/issue/{key}/comment", json={"body": " "}).status_code == 400


def test_a_remote_link_of_one_global_id_exists_once(service: httpx.Client) -> None:
    key = new_issue(service)
    link = {"globalId": "mlc-1", "object": {"url": "http://127.0.0.1/1", "title": "Run"}}
    first = service.post(f"/issue/{key}/remotelink", json=link)
    link["object"] = {"url": "http://127.0.0.1/2", "title": "Run again"}
    second = service.post(f"/issue/{key}/remotelink", json=link)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    (stored,) = service.get(f"/issue/{key}/remotelink").json()
    assert (stored["globalId"], stored["object"]["title"]) == ("mlc-1", "Run again")
    wrong = service.post(f"/issue/{key}/remotelink", json={"object": {"url": "http://127.0.0.1"}})
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["title"])


def test_a_deleted_issue_is_gone_with_its_key(service: httpx.Client) -> None:
    key = new_issue(service)
    assert service.delete(f"/issue/{key}").status_code == 204
    assert service.get(f"/issue/{key}").status_code == 404
    assert new_issue(service) != key


def test_the_create_screen_tells_what_it_needs(site: Site, service: httpx.Client) -> None:
    kinds = service.get("/issue/createmeta/GOV/issuetypes").json()["issueTypes" if site.is_cloud else "values"]
    required = {}
    for kind in kinds:
        page = service.get(f"/issue/createmeta/GOV/issuetypes/{kind['id']}").json()
        fields = page["fields" if site.is_cloud else "values"]
        required[kind["name"]] = {field["fieldId"] for field in fields if field["required"]}
        assert {"labels", "description"} <= {field["fieldId"] for field in fields}
    always = {"project", "issuetype", "summary"}
    assert required == {"Task": always, "Bug": always, "Story": always | {"customfield_10100"}}
    assert service.get("/issue/createmeta/NOPE/issuetypes").status_code == 400


def test_every_issue_type_has_the_four_statuses(service: httpx.Client) -> None:
    for kind in service.get("/project/GOV/statuses").json():
        categories = {status["name"]: status["statusCategory"]["key"] for status in kind["statuses"]}
        assert categories == {"To Do": "new", "In Review": "indeterminate", "Done": "done", "Rejected": "done"}


def test_permissions_differ_between_people_and_the_administrator(site: Site, service: httpx.Client) -> None:
    asked = "permissions=CREATE_ATTACHMENTS,ADMINISTER"
    mine = service.get(f"/mypermissions?projectKey=GOV&{asked}").json()["permissions"]
    assert mine["CREATE_ATTACHMENTS"]["havePermission"] is True
    assert mine["ADMINISTER"]["havePermission"] is False
    with site.client("admin") as admin:
        assert admin.get(f"/mypermissions?{asked}").json()["permissions"]["ADMINISTER"]["havePermission"] is True
    assert service.get(f"/mypermissions?projectKey=NOPE&{asked}").status_code == 404
