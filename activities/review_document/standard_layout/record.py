"""What happened and what follows: the test runs, their limitations, monitoring, sign-off and change history."""

from __future__ import annotations

from collections.abc import Sequence

from activities.jira.types import TITLES, Gate
from activities.modelop.types import MonitorProblem
from activities.review_document.conclusion import unjudged_families
from activities.review_document.disclosure import SMALLEST_SHOWN_GROUP, withheld_groups
from activities.review_document.formatting import (
    NOT_PROVIDED,
    clean,
    counted,
    label,
    moment_of,
    or_gap,
)
from activities.review_document.limits.threshold_verdicts import SMALL_GROUP, chance_limit
from activities.review_document.limits.verdict_types import Word
from activities.review_document.masking import masked
from activities.review_document.results import group_disparities, stability
from activities.review_document.review import Review
from activities.review_document.standard_layout.families import MAX_ROWS, limits_of
from activities.review_document.standard_layout.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.standard_layout.lineage import (
    code,
    custom_fact,
    decisions_table,
    snapshot_name,
    superseded_snapshot,
)

RECORDED_IN_JIRA = "recorded in Jira"
MAX_RUNS = 20
MAX_NAMED = 5
SMALL_SAMPLE = 500
"""Below this many rows a stability index is above 0.1 by chance often enough to mislead."""


def later_decision(review: Review) -> str:
    """What stands where a decision is not known yet; on a preview nobody will ever decide."""
    return RECORDED_IN_JIRA if review.run else NOT_PROVIDED


def write_execution(layout: ReviewLayout, review: Review) -> None:
    """Every attempt with its job, what people decided after a failure, and the monitors without a result."""
    if not review.test_runs:
        layout.paragraph(["Test runs: ", NOT_PROVIDED, "."])
    else:
        layout.table(_runs_table(review))
        if len(review.test_runs) > MAX_RUNS:
            layout.paragraph(f"The table shows the last {MAX_RUNS} of {len(review.test_runs):,} attempts.", "Note")
    again = [d for d in review.decisions if d.gate == Gate.TEST_FAILURE]
    if again:
        layout.table(decisions_table("Decisions to run the tests again", again))
    if review.tested is None:
        layout.paragraph(["Monitors that failed to run or do not apply: ", NOT_PROVIDED, "."])
        return
    _write_problems(layout, "Monitors that failed to run", review.failed_monitors, "No monitor of this run failed.")
    _write_problems(
        layout,
        "Monitors that do not apply to this model",
        review.not_applicable_monitors,
        "Every monitor of this run applies to this model.",
    )


def _runs_table(review: Review) -> Table:
    columns = [
        Column("Attempt", 0.12, Align.NUMBER),
        Column("Job", 0.34),
        Column("Status", 0.16),
        Column("Error", 0.38),
    ]
    rows: list[Sequence[Inline]] = [
        [str(run.attempt), code(run.job_id), or_gap(run.status, 80), masked(run.error) or "–"]
        for run in review.test_runs[-MAX_RUNS:]
    ]
    return Table("Test runs, all attempts", "One row per attempt with job id, status and error.", columns, rows)


def _write_problems(layout: ReviewLayout, title: str, problems: Sequence[MonitorProblem], otherwise: str) -> None:
    if not problems:
        layout.paragraph(otherwise)
        return
    columns = [Column("Monitor", 0.28), Column("What it said", 0.72)]
    rows: list[Sequence[Inline]] = [
        [_monitor_name(p.monitor), masked(p.message) or "no message"] for p in problems[:MAX_ROWS]
    ]
    layout.table(Table(title, "One row per monitor with its message.", columns, rows))
    if len(problems) > MAX_ROWS:
        layout.paragraph(f"The table shows {MAX_ROWS} of {len(problems):,} monitors.", "Note")


def _monitor_name(name: str) -> str:
    return label(name).replace("_", " ") or "not recognised"


def write_limitations(layout: ReviewLayout, review: Review) -> None:
    """What the model's owner says about its limitations, and what the results cannot show."""
    stated = or_gap(custom_fact(review, "Limitations", "Known Limitations"), 1500)
    layout.facts(
        [("Stated by the owner", stated)],
        title="Stated limitations",
        description="What the model's own record says about its limitations.",
    )
    layout.paragraph("Derived from the results, what these tests cannot show:", keep_with_next=True)
    layout.bullets(limitations(review))


def limitations(review: Review) -> list[str]:
    """What a reader must not conclude from these results, one sentence each."""
    found = [*_missing_tests(review), *_small_samples(review), *_small_groups(review)]
    if not review.methodology:
        found.append("The model states no methodology; it was judged as a classification model.")
    found.append(
        "Limits are conventions. A value just inside or just outside of one means nearly the same; "
        "Kolmogorov-Smirnov p-values shrink as samples grow and are printed for information."
    )
    found.append("The tests compare two samples at one moment; they say nothing about the time after it.")
    return found


def _missing_tests(review: Review) -> list[str]:
    sentences = {
        Word.ERROR: "Without a result, and therefore unknown",
        Word.NOT_EVALUATED: "Not evaluated by the table of limits, and therefore not judged",
        Word.NOT_APPLICABLE: "Not applicable to this model",
    }
    found = []
    for word, sentence in sentences.items():
        tests = [v.test for v in review.verdicts if v.word is word]
        if tests:
            found.append(f"{sentence}: {_listed(tests, MAX_ROWS)}.")
    unjudged = [family.name for family in unjudged_families(review)]
    if unjudged:
        found.append(f"Without a rule in the table of limits, and therefore not judged: {_listed(unjudged, MAX_ROWS)}.")
    return found


def _listed(names: Sequence[str], most: int = MAX_NAMED) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _small_samples(review: Review) -> list[str]:
    features = stability(review.test_results)
    found = []
    smallest = min((min(f.counts) for f in features if min(f.counts) > 0), default=None)
    if smallest is not None and smallest < SMALL_SAMPLE:
        found.append(
            f"The smaller of the two samples has {smallest:,} rows; below {SMALL_SAMPLE} rows chance alone moves a "
            "stability index noticeably."
        )
    limit = limits_of(review, "CSI_maxCSIValue").at_most or 0.2
    noisy = [
        s.feature
        for s in features
        if (chance := chance_limit(*s.counts, len(s.rows))) is not None and chance > limit / 2
    ]
    if noisy:
        found.append(
            f"The sample is small for a stability index of {_listed(noisy)}: chance alone reaches more than half of "
            "the limit in one case of a hundred."
        )
    return found


def _small_groups(review: Review) -> list[str]:
    groups = group_disparities(review.test_results)
    small = [g.name for g in groups if g.count is not None and g.count < SMALL_GROUP]
    withheld = withheld_groups(review.test_results)
    found = []
    if small:
        listed = _listed(small, 10)
        found.append(f"Disparities of groups with fewer than {SMALL_GROUP} rows are uncertain: {listed}.")
    if withheld:
        few = counted(len(withheld), "group")
        found.append(f"Figures of {few} with fewer than {SMALLEST_SHOWN_GROUP} rows are withheld.")
    if groups and all(g.count is None for g in groups):
        found.append("The result does not say how many rows each group has; small groups cannot be told from large.")
    return found


def write_monitoring(layout: ReviewLayout, review: Review) -> None:
    """Until when the review holds, what watches the model, and what makes a new review necessary."""
    layout.facts(
        [
            ("Next review", or_gap(custom_fact(review, "Next Review Date", "Next Review", "Review Date"))),
            ("Review cycle", or_gap(custom_fact(review, "Review Cycle", "Monitoring Frequency"))),
            ("Expires", or_gap(custom_fact(review, "Expiration Date", "Expiry Date"))),
            ("Monitoring plan", or_gap(custom_fact(review, "Monitoring Plan"), 600)),
        ],
        title="Monitoring and expiry",
        description="Dates and plans as the model's record in ModelOp Center states them.",
    )
    layout.paragraph("This document no longer describes what is in production when:", keep_with_next=True)
    layout.bullets(_TRIGGERS)


_TRIGGERS = (
    "the model or one of its assets is changed: that makes a new version and needs a new snapshot;",
    "the endpoint is updated to another endpoint configuration;",
    "the population moves away from the baseline beyond the limits of section 6;",
    "the purpose, the group of affected people or the risk tier of the model changes;",
    "the date of the next review passes.",
)


def write_sign_off(layout: ReviewLayout, review: Review) -> None:
    """Who has decided, and where the later decisions will be found."""
    layout.paragraph(
        "Decisions are taken and recorded in Jira. Who decided and when is read from the ticket's change history, and "
        "is written into the snapshot in ModelOp Center when the model is marked as deployed.",
        keep_with_next=True,
    )
    rows = [_sign_off_row(review, gate, role) for gate, role in _SIGNATORIES]
    columns = [
        Column("Step", 0.24),
        Column("Role", 0.2),
        Column("Decision", 0.18),
        Column("Decided by", 0.18),
        Column("Date", 0.22),
    ]
    layout.table(Table("Sign-off", "One row per approval with role, decision, person and date.", columns, rows))


_SIGNATORIES = (
    (Gate.PIA, "Privacy officer"),
    (Gate.RESULTS, "Model reviewer"),
    (Gate.PRODUCTION, "Production approver"),
)


def _sign_off_row(review: Review, gate: Gate, role: str) -> Sequence[Inline]:
    decided = [d for d in review.decisions if d.gate == gate] if gate is Gate.PIA else []
    if not decided:
        return [TITLES[gate], role, *[Text(later_decision(review), Tone.OTHER if review.run else Tone.PLAIN)] * 3]
    last = decided[-1]
    return [
        TITLES[gate],
        role,
        f"{label(last.verdict)} ({label(last.ticket)})",
        label(last.decided_by),
        moment_of(last.decided_at),
    ]


def write_changes(layout: ReviewLayout, review: Review) -> None:
    """What was there before this document, oldest first."""
    columns = [Column("What", 0.34), Column("When", 0.26), Column("Identified by", 0.4)]
    rows = _changes(review)
    layout.table(Table("Change history", "One row per event, the oldest first.", columns, rows))
    layout.paragraph(
        "Earlier files of this document, if there were any, are attached to earlier Jira tickets of the same run; this "
        "file knows only what ModelOp Center and the run have recorded.",
        "Note",
    )


def _changes(review: Review) -> list[Sequence[Inline]]:
    previous, superseded = review.previous, superseded_snapshot(review)
    rows: list[Sequence[Inline]] = []
    if previous is not None:
        before = f"Snapshot {or_gap(previous.name, 120)} deployed in production"
        rows.append([before, moment_of(previous.deployed_at), code(previous.snapshot_id)])
        if previous.document_sha256:
            rows.append(["Its review document", "–", code(previous.document_sha256)])
    version = or_gap(review.stored_model.get("version"))
    changed = moment_of(review.stored_model.get("lastModifiedDate"))
    rows.append([f"Model last changed, version {version}", changed, code(review.stored_model.get("id"))])
    if superseded:
        rows.append(["Snapshot of an earlier round, replaced by this one", "–", code(superseded)])
    frozen = moment_of(review.snapshot.get("createdDate"))
    rows.append([f"Snapshot {snapshot_name(review)}", frozen, code(review.snapshot.get("id"))])
    rows += [
        [", ".join(filter(None, [f"Test run {run.attempt}", label(run.status)])), "–", code(run.job_id)]
        for run in review.test_runs[-MAX_RUNS:]
    ]
    stored = moment_of(review.stored_at)
    rows.append([f"Test result stored; this document, revision {revision(review)}", stored, code(review.result_id)])
    return rows


def revision(review: Review) -> int:
    """The number of the attempt that the results come from: every new result makes a new document."""
    return review.tested.attempt if review.tested else 1


def document_id(review: Review) -> str:
    """Names the document after what it is about, since its own hash cannot stand in it."""
    parts = (clean(part, 80).split("-")[0][:8] for part in (review.snapshot.get("id"), review.result_id))
    return "-".join(("MR", *(part or "unknown" for part in parts)))
