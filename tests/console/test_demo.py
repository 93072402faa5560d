"""Every scenario end to end: real processes, real HTTP, real data, people played through Jira's REST interface."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from temporalio.client import Client

from console.demo import perform
from console.scenarios import SCENARIOS, ScenarioName
from console.stack import RunningStack
from sandbox.modelop.accounts import STATIC_TOKEN
from tests.mlc_process import MLC, Marked
from worker.data_converter import data_converter
from workflows.contract import QUERY_STATUS, Gate, ImplementationStatus, workflow_id

SECONDS_FOR_ONE_SCENARIO = 100


async def play(name: ScenarioName, stack: RunningStack) -> tuple[bool, str, ImplementationStatus]:
    """Plays a scenario; returns whether it ended as it should, what was printed, and the last status."""
    printed = io.StringIO()
    as_it_should = await perform(name, stack, Console(file=printed, width=160))
    client = await Client.connect(stack.addresses.temporal, data_converter=data_converter)
    handle = client.get_workflow_handle(workflow_id(SCENARIOS[name].model_id))
    status = await handle.query(QUERY_STATUS, result_type=ImplementationStatus)
    assert not [run.id async for run in client.list_workflows("TemporalReportedProblems IS NOT NULL")]
    return as_it_should, printed.getvalue(), status


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
def test_mlc_demo_deploys_the_model_saves_the_reviewed_document_and_leaves_no_process(
    running_stack: RunningStack, tmp_path: Path
) -> None:
    demo = Marked(*MLC, "demo", "--data-dir", str(tmp_path / "data"), log=tmp_path / "demo.log")
    code = demo.process.wait(SECONDS_FOR_ONE_SCENARIO)
    printed = demo.log.read_text()
    assert code == 0, printed
    assert demo.all_gone(), f"left behind: {demo.family()}"
    assert "DEPLOYED" in printed and "ended as it should" in printed
    assert f"up --data-dir {tmp_path / 'data'}` starts it again" in printed.splitlines()[-1]
    for person in ("Paul Privacy", "Vera Reviewer", "Aaron Approver"):
        assert f"decided by {person}" in printed
    assert "is taken, temporal uses" in printed, "the other stack holds the usual port"
    saved = Path(re.search(r"Document +(\S+)", printed)[1])  # type: ignore[index]
    assert saved.parent == tmp_path / "data" / "documents"
    # The file's name carries the first digits of its hash.
    assert hashlib.sha256(saved.read_bytes()).hexdigest()[:8] in saved.name


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
async def test_rejected_ends_at_the_review_and_deploys_nothing(running_stack: RunningStack) -> None:
    as_it_should, printed, status = await play(ScenarioName.REJECTED, running_stack)
    assert as_it_should, printed
    assert [(each.gate, each.verdict, each.decided_by) for each in status.decisions] == [
        (Gate.PIA, "DONE", "paul"),
        (Gate.RESULTS, "REJECTED", "vera"),
    ]
    assert await _snapshot_state(running_stack, status) != "DEPLOYED"


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
async def test_a_failed_test_job_is_mended_and_run_again_with_both_attempts_kept(running_stack: RunningStack) -> None:
    as_it_should, printed, status = await play(ScenarioName.TEST_FAILURE, running_stack)
    assert as_it_should, printed
    failed, passed = status.test_runs
    assert failed.error and "input schema" in failed.error and failed.result_id is None
    assert passed.error is None and passed.result_id
    assert await _snapshot_state(running_stack, status) == "DEPLOYED"


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
async def test_a_missing_asset_blocks_until_it_is_added_and_the_run_resumed(running_stack: RunningStack) -> None:
    as_it_should, printed, status = await play(ScenarioName.MISSING_ASSET, running_stack)
    assert as_it_should, printed
    assert "blocked  (MissingAssets)" in printed
    assert status.blocked is None
    assert await _snapshot_state(running_stack, status) == "DEPLOYED"


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
async def test_a_model_of_the_wrong_type_fails_and_bothers_nobody(running_stack: RunningStack) -> None:
    as_it_should, printed, status = await play(ScenarioName.WRONG_TYPE, running_stack)
    assert as_it_should, printed
    assert "WrongModelType" in printed and "/browse/" not in printed
    assert status.stage == "Failed" and not status.decisions


@pytest.mark.timeout(SECONDS_FOR_ONE_SCENARIO)
async def test_a_scenario_that_ends_otherwise_is_called_bad(
    running_stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SCENARIOS[ScenarioName.WRONG_TYPE].__class__(
        about="It expects a notebook to be deployed.",
        model_id=SCENARIOS[ScenarioName.WRONG_TYPE].model_id,
        ending="DEPLOYED",
    )
    monkeypatch.setitem(SCENARIOS, ScenarioName.WRONG_TYPE, wrong)
    as_it_should, printed, _ = await play(ScenarioName.WRONG_TYPE, running_stack)
    assert not as_it_should
    assert "it ended WrongModelType, not DEPLOYED" in printed


async def _snapshot_state(stack: RunningStack, status: ImplementationStatus) -> str:
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {STATIC_TOKEN}"}) as http:
        url = f"{stack.addresses.modelop}/model-manage/api/deployableModels/{status.snapshot_id}"
        return str((await http.get(url)).json()["state"])
