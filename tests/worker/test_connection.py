"""Which Temporal the processes speak to, and what they say when the settings of it are not usable."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.service import TLSConfig

from console.desk import open_desk
from tests.processes import free_port, server_process
from tests.temporal_servers import dev_server
from worker.connection import TemporalUnreachable, connect, connect_config, server_is_named


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An env file that is the only source of settings."""
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))
    path = tmp_path / "env"
    monkeypatch.setenv("MLC_ENV_FILE", str(path))
    return path


def write(env_file: Path, line: str) -> None:
    env_file.write_text(f"{line}\n")


def test_the_env_file_says_where_temporal_is(env_file: Path) -> None:
    env_file.write_text("TEMPORAL_ADDRESS=temporal.example.com:7233\nTEMPORAL_NAMESPACE=risk\n")
    assert connect_config() == {"target_host": "temporal.example.com:7233", "namespace": "risk"}
    assert server_is_named()


def test_the_environment_wins_over_the_env_file(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file.write_text("TEMPORAL_ADDRESS=temporal.example.com:7233\n")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "other.example.com:7233")
    assert connect_config()["target_host"] == "other.example.com:7233"


def test_no_env_file_is_read_when_its_name_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env_file: Path
) -> None:
    (tmp_path / ".env").write_text("TEMPORAL_ADDRESS=temporal.example.com:7233\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLC_ENV_FILE", "")
    assert connect_config()["target_host"] == "localhost:7233"
    monkeypatch.delenv("MLC_ENV_FILE")
    assert connect_config()["target_host"] == "temporal.example.com:7233"


def test_a_variable_that_is_left_empty_is_not_set(env_file: Path) -> None:
    env_file.write_text("TEMPORAL_ADDRESS=\nTEMPORAL_NAMESPACE=\nTEMPORAL_API_KEY=\nTEMPORAL_TLS_CLIENT_CERT_PATH=\n")
    assert connect_config() == {"target_host": "localhost:7233"}
    assert not server_is_named()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("TEMPORAL_TLS_CLIENT_CERT_PATH={here}/missing.pem", "missing.pem"),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH={here}/env", "TEMPORAL_TLS_CLIENT_KEY_PATH"),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH={here}/env", "TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
        ("TEMPORAL_CONFIG_FILE={here}/env", "TOML"),
        ("TEMPORAL_PROFILE=absent", "absent"),
    ],
)
def test_settings_of_temporal_that_are_not_usable_are_said_in_one_line(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, lines: str, said: str
) -> None:
    monkeypatch.delenv("TEMPORAL_CONFIG_FILE")
    env_file.write_text(lines.format(here=env_file.parent) + "\n")
    with pytest.raises(TemporalUnreachable) as refused:
        connect_config()
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_client_certificate_reaches_the_connection(env_file: Path) -> None:
    pem = env_file.with_name("client.pem")
    pem.write_text("-----BEGIN CERTIFICATE-----\n")
    env_file.write_text(f"TEMPORAL_TLS_CLIENT_CERT_PATH={pem}\nTEMPORAL_TLS_CLIENT_KEY_PATH={pem}\n")
    tls = connect_config()["tls"]
    assert isinstance(tls, TLSConfig) and tls.client_cert == tls.client_private_key == pem.read_bytes()


async def test_an_address_that_is_none_is_refused_at_once(env_file: Path) -> None:
    write(env_file, "TEMPORAL_ADDRESS=::::")
    with pytest.raises(TemporalUnreachable, match=r"TEMPORAL_\* settings are not usable"):
        await connect(patience=timedelta(minutes=5))


async def test_worker_relay_and_console_find_temporal_by_the_env_file(env_file: Path, tmp_path: Path) -> None:
    async with dev_server() as environment:
        address = environment.client.service_client.config.target_host
        write(env_file, f"TEMPORAL_ADDRESS={address}\nTEMPORAL_NAMESPACE=elsewhere")
        with pytest.raises(TemporalUnreachable, match=r"has no namespace elsewhere; check TEMPORAL_NAMESPACE"):
            await connect(patience=timedelta(seconds=0))
        write(env_file, f"TEMPORAL_ADDRESS={address}")
        async with open_desk(tmp_path) as desk:
            assert desk.client.service_client.config.target_host == address
        assert (await connect(patience=timedelta(seconds=5))).service_client.config.target_host == address
        port = free_port()
        settings = {"MLC_RELAY__SECRETS": '["s3cret"]', "MLC_RELAY__PORT": str(port)}
        command = ["-m", "console", "relay"]
        with server_process(
            command, port=port, log=tmp_path / "relay.log", env=settings, ready_path="/readyz"
        ) as relay:
            async with httpx.AsyncClient() as http:
                assert (await http.get(f"{relay.url}/readyz")).json() == {"status": "ready"}
