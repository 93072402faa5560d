"""Credentials are really checked, on every route that needs them."""

from __future__ import annotations

import httpx
import pytest

from tests.sandbox.jira.conftest import ANYBODY

PROTECTED = [
    "/rest/api/2/myself",
    "/rest/api/2/project",
    "/rest/api/2/issue/GOV-1",
    "/rest/api/2/search",
    "/rest/api/2/field",
    "/rest/api/latest/attachment/meta",
    "/secure/attachment/1/report.docx",
    "/rest/jira-webhook/1.0/webhooks",
]


@pytest.mark.parametrize("path", PROTECTED)
def test_nobody_gets_in_without_credentials(sandbox: str, path: str) -> None:
    answer = ANYBODY.get(sandbox + path)
    assert answer.status_code == 401
    assert answer.json() == {
        "message": "Client must be authenticated to access this resource.",
        "status-code": 401,
    }
    assert answer.headers["www-authenticate"].startswith("OAuth realm=")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic cGF1bDp3cm9uZw=="},
        {"Authorization": "Basic not-base64"},
        {"Authorization": "Basic cGF1bA=="},
        {"Authorization": "Bearer some-other-token"},
        {"Authorization": "Bearer"},
        {"Authorization": "Digest paul"},
    ],
)
def test_wrong_credentials_are_refused_even_where_none_are_needed(sandbox: str, headers: dict[str, str]) -> None:
    for path in ("/rest/api/2/myself", "/rest/api/2/serverInfo"):
        answer = ANYBODY.get(sandbox + path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.headers["x-seraph-loginreason"] == "AUTHENTICATED_FAILED"


def test_server_info_is_readable_by_anybody(sandbox: str) -> None:
    info = ANYBODY.get(f"{sandbox}/rest/api/2/serverInfo").json()
    assert (info["deploymentType"], info["versionNumbers"], info["baseUrl"]) == ("Server", [10, 3, 24], sandbox)


@pytest.mark.parametrize("name", ["rita", "paul", "vera", "aaron", "svc-mlc", "admin"])
def test_every_person_signs_in_with_a_password(sandbox: str, name: str) -> None:
    me = ANYBODY.get(f"{sandbox}/rest/api/2/myself", auth=(name, f"{name}-password")).json()
    assert me["name"] == name
    assert me["key"] != name
    assert "accountId" not in me


def test_a_personal_access_token_is_the_service_account(sandbox: str) -> None:
    answer = ANYBODY.get(f"{sandbox}/rest/api/2/myself", headers={"Authorization": "Bearer sandbox-jira-token"})
    assert answer.json()["name"] == "svc-mlc"


def test_groups_are_told_to_everybody_but_members_only_to_administrators(sandbox: str, service: httpx.Client) -> None:
    person = service.get("/user", params={"username": "paul", "expand": "groups"}).json()
    assert "privacy-officers" in [group["name"] for group in person["groups"]["items"]]
    assert service.get("/group/member", params={"groupname": "privacy-officers"}).status_code == 403
    url = f"{sandbox}/rest/api/2/group/member"
    admin = ("admin", "admin-password")
    members = ANYBODY.get(url, params={"groupname": "privacy-officers"}, auth=admin).json()
    assert [member["name"] for member in members["values"]] == ["paul"]
    assert ANYBODY.get(url, params={"groupname": "nobody-knows"}, auth=admin).status_code == 404
