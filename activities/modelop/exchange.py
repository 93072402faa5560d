"""One HTTP call with one outcome: an answer that is a success, or an error that says whether to try again."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError, answered, unclear, unexpected, unreachable
from activities.observation import outside_call
from activities.transport import TransportSettings

TIMEOUT_SECONDS = 10.0
"""The longest wait for one step: a connection, a piece of the answer."""

TOTAL_SECONDS = 25.0
"""The longest a whole call may take. A server that sends drop by drop never exceeds the other limit."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest answer that is read. Lists embed whole snapshots and results, so it is generous."""

MAX_ERROR_BYTES = 64 * 1024
_DETAIL_FIELDS = ("message", "error_description", "detail", "error")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, UnicodeError)
_REQUEST_TIMEOUT = 408


class AnswerTooLarge(ApplicationError):
    """The answer to a call is larger than it may be."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read to its end.

    Attributes:
        credential: what it was asked with; an error must not repeat it.
        creates: whether the request makes another object each time it is carried out.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    credential: str = field(default="", repr=False)
    creates: bool = False


def connections(
    settings: TransportSettings, addresses: Sequence[str], transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """A pool of connections that waits at most `TIMEOUT_SECONDS` for each step and follows no redirect.

    Args:
        settings: whose certificates count, and the proxy.
        addresses: what will be asked; each may lie behind another proxy of the environment, or behind none.
        transport: replaces the network.
    """
    verify = settings.ssl_verification()
    ways = {} if transport else {_site(each): settings.proxy_for(each) for each in addresses}
    return httpx.AsyncClient(
        timeout=TIMEOUT_SECONDS,
        follow_redirects=False,
        verify=verify,
        trust_env=False,
        transport=transport,
        mounts={site: httpx.AsyncHTTPTransport(verify=verify, proxy=proxy) for site, proxy in ways.items() if proxy},
    )


class HttpExchange:
    """Sends requests to one system and turns every failure into an error for Temporal.

    Redirects are not followed: an interface that redirects is a login page or a wrong address, and a token must not
    travel to another host.

    Args:
        system: the name people know it by, for error messages.
        http: the connections, see `connections`; whoever made them closes them.
        secrets: texts that must not appear in an error, even if the system repeats them.
        ambiguous_wait: how long the system may take to finish a request that was given up here.
    """

    def __init__(
        self,
        system: str,
        http: httpx.AsyncClient,
        *,
        secrets: Sequence[str] = (),
        ambiguous_wait: timedelta = timedelta(0),
    ) -> None:
        self._system = system
        self._http = http
        self._secrets = list(secrets)
        self._ambiguous_wait = ambiguous_wait

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
        creates: bool = False,
        limit: int | None = None,
    ) -> Answer:
        """Sends one request and reads the answer, whatever its status.

        Args:
            call: method and path as errors name them, without host, query and credentials.
            creates: the request makes another object each time it is carried out. A failure that leaves open whether
                it was asks Temporal to wait before the next attempt, here and in `failure` and `nonsense`.
            limit: the largest answer that is read, in bytes; None: `MAX_ANSWER_BYTES`.

        Raises:
            ApplicationError: `Unreachable`, there was no answer or not a whole one.
            AnswerTooLarge: the answer is larger than `limit`.
        """
        request = self._http.build_request(method, url, params=query, headers=headers, content=content, data=form)
        try:
            with outside_call(self._system, call) as observed:
                async with asyncio.timeout(TOTAL_SECONDS):
                    response = await self._http.send(request, stream=True)
                    observed.status = response.status_code
                    try:
                        body = await self._read(response, call, limit or MAX_ANSWER_BYTES)
                    finally:
                        await response.aclose()
        except (httpx.HTTPError, httpx.StreamError, UnicodeError, TimeoutError) as error:
            told = unreachable(self._system, call, error)
            certain = not creates or isinstance(error, _NEVER_SENT)
            raise (told if certain else unclear(told, self._ambiguous_wait)) from None
        except asyncio.CancelledError as error:
            if creates and _is_worker_shutdown():
                # Another worker would take over at once, while the request may still be carried out.
                raise unclear(unreachable(self._system, call, error), self._ambiguous_wait) from None
            raise
        credential = request.headers.get("Authorization", "").rpartition(" ")[2]
        return Answer(response.status_code, response.headers, body, credential, creates)

    def failure(self, call: str, answer: Answer) -> ApplicationError:
        """The error for an answer whose status is not a success."""
        detail = _detail(answer.body)
        for secret in filter(None, [*self._secrets, answer.credential]):
            detail = detail.replace(secret, "***")
        error = answered(self._system, call, answer.status, detail, answer.headers.get("Retry-After"))
        refused = 400 <= answer.status < 500 and answer.status != _REQUEST_TIMEOUT
        return unclear(error, self._ambiguous_wait) if answer.creates and not refused else error

    def nonsense(self, call: str, answer: Answer, detail: str) -> ApplicationError:
        """The error for a success whose body is not what the interface promises."""
        error = unexpected(self._system, call, detail)
        return unclear(error, self._ambiguous_wait) if answer.creates else error

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
            raise self.nonsense(call, answer, f"status {answer.status}, {kind}, no readable JSON") from None

    async def _read(self, response: httpx.Response, call: str, limit: int) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if not response.is_success and len(body) > MAX_ERROR_BYTES:
                break
            if len(body) > limit:
                raise AnswerTooLarge(
                    f"{self._system} answered {call} with more than {limit >> 20} MB "
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


def _site(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _is_worker_shutdown() -> bool:
    details = activity.cancellation_details() if activity.in_activity() else None
    return details is not None and details.worker_shutdown


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
