"""What is reviewed and where it comes from: identity, purpose, privacy, and the data that the tests ran on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from activities.jira.types import Gate
from activities.modelop.types import DecisionRecord
from activities.review_document.formatting import (
    NOT_PROVIDED,
    clean,
    count,
    counted,
    label,
    moment,
    moment_of,
    or_gap,
    size,
)
from activities.review_document.masking import masked, without_credentials
from activities.review_document.results import stability
from activities.review_document.review import Review
from activities.review_document.standard_layout.families import MAX_ROWS
from activities.review_document.standard_layout.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.standard_layout.model_schema import InputSchema, SchemaColumn, input_schemas
from activities.sagemaker.reading import capacity, capture

NOT_VERIFIED = "not verified against AWS"
MAX_CUSTOM_FACTS = 15
MAX_CUSTOM_TEXT = 200
MAX_SCHEMAS = 3
MAX_VARIANTS = 10
MAX_COLUMNS_NAMED = 12


def code(value: Any, otherwise: str = NOT_PROVIDED) -> Text:
    """An id or a hash in the typeface for such; a gap where there is none."""
    text = clean(value, 200)
    return Text(text, Tone.CODE) if text else Text(otherwise)


def custom_fact(review: Review, *names: str) -> Any:
    """The first of the model's own fields that goes by one of the names, however it is spelt; None if there is none."""
    wanted = {_plain_name(name) for name in names}
    return next((value for key, value in _custom_facts(review) if _plain_name(key) in wanted), None)


def model_owner(review: Review) -> str:
    """Who answers for the model, or a visible gap."""
    return or_gap(custom_fact(review, *_OWNER), 120)


def snapshot_name(review: Review) -> str:
    """The snapshot's name, or a visible gap."""
    metadata = review.snapshot.get("metaData")
    return or_gap(metadata.get("name") if isinstance(metadata, Mapping) else None, 120)


def superseded_snapshot(review: Review) -> str:
    """The id of the snapshot of an earlier round of this run that this one replaces; empty if there is none."""
    found: Any = review.snapshot
    for key in ("metaData", "custom", "mlc", "supersedes"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return label(found)


_OWNER = ("Model Owner", "Owner")
_INTENDED = ("Intended Use", "Intended Purpose")
_EXCLUDED = ("Out of Scope", "Out of Scope Uses", "Excluded Uses", "Prohibited Use")
_NECESSITY = ("Necessity and Proportionality", "Necessity", "Proportionality")
_RISKS = ("Risks to Data Subjects", "Privacy Risks", "Risks to Rights and Freedoms")
_MEASURES = ("Measures", "Privacy Measures", "Safeguards")
_SHOWN_ELSEWHERE = (*_INTENDED, *_EXCLUDED, *_NECESSITY, *_RISKS, *_MEASURES, *_OWNER)


def write_identity(layout: ReviewLayout, review: Review) -> None:
    """The model, its snapshot, what was deployed before, and what SageMaker will run."""
    model, snapshot = review.stored_model, review.snapshot
    layout.facts(
        [
            ("Model name", review.model_name),
            ("Model id", code(model.get("id"))),
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
            ("Snapshot name", snapshot_name(review)),
            ("Snapshot id", code(snapshot.get("id"))),
            ("Frozen", moment_of(snapshot.get("createdDate"))),
            ("Replaces snapshot", code(superseded_snapshot(review), "none")),
            ("Test result id", code(review.result_id)),
            *_previous_facts(review),
        ],
        title="Snapshot",
        description="Identity of the snapshot, where it comes from, and the snapshot that was deployed before it.",
    )
    layout.paragraph(
        "A snapshot is a frozen copy of the model and of its assets' metadata. The tests ran on it, and it is what is "
        "marked as deployed after the approvals.",
        "Note",
    )
    _write_endpoint(layout, review)


def _previous_facts(review: Review) -> list[tuple[str, Inline]]:
    previous = review.previous
    if previous is None:
        unknown = (
            NOT_PROVIDED if review.previous_unknown else "no earlier snapshot of this model was found in production"
        )
        return [("Previously deployed", unknown)]
    name = or_gap(previous.name, 120)
    return [
        ("Previously deployed", [name, "  ", code(previous.snapshot_id), f"  on {moment_of(previous.deployed_at)}"]),
        ("Its review document", [or_gap(previous.document_filename, 200)]),
        ("SHA-256 of that", code(previous.document_sha256)),
    ]


def _write_endpoint(layout: ReviewLayout, review: Review) -> None:
    endpoint = review.endpoint
    if endpoint is None:
        named = clean(review.endpoint_config_name, 200)
        shown: Inline = [Text(named, Tone.CODE), f"  ({NOT_VERIFIED})"] if named else NOT_PROVIDED
        rows = [("Endpoint configuration", shown)]
    else:
        rows = [
            ("Endpoint configuration", code(endpoint.name)),
            ("ARN", code(endpoint.arn)),
            ("Region", or_gap(endpoint.region)),
            ("Encrypted with", code(endpoint.kms_key, "no key of its own")),
            ("Data capture", capture(endpoint)),
            ("Read from AWS", moment(endpoint.read_at)),
        ]
    layout.facts(rows, title="SageMaker", description="The endpoint configuration that the model is deployed with.")
    if endpoint is not None and endpoint.variants:
        columns = [
            Column("Variant", 0.22),
            Column("Instance type", 0.22),
            Column("Instances", 0.14, Align.NUMBER),
            Column("SageMaker model", 0.42),
        ]
        variants: list[Sequence[Inline]] = [
            [label(v.name), label(v.instance_type or capacity(v)), count(v.instance_count or 0), code(v.model_name)]
            for v in endpoint.variants[:MAX_VARIANTS]
        ]
        layout.table(Table("Production variants", "One row per variant.", columns, variants))
        if len(endpoint.variants) > MAX_VARIANTS:
            layout.paragraph(f"The table shows {MAX_VARIANTS} of {len(endpoint.variants):,} variants.", "Note")


def write_purpose(layout: ReviewLayout, review: Review) -> None:
    """What the model is for, what it is not for, and how much depends on it."""
    metadata = review.metadata
    own = [(key, value) for key, value in _custom_facts(review) if not _shown_elsewhere(key)]
    left = len(own) - MAX_CUSTOM_FACTS
    layout.facts(
        [
            ("Purpose", or_gap(metadata.get("description"), 1500)),
            ("Intended use", or_gap(custom_fact(review, *_INTENDED), 600)),
            ("Uses out of scope", or_gap(custom_fact(review, *_EXCLUDED), 600)),
            ("Use category", or_gap(metadata.get("modelUseCategory"))),
            ("Business unit", or_gap(metadata.get("modelOrganization"))),
            ("Materiality (risk tier)", or_gap(metadata.get("modelRisk"))),
            ("Model owner", model_owner(review)),
            *((label(name), or_gap(value, MAX_CUSTOM_TEXT)) for name, value in own[:MAX_CUSTOM_FACTS]),
            *([("Not shown", f"{counted(left, 'more field')} of the model in ModelOp Center")] if left > 0 else []),
        ],
        title="Purpose and materiality",
        description="What the model is for and how much depends on it. Gaps are printed as such.",
    )


def write_privacy(layout: ReviewLayout, review: Review) -> None:
    """The decision on privacy, and the four contents of an assessment as far as the model's record holds them."""
    decisions = [d for d in review.decisions if d.gate == Gate.PIA]
    if decisions:
        layout.paragraph("The privacy impact assessment was decided before the tests ran.", keep_with_next=True)
        layout.table(decisions_table("Decision on privacy", decisions))
    else:
        layout.paragraph(["Privacy impact assessment: ", NOT_PROVIDED, "."])
    weighed = f" Ticket {label(decisions[-1].ticket)} holds what was weighed." if decisions else ""
    layout.paragraph(
        f"Article 35(7) GDPR asks for four contents.{weighed} The model's record in ModelOp Center says of them:",
        keep_with_next=True,
    )
    layout.facts(
        [
            ("Systematic description and purposes", or_gap(review.metadata.get("description"), 600)),
            ("Necessity and proportionality", or_gap(custom_fact(review, *_NECESSITY), 600)),
            ("Risks to data subjects", or_gap(custom_fact(review, *_RISKS), 600)),
            ("Measures", or_gap(custom_fact(review, *_MEASURES), 600)),
            ("Declared protected classes", _protected(review)),
        ],
        title="Contents of the privacy impact assessment",
        description="The four contents of Article 35(7) GDPR and the protected classes that the input schema declares.",
    )


def _protected(review: Review) -> Inline:
    schemas = input_schemas(review.metadata)
    names = [column.name for schema in schemas for column in schema.columns if column.protected]
    return _named(names) if names else ("none declared" if schemas else NOT_PROVIDED)


def decisions_table(caption: str, decisions: Sequence[DecisionRecord]) -> Table:
    """Who decided what, when, and with which words."""
    columns = [
        Column("Ticket", 0.14),
        Column("Decision", 0.13),
        Column("Decided by", 0.2),
        Column("Decided at", 0.24),
        Column("Comment", 0.29),
    ]
    rows: list[Sequence[Inline]] = [
        [label(d.ticket), label(d.verdict), label(d.decided_by), moment_of(d.decided_at), masked(d.comment, 300) or "–"]
        for d in decisions[-MAX_ROWS:]
    ]
    return Table(caption, "One row per decision, from the ticket's change history.", columns, rows)


def write_data(layout: ReviewLayout, review: Review) -> None:
    """The assets of the snapshot, how many rows the tests saw, and the declared schema."""
    layout.paragraph(
        "The assets of the snapshot as ModelOp Center describes them. This document is made from metadata and test "
        "results; the data themselves were not read for it.",
        keep_with_next=True,
    )
    if review.assets:
        layout.table(_assets_table(review.assets))
        if len(review.assets) > MAX_ROWS:
            layout.paragraph(f"The table shows {MAX_ROWS} of {len(review.assets):,} assets.", "Note")
    else:
        layout.paragraph(["Assets: ", NOT_PROVIDED, "."])
    _write_schemas(layout, review)


def _assets_table(assets: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("Role", 0.23),
        Column("File and where it is", 0.29),
        Column("Size", 0.12, Align.NUMBER),
        Column("SHA-256", 0.36),
    ]
    rows: list[Sequence[Inline]] = [
        [or_gap(asset.get("assetRole"), 60), _file(asset), size(asset.get("fileSize")), code(_sha256(asset))]
        for asset in assets[:MAX_ROWS]
    ]
    return Table("Assets of the snapshot", "One row per asset with its role, place, size and hash.", columns, rows)


def _file(asset: Mapping[str, Any]) -> Inline:
    name = label(asset.get("filename") or asset.get("name")) or NOT_PROVIDED
    kind = label(asset.get("fileFormat"))
    place = clean(without_credentials(clean(asset.get("fileUrl"), 2000)), 160)
    return [name, f" ({kind})" if kind else "", *([Text(f"  {place}", Tone.OTHER)] if place else [])]


def _sha256(asset: Mapping[str, Any]) -> Any:
    found = asset.get("contentHash")
    return found.get("hexString") if isinstance(found, Mapping) else None


def _write_schemas(layout: ReviewLayout, review: Review) -> None:
    schemas = input_schemas(review.metadata)
    layout.facts(
        [
            ("Rows tested", _rows_tested(review)),
            ("Declared input schemas", str(len(schemas)) if schemas else NOT_PROVIDED),
            *(fact for schema in schemas[:MAX_SCHEMAS] for fact in _schema_facts(schema)),
        ],
        title="Data as tested",
        description="How many rows the tests saw, and what the model declares about its columns.",
    )
    for schema in schemas[:MAX_SCHEMAS]:
        layout.table(_schema_table(schema))
        if len(schema.columns) > MAX_ROWS:
            layout.paragraph(f"The table shows {MAX_ROWS} of {len(schema.columns):,} columns.", "Note")
    if len(schemas) > MAX_SCHEMAS:
        layout.paragraph(f"Shown are the first {MAX_SCHEMAS} of {len(schemas):,} input schemas.", "Note")


def _rows_tested(review: Review) -> str:
    counts = [feature.counts for feature in stability(review.test_results) if min(feature.counts) > 0]
    if not counts:
        return NOT_PROVIDED
    baseline, comparator = (max(side) for side in zip(*counts, strict=True))
    return f"{baseline:,} baseline and {comparator:,} comparator, by the stability tables"


def _schema_facts(schema: InputSchema) -> Iterable[tuple[str, Inline]]:
    yield "Schema", [schema.name, "  ", code(schema.sha256)]
    for role in ("score", "label", "identifier"):
        if schema.names(role):
            yield f"{role.capitalize()} column", _named(schema.names(role))


def _schema_table(schema: InputSchema) -> Table:
    columns = [
        Column("Column", 0.3),
        Column("Type", 0.15),
        Column("Role", 0.15),
        Column("Class", 0.15),
        Column("Protected", 0.13),
        Column("Drift", 0.12),
    ]
    rows = [_schema_row(column) for column in schema.columns[:MAX_ROWS]]
    return Table(f"Input schema {schema.name}", "One row per column as the model declares it.", columns, rows)


def _schema_row(column: SchemaColumn) -> Sequence[Inline]:
    flags = ("yes" if flag else "–" for flag in (column.protected, column.watched_for_drift))
    return [column.name, *(text or "–" for text in (column.type, column.role, column.data_class)), *flags]


def _named(names: Sequence[str]) -> str:
    more = len(names) - MAX_COLUMNS_NAMED
    return ", ".join(names[:MAX_COLUMNS_NAMED]) + (f" and {counted(more, 'more column')}" if more > 0 else "")


def _custom_facts(review: Review) -> list[tuple[str, Any]]:
    """The site's own plain fields of the model, by name."""
    custom = review.metadata.get("custom")
    plain = custom.items() if isinstance(custom, Mapping) else ()
    return sorted(((str(k), v) for k, v in plain if isinstance(v, str | int | float)), key=lambda fact: fact[0])


def _shown_elsewhere(key: str) -> bool:
    return _plain_name(key) in {_plain_name(name) for name in (*_SHOWN_ELSEWHERE, *MONITORING_FACTS)}


MONITORING_FACTS = (
    *("Next Review Date", "Next Review", "Review Date", "Annual Review Date", "Expiration Date", "Expiry Date"),
    *("Review Cycle", "Monitoring Frequency", "Monitoring Plan", "Limitations", "Known Limitations"),
)


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _by(person: Any) -> list[str]:
    named = label(person)
    return [f" by {named}"] if named else []
