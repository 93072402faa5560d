"""`mlc replay` on files: whether the installed code would decide the same, and where it would not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from console.evidence import replaying
from console.evidence.histories import UnreadableHistory, history_json, parse_history
from console.evidence.replaying import Answer, replay_one
from tests.console.conftest import Command
from tests.console.evidence_bundles import in_answers, recorded
from tests.replay.changed_process import PausingFirst, ReadingSettingsOtherwise, SnapshotBeforePrivacy
from worker.data_converter import data_converter


@pytest.mark.parametrize(
    ("changed", "event", "why"),
    [
        (
            SnapshotBeforePrivacy,
            25,
            "holds activity check_prerequisites; the installed code asks for activity create_snapshot",
        ),
        (PausingFirst, 24, "holds a change of search attributes; the installed code asks for a timer"),
        (ReadingSettingsOtherwise, 5, "holds activity read_process_settings; the installed code asks for activity"),
    ],
)
async def test_a_divergence_is_said_in_words(changed: type, event: int, why: str) -> None:
    found = await replay_one(recorded("deployed"), data_converter, [changed])
    assert (found.answer, found.event_id) == (Answer.DIFFERS, event)
    assert why in found.why and found.why.endswith("instead")
    assert "TMPRL1100" in found.said


async def test_a_replay_returns_what_the_run_returned() -> None:
    history = recorded("stack-deployed")
    found = await replay_one(history, data_converter)
    assert found.answer is Answer.SAME
    assert found.result["outcome"] == "DEPLOYED" and found.result["document"]["size"]
    assert [activity for activity, _ in found.activities][:2] == ["read_process_settings", "read_business_model"]


async def test_a_run_whose_start_was_put_off_is_not_waited_for() -> None:
    waiting = recorded("waiting-at-pia")
    found = await replay_one(WorkflowHistory(waiting.workflow_id, waiting.events[:1]), data_converter)
    assert (found.answer, found.activities) == (Answer.SAME, [])


async def test_a_run_of_an_unknown_workflow_cannot_be_replayed() -> None:
    text = json.dumps(recorded("waiting-at-pia").to_json_dict()).replace("SagemakerModelImplementation", "OrderPizza")
    found = await replay_one(parse_history(text.encode()), data_converter)
    assert found.answer is Answer.NOT_POSSIBLE
    assert found.why == "it is a run of the workflow OrderPizza, which this release does not have"


def test_the_command_replays_a_history(run_here: Command, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_bytes(history_json(recorded("waiting-at-results")))
    answer = run_here("replay", str(tmp_path / "history.json"))
    assert answer.code == 0 and answer.out.startswith("same: sagemaker-mlc-"), answer


def test_the_command_says_where_a_history_goes_another_way(run_here: Command, tmp_path: Path) -> None:
    history = history_json(recorded("waiting-at-results")).replace(b'"read_process_settings"', b'"read_the_stars"')
    (tmp_path / "history.json").write_bytes(history)
    answer = run_here("replay", str(tmp_path / "history.json"))
    assert answer.code == 1
    assert "at event 5 the history holds activity read_the_stars" in answer.out
    assert "docs/changing-the-process.md" in answer.out


def test_an_answer_that_the_installed_code_cannot_read_is_said_without_a_traceback(
    run_here: Command, tmp_path: Path
) -> None:
    def spoil(document: Any) -> None:
        document["size"] = "very large"

    history = json.loads(history_json(recorded("stack-deployed")))
    in_answers("prepare_review_document", spoil)(history)
    (tmp_path / "history.json").write_text(json.dumps(history))
    answer = run_here("replay", str(tmp_path / "history.json"))
    assert answer.code == 1 and answer.err == "", answer
    assert "Failed decoding arguments: 1 validation error for ReviewDocument size" in answer.out
    assert answer.out.count("\n") == 1 and "File" not in answer.out


def out_of_order(events: Any) -> None:
    started = next(n for n, event in enumerate(events) if event["eventType"].endswith("WORKFLOW_TASK_STARTED"))
    events[started + 1], events[started + 2] = events[started + 2], events[started + 1]


def mislabelled(events: Any) -> None:
    events[4]["eventType"] = "EVENT_TYPE_TIMER_STARTED"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (out_of_order, "it comes before its workflow task ended"),
        (mislabelled, "event 5 is not of the type that it says"),
    ],
)
def test_a_history_that_no_server_writes_is_refused_rather_than_waited_for(
    change: Callable[[Any], None], said: str
) -> None:
    history = json.loads(history_json(recorded("waiting-at-pia")))
    change(history["events"])
    for number, event in enumerate(history["events"], start=1):
        event["eventId"] = str(number)
    with pytest.raises(UnreadableHistory, match=said):
        parse_history(json.dumps(history).encode())


def test_a_replay_that_comes_to_no_end_is_given_up_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "REPLAY_SECONDS", 1.0)
    history = recorded("waiting-at-pia")
    # Past the check of `parse_history`, the SDK waits for the rest of this.
    out_of_order(events := list(history.to_json_dict()["events"]))
    for number, event in enumerate(events, start=1):
        event["eventId"] = str(number)
    endless = WorkflowHistory.from_json(history.workflow_id, {"events": events})
    found = asyncio.run(asyncio.wait_for(replay_one(endless, data_converter), 30))
    assert found.answer is Answer.NOT_POSSIBLE and "came to no end within 1 s" in found.why


BAD_FILES = {
    "not JSON": (b"Dear operator,", "it is not JSON: line 1, column 1"),
    "another JSON": (b'{"events": [{"eventId": "1"}]}', "does not begin with the start of a workflow"),
    "another zip": (b"PK\x05\x06" + bytes(18), "no evidence bundle"),
    "nothing": (b"", "it is empty"),
}


@pytest.mark.parametrize(("content", "said"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_holds_no_history_is_said(content: bytes, said: str, run_here: Command, tmp_path: Path) -> None:
    (tmp_path / "history.json").write_bytes(content)
    answer = run_here("replay", str(tmp_path / "history.json"))
    assert answer.code == 1 and said in answer.err, answer


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either an ID, a FILE or --running"),
        (["--running", "x"], "either an ID, a FILE or --running"),
        (["nothing-here.json"], "neither a file, nor the UUID of a model"),
        (["--running", "--run-id", "x"], "--run-id goes with an ID"),
    ],
)
def test_wrong_use_is_said(arguments: list[str], said: str, run_here: Command) -> None:
    answer = run_here("replay", *arguments)
    assert answer.code == 2 and said in answer.err, answer
