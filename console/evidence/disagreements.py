"""Where the parts of a bundle contradict each other.

Hashes show that a file was changed by whoever could not change the hashes as well. What is compared here is told
several times over by the history itself: a forger must change every one of these places, and alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from console.evidence import course as told
from console.evidence.bundle import Manifest
from console.evidence.course import Course, Step
from console.evidence.replaying import Replay
from workflows.contract import (
    WORKFLOW_TYPE,
    Decision,
    Gate,
    ImplementationResult,
    ImplementationStatus,
    MlcStage,
    Outcome,
    Verdict,
    workflow_id,
)

MAX_SHOWN_CHARACTERS = 80
_NEEDED_TO_DEPLOY = (Gate.PIA, Gate.RESULTS, Gate.PRODUCTION)

Shape = TypeVar("Shape", bound=BaseModel)


def parsed(shape: type[Shape], value: Any) -> Shape | None:
    """JSON as one of the contract's models; None if it is none."""
    try:
        # As JSON: Python's parser lets through halves of characters, which nothing can print.
        return shape.model_validate_json(json.dumps(value))
    except (ValidationError, RecursionError):
        return None


def in_values(here: Any, there: Any, place: str = "") -> Iterator[str]:
    """Every place at which two JSON values differ, with both values."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in {**here, **there}:
            yield from in_values(here.get(name), there.get(name), f"{place}.{name}" if place else name)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for position, (mine, other) in enumerate(zip(here, there, strict=True)):
            yield from in_values(mine, other, f"{place}[{position}]")
    elif here != there:
        yield f"{place or 'it'} is {_shown(here)}, there {_shown(there)}"


def in_manifest(manifest: Manifest, course: Course) -> Iterator[str]:
    """Where the manifest says something else of the run than the history does in the clear, encrypted or not."""
    pairs = [
        ("workflow_id", manifest.workflow_id, course.workflow_id),
        ("runs", manifest.runs, list(course.runs)),
        ("run_id", manifest.run_id, course.runs[-1] if course.runs else ""),
        ("ending", manifest.ending, course.ending),
    ]
    for name, here, there in pairs:
        if here != there:
            yield f"{name} is {_shown(here)}, in the history {_shown(there)}"


def in_releases(manifest: Manifest, course: Course) -> Iterator[str]:
    """Where the manifest names other releases than the activities answered."""
    if manifest.code_versions != list(course.code_versions):
        yield f"code_versions is {_shown(manifest.code_versions)}, in the history {_shown(list(course.code_versions))}"


def in_start(course: Course) -> Iterator[str]:
    """Whether the run is one of the process, under the one id that its model may have."""
    if course.workflow_type != WORKFLOW_TYPE:
        yield f"it is a run of {_shown(course.workflow_type)}, not of {WORKFLOW_TYPE}"
        return
    request = course.request[0] if course.request else None
    model_id = request.get("model_id") if isinstance(request, dict) else None
    ran_as = workflow_id(model_id) if isinstance(model_id, str) else ""
    # A start that was refused may carry anything.
    if course.steps and ran_as != course.workflow_id:
        yield f"the run of model {_shown(model_id)} has the workflow id {_shown(course.workflow_id)}"


def in_result(course: Course) -> Iterator[str]:
    """Where what the run returned does not follow from what the activities answered."""
    result = parsed(ImplementationResult, course.result)
    if result is None:
        yield "the run returned something that is no result"
        return
    if workflow_id(result.model_id) != course.workflow_id:
        yield f"model_id is {_shown(result.model_id)}, the run is {_shown(course.workflow_id)}"
    taken = [_field(step.answer, "snapshot_id") for step in course.answered(told.SNAPSHOT)]
    if result.snapshot_id not in (None, *taken):
        yield f"snapshot_id is {_shown(result.snapshot_id)}, taken was {_shown(taken)}"
    if result.outcome is Outcome.DEPLOYED:
        yield from _in_deployment(result, course)
    rejections = [decision for decision in result.decisions if decision.verdict is Verdict.REJECTED]
    if result.outcome is Outcome.REJECTED and rejections != result.decisions[-1:]:
        yield "the outcome is REJECTED, but the last decision is none"
    kept = [run.result_id for run in result.test_runs if run.result_id]
    answered = [_field(step.answer, "result_id") for step in course.answered(told.RESULT)]
    if any(result_id not in answered for result_id in kept):
        yield f"test_runs name the result {_shown(kept)}, kept were {_shown(answered)}"


def in_decisions(decisions: Sequence[Decision], course: Course) -> Iterator[str]:
    """Decisions that Jira's tickets, as the run read them, do not show."""
    for position, decision in enumerate(decisions):
        readings = [step for step in course.answered(told.READING) if _field(step.answer, "key") == decision.ticket]
        shown = [(step, found) for step in readings if (found := _decision_in(step, decision.gate))]
        if not shown:
            yield f"decisions[{position}]: the run never read a decision from {decision.ticket}"
        elif all(_unlike(decision, found) for _, found in shown):
            step, found = shown[-1]
            fields = ", ".join(_unlike(decision, found))
            yield f"decisions[{position}] of {decision.ticket}: event {step.answered_at} read another {fields}"


def in_document(content: bytes | None, course: Course) -> Iterator[str]:
    """Where the document is not one and the same: file, written, archived, marked, returned."""
    written = course.last(told.DOCUMENT)
    wanted = _field(written, "sha256")
    archived, marked = course.answered(told.ARCHIVE), course.answered(told.DEPLOYMENT)
    hashes = [(f"event {step.answered_at} (archived)", _field(step.answer, "sha256")) for step in archived]
    hashes += [(f"event {step.event_id} (marking)", _field(_request(step), "document_sha256")) for step in marked]
    # A run that was aborted while its document was written may end without one.
    if returned := _object(_field(course.result, "document")):
        hashes.append(("the result", _field(returned, "sha256")))
    if content is not None:
        hashes.append(("the file", hashlib.sha256(content).hexdigest()))
    for where, found in hashes:
        if found != wanted:
            yield f"{where} has SHA-256 {_shown(found)}, written was {_shown(wanted)}"


def in_test_result(found: Any, course: Course) -> Iterator[str]:
    """Where the stored test result is not the one that the run kept."""
    if found is None:
        return
    asked = _request(course.answered(told.RESULT)[-1])
    pairs = [
        ("id", _field(course.last(told.RESULT), "result_id")),
        ("jobId", _field(asked, "job_id")),
        ("deployableModelId", _field(asked, "snapshot_id")),
    ]
    for name, wanted in pairs:
        if _field(found, name) != wanted:
            yield f"{name} is {_shown(_field(found, name))}, the run kept {_shown(wanted)}"


def in_status(found: Any, course: Course) -> Iterator[str]:
    """Where the status tells something else than the history."""
    status = parsed(ImplementationStatus, found)
    if status is None:
        yield "it is no status of an implementation"
        return
    result = parsed(ImplementationResult, course.result)
    if result is not None:
        shared = {"model_id", "snapshot_id", "document", "test_runs", "decisions"}
        yield from in_values(_dumped(status, shared), _dumped(result, shared))
    else:
        yield from in_decisions(status.decisions, course)
        if status.document is not None and status.document.sha256 != course.last(told.DOCUMENT).get("sha256"):
            yield "document.sha256 is not that of the document which was written"


def in_replay(course: Course, replay: Replay, *, compare_requests: bool) -> Iterator[str]:
    """Where the code, on the recorded answers, does not return what is recorded, or asks something else.

    Args:
        compare_requests: compare the arguments of activities too; texts in them may differ between releases.
    """
    recorded, returned = parsed(ImplementationResult, course.result), parsed(ImplementationResult, replay.result)
    if course.ending == "completed":
        yield from in_values(_dumped(recorded), _dumped(returned), "the recorded result")
    if not compare_requests:
        return
    for step, (activity, arguments) in zip(course.steps, replay.activities, strict=False):
        if step.activity == activity and list(step.request) != arguments:
            yield from in_values(list(step.request), arguments, f"event {step.event_id} ({activity}) argument")


def gate_line(decision: Decision) -> str:
    """A decision in one line."""
    who = decision.decided_by_name or decision.decided_by
    when = f"{decision.decided_at:%Y-%m-%d %H:%M %Z}"
    return f"{decision.gate} {decision.verdict} by {who} ({decision.ticket}, {when})"


def _in_deployment(result: ImplementationResult, course: Course) -> Iterator[str]:
    done = [decision.gate for decision in result.decisions if decision.verdict is Verdict.DONE]
    missing = [gate for gate in _NEEDED_TO_DEPLOY if gate not in done]
    if missing:
        yield f"the outcome is DEPLOYED without the approval {', '.join(missing)}"
    if result.document is None:
        yield "the outcome is DEPLOYED without a document"
    if result.stage is not MlcStage.DEPLOYED:
        yield f"the outcome is DEPLOYED, the stage {result.stage}"
    deployments = course.answered(told.DEPLOYMENT)
    if not deployments:
        yield "the outcome is DEPLOYED, but nothing was marked as deployed"
        return
    if _field(deployments[-1].answer, "deployed_model_id") != result.deployed_model_id:
        yield f"deployed_model_id is {_shown(result.deployed_model_id)}, marked was another"
    marked = _request(deployments[-1])
    if _field(marked, "snapshot_id") != result.snapshot_id:
        yield f"snapshot_id is {_shown(result.snapshot_id)}, marked was {_shown(_field(marked, 'snapshot_id'))}"
    written = _field(marked, "decisions")
    ours = [_essence(decision) for decision in result.decisions]
    if not isinstance(written, list) or [_essence(parsed(Decision, each)) for each in written] != ours:
        yield f"decisions are not those that event {deployments[-1].event_id} wrote into the snapshot"


def _essence(decision: Decision | None) -> Any:
    return decision and _dumped(decision, {"gate", "ticket", "verdict", "decided_by", "decided_at", "comment"})


def _decision_in(reading: Step, gate: Gate) -> Decision | None:
    """The decision that a reading of a ticket shows; None if it shows none, or one that did not count.

    Args:
        gate: of the ticket, for a reading whose request does not name it.
    """
    found = _object(_object(reading.answer).get("decision"))
    if not found or found.get("refused_because"):
        return None
    asked = _field(_request(reading), "gate") or gate
    return parsed(Decision, {**found, "gate": asked, "ticket": _field(reading.answer, "key")})


def _unlike(decision: Decision, read: Decision) -> list[str]:
    mine, other = _dumped(decision), _dumped(read)
    return [name for name in mine if mine[name] != other[name]]


def _request(step: Step) -> dict[str, Any]:
    return _object(step.request[0] if step.request else None)


def _field(value: Any, name: str) -> Any:
    return _object(value).get(name)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dumped(model: BaseModel | None, fields: set[str] | None = None) -> Any:
    return model and model.model_dump(mode="json", include=fields)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}…"
