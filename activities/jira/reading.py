"""Who decided what and when, read from a ticket's changelog and from nothing that people type."""

from __future__ import annotations

from datetime import datetime

from activities.jira.answers import Change, ChangeItem, Comment, Issue, User
from activities.jira.statuses import Statuses
from activities.jira.types import Sighting, TicketDecision, TicketReading, Verdict
from activities.jira.wiki import shortened, visible

MAX_COMMENT = 500

_STATUS_FIELD = "status"
# What Cloud calls everybody whose account it cannot tell.
_NOBODY = ("", "unknown")


def read(issue: Issue, statuses: Statuses, url: str) -> TicketReading:
    """A ticket as Jira has it now, with the decision that its present status stands for.

    There is no decision while the status is neither Done nor Rejected, or if nobody is known to have moved the
    ticket there: it was created in that status, or the changelog names no author.
    """
    verdict = statuses.verdict(issue.fields.status)
    return TicketReading(
        key=issue.key,
        issue_id=issue.id,
        url=url,
        status=issue.fields.status.name,
        decision=_decision(verdict, issue) if verdict else None,
    )


def sighting(key: str, issue: Issue, statuses: Statuses) -> Sighting:
    """How a ticket stands that was asked for as `key`."""
    status = issue.fields.status
    return Sighting(
        key=key,
        present_key=issue.key,
        issue_id=issue.id,
        status_id=status.id,
        updated=issue.fields.updated,
        verdict=statuses.verdict(status),
        labels=issue.fields.labels,
    )


def decider(issue: Issue) -> User | None:
    """Who moved a ticket into its present status; None if nobody is known to have."""
    change = _change_into_present(issue)
    return change.author if change else None


def newest_move(issue: Issue) -> Change | None:
    """The last change of status, whatever the status is now; None for a ticket that was never moved."""
    return max((change for change in issue.changelog.histories if status_item(change)), key=_age, default=None)


def status_item(change: Change) -> ChangeItem | None:
    """What an entry of the changelog says about the status; None if it is about other fields."""
    return next((item for item in change.items if item.field == _STATUS_FIELD), None)


def _change_into_present(issue: Issue) -> Change | None:
    status_id = issue.fields.status.id
    into = [c for c in issue.changelog.histories if (item := status_item(c)) and item.to == status_id]
    return max(into, key=_age, default=None)


def _age(change: Change) -> tuple[datetime, int]:
    # Editions and versions differ in the order of the changelog; ids settle changes of the same millisecond.
    return change.created, change.id


def _decision(verdict: Verdict, issue: Issue) -> TicketDecision | None:
    change = _change_into_present(issue)
    if change is None or change.author is None or change.author.account_id in _NOBODY:
        return None
    item = status_item(change)
    return TicketDecision(
        change_id=str(change.id),
        verdict=verdict,
        decided_by=change.author.account_id,
        decided_by_name=change.author.display_name,
        decided_at=change.created,
        comment=_last_comment(change.author.account_id, issue.fields.comment.entries),
        previous_status=item.from_name or "" if item else "",
    )


def _last_comment(account_id: str, comments: list[Comment]) -> str:
    # A comment written for one role or group must not be copied to where everybody reads it.
    theirs = [c for c in comments if c.author and c.author.account_id == account_id and not c.visibility]
    last = max(theirs, key=lambda comment: (comment.created, comment.id), default=None)
    return shortened(" ".join(visible(last.body).split()), MAX_COMMENT) if last else ""
