"""Delivers webhooks the way each edition does.

Asynchronously after the change is stored, from memory: what waits when the server stops is lost. Data Center makes one
attempt, and what nobody takes is lost; Cloud tries again by a schedule. First attempts about one issue keep their
order; different issues are served side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx

from sandbox.jira.edition import Edition
from sandbox.jira.jql import JqlError
from sandbox.jira.representation import Representation
from sandbox.jira.retries import MOST_RETRIES, RetrySchedule
from sandbox.jira.search import Search
from sandbox.jira.store import Delivery, Store, Webhook, now
from sandbox.jira.tracker import CREATED, DELETED, UPDATED, IssueEvent

WORKERS = 4
# Data Center bounds its queue too, and drops what does not fit.
QUEUE_LIMIT = 1000
TIMEOUT_SECONDS = 3.0

EVENTS = (CREATED, UPDATED, DELETED)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outgoing:
    """A request that is about to be sent: `body` is signed as it stands, `retry` counts the attempts before it."""

    webhook: str
    url: str
    event: str
    issue_id: int
    issue_key: str
    body: bytes
    headers: dict[str, str]
    retry: int = 0

    def again(self) -> Outgoing:
        """The next attempt: the same delivery under the same identifier, marked as a retry."""
        retry = self.retry + 1
        return replace(self, retry=retry, headers={**self.headers, "X-Atlassian-Webhook-Retry": str(retry)})


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery: the answer's status, or why there was none."""

    status: int | None
    error: str | None = None


Deliver = Callable[[Outgoing], Awaitable[Outcome]]


def signature(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature` for a body: HMAC-SHA256 over its bytes, in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _edition_headers(edition: Edition) -> dict[str, str]:
    if edition is Edition.DATA_CENTER:
        return {"User-Agent": "Jira-Sandbox/10.3"}
    return {
        "User-Agent": "Atlassian Webhook HTTP Client",
        "X-Atlassian-Webhook-Identifier": str(uuid.uuid4()),
        # Everything here follows from what one person did; `Secondary` is for bulk changes and cascades.
        "X-Atlassian-Webhook-Flow": "Primary",
    }


async def post(client: httpx.AsyncClient, outgoing: Outgoing) -> Outcome:
    """Sends a webhook once. Never raises for what the receiver does."""
    try:
        response = await client.post(outgoing.url, content=outgoing.body, headers=outgoing.headers)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        return Outcome(None, f"{type(problem).__name__}: {problem}".rstrip(": "))
    return Outcome(response.status_code)


class Dispatcher:
    """Turns events into requests and sends them from a small pool of workers.

    Args:
        store: registered webhooks and the delivery log.
        representation: writes the payloads.
        deliver: sends one request; replaced to make deliveries misbehave.
        edition: whose headers the requests carry.
        retries: when to try again; None makes every attempt the last.
    """

    def __init__(
        self,
        store: Store,
        representation: Representation,
        deliver: Deliver,
        edition: Edition = Edition.DATA_CENTER,
        retries: RetrySchedule | None = None,
    ) -> None:
        self._store = store
        self._represent = representation
        self._deliver = deliver
        self._edition = edition
        self._retries = retries
        self._waiting: set[asyncio.TimerHandle] = set()
        self._queues: list[asyncio.Queue[Outgoing]] = []
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts the workers on the running event loop."""
        self._queues = [asyncio.Queue(QUEUE_LIMIT) for _ in range(WORKERS)]
        self._workers = [asyncio.create_task(self._work(queue)) for queue in self._queues]

    async def stop(self) -> None:
        """Stops the workers; what still waits is lost."""
        for handle in self._waiting:
            handle.cancel()
        for worker in self._workers:
            worker.cancel()
        for worker in self._workers:
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def announce(self, event: IssueEvent) -> None:
        """Queues an event for every webhook that asked for it."""
        webhooks = [hook for hook in self._store.webhooks() if self._wanted(hook, event)]
        if not webhooks:
            return
        body = json.dumps(self.payload(event), ensure_ascii=False).encode()
        for webhook in webhooks:
            self._enqueue(self._outgoing(webhook, event, body))

    def _enqueue(self, outgoing: Outgoing) -> None:
        try:
            # One queue per issue keeps the order of what happened to it.
            self._queues[outgoing.issue_id % WORKERS].put_nowait(outgoing)
        except asyncio.QueueFull:
            self._record(outgoing, Outcome(None, "dropped: too many deliveries are waiting"), 0)

    def _retry(self, outgoing: Outgoing, outcome: Outcome) -> float | None:
        """Plans the next attempt, and returns the seconds until then."""
        if self._retries is None:
            return None
        delay = self._retries.delay(outgoing.webhook, outgoing.retry, outcome.status)
        if delay is not None:

            def due() -> None:
                self._waiting.discard(handle)
                self._enqueue(outgoing.again())

            handle = asyncio.get_running_loop().call_later(delay, due)
            self._waiting.add(handle)
        return delay

    def _wanted(self, webhook: Webhook, event: IssueEvent) -> bool:
        if not webhook.active or event.name not in webhook.events:
            return False
        if not webhook.jql:
            return True
        try:
            search = Search(self._store, event.actor, edition=self._edition, validate=False)
            return search.matches(webhook.jql, event.issue)
        except JqlError as problem:
            log.warning("webhook %s is skipped, its JQL filter is wrong: %s", webhook.name, problem)
            return False

    def _outgoing(self, webhook: Webhook, event: IssueEvent, body: bytes) -> Outgoing:
        headers = {"Content-Type": "application/json; charset=UTF-8", **_edition_headers(self._edition)}
        if webhook.secret is not None:
            headers["X-Hub-Signature"] = signature(webhook.secret, body)
        # Cloud still writes variables with a dollar sign, as Data Center did up to version 9.
        dollar = "$" if self._edition is Edition.CLOUD else ""
        url = webhook.url
        for variable, value in {
            "{issue.id}": str(event.issue.id),
            "{issue.key}": event.issue.key,
            "{project.key}": event.issue.project.key,
        }.items():
            url = url.replace(f"{dollar}{variable}", quote(value))
        return Outgoing(webhook.name, url, event.name, event.issue.id, event.issue.key, body, headers)

    def payload(self, event: IssueEvent) -> dict[str, Any]:
        """The body of a webhook; the issue carries all its fields, the changelog only what this event changed."""
        payload: dict[str, Any] = {
            "timestamp": round(event.at.timestamp() * 1000),
            "webhookEvent": event.name,
            "issue_event_type_name": event.type_name,
            "user": self._represent.user(event.actor),
            "issue": {
                **self._represent.issue_reference(event.issue),
                "fields": self._represent.fields(event.issue),
            },
        }
        if event.change:
            items = [self._represent.change_item(item) for item in event.change.items]
            payload["changelog"] = {"id": str(event.change.id), "items": items}
        if event.comment:
            payload["comment"] = self._represent.comment(event.comment)
        return payload

    async def _work(self, queue: asyncio.Queue[Outgoing]) -> None:
        while True:
            outgoing = await queue.get()
            started = time.monotonic()
            try:
                outcome = await self._deliver(outgoing)
            except Exception as problem:
                # A worker that dies would silently stop a quarter of all deliveries.
                log.exception("the delivery to %s broke", outgoing.url)
                outcome = Outcome(None, f"{type(problem).__name__}: {problem}")
            milliseconds = round((time.monotonic() - started) * 1000)
            delay = self._retry(outgoing, outcome)
            if delay is not None:
                plan = f"retry {outgoing.retry + 1} of {MOST_RETRIES} in {delay:.1f} s"
                outcome = replace(outcome, error="; ".join(filter(None, [outcome.error, plan])))
            self._record(outgoing, outcome, milliseconds, final=delay is None)

    def _record(self, outgoing: Outgoing, outcome: Outcome, milliseconds: int, *, final: bool = True) -> None:
        if final and (outcome.status is None or outcome.status >= 300):
            reason = outcome.error or f"answered {outcome.status}"
            log.warning("webhook %s about %s is lost: %s", outgoing.webhook, outgoing.issue_key, reason)
        self._store.insert_delivery(
            Delivery(
                at=now(),
                webhook=outgoing.webhook,
                url=outgoing.url,
                event=outgoing.event,
                issue=outgoing.issue_key,
                status=outcome.status,
                error=outcome.error,
                milliseconds=milliseconds,
            )
        )
