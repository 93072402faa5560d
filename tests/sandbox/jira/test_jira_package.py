"""The `jira` package as a client: it must find everything where it looks for it on a Data Center."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from jira import JIRA, JIRAError

Fields = dict[str, Any]
TASK: Fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}}


@pytest.fixture(scope="module")
def service(sandbox: str) -> Iterator[JIRA]:
    """The package, signed in with the personal access token."""
    client = JIRA(sandbox, token_auth="sandbox-jira-token", max_retries=0, timeout=(2, 10))
    yield client
    client.close()


@pytest.fixture(scope="module")
def vera(sandbox: str) -> Iterator[JIRA]:
    """The package, signed in as the reviewer with a password."""
    client = JIRA(sandbox, basic_auth=("vera", "vera-password"), max_retries=0, timeout=(2, 10))
    yield client
    client.close()


def _issue(client: JIRA, **fields: Any) -> Any:
    return client.create_issue(fields={**TASK, "summary": "A ticket", **fields}, prefetch=False)


def test_it_sees_a_data_center(service: JIRA) -> None:
    assert (service.deploymentType, service._version, service._is_cloud) == ("Server", (10, 3, 24), False)
    assert service.myself()["name"] == "svc-mlc"


def test_a_wrong_token_is_a_jira_error(sandbox: str) -> None:
    with pytest.raises(JIRAError) as refused:
        JIRA(sandbox, token_auth="wrong", max_retries=0, timeout=(2, 10))
    assert refused.value.status_code == 401


def test_a_ticket_goes_from_creation_to_a_decision(service: JIRA, vera: JIRA) -> None:
    label = "mlc-0123456789abcdef01234567"
    created = _issue(service, summary="Model Review: German Credit", labels=["sagemaker-mlc", label])
    attachment = service.add_attachment(created.key, io.BytesIO(b"PK\x03\x04document"), filename="review-1a2b3c4d.docx")
    assert attachment.get() == b"PK\x03\x04document"

    names = {transition["name"]: transition["to"]["name"] for transition in vera.transitions(created.key)}
    assert names == {"In Review": "In Review", "Done": "Done", "Rejected": "Rejected"}
    vera.transition_issue(created.key, "done", comment="Agreed.")

    (found,) = service.search_issues(f'project = GOV AND labels = "{label}"', validate_query=False)
    assert (found.key, found.fields.status.name) == (created.key, "Done")
    issue = service.issue(created.id, expand="changelog")
    last = issue.changelog.histories[-1]
    status = next(item for item in last.items if item.field == "status")
    assert (last.author.name, status.fromString, status.toString, status.to) == ("vera", "To Do", "Done", "10002")
    assert issue.fields.comment.comments[0].body == "Agreed."
    assert [entry.filename for entry in issue.fields.attachment] == ["review-1a2b3c4d.docx"]


def test_prefetching_and_resource_methods_follow_the_self_links(service: JIRA) -> None:
    issue = service.create_issue(fields={**TASK, "summary": "Before"})
    issue.update(fields={"summary": "After"})
    issue.add_field_value("labels", "added")
    again = service.issue(issue.key)
    assert (again.fields.summary, again.fields.labels) == ("After", ["added"])
    again.delete()
    with pytest.raises(JIRAError, match="Issue Does Not Exist"):
        service.issue(issue.key)


def test_properties_links_comments_and_assignees(service: JIRA) -> None:
    issue = _issue(service)
    service.add_issue_property(issue.key, "mlc", {"round": 1})
    assert service.issue_property(issue.key, "mlc").value.round == 1
    service.add_simple_link(issue.key, {"url": "http://127.0.0.1/run", "title": "Run"})
    assert [link.object.title for link in service.remote_links(issue.key)] == ["Run"]
    service.add_comment(issue.key, "Hello")
    assert [comment.body for comment in service.comments(issue.key)] == ["Hello"]
    service.assign_issue(issue.key, "aaron")
    assert service.issue(issue.key).fields.assignee.name == "aaron"


def test_the_prerequisites_of_a_project_can_be_read(service: JIRA) -> None:
    kinds = {kind.name: kind for kind in service.issue_types_for_project("GOV")}
    assert [status.name for status in kinds["Task"].statuses] == ["To Do", "In Review", "Done", "Rejected"]
    fields = {field.fieldId: field.required for field in service.project_issue_fields("GOV", kinds["Task"].id)}
    assert (fields["summary"], fields["labels"]) == (True, False)
    assert service.attachment_meta()["enabled"] is True
    assert service.my_permissions(projectKey="GOV")["permissions"]["TRANSITION_ISSUES"]["havePermission"] is True
    assert service.project("GOV").name == "Model Governance"


def test_a_file_without_a_name_breaks_as_on_a_real_site(service: JIRA) -> None:
    with pytest.raises(JIRAError) as broken:
        service.add_attachment(_issue(service).key, io.BytesIO(b"x"))
    assert broken.value.status_code == 500


def test_a_search_by_post_is_understood(service: JIRA) -> None:
    issue = _issue(service)
    found = service.search_issues(f"key = {issue.key}", use_post=True, fields="status,updated")
    assert [hit.fields.status.name for hit in found] == ["To Do"]
