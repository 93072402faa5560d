"""A ticket's change reaches the implementation it belongs to, once, and no other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from temporalio.client import Client

from tests.relay.conftest import post, signals, waiting_run, webhook


async def test_the_label_names_the_implementation(temporal: Client, relay_url: str) -> None:
    run, other = await waiting_run(temporal), await waiting_run(temporal)
    answer = await post(
        relay_url, webhook("GOV-7", "mlc-0123", run.id), headers={"X-Atlassian-Webhook-Identifier": "w1"}
    )
    assert answer.status_code == 200
    assert answer.json() == {"result": "signalled", "workflow_ids": [run.id]}
    assert await signals(temporal, run) == [
        {
            "issue_key": "GOV-7",
            "issue_id": "10042",
            "status": "Done",
            "actor": "paul",
            "event_id": "w1",
            "occurred_at": "2026-01-01T10:00:00+00:00",
        }
    ]
    assert await signals(temporal, other) == []


async def test_a_label_typed_in_capitals_still_routes(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    answer = await post(relay_url, webhook("GOV-7", run.id.upper().replace("SAGEMAKER-MLC", "Sagemaker-MLC")))
    assert answer.json()["workflow_ids"] == [run.id]


async def test_without_a_label_the_waiting_ticket_is_looked_up(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal, ticket="GOV-1001")
    await waiting_run(temporal, ticket="GOV-1002")
    await _visible(temporal, "MlcTicket = 'GOV-1001'")
    answer = await post(relay_url, webhook("GOV-1001"))
    assert answer.json() == {"result": "signalled", "workflow_ids": [run.id]}
    assert len(await signals(temporal, run)) == 1


async def test_an_ended_implementation_is_not_looked_up(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal, ticket="GOV-1003")
    await run.terminate()
    await _visible(temporal, "MlcTicket = 'GOV-1003' AND ExecutionStatus = 'Terminated'")
    answer = await post(relay_url, webhook("GOV-1003"))
    assert answer.status_code == 200
    assert answer.json()["result"] == "ignored"


async def test_a_late_decision_for_an_ended_implementation_is_answered_200(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    await run.terminate()
    answer = await post(relay_url, webhook("GOV-7", run.id))
    assert answer.status_code == 200
    assert answer.json() == {"result": "ignored", "reason": "no running implementation waits for GOV-7"}


@pytest.mark.parametrize("labels", [[], ["sagemaker-mlc-nobody"], ["sagemaker-mlc-" + "x" * 2000]])
async def test_an_unknown_ticket_is_answered_200(relay_url: str, labels: list[str]) -> None:
    answer = await post(relay_url, webhook("GOV-999", *labels))
    assert answer.status_code == 200
    assert answer.json()["result"] == "ignored"


async def test_a_change_of_other_fields_than_the_status_is_not_worth_a_signal(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    attached = webhook(
        "GOV-7", run.id, changelog={"id": "78", "items": [{"field": "Attachment", "toString": "x.docx"}]}
    )
    assert (await post(relay_url, attached)).json()["result"] == "ignored"
    moved = webhook("GOV-7", run.id, changelog={"id": "79", "items": [{"field": "project", "toString": "OPS"}]})
    assert (await post(relay_url, moved)).json()["result"] == "signalled"
    assert [signal["issue_key"] for signal in await signals(temporal, run)] == ["GOV-7"]


@pytest.mark.parametrize("kind", ["issue_commented", "issue_comment_edited", "issue_comment_deleted"])
async def test_a_comment_is_no_decision_unless_the_ticket_moved_with_it(
    temporal: Client, relay_url: str, kind: str
) -> None:
    run = await waiting_run(temporal)
    moved = webhook("GOV-7", run.id, issue_event_type_name=kind)
    commented = {name: value for name, value in moved.items() if name != "changelog"}
    answer = await post(relay_url, commented)
    assert (answer.status_code, answer.json()["result"]) == (200, "ignored")
    assert await signals(temporal, run) == []
    assert (await post(relay_url, moved)).json()["result"] == "signalled"
    assert len(await signals(temporal, run)) == 1


async def test_an_update_without_changelog_of_any_other_kind_is_worth_a_signal(
    temporal: Client, relay_url: str
) -> None:
    run = await waiting_run(temporal)
    bare = {name: value for name, value in webhook("GOV-7", run.id).items() if name != "changelog"}
    assert (await post(relay_url, bare)).json()["result"] == "signalled"
    assert len(await signals(temporal, run)) == 1


async def test_a_second_label_of_somebody_elses_hides_nothing(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    answer = await post(relay_url, webhook("GOV-7", "sagemaker-mlc-aaaa", run.id))
    assert answer.json()["workflow_ids"] == [run.id]


async def test_a_doubled_delivery_makes_one_signal(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    for _ in range(3):
        answer = await post(
            relay_url, webhook("GOV-7", run.id), headers={"X-Atlassian-Webhook-Identifier": "same-in-every-retry"}
        )
        assert answer.json()["result"] == "signalled"
    assert len(await signals(temporal, run)) == 1


async def test_a_recorded_delivery_makes_no_other_signal_under_other_headers(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    recorded = webhook("GOV-7", run.id)
    for identifier in ("w1", "w2", ""):
        await post(relay_url, recorded, headers={"X-Atlassian-Webhook-Identifier": identifier})
    assert [signal["event_id"] for signal in await signals(temporal, run)] == ["w1"]


async def test_equal_bodies_make_one_signal_and_others_their_own(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    first, later = webhook("GOV-7", run.id), webhook("GOV-7", run.id, timestamp=1767261600001)
    await asyncio.gather(*(post(relay_url, each) for each in (first, first, later)))
    assert len(await signals(temporal, run)) == 2


async def test_a_deleted_ticket_is_signalled_too(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    deleted = webhook("GOV-7", run.id, webhookEvent="jira:issue_deleted")
    del deleted["changelog"]
    assert (await post(relay_url, deleted)).json()["result"] == "signalled"
    assert (await signals(temporal, run))[0]["issue_key"] == "GOV-7"


async def test_a_cloud_user_is_named_by_account_id(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    await post(relay_url, webhook("GOV-7", run.id, user={"accountId": "5b10ac8d82e05b22cc7d4ef5", "displayName": "P"}))
    assert (await signals(temporal, run))[0]["actor"] == "5b10ac8d82e05b22cc7d4ef5"


@pytest.mark.parametrize(
    "odd",
    [
        {"user": "paul", "timestamp": "yesterday", "changelog": []},
        {"user": {"name": 7}, "timestamp": 1e300, "changelog": {"items": {}}},
        {"user": None, "timestamp": None, "changelog": {"items": [None, "x", {"field": "status", "toString": 3}]}},
    ],
)
async def test_an_odd_payload_still_wakes_the_implementation(
    temporal: Client, relay_url: str, odd: dict[str, Any]
) -> None:
    run = await waiting_run(temporal)
    assert (await post(relay_url, webhook("GOV-7", run.id, **odd))).json()["result"] == "signalled"
    received = (await signals(temporal, run))[0]
    assert received["issue_key"] == "GOV-7"
    assert received["actor"] is None and received["occurred_at"] is None


async def _visible(client: Client, query: str) -> None:
    """Waits until visibility, which lags by a second or so, finds something."""
    deadline = time.monotonic() + 10
    while not [each async for each in client.list_workflows(query)]:
        assert time.monotonic() < deadline, f"never visible: {query}"
        await asyncio.sleep(0.1)
