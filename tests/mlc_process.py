"""The `mlc` command as a process of its own, and everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

MLC = [sys.executable, "-m", "console"]
REPOSITORY = Path(__file__).resolve().parents[1]


def environment(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """This environment without a Temporal or settings of its own, and with a terminal of fixed width."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLC_", "TEMPORAL_"))}
    return {
        **inherited,
        "PYTHONPATH": str(REPOSITORY),
        "MLC_ENV_FILE": "",
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "COLUMNS": "160",
        **(added or {}),
    }


def _heed_signals() -> None:
    """In the new process: tests that were started in the background hand down that signals are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Marked:
    """A process whose environment carries a mark that all its descendants inherit."""

    def __init__(self, *command: str, log: Path) -> None:
        self.mark = f"mark-{uuid4()}"
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=environment({"STACK_MARK": self.mark}),
                cwd=log.parent,
                preexec_fn=_heed_signals,
            )

    def family(self) -> list[int]:
        """Process ids of everything alive that carries the mark."""
        mark, found = self.mark.encode(), []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    def wait_for(self, text: str, timeout: float = 60) -> None:
        """Waits until the output holds `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def all_gone(self, timeout: float = 20) -> bool:
        """Whether everything that carries the mark ends in time."""
        deadline = time.monotonic() + timeout
        while self.family():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
