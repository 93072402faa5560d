"""A running sandbox of each edition, clients that speak to it as different people, and a receiver for its webhooks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.jira.edition import Edition
from sandbox.jira.people import find_person
from tests.processes import ServerProcess, free_port, server_process

RETRY_SECONDS = 0.1
StartSandbox = Callable[..., AbstractContextManager[ServerProcess]]


@dataclass
class Received:
    """A webhook as it arrived."""

    body: bytes
    headers: dict[str, str]


@dataclass
class Receiver:
    """A server that takes webhooks: where it is, what came, and how it answers."""

    url: str
    requests: list[Received] = field(default_factory=list)
    delay_seconds: float = 0.0
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next answers; 200 after them."""

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """The first `count` requests, once they are here."""
        deadline = time.monotonic() + timeout
        while len(self.requests) < count:
            assert time.monotonic() < deadline, f"{len(self.requests)} of {count} webhooks came"
            time.sleep(0.01)
        return self.requests[:count]


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Runs a webhook receiver on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(taken.delay_seconds)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.requests.append(Received(body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(taken.refusals.pop(0) if taken.refusals else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taken = Receiver(f"http://127.0.0.1:{server.server_address[1]}/webhooks/jira")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield taken
    server.shutdown()
    server.server_close()


@contextmanager
def _start(data: Path, *options: str) -> Iterator[ServerProcess]:
    port = free_port()
    command = ["-m", "sandbox.jira", "--port", str(port), "--data", str(data), *options]
    with server_process(command, port=port, log=data.with_suffix(".log")) as server:
        yield server


@pytest.fixture(scope="session")
def start_sandbox() -> StartSandbox:
    """Starts a sandbox: `start_sandbox(data_folder, *options)`."""
    return _start


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sandbox that the tests of this folder share."""
    with _start(tmp_path_factory.mktemp("jira") / "data", "--upload-limit", "100000") as server:
        yield server.url


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sandbox that plays Cloud, shared likewise; it soon tries webhooks again."""
    retries = ("--webhook-retry-seconds", str(RETRY_SECONDS))
    options = ("--edition", "cloud", "--upload-limit", "100000", *retries)
    with _start(tmp_path_factory.mktemp("jira-cloud") / "data", *options) as server:
        yield server.url


def _client(base_url: str = "", account: tuple[str, str] | None = None) -> httpx.Client:
    # Reading the certificates of the world takes 40 ms a client, and nothing here speaks TLS.
    return httpx.Client(base_url=base_url, auth=account, trust_env=False, verify=False, timeout=10)


ANYBODY = _client()
"""An HTTP client that is not signed in; keeps cookies, so not for the pages."""


def client(url: str, name: str) -> httpx.Client:
    """An HTTP client signed in as one of the people, as Data Center wants it."""
    return _client(f"{url}/rest/api/2", (name, f"{name}-password"))


def cloud_client(url: str, name: str) -> httpx.Client:
    """An HTTP client signed in as one of the people, as Cloud wants it."""
    person = find_person(name)
    assert person
    return _client(f"{url}/rest/api/2", (person.email, person.api_token))


@dataclass(frozen=True)
class Site:
    """A sandbox of one edition, for tests that hold for both."""

    url: str
    edition: Edition

    @property
    def is_cloud(self) -> bool:
        """Whether it plays Cloud."""
        return self.edition is Edition.CLOUD

    def client(self, name: str) -> httpx.Client:
        """An HTTP client signed in as one of the people."""
        return cloud_client(self.url, name) if self.is_cloud else client(self.url, name)

    def reference(self, name: str) -> dict[str, str]:
        """How a field of this edition names one of the people."""
        person = find_person(name)
        return {"accountId": person.account_id} if self.is_cloud and person else {"name": name}

    def found(self, service: httpx.Client, jql: str) -> list[str]:
        """The keys of the issues that a query finds."""
        path = "/search/jql" if self.is_cloud else "/search"
        answer = service.get(path, params={"jql": jql, "fields": "key"})
        assert answer.status_code == 200, answer.text
        return [issue["key"] for issue in answer.json()["issues"]]


@pytest.fixture(scope="session", params=list(Edition))
def site(request: pytest.FixtureRequest) -> Site:
    """The shared sandbox of each edition in turn."""
    edition: Edition = request.param
    url: str = request.getfixturevalue("cloud" if edition is Edition.CLOUD else "sandbox")
    return Site(url, edition)


@pytest.fixture(scope="session")
def service(sandbox: str) -> Iterator[httpx.Client]:
    """The shared sandbox as the service account sees it."""
    with client(sandbox, "svc-mlc") as signed_in:
        yield signed_in


@pytest.fixture(scope="session")
def paul(sandbox: str) -> Iterator[httpx.Client]:
    """The shared sandbox as the privacy officer sees it."""
    with client(sandbox, "paul") as signed_in:
        yield signed_in


def new_issue(service: httpx.Client, **fields: Any) -> str:
    """Makes an issue and returns its key."""
    given = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "A ticket"} | fields
    response = service.post("/issue", json={"fields": given})
    assert response.status_code == 201, response.text
    return str(response.json()["key"])
