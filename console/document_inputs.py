"""Reads the files of `mlc document`: what ModelOp Center exports as JSON, and Word and DMN files.

Their authors sit in front of the terminal, so what cannot be read is said at once: which file, what, how to mend it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.errors import plain
from activities.modelop import rest
from activities.modelop.exchange import finite_json
from activities.modelop.job_outcome import UnreadableResult, decoded_results, job_outcome
from activities.modelop.rest import Entity
from console.faults import ConsoleFault

MAX_INPUT_BYTES = 100_000_000
"""More than any result with a thousand features; it keeps an endless or mistaken file from filling the memory."""


@dataclass(frozen=True)
class ResultsFile:
    """Test results, and what the file says around them.

    Attributes:
        entity: the result as ModelOp Center holds it; `{"testResults": …}` where the file held no more.
        snapshot: the snapshot that a job ran on, its `referenceModel`; None where the file is no job.
        risk_tests: the snapshot that a job ran, its `model`; empty where the file is no job.
        job_id: the job's id, else the result's `jobId`; empty where the file does not say.
    """

    entity: Entity
    snapshot: Entity | None = None
    risk_tests: Entity = field(default_factory=dict)
    job_id: str = ""

    @property
    def test_results(self) -> Entity:
        """The `testResults` themselves."""
        return rest.sub(self.entity, "testResults")


def read_results(path: Path) -> ResultsFile:
    """Reads a `modelTestResult`, bare `testResults`, or a whole test job.

    Raises:
        ConsoleFault: the file is none of them, or the job left no results.
    """
    found = _read_object(path, "test results")
    if "outputData" in found or "jobStatus" in found:
        return _results_of_job(path, found)
    if "modelMetaData" in found or "storedModel" in found:
        raise _unusable(path, "it holds a model and no test results", "give it with --model or --snapshot")
    if "testResults" not in found:
        return ResultsFile({"testResults": found})
    if not isinstance(found["testResults"], dict):
        kind = type(found["testResults"]).__name__
        raise _unusable(path, f"its testResults are a JSON {kind}", "export the test result again")
    return ResultsFile(found, job_id=rest.text(found, "jobId"))


def read_model(path: Path) -> Entity:
    """Reads a business model (`storedModel`).

    Raises:
        ConsoleFault: the file holds something else.
    """
    found = _read_object(path, "a model")
    if isinstance(found.get("storedModel"), dict):
        raise _unusable(path, "it holds a snapshot", "give it with --snapshot")
    if not isinstance(found.get("modelMetaData"), dict):
        raise _unusable(path, "it holds no modelMetaData", "save what ModelOp Center answers to GET storedModels/{id}")
    return found


def read_snapshot(path: Path) -> Entity:
    """Reads a snapshot (`deployableModel`) with the model that is frozen in it.

    Raises:
        ConsoleFault: the file holds something else.
    """
    found = _read_object(path, "a snapshot")
    if isinstance(found.get("storedModel"), dict):
        return found
    if isinstance(found.get("modelMetaData"), dict):
        raise _unusable(path, "it holds a model, not a snapshot of one", "give it with --model")
    raise _unusable(path, "it holds no storedModel", "save what ModelOp Center answers to GET deployableModels/{id}")


def read_file(path: Path) -> bytes:
    """Reads a file whole.

    Raises:
        ConsoleFault: it is not there, may not be read, is empty, or is larger than `MAX_INPUT_BYTES`.
    """
    try:
        with path.open("rb") as source:
            content = source.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise _unusable(path, (error.strerror or type(error).__name__).lower(), "check the path") from error
    if len(content) > MAX_INPUT_BYTES:
        raise _unusable(path, f"it is larger than {MAX_INPUT_BYTES // 1_000_000} MB", "check that it is the right file")
    if not content:
        raise _unusable(path, "it is empty", "export or save it again")
    return content


def _results_of_job(path: Path, job: Entity) -> ResultsFile:
    ended = job_outcome(job)
    if ended is not None and not ended.succeeded:
        raise _unusable(path, f"the job left no results: {plain(ended.error)}", "export a job that is COMPLETE")
    if ended is None and "jobStatus" in job:
        raise _unusable(path, f"the job is {plain(str(job['jobStatus']), 40)}", "export it again once it is COMPLETE")
    try:
        results = decoded_results(job)
    except UnreadableResult as error:
        raise _unusable(path, f"the job left no results: {error}", "export the job with its embedded output") from error
    return ResultsFile(
        {"testResults": results, "jobId": rest.text(job, "id")},
        snapshot=rest.sub(job, "referenceModel") or None,
        risk_tests=rest.sub(job, "model"),
        job_id=rest.text(job, "id"),
    )


def _read_object(path: Path, expected: str) -> Entity:
    content = read_file(path)
    try:
        found: Any = finite_json(content)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise _unusable(path, f"it is not JSON: {where}", f"give {expected} as ModelOp Center exports it") from error
    except ValueError as error:
        raise _unusable(path, f"it cannot be read as JSON: {plain(str(error), 120)}", "export it again") from error
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise _unusable(path, f"it holds a JSON {kind} instead of an object", f"give {expected}, one object to a file")
    if "_embedded" in found:
        raise _unusable(path, "it holds a page of a list", f"save one object of it: {expected}")
    return found


def _unusable(path: Path, what: str, remedy: str) -> ConsoleFault:
    return ConsoleFault(f"{path}: {what} ({remedy})")
