"""Bundles as they are exported, and what chance and forgers may do to them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from temporalio.client import WorkflowHistory

from activities.review_document.package import pack, sha256
from console.evidence.bundle import (
    DOCUMENT,
    HISTORY,
    README,
    RESULT,
    TEST_RESULT,
    Bundle,
    Manifest,
    UnreadableBundle,
    read_bundle,
    write_bundle,
)
from console.evidence.course import read_course
from console.evidence.histories import event_chain, history_json
from console.evidence.integrity import integrity
from console.evidence.readme import readme
from tests.replay import archive

Edit = Callable[[Any], None]

REVIEWED = pack({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<document>as it was reviewed</document>"})
SHOWN_DIGITS = 16
NEWEST = max(archive.generations(), default=1)


def recorded(name: str = "stack-deployed") -> WorkflowHistory:
    """A recorded run, as if it had written `REVIEWED`."""
    history = archive.load(archive.HISTORIES / str(NEWEST) / f"{name}{archive.SUFFIX}")
    written = read_course(history).last("prepare_review_document").get("sha256")
    return _rewritten(history, str(written), sha256(REVIEWED)) if written else history


def recorded_bundle(history: WorkflowHistory | None = None, **manifest: Any) -> bytes:
    """The bundle of a run, made without the systems that the run spoke to."""
    history = history or recorded()
    course = read_course(history)
    parts = {README: readme(), HISTORY: history_json(history)}
    if course.ending == "completed":
        parts[RESULT] = as_json(course.result)
    if course.answered("prepare_review_document"):
        parts[DOCUMENT] = REVIEWED
    if kept := course.answered("store_test_result"):
        asked = kept[-1].request[0]
        ids = {"id": kept[-1].answer["result_id"], "jobId": asked["job_id"], "deployableModelId": asked["snapshot_id"]}
        parts[TEST_RESULT] = as_json({**ids, "testResults": {"auc": 0.77}})
    facts: dict[str, Any] = {
        "workflow_id": course.workflow_id,
        "run_id": course.runs[-1],
        "runs": list(course.runs),
        "ending": course.ending,
        "code_versions": list(course.code_versions),
        "exported_with": "0.0.0+test",
        "events": event_chain(parts[HISTORY]),
        "parts": [],
    }
    return write_bundle(Manifest.model_validate({**facts, **manifest}), parts)


def forged(bundle: Bundle, edits: dict[str, Edit], **manifest: Any) -> bytes:
    """A bundle with edited JSON parts whose manifest, hashes and chain were all made to fit."""
    parts = dict(bundle.parts)
    for name, edit in edits.items():
        value = json.loads(parts[name])
        edit(value)
        parts[name] = as_json(value)
    return resealed(bundle, parts, **manifest)


def resealed(bundle: Bundle, parts: dict[str, bytes], **manifest: Any) -> bytes:
    """A bundle of other parts, with a manifest that fits them."""
    events = event_chain(parts[HISTORY]) if HISTORY in parts else bundle.manifest.events
    changed = Manifest.model_validate({**bundle.manifest.model_dump(), "events": events, **manifest})
    return write_bundle(changed, parts)


def in_answers(activity: str, edit: Edit) -> Edit:
    """An edit of everything that an activity answered in a history."""

    def change(history: Any) -> None:
        asked = set()
        for event in history["events"]:
            if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == activity:
                asked.add(event["eventId"])
            answer = event.get("activityTaskCompletedEventAttributes", {})
            if answer.get("scheduledEventId") in asked:
                _edit_payload(answer["result"]["payloads"][0], edit)

    return change


def in_outcome(edit: Edit) -> Edit:
    """An edit of what the run returned, in its history."""

    def change(history: Any) -> None:
        last = history["events"][-1]["workflowExecutionCompletedEventAttributes"]
        _edit_payload(last["result"]["payloads"][0], edit)

    return change


def altered(content: bytes, offset: int) -> bytes:
    """The same bytes but for one bit."""
    return content[:offset] + bytes([content[offset] ^ 0x01]) + content[offset + 1 :]


def faults(content: bytes) -> list[str]:
    """What is wrong with the bytes of a bundle, each with the name of the file; empty if nothing is."""
    try:
        bundle = read_bundle(content)
    except UnreadableBundle as error:
        return [str(error)]
    return [f"{check.name}: {check.found}" for check in integrity(bundle) if check.status == "failed"]


def as_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _rewritten(history: WorkflowHistory, old: str, new: str) -> WorkflowHistory:
    def substitute(found: re.Match[str]) -> str:
        # Tickets show only the beginning of the hash.
        plain = base64.b64decode(found.group(1)).replace(old.encode(), new.encode())
        plain = plain.replace(old[:SHOWN_DIGITS].encode(), new[:SHOWN_DIGITS].encode())
        return f'"data": "{base64.b64encode(plain).decode()}"'

    text = re.sub(r'"data": "([^"]*)"', substitute, json.dumps(history.to_json_dict()))
    return WorkflowHistory.from_json(history.workflow_id, text)


def _edit_payload(payload: dict[str, str], edit: Edit) -> None:
    value = json.loads(base64.b64decode(payload["data"]))
    edit(value)
    payload["data"] = base64.b64encode(json.dumps(value).encode()).decode()
