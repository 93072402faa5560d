from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import uuid
from typing import Any

import docx
import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from sandbox.modelop.seed import GERMAN_CREDIT, NO_LABELS, NOTEBOOK, STANDARD_RISK_TESTS
from tests.end_to_end.site import Run, Site
from tests.temporal_servers import TEMPORAL
from workflows.contract import Outcome, workflow_id


async def attachment_bytes(site: Site, key: str) -> tuple[dict[str, Any], bytes]:
    (attachment,) = (await site.issue(key))["fields"]["attachment"]
    return attachment, (await site.jira.get(attachment["content"])).content


def mark(entity: dict[str, Any], *path: str) -> dict[str, Any]:
    """The mark of the run that an object of ModelOp Center carries."""
    for part in (*path, "mlc"):
        entity = entity.get(part) or {}
    return entity


async def test_a_model_goes_from_registration_to_deployed_in_production(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT, requested_by="rita", endpoint_config_name="german-credit-2026-11")
    await run.decide("PiaApproval", "paul")
    review = await run.decide("ResultsApproval", "vera")
    await run.decide("ProductionApproval", "aaron")
    result = await run.handle.result()

    assert result.outcome is Outcome.DEPLOYED
    assert [(d.gate, d.decided_by, d.comment) for d in result.decisions] == [
        ("PiaApproval", "paul", "paul says Done"),
        ("ResultsApproval", "vera", "vera says Done"),
        ("ProductionApproval", "aaron", "aaron says Done"),
    ]
    snapshot = await site.entity(f"deployableModels/{result.snapshot_id}")
    assert snapshot["state"] == "DEPLOYED"
    assert snapshot["targetRuntimes"][0]["repositoryInfo"]["endpointConfigName"] == "german-credit-2026-11"
    record = snapshot["metaData"]["custom"]["mlc"]
    assert record["workflowId"] == run.handle.id
    assert [d["decidedBy"] for d in record["decisions"]] == ["paul", "vera", "aaron"]
    deployed = await site.entity(f"deployedModels/{result.deployed_model_id}")
    assert deployed["state"] == "DEPLOYED" and deployed["engine"]["inProduction"] is True

    attachment, reviewed = await attachment_bytes(site, review)
    (document,) = snapshot["modelDocuments"]
    assert result.document is not None
    assert hashlib.sha256(reviewed).hexdigest() == result.document.sha256
    assert base64.b64decode(document["fileContent"]) == reviewed
    assert document["filename"] == attachment["filename"] == result.document.filename
    text = "\n".join(p.text for p in docx.Document(io.BytesIO(reviewed)).paragraphs)
    assert "German Credit Scoring" in text


async def test_everything_is_there_once_and_every_notification_of_a_ticket_is_closed(site: Site) -> None:
    tickets_before = set(await site.people.tickets_of(workflow_id(GERMAN_CREDIT)))
    run = await site.start(GERMAN_CREDIT)
    await run.approve_all()
    result = await run.handle.result()

    run_id = (await run.handle.describe()).run_id
    mine = [s for s in await site.all("deployableModels") if mark(s, "metaData", "custom").get("runId") == run_id]
    jobs = [j for j in await site.all("jobs") if mark(j, "jobParameters").get("runId") == run_id]
    results = [r for r in await site.all("modelTestResults") if r["jobId"] in {j["id"] for j in jobs}]
    marks = [d for d in await site.all("deployedModels") if d["deployableModel"]["id"] in {s["id"] for s in mine}]
    assert [len(found) for found in (mine, jobs, results, marks)] == [1, 1, 1, 1]
    tickets_now = set(await site.people.tickets_of(run.handle.id))
    assert tickets_now - tickets_before == {d.ticket for d in result.decisions}
    notifications = await site.notifications_since(run)
    tickets = [n for n in notifications if (n.get("assignment") or {}).get("issueId")]
    assert sorted(n["approvalType"] for n in tickets) == ["Model Review", "PIA Approval Request", "Production Approval"]
    assert {n["assignment"]["assignmentType"] for n in tickets} == {"JIRA_NOTIFICATION_ASSIGNMENT"}
    assert [n["open"] for n in tickets] == [False, False, False]
    ends = [n for n in notifications if n["notificationType"] == "MODEL_NOTIFICATION"]
    assert [n["severity"] for n in ends] == ["INFO"]


async def test_a_rejected_document_ends_the_run_with_an_error_notification(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    await run.decide("PiaApproval", "paul")
    key = await run.decide("ResultsApproval", "vera", "Rejected")
    result = await run.handle.result()

    assert result.outcome is Outcome.REJECTED
    errors = [n for n in await site.notifications_since(run) if n["notificationType"] == "PROCESS_NOTIFICATION"]
    (error,) = errors
    assert error["severity"] == "ERROR" and key in error["message"] and "Vera" in error["message"]
    snapshot = await site.entity(f"deployableModels/{result.snapshot_id}")
    assert snapshot["modelDocuments"] == [] and snapshot["state"] != "DEPLOYED"


async def test_a_monitor_that_fails_to_run_is_notified_and_one_that_does_not_apply_is_not(site: Site) -> None:
    run = await site.start(NO_LABELS)
    await run.decide("PiaApproval", "paul")
    await run.waiting_on("ResultsApproval")
    (test_run,) = (await run.status()).test_runs
    told = [n for n in await site.notifications_since(run) if n["notificationType"] == "MODEL_TEST_NOTIFICATION"]

    failed = [m.monitor for m in test_run.failed_monitors]
    assert any("performance" in name.lower() for name in failed)
    assert len(told) == len(failed) and {n["severity"] for n in told} == {"WARN"}
    assert test_run.not_applicable
    assert not any("regression" in n["message"].lower() for n in told)
    await run.abort()


async def test_a_missing_risk_tests_snapshot_blocks_until_it_is_there(site: Site) -> None:
    await site.patch(f"storedModels/{STANDARD_RISK_TESTS}", {"modelMetaData": {"name": "Renamed Tests"}})
    try:
        run = await site.start(GERMAN_CREDIT)
        await run.decide("PiaApproval", "paul")
        await run.blocked("RiskTestsMissing")
    finally:
        await site.patch(f"storedModels/{STANDARD_RISK_TESTS}", {"modelMetaData": {"name": "Standard Risk Tests"}})
    await run.handle.execute_update("resume", {"reason": "the name is right again"})
    await run.waiting_on("ResultsApproval")
    errors = [n for n in await site.notifications_since(run) if n["notificationType"] == "PROCESS_NOTIFICATION"]
    (error,) = errors
    assert "Standard Risk Tests" in error["message"] and error["open"] is False
    await run.abort()


async def test_an_aborted_runs_ticket_is_closed_and_says_why(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    key = await run.waiting_on("PiaApproval")
    await run.handle.execute_update("abort", {"reason": "model withdrawn"})
    assert (await run.handle.result()).outcome is Outcome.ABORTED
    issue = await site.issue(key)
    assert issue["fields"]["status"]["name"] == "Rejected"
    assert "model withdrawn" in issue["fields"]["comment"]["comments"][-1]["body"]


async def test_tickets_of_a_terminated_run_are_superseded_by_the_next_start(site: Site) -> None:
    run = await site.start(GERMAN_CREDIT)
    left_open = await run.waiting_on("PiaApproval")
    await run.handle.terminate(reason="a test of what follows")
    again = await site.start(GERMAN_CREDIT)
    key = await again.waiting_on("PiaApproval")
    assert key != left_open
    issue = await site.issue(left_open)
    assert issue["fields"]["status"]["name"] == "Rejected"
    assert "supersede" in issue["fields"]["comment"]["comments"][-1]["body"].lower()
    assert (await again.status()).waiting_on is not None
    await again.abort()


async def test_an_unknown_model_and_a_model_of_another_type_bother_nobody(site: Site) -> None:
    for model_id, failure in ((str(uuid.uuid4()), "ModelNotFound"), (NOTEBOOK, "WrongModelType")):
        run = await site.start(model_id)
        with pytest.raises(WorkflowFailureError) as ended:
            await run.handle.result()
        assert isinstance(ended.value.cause, ApplicationError)
        assert ended.value.cause.type == failure
        assert await site.people.tickets_of(run.handle.id) == []
        assert await site.notifications_since(run) == []


async def test_start_and_signal_with_plain_json_as_any_other_client_does(site: Site) -> None:
    def temporal(*arguments: str) -> Any:
        command = [str(TEMPORAL), "workflow", *arguments, "--address", site.stack.addresses.temporal, "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    identity = workflow_id(GERMAN_CREDIT)
    started = temporal(
        *("start", "--type", "SagemakerModelImplementation", "--task-queue", "sagemaker-mlc"),
        *("--workflow-id", identity, "--input", json.dumps({"model_id": GERMAN_CREDIT, "requested_by": "rita"})),
        *("--id-conflict-policy", "UseExisting", "--id-reuse-policy", "AllowDuplicate"),
    )
    assert started["workflowId"] == identity
    run = Run(site, site.client.get_workflow_handle(identity))
    key = await run.waiting_on("PiaApproval")
    before = (await run.handle.describe()).history_length
    temporal(
        *("signal", "--workflow-id", identity, "--name", "jira_status_changed"),
        *("--input", json.dumps({"issue_key": key, "status": "Done"})),
    )
    # The ticket was read because of the signal, and the read did not justify going on.
    description = await run.handle.describe()
    while description.history_length <= before + 4:
        description = await run.handle.describe()
    status = await run.status()
    assert status.waiting_on is not None and status.waiting_on.ticket == key and status.decisions == []
    await run.abort()
