"""A search that trails behind the issues, as the index of Jira Cloud does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.faults.sites import CloudSite, JiraSite
from tests.sandbox.jira.conftest import Receiver


@pytest.fixture
def lagging(jira_site: JiraSite) -> Iterator[JiraSite]:
    """The Jira sandbox, with an index that is up to date again afterwards."""
    yield jira_site
    jira_site.client.delete("/faults")


def _lag(site: JiraSite, **setting: Any) -> None:
    response = site.client.post("/faults/search", json=setting)
    assert response.status_code == 201, response.text


def test_a_new_issue_is_found_only_after_a_while(lagging: JiraSite) -> None:
    _lag(lagging, seconds=1)
    work = lagging.work()
    key = lagging.ask(work).json()["key"]
    made = time.monotonic()
    assert lagging.done(work) == 0
    # Reading by key needs no index.
    assert lagging.client.get(f"/rest/api/2/issue/{key}").json()["fields"]["labels"] == [work.mark]
    assert lagging.client.get("/faults/search").json() == {"seconds": 1.0, "new_only": False, "hidden": 1}
    time.sleep(max(0.0, made + 1.1 - time.monotonic()))
    assert lagging.done(work) == 1


@pytest.mark.parametrize(("new_only", "found"), [(False, 0), (True, 1)])
def test_a_changed_issue_may_be_hidden_too(lagging: JiraSite, new_only: bool, found: int) -> None:
    work = lagging.work()
    key = lagging.ask(work).json()["key"]
    time.sleep(0.6)
    lagging.client.post(f"/rest/api/2/issue/{key}/comment", json={"body": "changed"})
    _lag(lagging, seconds=0.5, new_only=new_only)
    assert lagging.done(work) == found


def test_the_end_of_the_lag_shows_everything(lagging: JiraSite) -> None:
    _lag(lagging, seconds=3600)
    work = lagging.work()
    lagging.ask(work)
    assert lagging.done(work) == 0
    assert lagging.client.delete("/faults/search").json()["hidden"] == 1
    assert lagging.client.get("/faults").json()["search"] is None
    assert lagging.done(work) == 1


def test_webhook_filters_do_not_lag(lagging: JiraSite, receiver: Receiver) -> None:
    registration = {
        "url": f"{receiver.url}?filtered",
        "events": ["jira:issue_created"],
        "configuration": {"FILTERS": "labels = filtered"},
    }
    hook = lagging.client.post(
        "/rest/jira-webhook/1.0/webhooks", json=registration, auth=("admin", "admin-password")
    ).json()
    _lag(lagging, seconds=3600)
    work = lagging.work()
    work.body["fields"]["labels"].append("filtered")
    receiver.requests.clear()
    lagging.ask(work)
    # One for the filter, one for the webhook of the command line.
    assert len(receiver.wait_for(2)) == 2
    lagging.client.delete(hook["self"], auth=("admin", "admin-password"))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({}, "seconds: Field required"),
        ({"seconds": 0}, "seconds: Input should be greater than 0"),
        ({"seconds": 5, "issues": 1}, "issues: there is no such setting"),
    ],
)
def test_a_lag_that_makes_no_sense_is_explained(lagging: JiraSite, setting: dict[str, Any], words: str) -> None:
    response = lagging.client.post("/faults/search", json=setting)
    assert (response.status_code, response.json()["errors"]) == (400, [words])


def test_on_cloud_reconciled_issues_are_found_however_far_search_lags(cloud_site: CloudSite) -> None:
    _lag(cloud_site, seconds=3600)
    work = cloud_site.work()
    first, second = (cloud_site.ask(work).json()["id"] for _ in range(2))
    assert cloud_site.found(work) == []
    assert cloud_site.found(work, reconcileIssues=[int(second)]) == [{"id": second}]
    bulk = cloud_site.client.post("/rest/api/2/issue/bulkfetch", json={"issueIdsOrKeys": [first], "fields": ["labels"]})
    assert [issue["id"] for issue in bulk.json()["issues"]] == [first]
    assert cloud_site.client.delete("/faults").json()["search"]["hidden"] == 3
    assert cloud_site.done(work) == 2
