"""Notifications: sent once, mirrored tickets, closed."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop import activities as module
from activities.modelop.activities import MAX_NOTIFICATION_CHARACTERS, ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import (
    CloseNotificationRequest,
    NotificationRequest,
    NotificationType,
    Severity,
    TicketAssignment,
    TicketNotificationsRequest,
)
from sandbox.modelop.seed import GERMAN_CREDIT, NO_LABELS
from tests.activities.modelop.conftest import Run, settings_for
from tests.activities.modelop.scripted_server import ScriptedServer, json_reply

TICKET = TicketAssignment(key="GOV-7", url="https://jira.example/browse/GOV-7", status="To Do")


def request(run: RunIdentity, purpose: str = "blocked 1", **changes: Any) -> NotificationRequest:
    values = {
        "run": run,
        "purpose": purpose,
        "type": NotificationType.PROCESS,
        "severity": Severity.ERROR,
        "message": "ModelOp Center has no monitor.\nAdd it.",
        "model_id": GERMAN_CREDIT,
    }
    return NotificationRequest.model_validate({**values, **changes})


async def messages_of(client: ModelOpClient, mark: str) -> list[str]:
    return [entry["message"] async for entry in client.entries("notifications") if mark in entry["message"]]


async def test_an_error_is_shown_with_its_mark_as_the_last_line(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    sent = await perform(activities.send_notification, request(run))
    shown = await client.get(f"notifications/{sent.notification_id}")
    mark = f"[mlc:{run.mark('notification', 'blocked 1')}]"
    assert shown["message"] == f"ModelOp Center has no monitor.\nAdd it.\n{mark}"
    assert (shown["notificationType"], shown["severity"], shown["open"]) == ("PROCESS_NOTIFICATION", "ERROR", False)
    assert shown["storedModelId"] == GERMAN_CREDIT
    assert not {"deployableModelId", "jobId", "assignment", "approvalType"} & set(shown)


async def test_a_purpose_is_notified_once_and_another_purpose_on_its_own(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    first = await perform(activities.send_notification, request(run))
    assert await perform(activities.send_notification, request(run, message="worded otherwise")) == first
    assert await perform(activities.send_notification, request(run, "blocked 2")) != first
    assert len(await messages_of(client, run.mark("notification", "blocked 1"))) == 1


async def test_a_long_message_is_cut_before_its_mark(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    long = request(run, message="x" * 100_000)
    first = await perform(activities.send_notification, long)
    (message,) = await messages_of(client, run.mark("notification", "blocked 1"))
    assert len(message) == MAX_NOTIFICATION_CHARACTERS
    assert message.endswith(f"…\n[mlc:{run.mark('notification', 'blocked 1')}]")
    assert await perform(activities.send_notification, long) == first


async def test_a_ticket_is_mirrored_while_open_and_closed_with_who_decided(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    mirror = request(
        run,
        type=NotificationType.MODEL_APPROVAL,
        severity=Severity.INFO,
        approval_type="PIA Approval Request",
        open=True,
        ticket=TICKET,
    )
    sent = await perform(activities.send_notification, mirror)
    path = f"notifications/{sent.notification_id}"
    shown = await client.get(path)
    assert (shown["open"], shown["approvalType"]) == (True, "PIA Approval Request")
    assert shown["assignment"] == {
        "assignmentType": "JIRA_NOTIFICATION_ASSIGNMENT",
        "issueId": "GOV-7",
        "issueLink": TICKET.url,
        "currentStatus": "To Do",
    }

    close = CloseNotificationRequest(notification_id=sent.notification_id, ticket_status="Done", closed_by="paul")
    await perform(activities.close_notification, close)
    closed = await client.get(path)
    assert closed["open"] is False
    assert closed["assignment"] == {**shown["assignment"], "currentStatus": "Done", "closedBy": "paul"}
    await perform(activities.close_notification, close)
    assert (await client.get(path))["version"] == closed["version"]


async def test_a_notification_without_a_ticket_is_just_closed(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    sent = await perform(activities.send_notification, request(run, open=True))
    close = CloseNotificationRequest(notification_id=sent.notification_id, ticket_status="Done")
    await perform(activities.close_notification, close)
    closed = await client.get(f"notifications/{sent.notification_id}")
    assert (closed["open"], closed.get("assignment")) == (False, None)


async def test_closing_what_was_deleted_is_fine(
    activities: ModelOpActivities, perform: Run, caplog: pytest.LogCaptureFixture
) -> None:
    gone = str(uuid.uuid4())
    await perform(activities.close_notification, CloseNotificationRequest(notification_id=gone))
    assert gone in caplog.text


async def test_open_mirrors_of_a_models_tickets_are_closed_and_nothing_else(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    keys = [f"GOV-{uuid.uuid4().hex}" for _ in range(3)]
    mirrors = [
        request(run, f"{key} {model_id}", ticket=TICKET.model_copy(update={"key": key}), open=True, model_id=model_id)
        for key in keys
        for model_id in (GERMAN_CREDIT, NO_LABELS)
    ]
    unmirrored = request(run, "no ticket", open=True)
    ids = [(await perform(activities.send_notification, each)).notification_id for each in (*mirrors, unmirrored)]
    superseded = TicketNotificationsRequest(model_id=GERMAN_CREDIT, keys=keys[:2])
    await perform(activities.close_ticket_notifications, superseded)
    shown = [await client.get(f"notifications/{notification_id}") for notification_id in ids]
    assert [entry["open"] for entry in shown] == [False, True, False, True, True, True, True]
    assert [entry["assignment"]["issueId"] for entry in shown[:6:2]] == keys
    await perform(activities.close_ticket_notifications, superseded)
    assert (await client.get(f"notifications/{ids[0]}"))["version"] == shown[0]["version"]


async def test_the_word_of_the_end_closes_the_mirror_of_a_ticket_whose_id_got_lost(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    keys = [f"GOV-{uuid.uuid4().hex}" for _ in range(2)]
    mirrors = [request(run, key, ticket=TICKET.model_copy(update={"key": key}), open=True) for key in keys]
    ids = [(await perform(activities.send_notification, mirror)).notification_id for mirror in mirrors]
    end = request(run, "end:Aborted", closes_mirrors_of=keys[:1])
    told = [await perform(activities.send_notification, end) for _ in range(2)]
    assert told[0] == told[1]
    assert [(await client.get(f"notifications/{each}"))["open"] for each in ids] == [False, True]


async def test_closing_the_notifications_of_tickets_reads_a_bounded_number_of_pages(
    scripted: ScriptedServer, scripted_client: ModelOpClient, perform: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAN_UP_PAGES", 3)
    scripted.script(json_reply({"_embedded": {"notifications": [{"id": "n"}]}, "page": {"totalPages": 10**6}}))
    activities = ModelOpActivities(scripted_client, settings_for(scripted.url), Links())
    await perform(activities.close_ticket_notifications, TicketNotificationsRequest(model_id="m1", keys=["GOV-1"]))
    assert [sent.method for sent in scripted.received] == ["GET"] * 3


async def test_references_to_unknown_objects_are_refused_for_good(
    activities: ModelOpActivities, perform: Run, run: RunIdentity
) -> None:
    with pytest.raises(ApplicationError, match="deployableModelId") as caught:
        await perform(activities.send_notification, request(run, snapshot_id=str(uuid.uuid4())))
    assert (caught.value.type, caught.value.non_retryable) == ("Refused", True)


async def test_many_purposes_at_once_do_not_disturb_each_other(
    activities: ModelOpActivities, perform: Run, run: RunIdentity
) -> None:
    purposes = [f"monitor {number}" for number in range(15)]
    sent = await asyncio.gather(*(perform(activities.send_notification, request(run, purpose)) for purpose in purposes))
    assert len({notification.notification_id for notification in sent}) == len(purposes)
