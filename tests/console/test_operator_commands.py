"""Starting, listing, showing, resuming and aborting against a running stack, as a person would type it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from console import desk
from console.sandbox_clients import JiraPeople, ModelRegistry
from console.scenarios import SCENARIOS, ScenarioName
from console.stack import RunningStack
from sandbox.modelop.seed import GERMAN_CREDIT, NO_COMPARATOR, NO_LABELS, NOTEBOOK
from tests.console.conftest import Command
from workflows.contract import BLOCKED_ATTRIBUTE, WORKFLOW_TYPE, ImplementationStatus, workflow_id


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
        "blocked_cause": None,
        "blocked_message": None,
    }
    shown = mlc_here("show", workflow_id(NO_LABELS)).out
    assert status.waiting_on.ticket in shown and "waits for a person" in shown and "to come" in shown

    nothing_to_resume = mlc_here("resume", NO_LABELS)
    assert nothing_to_resume.code == 1
    assert nothing_to_resume.err == f"mlc: {workflow_id(NO_LABELS)}: nothing to resume: the run is not blocked\n"

    assert mlc_here("abort", NO_LABELS, "--reason", "only a test").code == 0
    watched = mlc_here("watch", NO_LABELS)
    assert watched.code == 1
    assert "ABORTED" in watched.out and "only a test" in watched.out

    for command in (["resume", NO_LABELS], ["abort", NO_LABELS, "--reason", "again"]):
        late = mlc_here(*command)
        assert late.code == 1
        assert "already ended" in late.err
    assert "only a test" in mlc_here("watch", NO_LABELS).out
    ended = mlc_here("show", NO_LABELS).out
    assert "completed with ABORTED" in ended and "only a test" in ended and "ended here" in ended
    assert "waits for a person" not in ended and "Waits for a decision" not in ended


def test_without_a_blocked_implementation_there_is_nothing_to_list_or_to_resume(mlc_here: Command) -> None:
    for command in (["list", "--blocked"], ["resume", "--all"]):
        answer = mlc_here(*command)
        assert (answer.code, answer.out) == (0, "No implementation is blocked.\n")
    assert json.loads(mlc_here("list", "--blocked", "--json").out) == []


@pytest.fixture
def missing_assets(mlc_here: Command, running_stack: RunningStack) -> Iterator[str]:
    """The workflow id of a run that is blocked because its model has no comparator data."""
    # Another test on the same stack may have mended the model.
    asyncio.run(_as_registered(running_stack))
    assert mlc_here("start", NO_COMPARATOR).code == 0
    waiting = _until(lambda: _status(mlc_here, NO_COMPARATOR), lambda each: each.waiting_on is not None).waiting_on
    asyncio.run(_approve(running_stack, waiting.ticket))
    _until(lambda: _blocked(mlc_here), lambda each: len(each) == 1)
    yield workflow_id(NO_COMPARATOR)
    assert mlc_here("abort", NO_COMPARATOR, "--reason", "the test is over").code == 0
    _until(lambda: _blocked(mlc_here), lambda each: each == [])


@pytest.fixture
def nobody_carries(running_stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The workflow id of a run that is marked as blocked and for which no worker answers."""
    monkeypatch.setattr(desk, "ANSWER_TIMEOUT", timedelta(seconds=2))
    monkeypatch.setattr(desk, "EXPLANATION_TIMEOUT", timedelta(seconds=2))
    identity = workflow_id(str(uuid4()))

    async def start() -> None:
        client = await Client.connect(running_stack.addresses.temporal)
        await client.start_workflow(
            WORKFLOW_TYPE,
            id=identity,
            task_queue="nobody-polls",
            search_attributes=TypedSearchAttributes([SearchAttributePair(BLOCKED_ATTRIBUTE, True)]),
        )

    async def terminate() -> None:
        client = await Client.connect(running_stack.addresses.temporal)
        # The test may have ended it already.
        with contextlib.suppress(RPCError):
            await client.get_workflow_handle(identity).terminate(reason="the test is over")

    asyncio.run(start())
    yield identity
    asyncio.run(terminate())


def test_blocked_implementations_are_listed_with_the_cause_and_all_are_resumed(
    mlc_here: Command, missing_assets: str
) -> None:
    (listed,) = _blocked(mlc_here)
    assert (listed["workflow_id"], listed["stage"], listed["blocked"]) == (missing_assets, "RiskTests", True)
    assert listed["blocked_cause"] == "MissingAssets" and "COMPARATOR_DATA" in listed["blocked_message"]
    assert "blocked: missing assets" in mlc_here("list").out

    assert f" resume {NO_COMPARATOR} --data-dir" in mlc_here("show", NO_COMPARATOR).out.splitlines()[-1]

    since = _since(mlc_here)
    resumed = mlc_here("resume", "--all", "--reason", "mended")
    assert (resumed.code, resumed.err) == (0, "")
    assert resumed.out == f"Resumed: {missing_assets}\n1 resumed, 0 refused\n"
    # Nothing was mended, so the same step blocks it anew.
    _until(lambda: _since(mlc_here), lambda each: each is not None and each > since)


def test_resuming_all_says_what_refused_and_exits_with_1(mlc_here: Command, nobody_carries: str) -> None:
    _until(lambda: _blocked(mlc_here), lambda each: nobody_carries in {one["workflow_id"] for one in each})
    assert "blocked: no worker" in mlc_here("list", "--blocked").out

    answer = mlc_here("resume", "--all")
    assert answer.code == 1
    assert "1 refused" in answer.out
    (refusal,) = answer.err.splitlines()
    assert nobody_carries in refusal and "no worker answers" in refusal and "may be carried out then" in refusal


def test_waiting_for_a_run_that_fails_says_why_and_exits_with_1(mlc_here: Command) -> None:
    answer = mlc_here("start", NOTEBOOK, "--wait")
    assert answer.code == 1
    assert "WrongModelType" in answer.err and "PYTHON" in answer.err
    shown = mlc_here("show", NOTEBOOK).out
    assert "failed with WrongModelType" in shown and "not read yet" not in shown


@pytest.mark.parametrize("command", [["show"], ["watch"], ["resume"], ["abort", "--reason", "x"]])
def test_an_unknown_implementation_is_said_in_one_line(mlc_here: Command, command: list[str]) -> None:
    answer = mlc_here(command[0], str(uuid4()), *command[1:])
    assert answer.code == 1
    assert "no such implementation" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_a_terminated_run_shows_how_it_ended_though_no_worker_can_tell_its_steps(
    mlc_here: Command, nobody_carries: str, running_stack: RunningStack
) -> None:
    async def terminate() -> None:
        client = await Client.connect(running_stack.addresses.temporal)
        await client.get_workflow_handle(nobody_carries).terminate(reason="a mistake")

    asyncio.run(terminate())
    answer = mlc_here("show", nobody_carries)
    assert answer.code == 1
    assert "it was terminated: a mistake" in answer.out and "no worker answers" in answer.err


def test_the_commands_that_a_started_stack_offers_can_be_copied(running_stack: RunningStack) -> None:
    offered = (running_stack.directory.parent / "up.log").read_text().splitlines()
    for command in (f"start {GERMAN_CREDIT} --requested-by rita", f"watch {GERMAN_CREDIT}"):
        assert any(line.endswith(f"{command} --data-dir {running_stack.directory}") for line in offered), offered


def test_the_list_of_processes_does_not_tell_the_webhook_secret(running_stack: RunningStack) -> None:
    secret = (running_stack.directory / "webhook-secret").read_bytes().strip()
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running_stack.pids.values()]
    assert len(lines) == 6 and all(lines)
    assert not [line for line in lines if secret in line]


def test_setup_twice_finds_everything_there(mlc_here: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_WORKER__SWEEP_INTERVAL", "PT2M")  # as the stack's own worker has it
    answer = mlc_here("setup")
    assert answer.code == 0
    assert answer.out.count("there already") == 5


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_second_stack_on_the_same_data_is_refused(mlc_here: Command, command: str) -> None:
    answer = mlc_here(command)
    assert answer.code == 1
    assert "already runs on this data directory" in answer.err


def _status(mlc_here: Command, model_id: str = NO_LABELS) -> ImplementationStatus:
    return ImplementationStatus.model_validate_json(mlc_here("show", model_id, "--json").out)


def _blocked(mlc_here: Command) -> list[dict[str, Any]]:
    return list(json.loads(mlc_here("list", "--blocked", "--json").out))


def _since(mlc_here: Command) -> datetime | None:
    """Since when the model without comparator data is blocked."""
    blocked = _status(mlc_here, NO_COMPARATOR).blocked
    return blocked.since if blocked else None


async def _as_registered(stack: RunningStack) -> None:
    prepare = SCENARIOS[ScenarioName.MISSING_ASSET].prepare
    assert prepare is not None
    async with ModelRegistry(stack.addresses.modelop) as registry:
        await prepare(registry)


async def _approve(stack: RunningStack, ticket: str) -> None:
    async with JiraPeople(stack.addresses.jira) as people:
        await people.decide("paul", ticket, status="Done", comment="fine")


def _until(read: Callable[[], Any], enough: Callable[[Any], bool], seconds: float = 60) -> Any:
    """Reads until it is enough; fails with what was read last."""
    deadline = time.monotonic() + seconds
    while not enough(found := read()):
        assert time.monotonic() < deadline, f"not in time: {found}"
        time.sleep(0.1)
    return found
