"""Starting, listing, showing, resuming and aborting against a running stack, as a person would type it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from console.main import main
from console.stack import RunningStack
from sandbox.modelop.seed import NO_LABELS, NOTEBOOK
from workflows.contract import ImplementationStatus, workflow_id


@dataclass
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def mlc_here(
    running_stack: RunningStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command in this process against the running stack, which it finds by its data directory."""

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mlc", *arguments, "--data-dir", str(running_stack.directory)])
        monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
        with pytest.raises(SystemExit) as ending:
            main()
        captured = capsys.readouterr()
        return Answer(int(ending.value.code or 0), captured.out, captured.err)

    return run


def test_an_implementation_is_started_once_listed_shown_and_aborted(mlc_here: Command) -> None:
    started = mlc_here("start", NO_LABELS.upper(), "--requested-by", "rita", "--json")
    assert started.code == 0
    described = json.loads(started.out)
    assert described["workflow_id"] == workflow_id(NO_LABELS)
    assert described["url"].endswith(f"/{described['workflow_id']}/{described['run_id']}")

    assert "Runs already" in mlc_here("start", NO_LABELS).out

    status = _until(lambda: _status(mlc_here), lambda each: each.waiting_on is not None)
    assert status.stage == "PiaApproval" and status.waiting_on

    listed = _until(
        lambda: json.loads(mlc_here("list", "--json").out),
        lambda each: any(one["ticket"] == status.waiting_on.ticket for one in each),
    )
    mine = next(one for one in listed if one["model_id"] == NO_LABELS)
    assert mine == {
        "workflow_id": workflow_id(NO_LABELS),
        "run_id": described["run_id"],
        "model_id": NO_LABELS,
        "stage": "PiaApproval",
        "ticket": status.waiting_on.ticket,
        "blocked": False,
        "status": "RUNNING",
    }
    shown = mlc_here("show", workflow_id(NO_LABELS)).out
    assert status.waiting_on.ticket in shown and "waits for a person" in shown and "to come" in shown

    nothing_to_resume = mlc_here("resume", NO_LABELS)
    assert nothing_to_resume.code == 1
    assert "Traceback" not in nothing_to_resume.err and NO_LABELS in nothing_to_resume.err

    assert mlc_here("abort", NO_LABELS, "--reason", "only a test").code == 0
    watched = mlc_here("watch", NO_LABELS)
    assert watched.code == 1
    assert "ABORTED" in watched.out and "only a test" in watched.out

    for command in (["resume", NO_LABELS], ["abort", NO_LABELS, "--reason", "again"]):
        late = mlc_here(*command)
        assert late.code == 1
        assert "already ended" in late.err


def test_waiting_for_a_run_that_fails_says_why_and_exits_with_1(mlc_here: Command) -> None:
    answer = mlc_here("start", NOTEBOOK, "--wait")
    assert answer.code == 1
    assert "WrongModelType" in answer.err and "PYTHON" in answer.err


@pytest.mark.parametrize("command", [["show"], ["watch"], ["resume"], ["abort", "--reason", "x"]])
def test_an_unknown_implementation_is_said_in_one_line(mlc_here: Command, command: list[str]) -> None:
    answer = mlc_here(command[0], str(uuid4()), *command[1:])
    assert answer.code == 1
    assert "no such implementation" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_setup_twice_finds_everything_there(mlc_here: Command) -> None:
    answer = mlc_here("setup")
    assert answer.code == 0
    assert answer.out.count("there already") == 4


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_stack_on_the_same_data_is_refused(mlc_here: Command, command: str) -> None:
    answer = mlc_here(command)
    assert answer.code == 1
    assert "already runs on this data directory" in answer.err


def _status(mlc_here: Command) -> ImplementationStatus:
    return ImplementationStatus.model_validate_json(mlc_here("show", NO_LABELS, "--json").out)


def _until(read: Callable[[], Any], enough: Callable[[Any], bool], attempts: int = 20) -> Any:
    """Reads until it is enough; each reading takes some tenths of a second by itself."""
    for _ in range(attempts):
        if enough(found := read()):
            return found
    raise AssertionError(f"not in time: {found}")
