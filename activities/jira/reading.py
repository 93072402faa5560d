"""Who decided what and when, read from a ticket's changelog and from nothing that people type."""

from __future__ import annotations

from activities.jira.answers import Change, Comment, Issue
from activities.jira.settings import JiraSettings
from activities.jira.types import TicketDecision, TicketReading, Verdict
from activities.jira.wiki import shortened, visible

MAX_COMMENT = 500

_STATUS_FIELD = "status"


def read(issue: Issue, settings: JiraSettings, url: str) -> TicketReading:
    """A ticket as Jira has it now, with the decision that its present status stands for.

    There is no decision while the status is neither Done nor Rejected, or if nobody is known to have moved the
    ticket there: it was created in that status, or the changelog names no author.
    """
    status = issue.fields.status
    verdict = verdict_of(status.name, settings)
    change = _change_into(status.id, issue) if verdict else None
    return TicketReading(
        key=issue.key,
        issue_id=issue.id,
        url=url,
        status=status.name,
        decision=_decision(change, verdict, issue) if change and verdict else None,
    )


def verdict_of(status: str, settings: JiraSettings) -> Verdict | None:
    """What a status means, by its name in any case; None for every status that is not configured."""
    name = status.strip().casefold()
    for verdict, names in ((Verdict.DONE, settings.done_statuses), (Verdict.REJECTED, settings.rejected_statuses)):
        if name in (known.strip().casefold() for known in names):
            return verdict
    return None


def is_final(issue: Issue, settings: JiraSettings) -> bool:
    """Whether nothing is left to close: the ticket is decided, closed by us, or ended in some other way."""
    status = issue.fields.status
    closed = status.name.strip().casefold() == settings.close_status.strip().casefold()
    return closed or verdict_of(status.name, settings) is not None or status.category.key == "done"


def _change_into(status_id: str, issue: Issue) -> Change | None:
    into = (
        change
        for change in issue.changelog.histories
        if any(item.field == _STATUS_FIELD and item.to == status_id for item in change.items)
    )
    # Editions and versions differ in the order of the changelog; ids settle changes of the same millisecond.
    return max(into, key=lambda change: (change.created, change.id), default=None)


def _decision(change: Change, verdict: Verdict, issue: Issue) -> TicketDecision | None:
    if change.author is None or not change.author.account_id:
        return None
    return TicketDecision(
        change_id=str(change.id),
        verdict=verdict,
        decided_by=change.author.account_id,
        decided_by_name=change.author.display_name,
        decided_at=change.created,
        comment=_last_comment(change.author.account_id, issue.fields.comment.comments),
    )


def _last_comment(account_id: str, comments: list[Comment]) -> str:
    # A comment written for one role or group must not be copied to where everybody reads it.
    theirs = [c for c in comments if c.author and c.author.account_id == account_id and not c.visibility]
    last = max(theirs, key=lambda comment: (comment.created, comment.id), default=None)
    return shortened(" ".join(visible(last.body).split()), MAX_COMMENT) if last else ""
