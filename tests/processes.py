"""Starts our servers as real processes on free loopback ports, and ends them by pid."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class ServerProcess:
    """A running server: where it answers, its process, and the file its output goes to."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def server_process(
    command: Sequence[str],
    *,
    port: int,
    log: Path,
    ready_path: str = "/healthz",
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> Iterator[ServerProcess]:
    """Runs `python <command>` until `GET ready_path` answers below 500; ends the process on exit.

    Args:
        command: arguments after the interpreter, for example `["-m", "sandbox.jira", "--port", "8081"]`.
        port: the port on which that command will listen.
        log: file that receives standard output and standard error.
        env: variables added to this process's environment.
        timeout: seconds to wait for the first answer.

    Raises:
        RuntimeError: the process ended or did not answer in time; the message holds its output.
    """
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=output, env={**os.environ, **(env or {})}
        )
        try:
            deadline = time.monotonic() + timeout
            while True:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} is not ready: {log.read_text()[-4000:]}")
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(url + ready_path, timeout=1).status_code < 500:
                        break
                time.sleep(0.05)
            yield ServerProcess(url=url, process=process, log=log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
