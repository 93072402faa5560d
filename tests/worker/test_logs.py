"""Log lines say when, where and for which run, in one line a machine can read, and nothing about people."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio import activity, workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.temporal_servers import dev_server
from worker.logs import ConsoleFormatter, JsonFormatter, configure_logging
from worker.run_context import RunContextInterceptor
from worker.settings import LogSettings
from workflows.contract import STAGE_ATTRIBUTE, TICKET_ATTRIBUTE

library = logging.getLogger("somebody.elses.library")


@activity.defn
async def speak() -> None:
    """Logs as our code does, and as a library does that knows nothing of Temporal."""
    activity.logger.info("in the activity")
    library.info("deep inside")
    if activity.info().attempt == 1:
        raise ApplicationError("the first attempt fails")


@workflow.defn
class Speaking:
    """Logs before and after its ticket is known."""

    @workflow.run
    async def run(self) -> None:
        """Enters a stage, opens a ticket, works."""
        workflow.logger.info("without a ticket")
        workflow.upsert_search_attributes([STAGE_ATTRIBUTE.value_set("RiskTests"), TICKET_ATTRIBUTE.value_set("GOV-7")])
        workflow.logger.info("with a ticket")
        await workflow.execute_activity(speak, start_to_close_timeout=timedelta(seconds=10))


@contextmanager
def logged(settings: LogSettings) -> Iterator[io.StringIO]:
    """What is logged inside the block; the logging of the tests comes back afterwards."""
    root = logging.getLogger()
    before, level, stderr = list(root.handlers), root.level, sys.stderr
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.stderr = written = io.StringIO()
    try:
        configure_logging(settings)
        yield written
    finally:
        sys.stderr = stderr
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = before
        root.setLevel(level)


async def spoken(environment: WorkflowEnvironment, format: str) -> list[str]:
    """The lines that one run of `Speaking` logs."""
    with logged(LogSettings(format=format)) as written:
        async with Worker(
            environment.client,
            task_queue="speaking",
            workflows=[Speaking],
            activities=[speak],
            interceptors=[RunContextInterceptor()],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            await environment.client.execute_workflow(
                Speaking.run,
                id=f"spoken-{format}",
                task_queue="speaking",
                search_attributes=TypedSearchAttributes([SearchAttributePair(STAGE_ATTRIBUTE, "Registered")]),
            )
    return written.getvalue().splitlines()


def about(lines: list[str], message: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, lines) if line["message"] == message]


async def test_every_line_of_a_run_names_workflow_stage_ticket_and_attempt() -> None:
    async with dev_server() as environment:
        lines = await spoken(environment, "json")
    (before,) = about(lines, "without a ticket")
    assert (before["workflow_id"], before["stage"], before["attempt"]) == ("spoken-json", "Registered", 1)
    assert "ticket" not in before
    (after,) = about(lines, "with a ticket")
    assert (after["stage"], after["ticket"]) == ("RiskTests", "GOV-7")
    for message in ("in the activity", "deep inside"):
        first, second = about(lines, message)
        assert [first["attempt"], second["attempt"]] == [1, 2]
        for line in (first, second):
            assert (line["workflow_id"], line["stage"], line["ticket"]) == ("spoken-json", "RiskTests", "GOV-7")
            assert line["activity"] == "speak"
    (failed,) = [json.loads(line) for line in lines if "the first attempt fails" in line]
    assert failed["exception"].splitlines()[-1].endswith("the first attempt fails")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", json.loads(line)["timestamp"]) for line in lines)


async def test_people_read_the_same_in_brackets() -> None:
    async with dev_server() as environment:
        lines = await spoken(environment, "console")
    (line,) = [line for line in lines if line.endswith("with a ticket") and "GOV-7" in line]
    assert "INFO" in line and "[workflow_id=spoken-console stage=RiskTests ticket=GOV-7 attempt=1]" in line


def record(message: str, *arguments: object, exception: bool = False) -> logging.LogRecord:
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        error = sys.exc_info() if exception else None
    return logging.LogRecord("ours", logging.ERROR, "file.py", 1, message, arguments, error)


def test_an_exception_and_any_text_make_one_line_of_json() -> None:
    line = JsonFormatter().format(record("bad %s \ud800", "input\nwith\u2028breaks", exception=True))
    assert len(line.split("\n")) == 1
    read = json.loads(line)
    assert read["message"].startswith("bad input\nwith") and "line two" in read["exception"]
    # A lone surrogate, which no stream can write, must not cost the line.
    line.encode()


def test_a_traceback_stays_readable_for_people() -> None:
    text = ConsoleFormatter().format(record("failed", exception=True))
    assert "Traceback" in text and text.count("\n") > 3


HOSTILE = "moved\n2026-01-01T00:00:00.000Z ERROR worker.main: forged\r\x1b[2J\x85\u2028\u202eover"


def test_no_text_passes_for_a_line_of_ours_or_moves_a_terminals_cursor() -> None:
    quoting = record("Jira said %s", HOSTILE)
    quoting.run = {"ticket": HOSTILE}
    raising = record("failed", exception=True)
    raising.exc_info = (ValueError, ValueError(HOSTILE), None)
    for logged_record in (quoting, raising):
        first, *rest = ConsoleFormatter().format(logged_record).split("\n")
        assert first.isprintable() and all(line.isprintable() and line.startswith("  ") for line in rest)
    assert "ticket=moved\\n2026" in ConsoleFormatter().format(quoting)


@pytest.mark.parametrize("formatter", [JsonFormatter(), ConsoleFormatter()])
def test_arguments_that_do_not_fit_cost_no_line(formatter: logging.Formatter) -> None:
    assert "%d tickets" in formatter.format(record("%d tickets", "many"))


class Unbearable:
    """Fails where nobody can catch it."""

    def __del__(self) -> None:
        raise RuntimeError("on its way out")


def test_what_nobody_caught_is_a_line_like_any_other() -> None:
    def fails() -> None:
        raise RuntimeError("in a thread")

    with logged(LogSettings(format="json")) as written:
        thread = threading.Thread(target=fails)
        thread.start()
        thread.join()
        Unbearable()
        sys.excepthook(ValueError, ValueError("at the end"), None)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["message"] for line in lines] == [
        "Uncaught RuntimeError",
        "Uncaught RuntimeError",
        "Uncaught ValueError",
    ]
    for line, said in zip(lines, ("in a thread", "on its way out", "at the end"), strict=True):
        assert line["level"] == "CRITICAL" and line["exception"].endswith(said)


def test_libraries_are_quiet_and_the_level_counts() -> None:
    with logged(LogSettings(format="json", level="WARNING")) as written:
        logging.getLogger("httpx").info("request")
        logging.getLogger("ours").info("not wanted")
        logging.getLogger("ours").warning("wanted")
    assert [json.loads(line)["message"] for line in written.getvalue().splitlines()] == ["wanted"]


@pytest.mark.parametrize("wrong", [{"format": "xml"}, {"level": "LOUD"}, {"colour": "red"}])
def test_a_wrong_setting_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        LogSettings(**wrong)
