"""The relay as a process: it starts before Temporal does, says so, and ends orderly."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx

from tests.processes import free_port, server_process


def test_the_relay_starts_without_temporal_says_so_and_ends_with_0_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    settings = {
        "MLC_ENV_FILE": "",
        "MLC_RELAY__SECRETS": '["s3cret"]',
        "MLC_RELAY__PORT": str(port),
        "TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    with server_process(["-m", "console", "relay"], port=port, log=tmp_path / "relay.log", env=settings) as relay:
        ready = httpx.get(f"{relay.url}/readyz", timeout=5)
        assert ready.status_code == 503
        assert ready.json()["reason"] == "Temporal does not answer"
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(10) == 0
    assert "s3cret" not in relay.log.read_text()
