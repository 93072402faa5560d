from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from bench.actions import BadHistory, count, main, read
from tests.replay import archive


def exported(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """What `temporal workflow show --output json` prints for these events."""
    first = ("WorkflowExecutionStarted", {"workflowId": "one"})
    return {
        "events": [
            {"eventId": str(number), f"{kind[0].lower()}{kind[1:]}EventAttributes": attributes}
            for number, (kind, attributes) in enumerate((first, *events), start=1)
        ]
    }


def fields(*names: str) -> dict[str, Any]:
    return {"searchAttributes": {"indexedFields": {name: {"data": ""} for name in names}}}


def test_every_kind_of_action_is_counted_as_the_price_list_has_it() -> None:
    history = exported(
        ("ActivityTaskScheduled", {"heartbeatTimeout": "30s"}),
        ("ActivityTaskStarted", {"scheduledEventId": "2", "attempt": 3}),
        ("ActivityTaskScheduled", {"heartbeatTimeout": "0s"}),
        ("ActivityTaskStarted", {"scheduledEventId": "4", "attempt": 1}),
        ("TimerStarted", {}),
        ("TimerFired", {}),
        ("WorkflowExecutionSignaled", {}),
        ("WorkflowExecutionUpdateAccepted", {}),
        ("WorkflowExecutionUpdateCompleted", {}),
        ("UpsertWorkflowSearchAttributes", fields("MlcStage", "MlcTicket")),
        ("UpsertWorkflowSearchAttributes", fields("TemporalChangeVersion")),
        ("MarkerRecorded", {"markerName": "core_local_activity"}),
        ("MarkerRecorded", {"markerName": "core_patch"}),
        ("StartChildWorkflowExecutionInitiated", {}),
        ("WorkflowTaskScheduled", {}),
    )
    bill = count("one", WorkflowHistory.from_json("one", history))
    assert bill.actions == Counter(
        start=1, activities=2, retries=2, timers=1, signals=1, updates=1, upserts=1, others=3
    )
    assert (bill.total, bill.events, bill.heartbeating) == (12, 16, 3)


def test_a_run_that_a_schedule_starts_is_three_actions() -> None:
    history = exported()
    history["events"][0]["workflowExecutionStartedEventAttributes"] |= fields("TemporalScheduledById")
    assert count("sweep", WorkflowHistory.from_json("sweep", history)).total == 3


def test_a_recorded_run_is_counted_alike_compressed_and_as_temporal_prints_it(tmp_path: Path) -> None:
    recorded = next(path for path in archive.recorded() if path.name.startswith("stack-deployed"))
    plain = tmp_path / "plain.json"
    plain.write_bytes(gzip.decompress(recorded.read_bytes()))
    bill = count("a", read(recorded))
    assert bill == count("a", read(plain))
    assert (
        bill.actions["activities"]
        == Counter(event.WhichOneof("attributes") for event in read(plain).events)[
            "activity_task_scheduled_event_attributes"
        ]
    )
    assert bill.total > bill.actions["activities"] > 20


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"events": []}',
        b'{"events": 7}',
        b'{"events": [{"eventId": "x"}]}',
        b"\x1f\x8b",
        b"[" * 9999,
    ],
)
def test_what_is_no_history_is_named_and_ends_with_two(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "strange.json"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    assert f"{path}: not a history" in capsys.readouterr().err


def test_a_compressed_history_that_is_cut_short_is_no_history(tmp_path: Path) -> None:
    path = tmp_path / "short.json.gz"
    path.write_bytes(archive.recorded()[0].read_bytes()[:200])
    with pytest.raises(BadHistory, match="not a history"):
        read(path)


def test_a_file_that_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_the_counts_are_written_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded, report = archive.recorded()[0], tmp_path / "counts.json"
    assert main([str(recorded), "--json", str(report)]) == 0
    (bill,) = json.loads(report.read_text())
    assert bill["total"] == sum(bill["actions"].values()) > 0
    assert "Billable Actions" in capsys.readouterr().out
