"""More deliveries than a relay takes in a second."""

from __future__ import annotations

import httpx
import pytest
from temporalio.client import Client

from relay.limits import BURST_SECONDS, DEFAULT_PER_SECOND, TokenBucket
from tests.relay.conftest import post, serving, signals, waiting_run, webhook
from worker.settings import RelaySettings


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("rate", [0.5, 1.0, 100.0])
def test_a_burst_is_taken_and_then_the_rate(rate: float) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock=clock)
    burst = max(int(rate * BURST_SECONDS), 1)
    assert [bucket.take() for _ in range(burst)] == [0] * burst
    assert bucket.take() >= 1
    clock.now += 1 / rate + 1e-6
    assert bucket.take() == 0
    assert bucket.take() >= 1


def test_the_wait_that_is_named_is_long_enough() -> None:
    clock = Clock()
    bucket = TokenBucket(0.3, clock=clock)
    while not (wait := bucket.take()):
        pass
    clock.now += wait
    assert bucket.take() == 0


def test_a_quiet_night_saves_up_no_more_than_a_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(2.0, clock=clock)
    clock.now += 8 * 3600
    assert [bucket.take() == 0 for _ in range(12)] == [True] * 8 + [False] * 4


def test_the_default_of_the_setting_is_the_relays_own() -> None:
    assert RelaySettings().max_per_second == DEFAULT_PER_SECOND


async def test_what_comes_too_fast_is_put_off_with_503_and_nothing_else_suffers(temporal: Client) -> None:
    run = await waiting_run(temporal)
    with serving(temporal, per_second=0.25) as url:
        async with httpx.AsyncClient() as http:
            for _ in range(5):
                assert (await http.post(f"{url}/webhooks/jira", content=b"{}")).status_code == 401
            taken = await post(url, webhook("GOV-1", run.id))
            put_off = await post(url, webhook("GOV-2", run.id))
            assert (await http.get(f"{url}/healthz")).status_code == 200
            assert (await http.get(f"{url}/readyz")).status_code == 200
    assert taken.status_code == 200
    assert (put_off.status_code, put_off.json()["result"]) == (503, "busy")
    assert 1 <= int(put_off.headers["Retry-After"]) <= 4
    assert [signal["issue_key"] for signal in await signals(temporal, run)] == ["GOV-1"]
