"""Collects what a bundle holds: from Temporal, and from Jira and ModelOp Center as far as they can be reached."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.exceptions import ApplicationError

from activities.errors import plain
from activities.jira.adapter import JiraAdapter
from activities.jira.settings import JiraSettings
from activities.modelop import rest
from activities.modelop.client import ModelOpClient
from activities.modelop.settings import ModelOpSettings
from console.desk import Desk
from console.evidence import course as told
from console.evidence.bundle import (
    DOCUMENT,
    HISTORY,
    MAX_BUNDLE_BYTES,
    README,
    RESULT,
    STATUS,
    TEST_RESULT,
    Manifest,
    MissingPart,
    bundle_id,
    read_bundle,
    write_bundle,
)
from console.evidence.course import Course, read_course
from console.evidence.histories import decode, event_chain, history_json, run_chain
from console.evidence.readme import readme
from console.faults import ConsoleFault
from worker.code_version import code_version

OUTSIDE_SECONDS = 60.0


@dataclass(frozen=True)
class Records:
    """Where documents and test results are kept.

    Attributes:
        why_unknown: why a system is not known; empty if both are.
    """

    modelop: ModelOpSettings | None = None
    jira: JiraSettings | None = None
    why_unknown: str = ""


@dataclass(frozen=True)
class Exported:
    """A written bundle.

    Attributes:
        missing: parts that could not be had, and why.
    """

    content: bytes
    bundle_id: str
    manifest: Manifest
    missing: list[MissingPart]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing that another part does not tell: a result tells all that a status would."""
        needless = {STATUS} if self.manifest.ending == "completed" and not self.manifest.encrypted else set()
        return {missing.name for missing in self.missing} <= needless


@dataclass
class _Gathered:
    parts: dict[str, bytes] = field(default_factory=dict)
    missing: list[MissingPart] = field(default_factory=list)

    async def add(self, name: Any, get: Awaitable[bytes]) -> None:
        """Adds a part, or the reason why it cannot be had."""
        try:
            async with asyncio.timeout(OUTSIDE_SECONDS):
                self.parts[name] = await get
        except TimeoutError:
            self.missing.append(MissingPart(name=name, reason=f"no answer within {OUTSIDE_SECONDS:.0f} s"))
        except ApplicationError as error:
            self.missing.append(MissingPart(name=name, reason=plain(error.message)))
        except ConsoleFault as error:
            self.missing.append(MissingPart(name=name, reason=str(error)))


async def export(
    desk: Desk, workflow_id: str, run_id: str, history: WorkflowHistory, records: Records, *, keep_encrypted: bool
) -> Exported:
    """Writes the bundle of one run.

    Args:
        run_id: of the run whose history this is.
        history: as Temporal holds it, encrypted or not.
        keep_encrypted: leave the history as it is, and leave out what is told in plain nowhere else.

    Raises:
        UnreadableHistory: it is encrypted, and cannot be decrypted here.
        ConsoleFault: the bundle would be larger than `mlc verify` reads.
    """
    readable = await decode(history, desk.client.data_converter.payload_codec)
    course = read_course(readable)
    gathered = _Gathered()
    kept = history_json(history if keep_encrypted else readable)
    if not keep_encrypted:
        if course.ending == "completed":
            gathered.parts[RESULT] = _json(course.result)
        await gathered.add(STATUS, _status(desk, workflow_id, run_id))
    await _add_records(gathered, course, records)
    manifest = Manifest(
        workflow_id=workflow_id,
        run_id=run_id,
        runs=run_chain(history),
        ending=course.ending,
        code_versions=[*course.code_versions],
        exported_with=code_version(),
        encrypted=keep_encrypted,
        events=event_chain(kept),
        parts=[],
        missing=gathered.missing,
    )
    content = write_bundle(manifest, {README: readme(), HISTORY: kept, **gathered.parts})
    if len(content) > MAX_BUNDLE_BYTES:
        raise ConsoleFault(f"{workflow_id}: the bundle would be larger than {MAX_BUNDLE_BYTES // 1_000_000} MB")
    written = read_bundle(content)
    return Exported(content, bundle_id(written.manifest_bytes), written.manifest, gathered.missing)


async def _status(desk: Desk, workflow_id: str, run_id: str) -> bytes:
    status = await desk.status(workflow_id, run_id)
    return _json(status.model_dump(mode="json"))


async def _add_records(gathered: _Gathered, course: Course, records: Records) -> None:
    document, result = course.last(told.DOCUMENT), course.last(told.RESULT)
    if document:
        await gathered.add(DOCUMENT, _document(document, course, records))
    if result:
        await gathered.add(TEST_RESULT, _test_result(str(result.get("result_id", "")), records))


async def _document(wanted: dict[str, Any], course: Course, records: Records) -> bytes:
    """The document's bytes: from the snapshot that it was added to, else from the ticket; no other bytes will do.

    Raises:
        ConsoleFault: neither has them; says of both why.
    """
    sources: list[Callable[[], Awaitable[bytes | None]]] = [
        lambda: _from_snapshot(wanted, course, records),
        lambda: _from_ticket(wanted, records),
    ]
    reasons = []
    for source in sources:
        try:
            content = await source()
        except (ApplicationError, ConsoleFault) as error:
            reasons.append(plain(str(error)))
            continue
        if content is not None and hashlib.sha256(content).hexdigest() == wanted.get("sha256"):
            return content
        reasons.append("it is not there with the SHA-256 that was written")
    raise ConsoleFault(f"snapshot: {reasons[0]}; ticket: {reasons[1]}")


async def _from_snapshot(wanted: dict[str, Any], course: Course, records: Records) -> bytes | None:
    if records.modelop is None:
        raise ConsoleFault(records.why_unknown)
    client = ModelOpClient(records.modelop)
    try:
        snapshot = await client.get_snapshot(str(course.last(told.SNAPSHOT).get("snapshot_id", "")))
    finally:
        await client.aclose()
    for document in rest.items(snapshot, "modelDocuments"):
        if rest.content_sha256(document) == wanted.get("sha256"):
            return rest.embedded_bytes(document)
    return None


async def _from_ticket(wanted: dict[str, Any], records: Records) -> bytes:
    if records.jira is None:
        raise ConsoleFault(records.why_unknown)
    jira = JiraAdapter(records.jira)
    try:
        return await jira.download(str(wanted.get("attachment_id", "")))
    finally:
        await jira.aclose()


async def _test_result(result_id: str, records: Records) -> bytes:
    if records.modelop is None:
        raise ConsoleFault(records.why_unknown)
    client = ModelOpClient(records.modelop)
    try:
        return _json(rest.without_links(await client.get_result(result_id)))
    finally:
        await client.aclose()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
