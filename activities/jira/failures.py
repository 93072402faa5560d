"""What went wrong with a call to Jira, told without headers, markup, addresses or credentials.

The text of a `JIRAError` holds the request's and the response's headers and the whole body, so it must never reach
a history or a log: only the status and Jira's own messages are taken from it.
"""

from __future__ import annotations

from datetime import timedelta

import requests
from jira import JIRAError
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from activities import errors

SYSTEM = "Jira"

# What a call may raise: the client's own error, the transport's, and bodies that do not parse.
FAILURES = (JIRAError, requests.RequestException, ValueError)

# A request that timed out or met another one may have been carried out all the same.
_UNCLEAR_CLIENT_ERRORS = (408, 409)


class NotJsonError(ValueError):
    """A success whose body is not JSON, such as a login page; the message names status and media type."""

    def __init__(self, response: requests.Response) -> None:
        media_type = response.headers.get("Content-Type", "").partition(";")[0] or "no media type"
        super().__init__(f"status {response.status_code} with {media_type} instead of JSON")


class NotSignedInError(ValueError):
    """Jira answered, but as it answers somebody who is not signed in: it did not accept the credentials."""


class UnclearCreationError(ApplicationError):
    """Whether a ticket, a file or a comment was created is not known."""


class AnswerTooLargeError(ValueError):
    """An answer is larger than it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"it has more than {limit >> 20} MB")


class SizeMismatchError(ValueError):
    """A file arrived with another size than it was sent with."""

    def __init__(self, filename: str, expected: int, found: int) -> None:
        super().__init__(f"{filename} should have {expected:,} bytes and has {found:,}")


def explain(call: str, error: Exception) -> ApplicationError:
    """The error to raise for a failed call.

    Args:
        call: method and path, for example `GET issue/10001`.
        error: one of `FAILURES`.
    """
    if isinstance(error, JIRAError) and error.response is not None:
        return _answered(call, error.response)
    if isinstance(error, NotSignedInError):
        return errors.answered(SYSTEM, call, 401, "it does not accept the credentials and shows what anybody may see")
    if isinstance(error, ValidationError):
        return errors.unexpected(SYSTEM, call, _misfits(error))
    if isinstance(error, NotJsonError | AnswerTooLargeError | SizeMismatchError):
        return errors.unexpected(SYSTEM, call, str(error))
    if isinstance(error, requests.RequestException):
        return errors.unreachable(SYSTEM, call, error)
    return errors.unexpected(SYSTEM, call, f"it cannot be read ({type(error).__name__})")


def explain_create(call: str, error: Exception, wait: timedelta) -> ApplicationError:
    """The error to raise for a failed attempt to create a ticket, a file or a comment.

    Jira knows no idempotency keys. Unless the failure proves that nothing was created, the next attempt has to wait
    until it would find what was: the search index lags behind, and a request that timed out may be carried out yet.

    Args:
        call: method and path.
        error: one of `FAILURES`.
        wait: how long either may take.
    """
    told = explain(call, error)
    if certainly_not_done(error):
        return told
    return UnclearCreationError(
        f"{told.message}; whether it was created is not known, it is looked for before another is asked for",
        type=told.type,
        next_retry_delay=max(wait, told.next_retry_delay or wait),
    )


def certainly_not_done(error: Exception) -> bool:
    """Whether the failure proves that Jira carried nothing out: it was never reached, or it refused."""
    if isinstance(error, JIRAError) and error.response is not None:
        status = error.response.status_code
        return 400 <= status < 500 and status not in _UNCLEAR_CLIENT_ERRORS
    if isinstance(error, requests.ConnectTimeout | NotSignedInError):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def refuses(error: JIRAError, field: str) -> bool:
    """Whether Jira refused the request, carrying nothing out, and named a field in its reason."""
    return certainly_not_done(error) and error.response is not None and field in said(error.response)


def said(response: requests.Response) -> str:
    """Jira's own messages in an error answer, fields by name; empty if the body is not Jira's (a proxy's page)."""
    denied = response.headers.get("X-Authentication-Denied-Reason", "").partition(";")[0]
    if denied:
        return f"sign-in is denied ({denied}), signing in once in a browser may lift it"
    try:
        body = response.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    messages = body.get("errorMessages") or [body.get("message") or body.get("errorMessage") or ""]
    fields = body.get("errors")
    return "; ".join(
        [
            *(str(text) for text in (messages if isinstance(messages, list) else [messages]) if text),
            *(f"{name}: {text}" for name, text in (fields.items() if isinstance(fields, dict) else ())),
        ]
    )


def _answered(call: str, response: requests.Response) -> ApplicationError:
    details = [said(response), response.headers.get("RateLimit-Reason", "")]
    detail = "; ".join(detail for detail in details if detail)
    return errors.answered(SYSTEM, call, response.status_code, detail, response.headers.get("Retry-After"))


def _misfits(error: ValidationError) -> str:
    # The offending values stay out: they may be anything, from a person's text to a page of markup.
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'the body'}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)[:5]
    )
