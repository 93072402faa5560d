"""The appendices: what the document can be made again from, and which regulation each section speaks to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from activities.review_document.formatting import NOT_PROVIDED, moment, moment_of
from activities.review_document.review import Review
from activities.review_document.standard_layout.layout import Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.standard_layout.lineage import code

PACKAGES = ("python-docx", "lxml", "matplotlib", "numpy", "pandas", "pydantic")


def stored(review: Review) -> str:
    """When the result was stored: the time that the document bears."""
    return moment(review.stored_at) if review.stored_at else NOT_PROVIDED


def write_reproducibility(layout: ReviewLayout, review: Review) -> None:
    """Hashes, ids and versions, and how to make the file again."""
    layout.paragraph(
        "The same results, metadata, limits and code make the same file; nothing in it is drawn at random or read from "
        "a clock. The hash of the file itself stands in the Jira ticket and, after the approval, beside the file in "
        "ModelOp Center.",
        keep_with_next=True,
    )
    limits = review.limits
    layout.facts(
        [
            ("Test result", [Text("SHA-256 ", Tone.OTHER), code(review.results_sha256)]),
            ("Table of limits", [f"{limits.title}  ", code(limits.sha256)]),
            ("Origin of the limits", limits.origin or NOT_PROVIDED),
            ("Test result id", code(review.result_id)),
            ("Workflow id", code(review.workflow_id)),
            ("Workflow run id", code(review.run.run_id if review.run else None)),
            ("Run started", moment(review.run.started_at) if review.run else NOT_PROVIDED),
            ("Test result stored", stored(review)),
            ("Code version", code(review.code_version)),
            ("Packages", ", ".join(f"{package} {_version(package)}" for package in PACKAGES)),
            ("Looked at again with", code("mlc document preview --results RESULT.json --snapshot SNAPSHOT.json")),
            ("Checked with", code(f"mlc document verify FILE --workflow {review.workflow_id or 'ID'}")),
        ],
        title="Reproducibility",
        description="Hashes, ids and versions that this document rests on.",
    )
    layout.paragraph(
        "The hash of the test result is taken over its JSON with sorted keys, without spaces, non-ASCII characters "
        "escaped. The content hash in the Jira ticket is the SHA-256 over one line “name SHA-256” per part of the "
        "file, sorted by name; unlike the hash of the file it does not depend on how the parts are compressed. "
        "The hashes of the data stand in section 5.",
        "Note",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_PROVIDED


class Reference(BaseModel):
    """A regulation or framework, when it applies from, and its status."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    short: str
    name: str
    title: str
    applies_from: date
    status: str


class Crossing(BaseModel):
    """What a section of this document answers, by reference; None where a reference asks for nothing of the kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: str
    sr_26_2: str | None = None
    eu_ai_act: str | None = None
    nist_ai_rmf: str | None = None
    gdpr: str | None = None

    def answer(self, reference: str) -> str:
        """The points of one reference, or a dash."""
        return getattr(self, reference) or "–"


class Regulations(BaseModel):
    """The data file `regulations.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    references: list[Reference]
    crosswalk: list[Crossing]


def regulations() -> Regulations:
    """The references that ship with this version."""
    source = files("activities.review_document.standard_layout").joinpath("regulations.json").read_bytes()
    return Regulations.model_validate_json(source)


def write_regulations(layout: ReviewLayout, titles: dict[str, str]) -> None:
    """The references with their dates, and which section answers which of their points.

    Args:
        titles: the sections' titles by number.
    """
    found = regulations()
    layout.paragraph(
        f"Where this document speaks to what reviewers are asked to look for. State of {_day(found.as_of)}.",
        keep_with_next=True,
    )
    layout.table(_references_table(found.references))
    layout.table(_crosswalk_table(found, titles))


def _references_table(references: Sequence[Reference]) -> Table:
    columns = [Column("Reference", 0.44), Column("Applies from", 0.2), Column("Status", 0.36)]
    rows: list[Sequence[Inline]] = [
        [[Text(r.name, Tone.STRONG), f": {r.title}"], _day(r.applies_from), r.status] for r in references
    ]
    return Table("Regulatory references", "One row per regulation or framework with its date.", columns, rows)


def _crosswalk_table(found: Regulations, titles: dict[str, str]) -> Table:
    columns = [Column("Section", 0.28), *(Column(reference.short, 0.18) for reference in found.references)]
    rows: list[Sequence[Inline]] = [
        [f"{c.section}  {titles[c.section]}", *(c.answer(reference.id) for reference in found.references)]
        for c in found.crosswalk
    ]
    return Table("Which section answers what", "One row per section, one column per reference.", columns, rows)


def _day(day: date) -> str:
    return moment_of(day.isoformat()).split(",")[0]
