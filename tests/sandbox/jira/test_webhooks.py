"""Webhooks as Data Center sends them: signed, after the change, once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.jira import scheme
from sandbox.jira.people import PEOPLE
from sandbox.jira.representation import Representation
from sandbox.jira.store import Store
from sandbox.jira.tracker import CREATED, DELETED, UPDATED, Tracker
from sandbox.jira.webhooks import Dispatcher, Outcome, Outgoing, signature
from tests.processes import free_port
from tests.sandbox.jira.conftest import Receiver, StartSandbox, client, new_issue, webhook_receiver

SECRET = "It's a Secret to Everybody"
ADMIN = ("admin", "admin-password")


@pytest.fixture(scope="module")
def module_receiver() -> Iterator[Receiver]:
    """The receiver all tests here share."""
    with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(module_receiver: Receiver) -> Receiver:
    """The receiver, quick and with nothing received."""
    module_receiver.requests.clear()
    module_receiver.delay_seconds = 0.0
    return module_receiver


@pytest.fixture(scope="module")
def hooked(
    start_sandbox: StartSandbox, module_receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A sandbox that sends signed webhooks to the receiver."""
    options = ("--webhook-url", module_receiver.url, "--webhook-secret", SECRET)
    with start_sandbox(tmp_path_factory.mktemp("webhooks") / "data", *options) as server:
        yield server.url


def test_the_signature_is_the_one_atlassian_publishes() -> None:
    expected = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert signature(SECRET, b"Hello World!") == expected


def test_every_step_of_a_ticket_is_delivered_signed_and_in_order(hooked: str, receiver: Receiver) -> None:
    with client(hooked, "svc-mlc") as service, client(hooked, "paul") as paul:
        key = new_issue(service, labels=["sagemaker-mlc-1"])
        service.post(
            f"/issue/{key}/attachments",
            files={"file": ("a.docx", b"a")},
            headers={"X-Atlassian-Token": "no-check"},
        )
        decision: dict[str, Any] = {
            "transition": {"id": "31"},
            "update": {"comment": [{"add": {"body": "fine"}}]},
        }
        paul.post(f"/issue/{key}/transitions", json=decision)
        service.delete(f"/issue/{key}")

    received = receiver.wait_for(4)
    for request in received:
        expected = "sha256=" + hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-hub-signature"] == expected
    created, attached, decided, deleted = (json.loads(request.body) for request in received)
    assert [body["webhookEvent"] for body in (created, attached, decided, deleted)] == [
        CREATED,
        UPDATED,
        UPDATED,
        DELETED,
    ]
    assert "changelog" not in created
    assert "changelog" not in deleted
    assert attached["changelog"]["items"][0]["field"] == "Attachment"
    assert decided["issue_event_type_name"] == "issue_generic"
    assert decided["user"]["name"] == "paul"
    assert "accountId" not in decided["user"]
    assert (decided["issue"]["key"], decided["issue"]["fields"]["labels"]) == (key, ["sagemaker-mlc-1"])
    assert decided["issue"]["fields"]["status"]["name"] == "Done"
    moved = next(item for item in decided["changelog"]["items"] if item["field"] == "status")
    assert (moved["fromString"], moved["toString"], moved["to"]) == ("To Do", "Done", "10002")
    assert decided["comment"]["body"] == "fine"
    assert deleted["issue"]["fields"]["attachment"][0]["filename"] == "a.docx"


def test_a_webhook_nobody_takes_is_lost_and_disturbs_nothing(sandbox: str, service: httpx.Client) -> None:
    registration = {
        "url": f"http://127.0.0.1:{free_port()}/hook",
        "events": [CREATED],
        "configuration": {"FILTERS": "labels = nobody-listens"},
    }
    made = httpx.post(f"{sandbox}/rest/jira-webhook/1.0/webhooks", json=registration, auth=ADMIN).json()
    key = new_issue(service, labels=["nobody-listens"])
    assert service.get(f"/issue/{key}").status_code == 200
    line = f'<tr data-issue="{key}"'
    log = _page_with(f"{sandbox}/webhooks/deliveries", line)
    assert "ConnectError" in log
    # One attempt only: the log still has one line after a while.
    time.sleep(0.5)
    assert httpx.get(f"{sandbox}/webhooks/deliveries").text.count(line) == 1
    assert httpx.delete(made["self"], auth=ADMIN).status_code == 204


def _page_with(url: str, words: str) -> str:
    deadline = time.monotonic() + 5
    while words not in (page := httpx.get(url).text):
        assert time.monotonic() < deadline, page
        time.sleep(0.02)
    return page


def test_a_slow_receiver_holds_nobody_up(hooked: str, receiver: Receiver) -> None:
    receiver.delay_seconds = 1.0
    with client(hooked, "svc-mlc") as service:
        started = time.monotonic()
        new_issue(service)
        assert time.monotonic() - started < 0.9
    assert receiver.requests == []
    receiver.wait_for(1)


def test_webhooks_are_registered_over_rest_with_a_filter(hooked: str, receiver: Receiver) -> None:
    url = f"{hooked}/rest/jira-webhook/1.0/webhooks"
    registration = {
        "name": "operations",
        "url": f"{receiver.url}?key={{issue.key}}",
        "events": [CREATED],
        "configuration": {"FILTERS": "project = OPS", "SECRET": "other"},
    }
    assert httpx.post(url, json=registration, auth=("svc-mlc", "svc-mlc-password")).status_code == 403
    made = httpx.post(url, json=registration, auth=ADMIN)
    assert (made.status_code, made.json()["isSigned"]) == (201, True)
    assert "other" not in httpx.get(url, auth=ADMIN).text
    with client(hooked, "svc-mlc") as service:
        new_issue(service)
        new_issue(service, project={"key": "OPS"})
    # The unfiltered webhook of the command line gets both, this one only the second.
    received = receiver.wait_for(3)
    signatures = [request.headers["x-hub-signature"] for request in received]
    assert sum(s == signature("other", r.body) for s, r in zip(signatures, received, strict=True)) == 1
    assert httpx.delete(made.json()["self"], auth=ADMIN).status_code == 204
    assert [hook["name"] for hook in httpx.get(url, auth=ADMIN).json()] == ["command line"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "ftp://127.0.0.1"}, "url"),
        ({"events": ["sprint_started"]}, "events"),
        ({"events": []}, "events"),
        ({"configuration": {"FILTERS": "project ="}}, "configuration"),
    ],
)
def test_a_registration_that_cannot_work_is_refused(sandbox: str, change: dict[str, Any], field: str) -> None:
    body = {"url": "http://127.0.0.1/hook", "events": [CREATED]} | change
    answer = httpx.post(f"{sandbox}/rest/jira-webhook/1.0/webhooks", json=body, auth=ADMIN)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


async def test_a_delivery_that_breaks_does_not_stop_the_ones_behind_it(tmp_path: Path) -> None:
    sent: list[Outgoing] = []
    both_sent = asyncio.Event()

    async def deliver(outgoing: Outgoing) -> Outcome:
        sent.append(outgoing)
        if len(sent) == 1:
            raise RuntimeError("broken")
        both_sent.set()
        return Outcome(200)

    store = Store(tmp_path / "jira.sqlite3")
    store.insert_webhook("test", "http://127.0.0.1/{issue.id}", [CREATED, UPDATED], "", None, active=True)
    dispatcher = Dispatcher(store, Representation("http://127.0.0.1", store), deliver)
    dispatcher.start()
    tracker = Tracker(store, dispatcher.announce)
    values = {"project": scheme.PROJECTS[0], "issuetype": scheme.TASK, "summary": "A ticket"}
    issue = tracker.create(values, {}, PEOPLE[0])
    tracker.transition(issue, "31", PEOPLE[1])
    await asyncio.wait_for(both_sent.wait(), 5)
    await dispatcher.stop()
    assert [entry.error for entry in store.deliveries(10)] == [None, "RuntimeError: broken"]
    assert [outgoing.url for outgoing in sent] == [f"http://127.0.0.1/{issue.id}"] * 2
    store.close()
