"""The error answer of the REST interface: Spring Boot's envelope."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.responses import JSONResponse


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status code of the answer.
        message: what was wrong, where, and how to mend it.
        headers: extra response headers.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def error_response(status: int, message: str, path: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The envelope `{timestamp, status, error, message, path}` as a response."""
    body = {
        "timestamp": timestamp(datetime.now(UTC)),
        "status": status,
        "error": HTTPStatus(status).phrase,
        "message": message,
        "path": path,
    }
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, the form of every date in the interface."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
