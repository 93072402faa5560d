"""The worker's process: how it starts, waits, drains and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.processes import free_port
from tests.temporal_servers import TEMPORAL, dev_server
from worker.search_attributes import register_search_attributes
from workflows.contract import TASK_QUEUE, WORKFLOW_TYPE, workflow_id

# On a machine that is busy with other tests a start takes long.
START_SECONDS = 100.0
END_SECONDS = 60.0
# As long as the suite can afford; minutes make no difference but in the pauses between attempts.
ABSENCE_SECONDS = 15
# On this an alert is raised; a worker shows it only once it has missed Temporal.
SHOWN_WHILE_TEMPORAL_IS_AWAY = "temporal_long_request_failure_total"
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


def wait_for(log: Path, text: str, seconds: float = START_SECONDS) -> str:
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
            assert process.wait(END_SECONDS) == 0
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
            assert process.wait(END_SECONDS) == 0
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
        assert process.wait(END_SECONDS) == 1
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
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    expected = (
        ["MLC_MODELOP__URL", "MLC_JIRA__URL", "MLC_JIRA__PROJECT"] if command == "worker" else ["MLC_RELAY__SECRETS"]
    )
    for variable in expected:
        assert variable in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(400)
async def test_a_worker_drains_after_the_first_sigterm_and_ends_at_once_after_the_second(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    async with dev_server() as environment:
        address = environment.client.service_client.config.target_host
        with (
            _silent_server() as silent,
            worker_process(
                log,
                TEMPORAL_ADDRESS=address,
                MLC_MODELOP__URL=silent,
                MLC_WORKER__GRACEFUL_SHUTDOWN="PT60S",
            ) as process,
        ):
            wait_for(log, "Working on task queue sagemaker-mlc")
            await _start(environment.client)
            await _until_pending(environment.client, "read_business_model")
            process.send_signal(signal.SIGTERM)
            wait_for(log, "Stopping: no new work is taken")
            await asyncio.sleep(1)
            assert process.poll() is None, "an activity is under way and has a minute"
            process.send_signal(signal.SIGTERM)
            assert process.wait(3) == 0
    assert "Ended at once by a second signal" in log.read_text()


@pytest.mark.timeout(400)
async def test_a_worker_survives_temporals_absence_and_tells_whether_it_is_ready(tmp_path: Path) -> None:
    log, health, metrics, port = tmp_path / "worker.log", free_port(), free_port(), free_port()
    server = _temporal(port, tmp_path)
    try:
        with worker_process(
            log,
            TEMPORAL_ADDRESS=f"127.0.0.1:{port}",
            MLC_WORKER__HEALTH_PORT=str(health),
            MLC_WORKER__METRICS_PORT=str(metrics),
        ) as process:
            await _until_ready(health, 200)
            server.terminate()
            server.wait(10)
            await _until_ready(health, 503)
            await asyncio.sleep(ABSENCE_SECONDS)
            assert process.poll() is None
            async with httpx.AsyncClient(trust_env=False) as http:
                shown = (await http.get(f"http://127.0.0.1:{metrics}/metrics")).text
            assert f"{SHOWN_WHILE_TEMPORAL_IS_AWAY}{{" in shown
            server = _temporal(port, tmp_path)
            await _until_ready(health, 200)
            # It does not only look alive: a run is carried.
            client = await Client.connect(f"127.0.0.1:{port}")
            handle = await client.start_workflow(WORKFLOW_TYPE, "nonsense", id="odd", task_queue=TASK_QUEUE)
            with pytest.raises(WorkflowFailureError):
                await asyncio.wait_for(handle.result(), 30)
            process.terminate()
            assert process.wait(END_SECONDS) == 0
    finally:
        server.kill()
        server.wait(10)


@pytest.mark.parametrize("setting", ["MLC_WORKER__METRICS_PORT", "MLC_WORKER__HEALTH_PORT"])
def test_a_taken_port_stops_the_worker_with_a_line_that_names_the_setting(tmp_path: Path, setting: str) -> None:
    log = tmp_path / "worker.log"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with worker_process(log, **{setting: str(taken.getsockname()[1])}) as process:
            assert process.wait(END_SECONDS) == 1
    assert setting in log.read_text() and "Traceback" not in log.read_text()


@contextmanager
def _silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def _start(client: Client) -> None:
    model = str(uuid4())
    await client.start_workflow(WORKFLOW_TYPE, {"model_id": model}, id=workflow_id(model), task_queue=TASK_QUEUE)


async def _until_pending(client: Client, activity: str) -> None:
    """Waits until some run has this activity under way."""
    async with asyncio.timeout(30):
        while True:
            async for run in client.list_workflows("ExecutionStatus = 'Running'"):
                described = await client.get_workflow_handle(run.id).describe()
                pending = described.raw_description.pending_activities
                if any(each.activity_type.name == activity and each.attempt == 1 for each in pending):
                    return
            await asyncio.sleep(0.1)


async def _until_ready(port: int, status: int) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False, timeout=5) as http:
        while True:
            with suppress(httpx.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == status:
                    return
            await asyncio.sleep(0.2)


def _temporal(port: int, directory: Path) -> subprocess.Popen[bytes]:
    """A Temporal server that keeps its data, so that it can go and come back."""
    place = ["--port", str(port), "--db-filename", str(directory / "temporal.db")]
    return subprocess.Popen(
        [str(TEMPORAL), "server", "start-dev", "--headless", "--log-level", "error", *place],
        stdout=subprocess.DEVNULL,
    )


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


async def test_a_worker_says_at_start_that_a_search_attribute_is_of_another_type(tmp_path: Path) -> None:
    wrong = [SearchAttributeKey.for_bool("MlcStage")]
    environment = await WorkflowEnvironment.start_local(dev_server_existing_path=str(TEMPORAL), search_attributes=wrong)
    async with environment:
        log = tmp_path / "worker.log"
        address = environment.client.service_client.config.target_host
        with worker_process(log, TEMPORAL_ADDRESS=address) as process:
            said = await asyncio.to_thread(wait_for, log, "Working on task queue")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, END_SECONDS) == 0
    assert "Search attribute MlcStage is registered as Bool" in said and "mlc setup" in said
