from __future__ import annotations

from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from activities.jira.types import Gate
from tests.workflows.world import Process, World
from workflows.contract import MlcStage, Outcome, workflow_id


async def deploy(process: Process) -> WorkflowHandle:
    handle = await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    return handle


async def test_a_model_that_everybody_approves_is_deployed(process: Process, world: World) -> None:
    handle = await process.start()
    await process.decide("PiaApproval", by="paul")
    await process.decide("ResultsApproval", by="vera")
    await process.decide("ProductionApproval", by="aaron")
    result = await handle.result()

    assert result.outcome is Outcome.DEPLOYED
    assert result.stage is MlcStage.DEPLOYED
    assert (result.snapshot_id, result.deployed_model_id) == ("snapshot-1", "deployed-1")
    assert [(d.gate, d.ticket, d.verdict, d.decided_by, d.comment) for d in result.decisions] == [
        ("PiaApproval", "GOV-1", "DONE", "paul", "because"),
        ("ResultsApproval", "GOV-2", "DONE", "vera", "because"),
        ("ProductionApproval", "GOV-3", "DONE", "aaron", "because"),
    ]
    assert [(r.attempt, r.job_id, r.status, r.result_id) for r in result.test_runs] == [
        (1, "job-1", "COMPLETE", "result-1")
    ]
    assert result.document is not None and result.document.sha256 == "ab" * 32


async def test_each_effect_happens_once_and_the_snapshot_gets_what_was_approved(process: Process, world: World) -> None:
    await (await deploy(process)).result()

    assert [t.request.gate for t in world.tickets.values()] == [Gate.PIA, Gate.RESULTS, Gate.PRODUCTION]
    assert len(world.snapshots) == len(world.jobs) == len(world.documents) == len(world.deployed) == 1
    (archived,) = world.archived
    assert archived.ticket.key == "GOV-2"
    assert archived.document.sha256 == world.deployed[0].document_sha256
    assert [d.gate for d in world.deployed[0].decisions] == ["PiaApproval", "ResultsApproval", "ProductionApproval"]
    assert world.deployed[0].code_version == "test"
    (superseding,) = world.superseded
    assert superseding.workflow_id == process.workflow_id


async def test_every_ticket_is_mirrored_while_it_is_open_and_the_end_is_told(process: Process, world: World) -> None:
    handle = await process.start()
    await process.waiting_on("PiaApproval")
    await process.until(lambda _: "ticket:PiaApproval:1" in world.notifications)
    (mirror,) = world.open_notifications()
    assert mirror.type == "MODEL_APPROVAL_NOTIFICATION"
    assert mirror.approval_type == "PIA Approval Request"
    assert mirror.ticket is not None and mirror.ticket.key == "GOV-1"
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await handle.result()

    assert world.open_notifications() == []
    assert world.closed["ticket:PiaApproval:1"].closed_by == "paul"
    assert world.closed["ticket:PiaApproval:1"].ticket_status == "Done"
    assert world.notifications["ticket:ResultsApproval:1"].type == "MODEL_DOCUMENT_REVIEW_NOTIFICATION"
    end = world.notifications["end:Deployed"]
    assert (end.type, end.severity) == ("MODEL_NOTIFICATION", "INFO")
    assert end.message == "Credit | Scoring: deployed in production"


async def test_search_attributes_follow_the_run(process: Process) -> None:
    handle = await process.start()
    key = await process.waiting_on("PiaApproval")
    described = (await handle.describe()).typed_search_attributes
    values = {pair.key.name: pair.value for pair in described}
    assert values["MlcModelId"] == process.world.model_id
    assert values["MlcStage"] == "PiaApproval"
    assert values["MlcTicket"] == key
    assert values["MlcBlocked"] is False

    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await handle.result()
    values = {pair.key.name: pair.value for pair in (await handle.describe()).typed_search_attributes}
    assert values["MlcStage"] == "Deployed"
    assert "MlcTicket" not in values


async def test_the_web_ui_shows_steps_tickets_and_what_is_waited_for(process: Process) -> None:
    handle = await process.start()
    await process.decide("PiaApproval")
    await process.decide("ResultsApproval", by="vera")
    await process.waiting_on("ProductionApproval")
    metadata = await handle.query("__temporal_workflow_metadata")
    details = metadata.current_details

    assert details.startswith("### Credit \\| Scoring: ProductionApproval")
    assert "Waits for a decision on [GOV-3](http://jira/browse/GOV-3)" in details
    assert "| [GOV-2](http://jira/browse/GOV-2), `Model-Review.docx` | DONE by Vera |" in details
    signals = {d.name: d.description for d in metadata.definition.signal_definitions}
    assert "hint" in signals["jira_status_changed"]
    updates = {d.name: d.description for d in metadata.definition.update_definitions}
    assert updates["abort"] and updates["resume"]
    await process.approve("ProductionApproval")
    await handle.result()


async def test_every_activity_carries_a_summary(process: Process) -> None:
    handle = await deploy(process)
    await handle.result()
    scheduled = [
        e async for e in handle.fetch_history_events() if e.HasField("activity_task_scheduled_event_attributes")
    ]
    assert len(scheduled) >= 20
    assert all(e.user_metadata.HasField("summary") for e in scheduled)


async def test_starting_twice_joins_the_running_implementation(process: Process, world: World) -> None:
    first = await process.start()
    second = await process.client.start_workflow(
        "SagemakerModelImplementation",
        {"model_id": world.model_id.upper()},
        id=workflow_id(world.model_id),
        task_queue=process.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    assert second.first_execution_run_id == first.first_execution_run_id
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await first.result()
    assert len(world.tickets) == 3


async def test_tickets_link_the_endpoint_configuration_in_the_aws_console(process: Process, world: World) -> None:
    world.settings = world.settings.model_copy(update={"aws_region": "eu-central-1"})
    handle = await process.start({"model_id": world.model_id, "endpoint_config_name": "credit-2026"})
    key = await process.waiting_on("PiaApproval")
    (fact,) = [f for f in world.tickets[key].request.content.facts if f.value.startswith("credit-2026 (")]
    assert fact.url == (
        "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/endpointConfig/credit-2026"
    )
    await handle.execute_update("abort", {"reason": "seen enough"})
    await handle.result()
