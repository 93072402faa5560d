"""The calls to Jira that the process needs, the same on Data Center and on Cloud."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from jira import JIRA, JIRAError
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.jira import failures
from activities.jira.answers import (
    STATUSES,
    UPLOADED,
    Attachments,
    Change,
    Comment,
    CreatedIssue,
    File,
    FoundIssues,
    Issue,
    Page,
    SearchPage,
    Status,
    TokenPage,
    Transition,
    Transitions,
    User,
    UserWithGroups,
)
from activities.jira.connection import Edition, JiraConnection, get, opened, parsed, pieces, post
from activities.jira.settings import JiraSettings
from activities.jira.types import Attachment

PAGE_SIZE = 100
MEMBERS_PAGE_SIZE = 50  # the most that Cloud gives
MAX_BULK = 100
MAX_RECONCILED = 50
MAX_DOWNLOAD_BYTES = 50 * 1024 * 1024

ISSUE_FIELDS = "status,resolution,labels,project,attachment,comment,updated"
SEARCH_FIELDS = ["status", "labels", "updated"]

# A site may forbid these to the service account, or not have them at all; a ticket is complete without them.
TOLERATED_FOR_EXTRAS = (403, 404, 501)

MARK_COLOR = "#97a0af"

_T = TypeVar("_T")


class JiraAdapter:
    """The calls to Jira that the process needs.

    Nothing is sent before the first call, so an unreachable Jira is an error of that call, which is retried, and not
    of the worker's start. Every failure is an `ApplicationError` with one of the types of `errors.OutsideError`.
    """

    def __init__(self, settings: JiraSettings) -> None:
        self._url = str(settings.url).rstrip("/")
        self._site_url = str(settings.site_url or settings.url).rstrip("/")
        self._connection = JiraConnection(settings)
        self._myself: User | None = None
        self._explain_create = functools.partial(failures.explain_create, wait=settings.ambiguous_wait)

    async def aclose(self) -> None:
        """Waits for the calls under way and closes all connections."""
        await self._connection.aclose()

    def browse_url(self, key: str) -> str:
        """The address at which people open a ticket."""
        return f"{self._site_url}/browse/{quote(key, safe='')}"

    async def user_reference(self, user: str) -> dict[str, str]:
        """How a field names a person: by accountId on Cloud, by user name on Data Center."""
        return {"accountId" if await self._on_cloud() else "name": user}

    async def myself(self) -> User:
        """The service account; asked once."""
        if self._myself is None:
            self._myself = await self._connection.call(
                "GET myself", lambda client: User.model_validate(get(client, "myself"))
            )
        return self._myself

    async def statuses(self) -> list[Status]:
        """All statuses that are in use, of every project."""
        return await self._connection.call("GET status", lambda client: STATUSES.validate_python(get(client, "status")))

    async def is_in_any(self, user: User, groups: Sequence[str]) -> bool:
        """Whether a person belongs to one of several groups; a name that no group has counts as one without members.

        Raises:
            ApplicationError: also, not retried, if the service account may not look that up.
        """
        if not await self._on_cloud():
            return await self._has_group(user, groups)
        for group in groups:
            if await self._has_member(group, user):
                return True
        return False

    async def create(self, fields: Mapping[str, Any], properties: Mapping[str, Any]) -> CreatedIssue:
        """Creates an issue with all its fields in one request that is sent once.

        Args:
            fields: as REST v2 takes them.
            properties: issue properties by key; left out if this Jira does not take them on creation.

        Raises:
            UnclearCreationError: whether it was created is not known; asks for the next attempt no sooner than
                `ambiguous_wait` from now.
            ApplicationError: nothing was created for sure.
        """
        body = {"fields": dict(fields)}
        listed = [{"key": key, "value": value} for key, value in properties.items()]

        def create(client: JIRA) -> CreatedIssue:
            try:
                answer = post(client, "issue", {**body, "properties": listed})
            except JIRAError as error:
                if not failures.refuses(error, "properties"):
                    raise
                answer = post(client, "issue", body)
            return CreatedIssue.model_validate(answer)

        return await self._connection.call("POST issue", create, self._explain_create)

    async def search_by_labels(self, labels: Sequence[str], known: Sequence[str] = ()) -> list[Issue]:
        """All issues with any of the labels that the index knows by now, lowest id first; status and labels only.

        Args:
            labels: at least one.
            known: ids of issues that belong to the result, at most `MAX_RECONCILED`; Cloud looks those up beside its
                index, which may lag behind.
        """
        jql = f"labels in ({_listed(labels)}) ORDER BY created ASC"
        if await self._on_cloud():
            found = await self._connection.call(
                "POST search/jql", lambda client: list(_search_cloud(client, jql, [int(id_) for id_ in known]))
            )
        else:
            found = await self._connection.call("POST search", lambda client: list(_search(client, jql)))
        # While issues come and go, pages may overlap.
        return sorted({issue.id: issue for issue in found}.values(), key=lambda issue: int(issue.id))

    async def get(self, issue_id: str) -> Issue:
        """An issue with its status, labels, attachments, comments and changelog. Not from the index: never stale."""
        path = _issue_path(issue_id)

        def read(client: JIRA) -> Issue:
            issue = Issue.model_validate(get(client, path, fields=ISSUE_FIELDS, expand="changelog"))
            # Cloud adds only the newest entries to an issue.
            if issue.changelog.total > len(issue.changelog.histories):
                issue.changelog.histories = list(_pages(client, f"{path}/changelog", Page[Change]))
            return issue

        return await self._connection.call(f"GET {path}", read)

    async def get_standing(self, id_or_key: str) -> Issue:
        """An issue with its status and labels only; not from the index."""
        path = _issue_path(id_or_key)
        return await self._connection.call(
            f"GET {path}", lambda client: Issue.model_validate(get(client, path, fields=",".join(SEARCH_FIELDS)))
        )

    async def get_standings(self, keys: Sequence[str]) -> list[Issue]:
        """At most `MAX_BULK` issues with their status and labels, in one call.

        A moved issue comes under its present key. One that is left out may be deleted, invisible, moved (Data Center
        searches by key) or unreadable at this moment; `get_standing` tells which.
        """
        body: dict[str, Any] = {"fields": SEARCH_FIELDS}
        if await self._on_cloud():
            path = "issue/bulkfetch"
            body |= {"issueIdsOrKeys": list(keys)}
        else:
            path = "search"
            # With validation, one key that does not exist would fail the whole search.
            body |= {"jql": f"key in ({_listed(keys)})", "validateQuery": False, "maxResults": MAX_BULK}
        found = await self._connection.call(
            f"POST {path}", lambda client: FoundIssues.model_validate(post(client, path, body))
        )
        return found.issues

    async def list_attachments(self, issue_id: str) -> list[Attachment]:
        """The files on a ticket, oldest first."""
        path = _issue_path(issue_id)
        answer = await self._connection.call(
            f"GET {path}", lambda client: Attachments.model_validate(get(client, path, fields="attachment"))
        )
        return sorted((_attachment(file) for file in answer.fields.attachment), key=lambda a: (a.created, a.filename))

    async def attach(self, issue_id: str, filename: str, content: bytes) -> Attachment:
        """Adds a file to a ticket. Jira keeps several of the same name, so look before you attach.

        Args:
            issue_id: numeric id of the ticket.
            filename: shown to people; old Data Center versions have trouble with names beyond ASCII.
            content: the bytes, stored as they are; not empty.

        Raises:
            UnclearCreationError: whether it was attached is not known, see `create`.
        """
        path = f"{_issue_path(issue_id)}/attachments"

        def attach(client: JIRA) -> Attachment:
            # The token turns off Jira's check against forged forms; without a type of ours the form's own is sent.
            headers = {"X-Atlassian-Token": "no-check", "Content-Type": None}
            part = {"file": (filename, content, "application/octet-stream")}
            answer = client._session.post(client._get_url(path), files=part, headers=headers)
            (file,) = UPLOADED.validate_python(parsed(answer))
            if file.size != len(content):
                raise failures.SizeMismatchError(filename, len(content), file.size)
            return _attachment(file)

        return await self._connection.call(f"POST {path}", attach, self._explain_create)

    async def download(self, attachment_id: str) -> bytes:
        """The bytes of an attachment, fetched by its id, so that a newer file of the same name is never taken.

        Raises:
            ApplicationError: also if Jira names an address outside the configured ones (credentials are sent only
                there), or if the file is larger than `MAX_DOWNLOAD_BYTES`.
        """
        quoted = quote(attachment_id, safe="")
        cloud = await self._on_cloud()

        def download(client: JIRA) -> bytes:
            file = File.model_validate(get(client, f"attachment/{quoted}"))
            if cloud:
                # Cloud would redirect to its media store, where credentials must not follow.
                return _read(client, file, client._get_url(f"attachment/content/{quoted}?redirect=false"))
            self._check_origin(file)
            return _read(client, file, file.content)

        return await self._connection.call(f"GET attachment/{quoted}", download)

    async def comment(self, issue_id: str, *, mark: str, text: str) -> None:
        """Writes a comment once: one that ends with the same mark is not written again.

        Args:
            issue_id: numeric id of the ticket.
            mark: 24 hexadecimal digits that name this comment.
            text: wiki markup.

        Raises:
            UnclearCreationError: whether it was written is not known, see `create`.
        """
        path = f"{_issue_path(issue_id)}/comment"
        last_line = f"{{color:{MARK_COLOR}}}mlc:{mark}{{color}}"

        def stands(client: JIRA) -> bool:
            return any(last_line in comment.body for comment in _pages(client, path, Page[Comment]))

        if not await self._connection.call(f"GET {path}", stands):
            body = {"body": f"{text}\n\n{last_line}"}
            await self._connection.call(f"POST {path}", lambda client: post(client, path, body), self._explain_create)

    async def link(self, issue_id: str, *, global_id: str, url: str, title: str) -> bool:
        """Adds or renews a remote link; returns False where Jira does not let the service account do that."""
        path = f"{_issue_path(issue_id)}/remotelink"
        body = {"globalId": global_id, "object": {"url": url, "title": title}}

        def link(client: JIRA) -> bool:
            try:
                post(client, path, body)
            except JIRAError as error:
                if error.status_code not in TOLERATED_FOR_EXTRAS:
                    raise
                return False
            return True

        return await self._connection.call(f"POST {path}", link)

    async def transitions(self, issue_id: str) -> list[Transition]:
        """The moves that the service account may make with a ticket from its present status."""
        path = f"{_issue_path(issue_id)}/transitions"
        answer = await self._connection.call(
            f"GET {path}", lambda client: Transitions.model_validate(get(client, path))
        )
        return answer.transitions

    async def transition(self, issue_id: str, transition_id: str) -> None:
        """Moves a ticket.

        Raises:
            ApplicationError: also, not retried, if that move does not exist from the status that it has by now.
        """
        path = f"{_issue_path(issue_id)}/transitions"
        await self._connection.call(
            f"POST {path}", lambda client: post(client, path, {"transition": {"id": transition_id}})
        )

    async def _on_cloud(self) -> bool:
        return await self._connection.edition() is Edition.CLOUD

    async def _has_group(self, user: User, groups: Sequence[str]) -> bool:
        who = {"username": user.account_id} if user.account_id else {"key": user.key}
        call = "GET user"
        found = await self._look_up(
            call,
            lambda client: UserWithGroups.model_validate(get(client, "user", expand="groups", **who)),
            'to see the groups of other people (the global permission "Browse Users")',
        )
        if found is None:
            return False
        wanted = {_folded(group) for group in groups}
        if any(_folded(group.name) in wanted for group in found.groups.items):
            return True
        if found.groups.size > len(found.groups.items):
            raise errors.unexpected(failures.SYSTEM, call, "it says how many groups the person has and hides them")
        return False

    async def _has_member(self, group: str, user: User) -> bool:
        def look(client: JIRA) -> bool:
            members = _pages(client, "group/member", Page[User], size=MEMBERS_PAGE_SIZE, groupname=group)
            return any(member.account_id == user.account_id for member in members)

        permission = f'to list the members of the group "{group}" (the global permission "Browse users and groups")'
        return bool(await self._look_up("GET group/member", look, permission))

    async def _look_up(self, call: str, use: Callable[[JIRA], _T], permission: str) -> _T | None:
        """The answer to a question about people; None if Jira knows no such person or group."""
        try:
            return await self._connection.call(call, use)
        except ApplicationError as error:
            if error.type == errors.OutsideError.NOT_FOUND:
                return None
            if error.type != errors.OutsideError.FORBIDDEN:
                raise
            raise ApplicationError(
                f"whether somebody is an approver is not known: Jira does not allow the service account {permission}; "
                "give it that permission, or name the approvers one by one",
                type=errors.OutsideError.FORBIDDEN,
                non_retryable=True,
            ) from None

    def _check_origin(self, file: File) -> None:
        if _origin(file.content) not in (_origin(self._url), _origin(self._site_url)):
            raise ApplicationError(
                f"Jira keeps attachment {file.id} at {'://'.join(map(str, _origin(file.content)[:2]))}, which is not "
                "a configured address (set SITE_URL to the base URL that Jira's administration shows)",
                type=errors.OutsideError.REFUSED,
                non_retryable=True,
            )


def _search(client: JIRA, jql: str) -> Iterator[Issue]:
    start = 0
    while True:
        body = {"jql": jql, "fields": SEARCH_FIELDS, "startAt": start, "maxResults": PAGE_SIZE}
        page = SearchPage.model_validate(post(client, "search", body))
        yield from page.issues
        start += len(page.issues)
        if not page.issues or start >= page.total:
            return


def _search_cloud(client: JIRA, jql: str, known: Sequence[int]) -> Iterator[Issue]:
    body: dict[str, Any] = {"jql": jql, "fields": SEARCH_FIELDS, "maxResults": PAGE_SIZE}
    if known:
        body["reconcileIssues"] = list(known)
    token: str | None = None
    while True:
        asked = {**body, "nextPageToken": token} if token else body
        page = TokenPage.model_validate(post(client, "search/jql", asked))
        yield from page.issues
        if page.is_last or page.next_page_token in (None, "", token):
            return
        token = page.next_page_token


def _pages(client: JIRA, path: str, kind: type[Page[_T]], *, size: int = PAGE_SIZE, **params: str) -> Iterator[_T]:
    start = 0
    while True:
        page = kind.model_validate(get(client, path, startAt=start, maxResults=size, **params))
        yield from page.entries
        start += len(page.entries)
        last = start >= page.total if page.is_last is None else page.is_last
        if last or not page.entries:
            return


def _read(client: JIRA, file: File, address: str) -> bytes:
    content = bytearray()
    with opened(client, address) as response:
        for chunk in pieces(response):
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


def _attachment(file: File) -> Attachment:
    return Attachment(attachment_id=file.id, filename=file.filename, size=file.size, created=file.created)


def _issue_path(id_or_key: str) -> str:
    return f"issue/{quote(id_or_key, safe='')}"


def _listed(values: Sequence[str]) -> str:
    """A list of JQL's quoted strings."""
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return ", ".join(f'"{value}"' for value in escaped)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _folded(name: str) -> str:
    return name.strip().casefold()
