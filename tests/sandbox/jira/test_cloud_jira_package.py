"""The `jira` package as a client of Cloud, which it recognises by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from jira import JIRA, JIRAError

TASK: dict[str, Any] = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}}


@pytest.fixture(scope="module")
def service(cloud: str) -> Iterator[JIRA]:
    """The package, signed in with e-mail address and API token."""
    account = ("svc-mlc@sandbox.invalid", "sandbox-jira-token")
    client = JIRA(cloud, basic_auth=account, max_retries=0, timeout=(2, 10))
    yield client
    client.close()


def _issue(client: JIRA, **fields: Any) -> Any:
    return client.create_issue(fields={**TASK, "summary": "A ticket", **fields}, prefetch=False)


def test_it_sees_a_cloud_site(service: JIRA) -> None:
    assert (service.deploymentType, service._version, service._is_cloud) == ("Cloud", (1001, 0, 0), True)
    assert service.myself()["accountId"] == "5b10ac8d82e05b22cc710100"


def test_a_personal_access_token_is_a_jira_error(cloud: str) -> None:
    with pytest.raises(JIRAError) as refused:
        JIRA(cloud, token_auth="sandbox-jira-token", max_retries=0, timeout=(2, 10))
    assert refused.value.status_code == 403


def test_a_client_that_does_not_know_the_edition_meets_the_removed_search(cloud: str) -> None:
    account = ("svc-mlc@sandbox.invalid", "sandbox-jira-token")
    client = JIRA(cloud, basic_auth=account, get_server_info=False, max_retries=0, timeout=(2, 10))
    with pytest.raises(JIRAError) as gone:
        client.search_issues("project = GOV")
    assert gone.value.status_code == 410


def test_a_ticket_goes_from_creation_to_a_decision(cloud: str, service: JIRA) -> None:
    label = "mlc-0123456789abcdef01234567"
    created = _issue(service, summary="Model Review: German Credit", labels=["sagemaker-mlc", label])
    attachment = service.add_attachment(created.key, io.BytesIO(b"PK\x03\x04document"), filename="review-1a2b3c4d.docx")
    # The package follows the redirection to the media link.
    assert attachment.get() == b"PK\x03\x04document"
    vera = JIRA(cloud, basic_auth=("vera@sandbox.invalid", "vera-api-token"), max_retries=0, timeout=(2, 10))
    vera.transition_issue(created.key, "done", comment="Agreed.")
    (found,) = service.search_issues(f'project = GOV AND labels = "{label}"')
    assert (found.key, found.fields.status.name) == (created.key, "Done")
    issue = service.issue(created.id, expand="changelog")
    last = issue.changelog.histories[0]
    status = next(item for item in last.items if item.field == "status")
    assert (last.author.accountId, status.to) == ("5b10ac8d82e05b22cc710103", "10002")
    assert issue.fields.comment.comments[0].body == "Agreed."


@pytest.mark.parametrize("use_post", [False, True])
def test_an_enhanced_search_follows_the_tokens(service: JIRA, use_post: bool) -> None:
    label = f"paged-{use_post}".lower()
    made = {_issue(service, labels=[label]).id for _ in range(3)}
    query = f"labels = {label}"
    page = service.enhanced_search_issues(query, maxResults=2, fields="status", use_post=use_post)
    rest = service.enhanced_search_issues(query, nextPageToken=page.nextPageToken, maxResults=2, use_post=use_post)
    assert {issue.id for issue in [*page, *rest]} == made
    reconciled = service.enhanced_search_issues(query, reconcileIssues=[int(i) for i in made], use_post=use_post)
    assert {issue.id for issue in reconciled} == made


def test_properties_links_and_prerequisites_can_be_read(service: JIRA) -> None:
    issue = _issue(service)
    service.add_issue_property(issue.key, "mlc", {"round": 1})
    assert service.issue_property(issue.key, "mlc").value.round == 1
    permissions = service.my_permissions(projectKey="GOV", permissions="TRANSITION_ISSUES")["permissions"]
    assert permissions["TRANSITION_ISSUES"]["havePermission"] is True
    kinds = {kind.name: kind for kind in service.issue_types_for_project("GOV")}
    assert [status.name for status in kinds["Task"].statuses] == ["To Do", "In Review", "Done", "Rejected"]
    assert service.attachment_meta()["enabled"] is True
