"""What one attempt at opening a ticket tells the next one, through its heartbeat.

Jira knows no idempotency keys, and its search index lags behind. So an attempt has to know since when a ticket may
exist that a search does not show yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import activity


class FoundTicket(BaseModel):
    """The ticket that this or an earlier attempt has in hand."""

    key: str
    issue_id: str


class FailedAttempt(BaseModel):
    """How an attempt ended that has no ticket in hand.

    `attempt` is its number: the server keeps the details of the last heartbeat until there is another one, so they
    may be those of an attempt before the one that was killed. `unclear_since` is when a request was sent, or its
    answer lost, that may have created a ticket; None if nothing can have been created.
    """

    attempt: int
    unclear_since: datetime | None = None


_Model = TypeVar("_Model", bound=BaseModel)


def found_before() -> FoundTicket | None:
    """The ticket that an earlier attempt of this activity had in hand."""
    return _heartbeat(FoundTicket, activity.info().heartbeat_details)


def unclear_since(*, never_asked: bool) -> datetime | None:
    """Since when a ticket may exist that the index does not show; None if none can exist.

    Args:
        never_asked: whether this activity is known to be the first to ask for the ticket.
    """
    info = activity.info()
    before = _heartbeat(FailedAttempt, info.heartbeat_details)
    if before and before.attempt == info.attempt - 1:
        return before.unclear_since
    if never_asked and info.attempt == 1:
        return None
    # Whoever asked before was killed, or was another activity: it leaves no word, but ended before this was scheduled.
    return info.current_attempt_scheduled_time


def remaining(wait: timedelta, since: datetime, now: datetime) -> float:
    """Seconds until `wait` has passed since a moment; all of it if the clocks of two machines disagree about it."""
    elapsed = max(now - since, timedelta(0))
    return max((wait - elapsed).total_seconds(), 0.0)


def _heartbeat(kind: type[_Model], details: Sequence[Any]) -> _Model | None:
    try:
        return kind.model_validate(details[0]) if details else None
    except ValidationError:
        return None
