"""How an implementation looks on a terminal of 80 columns."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from console.desk import Ending
from console.screen import StepScreen
from console.views import status_view
from workflows.contract import (
    Blocked,
    Decision,
    Gate,
    ImplementationStatus,
    MlcStage,
    TimelineEntry,
    Verdict,
    WaitingOn,
)

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=2)
WAITING = ImplementationStatus(
    model_id="6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01",
    stage=MlcStage.PIA_APPROVAL,
    waiting_on=WaitingOn(gate=Gate.PIA, ticket="GOV-1", url="http://jira/browse/GOV-1", since=BEGAN),
    timeline=[
        TimelineEntry(stage=MlcStage.REGISTERED, at=BEGAN - timedelta(minutes=59, seconds=59)),
        TimelineEntry(stage=MlcStage.PIA_APPROVAL, at=BEGAN),
    ],
)


def shown(status: ImplementationStatus, ending: Ending | None = None) -> str:
    printed = io.StringIO()
    Console(file=printed, width=80).print(status_view(status, {}, NOW, ending))
    return printed.getvalue()


def test_a_waiting_run_says_on_whom_it_waits_and_shows_durations_in_full() -> None:
    text = shown(WAITING)
    assert "(name not read yet)" in text and "Waits for a decision on GOV-1" in text
    assert "59 min 59 s" in text and "2 h 0 min" in text


def test_a_run_that_was_terminated_while_it_waited_waits_no_more() -> None:
    text = shown(WAITING, Ending("it was terminated: a mistake", BEGAN + timedelta(minutes=30)))
    assert "Ended 2026-03-02 09:30 UTC: it was terminated: a mistake" in text
    assert "ended here" in text and "30 min 0 s" in text
    for untrue in ("not read yet", "Waits for", "waits for"):
        assert untrue not in text


@pytest.mark.parametrize("name", ["Aaron Approver (production)", "Maximiliana.von-Hohenstaufen@bank.example"])
def test_who_decided_is_shown_whole_however_long_the_name_is(name: str) -> None:
    decision = Decision(
        gate=Gate.PIA, ticket="GOV-1", verdict=Verdict.DONE, decided_by="m", decided_by_name=name, decided_at=NOW
    )
    lines = shown(WAITING.model_copy(update={"decisions": [decision], "waiting_on": None})).splitlines()
    column = next(line for line in lines if "Decided by" in line).index("Decided by")
    assert name.replace(" ", "") in "".join(line[column:].replace(" ", "") for line in lines)


def test_who_watches_a_run_is_told_once_why_it_is_blocked() -> None:
    printed = io.StringIO()
    block = Blocked(cause="MissingAssets", message="no asset with role COMPARATOR_DATA", since=NOW, transient=False)
    blocked = WAITING.model_copy(update={"blocked": block, "waiting_on": None})
    again = blocked.model_copy(update={"blocked": block.model_copy(update={"since": NOW + timedelta(hours=1)})})
    with StepScreen(Console(file=printed, width=80)) as screen:
        for status in (WAITING, blocked, blocked, WAITING, again):
            screen.show(status)
    assert printed.getvalue().count("Blocked: no asset with role COMPARATOR_DATA") == 2
