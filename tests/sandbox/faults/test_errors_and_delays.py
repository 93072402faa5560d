"""Errors in place of an answer, and answers that take their time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.faults.sites import Site


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_error_comes_instead_of_the_work(site: Site, status: int) -> None:
    work = site.work()
    with site.fault("status", status=status) as fault:
        response = site.ask(work)
        assert site.shown(fault)["strikes"][0]["worked"] is None
    assert response.status_code == status
    assert "retry-after" not in response.headers
    assert site.done(work) == 0


@pytest.mark.parametrize("status", [429, 500])
def test_the_sandbox_itself_errs_in_its_own_form(site: Site, status: int) -> None:
    with site.fault("status", status=status):
        assert site.is_own_error(site.ask(site.work()))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_errs_with_a_page(site: Site, status: int) -> None:
    with site.fault("status", status=status):
        response = site.ask(site.work())
    assert response.headers["content-type"].startswith("text/html")
    assert f"<h1>{status} " in response.text


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("seconds", "expected"), [(2, "2"), (2.5, "2.5"), (0, "0"), (3000000, "3000000")])
def test_retry_after_is_a_number(site: Site, status: int, seconds: float, expected: str) -> None:
    with site.fault("status", status=status, retry_after=seconds):
        assert site.ask(site.work()).headers["retry-after"] == expected


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_a_date_that_is_never_too_early(site: Site, status: int) -> None:
    asked = datetime.now(UTC)
    with site.fault("status", status=status, retry_after=1.5, retry_after_format="date"):
        header = site.ask(site.work()).headers["retry-after"]
    assert header.endswith(" GMT")
    wait = parsedate_to_datetime(header) - asked
    assert timedelta(seconds=1.5) <= wait <= timedelta(seconds=6)


def test_further_headers_come_with_the_error(site: Site) -> None:
    headers = {"RateLimit-Reason": "jira-burst-based", "X-RateLimit-Remaining": "0"}
    with site.fault("status", status=429, headers=headers):
        response = site.ask(site.work())
    assert {name: response.headers[name] for name in headers} == headers


def test_an_error_hides_that_the_work_was_done(site: Site) -> None:
    work = site.work()
    with site.fault("status", status=504, when="after") as fault:
        assert site.ask(work).status_code == 504
        assert site.shown(fault)["strikes"][0]["worked"] == 201
    assert site.done(work) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_changes_nothing_but_the_time(site: Site, when: str) -> None:
    work = site.work()
    with site.fault("delay", delay=0.3, when=when):
        started = time.monotonic()
        assert site.ask(work).status_code == 201
        assert time.monotonic() - started >= 0.3
    assert site.done(work) == 1


def test_work_may_be_done_after_its_client_has_given_up(site: Site) -> None:
    work = site.work()
    with site.fault("delay", delay=1.0):
        with pytest.raises(httpx.ReadTimeout):
            site.ask(work, timeout=0.2)
        assert site.done(work) == 0
        _wait_for(lambda: site.done(work) == 1)


def test_a_reply_may_be_held_back_until_its_client_gives_up(site: Site) -> None:
    work = site.work()
    with site.fault("delay", delay=1.0, when="after"):
        with pytest.raises(httpx.ReadTimeout):
            site.ask(work, timeout=0.5)
        assert site.done(work) == 1


def test_others_are_not_held_up_by_a_delay(site: Site) -> None:
    with site.fault("delay", delay=1.0):
        with pytest.raises(httpx.ReadTimeout):
            site.ask(site.work(), timeout=0.1)
        started = time.monotonic()
        site.done(site.work())
        assert time.monotonic() - started < 0.9


@pytest.mark.parametrize("effect", [{"effect": "status", "status": 503}, {"effect": "cut"}])
def test_a_delay_goes_ahead_of_any_effect(site: Site, effect: dict[str, Any]) -> None:
    with site.fault(delay=0.3, **effect):
        started = time.monotonic()
        try:
            assert site.ask(site.work()).status_code == 503
        except httpx.RemoteProtocolError:
            assert effect["effect"] == "cut"
        assert time.monotonic() - started >= 0.3


def _wait_for(condition: Any, timeout: float = 5.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
