"""Webhooks as Cloud sends them: identified, tried again on failures that may pass, without e-mail addresses."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox.jira.retries import MOST_RETRIES, RetrySchedule
from sandbox.jira.tracker import CREATED, UPDATED
from sandbox.jira.webhooks import signature
from tests.sandbox.jira.conftest import ANYBODY, RETRY_SECONDS, Receiver, cloud_client, new_issue, webhook_receiver

SECRET = "It's a Secret to Everybody"
ADMIN = ("admin@sandbox.invalid", "admin-api-token")


@pytest.fixture(scope="module")
def module_receiver() -> Iterator[Receiver]:
    """The receiver all tests here share."""
    with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(module_receiver: Receiver) -> Receiver:
    """The receiver, willing and with nothing received."""
    module_receiver.requests.clear()
    module_receiver.refusals.clear()
    return module_receiver


@pytest.fixture(scope="module")
def hooked(cloud: str, module_receiver: Receiver) -> Iterator[str]:
    """The shared Cloud site, sending signed webhooks to the receiver."""
    registration = {"name": "receiver", "url": module_receiver.url, "events": [CREATED, UPDATED], "secret": SECRET}
    made = ANYBODY.post(f"{cloud}/rest/webhooks/1.0/webhook", json=registration, auth=ADMIN)
    assert (made.status_code, made.json()["isSigned"]) == (201, True)
    assert SECRET not in made.text
    yield cloud
    ANYBODY.delete(made.json()["self"], auth=ADMIN).raise_for_status()


@pytest.fixture(scope="module")
def service(hooked: str) -> Iterator[httpx.Client]:
    """That site as the service account sees it."""
    with cloud_client(hooked, "svc-mlc") as signed_in:
        yield signed_in


def test_a_decision_is_delivered_with_its_author_but_without_addresses(
    hooked: str, service: httpx.Client, receiver: Receiver
) -> None:
    key = new_issue(service)
    with cloud_client(hooked, "paul") as paul:
        paul.post(f"/issue/{key}/transitions", json={"transition": {"id": "31"}})
    _, decided = receiver.wait_for(2)
    assert decided.headers["x-hub-signature"] == signature(SECRET, decided.body)
    body = json.loads(decided.body)
    assert (body["webhookEvent"], body["user"]["accountId"]) == (UPDATED, "5b10ac8d82e05b22cc710102")
    assert body["user"]["accountType"] == "atlassian"
    assert b"sandbox.invalid" not in decided.body
    moved = next(item for item in body["changelog"]["items"] if item["field"] == "status")
    assert (moved["fieldId"], moved["to"]) == ("status", "10002")


def test_every_delivery_has_an_identifier_of_its_own(service: httpx.Client, receiver: Receiver) -> None:
    new_issue(service)
    new_issue(service)
    received = receiver.wait_for(2)
    assert len({request.headers["x-atlassian-webhook-identifier"] for request in received}) == 2
    for request in received:
        assert request.headers["x-atlassian-webhook-flow"] == "Primary"
        assert "x-atlassian-webhook-retry" not in request.headers


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_a_failure_that_may_pass_is_tried_again_under_the_same_identifier(
    service: httpx.Client, receiver: Receiver, status: int
) -> None:
    receiver.refusals += [status, status]
    new_issue(service)
    received = receiver.wait_for(3)
    assert len({request.headers["x-atlassian-webhook-identifier"] for request in received}) == 1
    assert len({request.body for request in received}) == 1
    assert [request.headers.get("x-atlassian-webhook-retry") for request in received] == [None, "1", "2"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_is_final(service: httpx.Client, receiver: Receiver, status: int) -> None:
    receiver.refusals.append(status)
    new_issue(service)
    receiver.wait_for(1)
    time.sleep(RETRY_SECONDS * 4)
    assert len(receiver.requests) == 1


def test_nobody_there_is_tried_again(hooked: str, service: httpx.Client, receiver: Receiver) -> None:
    registration = {
        "name": "nobody",
        "url": "http://127.0.0.1:9/${issue.key}",
        "events": [CREATED],
        "filters": {"issue-related-events-section": "labels = nobody-there"},
    }
    made = ANYBODY.post(f"{hooked}/rest/webhooks/1.0/webhook", json=registration, auth=ADMIN)
    assert (made.status_code, made.json()["enabled"], made.json()["isSigned"]) == (201, True, False)
    key = new_issue(service, labels=["nobody-there"])
    deadline = time.monotonic() + 5
    while "retry 3 of 5" not in (log := ANYBODY.get(f"{hooked}/webhooks/deliveries").text):
        assert time.monotonic() < deadline, log
        time.sleep(0.05)
    assert f'<tr data-issue="{key}"' in log
    assert ANYBODY.delete(made.json()["self"], auth=ADMIN).status_code == 204


def test_a_filter_that_is_not_jql_is_refused(hooked: str) -> None:
    body = {"url": "http://127.0.0.1/", "events": [CREATED], "filters": {"issue-related-events-section": "project ="}}
    answer = ANYBODY.post(f"{hooked}/rest/webhooks/1.0/webhook", json=body, auth=ADMIN)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["filters"])


def test_there_are_five_retries_one_to_three_intervals_apart() -> None:
    schedule = RetrySchedule(10.0)
    delays = [schedule.delay("hook", retries, 503) for retries in range(MOST_RETRIES)]
    assert all(delay is not None and 10 <= delay <= 30 for delay in delays)
    assert schedule.delay("hook", MOST_RETRIES, 503) is None


def test_a_webhook_that_keeps_failing_gets_single_attempts_until_one_succeeds() -> None:
    schedule = RetrySchedule(0.01)
    assert schedule.delay("hook", 0, None) is not None
    time.sleep(0.07)
    assert schedule.delay("hook", 0, None) is None
    assert schedule.delay("other hook", 0, None) is not None
    assert schedule.delay("hook", 0, 200) is None
    assert schedule.delay("hook", 0, None) is not None
