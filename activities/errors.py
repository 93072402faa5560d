"""How a failure of an outside system becomes an error that Temporal retries, or one it does not.

The workflow parks on either kind once the attempts are used up. The difference is what it does next: a retryable
failure is *transient* and worth another try later, a non-retryable one waits for a person.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from temporalio.exceptions import ApplicationError

from activities.transport import untrusted_certificate

MAX_RETRY_AFTER = timedelta(hours=1)
MAX_DETAIL_CHARACTERS = 500

_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")


class OutsideError(StrEnum):
    """Types of the errors that activities raise; part of what an operator reads in the Web UI."""

    UNREACHABLE = "Unreachable"
    UNAVAILABLE = "Unavailable"
    RATE_LIMITED = "RateLimited"
    CONFLICT = "Conflict"
    UNEXPECTED_ANSWER = "UnexpectedAnswer"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    REFUSED = "Refused"


_BY_STATUS = {
    401: (OutsideError.UNAUTHORIZED, "check the configured credentials"),
    403: (OutsideError.FORBIDDEN, "give the service account the permission"),
    404: (OutsideError.NOT_FOUND, "check the id, and that the service account may see it"),
    409: (OutsideError.CONFLICT, "it was changed at the same time; tried again"),
    412: (OutsideError.CONFLICT, "it was changed at the same time; tried again"),
    429: (OutsideError.RATE_LIMITED, "tried again later"),
}
_RETRYABLE = {
    OutsideError.UNREACHABLE,
    OutsideError.UNAVAILABLE,
    OutsideError.RATE_LIMITED,
    OutsideError.CONFLICT,
    OutsideError.UNEXPECTED_ANSWER,
}


def answered(system: str, call: str, status: int, detail: str = "", retry_after: str | None = None) -> ApplicationError:
    """The error for an HTTP answer that is not a success.

    Args:
        system: the name people know, for example `Jira`.
        call: method and path without host and query, for example `GET issue/GOV-7`.
        status: the HTTP status.
        detail: what the system said; markup is removed and the length is bounded.
        retry_after: the raw `Retry-After` header, if there was one.
    """
    kind, remedy = _BY_STATUS.get(status, (OutsideError.REFUSED, "mend what it complains about"))
    if status >= 500 or status == 408:
        kind, remedy = OutsideError.UNAVAILABLE, "tried again later"
    elif status < 400:
        kind, remedy = OutsideError.UNEXPECTED_ANSWER, "check the configured address and any proxy before it"
    said = f": {plain(detail)}" if detail.strip() else ""
    return ApplicationError(
        f"{system} answered {status} to {call}{said} ({remedy})",
        type=kind,
        non_retryable=kind not in _RETRYABLE,
        next_retry_delay=parse_retry_after(retry_after, datetime.now(UTC)) if status in (429, 503) else None,
    )


def unreachable(system: str, call: str, error: BaseException) -> ApplicationError:
    """The error for a call that got no answer: refused, cut, timed out, not resolved."""
    untrusted = untrusted_certificate(error)
    if untrusted:
        return ApplicationError(
            f"{system} was not asked {call}: its certificate is not accepted, {plain(untrusted)} (give the certificate "
            "authority in this system's CA_FILE, or mend the certificate)",
            type=OutsideError.UNREACHABLE,
        )
    return ApplicationError(
        f"{system} did not answer {call}: {type(error).__name__} (tried again later)",
        type=OutsideError.UNREACHABLE,
    )


def unexpected(system: str, call: str, detail: str) -> ApplicationError:
    """The error for an answer that is not what the interface promises, such as a login page instead of JSON."""
    return ApplicationError(
        f"{system} gave an answer to {call} that makes no sense: {plain(detail)} "
        "(check the configured address and any proxy before it)",
        type=OutsideError.UNEXPECTED_ANSWER,
    )


def unclear(error: ApplicationError, wait: timedelta) -> ApplicationError:
    """The error for a failed attempt to create something which may have been carried out all the same.

    Args:
        error: what is known of the failure.
        wait: how long the system may take to finish a request that was given up; the next attempt looks for its
            outcome only after that, or it would make a second one.
    """
    return ApplicationError(
        f"{error.message}; whether it was carried out is not known, its outcome is looked for before it is repeated",
        type=error.type,
        non_retryable=error.non_retryable,
        next_retry_delay=max(wait, error.next_retry_delay or wait),
    )


def plain(text: str, limit: int = MAX_DETAIL_CHARACTERS) -> str:
    """One line of readable text: no markup, no control characters, at most `limit` characters.

    What stands beyond ten times the limit is not looked at: cleaning a whole error page would hold up the event loop.
    """
    # After the last ">" no tag can end, and looking for its end from every "<" there takes quadratic time.
    head, closing, tail = text[: 10 * limit].rpartition(">")
    untagged = _TAG.sub(" ", head + closing) + tail
    line = _SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in untagged)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait a `Retry-After` header asks for: seconds, decimal seconds or an HTTP date; at most one hour.

    Returns None for a missing or unreadable header (RFC 9110, section 10.2.3; decimals occur in practice).
    """
    seconds = None if value is None else _seconds_until(value, now)
    if seconds is None or math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(seconds, 1.0), MAX_RETRY_AFTER.total_seconds()))


def _seconds_until(value: str, now: datetime) -> float | None:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        # A year or an offset may be a number that no date holds.
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
