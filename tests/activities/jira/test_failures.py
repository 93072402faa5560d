from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from activities.jira import connection
from activities.jira.adapter import JiraAdapter
from tests.activities.jira.conftest import ON_ONE_EDITION
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

# What becomes of a failure does not depend on the edition.
pytestmark = ON_ONE_EDITION

READ = "GET .*/issue/4711"
JSON = {"Content-Type": "application/json", "Set-Cookie": "JSESSIONID=cookie-secret"}
HTML = {"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "JSESSIONID=cookie-secret"}
PAGE = "<html><head><title>Log in</title></head><body><script>steal()</script><b>Welcome</b></body></html>"


async def failure_of(call: Awaitable[object]) -> ApplicationError:
    """The error of a call, after checking that nothing of it can put secrets or markup into a history."""
    with pytest.raises(ApplicationError) as failure:
        await call
    recorded = Failure()
    DataConverter.default.failure_converter.to_failure(failure.value, DataConverter.default.payload_converter, recorded)
    for secret in ("svc-mlc-password", "c3ZjLW1sYz", "cookie-secret", "Authorization", "<b>", "steal()"):
        assert secret not in str(recorded)
    assert not recorded.HasField("cause")
    return failure.value


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (400, "Refused", True),
        (401, "Unauthorized", True),
        (403, "Forbidden", True),
        (404, "NotFound", True),
        (408, "Unavailable", False),
        (409, "Conflict", False),
        (413, "Refused", True),
        (422, "Refused", True),
        (429, "RateLimited", False),
        (500, "Unavailable", False),
        (502, "Unavailable", False),
        (503, "Unavailable", False),
        (504, "Unavailable", False),
    ],
)
async def test_every_status_has_its_kind_and_names_the_call(
    adapter: JiraAdapter, proxy: FaultyProxy, status: int, kind: str, final: bool
) -> None:
    proxy.faults.append(Fault(READ, status=status, headers=HTML, body=PAGE))
    failure = await failure_of(adapter.get("4711"))

    assert (failure.type, failure.non_retryable) == (kind, final)
    assert f"Jira answered {status} to GET issue/4711" in failure.message
    assert "Log in" not in failure.message


async def test_field_errors_keep_the_names_of_the_fields(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    body = '{"errorMessages": ["Please mend this."], "errors": {"customfield_1": "is <b>required</b>", "labels": "no"}}'
    proxy.faults.append(Fault(READ, status=400, headers=JSON, body=body))
    failure = await failure_of(adapter.get("4711"))

    assert "Please mend this.; customfield_1: is required ; labels: no" in failure.message


@pytest.mark.parametrize(
    "body",
    ['{"errorMessages": "one text"}', '{"message": "one text"}', '{"errorMessage": "one text", "errors": []}'],
)
async def test_other_shapes_of_an_error_are_read_too(adapter: JiraAdapter, proxy: FaultyProxy, body: str) -> None:
    proxy.faults.append(Fault(READ, status=400, headers=JSON, body=body))
    assert "one text" in (await failure_of(adapter.get("4711"))).message


@pytest.mark.parametrize("body", ["[]", '"text"', "null", '{"errorMessages": [], "errors": {}}', "{broken"])
async def test_an_error_without_a_message_is_told_by_its_status(
    adapter: JiraAdapter, proxy: FaultyProxy, body: str
) -> None:
    proxy.faults.append(Fault(READ, status=400, headers=JSON, body=body))
    message = (await failure_of(adapter.get("4711"))).message
    assert message == "Jira answered 400 to GET issue/4711 (mend what it complains about)"


async def test_the_limit_that_was_reached_is_named(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    headers = {"Retry-After": "2", "RateLimit-Reason": "jira-burst-based"}
    proxy.faults.append(Fault(READ, status=429, headers=headers))
    assert "jira-burst-based" in (await failure_of(adapter.get("4711"))).message


async def test_a_sign_in_that_was_locked_says_so(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    headers = {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=http://jira.example/login.jsp"}
    proxy.faults.append(Fault(READ, status=403, headers=headers, body=PAGE))
    failure = await failure_of(adapter.get("4711"))

    assert failure.type == "Forbidden"
    assert "CAPTCHA_CHALLENGE" in failure.message and "browser" in failure.message


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", timedelta(seconds=7)),
        ("2.5", timedelta(seconds=2.5)),
        ("0", timedelta(seconds=1)),
        ("999999", timedelta(hours=1)),
        ("soon", None),
        (None, None),
    ],
)
async def test_a_wait_that_jira_asks_for_is_kept(
    adapter: JiraAdapter, proxy: FaultyProxy, status: int, header: str | None, expected: timedelta | None
) -> None:
    proxy.faults.append(Fault(READ, status=status, headers={"Retry-After": header} if header else {}))
    assert (await failure_of(adapter.get("4711"))).next_retry_delay == expected


async def test_a_wait_until_a_date_is_kept(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    proxy.faults.append(Fault(READ, status=429, headers={"Retry-After": until}))
    delay = (await failure_of(adapter.get("4711"))).next_retry_delay

    assert delay and timedelta(seconds=80) < delay <= timedelta(seconds=90)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed(adapter: JiraAdapter, proxy: FaultyProxy, status: int) -> None:
    proxy.faults.append(Fault(READ, status=status, headers={"Location": f"{proxy.url}/login"}, body=PAGE))
    failure = await failure_of(adapter.get("4711"))

    assert (failure.type, failure.non_retryable) == ("UnexpectedAnswer", False)
    assert str(status) in failure.message
    assert proxy.count("GET /login") == 0


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        (HTML, PAGE, "status 200 with text/html instead of JSON"),
        ({}, "", "status 200 with no media type instead of JSON"),
        (JSON, "[]", "the body"),
        (JSON, '{"id": "4711", "key": "GOV-1", "fields": {"labels": []}}', "fields.status: Field required"),
    ],
    ids=["login page", "empty", "list", "field missing"],
)
async def test_a_success_that_makes_no_sense_is_an_error(
    adapter: JiraAdapter, proxy: FaultyProxy, headers: dict[str, str], body: str, said: str
) -> None:
    proxy.faults.append(Fault(READ, status=200, headers=headers, body=body))
    failure = await failure_of(adapter.get("4711"))

    assert (failure.type, failure.non_retryable) == ("UnexpectedAnswer", False)
    assert said in failure.message


async def test_an_answer_that_does_not_come_in_time_is_unreachable(
    adapter: JiraAdapter, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_TIMEOUT", 0.3)
    proxy.faults.append(Fault(READ, status=200, delay=1.0))
    failure = await failure_of(adapter.get("4711"))

    assert (failure.type, failure.non_retryable) == ("Unreachable", False)
    assert failure.message == "Jira did not answer GET issue/4711: ReadTimeout (tried again later)"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST .*/comment"),
        Fault("POST .*/comment", status=429, headers={"Retry-After": "1"}),
        Fault("POST .*/comment", status=503, headers={"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"}),
    ],
    ids=["cut", "429", "503"],
)
async def test_a_request_is_sent_once_whatever_goes_wrong(
    adapter: JiraAdapter, proxy: FaultyProxy, paul: Person, fault: Fault
) -> None:
    issue = paul.create()
    proxy.faults.append(fault)
    await failure_of(adapter.comment(issue["id"], mark="0" * 24, text="Hello"))

    assert proxy.count("POST .*/comment") == 1
    assert paul.comments(issue["key"]) == []


async def test_nothing_of_a_failed_call_is_logged(
    adapter: JiraAdapter, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Callable[[], Fault]] = [
        lambda: Fault(READ),
        lambda: Fault(READ, status=429, headers=JSON),
        lambda: Fault(READ, status=200, headers=HTML, body=PAGE),
    ]
    with caplog.at_level(logging.INFO):
        for make in calls:
            proxy.faults.append(make())
            await failure_of(adapter.get("4711"))

    assert [record for record in caplog.records if record.name.startswith(("jira", "activities"))] == []
