"""A running Jira sandbox of either edition, its people, a proxy that misbehaves, and the activities under test."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from temporalio.testing import ActivityEnvironment

from activities.identity import RunIdentity
from activities.jira.activities import JiraActivities
from activities.jira.adapter import JiraAdapter
from activities.jira.settings import JiraSettings
from activities.jira.types import Gate, TicketContent, TicketRequest
from activities.links import Links
from tests.activities.jira.faulty_proxy import FaultyProxy, faulty_proxy
from tests.activities.jira.people import Person
from tests.processes import free_port, server_process

MakeSettings = Callable[..., JiraSettings]
SIGN_IN = {
    "datacenter": {"username": "svc-mlc", "token": "svc-mlc-password"},
    "cloud": {"username": "svc-mlc@sandbox.invalid", "token": "sandbox-jira-token"},
}
LINKS = Links(temporal_ui_url="http://temporal.example:8233")


ON_ONE_EDITION = pytest.mark.parametrize("edition", ["datacenter"], indirect=True, scope="session")
ON_CLOUD = pytest.mark.parametrize("edition", ["cloud"], indirect=True, scope="session")


@pytest.fixture(scope="session", params=["datacenter", "cloud"])
def edition(request: pytest.FixtureRequest) -> str:
    """Which Jira the sandbox plays; every test that needs it runs once on each."""
    return str(request.param)


@pytest.fixture(scope="session")
def jira_url(edition: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox of these tests' own."""
    folder, port = tmp_path_factory.mktemp("jira"), free_port()
    command = ["-m", "sandbox.jira", "--edition", edition, "--port", str(port), "--data", str(folder)]
    with server_process(command, port=port, log=folder / "log") as server:
        yield server.url


@pytest.fixture(scope="session")
def proxy_session(jira_url: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(jira_url) as proxy:
        yield proxy


@pytest.fixture
def proxy(proxy_session: FaultyProxy) -> FaultyProxy:
    """The proxy in front of the sandbox, well-behaved and with an empty record."""
    proxy_session.faults.clear()
    proxy_session.requests.clear()
    return proxy_session


def _person(name: str) -> Any:
    @pytest.fixture(scope="session")
    def person(jira_url: str, edition: str) -> Iterator[Person]:
        somebody = Person(jira_url, name, edition)
        yield somebody
        somebody.close()

    return person


rita, paul, vera, aaron = (_person(name) for name in ("rita", "paul", "vera", "aaron"))
admin, service = (_person(name) for name in ("admin", "svc-mlc"))


@pytest.fixture
def search_trails_behind(jira_url: str) -> Iterator[Callable[[float], None]]:
    """Makes new tickets invisible to searches for some seconds, until the end of the test."""

    def trail(seconds: float) -> None:
        lag = {"seconds": seconds, "new_only": True}
        httpx.post(f"{jira_url}/faults/search", json=lag, timeout=10).raise_for_status()

    yield trail
    httpx.delete(f"{jira_url}/faults/search", timeout=10).raise_for_status()


@pytest.fixture
def make_settings(jira_url: str, edition: str, proxy: FaultyProxy) -> MakeSettings:
    """Settings that reach the sandbox through the proxy, with anything changed."""

    def make(**changes: Any) -> JiraSettings:
        plain: dict[str, Any] = {
            "url": proxy.url,
            "site_url": jira_url,
            **SIGN_IN[edition],
            "project": "GOV",
            "ambiguous_wait": "PT0.4S",
        }
        return JiraSettings.model_validate({**plain, **changes})

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> JiraSettings:
    return make_settings()


@pytest.fixture
async def adapter(settings: JiraSettings) -> AsyncIterator[JiraAdapter]:
    adapter = JiraAdapter(settings)
    yield adapter
    await adapter.aclose()


@pytest.fixture
def jira(adapter: JiraAdapter, settings: JiraSettings) -> JiraActivities:
    """The activities under test."""
    return JiraActivities(adapter, settings, LINKS)


@pytest.fixture
async def make_jira() -> AsyncIterator[Callable[[JiraSettings], JiraActivities]]:
    """Makes activities with other settings."""
    adapters: list[JiraAdapter] = []

    def make(settings: JiraSettings) -> JiraActivities:
        adapters.append(JiraAdapter(settings))
        return JiraActivities(adapters[-1], settings, LINKS)

    yield make
    for adapter in adapters:
        await adapter.aclose()


@pytest.fixture
def run() -> RunIdentity:
    """A run of a model that no other test has."""
    return RunIdentity(
        workflow_id=f"sagemaker-mlc-{uuid.uuid4()}", run_id=str(uuid.uuid4()), started_at=datetime.now(UTC)
    )


@pytest.fixture
def request_for(run: RunIdentity) -> Callable[..., TicketRequest]:
    """Makes the request for a ticket of that run."""

    def make(gate: Gate = Gate.PIA, *, round: int = 1, never_asked: bool = True, **content: Any) -> TicketRequest:
        known = {"model_name": "German Credit", "model_id": "6e5a1f0c", **content}
        return TicketRequest(
            run=run, gate=gate, round=round, content=TicketContent.model_validate(known), never_asked=never_asked
        )

    return make


def attempt(number: int = 1, *heartbeat: Any, scheduled: datetime | None = None) -> ActivityEnvironment:
    """An activity environment for one attempt, scheduled just now, with the heartbeat of the one before."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info,
        attempt=number,
        heartbeat_details=list(heartbeat),
        current_attempt_scheduled_time=scheduled or datetime.now(UTC),
    )
    return environment
