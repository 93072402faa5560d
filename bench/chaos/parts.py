"""The local stack as parts that can be killed and started again one by one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from console.faults import ConsoleFault
from console.stack import HOST, Addresses, _services
from console.supervision import Service, free_port, one_at_a_time, owned

# Away from the ports of `mlc up`: what is restarted frees its port for a moment, and another stack must not take it.
FIRST_PORTS = {"temporal": 24233, "temporal_ui": 24433, "modelop": 24633, "jira": 24833, "relay": 25033}
START_SECONDS = 90.0
STOP_SECONDS = 15.0
SWEEP_INTERVAL = "PT10S"
DEFECT_VARIABLE = "CHAOS_DEFECT"


@dataclass
class Part:
    """One process of the stack; all its lives write into the same log."""

    service: Service
    log: Path
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0

    @property
    def pid(self) -> int:
        """The process id of the present or last life."""
        return self.process.pid if self.process else 0

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def spawn(self) -> None:
        """Starts the process without waiting until it works."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.service.command),
                env=dict(self.service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.lives += 1

    async def start(self) -> None:
        """Starts the process and returns when it works.

        Raises:
            ConsoleFault: it ended, or it did not work in time.
        """
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while not await self.service.ready():
            if not self.is_alive or time.monotonic() > deadline:
                raise ConsoleFault(f"{self.service.name} does not start; see {self.log}")
            await asyncio.sleep(0.1)

    def kill(self) -> None:
        """Ends the process and its children at once, with no chance to finish anything."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    async def stop(self) -> None:
        """Asks the process to end, and kills what is left after a while."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            while self.is_alive and time.monotonic() < deadline:  # noqa: ASYNC110 - processes set no event
                await asyncio.sleep(0.02)
        self.kill()


@dataclass(frozen=True)
class Parts:
    """The whole stack, its addresses, the secret of its webhooks and the directory with its data."""

    addresses: Addresses
    directory: Path
    secret: str
    all: dict[str, Part] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Part:
        """One part by the name of its service."""
        return self.all[name]


@contextlib.asynccontextmanager
async def running_parts(directory: Path, *, defect: str | None) -> AsyncIterator[Parts]:
    """Starts the stack on a new data directory and leaves no process behind."""
    with owned(directory):
        secret = secrets.token_urlsafe(32)
        (directory / "webhook-secret").write_text(secret)
        (directory / "logs").mkdir()
        parts: list[Part] = []
        try:
            async with one_at_a_time("sagemaker-mlc-stack", say=lambda line: None):
                addresses = _free_addresses()
                for service in _services(addresses, directory):
                    part = Part(_as_needed(service, defect), directory / "logs" / f"{service.name}.log")
                    parts.append(part)
                    await part.start()
            yield Parts(addresses, directory, secret, {part.service.name: part for part in parts})
        finally:
            for part in reversed(parts):
                await part.stop()


def _as_needed(service: Service, defect: str | None) -> Service:
    """The worker sweeps every ten seconds and may have a defect; all else is as it always is."""
    if service.name != "worker":
        return service
    changed = {"MLC_WORKER__SWEEP_INTERVAL": SWEEP_INTERVAL, "MLC_WORKER__BLOCKED_RETRY": "PT5S"}
    if defect:
        changed[DEFECT_VARIABLE] = defect
    command = [sys.executable, "-m", "bench.chaos.worker"]
    return replace(service, command=command, environment={**service.environment, **changed})


def _free_addresses() -> Addresses:
    taken: set[int] = set()
    at = {name: f"{HOST}:{free_port(port, taken)}" for name, port in FIRST_PORTS.items()}
    return Addresses(
        temporal=at["temporal"],
        temporal_ui=f"http://{at['temporal_ui']}",
        modelop=f"http://{at['modelop']}",
        jira=f"http://{at['jira']}",
        relay=f"http://{at['relay']}",
    )
