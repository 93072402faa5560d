"""Both sandboxes, running; tests that take a `site` run against each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.modelop.accounts import STATIC_TOKEN
from tests.processes import free_port, server_process
from tests.sandbox.faults.sites import CloudSite, JiraSite, ModelOpSite, Site
from tests.sandbox.jira.conftest import Receiver, webhook_receiver


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """Takes the webhooks of the Jira sandbox."""
    with webhook_receiver() as running:
        yield running


@pytest.fixture(scope="session")
def jira_site(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[JiraSite]:
    """A running Jira sandbox."""
    directory, port = tmp_path_factory.mktemp("jira"), free_port()
    options = ["--port", str(port), "--data", str(directory / "data"), "--webhook-url", receiver.url]
    with server_process(["-m", "sandbox.jira", *options], port=port, log=directory / "log") as server:
        site = JiraSite(server, auth=("svc-mlc", "svc-mlc-password"))
        yield site
        site.client.close()


@pytest.fixture(scope="session")
def cloud_site(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[CloudSite]:
    """A running Jira sandbox that plays Cloud, and tries lost webhooks again very soon."""
    directory, port = tmp_path_factory.mktemp("cloud"), free_port()
    options = ["--port", str(port), "--data", str(directory / "data"), "--webhook-url", receiver.url]
    options += ["--edition", "cloud", "--webhook-retry-seconds", "0.1"]
    with server_process(["-m", "sandbox.jira", *options], port=port, log=directory / "log") as server:
        site = CloudSite(server, auth=("svc-mlc@sandbox.invalid", "sandbox-jira-token"))
        yield site
        site.client.close()


@pytest.fixture(scope="session")
def modelop_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelOpSite]:
    """A running ModelOp Center sandbox."""
    directory, port = tmp_path_factory.mktemp("modelop"), free_port()
    options = ["--port", str(port), "--data", str(directory / "data")]
    with server_process(["-m", "sandbox.modelop", *options], port=port, log=directory / "log") as server:
        site = ModelOpSite(server, headers={"Authorization": f"Bearer {STATIC_TOKEN}"})
        yield site
        site.client.close()


@pytest.fixture(params=["jira_site", "modelop_site"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each of the sandboxes, without faults afterwards."""
    sandbox: Site = request.getfixturevalue(request.param)
    yield sandbox
    sandbox.client.delete("/faults")
