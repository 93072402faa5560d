"""Reads how a test job ended: its outcome, its error in its own words, and the results that it left."""

from __future__ import annotations

from typing import Any

from activities.errors import plain
from activities.modelop import rest
from activities.modelop.exchange import finite_json
from activities.modelop.rest import Entity
from activities.modelop.types import JobOutcome

MAX_ERROR_CHARACTERS = 2000
MAX_LINES = 200
MAX_LINE_CHARACTERS = 500


class UnreadableResult(ValueError):
    """A job left nothing that can be read as test results; the message says what it left instead."""


def job_outcome(job: Entity) -> JobOutcome | None:
    """The outcome of a job; None while it has not ended.

    A job succeeded if it is COMPLETE, does not call itself a failure, and left readable results.
    """
    status = rest.text(job, "jobStatus")
    if status not in rest.FINAL_JOB_STATUSES:
        return None
    if status != rest.COMPLETE or job.get("jobResult") == rest.FAILURE:
        return JobOutcome(status=status, succeeded=False, error=_messages(job) or f"The job ended with {status}.")
    try:
        decoded_results(job)
    except UnreadableResult as error:
        said = f"The job is {status}, but its result is not readable: {error}."
        return JobOutcome(status=status, succeeded=False, error=_tail([*_lines(job), said]))
    return JobOutcome(status=status, succeeded=True)


def decoded_results(job: Entity) -> Entity:
    """The results in a job's first output, with None in the place of NaN and infinite numbers.

    Raises:
        UnreadableResult: there is no output, or it is not base64 of a JSON object.
    """
    outputs = rest.items(job, "outputData")
    if not outputs:
        raise UnreadableResult("it has no output")
    content = rest.embedded_bytes(outputs[0])
    if content is None:
        raise UnreadableResult("its output has no embedded content in base64")
    try:
        results = finite_json(content)
    except ValueError:
        raise UnreadableResult("its output is not JSON") from None
    if not isinstance(results, dict):
        raise UnreadableResult(f"its output is a JSON {type(results).__name__} instead of an object")
    return results


def execution_errors(results: Entity) -> list[str]:
    """What monitors without a result said; each entry as text, whatever it was."""
    errors = results.get("executionErrors")
    if isinstance(errors, str):
        return [errors]
    return [error if isinstance(error, str) else str(error) for error in errors] if isinstance(errors, list) else []


def _messages(job: Entity) -> str:
    return _tail(_lines(job))


def _lines(job: Entity) -> list[str]:
    messages: Any = job.get("jobMessages")
    last = messages[-MAX_LINES:] if isinstance(messages, list) else []
    return [plain(str(line), MAX_LINE_CHARACTERS) for line in last]


def _tail(lines: list[str]) -> str:
    """The lines joined; if they are too many, the last ones, because a job says last why it ended."""
    joined = "\n".join(line for line in lines if line)
    return joined if len(joined) <= MAX_ERROR_CHARACTERS else "…" + joined[-(MAX_ERROR_CHARACTERS - 1) :]
