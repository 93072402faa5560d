"""TLS, client certificates and API keys on the way to Temporal: a real server behind a real TLS endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from tests.temporal_servers import dev_server
from tests.tls import Authority, Certificate, tls_in_front_of
from worker.connection import TemporalUnreachable, connect

NO_PATIENCE = timedelta(0)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with dev_server() as environment:
        yield environment


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def plain_port(temporal: WorkflowEnvironment) -> int:
    return int(temporal.client.service_client.config.target_host.rpartition(":")[2])


@pytest.fixture(scope="module")
def tls_port(plain_port: int, authority: Authority) -> Iterator[int]:
    with tls_in_front_of(plain_port, authority.issue("localhost"), protocol="h2") as port:
        yield port


@pytest.fixture(scope="module")
def client_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("clients"), "Client Authority")


@pytest.fixture(scope="module")
def mutual_port(plain_port: int, authority: Authority, client_authority: Authority) -> Iterator[int]:
    """A server that serves nobody without a certificate of `client_authority`."""
    shown = authority.issue("localhost")
    with tls_in_front_of(plain_port, shown, client_authority=client_authority, protocol="h2") as port:
        yield port


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An env file that is the only source of settings."""
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))
    path = tmp_path / "env"
    monkeypatch.setenv("MLC_ENV_FILE", str(path))
    return path


def configure(env_file: Path, port: int, **variables: object) -> None:
    lines = {"ADDRESS": f"localhost:{port}", **variables}
    env_file.write_text("".join(f"TEMPORAL_{name}={value}\n" for name, value in lines.items()))


def shown_by(client: Certificate) -> dict[str, object]:
    return {"TLS_CLIENT_CERT_PATH": client.certificate, "TLS_CLIENT_KEY_PATH": client.key}


async def refusal() -> str:
    with pytest.raises(TemporalUnreachable) as refused:
        await connect(patience=NO_PATIENCE)
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def test_a_server_of_a_private_authority_is_reached_with_its_certificate(
    env_file: Path, tls_port: int, authority: Authority
) -> None:
    configure(env_file, tls_port, TLS_SERVER_CA_CERT_PATH=authority.certificate)
    client = await connect(patience=timedelta(seconds=10))
    assert await client.service_client.check_health()


async def test_a_server_whose_authority_is_not_known_is_refused(env_file: Path, tls_port: int) -> None:
    configure(env_file, tls_port, TLS="true")
    assert "TEMPORAL_TLS_SERVER_CA_CERT_PATH" in await refusal()


async def test_a_server_with_another_name_is_refused_unless_that_name_is_configured(
    env_file: Path, plain_port: int, authority: Authority
) -> None:
    with tls_in_front_of(plain_port, authority.issue("temporal.test"), protocol="h2") as port:
        configure(env_file, port, TLS_SERVER_CA_CERT_PATH=authority.certificate)
        assert "TEMPORAL_TLS_SERVER_NAME" in await refusal()
        configure(env_file, port, TLS_SERVER_CA_CERT_PATH=authority.certificate, TLS_SERVER_NAME="temporal.test")
        client = await connect(patience=timedelta(seconds=10))
        assert await client.service_client.check_health()


async def test_no_variable_of_the_sdk_switches_the_check_off(env_file: Path, tls_port: int) -> None:
    configure(env_file, tls_port, TLS="true", TLS_DISABLE_HOST_VERIFICATION="true")
    assert "certificate" in await refusal()


async def test_a_client_certificate_opens_a_server_that_asks_for_one(
    env_file: Path, mutual_port: int, authority: Authority, client_authority: Authority
) -> None:
    trusted = {"TLS_SERVER_CA_CERT_PATH": authority.certificate}
    configure(env_file, mutual_port, **trusted)
    await refusal()
    configure(env_file, mutual_port, **trusted, **shown_by(authority.issue("worker")))
    await refusal()
    configure(env_file, mutual_port, **trusted, **shown_by(client_authority.issue("worker")))
    client = await connect(patience=timedelta(seconds=10))
    assert await client.service_client.check_health()


async def test_an_api_key_travels_over_tls_only(
    env_file: Path, plain_port: int, tls_port: int, authority: Authority
) -> None:
    configure(env_file, plain_port, API_KEY="s3cr3t-key")
    refused = await refusal()
    assert "does not speak TLS" in refused and "s3cr3t-key" not in refused
    configure(env_file, tls_port, API_KEY="s3cr3t-key", TLS_SERVER_CA_CERT_PATH=authority.certificate)
    client = await connect(patience=timedelta(seconds=10))
    assert client.api_key == "s3cr3t-key"
    assert await client.service_client.check_health()
