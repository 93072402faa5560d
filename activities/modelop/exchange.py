"""One HTTP call with one outcome: an answer that is a success, or an error that says whether to try again."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError, answered, unexpected, unreachable

TIMEOUT_SECONDS = 10.0
"""The longest wait for one step: a connection, a piece of the answer."""

TOTAL_SECONDS = 25.0
"""The longest a whole call may take. A server that sends drop by drop never exceeds the other limit."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer that is read. Lists embed whole snapshots and results, so it is generous."""

MAX_ERROR_BYTES = 64 * 1024
_DETAIL_FIELDS = ("message", "error_description", "detail", "error")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end. `credential` is what it was asked with; an error must not repeat it."""

    status: int
    headers: httpx.Headers
    body: bytes
    credential: str = field(default="", repr=False)


def connections(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A pool of connections that waits at most `TIMEOUT_SECONDS` for each step and follows no redirect."""
    return httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport)


class HttpExchange:
    """Sends requests to one system and turns every failure into an error for Temporal.

    Redirects are not followed: an interface that redirects is a login page or a wrong address, and a token must not
    travel to another host.

    Args:
        system: the name people know it by, for error messages.
        http: the connections, see `connections`; whoever made them closes them.
        secrets: texts that must not appear in an error, even if the system repeats them.
    """

    def __init__(self, system: str, http: httpx.AsyncClient, *, secrets: Sequence[str] = ()) -> None:
        self._system = system
        self._http = http
        self._secrets = list(secrets)

    async def send(
        self,
        method: str,
        url: str,
        *,
        call: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request and reads the answer, whatever its status.

        Args:
            call: method and path as errors name them, without host, query and credentials.

        Raises:
            ApplicationError: `Unreachable`, there was no answer or not a whole one; `UnexpectedAnswer`, it is larger
                than `MAX_ANSWER_BYTES`.
        """
        request = self._http.build_request(method, url, params=query, headers=headers, content=content, data=form)
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                response = await self._http.send(request, stream=True)
                try:
                    body = await self._read(response, call)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.StreamError, UnicodeError, TimeoutError) as error:
            raise unreachable(self._system, call, error) from None
        credential = request.headers.get("Authorization", "").rpartition(" ")[2]
        return Answer(response.status_code, response.headers, body, credential)

    def failure(self, call: str, answer: Answer) -> ApplicationError:
        """The error for an answer whose status is not a success."""
        detail = _detail(answer.body)
        for secret in filter(None, [*self._secrets, answer.credential]):
            detail = detail.replace(secret, "***")
        return answered(self._system, call, answer.status, detail, answer.headers.get("Retry-After"))

    def json(self, call: str, answer: Answer) -> Any:
        """The JSON value of a successful answer.

        Raises:
            ApplicationError: the status is not a success, or the body is no JSON (`UnexpectedAnswer`).
        """
        if not 200 <= answer.status < 300:
            raise self.failure(call, answer)
        try:
            return finite_json(answer.body)
        except ValueError:
            kind = answer.headers.get("Content-Type", "no content type")
            raise unexpected(self._system, call, f"status {answer.status}, {kind}, no readable JSON") from None

    async def _read(self, response: httpx.Response, call: str) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if not response.is_success and len(body) > MAX_ERROR_BYTES:
                break
            if len(body) > MAX_ANSWER_BYTES:
                raise ApplicationError(
                    f"{self._system} answered {call} with more than {MAX_ANSWER_BYTES >> 20} MB "
                    "(reduce what is embedded there, for example by keeping large files in external storage)",
                    type=OutsideError.UNEXPECTED_ANSWER,
                    non_retryable=True,
                )
        return bytes(body)


def finite_json(text: bytes | str) -> Any:
    """Reads JSON; NaN and infinite numbers, which some monitors write, become None.

    Raises:
        ValueError: it is not JSON, or nested deeper than can be read.
    """
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _detail(body: bytes) -> str:
    """What an error answer says: its message field, or else its text."""
    readable = body[:MAX_ERROR_BYTES].decode("utf-8", "replace")
    try:
        said = finite_json(readable)
    except ValueError:
        return readable
    if isinstance(said, dict):
        return next((said[field] for field in _DETAIL_FIELDS if isinstance(said.get(field), str)), readable)
    return readable
