"""What SageMaker says of the endpoint configuration: frozen with the snapshot, shown to people, compared at the end."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira.types import Gate
from tests.workflows.world import Process, World, problem

NAME = "credit-2026-11"
FACT = "SageMaker endpoint configuration"


@pytest.fixture
def world() -> World:
    """A site that reads AWS."""
    world = World()
    world.settings = world.settings.model_copy(update={"aws_region": "eu-central-1", "reads_endpoint_config": True})
    return world


def start_request(world: World, **options: object) -> dict[str, object]:
    return {"model_id": world.model_id, "endpoint_config_name": NAME, "options": options}


def shown(world: World, gate: Gate) -> str:
    """What the gate's ticket says of the endpoint configuration."""
    content = world.ticket(gate).request.content
    return next(fact.value for fact in [*content.facts, *content.decided_on] if fact.name == FACT)


async def test_it_is_read_before_the_snapshot_and_compared_before_the_deployment(
    process: Process, world: World
) -> None:
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome == "DEPLOYED"
    (read,), (verified,) = world.endpoints_read, world.endpoints_verified
    assert (read.name, read.known_as) == (NAME, ["Credit | Scoring"])
    assert world.snapshots[0].endpoint == world.documents[0].endpoint == world.deployed[0].endpoint == verified
    assert verified.name == NAME


async def test_each_ticket_says_whether_it_was_read(process: Process, world: World) -> None:
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    assert shown(world, Gate.PIA) == f"{NAME} (read from AWS when the snapshot is taken)"
    assert shown(world, Gate.PRODUCTION) == f"{NAME} (read from AWS on 22 November 2026, 12:00 UTC)"


async def test_without_a_region_it_is_neither_read_nor_compared_and_tickets_say_so(
    process: Process, world: World
) -> None:
    world.settings = world.settings.model_copy(update={"reads_endpoint_config": False})
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome == "DEPLOYED"
    assert (world.endpoints_read, world.endpoints_verified) == ([], [])
    assert world.documents[0].endpoint is None
    assert shown(world, Gate.PRODUCTION) == f"{NAME} (not verified against AWS)"


async def test_a_request_that_names_none_asks_aws_nothing(process: Process, world: World) -> None:
    await process.start()
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    assert (world.endpoints_read, world.endpoints_verified) == ([], [])
    assert shown(world, Gate.PRODUCTION) == ""


async def test_one_that_is_missing_blocks_before_the_snapshot(process: Process, world: World) -> None:
    world.failures["read_endpoint_config"] = [problem("NotFound", "SageMaker in eu-central-1 has no such thing")]
    await process.start(start_request(world))
    await process.decide("PiaApproval")
    status = await process.blocked("NotFound")
    assert status.blocked and "eu-central-1" in status.blocked.message and world.snapshots == []
    await process.handle.execute_update("resume")
    await process.approve("ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome == "DEPLOYED"


async def test_one_that_changed_blocks_the_deployment_until_it_is_put_back(process: Process, world: World) -> None:
    world.failures["verify_endpoint_config"] = [problem("EndpointChanged", "capacity: 1 became 2")] * 2
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    status = await process.blocked("EndpointChanged")
    assert status.blocked and "capacity: 1 became 2" in status.blocked.message and not status.blocked.transient
    await process.handle.execute_update("resume")
    await process.until(lambda _: world.asked["verify_endpoint_config"] == 2)
    await process.blocked("EndpointChanged")
    assert world.deployed == []
    await process.handle.execute_update("resume")
    assert (await process.handle.result()).outcome == "DEPLOYED"
    assert len(world.tickets) == 3, "nobody was asked again"


async def test_one_that_changed_can_end_in_an_abort_that_deploys_nothing(process: Process, world: World) -> None:
    world.always["verify_endpoint_config"] = problem("EndpointChanged", "it is gone")
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.blocked("EndpointChanged")
    await process.handle.execute_update("abort", {"reason": "endpoint withdrawn"})
    assert (await process.handle.result()).outcome == "ABORTED" and world.deployed == []


async def test_what_was_read_is_compared_even_if_a_later_worker_has_no_region(process: Process, world: World) -> None:
    await process.start(start_request(world))
    await process.approve("PiaApproval", "ResultsApproval")
    await process.waiting_on("ProductionApproval")
    world.settings = world.settings.model_copy(update={"reads_endpoint_config": False})
    world.failures["verify_endpoint_config"] = [
        ApplicationError("set MLC_SAGEMAKER__REGION", type="SageMakerNotConfigured", non_retryable=True)
    ]
    await process.approve("ProductionApproval")
    await process.blocked("SageMakerNotConfigured")
    assert world.deployed == []
    await process.handle.execute_update("resume")
    assert (await process.handle.result()).outcome == "DEPLOYED"


async def test_a_new_snapshot_is_taken_with_what_aws_says_then(process: Process, world: World) -> None:
    world.roles = ["BASELINE_DATA"]
    await process.start(start_request(world))
    await process.decide("PiaApproval")
    await process.blocked("MissingAssets")
    world.roles = ["BASELINE_DATA", "COMPARATOR_DATA"]
    await process.handle.execute_update("resume")
    await process.approve("ResultsApproval", "ProductionApproval")
    await process.handle.result()
    assert [each.endpoint.read_at.second for each in world.snapshots if each.endpoint] == [1, 2]
    assert world.endpoints_verified[0].read_at.second == 2
