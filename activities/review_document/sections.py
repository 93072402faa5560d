"""The sections of the document, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from activities.jira.types import TITLES, Gate
from activities.modelop.types import DecisionRecord, MonitorProblem
from activities.review_document.families import (
    FAIL_FILL,
    MAX_ROWS,
    SMALLEST_SHOWN_GROUP,
    other_results,
    verdict_text,
    write_family,
)
from activities.review_document.formatting import (
    NOT_PROVIDED,
    clean,
    counted,
    label,
    moment,
    moment_of,
    or_gap,
    size,
)
from activities.review_document.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.results import group_disparities, stability
from activities.review_document.review import Review
from activities.review_document.thresholds import standard_thresholds, standard_thresholds_sha256
from activities.review_document.verdicts import (
    OTHER_MONITORS,
    SMALL_GROUP,
    Verdict,
    Word,
    chance_limit,
    count_by_word,
)

RECORDED_IN_JIRA = "recorded in Jira"
NOT_VERIFIED = "not verified against AWS"
PACKAGES = ("python-docx", "lxml", "matplotlib", "numpy", "pandas", "pydantic")

MAX_RUNS = 20


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


def overall(review: Review) -> str:
    """The result of all tests in one phrase. It never approves anything: people do."""
    counts = count_by_word(review.verdicts)
    failed, errors = counts.get(Word.FAIL, 0), counts.get(Word.ERROR, 0)
    if failed or errors:
        parts = [f"{counted(failed, 'test')} failed"] * bool(failed)
        parts += [f"{counted(errors, 'test')} without a result"] * bool(errors)
        return f"Needs attention: {' and '.join(parts)}"
    return "No findings: every applicable test passed" if counts.get(Word.PASS) else "No test gave a verdict"


def write_title(layout: ReviewLayout, review: Review) -> None:
    """The first page down to the list of contents."""
    layout.paragraph("Model review", "Kicker")
    layout.paragraph(review.model_name, "Title")
    layout.paragraph("Standard Risk Tests of a SageMaker model implementation", "Subtitle")
    counts = count_by_word(review.verdicts)
    listed = ", ".join(f"{count} {word}" for word, count in counts.items())
    attention = bool(review.findings)
    layout.banner(
        [
            Text(f"{overall(review)}.", Tone.FAIL if attention else Tone.PASS),
            f"Verdicts: {listed}.",
            Text("Generated automatically – a human decision is required.", Tone.STRONG),
        ],
        fill=FAIL_FILL if attention else "E8F2F9",
        edge="A33B00" if attention else "0072B2",
        description=f"{overall(review)}. {listed}.",
    )
    layout.facts(
        [
            ("Model", review.model_name),
            ("Model id", _code(review.stored_model.get("id"))),
            ("Snapshot", _snapshot_name(review)),
            ("Snapshot id", _code(review.snapshot.get("id"))),
            ("Implementation type", or_gap(review.metadata.get("type"))),
            ("Requested by", or_gap(review.requested_by)),
            ("Use case", _code(review.use_case_id)),
            ("Results stored", _stored(review)),
            ("Table of limits", f"version {standard_thresholds().version}"),
        ],
        title="Title block",
        description="What this document is about: one row per fact.",
    )
    layout.contents((s.number, s.title, s.anchor) for s in SECTIONS)


def _decision_summary(layout: ReviewLayout, review: Review) -> None:
    counts = count_by_word(review.verdicts)
    layout.paragraph(
        [
            Text("What is asked. ", Tone.STRONG),
            "Decide in the Jira ticket that this document is attached to: ",
            Text("Done", Tone.STRONG),
            " accepts the results and passes the model on to the production approval, ",
            Text("Rejected", Tone.STRONG),
            " ends the implementation. The test verdicts inform the decision; they do not make it.",
        ]
    )
    families = [f.name for f in standard_thresholds().families] + [OTHER_MONITORS]
    layout.table(_counts_table(review.verdicts, [f for f in families if any(v.family == f for v in review.verdicts)]))
    findings = review.findings
    if not findings:
        judged = counted(counts.get(Word.PASS, 0), "verdict")
        layout.paragraph(f"There is no FAIL and no ERROR: {judged} within the limits.")
        return
    rows: list[Sequence[Inline]] = [
        [verdict_text(v.word), _test_with_subject(v), [v.consequence, " ", Text(f"({v.reason})", Tone.OTHER)]]
        for v in findings
    ]
    columns = [Column("Verdict", 0.12), Column("Test", 0.3), Column("What it means for the decision", 0.58)]
    description = "One row per test that failed or has no result, with its consequence."
    layout.table(Table("Every FAIL and ERROR", description, columns, rows))


def _counts_table(verdicts: Sequence[Verdict], families: Sequence[str]) -> Table:
    words = list(Word)
    columns = [Column("Family", 0.24), *(Column(_heading(word), 0.15, Align.NUMBER) for word in words)]
    rows: list[Sequence[Inline]] = []
    for family in families:
        counts = count_by_word([v for v in verdicts if v.family == family])
        rows.append([family, *(_count(word, counts.get(word, 0)) for word in words)])
    totals = count_by_word(verdicts)
    rows.append([Text("All", Tone.STRONG), *(Text(str(totals.get(word, 0)), Tone.STRONG) for word in words)])
    return Table("Verdicts per family", "One row per family with the number of verdicts by word.", columns, rows)


def _heading(word: Word) -> str:
    return word.value.capitalize() if word in (Word.NOT_APPLICABLE, Word.INFORMATION) else word.value


def _count(word: Word, count: int) -> Inline:
    return Text(str(count), verdict_text(word).tone) if count else Text("–", Tone.OTHER)


def _test_with_subject(verdict: Verdict) -> str:
    return f"{verdict.family}: {verdict.test}" + (f", {verdict.feature_or_group}" if verdict.feature_or_group else "")


def _identity(layout: ReviewLayout, review: Review) -> None:
    model, snapshot = review.stored_model, review.snapshot
    layout.facts(
        [
            ("Model name", review.model_name),
            ("Model id", _code(model.get("id"))),
            ("Model version", or_gap(model.get("version"))),
            ("Implementation type", or_gap(review.metadata.get("type"))),
            ("Methodology", or_gap(review.methodology)),
            ("Group", or_gap(model.get("group"))),
            ("Last changed", [moment_of(model.get("lastModifiedDate")), *_by(model.get("lastModifiedBy"))]),
        ],
        title="Model",
        description="Identity of the model as frozen in the snapshot.",
    )
    layout.facts(
        [
            ("Snapshot name", _snapshot_name(review)),
            ("Snapshot id", _code(snapshot.get("id"))),
            ("Frozen", moment_of(snapshot.get("createdDate"))),
            ("Replaces snapshot", _code(_mlc(review).get("supersedes"), "none")),
            ("Endpoint configuration", _endpoint_configuration(review)),
            ("Test result id", _code(review.result_id)),
        ],
        title="Snapshot",
        description="Identity of the snapshot and where it comes from.",
    )
    layout.paragraph(
        "A snapshot is a frozen copy of the model and of its assets' metadata. The tests ran on it, and it is what is "
        "marked as deployed after the approvals.",
        "Note",
    )


def _endpoint_configuration(review: Review) -> Inline:
    named = clean(review.endpoint_config_name, 200)
    return [Text(named, Tone.CODE), f"  ({NOT_VERIFIED})"] if named else NOT_PROVIDED


def _purpose(layout: ReviewLayout, review: Review) -> None:
    metadata = review.metadata
    custom = metadata.get("custom")
    layout.facts(
        [
            ("Purpose", or_gap(metadata.get("description"), 1500)),
            ("Use category", or_gap(metadata.get("modelUseCategory"))),
            ("Business unit", or_gap(metadata.get("modelOrganization"))),
            ("Materiality (risk tier)", or_gap(metadata.get("modelRisk"))),
            *((label(name), or_gap(value)) for name, value in _custom_facts(custom)),
        ],
        title="Purpose and materiality",
        description="What the model is for and how much depends on it. Gaps are printed as such.",
    )


def _custom_facts(custom: Any) -> Iterable[tuple[str, Any]]:
    """The site's own plain fields, such as the owner; at most 15."""
    facts = (
        [(k, v) for k, v in custom.items() if isinstance(v, str | int | float)] if isinstance(custom, Mapping) else []
    )
    return sorted(facts, key=lambda fact: str(fact[0]))[:15]


def _privacy(layout: ReviewLayout, review: Review) -> None:
    decisions = [d for d in review.decisions if d.gate == Gate.PIA]
    if not decisions:
        layout.paragraph(["Privacy impact assessment: ", NOT_PROVIDED, "."])
        return
    layout.paragraph(
        "The privacy impact assessment was decided before the tests ran. The ticket holds the assessment under the "
        "four headings of Article 35(7) GDPR.",
        keep_with_next=True,
    )
    layout.table(_decisions_table("Decision on privacy", decisions))


def _decisions_table(caption: str, decisions: Sequence[DecisionRecord]) -> Table:
    columns = [
        Column("Ticket", 0.14),
        Column("Decision", 0.13),
        Column("Decided by", 0.2),
        Column("Decided at", 0.24),
        Column("Comment", 0.29),
    ]
    rows: list[Sequence[Inline]] = [
        [label(d.ticket), label(d.verdict), label(d.decided_by), moment_of(d.decided_at), clean(d.comment, 300) or "–"]
        for d in decisions
    ]
    return Table(caption, "One row per decision, from the ticket's change history.", columns, rows)


def _data(layout: ReviewLayout, review: Review) -> None:
    layout.paragraph(
        "The assets of the snapshot as ModelOp Center describes them. This document is made from metadata and test "
        "results; the data themselves were not read for it.",
        keep_with_next=True,
    )
    assets = review.assets
    if not assets:
        layout.paragraph(["Assets: ", NOT_PROVIDED, "."])
        return
    columns = [
        Column("Role", 0.2),
        Column("File", 0.21),
        Column("Format", 0.13),
        Column("Size", 0.11, Align.NUMBER),
        Column("SHA-256", 0.35),
    ]
    rows: list[Sequence[Inline]] = [
        [
            or_gap(asset.get("assetRole"), 60),
            label(asset.get("filename") or asset.get("name")) or NOT_PROVIDED,
            or_gap(asset.get("fileFormat"), 20),
            size(asset.get("fileSize")),
            _code(_sha256(asset)),
        ]
        for asset in assets[:MAX_ROWS]
    ]
    layout.table(Table("Assets of the snapshot", "One row per asset with its role, size and hash.", columns, rows))
    if len(assets) > MAX_ROWS:
        layout.paragraph(f"The table shows {MAX_ROWS} of {len(assets)} assets.", "Note")


def _sha256(asset: Mapping[str, Any]) -> Any:
    found = asset.get("contentHash")
    return found.get("hexString") if isinstance(found, Mapping) else None


def _results(layout: ReviewLayout, review: Review) -> None:
    table = standard_thresholds()
    layout.paragraph(f"{table.basis} An ERROR is a test without a result; INFORMATION is printed and not judged.")
    layout.table(_summary_table(review.verdicts))
    number = 0
    for family in table.families:
        verdicts = [v for v in review.verdicts if v.family == family.name]
        if not verdicts:
            continue
        number += 1
        layout.heading(2, f"6.{number}  {family.name}")
        layout.paragraph(family.question, keep_with_next=True)
        write_family(layout, review, family.name, verdicts)
    _other_results(layout, review, number + 1)


def _summary_table(verdicts: Sequence[Verdict]) -> Table:
    columns = [
        Column("Family", 0.18),
        Column("Test", 0.3),
        Column("Feature or group", 0.17),
        Column("Value", 0.1, Align.NUMBER),
        Column("Limit", 0.1, Align.NUMBER),
        Column("Verdict", 0.15),
    ]
    rows: list[Sequence[Inline]] = [
        [v.family, v.test, v.feature_or_group or "–", v.value_text, v.limit or "–", verdict_text(v.word)]
        for v in verdicts
    ]
    description = "One row per test: family, test, feature or group, value, limit of a PASS, and verdict in words."
    fills = {(index, 5): FAIL_FILL for index, v in enumerate(verdicts) if v.word in (Word.FAIL, Word.ERROR)}
    return Table("Test summary", description, columns, rows, fills)


def _other_results(layout: ReviewLayout, review: Review, number: int) -> None:
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


def _execution(layout: ReviewLayout, review: Review) -> None:
    if not review.test_runs:
        layout.paragraph(["Test runs: ", NOT_PROVIDED, "."])
    else:
        layout.table(_runs_table(review))
    _problems(layout, "Monitors that failed to run", review.failed_monitors, "No monitor of this run failed.")
    _problems(
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
        [str(run.attempt), _code(run.job_id), label(run.status), clean(run.error, 400) or "–"]
        for run in review.test_runs[-MAX_RUNS:]
    ]
    return Table("Test runs, all attempts", "One row per attempt with job id, status and error.", columns, rows)


def _problems(layout: ReviewLayout, title: str, problems: Sequence[MonitorProblem], otherwise: str) -> None:
    if not problems:
        layout.paragraph(otherwise)
        return
    columns = [Column("Monitor", 0.28), Column("What it said", 0.72)]
    rows: list[Sequence[Inline]] = [
        [_monitor_name(p.monitor), clean(p.message, 400) or "no message"] for p in problems[:MAX_ROWS]
    ]
    layout.table(Table(title, "One row per monitor with its message.", columns, rows))


def _monitor_name(name: str) -> str:
    return label(name).replace("_", " ") or "not recognised"


def _limitations(layout: ReviewLayout, review: Review) -> None:
    layout.paragraph("Derived from the results; the list says what these tests cannot show.", keep_with_next=True)
    layout.bullets(limitations(review))


def limitations(review: Review) -> list[str]:
    """What a reader must not conclude from these results, one sentence each."""
    found = [
        *_missing_tests(review),
        *_small_samples(review),
        *_small_groups(review),
    ]
    if not review.methodology:
        found.append("The model states no methodology; it was judged as a classification model.")
    found.append(
        "Limits are conventions. A value just inside or just outside of one means nearly the same; "
        "Kolmogorov-Smirnov p-values shrink as samples grow and are printed for information."
    )
    found.append("The tests compare two samples at one moment; they say nothing about the time after it.")
    return found


def _missing_tests(review: Review) -> list[str]:
    absent = [v.test for v in review.verdicts if v.word is Word.NOT_APPLICABLE]
    errors = [v.test for v in review.verdicts if v.word is Word.ERROR]
    found = []
    if errors:
        found.append(f"Without a result, and therefore unknown: {', '.join(errors)}.")
    if absent:
        found.append(f"Not applicable to this model: {', '.join(absent)}.")
    return found


def _small_samples(review: Review) -> list[str]:
    limit = standard_thresholds().of("data_drift.csi").passes.at_most or 0
    noisy = [
        s.feature
        for s in stability(review.test_results)
        if (chance := chance_limit(*s.counts, len(s.buckets))) is not None and chance > limit / 2
    ]
    if not noisy:
        return []
    named = ", ".join(noisy[:5]) + (f" and {len(noisy) - 5} more" if len(noisy) > 5 else "")
    return [
        f"The sample is small for a stability index of {named}: chance alone reaches more than half of the limit in "
        "one case of a hundred."
    ]


def _small_groups(review: Review) -> list[str]:
    groups = group_disparities(review.test_results)
    small = [g.name for g in groups if g.count is not None and g.count < SMALL_GROUP]
    withheld = [g.name for g in groups if g.count is not None and g.count < SMALLEST_SHOWN_GROUP]
    found = (
        [f"Disparities of groups with fewer than {SMALL_GROUP} rows are uncertain: {', '.join(small[:10])}."]
        if small
        else []
    )
    if withheld:
        found.append(
            f"Figures of {counted(len(withheld), 'group')} with fewer than {SMALLEST_SHOWN_GROUP} rows are withheld."
        )
    return found


def _sign_off(layout: ReviewLayout, review: Review) -> None:
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
        return [TITLES[gate], role, *[Text(RECORDED_IN_JIRA, Tone.OTHER)] * 3]
    last = decided[-1]
    return [
        TITLES[gate],
        role,
        f"{label(last.verdict)} ({label(last.ticket)})",
        label(last.decided_by),
        moment_of(last.decided_at),
    ]


def _reproducibility(layout: ReviewLayout, review: Review) -> None:
    layout.paragraph(
        "The same results, metadata and code make the same file. The hash of the file itself stands in the Jira ticket "
        "and, after the approval, beside the file in ModelOp Center.",
        keep_with_next=True,
    )
    layout.facts(
        [
            ("Test result", [Text("SHA-256 ", Tone.OTHER), _code(review.results_sha256)]),
            ("Table of limits", [f"version {standard_thresholds().version}  ", _code(standard_thresholds_sha256())]),
            ("Test result id", _code(review.result_id)),
            ("Workflow id", _code(review.run.workflow_id)),
            ("Workflow run id", _code(review.run.run_id)),
            ("Run started", moment(review.run.started_at)),
            ("Test result stored", _stored(review)),
            ("Code version", _code(review.code_version)),
            ("Packages", ", ".join(f"{package} {_version(package)}" for package in PACKAGES)),
        ],
        title="Reproducibility",
        description="Hashes, ids and versions that this document rests on.",
    )
    layout.paragraph(
        "The hash of the test result is taken over its JSON with sorted keys, without spaces, non-ASCII characters "
        "escaped.",
        "Note",
    )


def _stored(review: Review) -> str:
    return moment(review.stored_at) if review.stored_at else NOT_PROVIDED


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_PROVIDED


class Reference(BaseModel):
    """A regulation or framework, its status, and the sections of this document that answer it."""

    name: str
    title: str
    status: str
    answered_by: list[tuple[str, int]]


class References(BaseModel):
    """The data file `regulations.json`."""

    as_of: str
    references: list[Reference]


def _regulations(layout: ReviewLayout, review: Review) -> None:
    source = files("activities.review_document").joinpath("regulations.json").read_bytes()
    found = References.model_validate_json(source)
    state = moment_of(found.as_of).split(",")[0]
    intro = f"Where this document speaks to what reviewers are asked to look for. State of {state}."
    layout.paragraph(intro, keep_with_next=True)
    columns = [Column("Reference", 0.36), Column("Status", 0.3), Column("Sections", 0.34)]
    rows: list[Sequence[Inline]] = [
        [
            [Text(reference.name, Tone.STRONG), f": {reference.title}"],
            reference.status,
            "; ".join(f"{number} {title}" for title, number in reference.answered_by),
        ]
        for reference in found.references
    ]
    description = "One row per regulation or framework: its status, and the sections that answer it."
    layout.table(Table("Regulatory references", description, columns, rows))


SECTIONS = (
    Section("1", "Decision summary", _decision_summary, new_page=True),
    Section("2", "Model and snapshot", _identity, new_page=True),
    Section("3", "Purpose and materiality", _purpose),
    Section("4", "Privacy decision", _privacy),
    Section("5", "Data", _data),
    Section("6", "Test results", _results),
    Section("7", "Test execution record", _execution),
    Section("8", "Limitations", _limitations),
    Section("9", "Sign-off", _sign_off),
    Section("A", "Reproducibility", _reproducibility),
    Section("B", "Regulatory references", _regulations),
)


def _snapshot_name(review: Review) -> str:
    metadata = review.snapshot.get("metaData")
    return or_gap(metadata.get("name") if isinstance(metadata, Mapping) else None, 120)


def _mlc(review: Review) -> Mapping[str, Any]:
    """What the process itself wrote into the snapshot."""
    found: Any = review.snapshot
    for key in ("metaData", "custom", "mlc"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _by(person: Any) -> list[str]:
    named = label(person)
    return [f" by {named}"] if named else []


def _code(value: Any, otherwise: str = NOT_PROVIDED) -> Text:
    text = clean(value, 200)
    return Text(text, Tone.CODE) if text else Text(otherwise)
