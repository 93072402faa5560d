"""Logs on standard error: one format for our own lines, the SDK's and those of libraries."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from temporalio import activity, workflow

from worker.run_context import run_context
from worker.settings import LogSettings

# One line per request says nothing that metrics, traces and the run's history do not say better.
_CHATTY = ("httpx", "httpcore", "urllib3", "botocore", "matplotlib", "fontTools")

logger = logging.getLogger(__name__)


def configure_logging(settings: LogSettings) -> None:
    """Makes everything that this process logs go to standard error in the chosen format."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if settings.format == "json" else ConsoleFormatter())
    handler.addFilter(_name_the_run)
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # What nobody caught is a log line like any other, and not text between the lines.
    sys.excepthook = lambda kind, error, traceback: _uncaught(error)
    threading.excepthook = lambda told: _uncaught(told.exc_value)
    sys.unraisablehook = lambda told: _uncaught(told.exc_value)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(settings.level)))
    # The SDK would add the same facts, and more, as a dictionary at the end of each message.
    workflow.logger.workflow_info_on_message = activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_extra = activity.logger.activity_info_on_extra = False


def _uncaught(error: BaseException | None) -> None:
    logger.critical("Uncaught %s", type(error).__name__, exc_info=error)


def _name_the_run(record: logging.LogRecord) -> bool:
    """Adds to a record what identifies the run that it belongs to. Runs where the line is logged."""
    record.run = run_context()
    return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the run where there is one, and an exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break in it."""
        line: dict[str, Any] = {
            "timestamp": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **getattr(record, "run", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class ConsoleFormatter(logging.Formatter):
    """Text for people: time, level, logger, the run in brackets, message, and the traceback indented below it.

    Logs quote other systems and callers. What would begin a line or move the terminal's cursor is shown as an escape,
    so that no text can pass for a line of ours.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of a traceback."""
        run: dict[str, Any] = getattr(record, "run", {})
        named = " ".join(f"{name}={value}" for name, value in run.items())
        bracketed = f" [{_visible(named)}]" if named else ""
        lines = [f"{_moment(record)} {record.levelname} {record.name}:{bracketed} {_visible(_message(record))}"]
        if record.exc_info:
            lines += [f"  {_visible(line)}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments; without them where they do not fit, which must not cost the line."""
    try:
        return record.getMessage()
    except Exception:
        return str(record.msg)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.rstrip())


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
