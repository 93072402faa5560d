"""Both sandboxes as one kind of thing: a place where work can be asked for, and counted."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.processes import ServerProcess

CLIENT_TIMEOUT = 5.0
"""Seconds after which a client here gives up, unless a test wants it earlier."""


@dataclass(frozen=True)
class Work:
    """Something that exists once for every time its request was carried out."""

    mark: str
    body: dict[str, Any]


class Site:
    """A running sandbox: its faults, and one kind of request that leaves a trace.

    Attributes:
        url: where it answers.
        log: file of its output.
        path: of the request that does the work.
    """

    path = ""

    def __init__(self, server: ServerProcess, **credentials: Any) -> None:
        self.url, self.log = server.url, server.log
        self.client = httpx.Client(base_url=server.url, trust_env=False, timeout=CLIENT_TIMEOUT, **credentials)

    def work(self) -> Work:
        """A piece of work that nobody has asked for yet."""
        raise NotImplementedError

    def done(self, work: Work) -> int:
        """How many times a piece of work was done."""
        raise NotImplementedError

    def ask(self, work: Work, **options: Any) -> httpx.Response:
        """Asks for a piece of work."""
        return self.client.post(self.path, json=work.body, **options)

    def is_own_error(self, response: httpx.Response) -> bool:
        """Whether an answer is an error in the sandbox's own form."""
        raise NotImplementedError

    @contextlib.contextmanager
    def fault(self, effect: str, **setting: Any) -> Iterator[str]:
        """Activates a fault of the work's route, and gives its address."""
        setting = {"method": "POST", "path": self.path, "effect": effect, **setting}
        response = self.client.post("/faults", json=setting)
        assert response.status_code == 201, response.text
        address = f"/faults/{response.json()['id']}"
        yield address
        self.client.delete(address)

    def shown(self, address: str) -> dict[str, Any]:
        """A fault with its counts."""
        fault: dict[str, Any] = self.client.get(address).json()
        return fault


class JiraSite(Site):
    """The Jira sandbox; the work is to create an issue."""

    path = "/rest/api/2/issue"

    def work(self) -> Work:
        mark = f"mark-{uuid.uuid4().hex}"
        fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "A ticket", "labels": [mark]}
        return Work(mark, {"fields": fields})

    def done(self, work: Work) -> int:
        total: int = self.client.get("/rest/api/2/search", params={"jql": f"labels = {work.mark}"}).json()["total"]
        return total

    def is_own_error(self, response: httpx.Response) -> bool:
        return set(response.json()) == {"errorMessages", "errors"}


class CloudSite(JiraSite):
    """The Jira sandbox playing Cloud."""

    def found(self, work: Work, **query: Any) -> list[dict[str, Any]]:
        """What a search for a piece of work finds."""
        query = {"jql": f"labels = {work.mark}", **query}
        issues: list[dict[str, Any]] = self.client.post("/rest/api/2/search/jql", json=query).json()["issues"]
        return issues

    def done(self, work: Work) -> int:
        return len(self.found(work))


class ModelOpSite(Site):
    """The ModelOp Center sandbox; the work is to send a notification."""

    path = "/model-manage/api/notifications"

    def work(self) -> Work:
        mark = f"mark-{uuid.uuid4().hex}"
        return Work(mark, {"notificationType": "PROCESS_NOTIFICATION", "severity": "ERROR", "message": mark})

    def done(self, work: Work) -> int:
        page = self.client.get(self.path, params={"size": 100, "sort": "createdDate,desc"}).json()
        return sum(sent["message"] == work.mark for sent in page.get("_embedded", {}).get("notifications", []))

    def is_own_error(self, response: httpx.Response) -> bool:
        return set(response.json()) == {"timestamp", "status", "error", "message", "path"}
