"""Wrong use and bad input: one clear line on standard error, the right exit code, never a traceback."""

from __future__ import annotations

import socket
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from console import desk
from console.main import main
from tests.console.conftest import Mlc
from tests.processes import free_port

MODEL = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Runs the command in this process, which spares the start of an interpreter."""
    monkeypatch.setattr(sys, "argv", ["mlc", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    return ending.value.code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command"),
        (["start"], "Missing argument"),
        (["start", "not-a-uuid"], "is not the UUID of a model"),
        (["start", "sagemaker-mlc-"], "is not the UUID of a model"),
        (["show", MODEL + "0"], "is not the UUID of a model"),
        (["resume", "' OR 1=1"], "is not the UUID of a model"),
        (["abort", MODEL], "--reason"),
        (["abort", MODEL, "--reason", "  "], "--reason"),
        (["abort", MODEL, "--reason", "x" * 2001], "--reason: it should have at most 2000 characters"),
        (["start", MODEL, "--requested-by", "x" * 300], "--requested-by: it should have at most 255 characters"),
        (["start", MODEL, "--endpoint-config", "x" * 300], "--endpoint-config: it should have at most 255"),
        (["demo", "--scenario", "sad"], "happy"),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--all", "--blocked"], "exclude each other"),
        (["resume"], "either an ID or --all"),
        (["resume", MODEL, "--all"], "either an ID or --all"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert exit_code(monkeypatch, *arguments) == 2
    said = capsys.readouterr().err
    assert message in said and "pydantic" not in said


@pytest.mark.parametrize("command", [["list"], ["show", MODEL], ["start", MODEL], ["setup"]])
def test_without_temporal_a_command_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    monkeypatch.setattr(desk, "PATIENCE", timedelta(seconds=0.2))
    assert exit_code(monkeypatch, *command) == 1
    assert address in capsys.readouterr().err


def test_where_no_server_is_named_and_no_stack_runs_a_command_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    profile = tmp_path / "temporal.toml"
    profile.write_text(f'[profile.default]\naddress = "127.0.0.1:{free_port()}"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    monkeypatch.setattr(desk, "PATIENCE", timedelta(seconds=0.2))
    assert exit_code(monkeypatch, "list", "--data-dir", str(tmp_path)) == 1
    assert f"`mlc up` starts a local stack, none runs on {tmp_path}" in capsys.readouterr().err


def test_a_relay_without_a_secret_refuses_to_start(mlc: Mlc) -> None:
    done = mlc("relay")
    assert done.returncode == 1
    assert "MLC_RELAY__SECRETS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_relay_names_the_setting_that_is_wrong(mlc: Mlc) -> None:
    done = mlc("relay", MLC_RELAY__SECRETS='["s"]', MLC_RELAY__PORT="http")
    assert done.returncode == 1
    assert "MLC_RELAY__PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_relay_whose_port_is_taken_says_so(mlc: Mlc) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        done = mlc("relay", MLC_RELAY__SECRETS='["s"]', MLC_RELAY__PORT=str(listener.getsockname()[1]))
    assert done.returncode == 1
    assert "MLC_RELAY__PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_relay_whose_tls_file_is_missing_says_so_in_one_line(mlc: Mlc) -> None:
    done = mlc("relay", MLC_RELAY__SECRETS='["s"]', TEMPORAL_TLS_CLIENT_CERT_PATH="missing.pem")
    assert done.returncode == 1
    assert "missing.pem" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_worker_without_settings_names_every_variable_it_misses(mlc: Mlc) -> None:
    done = mlc("worker")
    assert done.returncode == 1
    for variable in ("MLC_MODELOP__URL", "MLC_JIRA__URL", "MLC_JIRA__PROJECT"):
        assert variable in done.stderr
    assert "Traceback" not in done.stderr
