"""Checks a bundle without any server: every byte, what its parts say of each other, and what the code would decide."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel
from temporalio.client import WorkflowHistory

from console.evidence import course as told
from console.evidence import disagreements
from console.evidence.bundle import DOCUMENT, HISTORY, MANIFEST, RESULT, STATUS, TEST_RESULT, Bundle, read_bundle
from console.evidence.checks import Check, Status, failed, named, passed, warned
from console.evidence.course import Course, read_course
from console.evidence.histories import KeyNeeded, UnreadableHistory, decode, is_encoded, parse_history
from console.evidence.integrity import altered_events, integrity
from console.evidence.replaying import Answer, Replay, replay_one
from worker.code_version import code_version
from worker.data_converter import data_converter, load_data_converter
from workflows.contract import Decision, ImplementationResult, ImplementationStatus

REPLAY = "replay"
_UNCHECKED = "decisions, document and replay were not checked"


class Verification(BaseModel):
    """The answer to `mlc verify`.

    Attributes:
        intact: whether no check failed.
        replay: whether the installed code would decide the same.
        decisions: what people decided; empty if the history cannot be read.
    """

    bundle_id: str
    workflow_id: str
    run_id: str
    intact: bool
    replay: Answer
    decisions: list[Decision] = []
    checks: list[Check]


async def verify(content: bytes, expected_id: str = "") -> Verification:
    """Checks the bytes of a bundle.

    Args:
        expected_id: the bundle's id as it was noted at the export; empty if it is not known.

    Raises:
        UnreadableBundle: they are no bundle, or too badly damaged to be read as one.
        SettingsError: the history is encrypted, and the settings of the keys are wrong.
    """
    bundle = read_bundle(content)
    checks = integrity(bundle, expected_id)
    decisions: list[Decision] = []
    answer = Answer.NOT_POSSIBLE
    try:
        history = _history(bundle)
        # Ids and endings are in the clear, so that they are compared without a key as well.
        checks.append(_run(bundle, read_course(history)))
        # Keys are asked for only where there is something to decrypt.
        converter = load_data_converter() if is_encoded(history) else data_converter
        history = await decode(history, converter.payload_codec)
        course = read_course(history)
        replay = await replay_one(history, converter)
        decisions = _decided(bundle, course)
        answer, check = replayed(course, replay, code_version())
        checks += [*consistency(bundle, course), check]
    except KeyNeeded as error:
        checks.append(warned(HISTORY, f"{_UNCHECKED}: {error}"))
    except UnreadableHistory as error:
        checks.append(failed(HISTORY, f"{_UNCHECKED}: {error}"))
    except RecursionError:
        checks.append(failed(HISTORY, "something in the bundle is nested more deeply than any run writes it"))
    return Verification(
        bundle_id=bundle.bundle_id,
        workflow_id=bundle.manifest.workflow_id,
        run_id=bundle.manifest.run_id,
        intact=not any(check.status is Status.FAILED for check in checks),
        replay=answer,
        decisions=decisions,
        checks=checks,
    )


def consistency(bundle: Bundle, course: Course) -> list[Check]:
    """Whether history, result, status, document and test result tell the same."""
    return [
        _start(bundle, course),
        *_result(bundle, course),
        _decisions(bundle, course),
        *_document(bundle, course),
        *_test_result(bundle, course),
        *_status(bundle, course),
    ]


def replayed(course: Course, replay: Replay, installed: str) -> tuple[Answer, Check]:
    """Whether the installed code decides the same, result included, and what that says of a bundle.

    That another release decides otherwise is no fault of a bundle. That the very one which decided does, is one.
    """
    decided = course.code_versions[-1] if course.code_versions else "unknown"
    differs = failed if decided == installed else warned
    releases = f"installed is {installed}, decided has {decided}"
    if replay.answer is Answer.NOT_POSSIBLE:
        return replay.answer, warned(REPLAY, f"{replay.answer}: {replay.why}")
    if replay.answer is Answer.DIFFERS:
        return replay.answer, differs(REPLAY, f"{replay.answer}: {replay.why}; {releases}")
    # A replay knows a run that was reset by its first id only, which shows in what it asks of Jira.
    comparable = set(course.code_versions) == {installed} and len(course.runs) == 1
    if found := list(disagreements.in_replay(course, replay, compare_requests=comparable)):
        return Answer.DIFFERS, differs(REPLAY, f"{Answer.DIFFERS}: {named(found)}; {releases}")
    return replay.answer, passed(REPLAY, f"{Answer.SAME}: {course.events} events; {releases}")


def _history(bundle: Bundle) -> WorkflowHistory:
    content = bundle.parts.get(HISTORY)
    if content is None:
        raise UnreadableHistory("it is missing")
    history = parse_history(content)
    # Otherwise a forger who calls a history encrypted would have nothing of it looked at.
    if is_encoded(history) != bundle.manifest.encrypted:
        raise UnreadableHistory(f"{MANIFEST} is wrong about whether it is encrypted")
    return history


def _run(bundle: Bundle, course: Course) -> Check:
    found = list(disagreements.in_manifest(bundle.manifest, course))
    found += [
        f"{MANIFEST} lists another {place}" for place in altered_events(bundle.parts[HISTORY], bundle.manifest.events)
    ]
    return _agreement("run", f"{course.workflow_id}, {course.ending}", found)


def _start(bundle: Bundle, course: Course) -> Check:
    found = [*disagreements.in_start(course), *disagreements.in_releases(bundle.manifest, course)]
    return _agreement(
        "start", f"of {course.workflow_type}, by {', '.join(course.code_versions) or 'no release'}", found
    )


def _result(bundle: Bundle, course: Course) -> Iterator[Check]:
    content = bundle.parts.get(RESULT)
    if course.ending == "completed":
        told_by_history = list(disagreements.in_result(course))
        if content is not None:
            told_by_history += disagreements.in_values(_json(content), course.result)
        elif not bundle.manifest.encrypted:
            told_by_history.append("it is missing, although the run completed")
        yield _agreement(RESULT, "follows from the history", told_by_history)
    elif content is not None:
        yield failed(RESULT, f"there is a result, but the run is {course.ending}")


def _decisions(bundle: Bundle, course: Course) -> Check:
    decisions = _decided(bundle, course)
    lines = "; ".join(disagreements.gate_line(decision) for decision in decisions)
    return _agreement("decisions", lines or "none", disagreements.in_decisions(decisions, course))


def _document(bundle: Bundle, course: Course) -> Iterator[Check]:
    if course.answered(told.DOCUMENT):
        found = disagreements.in_document(bundle.parts.get(DOCUMENT), course)
        yield from _kept_elsewhere(DOCUMENT, bundle, "the one that the history names, by its SHA-256", found)
    elif DOCUMENT in bundle.parts:
        yield failed(DOCUMENT, "the history tells of no document")


def _test_result(bundle: Bundle, course: Course) -> Iterator[Check]:
    if course.answered(told.RESULT):
        found = disagreements.in_test_result(_json(bundle.parts.get(TEST_RESULT)), course)
        yield from _kept_elsewhere(TEST_RESULT, bundle, "the one that the history names, by its ids", found)
    elif TEST_RESULT in bundle.parts:
        yield failed(TEST_RESULT, "the history tells of no test result")


def _kept_elsewhere(name: str, bundle: Bundle, told_if_right: str, found: Iterable[str]) -> Iterator[Check]:
    """A part that Jira or ModelOp Center keeps, and that may have been out of reach at the export."""
    reason = next((missing.reason for missing in bundle.manifest.missing if missing.name == name), "")
    if contradictions := list(found):
        yield failed(name, named(contradictions))
    elif name in bundle.parts:
        yield passed(name, told_if_right)
    elif reason:
        yield warned(name, f"it was out of reach at the export: {reason}")
    else:
        yield failed(name, f"it was taken out: the history tells of it, and {MANIFEST} gives no reason")


def _status(bundle: Bundle, course: Course) -> Iterator[Check]:
    if STATUS in bundle.parts:
        found = disagreements.in_status(_json(bundle.parts[STATUS]), course)
        yield _agreement(STATUS, "agrees with the history", found)


def _decided(bundle: Bundle, course: Course) -> list[Decision]:
    """What people decided: as the run returned it, else as it stood at the export."""
    result = disagreements.parsed(ImplementationResult, course.result)
    status = disagreements.parsed(ImplementationStatus, _json(bundle.parts.get(STATUS)))
    return result.decisions if result else status.decisions if status else []


def _agreement(name: str, told_if_right: str, found: Iterable[str]) -> Check:
    contradictions = list(found)
    return failed(name, named(contradictions)) if contradictions else passed(name, told_if_right)


def _json(content: bytes | None) -> Any:
    try:
        return json.loads(content) if content is not None else None
    except (ValueError, RecursionError):
        return None
