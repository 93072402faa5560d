"""Webhooks that are lost, doubled, late, or overtake each other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.faults.sites import CloudSite, JiraSite
from tests.sandbox.jira.conftest import Received, Receiver

DELIVERIES = 40


@pytest.fixture
def site(jira_site: JiraSite, receiver: Receiver) -> Iterator[JiraSite]:
    """The Jira sandbox with an empty receiver, and with reliable webhooks afterwards."""
    receiver.requests.clear()
    yield jira_site
    jira_site.client.delete("/faults")


def _stray(site: JiraSite, **setting: Any) -> None:
    response = site.client.post("/faults/webhooks", json=setting)
    assert response.status_code == 201, response.text


def _applied(site: JiraSite) -> dict[str, int]:
    applied: dict[str, int] = site.client.get("/faults/webhooks").json()["applied"]
    return applied


def _announce(site: JiraSite, count: int = 1) -> list[str]:
    return [site.ask(site.work()).json()["key"] for _ in range(count)]


def _keys(received: list[Received]) -> list[str]:
    return [json.loads(request.body)["issue"]["key"] for request in received]


def _wait_for_deliveries(site: JiraSite, count: int) -> None:
    deadline = time.monotonic() + 5
    while _applied(site)["deliveries"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_lost_webhook_never_comes_though_jira_takes_it_for_delivered(site: JiraSite, receiver: Receiver) -> None:
    _stray(site, lost=1)
    (lost,) = _announce(site)
    _wait_for_deliveries(site, 1)
    site.client.delete("/faults/webhooks")
    (told,) = _announce(site)
    assert _keys(receiver.wait_for(1)) == [told]
    log = site.client.get("/webhooks/deliveries").text
    row = log[log.index(f'data-issue="{lost}"') :]
    assert "200" in row[: row.index("</tr>")]


def test_cloud_does_not_try_a_lost_webhook_again(cloud_site: CloudSite, receiver: Receiver) -> None:
    receiver.requests.clear()
    _stray(cloud_site, lost=1)
    _announce(cloud_site)
    # Twice as long as the longest wait for another attempt.
    time.sleep(0.6)
    assert _applied(cloud_site)["deliveries"] == 1
    assert receiver.requests == []
    cloud_site.client.delete("/faults")


def test_a_doubled_webhook_comes_twice_the_same(site: JiraSite, receiver: Receiver) -> None:
    _stray(site, doubled=1)
    (key,) = _announce(site)
    first, second = receiver.wait_for(2)
    assert _keys([first]) == [key]
    assert first.body == second.body
    assert first.headers == second.headers


def test_a_late_webhook_is_overtaken(site: JiraSite, receiver: Receiver) -> None:
    _stray(site, late=1, late_by=0.5)
    started = time.monotonic()
    (late,) = _announce(site)
    _wait_for_deliveries(site, 1)
    site.client.delete("/faults/webhooks")
    (punctual,) = _announce(site)
    assert _keys(receiver.wait_for(2)) == [punctual, late]
    assert time.monotonic() - started >= 0.5


def test_shuffled_webhooks_all_come_in_another_order(site: JiraSite, receiver: Receiver) -> None:
    _stray(site, shuffled=1, shuffle_within=1, seed=3)
    keys = _announce(site, 12)
    arrived = _keys(receiver.wait_for(12))
    assert arrived != keys
    assert sorted(arrived) == sorted(keys)


def test_what_arrives_is_what_the_counts_say(site: JiraSite, receiver: Receiver) -> None:
    _stray(site, lost=0.3, doubled=0.3, late=0.2, late_by=0.2, shuffled=0.2, shuffle_within=0.2, seed=11)
    _announce(site, DELIVERIES)
    _wait_for_deliveries(site, DELIVERIES)
    applied = _applied(site)
    assert applied["deliveries"] == DELIVERIES
    assert all(0 < applied[fate] < DELIVERIES for fate in ("lost", "doubled", "late", "shuffled"))
    expected = DELIVERIES - applied["lost"] + applied["doubled"]
    receiver.wait_for(expected)
    time.sleep(0.3)
    assert len(receiver.requests) == expected
    assert len(set(_keys(receiver.requests))) == DELIVERIES - applied["lost"]


def test_the_setting_is_shown_with_its_seed(site: JiraSite) -> None:
    assert site.client.get("/faults").json()["webhooks"] is None
    _stray(site, lost=0.3)
    shown = site.client.get("/faults/webhooks").json()
    assert (shown["lost"], shown["doubled"]) == (0.3, 0.0)
    assert isinstance(shown["seed"], int)
    # Another setting replaces this one and starts its own counts.
    _announce(site)
    _wait_for_deliveries(site, 1)
    _stray(site, doubled=0.1, seed=5)
    shown = site.client.get("/faults/webhooks").json()
    assert (shown["lost"], shown["doubled"], shown["seed"], shown["applied"]["deliveries"]) == (0.0, 0.1, 5, 0)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"lost": 2}, "lost: Input should be less than or equal to 1"),
        ({"late_by": -1}, "late_by: Input should be greater than or equal to 0"),
        ({"loosed": 1}, "loosed: there is no such setting"),
    ],
)
def test_a_setting_that_makes_no_sense_is_explained(site: JiraSite, setting: dict[str, Any], words: str) -> None:
    response = site.client.post("/faults/webhooks", json=setting)
    assert (response.status_code, response.json()["errors"]) == (400, [words])
