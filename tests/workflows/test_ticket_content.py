"""What the process puts into its tickets, from the contract's types to what people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from activities.jira.types import Fact, TicketContent
from activities.modelop.types import (
    Asset,
    BusinessModel,
    DeclaredFields,
    LimitsUsed,
    Prerequisite,
    Snapshot,
    TestFinding,
    TestSummary,
)
from activities.review_document.types import ReviewDocument
from workflows import ticket_content
from workflows.contract import Decision, FailedMonitor, Gate, ImplementationRequest, TestRun, Verdict

MODEL_ID = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"
URLS = {"GOV-1": "http://jira.example/browse/GOV-1"}
SNAPSHOT = Snapshot(snapshot_id="s-2", name="German Credit_v2", model_version=3, fingerprint="f", url="http://m/s-2")
PIA_DECISION = Decision(
    gate=Gate.PIA,
    ticket="GOV-1",
    verdict=Verdict.DONE,
    decided_by="paul",
    decided_by_name="Paul Prior",
    decided_at=datetime(2026, 3, 5, 0, 30, tzinfo=timezone(timedelta(hours=2))),
    comment="Register entry 112.",
)


def subject(**request: Any) -> ticket_content.Subject:
    return ticket_content.Subject(
        request=ImplementationRequest.model_validate({"model_id": MODEL_ID, **request}),
        model=BusinessModel(
            model_id=MODEL_ID,
            name="German Credit",
            version=3,
            type="SAGEMAKER",
            methodology="Classification",
            risk="Tier 2",
            assets=[Asset(name="baseline.csv", role="BASELINE_DATA", size=61234), Asset(name="model.tar.gz", role="")],
            fingerprint="f",
            url="http://m/1",
        ),
        endpoint_config_url="https://aws.example/endpointConfig",
    )


def values(facts: list[Fact]) -> dict[str, str]:
    return {fact.name: fact.value for fact in facts}


def failed(attempt: int, error: str) -> TestRun:
    return TestRun(attempt=attempt, job_id=f"job-{attempt}", status="ERROR", error=error)


def failure(run: TestRun, **more: Any) -> TicketContent:
    return ticket_content.test_failure(subject(options={"max_test_runs": 4}), SNAPSHOT, run, "http://m/job", **more)


def test_the_privacy_ticket_gets_what_is_known_of_the_processing_and_gaps_for_the_rest() -> None:
    content = ticket_content.privacy(subject(), [Prerequisite(name="Baseline", found=True, detail="baseline.csv")])
    assert values(content.processing) == {
        "Use": "",
        "Use case": "",
        "Methodology": "Classification",
        "Business unit": "",
        "Protected classes declared in the input schema": "",
        "Identifiers declared in the input schema": "",
    }
    assert values(content.risks) == {"Risk tier in ModelOp Center": "Tier 2"}
    assert content.data_assets == ["BASELINE_DATA: baseline.csv, 61,234 bytes", "no role: model.tar.gz"]
    assert [line.name for line in content.prerequisites] == ["Baseline"]


def test_what_the_input_schema_declares_of_people_is_named() -> None:
    about = subject()
    about.model.declared_fields = DeclaredFields(fields=24, protected=["age_group", "sex"])
    processing = values(ticket_content.privacy(about, []).processing)
    assert processing["Protected classes declared in the input schema"] == "age_group, sex"
    assert processing["Identifiers declared in the input schema"] == "none of 24 fields"


def test_the_model_and_its_endpoint_configuration_are_linked() -> None:
    content = ticket_content.privacy(subject(endpoint_config_name="prod-7"), [])
    links = {fact.name: fact.url for fact in content.facts if fact.url}
    assert links == {
        "Model": "http://m/1",
        "SageMaker endpoint configuration": "https://aws.example/endpointConfig",
    }


@pytest.mark.parametrize(
    ("request_more", "four_eyes", "requested_by"),
    [
        ({"requested_by": "rita"}, True, "rita"),
        ({"requested_by": "rita", "options": {"four_eyes": False}}, False, "rita"),
        ({}, False, ""),
    ],
)
def test_the_requester_is_named_as_kept_from_deciding_only_where_that_holds(
    request_more: dict[str, Any], four_eyes: bool, requested_by: str
) -> None:
    content = ticket_content.privacy(subject(**request_more), [])
    assert (content.four_eyes, content.requested_by) == (four_eyes, requested_by)


def test_a_first_failure_has_nothing_to_be_compared_with() -> None:
    content = failure(failed(1, "boom"))
    assert (content.attempt, content.max_attempts, content.error) == (1, 4, "boom")
    assert values(content.decided_on) == {
        "Job": "job-1",
        "Status of the job": "ERROR",
        "Snapshot": "German Credit_v2",
    }
    assert content.changes == [] and content.earlier_attempts == []


@pytest.mark.parametrize(
    ("tested_before", "error", "expected"),
    [
        ("s-2", "boom", ["Nothing: the model, its schema", "The job failed with the same error again."]),
        ("s-1", "bang", ["The model was corrected", "The job failed with another error."]),
        # An earlier error is kept shortened.
        ("", "boom, and what the history no longer holds", ["The job failed with the same error again."]),
    ],
)
def test_a_repeated_failure_says_what_changed_since(tested_before: str, error: str, expected: list[str]) -> None:
    content = failure(
        failed(2, error),
        earlier=[failed(1, "boom")],
        tested_before=tested_before,
        decisions=[PIA_DECISION],
        url_of=URLS,
    )
    assert len(content.changes) == len(expected)
    assert all(said.startswith(begin) for said, begin in zip(content.changes, expected, strict=True))
    assert [(line.attempt, line.job_id, line.error) for line in content.earlier_attempts] == [(1, "job-1", "boom")]
    assert content.decisions[0].url == URLS["GOV-1"]


def test_the_review_ticket_gets_the_verdicts_and_how_many_findings_are_not_listed() -> None:
    run = TestRun(
        attempt=1,
        job_id="job-1",
        status="COMPLETE",
        result_id="r-1",
        failed_monitors=[FailedMonitor(monitor="bias", message="m"), FailedMonitor(monitor="", message="m")],
    )
    summary = TestSummary(
        overall="Needs attention: 3 tests failed",
        verdicts={"PASS": 9, "FAIL": 3, "ERROR": 2, "NOT EVALUATED": 1, "INFORMATION": 4},
        findings=[TestFinding(word="FAIL", test="CSI", subject="age", reason="0.3", consequence="Moved.")],
        limits=LimitsUsed(title="limits.dmn"),
        notices=["Row 4 is not understood."],
    )
    content = ticket_content.review(subject(), SNAPSHOT, run, [], {}, summary=summary)
    assert (content.summary, content.verdicts) == (summary.overall, summary.verdicts)
    assert [finding.model_dump() for finding in content.findings] == [summary.findings[0].model_dump()]
    assert (content.more_findings, content.notices) == (5, ["Row 4 is not understood."])
    facts = values(content.facts)
    assert facts["Limits of the verdicts"] == "limits.dmn"
    assert facts["Monitors that failed to run"] == "bias, unrecognised"

    bare = ticket_content.review(subject(), SNAPSHOT, run, [], {})
    assert (bare.summary, bare.findings, bare.more_findings) == ("", [], 0)


def test_the_production_ticket_names_exactly_what_goes_into_production() -> None:
    document = ReviewDocument(
        filename="Model-Review-German-Credit-1a2b3c4d.docx",
        sha256="1a2b3c4d" * 8,
        content_sha256="9f8e7d6c" * 8,
        size=1,
        attachment_id="1",
        attached_at=datetime(2026, 3, 5, tzinfo=UTC),
        verdicts={"PASS": 9, "FAIL": 1},
    )
    content = ticket_content.production(
        subject(endpoint_config_name="prod-7"), SNAPSHOT, document, [PIA_DECISION], URLS
    )
    assert values(content.decided_on) == {
        "Snapshot": "German Credit_v2",
        "Snapshot id": "s-2",
        "Version of the model": "3",
        "SageMaker endpoint configuration": "prod-7 (not verified against AWS)",
        "Review document": "Model-Review-German-Credit-1a2b3c4d.docx",
        "Its SHA-256 begins with": "1a2b3c4d1a2b3c4d",
        "Tests in the document": "9 PASS, 1 FAIL",
    }
    (decision,) = content.decisions
    assert decision.model_dump() == {
        "gate": "PiaApproval",
        "ticket": "GOV-1",
        "url": URLS["GOV-1"],
        "verdict": "DONE",
        "decided_by": "Paul Prior",
        "decided_at": "4 March 2026, 22:30 UTC",
        "comment": "Register entry 112.",
    }


def test_a_reminder_says_since_when_and_what_to_do() -> None:
    said = ticket_content.reminder(PIA_DECISION.decided_at)
    assert said.startswith("This ticket has waited for a decision since 4 March 2026, 22:30 UTC. Please decide, or")
