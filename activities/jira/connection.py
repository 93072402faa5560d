"""One way to Jira: threads with a client each, the edition that answers, and what counts as an answer.

The `jira` package is synchronous, so every call runs in a thread of our own. It is used so that nothing happens twice
or silently: it never repeats a request (it would repeat a POST whose answer was lost), never follows a redirect
(which turns a POST into a GET), and always has a time-out.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, TypeVar

from jira import JIRA, JIRAError
from requests import ConnectionError, ReadTimeout, Response, Session
from temporalio.exceptions import ApplicationError
from urllib3.exceptions import HTTPError, ReadTimeoutError

from activities.jira import failures
from activities.jira.answers import ServerInfo
from activities.jira.settings import JiraSettings
from activities.observation import outside_call

THREADS = 8
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0
TOTAL_SECONDS = 25.0
"""The longest that the body of an answer may take; a server that sends drop by drop never exceeds the other limit."""

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""The largest answer that is read: a ticket with a long history has some megabytes. Files have a limit of their own."""

MAX_ERROR_BYTES = 64 * 1024
_PIECE = 64 * 1024

_T = TypeVar("_T")
_Explain = Callable[[str, Exception], ApplicationError]


class Edition(StrEnum):
    """Which Jira answers; searching, downloading and naming people differ between the two."""

    DATA_CENTER = "Data Center"
    CLOUD = "Cloud"


class JiraConnection:
    """Runs calls to Jira in threads and turns every failure into an `ApplicationError`.

    Nothing is sent before the first call, so an unreachable Jira is an error of that call, which is retried, and not
    of the worker's start. The errors have one of the types of `errors.OutsideError`.
    """

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="jira")
        # One client per thread: a `requests` session is not documented to be safe for several.
        self._local = threading.local()
        self._clients: list[JIRA] = []
        self._edition: Edition | None = None

    async def aclose(self) -> None:
        """Waits for the calls under way and closes all connections."""
        # A client that is closed while a call uses it fails that call with an AttributeError.
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
        while self._clients:
            self._clients.pop()._session.close()

    async def edition(self) -> Edition:
        """Which Jira answers; asked once."""
        if self._edition is None:
            await self.call("GET serverInfo", lambda _: None)
        return self._edition or Edition.DATA_CENTER

    async def call(self, call: str, use: Callable[[JIRA], _T], explain: _Explain = failures.explain) -> _T:
        """Runs `use` in a thread with a client of its own.

        Args:
            call: what errors call it, for example `GET issue/10001`.
            use: sends the requests; may raise any of `failures.FAILURES`, or an `ApplicationError` of its own.
            explain: makes the error to raise out of a failure.
        """
        # The thread works for the activity that asks: its measurements, spans and log lines belong to that.
        work = functools.partial(contextvars.copy_context().run, self._in_thread, call, use, explain)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _in_thread(self, call: str, use: Callable[[JIRA], _T], explain: _Explain) -> _T:
        self._local.status = None
        with outside_call(failures.SYSTEM, call) as observed:
            try:
                return use(self._client())
            except failures.FAILURES as error:
                # A cause would be printed and recorded with its text, which holds headers and bodies.
                raise explain(call, error) from None
            finally:
                observed.status = self._local.status

    def _client(self) -> JIRA:
        client: JIRA | None = getattr(self._local, "client", None)
        if client is None:
            client = self._new_client()
            self._know_edition(client)
            self._local.client = client
            self._clients.append(client)
        return client

    def _new_client(self) -> JIRA:
        settings = self._settings
        basic = (settings.username, settings.token.get_secret_value()) if settings.username and settings.token else None
        client = JIRA(
            server=str(settings.url).rstrip("/"),
            basic_auth=basic,
            token_auth=settings.bearer_token.get_secret_value() if settings.bearer_token else None,
            get_server_info=False,
            max_retries=0,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            logging=False,
        )
        session = client._session
        session.trust_env = False
        session.verify = settings.verify
        proxy = settings.proxy_for(str(settings.url))
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.hooks["response"] += [self._note_status, _insist_on_success]
        return client

    def _note_status(self, response: Response, *_: Any, **__: Any) -> None:
        self._local.status = response.status_code

    def _know_edition(self, client: JIRA) -> None:
        """Asks once which Jira this is; without it the package would quietly use calls that Cloud has removed."""
        if self._edition is None:
            try:
                info = ServerInfo.model_validate(get(client, "serverInfo"))
            except failures.FAILURES as error:
                raise failures.explain("GET serverInfo", error) from None
            self._edition = Edition.CLOUD if info.deployment_type == "Cloud" else Edition.DATA_CENTER
        client.deploymentType = "Cloud" if self._edition is Edition.CLOUD else "Server"


def get(client: JIRA, path: str, **params: str | int) -> Any:
    """The JSON at a path of REST v2."""
    return parsed(client._session.get(client._get_url(path), params=params))


def post(client: JIRA, path: str, body: Mapping[str, Any]) -> Any:
    """What Jira answers to a JSON body; None if it answers without one."""
    return parsed(client._session.post(client._get_url(path), data=json.dumps(body)))


def parsed(response: Response) -> Any:
    """The JSON of a success; None for one that has no body by its status.

    Raises:
        NotJsonError: the body is something else, such as a login page.
    """
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except ValueError:
        raise failures.NotJsonError(response) from None


def opened(client: JIRA, address: str) -> Response:
    """The answer of a GET whose body is still to be read, with `pieces`.

    Past the package's own session, which reads every body to its end to see whether it is empty.
    """
    return Session.request(client._session, "GET", address, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))


def pieces(response: Response) -> Iterator[bytes]:
    """The body of an answer as it arrives, unpacked.

    Raises:
        ReadTimeout: it took longer than `TOTAL_SECONDS`. The way of `requests` waits until a piece is full, during
            which a server that sends drop by drop is never late.
        ConnectionError: the body is cut short or cannot be unpacked.
    """
    deadline = time.monotonic() + TOTAL_SECONDS
    try:
        while piece := response.raw.read1(_PIECE, decode_content=True):
            yield piece
            if time.monotonic() > deadline:
                raise ReadTimeout(request=response.request)
    except ReadTimeoutError as error:
        raise ReadTimeout(error, request=response.request) from None
    except HTTPError as error:
        raise ConnectionError(error, request=response.request) from None


def _insist_on_success(response: Response, *_: Any, stream: bool = False, **__: Any) -> None:
    failed = not response.ok or response.is_redirect
    # The body is not read yet at this point; afterwards the package would read whatever comes, to its end.
    if failed or not stream:
        _read_body(response, MAX_ERROR_BYTES if failed else MAX_ANSWER_BYTES, whole=not failed)
    # Cloud answers a request whose credentials it does not accept as it would answer a passer-by: searches find
    # nothing and tickets do not exist, which must not be taken for the truth.
    if response.status_code != 401 and response.headers.get("X-Seraph-LoginReason") == "AUTHENTICATED_FAILED":
        raise failures.NotSignedInError
    # Runs before the package parses an error body, which fails on bodies that are not Jira's, and before a redirect
    # is followed.
    if failed:
        raise JIRAError(status_code=response.status_code, response=response)


def _read_body(response: Response, limit: int, *, whole: bool) -> None:
    """Reads the body into the response, bounded in size and time.

    Raises:
        AnswerTooLargeError: there is more than `limit`, and the whole of it is wanted.
    """
    body = bytearray()
    with response:
        for piece in pieces(response):
            body += piece
            if len(body) > limit:
                if whole:
                    raise failures.AnswerTooLargeError(limit)
                break
    # Where `requests` itself keeps a body that it has read; there is no public way to bound one.
    response._content = bytes(body[:limit])
