"""The worker's process: how it starts, waits, drains and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.processes import free_port
from tests.temporal_servers import TEMPORAL, dev_server
from worker.search_attributes import register_search_attributes

NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "MLC_ENV_FILE": "",
    "MLC_MODELOP__URL": NOWHERE,
    "MLC_MODELOP__TOKEN": "unused",
    "MLC_JIRA__URL": NOWHERE,
    "MLC_JIRA__BEARER_TOKEN": "unused",
    "MLC_JIRA__PROJECT": "GOV",
    "MLC_WORKER__CONNECT_PATIENCE": "PT20S",
}


@contextmanager
def worker_process(log: Path, **variables: str | None) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLC_", "TEMPORAL_"))}
    chosen = {k: v for k, v in {**inherited, **SETTINGS, **variables}.items() if v is not None}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "console", "worker"], env=chosen, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


def wait_for(log: Path, text: str, seconds: float = 30.0) -> str:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert time.monotonic() < deadline, f"'{text}' never came: {log.read_text()}"
        time.sleep(0.05)
    return log.read_text()


async def test_a_worker_stops_on_sigterm_with_status_zero(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    async with dev_server() as environment:
        address = environment.client.service_client.config.target_host
        with worker_process(log, TEMPORAL_ADDRESS=address) as process:
            wait_for(log, "Working on task queue sagemaker-mlc")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert "Traceback" not in log.read_text()


def test_a_worker_that_starts_before_temporal_waits_for_it(tmp_path: Path) -> None:
    log, port = tmp_path / "worker.log", str(free_port())
    with worker_process(log, TEMPORAL_ADDRESS=f"127.0.0.1:{port}") as process:
        time.sleep(1)
        server = subprocess.Popen(
            [str(TEMPORAL), "server", "start-dev", "--headless", "--port", port, "--log-level", "error"],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(log, "Working on task queue sagemaker-mlc")
            assert "Registered the search attributes MlcModelId" in log.read_text()
            process.terminate()
            assert process.wait(20) == 0
        finally:
            server.terminate()
            server.wait(10)


def test_a_worker_stops_while_it_still_waits_for_temporal(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with worker_process(log, TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}") as process:
        wait_for(log, "Connecting to Temporal")
        process.terminate()
        assert process.wait(10) == 0
    assert "Traceback" not in log.read_text()


def test_a_worker_gives_up_when_temporal_never_comes_and_says_where_it_looked(tmp_path: Path) -> None:
    log, address = tmp_path / "worker.log", f"127.0.0.1:{free_port()}"
    with worker_process(log, TEMPORAL_ADDRESS=address, MLC_WORKER__CONNECT_PATIENCE="PT1S") as process:
        assert process.wait(20) == 1
    text = log.read_text()
    assert f"Temporal at {address} cannot be reached" in text and "check TEMPORAL_ADDRESS" in text.replace("\n", " ")
    assert "Traceback" not in text


@pytest.mark.parametrize("command", ["worker", "relay"])
def test_missing_settings_stop_a_process_at_once_with_a_line_each(tmp_path: Path, command: str) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLC_", "TEMPORAL_"))}
    done = subprocess.run(
        [sys.executable, "-m", "console", command],
        env={**clean, "MLC_ENV_FILE": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    expected = (
        ["MLC_MODELOP__URL", "MLC_JIRA__URL", "MLC_JIRA__PROJECT"] if command == "worker" else ["MLC_RELAY__SECRETS"]
    )
    for variable in expected:
        assert variable in done.stderr
    assert "Traceback" not in done.stderr


async def test_registering_search_attributes_twice_adds_nothing() -> None:
    environment = await WorkflowEnvironment.start_local(dev_server_existing_path=str(TEMPORAL))
    async with environment:
        assert sorted(await register_search_attributes(environment.client)) == [
            "MlcBlocked",
            "MlcModelId",
            "MlcStage",
            "MlcTicket",
        ]
        assert await register_search_attributes(environment.client) == []
