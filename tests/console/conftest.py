"""The `mlc` command as people run it: a process of its own, in a directory of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mlc_process import MLC, environment

Mlc = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mlc(tmp_path: Path) -> Mlc:
    """Runs `mlc` to its end in an empty directory."""

    def run(*arguments: str, timeout: float = 60, **added: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MLC, *arguments],
            cwd=tmp_path,
            env=environment(added),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run
