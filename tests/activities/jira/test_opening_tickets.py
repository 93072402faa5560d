from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.jira import connection
from activities.jira.activities import JiraActivities
from activities.jira.settings import JiraSettings
from activities.jira.types import Gate, TicketRequest
from tests.activities.jira.conftest import MakeSettings, attempt
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.activities.jira.people import Person
from tests.processes import free_port

RequestFor = Callable[..., TicketRequest]
MakeJira = Callable[[JiraSettings], JiraActivities]

CREATE, SEARCH = "POST .*/issue", "POST .*/search(/jql)?"
REMOTE_LINK = "POST .*/remotelink"
NOT_INDEXED_YET = Fault(
    SEARCH, status=200, headers={"Content-Type": "application/json"}, body='{"issues": [], "total": 0, "isLast": true}'
)


async def test_a_ticket_is_opened_with_the_labels_by_which_it_is_found_again(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, paul: Person, jira_url: str
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for())

    fields = paul.get(f"issue/{ticket.key}")["fields"]
    assert fields["summary"] == "PIA Approval Request: German Credit"
    assert set(fields["labels"]) == {"sagemaker-mlc", run.workflow_id, f"mlc-{run.mark(Gate.PIA, 1)}"}
    assert fields["project"]["key"] == "GOV"
    assert fields["issuetype"]["name"] == "Task"
    assert (ticket.url, ticket.adopted) == (f"{jira_url}/browse/{ticket.key}", False)


async def test_a_ticket_links_to_its_run_in_temporal_and_names_it_in_a_property(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for())

    (link,) = paul.get(f"issue/{ticket.key}/remotelink")
    assert link["globalId"] == f"mlc-{run.mark(Gate.PIA, 1)}"
    assert link["object"]["url"] == "http://temporal.example:8233/namespaces/default/workflows/test/test-run"
    told = paul.get(f"issue/{ticket.key}/properties/sagemaker-mlc")["value"]
    assert told == {"workflowId": run.workflow_id, "gate": "PiaApproval", "round": 1}


async def test_each_gate_has_its_own_project_type_assignee_priority_and_mandatory_fields(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, paul: Person, vera: Person
) -> None:
    gates = {
        "results": {
            "project": "OPS",
            "issue_type": "Story",
            "assignee": vera.id,
            "priority": "High",
            "fields": {"customfield_10100": "Retail"},
        }
    }
    jira = make_jira(make_settings(gates=gates))

    ticket = await attempt().run(jira.open_ticket, request_for(Gate.RESULTS))

    fields = paul.get(f"issue/{ticket.key}")["fields"]
    assert ticket.key.startswith("OPS-")
    assert (fields["issuetype"]["name"], paul.id_of(fields["assignee"])) == ("Story", vera.id)
    assert (fields["priority"]["name"], fields["customfield_10100"]) == ("High", "Retail")


async def test_a_mandatory_field_that_is_not_set_is_named_and_nothing_is_tried_again(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    jira = make_jira(make_settings(issue_type="Story"))

    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())

    assert failure.value.type == "Refused"
    assert failure.value.non_retryable
    assert "customfield_10100" in failure.value.message
    assert paul.labelled(run.workflow_id) == []


@pytest.mark.parametrize(
    "name", ["Überschuldungsprognose 模型 🏦", "n" * 200, "n" * 300, "two\nlines\tand a tab", "  ", "<b>bold</b> & co"]
)
async def test_any_model_name_makes_a_summary_of_one_line(
    jira: JiraActivities, request_for: RequestFor, paul: Person, name: str
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for(model_name=name))

    summary = paul.get(f"issue/{ticket.key}")["fields"]["summary"]
    expected = f"PIA Approval Request: {' '.join(name.split()) or '6e5a1f0c'}"
    assert summary == (expected if len(expected) <= 255 else expected[:254] + "…")


async def test_the_key_is_the_first_and_only_heartbeat(jira: JiraActivities, request_for: RequestFor) -> None:
    heartbeats: list[Any] = []
    environment = attempt()
    environment.on_heartbeat = lambda *details: heartbeats.append(details)

    ticket = await environment.run(jira.open_ticket, request_for())

    assert heartbeats == [({"key": ticket.key, "issue_id": ticket.issue_id},)]


async def test_a_step_that_was_never_asked_before_is_created_without_a_search(
    jira: JiraActivities, request_for: RequestFor, proxy: FaultyProxy
) -> None:
    await attempt().run(jira.open_ticket, request_for(never_asked=True))

    assert (proxy.count(CREATE), proxy.count(SEARCH)) == (1, 0)


async def test_asking_again_for_the_same_round_yields_the_same_ticket(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    first = await attempt().run(jira.open_ticket, request_for())
    again = await attempt().run(jira.open_ticket, request_for(never_asked=False))

    assert again == first.model_copy(update={"adopted": True})
    assert paul.labelled(run.workflow_id) == [first.key]
    assert len(paul.get(f"issue/{first.key}/remotelink")) == 1


async def test_another_round_and_another_gate_get_tickets_of_their_own(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    for request in (request_for(round=1), request_for(round=2), request_for(Gate.PRODUCTION)):
        await attempt().run(jira.open_ticket, request.model_copy(update={"never_asked": False}))

    assert len(paul.labelled(run.workflow_id)) == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault(CREATE, after_work=True),
        Fault(CREATE, status=500, after_work=True),
        Fault(CREATE, status=503, headers={"Retry-After": "0.1"}, after_work=True),
        Fault(CREATE, status=302, headers={"Location": "/login"}, after_work=True),
        Fault(CREATE, status=200, headers={"Content-Type": "text/html"}, body="<h1>Sign in</h1>", after_work=True),
        Fault(CREATE, status=201, body="{}", after_work=True),
    ],
    ids=["connection cut", "500", "503", "redirect", "login page", "empty object"],
)
async def test_a_lost_answer_to_creation_is_searched_for_after_the_wait_and_makes_no_second_ticket(
    jira: JiraActivities,
    request_for: RequestFor,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
    fault: Fault,
) -> None:
    proxy.faults.append(fault)
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())
    ticket = await attempt(2).run(jira.open_ticket, request_for())

    assert (failure.value.next_retry_delay or timedelta(0)) >= timedelta(seconds=0.4)
    assert not failure.value.non_retryable
    assert "not known" in failure.value.message
    assert paul.labelled(run.workflow_id) == [ticket.key]
    assert ticket.adopted
    assert proxy.count(CREATE) == 1


async def test_a_creation_whose_answer_does_not_come_in_time_is_unclear_too(
    jira: JiraActivities,
    request_for: RequestFor,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "READ_TIMEOUT", 0.5)
    proxy.faults.append(Fault(CREATE, delay=0.7, after_work=True))
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())
    ticket = await attempt(2).run(jira.open_ticket, request_for())

    assert "ReadTimeout" in failure.value.message and "not known" in failure.value.message
    assert failure.value.next_retry_delay == timedelta(seconds=0.4)
    assert paul.labelled(run.workflow_id) == [ticket.key]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(CREATE, status=429, headers={"Retry-After": "0.1"}), "RateLimited"),
        (Fault(CREATE, status=401), "Unauthorized"),
        (Fault(CREATE, status=403), "Forbidden"),
    ],
    ids=["429", "401", "403"],
)
async def test_a_refused_creation_is_not_called_unclear(
    jira: JiraActivities, request_for: RequestFor, proxy: FaultyProxy, fault: Fault, kind: str
) -> None:
    proxy.faults.append(fault)
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())

    assert failure.value.type == kind
    assert "not known" not in failure.value.message


async def test_a_jira_that_nobody_reaches_is_a_retryable_error_without_a_wait(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor
) -> None:
    jira = make_jira(make_settings(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())

    assert (failure.value.type, failure.value.non_retryable) == ("Unreachable", False)
    assert failure.value.next_retry_delay is None


async def test_a_jira_that_went_away_after_the_first_calls_certainly_created_nothing(
    make_settings: MakeSettings,
    make_jira: MakeJira,
    request_for: RequestFor,
    jira_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Another thread may hold a connection on which a request counts as sent; here the only one is cut.
    monkeypatch.setattr("activities.jira.connection.THREADS", 1)
    with faulty_proxy(jira_url) as proxy:
        jira = make_jira(make_settings(url=proxy.url))
        proxy.faults.append(Fault(SEARCH))
        with pytest.raises(ApplicationError):
            await attempt().run(jira.open_ticket, request_for(never_asked=False))
        assert proxy.count(SEARCH) == 1
    with pytest.raises(ApplicationError) as failure:
        await attempt().run(jira.open_ticket, request_for())

    assert failure.value.type == "Unreachable"
    assert "POST issue" in failure.value.message
    assert failure.value.next_retry_delay is None


async def test_after_a_killed_worker_nothing_is_created_until_the_index_is_trusted(
    make_settings: MakeSettings,
    make_jira: MakeJira,
    request_for: RequestFor,
    run: RunIdentity,
    paul: Person,
    search_trails_behind: Callable[[float], None],
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT1S"))
    search_trails_behind(0.8)
    first = await attempt().run(jira.open_ticket, request_for())

    began = time.monotonic()
    again = await attempt(2).run(jira.open_ticket, request_for())
    waited = time.monotonic() - began

    assert waited >= 1
    assert (again.key, again.adopted) == (first.key, True)
    assert paul.labelled(run.workflow_id) == [first.key]


async def test_a_first_attempt_does_not_trust_the_index_either_if_another_activity_may_have_asked(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, proxy: FaultyProxy, paul: Person
) -> None:
    first = await attempt().run(jira.open_ticket, request_for())
    proxy.faults.append(NOT_INDEXED_YET)
    again = await attempt().run(jira.open_ticket, request_for(never_asked=False))

    assert again.key == first.key
    assert paul.labelled(run.workflow_id) == [first.key]


async def test_a_ticket_that_the_index_shows_is_taken_without_a_wait(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT10M"))
    first = await attempt().run(jira.open_ticket, request_for())
    again = await attempt(2).run(jira.open_ticket, request_for())

    assert again.key == first.key


async def failed_attempt(jira: JiraActivities, number: int, request: TicketRequest, *heartbeat: Any) -> list[Any]:
    """The heartbeats of an attempt that fails."""
    sent: list[Any] = []
    environment = attempt(number, *heartbeat)
    environment.on_heartbeat = lambda *details: sent.extend(details)
    with pytest.raises(ApplicationError):
        await environment.run(jira.open_ticket, request)
    return sent


async def test_the_wait_for_a_lost_answer_counts_from_when_it_was_lost(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT1S"))
    proxy.faults += [Fault(CREATE), NOT_INDEXED_YET, NOT_INDEXED_YET]
    before = datetime.now(UTC)
    (told,) = await failed_attempt(jira, 1, request_for())

    assert told["attempt"] == 1
    assert before <= datetime.fromisoformat(told["unclear_since"]) <= datetime.now(UTC)
    # As long as the server waits before it begins the next attempt.
    await asyncio.sleep(1)
    began = time.monotonic()
    await attempt(2, told).run(jira.open_ticket, request_for())
    assert time.monotonic() - began < 0.8
    assert len(proxy.faults) == 1


async def test_a_failed_search_does_not_make_a_lost_answer_any_younger(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT10M"))
    proxy.faults += [Fault(CREATE), Fault(SEARCH, status=500)]
    (first,) = await failed_attempt(jira, 1, request_for())
    (second,) = await failed_attempt(jira, 2, request_for(), first)

    assert second == {"attempt": 2, "unclear_since": first["unclear_since"]}


async def test_what_an_attempt_before_the_killed_one_said_is_not_believed(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT0.8S"))
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    proxy.faults.append(NOT_INDEXED_YET)
    began = time.monotonic()
    await attempt(3, {"attempt": 1, "unclear_since": long_ago}).run(jira.open_ticket, request_for())

    assert time.monotonic() - began >= 0.8


async def test_after_a_refusal_nothing_has_to_be_searched_or_waited_for(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, proxy: FaultyProxy
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT10M"))
    proxy.faults.append(Fault(CREATE, status=429, headers={"Retry-After": "0.1"}))
    (told,) = await failed_attempt(jira, 1, request_for())
    ticket = await attempt(2, told).run(jira.open_ticket, request_for())

    assert not ticket.adopted
    assert (proxy.count(CREATE), proxy.count(SEARCH)) == (2, 0)


async def test_an_attempt_that_was_scheduled_long_ago_does_not_wait(
    make_settings: MakeSettings, make_jira: MakeJira, request_for: RequestFor, run: RunIdentity, paul: Person
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT10M"))
    ticket = await attempt(2, scheduled=datetime.now(UTC) - timedelta(minutes=10)).run(jira.open_ticket, request_for())

    assert not ticket.adopted
    assert paul.labelled(run.workflow_id) == [ticket.key]


async def test_a_repeated_attempt_that_knows_the_key_neither_waits_nor_searches_nor_creates(
    make_settings: MakeSettings,
    make_jira: MakeJira,
    request_for: RequestFor,
    run: RunIdentity,
    proxy: FaultyProxy,
    paul: Person,
) -> None:
    jira = make_jira(make_settings(ambiguous_wait="PT10M"))
    proxy.faults.append(Fault(REMOTE_LINK, status=500))
    heartbeats: list[Any] = []
    first = attempt()
    first.on_heartbeat = lambda *details: heartbeats.extend(details)
    with pytest.raises(ApplicationError):
        await first.run(jira.open_ticket, request_for())
    proxy.requests.clear()

    ticket = await attempt(2, *heartbeats).run(jira.open_ticket, request_for())

    assert ticket.adopted
    assert paul.labelled(run.workflow_id) == [ticket.key]
    assert (proxy.count(CREATE), proxy.count(SEARCH)) == (0, 0)
    assert len(paul.get(f"issue/{ticket.key}/remotelink")) == 1


async def test_a_known_ticket_that_is_gone_is_an_error_and_not_created_again(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, admin: Person
) -> None:
    ticket = await attempt().run(jira.open_ticket, request_for())
    admin.delete(ticket.key)
    with pytest.raises(ApplicationError) as failure:
        await attempt(2, {"key": ticket.key, "issue_id": ticket.issue_id}).run(jira.open_ticket, request_for())

    assert (failure.value.type, failure.value.non_retryable) == ("NotFound", True)
    assert admin.labelled(run.workflow_id) == []


async def test_of_duplicates_the_oldest_is_used_and_the_others_are_named_in_the_log(
    jira: JiraActivities,
    request_for: RequestFor,
    run: RunIdentity,
    paul: Person,
    caplog: pytest.LogCaptureFixture,
) -> None:
    label = f"mlc-{run.mark(Gate.PIA, 1)}"
    keys = [paul.create(labels=[label])["key"] for _ in range(3)]
    with caplog.at_level(logging.WARNING):
        ticket = await attempt().run(jira.open_ticket, request_for(never_asked=False))

    assert ticket.key == keys[0]
    assert all(key in caplog.text for key in keys)


@pytest.mark.parametrize("status", [403, 404, 501])
async def test_a_ticket_is_complete_where_remote_links_are_not_allowed(
    jira: JiraActivities, request_for: RequestFor, proxy: FaultyProxy, paul: Person, status: int
) -> None:
    proxy.faults.append(Fault(REMOTE_LINK, status=status))
    ticket = await attempt().run(jira.open_ticket, request_for())

    assert paul.get(f"issue/{ticket.key}/remotelink") == []
    assert proxy.count(REMOTE_LINK) == 1


async def test_where_properties_cannot_be_given_on_creation_the_ticket_is_created_without(
    jira: JiraActivities, request_for: RequestFor, run: RunIdentity, proxy: FaultyProxy, paul: Person
) -> None:
    refusal = '{"errorMessages": ["Unrecognized field \\"properties\\""], "errors": {}}'
    proxy.faults.append(Fault(CREATE, status=400, body=refusal, headers={"Content-Type": "application/json"}))
    ticket = await attempt().run(jira.open_ticket, request_for())

    assert paul.labelled(run.workflow_id) == [ticket.key]
    assert paul.get(f"issue/{ticket.key}/properties")["keys"] == []
