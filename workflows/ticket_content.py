"""What each gate's ticket says, gathered from what the run knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio import workflow

from workflows.contract import Decision, ImplementationRequest, TestRun

with workflow.unsafe.imports_passed_through():
    from activities.jira.types import AttemptLine, DecisionLine, Fact, Finding, PrerequisiteLine, TicketContent
    from activities.modelop.types import Asset, BusinessModel, DeclaredFields, Prerequisite, Snapshot, TestSummary
    from activities.review_document.types import ReviewDocument
    from activities.sagemaker.types import EndpointConfig

SHOWN_OF_HASH = 16
NEED_ATTENTION = ("FAIL", "ERROR", "NOT EVALUATED")
"""The verdicts that are findings."""


@dataclass(frozen=True)
class Subject:
    """What every ticket is about.

    Attributes:
        endpoint_config_url: its page in the AWS console; empty if the region is not known.
        endpoint: what AWS said of it; None: not asked, or not yet.
        endpoint_is_read: whether AWS is asked for it at all.
    """

    request: ImplementationRequest
    model: BusinessModel
    endpoint_config_url: str
    endpoint: EndpointConfig | None = None
    endpoint_is_read: bool = False


def privacy(subject: Subject, prerequisites: Sequence[Prerequisite]) -> TicketContent:
    """The PIA Approval Request: the model, its data, and what of the process's prerequisites is in place."""
    model = subject.model
    return _content(
        subject,
        facts=[*_identity(subject), _requester(subject)],
        processing=[
            Fact(name="Use", value=model.use_category),
            Fact(name="Use case", value=subject.request.use_case_id or ""),
            Fact(name="Methodology", value=model.methodology),
            Fact(name="Business unit", value=model.organization),
            *_declared(model.declared_fields),
        ],
        risks=[Fact(name="Risk tier in ModelOp Center", value=model.risk)],
        data_assets=[_asset_line(asset) for asset in model.assets],
        prerequisites=[PrerequisiteLine(name=p.name, found=p.found, detail=p.detail) for p in prerequisites],
    )


def test_failure(
    subject: Subject,
    snapshot: Snapshot,
    run: TestRun,
    job_url: str,
    *,
    earlier: Sequence[TestRun] = (),
    tested_before: str = "",
    decisions: Sequence[Decision] = (),
    url_of: Mapping[str, str] | None = None,
) -> TicketContent:
    """The Test Failure: which job failed on which snapshot, with the job's own words, and what is new about it.

    Args:
        subject: the model.
        snapshot: what was tested.
        run: the attempt that failed.
        job_url: the job's page in ModelOp Center; empty if there is none.
        earlier: the attempts before.
        tested_before: id of the snapshot that the last of them tested; empty if that is not known.
        decisions: what was decided before.
        url_of: addresses by ticket key.
    """
    return _content(
        subject,
        facts=_model_facts(subject),
        decided_on=[
            Fact(name="Job", value=run.job_id, url=job_url),
            Fact(name="Status of the job", value=run.status),
            _snapshot_fact(snapshot),
        ],
        decisions=_decision_lines(decisions, url_of or {}),
        error=run.error or "",
        attempt=run.attempt,
        max_attempts=subject.request.options.max_test_runs,
        changes=_changes(snapshot, run, earlier, tested_before),
        earlier_attempts=[
            AttemptLine(attempt=attempt.attempt, job_id=attempt.job_id, error=attempt.error or "")
            for attempt in earlier
        ],
    )


def review(
    subject: Subject,
    snapshot: Snapshot,
    run: TestRun,
    decisions: Sequence[Decision],
    url_of: Mapping[str, str],
    *,
    summary: TestSummary | None = None,
) -> TicketContent:
    """The Model Review: what the results say, and the facts that the attached document explains.

    Args:
        subject: the model.
        snapshot: what was tested.
        run: the attempt that the results come from.
        decisions: what was decided before.
        url_of: addresses by ticket key.
        summary: the verdicts; without it the ticket points to the document for them.
    """
    return _content(
        subject,
        facts=[
            *_model_facts(subject),
            _snapshot_fact(snapshot),
            Fact(name="Standard Risk Tests", value=f"attempt {run.attempt}, result {run.result_id}"),
            Fact(name="Monitors that failed to run", value=_names(run)),
            *([Fact(name="Limits of the verdicts", value=summary.limits.title)] if summary and summary.limits else []),
        ],
        decisions=_decision_lines(decisions, url_of),
        **(_results(summary) if summary else {}),
    )


def production(
    subject: Subject,
    snapshot: Snapshot,
    document: ReviewDocument,
    decisions: Sequence[Decision],
    url_of: Mapping[str, str],
) -> TicketContent:
    """The Production Approval: what exactly goes into production, and everything decided so far."""
    return _content(
        subject,
        facts=_model_facts(subject),
        decided_on=[
            _snapshot_fact(snapshot),
            Fact(name="Snapshot id", value=snapshot.snapshot_id),
            Fact(name="Version of the model", value=str(snapshot.model_version)),
            _endpoint_config(subject),
            Fact(name="Review document", value=document.filename),
            Fact(name="Its SHA-256 begins with", value=document.sha256[:SHOWN_OF_HASH]),
            Fact(
                name="Tests in the document",
                value=", ".join(f"{count} {word}" for word, count in document.verdicts.items()),
            ),
        ],
        decisions=_decision_lines(decisions, url_of),
    )


def reminder(asked_at: datetime) -> str:
    """The comment on a ticket that nobody has decided for a while; `asked_at` is when it was opened."""
    return (
        f"This ticket has waited for a decision since {moment(asked_at)}. Please decide, or ask somebody who can: "
        "the description says what each status does."
    )


def moment(at: datetime) -> str:
    """A time as people read it: 5 March 2026, 10:00 UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def _declared(fields: DeclaredFields | None) -> list[Fact]:
    """What the input schema says of people; a schema that declares nothing is told from one that is missing."""
    protected, identifiers = "", ""
    if fields:
        protected = ", ".join(fields.protected) or f"none of {fields.fields} fields"
        identifiers = ", ".join(fields.identifiers) or f"none of {fields.fields} fields"
    return [
        Fact(name="Protected classes declared in the input schema", value=protected),
        Fact(name="Identifiers declared in the input schema", value=identifiers),
    ]


def _content(subject: Subject, **sections: Any) -> TicketContent:
    request, model = subject.request, subject.model
    return TicketContent(
        model_name=model.name,
        model_id=model.model_id,
        description=model.description,
        requested_by=request.requested_by or "",
        four_eyes=request.options.four_eyes and request.requested_by is not None,
        **sections,
    )


def _results(summary: TestSummary) -> dict[str, Any]:
    findings = sum(summary.verdicts.get(word, 0) for word in NEED_ATTENTION)
    return {
        "summary": summary.overall,
        "verdicts": summary.verdicts,
        "notices": summary.notices,
        "more_findings": max(0, findings - len(summary.findings)),
        "findings": [Finding.model_validate(finding.model_dump()) for finding in summary.findings],
    }


def _changes(snapshot: Snapshot, run: TestRun, earlier: Sequence[TestRun], tested_before: str) -> list[str]:
    if not earlier:
        return []
    said: list[str] = []
    if tested_before:
        said.append(
            "Nothing: the model, its schema and its data assets are those of the last attempt."
            if tested_before == snapshot.snapshot_id
            else f"The model was corrected in ModelOp Center; this attempt tested a new snapshot, {snapshot.name}."
        )
    # An earlier error is kept shortened.
    before, now = earlier[-1].error or "", run.error or ""
    same = bool(before) and now.startswith(before)
    said.append("The job failed with the same error again." if same else "The job failed with another error.")
    return said


def _identity(subject: Subject) -> list[Fact]:
    model = subject.model
    return [
        Fact(name="Model", value=model.name, url=model.url),
        Fact(name="Model id", value=model.model_id),
        Fact(name="Version", value=str(model.version)),
        _endpoint_config(subject),
    ]


def _model_facts(subject: Subject) -> list[Fact]:
    model = subject.model
    return [
        *_identity(subject),
        Fact(name="Methodology", value=model.methodology),
        Fact(name="Business unit", value=model.organization),
        Fact(name="Use", value=model.use_category),
        Fact(name="Use case", value=subject.request.use_case_id or ""),
        Fact(name="Risk tier", value=model.risk),
        _requester(subject),
    ]


def _requester(subject: Subject) -> Fact:
    return Fact(name="Requested by", value=subject.request.requested_by or "")


def _endpoint_config(subject: Subject) -> Fact:
    name = subject.request.endpoint_config_name
    value = f"{name} ({_verified(subject)})" if name else ""
    return Fact(name="SageMaker endpoint configuration", value=value, url=subject.endpoint_config_url)


def _verified(subject: Subject) -> str:
    endpoint = subject.endpoint
    if endpoint is None:
        return "read from AWS when the snapshot is taken" if subject.endpoint_is_read else "not verified against AWS"
    found = f"read from AWS on {moment(endpoint.read_at)}"
    return f"{found}; no variant is recognised as this model" if endpoint.serves_model is False else found


def _snapshot_fact(snapshot: Snapshot) -> Fact:
    return Fact(name="Snapshot", value=snapshot.name or snapshot.snapshot_id, url=snapshot.url)


def _asset_line(asset: Asset) -> str:
    size = f", {asset.size:,} bytes" if asset.size is not None else ""
    return f"{asset.role or 'no role'}: {asset.name}{size}"


def _names(run: TestRun) -> str:
    return ", ".join(m.monitor or "unrecognised" for m in run.failed_monitors) or "none"


def _decision_lines(decisions: Sequence[Decision], url_of: Mapping[str, str]) -> list[DecisionLine]:
    return [
        DecisionLine(
            gate=d.gate,
            ticket=d.ticket,
            url=url_of.get(d.ticket, ""),
            verdict=d.verdict,
            decided_by=d.decided_by_name or d.decided_by,
            decided_at=moment(d.decided_at),
            comment=d.comment,
        )
        for d in decisions
    ]
