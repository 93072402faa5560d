"""Async access to Jira through the `jira` package, which is synchronous: every call runs in a thread of our own.

The package is used so that nothing happens twice or silently: it never repeats a request (it would repeat a POST
whose answer was lost), never follows a redirect (which turns a POST into a GET), and always has a time-out.
"""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from jira import JIRA, JIRAError
from requests import Response
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.jira import failures
from activities.jira.answers import (
    UPLOADED,
    Attachments,
    CommentPage,
    CreatedIssue,
    File,
    Issue,
    SearchPage,
    ServerInfo,
    Transitions,
)
from activities.jira.settings import JiraSettings
from activities.jira.types import Attachment

THREADS = 8
CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 10.0
PAGE_SIZE = 100
MAX_DOWNLOAD_BYTES = 50 * 1024 * 1024

ISSUE_FIELDS = "status,resolution,labels,project,attachment,comment,updated"
SEARCH_FIELDS = "status,labels"

# A site may forbid these to the service account, or not have them at all; a ticket is complete without them.
TOLERATED_FOR_EXTRAS = (403, 404, 501)

MARK_COLOR = "#97a0af"

_T = TypeVar("_T")
_Explain = Callable[[str, Exception], ApplicationError]


class Edition(StrEnum):
    """Which Jira answers; searching, downloading and naming people differ between the two."""

    DATA_CENTER = "Data Center"
    CLOUD = "Cloud"


class JiraAdapter:
    """The calls to Jira that the process needs.

    Nothing is sent before the first call, so an unreachable Jira is an error of that call, which is retried, and not
    of the worker's start. Every failure is an `ApplicationError` with one of the types of `errors.OutsideError`.
    """

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings
        self._url = str(settings.url).rstrip("/")
        self._site_url = str(settings.site_url or settings.url).rstrip("/")
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

    def browse_url(self, key: str) -> str:
        """The address at which people open a ticket."""
        return f"{self._site_url}/browse/{quote(key, safe='')}"

    async def create(self, fields: Mapping[str, Any], properties: Mapping[str, Any]) -> CreatedIssue:
        """Creates an issue with all its fields in one request that is sent once.

        Args:
            fields: as REST v2 takes them.
            properties: issue properties by key; left out if this Jira does not take them on creation.

        Raises:
            ApplicationError: nothing was created for sure, or that is not known; in the latter case the error says so
                and asks for the next attempt no sooner than `ambiguous_wait` from now.
        """
        body = {"fields": dict(fields)}
        listed = [{"key": key, "value": value} for key, value in properties.items()]
        explain = functools.partial(failures.explain_create, wait=self._settings.ambiguous_wait)

        def create(client: JIRA) -> CreatedIssue:
            try:
                answer = _post(client, "issue", {**body, "properties": listed})
            except JIRAError as error:
                if not failures.refuses(error, "properties"):
                    raise
                answer = _post(client, "issue", body)
            return CreatedIssue.model_validate(answer)

        return await self._call("POST issue", create, explain)

    async def search_by_label(self, label: str) -> list[Issue]:
        """All issues with a label that the index knows by now, lowest id first; without comments and changelog."""
        quoted = label.replace("\\", "\\\\").replace('"', '\\"')
        jql = f'labels = "{quoted}" ORDER BY created ASC'

        def search(client: JIRA) -> list[Issue]:
            return sorted(_search(client, jql), key=lambda issue: int(issue.id))

        return await self._call("GET search", search)

    async def get(self, issue_id: str) -> Issue:
        """An issue with its status, labels, attachments, comments and changelog. Not from the index: never stale."""
        path = _issue_path(issue_id)
        return await self._call(
            f"GET {path}",
            lambda client: Issue.model_validate(_get(client, path, fields=ISSUE_FIELDS, expand="changelog")),
        )

    async def list_attachments(self, issue_id: str) -> list[Attachment]:
        """The files on a ticket, oldest first."""
        path = _issue_path(issue_id)
        answer = await self._call(
            f"GET {path}", lambda client: Attachments.model_validate(_get(client, path, fields="attachment"))
        )
        return sorted((_attachment(file) for file in answer.fields.attachment), key=lambda a: (a.created, a.filename))

    async def attach(self, issue_id: str, filename: str, content: bytes) -> Attachment:
        """Adds a file to a ticket. Jira keeps several of the same name, so look before you attach.

        Args:
            issue_id: numeric id of the ticket.
            filename: shown to people; old Data Center versions have trouble with names beyond ASCII.
            content: the bytes, stored as they are; not empty.
        """

        path = f"{_issue_path(issue_id)}/attachments"

        def attach(client: JIRA) -> Attachment:
            # The token turns off Jira's check against forged forms; without a type of ours the form's own is sent.
            headers = {"X-Atlassian-Token": "no-check", "Content-Type": None}
            part = {"file": (filename, content, "application/octet-stream")}
            answer = client._session.post(client._get_url(path), files=part, headers=headers)
            (file,) = UPLOADED.validate_python(_parsed(answer))
            if file.size != len(content):
                raise failures.SizeMismatchError(filename, len(content), file.size)
            return _attachment(file)

        return await self._call(f"POST {path}", attach)

    async def download(self, attachment_id: str) -> bytes:
        """The bytes of an attachment, fetched by its id, so that a newer file of the same name is never taken.

        Raises:
            ApplicationError: also if Jira names an address outside the configured ones (credentials are sent only
                there), or if the file is larger than `MAX_DOWNLOAD_BYTES`.
        """
        path = f"attachment/{quote(attachment_id, safe='')}"

        def download(client: JIRA) -> bytes:
            file = File.model_validate(_get(client, path))
            self._check_origin(file)
            return _read(client, file)

        return await self._call(f"GET {path}", download)

    async def comment(self, issue_id: str, *, mark: str, text: str) -> None:
        """Writes a comment once: one that ends with the same mark is not written again.

        Args:
            issue_id: numeric id of the ticket.
            mark: 24 hexadecimal digits that name this comment.
            text: wiki markup.
        """
        path = f"{_issue_path(issue_id)}/comment"
        last_line = f"{{color:{MARK_COLOR}}}mlc:{mark}{{color}}"

        def comment(client: JIRA) -> None:
            if not any(last_line in body for body in _comment_bodies(client, path)):
                _post(client, path, {"body": f"{text}\n\n{last_line}"})

        await self._call(f"POST {path}", comment)

    async def link(self, issue_id: str, *, global_id: str, url: str, title: str) -> bool:
        """Adds or renews a remote link; returns False where Jira does not let the service account do that."""
        path = f"{_issue_path(issue_id)}/remotelink"
        body = {"globalId": global_id, "object": {"url": url, "title": title}}

        def link(client: JIRA) -> bool:
            try:
                _post(client, path, body)
            except JIRAError as error:
                if error.status_code not in TOLERATED_FOR_EXTRAS:
                    raise
                return False
            return True

        return await self._call(f"POST {path}", link)

    async def transition(self, issue_id: str, status: str) -> None:
        """Moves a ticket to a status, named by the status and not by the move; nothing to do if it is there already.

        Raises:
            ApplicationError: also, not retried, if the service account has no move to that status.
        """
        path = _issue_path(issue_id)
        moves_path = f"{path}/transitions"

        def transition(client: JIRA) -> None:
            issue = Issue.model_validate(_get(client, path, fields="status"))
            if _same(issue.fields.status.name, status):
                return
            moves = Transitions.model_validate(_get(client, moves_path)).transitions
            move = next((move for move in moves if _same(move.to.name, status)), None)
            if move is None:
                raise _no_move(issue, status, [move.to.name for move in moves])
            _post(client, moves_path, {"transition": {"id": move.id}})

        await self._call(f"POST {moves_path}", transition)

    async def _call(self, call: str, use: Callable[[JIRA], _T], explain: _Explain = failures.explain) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._in_thread, call, use, explain)

    def _in_thread(self, call: str, use: Callable[[JIRA], _T], explain: _Explain) -> _T:
        client = self._client()
        try:
            return use(client)
        except failures.FAILURES as error:
            # A cause would be printed and recorded with its text, which holds headers and bodies.
            raise explain(call, error) from None

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
            server=self._url,
            basic_auth=basic,
            token_auth=settings.bearer_token.get_secret_value() if settings.bearer_token else None,
            get_server_info=False,
            max_retries=0,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            logging=False,
        )
        client._session.hooks["response"].append(_insist_on_success)
        return client

    def _know_edition(self, client: JIRA) -> None:
        """Asks once which Jira this is; without it the package would quietly use calls that Cloud has removed."""
        if self._edition is None:
            try:
                info = ServerInfo.model_validate(_get(client, "serverInfo"))
            except failures.FAILURES as error:
                raise failures.explain("GET serverInfo", error) from None
            self._edition = Edition.CLOUD if info.deployment_type == "Cloud" else Edition.DATA_CENTER
        if self._edition is Edition.CLOUD:
            raise ApplicationError(
                "the configured Jira is a Cloud site, which is not supported (use Jira Data Center)",
                type=errors.OutsideError.REFUSED,
                non_retryable=True,
            )
        client.deploymentType = "Server"

    def _check_origin(self, file: File) -> None:
        if _origin(file.content) not in (_origin(self._url), _origin(self._site_url)):
            raise ApplicationError(
                f"Jira keeps attachment {file.id} at {'://'.join(map(str, _origin(file.content)[:2]))}, which is not "
                "a configured address (set SITE_URL to the base URL that Jira's administration shows)",
                type=errors.OutsideError.REFUSED,
                non_retryable=True,
            )


def _insist_on_success(response: Response, *_: Any, **__: Any) -> None:
    # Runs before the package parses an error body, which fails on bodies that are not Jira's, and before a redirect
    # is followed.
    if not response.ok or response.is_redirect:
        raise JIRAError(status_code=response.status_code, response=response)


def _get(client: JIRA, path: str, **params: str | int) -> Any:
    return _parsed(client._session.get(client._get_url(path), params=params))


def _post(client: JIRA, path: str, body: Mapping[str, Any]) -> Any:
    return _parsed(client._session.post(client._get_url(path), data=json.dumps(body)))


def _parsed(response: Response) -> Any:
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except ValueError:
        raise failures.NotJsonError(response) from None


def _search(client: JIRA, jql: str) -> Iterator[Issue]:
    start = 0
    while True:
        answer = _get(client, "search", jql=jql, fields=SEARCH_FIELDS, startAt=start, maxResults=PAGE_SIZE)
        page = SearchPage.model_validate(answer)
        yield from page.issues
        start += len(page.issues)
        if not page.issues or start >= page.total:
            return


def _comment_bodies(client: JIRA, path: str) -> Iterator[str]:
    start = 0
    while True:
        page = CommentPage.model_validate(_get(client, path, startAt=start, maxResults=PAGE_SIZE))
        yield from (comment.body for comment in page.comments)
        start += len(page.comments)
        if not page.comments or start >= page.total:
            return


def _read(client: JIRA, file: File) -> bytes:
    content = bytearray()
    with client._session.get(file.content, stream=True) as response:
        for chunk in response.iter_content(64 * 1024):
            content += chunk
            if len(content) > MAX_DOWNLOAD_BYTES:
                raise _too_large(file)
    if len(content) != file.size:
        raise failures.SizeMismatchError(file.filename, file.size, len(content))
    return bytes(content)


def _too_large(file: File) -> ApplicationError:
    return ApplicationError(
        f"attachment {file.id} has {file.size:,} bytes, {MAX_DOWNLOAD_BYTES:,} are taken (attach a smaller one)",
        type=errors.OutsideError.REFUSED,
        non_retryable=True,
    )


def _no_move(issue: Issue, status: str, reachable: Iterable[str]) -> ApplicationError:
    choices = ", ".join(f'"{name}"' for name in reachable) or "none"
    return ApplicationError(
        f'ticket {issue.key} cannot be moved from "{issue.fields.status.name}" to "{status}": the service account may '
        f"move it to {choices} (add the transition to the project's workflow, or move the ticket by hand)",
        type=errors.OutsideError.REFUSED,
        non_retryable=True,
    )


def _attachment(file: File) -> Attachment:
    return Attachment(attachment_id=file.id, filename=file.filename, size=file.size, created=file.created)


def _issue_path(issue_id: str) -> str:
    return f"issue/{quote(issue_id, safe='')}"


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
