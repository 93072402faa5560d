"""Commands that people are told to type are those that work for them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from console.own_command import own_command
from console.stack import DEFAULT_DATA_DIRECTORY


def test_a_command_that_is_not_on_the_path_is_told_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/mlc", "show"])
    assert own_command("resume 1", DEFAULT_DATA_DIRECTORY) == ".venv/bin/mlc resume 1"


def test_a_command_on_the_path_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "mlc"
    installed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(sys, "argv", [str(installed), "show"])
    assert own_command("resume 1", DEFAULT_DATA_DIRECTORY) == "mlc resume 1"


def test_another_data_directory_is_told_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/mlc", "up"])
    assert own_command("show 1", Path("two stacks/a")) == ".venv/bin/mlc show 1 --data-dir 'two stacks/a'"
