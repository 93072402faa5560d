"""The outside effects of one implementation, the request that has each, and how many a site should hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

System = Literal["jira", "modelop"]
Entity = Mapping[str, Any]

SERVICE_ACCOUNT = "svc-mlc"
ISSUE = "/rest/api/2/issue"
API = "/model-manage/api"


class Leg(IntEnum):
    """The stretches of an implementation between two decisions, in order; its first test job fails."""

    TO_PRIVACY = 0
    TO_TEST_FAILURE = 1
    TO_RESULTS = 2
    TO_PRODUCTION = 3
    TO_THE_END = 4


@dataclass(frozen=True)
class Census:
    """All that the sandboxes hold about one implementation, as their own interfaces tell it."""

    tickets: list[Entity] = field(default_factory=list)
    snapshots: list[Entity] = field(default_factory=list)
    jobs: list[Entity] = field(default_factory=list)
    results: list[Entity] = field(default_factory=list)
    deployed: list[Entity] = field(default_factory=list)
    notifications: list[Entity] = field(default_factory=list)

    def titled(self, title: str) -> list[Entity]:
        """The tickets of one kind."""
        return [ticket for ticket in self.tickets if ticket["fields"]["summary"].startswith(f"{title}: ")]

    def block_notices(self) -> list[Entity]:
        """The notifications that say that the run was blocked."""
        return [each for each in self.notifications if each["notificationType"] == "PROCESS_NOTIFICATION"]


@dataclass(frozen=True)
class Effect:
    """One thing that must happen exactly once.

    Attributes:
        name: what the table calls it.
        leg: where in the implementation it happens.
        system: which sandbox it happens in.
        method: of the request that has the effect.
        path: of that request, as faults are aimed.
        activity: name of the activity that sends it.
        found: how often it happened, from a census.
    """

    name: str
    leg: Leg
    system: System
    method: str
    path: str
    activity: str
    found: Callable[[Census], int]


def _ticket(title: str, leg: Leg) -> Effect:
    return Effect(
        f"ticket: {title}", leg, "jira", "POST", ISSUE, "open_ticket", lambda census: len(census.titled(title))
    )


def _mirror(title: str, leg: Leg) -> Effect:
    def found(census: Census) -> int:
        return sum(notification.get("approvalType") == title for notification in census.notifications)

    return Effect(f"notification: {title}", leg, "modelop", "POST", f"{API}/notifications", "send_notification", found)


def _snapshot(number: int, leg: Leg) -> Effect:
    def found(census: Census) -> int:
        return sum(snapshot["metaData"]["custom"]["mlc"]["round"] == number for snapshot in census.snapshots)

    return Effect(
        f"snapshot, round {number}", leg, "modelop", "POST", f"{API}/deployableModels", "create_snapshot", found
    )


def _job(attempt: int, leg: Leg) -> Effect:
    def found(census: Census) -> int:
        return sum(job["jobParameters"]["mlc"]["attempt"] == attempt for job in census.jobs)

    return Effect(f"test job, attempt {attempt}", leg, "modelop", "POST", f"{API}/jobs", "start_test_job", found)


def _attachments(census: Census) -> int:
    return sum(len(ticket["fields"]["attachment"]) for ticket in census.titled("Model Review"))


def _document_comments(census: Census) -> int:
    comments = [c for ticket in census.titled("Model Review") for c in ticket["fields"]["comment"]["comments"]]
    return sum(comment["author"]["name"] == SERVICE_ACCOUNT for comment in comments)


def _documents(census: Census) -> int:
    return sum(len(snapshot["modelDocuments"]) for snapshot in census.snapshots)


def _deployed_snapshots(census: Census) -> int:
    """A snapshot counts if it is the last one and holds what was decided."""
    return sum(
        snapshot["state"] == "DEPLOYED"
        and snapshot["metaData"]["custom"]["mlc"]["round"] == 2
        and len(snapshot["metaData"]["custom"]["mlc"]["decisions"]) == 4
        for snapshot in census.snapshots
    )


def _ends(census: Census) -> int:
    return sum(notification["notificationType"] == "MODEL_NOTIFICATION" for notification in census.notifications)


def _closed_privacy_mirrors(census: Census) -> int:
    return sum(
        notification.get("approvalType") == "PIA Approval Request" and notification["open"] is False
        for notification in census.notifications
    )


EFFECTS: tuple[Effect, ...] = (
    _ticket("PIA Approval Request", Leg.TO_PRIVACY),
    _mirror("PIA Approval Request", Leg.TO_PRIVACY),
    Effect(
        "notification closed",
        Leg.TO_TEST_FAILURE,
        "modelop",
        "PATCH",
        f"{API}/notifications/*",
        "close_notification",
        _closed_privacy_mirrors,
    ),
    _snapshot(1, Leg.TO_TEST_FAILURE),
    _job(1, Leg.TO_TEST_FAILURE),
    _ticket("Test Failure", Leg.TO_TEST_FAILURE),
    _mirror("Test Failure", Leg.TO_TEST_FAILURE),
    _snapshot(2, Leg.TO_RESULTS),
    _job(2, Leg.TO_RESULTS),
    Effect(
        "test result",
        Leg.TO_RESULTS,
        "modelop",
        "POST",
        f"{API}/modelTestResults",
        "store_test_result",
        lambda census: len(census.results),
    ),
    _ticket("Model Review", Leg.TO_RESULTS),
    _mirror("Model Review", Leg.TO_RESULTS),
    Effect(
        "attachment",
        Leg.TO_RESULTS,
        "jira",
        "POST",
        f"{ISSUE}/*/attachments",
        "prepare_review_document",
        _attachments,
    ),
    Effect(
        "document comment",
        Leg.TO_RESULTS,
        "jira",
        "POST",
        f"{ISSUE}/*/comment",
        "prepare_review_document",
        _document_comments,
    ),
    Effect(
        "document on snapshot",
        Leg.TO_PRODUCTION,
        "modelop",
        "PATCH",
        f"{API}/deployableModels/*",
        "archive_review_document",
        _documents,
    ),
    _ticket("Production Approval", Leg.TO_PRODUCTION),
    _mirror("Production Approval", Leg.TO_PRODUCTION),
    Effect(
        "deployed marker",
        Leg.TO_THE_END,
        "modelop",
        "POST",
        f"{API}/deployedModels",
        "mark_deployed",
        lambda census: len(census.deployed),
    ),
    Effect(
        "snapshot state",
        Leg.TO_THE_END,
        "modelop",
        "PATCH",
        f"{API}/deployableModels/*",
        "mark_deployed",
        _deployed_snapshots,
    ),
    Effect(
        "notification: end",
        Leg.TO_THE_END,
        "modelop",
        "POST",
        f"{API}/notifications",
        "send_notification",
        _ends,
    ),
)
"""In the order in which an implementation has them."""
