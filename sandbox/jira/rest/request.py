"""What the routes read out of a request: who is calling, its JSON, its parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from json import JSONDecodeError
from typing import Any

from fastapi import Request

from sandbox.jira.auth import Authentication, Sessions
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person
from sandbox.jira.representation import Representation
from sandbox.jira.search import SearchLag
from sandbox.jira.store import Store
from sandbox.jira.tracker import Tracker

INTEGER_LIMIT = 2**31


class Api:
    """What every route needs; one per application.

    Args:
        tracker: the operations.
        representation: the JSON shapes.
        authentication: reads credentials.
        sessions: board sessions, which may download attachments.
        upload_limit: largest attachment in bytes.
        search_lag: how far searches trail behind.
    """

    def __init__(
        self,
        tracker: Tracker,
        representation: Representation,
        authentication: Authentication,
        sessions: Sessions,
        upload_limit: int,
        search_lag: SearchLag | None = None,
    ) -> None:
        self.tracker = tracker
        self.represent = representation
        self.authentication = authentication
        self.sessions = sessions
        self.upload_limit = upload_limit
        self.search_lag = search_lag or SearchLag()

    @property
    def store(self) -> Store:
        """The database."""
        return self.tracker.store

    def caller(self, request: Request) -> Person:
        """The authenticated account of a request.

        Raises:
            JiraRefusal: no credentials, or wrong ones.
        """
        return self.authentication.require(request)


async def json_body(request: Request) -> Any:
    """The JSON a request carries.

    Raises:
        JiraRefusal: 415 for another content type, 400 for text that is not JSON.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise JiraRefusal(415, [f"Unsupported Media Type '{content_type}'; send application/json."])
    try:
        return await request.json()
    except (JSONDecodeError, UnicodeDecodeError) as problem:
        raise JiraRefusal(400, [f"The request body is not JSON: {problem}"]) from None


def only_known(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Insists on a body without properties that Jira does not know.

    Raises:
        JiraRefusal: 400.
    """
    for name in body:
        if name not in known:
            raise JiraRefusal(400, [f'Unrecognized field "{name}", not marked as ignorable'])


def texts(value: object) -> list[str]:
    """The texts of a list in a body, or of a single text; none for null."""
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object a request carries.

    Raises:
        JiraRefusal: see `json_body`; also 400 if it is not an object.
    """
    body = await json_body(request)
    if not isinstance(body, dict):
        raise JiraRefusal(400, ["The request body must be a JSON object."])
    return body


def listed(request: Request, name: str) -> list[str]:
    """A query parameter that may be repeated, comma-separated, or both."""
    values = request.query_params.getlist(name)
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def number(value: object, name: str, default: int) -> int:
    """A whole number out of a query or a body.

    Raises:
        JiraRefusal: 400 if it is none.
    """
    if value is None or value == "":
        return default
    try:
        result = int(str(value))
    except ValueError:
        result = INTEGER_LIMIT
    # Jira's parameters are 32-bit integers.
    if abs(result) >= INTEGER_LIMIT:
        raise JiraRefusal(400, [f"'{name}' must be a whole number, not '{value}'."])
    return result


def flag(value: object, default: bool) -> bool:
    """A boolean, given as JSON or as text in any case; as in Java, other text is false."""
    if value is None:
        return default
    return value if isinstance(value, bool) else str(value).strip().lower() == "true"
