"""The document from top to bottom: its first page, its sections in order, and the results of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from activities.review_document.conclusion import all_clear, overall, unjudged_families
from activities.review_document.disclosure import too_small
from activities.review_document.formatting import clean, or_gap
from activities.review_document.limits.thresholds import standard_thresholds
from activities.review_document.limits.verdicts import count_by_word, families
from activities.review_document.masking import masked
from activities.review_document.results import group_disparities, stability
from activities.review_document.review import QUIET, Review
from activities.review_document.standard_layout.appendices import stored, write_regulations, write_reproducibility
from activities.review_document.standard_layout.decision_summary import write_decision_summary
from activities.review_document.standard_layout.families import (
    FAIL_FILL,
    MAX_ROWS,
    verdict_text,
    write_family,
)
from activities.review_document.standard_layout.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.standard_layout.lineage import (
    code,
    model_owner,
    snapshot_name,
    write_data,
    write_identity,
    write_privacy,
    write_purpose,
)
from activities.review_document.standard_layout.other_values import other_results
from activities.review_document.standard_layout.record import (
    document_id,
    later_decision,
    revision,
    write_changes,
    write_execution,
    write_limitations,
    write_monitoring,
    write_sign_off,
)

MAX_NOTICES = 5
MAX_NOTICE = 320
"""Longer ones would push the title block off the first page."""

CALM_FILL, CALM_EDGE = "E8F2F9", "0072B2"
ALARM_EDGE = "A33B00"


@dataclass(frozen=True)
class Section:
    """A numbered section and what writes it below its heading."""

    number: str
    title: str
    write: Callable[[ReviewLayout, Review], None]
    new_page: bool = False

    @property
    def anchor(self) -> str:
        """What the list of contents links to."""
        return f"section_{self.number}"

    @property
    def heading(self) -> str:
        """For example "6  Test results" or "Appendix A  Reproducibility"."""
        return f"{'Appendix ' if self.number.isalpha() else ''}{self.number}  {self.title}"


def write_title(layout: ReviewLayout, review: Review) -> None:
    """The first page down to the list of contents."""
    layout.paragraph("Model review", "Kicker")
    layout.paragraph(review.model_name, "Title")
    layout.paragraph("Standard Risk Tests of a SageMaker model implementation", "Subtitle")
    _write_verdict(layout, review)
    _write_notices(layout, review.notices)
    layout.facts(
        [
            ("Document", [code(document_id(review)), f"  revision {revision(review)}"]),
            ("Model", [review.model_name, "  ", code(review.stored_model.get("id"))]),
            ("Snapshot", [snapshot_name(review), "  ", code(review.snapshot.get("id"))]),
            ("Implementation type", or_gap(review.metadata.get("type"))),
            ("Model owner", model_owner(review)),
            ("Requested by", or_gap(review.requested_by)),
            ("Reviewed by", later_decision(review)),
            ("Use case", code(review.use_case_id)),
            ("Workflow", code(review.workflow_id)),
            ("Results stored", stored(review)),
            ("Table of limits", clean(review.limits.title, 200)),
        ],
        title="Title block",
        description="What this document is about: one row per fact.",
    )
    layout.contents((s.number, s.title, s.anchor) for s in SECTIONS)


def _write_verdict(layout: ReviewLayout, review: Review) -> None:
    counts = count_by_word(review.verdicts)
    listed = ", ".join(f"{count} {word}" for word, count in counts.items()) or "none"
    said, calm = overall(review), all_clear(review)
    layout.banner(
        [
            Text(f"{said}.", Tone.PASS if calm else Tone.FAIL),
            f"Verdicts: {listed}.",
            Text("Generated automatically – a human decision is required.", Tone.STRONG),
        ],
        fill=CALM_FILL if calm else FAIL_FILL,
        edge=CALM_EDGE if calm else ALARM_EDGE,
        title="Overall result",
        description=f"{said}. {listed}.",
    )


def _write_notices(layout: ReviewLayout, notices: Sequence[str]) -> None:
    if not notices:
        return
    lines: list[Inline] = [masked(notice, MAX_NOTICE) for notice in notices[:MAX_NOTICES]]
    if len(notices) > MAX_NOTICES:
        lines.append(f"{len(notices) - MAX_NOTICES} more notices are left out.")
    layout.banner(
        [Text("Please note", Tone.FAIL), *lines],
        fill=FAIL_FILL,
        edge=ALARM_EDGE,
        title="Notices",
        description="What went wrong while this document was made.",
    )


def write_sections(layout: ReviewLayout, review: Review) -> None:
    """All sections; the test results begin with a table that needs the width of a page on its side."""
    for section in SECTIONS:
        if section.write is not _write_results:
            layout.heading(1, section.heading, anchor=section.anchor, new_page=section.new_page)
            section.write(layout, review)
            continue
        with layout.landscape():
            layout.heading(1, section.heading, anchor=section.anchor)
            _write_test_summary(layout, review)
        _write_results(layout, review)


def _write_test_summary(layout: ReviewLayout, review: Review) -> None:
    layout.paragraph(
        f"Judged by: {clean(review.limits.title, 200)} ({clean(review.limits.origin, 300)}). An ERROR is a test "
        "without a result, NOT EVALUATED a value that the table of limits could not judge; INFORMATION is printed and "
        "not judged.",
        keep_with_next=True,
    )
    layout.table(_summary_table(review))


def _summary_table(review: Review) -> Table:
    columns = [
        Column("Family", 0.14),
        Column("Test", 0.23),
        Column("Feature or group", 0.16),
        Column("Value", 0.09, Align.NUMBER),
        Column("Limit", 0.1, Align.NUMBER),
        Column("Better", 0.09),
        Column("Rows", 0.07, Align.NUMBER),
        Column("Verdict", 0.13),
    ]
    rows_behind = _rows_behind(review)
    directions = {t.id: t.direction.removesuffix(" is better") for t in standard_thresholds().thresholds}
    rows: list[Sequence[Inline]] = [
        [
            v.family,
            v.test,
            v.feature_or_group or "–",
            v.value_text,
            v.limit or "–",
            directions.get(v.threshold_id, "–"),
            rows_behind.get((v.family, v.feature_or_group), "–"),
            verdict_text(v.word),
        ]
        for v in review.verdicts
    ]
    description = "One row per test: what it measures, its value, the limit of a PASS, rows, and the verdict in words."
    fills = {(index, 7): FAIL_FILL for index, v in enumerate(review.verdicts) if v.word not in QUIET}
    return Table("Test summary", description, columns, rows, fills)


def _rows_behind(review: Review) -> dict[tuple[str, str], str]:
    """How many rows a number rests on, by family and feature or group, where the result says so."""
    found = {
        ("Bias", group.name): f"{group.count:,}"
        for group in group_disparities(review.test_results)
        if group.count is not None and not too_small(group.count)
    }
    for feature in stability(review.test_results):
        baseline, comparator = feature.counts
        if min(baseline, comparator) > 0:
            key = ("Concept drift", "") if feature.is_score else ("Data drift", feature.feature)
            found[key] = f"{baseline:,} / {comparator:,}"
    return found


def _write_results(layout: ReviewLayout, review: Review) -> None:
    printed = [*families(review.verdicts), *unjudged_families(review)]
    for number, family in enumerate(printed, start=1):
        layout.heading(2, f"6.{number}  {family.name}")
        layout.paragraph(family.question, keep_with_next=True)
        write_family(layout, review, family.name)
    _write_other_results(layout, review, len(printed) + 1)


def _write_other_results(layout: ReviewLayout, review: Review, number: int) -> None:
    found = other_results(review.test_results)
    if not found:
        return
    layout.heading(2, f"6.{number}  Other values in the result")
    layout.paragraph("Values that no limit of this document's table is about, as they came.", keep_with_next=True)
    rows: list[Sequence[Inline]] = [[name, value] for name, value in found[:MAX_ROWS]]
    columns = [Column("Name", 0.68), Column("Value", 0.32, Align.NUMBER)]
    layout.table(Table("Other values", "One row per value: its name in the result, and the value.", columns, rows))
    if len(found) > MAX_ROWS:
        layout.paragraph(f"The table shows {MAX_ROWS} of {len(found):,} values; all are in the test result.", "Note")


def _write_crosswalk(layout: ReviewLayout, _: Review) -> None:
    write_regulations(layout, {section.number: section.title for section in SECTIONS})


SECTIONS: tuple[Section, ...] = (
    Section("1", "Decision summary", write_decision_summary, new_page=True),
    Section("2", "Model and snapshot", write_identity, new_page=True),
    Section("3", "Purpose and materiality", write_purpose),
    Section("4", "Privacy decision", write_privacy),
    Section("5", "Data", write_data),
    Section("6", "Test results", _write_results),
    Section("7", "Test execution record", write_execution),
    Section("8", "Limitations", write_limitations),
    Section("9", "Monitoring and expiry", write_monitoring),
    Section("10", "Sign-off", write_sign_off),
    Section("11", "Change history", write_changes),
    Section("A", "Reproducibility", write_reproducibility, new_page=True),
    Section("B", "Regulatory references", _write_crosswalk, new_page=True),
)
