"""What Data Center does not have, though Cloud does."""

from __future__ import annotations

import httpx
import pytest

from tests.sandbox.jira.conftest import ANYBODY, new_issue


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/rest/api/2/search/jql?jql=project=GOV"),
        ("POST", "/rest/api/2/search/jql"),
        ("POST", "/rest/api/2/issue/bulkfetch"),
        ("GET", "/rest/api/2/attachment/content/1"),
        ("GET", "/rest/api/2/user/bulk?accountId=5b10ac8d82e05b22cc710102"),
        ("GET", "/rest/api/3/myself"),
        ("GET", "/rest/webhooks/1.0/webhook"),
    ],
)
def test_calls_of_cloud_are_not_there(service: httpx.Client, sandbox: str, method: str, path: str) -> None:
    assert service.request(method, sandbox + path).status_code == 404


def test_the_history_has_no_pages(service: httpx.Client) -> None:
    assert service.get(f"/issue/{new_issue(service)}/changelog").status_code == 404


def test_account_ids_are_unknown(service: httpx.Client) -> None:
    account = {"accountId": "5b10ac8d82e05b22cc710102"}
    assert service.get("/user", params=account).status_code == 400
    assert "accountId" not in service.get("/myself").json()
    answer = service.put(f"/issue/{new_issue(service)}/assignee", json=account)
    assert (answer.status_code, "'name'" in answer.json()["errors"]["assignee"]) == (400, True)


def test_a_throttled_client_is_told_the_rate(sandbox: str, service: httpx.Client) -> None:
    fault = {"effect": "status", "status": 429, "path": "/rest/api/2/field", "times": 1}
    ANYBODY.post(f"{sandbox}/faults", json=fault).raise_for_status()
    headers = service.get("/field").headers
    assert (headers["x-ratelimit-fillrate"], headers["x-ratelimit-interval-seconds"]) == ("100", "1")
    assert "ratelimit-reason" not in headers
