"""Writes the document that the process would write, from files and without any server.

Kept apart from the commands because it loads Word and charts, and no other command should wait for that.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from activities.errors import plain
from activities.modelop import entities, rest
from activities.modelop.assets import UnreadableAsset, checked, embedded_content
from activities.modelop.job_outcome import execution_errors
from activities.modelop.monitors import classify
from activities.modelop.rest import Entity
from activities.review_document.conclusion import overall
from activities.review_document.customer_template.fill import UnreadableTemplate, fill_template
from activities.review_document.limits.decision_table import DecisionTable, UnreadableDecisionTable
from activities.review_document.limits.verdict_types import Verdict
from activities.review_document.limits.verdicts import count_by_word
from activities.review_document.package import content_sha256, sha256
from activities.review_document.review import Limits, Review
from activities.review_document.selection import FrozenSources, Template
from activities.review_document.standard_layout.base_template import UnusableBaseTemplate
from activities.review_document.standard_layout.render import render
from activities.review_document.types import TestRunRecord
from activities.review_document.writing import template_sources
from console.document_inputs import ResultsFile
from console.faults import ConsoleFault
from worker.code_version import code_version

NOTICE = "PREVIEW, not for approval: written from files by the command mlc document preview, outside of the process."
MARK = b"mlc document preview"
"""Comment of the archive. Word and others drop it on saving, so a preview that somebody edited does not carry it."""


@dataclass(frozen=True)
class GivenFile:
    """A file that was named on the command line."""

    path: Path
    content: bytes
    option: str


@dataclass(frozen=True)
class PreviewInputs:
    """What a preview is made from. Facts that nobody gives show as gaps.

    Attributes:
        model: used instead of the model inside the snapshot.
        snapshot: used instead of the one that the results name.
        template, thresholds: used instead of those that the snapshot carries.
        base: a Word file with the styles of our own document, which is then written even if the snapshot carries a
            template.
    """

    results: ResultsFile
    model: Entity | None = None
    snapshot: Entity | None = None
    template: GivenFile | None = None
    thresholds: GivenFile | None = None
    base: GivenFile | None = None


class Source(BaseModel):
    """Where limits or a template come from; `sha256` is that of the file, empty if it could not be read."""

    title: str
    sha256: str
    origin: str


class Preview(BaseModel):
    """What a preview tells beyond the document itself.

    Attributes:
        findings: those of the verdicts that a person must look at; not repeated in JSON.
        template: None for our own document.
        unresolved: tokens of the template that resolve to nothing.
        notices: what the document says at its beginning.
    """

    size: int
    sha256: str
    content_sha256: str
    overall: str
    counts: dict[str, int]
    verdicts: list[Verdict]
    findings: list[Verdict] = Field(exclude=True)
    limits: Source
    template: Source | None
    unresolved: list[str]
    notices: list[str]


@dataclass(frozen=True)
class ExportedAssets:
    """Assets as far as an export carries them; stands where the process asks ModelOp Center."""

    risk_tests: Mapping[str, Any] = field(default_factory=dict)

    async def get_snapshot(self, snapshot_id: str) -> Mapping[str, Any]:
        """The snapshot of the risk tests that the export of a job carries."""
        return self.risk_tests

    async def read_asset(self, asset: dict[str, Any]) -> bytes:
        """The bytes that are embedded in the asset.

        Raises:
            UnreadableAsset: there are none, or they are not those that were recorded.
        """
        content = embedded_content(asset)
        if content is None:
            raise UnreadableAsset("the export does not hold its content (give it with --template or --thresholds)")
        return checked(asset, content)


def write_preview(inputs: PreviewInputs) -> tuple[bytes, Preview]:
    """Judges the results and writes the document; the same files yield the same bytes.

    Raises:
        ConsoleFault: a file cannot be used; unlike the process, which says so in the document, its author is told.
    """
    review, template = asyncio.run(_review(inputs))
    try:
        content, unresolved = _filled(review, template) if template else (_rendered(review, inputs.base), [])
        verdicts = review.verdicts
    except UnreadableTemplate as error:
        raise ConsoleFault(f"{_named(inputs.template, template)}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConsoleFault(f"the results cannot be printed: {plain(str(error), 200)} (export them again)") from error
    marked = _marked(content)
    return marked, Preview(
        size=len(marked),
        sha256=sha256(marked),
        content_sha256=content_sha256(marked),
        overall=overall(review),
        counts=count_by_word(verdicts),
        verdicts=verdicts,
        findings=review.findings,
        limits=Source(title=review.limits.title, sha256=review.limits.sha256, origin=review.limits.origin),
        template=Source(title=template.filename, sha256=template.sha256, origin=template.origin) if template else None,
        unresolved=unresolved,
        notices=list(review.notices),
    )


def is_preview(path: Path) -> bool:
    """Whether a file is a preview as it was written, not edited since."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == MARK
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


async def _review(inputs: PreviewInputs) -> tuple[Review, Template | None]:
    results = inputs.results
    snapshot = inputs.snapshot or results.snapshot or {}
    model = inputs.model or rest.sub(snapshot, "storedModel") or _model_in(results.test_results)
    snapshot = {**snapshot, "storedModel": model}
    sources = FrozenSources(ExportedAssets(results.risk_tests), snapshot, "risk tests" if results.risk_tests else None)
    limits = _given_limits(inputs.thresholds) if inputs.thresholds else await sources.limits()
    template = _given_template(inputs.template) if inputs.template else None
    if template is None and inputs.base is None:
        template = await sources.template()
    stored_at = rest.created_at(results.entity)
    return Review(
        stored_model=model,
        snapshot=snapshot,
        test_results=results.test_results,
        run=None,
        result_id=rest.text(results.entity, "id"),
        stored_at=stored_at,
        code_version=code_version(),
        test_runs=[_test_run(results, model)],
        result=results.entity,
        limits=limits,
        previous_unknown="a preview asks no server",
        notices=[NOTICE, *_mismatches(results, snapshot), *sources.notices],
    ), template


def _model_in(test_results: Entity) -> Entity:
    """The little that results say about their model, for results that are given alone."""
    methodology = rest.text(test_results, "modelMethodology")
    return {"modelMetaData": {"modelMethodology": methodology}} if methodology else {}


def _test_run(results: ResultsFile, model: Entity) -> TestRunRecord:
    failed, not_applicable = classify(
        execution_errors(results.test_results),
        entities.methodology(model),
        score_is_text=entities.score_is_text(model),
    )
    return TestRunRecord(
        attempt=1,
        job_id=results.job_id,
        status=rest.COMPLETE if results.job_id else "",
        result_id=rest.text(results.entity, "id"),
        failed_monitors=failed,
        not_applicable=not_applicable,
    )


def _mismatches(results: ResultsFile, snapshot: Entity) -> Sequence[str]:
    tested, given = rest.text(results.entity, "deployableModelId"), rest.text(snapshot, "id")
    if not tested or not given or tested == given:
        return []
    return [f"The results belong to snapshot {plain(tested, 60)}, the snapshot given is {plain(given, 60)}."]


def _given_limits(given: GivenFile) -> Limits:
    try:
        table = DecisionTable.read(given.content, filename=given.path.name)
    except UnreadableDecisionTable as error:
        # Most of its messages begin with the file's name, because the document prints them alone.
        said = str(error)
        named = said.startswith(given.path.name)
        raise ConsoleFault(f"{given.path}: {'it' * named}{said.removeprefix(given.path.name)}") from error
    return Limits(title=table.title, sha256=table.sha256, origin=f"given with {given.option}", table=table)


def _given_template(given: GivenFile) -> Template:
    return Template(given.path.name, given.content, f"given with {given.option}")


def _named(given: GivenFile | None, template: Template | None) -> str:
    if given:
        return str(given.path)
    return f"{template.filename} {template.origin}" if template else ""


def _rendered(review: Review, base: GivenFile | None) -> bytes:
    try:
        return render(review, base.content if base else None)
    except UnusableBaseTemplate as error:
        raise ConsoleFault(f"{base.path if base else 'base template'}: {error}") from error


def _filled(review: Review, template: Template) -> tuple[bytes, list[str]]:
    title = f"Model review: {review.model_name}"
    filled = fill_template(
        template.content, template_sources(review), dated=review.stored_at, title=title, notices=review.notices
    )
    return filled.content, filled.unresolved


def _marked(content: bytes) -> bytes:
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a") as archive:
        archive.comment = MARK
    return target.getvalue()
