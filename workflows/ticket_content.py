"""What each gate's ticket says, gathered from what the run knows."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow

from workflows.contract import Decision, ImplementationRequest, TestRun

with workflow.unsafe.imports_passed_through():
    from activities.jira.types import DecisionLine, Fact, PrerequisiteLine, TicketContent
    from activities.modelop.types import Asset, BusinessModel, Prerequisite, Snapshot
    from activities.review_document.types import ReviewDocument

NOT_PROVIDED = "not provided"


@dataclass(frozen=True)
class Subject:
    """What every ticket is about."""

    request: ImplementationRequest
    model: BusinessModel
    endpoint_config_url: str


def privacy(subject: Subject, prerequisites: list[Prerequisite]) -> TicketContent:
    """The PIA Approval Request: the model, its data, and what of the process's prerequisites is in place."""
    return TicketContent(
        model_name=subject.model.name,
        model_id=subject.model.model_id,
        description=subject.model.description,
        facts=_model_facts(subject),
        data_assets=[_asset_line(asset) for asset in subject.model.assets],
        prerequisites=[PrerequisiteLine(name=p.name, found=p.found, detail=p.detail) for p in prerequisites],
    )


def test_failure(subject: Subject, snapshot: Snapshot, run: TestRun, job_url: str) -> TicketContent:
    """The Test Failure: which job failed on which snapshot, with the job's own words."""
    return TicketContent(
        model_name=subject.model.name,
        model_id=subject.model.model_id,
        facts=[
            *_model_facts(subject),
            _snapshot_fact(snapshot),
            Fact(name="Test job", value=run.job_id, url=job_url),
            Fact(name="Job status", value=run.status),
        ],
        error=run.error or "",
        attempt=run.attempt,
    )


def review(
    subject: Subject,
    snapshot: Snapshot,
    run: TestRun,
    decisions: list[Decision],
    url_of: dict[str, str],
) -> TicketContent:
    """The Model Review: the results that the attached document explains."""
    return TicketContent(
        model_name=subject.model.name,
        model_id=subject.model.model_id,
        description=subject.model.description,
        facts=[
            *_model_facts(subject),
            _snapshot_fact(snapshot),
            Fact(name="Standard Risk Tests", value=f"attempt {run.attempt}, result {run.result_id}"),
            Fact(name="Monitors that failed to run", value=_names(run)),
        ],
        decisions=_decision_lines(decisions, url_of),
    )


def production(
    subject: Subject,
    snapshot: Snapshot,
    document: ReviewDocument,
    decisions: list[Decision],
    url_of: dict[str, str],
) -> TicketContent:
    """The Production Approval: everything decided so far and the document it rests on."""
    return TicketContent(
        model_name=subject.model.name,
        model_id=subject.model.model_id,
        description=subject.model.description,
        facts=[
            *_model_facts(subject),
            _snapshot_fact(snapshot),
            Fact(name="Review document", value=document.filename),
            Fact(name="SHA-256 of the document", value=document.sha256),
            Fact(
                name="Test verdicts",
                value=", ".join(f"{count} {word}" for word, count in sorted(document.verdicts.items())) or "none",
            ),
        ],
        decisions=_decision_lines(decisions, url_of),
    )


def _model_facts(subject: Subject) -> list[Fact]:
    request, model = subject.request, subject.model
    return [
        Fact(name="Model", value=model.name, url=model.url),
        Fact(name="Model id", value=model.model_id),
        Fact(name="Version", value=str(model.version)),
        Fact(name="Type", value=model.type),
        Fact(name="Methodology", value=model.methodology or NOT_PROVIDED),
        Fact(name="Business unit", value=model.organization or NOT_PROVIDED),
        Fact(name="Use", value=model.use_category or NOT_PROVIDED),
        Fact(name="Risk tier", value=model.risk or NOT_PROVIDED),
        Fact(name="Use case", value=request.use_case_id or NOT_PROVIDED),
        Fact(
            name="SageMaker endpoint configuration",
            value=request.endpoint_config_name or NOT_PROVIDED,
            url=subject.endpoint_config_url,
        ),
        Fact(name="Requested by", value=request.requested_by or NOT_PROVIDED),
    ]


def _snapshot_fact(snapshot: Snapshot) -> Fact:
    return Fact(name="Snapshot", value=snapshot.name or snapshot.snapshot_id, url=snapshot.url)


def _asset_line(asset: Asset) -> str:
    size = f", {asset.size:,} bytes" if asset.size is not None else ""
    return f"{asset.role}: {asset.name}{size}"


def _names(run: TestRun) -> str:
    return ", ".join(m.monitor or "unrecognised" for m in run.failed_monitors) or "none"


def _decision_lines(decisions: list[Decision], url_of: dict[str, str]) -> list[DecisionLine]:
    return [
        DecisionLine(
            gate=d.gate,
            ticket=d.ticket,
            url=url_of.get(d.ticket, ""),
            verdict=d.verdict,
            decided_by=d.decided_by_name or d.decided_by,
            decided_at=d.decided_at.isoformat(timespec="seconds"),
        )
        for d in decisions
    ]
