"""The `mlc` command as people run it: a process of its own, in a directory of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.main import main
from console.stack import RunningStack
from tests.mlc_process import MLC, environment

Mlc = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def answer_of(capsys: pytest.CaptureFixture[str]) -> Answer:
    """Runs the command that `sys.argv` holds to its end."""
    with pytest.raises(SystemExit) as ending:
        main()
    captured = capsys.readouterr()
    return Answer(int(ending.value.code or 0), captured.out, captured.err)


Command = Callable[..., Answer]
Preview = Callable[..., Answer]


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


@pytest.fixture
def mlc_here(
    running_stack: RunningStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in this process against the running stack, which it finds by its data directory."""

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mlc", *arguments, "--data-dir", str(running_stack.directory)])
        monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
        monkeypatch.setenv("MLC_ENV_FILE", "")
        return answer_of(capsys)

    return run


@pytest.fixture
def preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Preview:
    """Runs the command in this process and in an empty directory; `-o out.docx` unless another is given."""

    def run(*arguments: str) -> Answer:
        output = [] if "-o" in arguments else ["-o", "out.docx"]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(sys, "argv", ["mlc", "document", "preview", *arguments, *output])
        return answer_of(capsys)

    return run


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command in this process, without any server and without settings."""

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mlc", *arguments])
        monkeypatch.setenv("MLC_ENV_FILE", "")
        monkeypatch.setenv("COLUMNS", "200")
        return answer_of(capsys)

    return run
