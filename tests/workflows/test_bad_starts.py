from __future__ import annotations

import uuid
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from tests.workflows.world import Process, World, problem
from workflows.contract import MlcStage


async def failure(process: Process, *args: Any, workflow_id: str | None = None) -> ApplicationError:
    handle = await process.start(*args, workflow_id=workflow_id)
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    return raised.value.cause


BAD_PAYLOADS: dict[str, Any] = {
    "no argument": RawValue(Payload(metadata={"encoding": b"binary/null"})),
    "a string": "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01",
    "a number": 7,
    "a list": [{"model_id": "x"}],
    "no model id": {"requested_by": "rita"},
    "a malformed model id": {"model_id": "../../etc"},
    "options of the wrong shape": {"model_id": str(uuid.uuid4()), "options": {"max_test_runs": "many"}},
    "reminders beyond the calendar": {"model_id": str(uuid.uuid4()), "options": {"reminder_after": "P9000000D"}},
    "reminders before the question": {"model_id": str(uuid.uuid4()), "options": {"reminder_after": "-P1D"}},
    "a use case of two megabytes": {"model_id": str(uuid.uuid4()), "use_case_id": "x" * 2_000_000},
}

DAMAGED_PAYLOADS = {
    "broken JSON": (b"json/plain", b'{"requested_by": "Rita Roth", broken', "Invalid JSON: key must be a string"),
    "JSON nested too deeply": (b"json/plain", b"[" * 100_000, "Invalid JSON: recursion limit exceeded"),
    "text that is not UTF-8": (b"json/plain", b"\xff\xfe", "Invalid JSON: expected value"),
    "an unknown encoding": (b"avro/binary", b"\x00", "Unknown payload encoding avro/binary"),
}


@pytest.mark.parametrize("payload", BAD_PAYLOADS.values(), ids=BAD_PAYLOADS.keys())
async def test_a_bad_start_fails_at_once_and_says_what_is_expected(
    process: Process, world: World, payload: Any
) -> None:
    error = await failure(process, payload)
    assert error.type == "InvalidRequest"
    assert 'start the process with one JSON object: {"model_id": "<StoredModel UUID>", …}' in error.message
    assert world.asked == {}
    assert (await process.status()).stage is MlcStage.FAILED


@pytest.mark.parametrize(("encoding", "data", "why"), DAMAGED_PAYLOADS.values(), ids=DAMAGED_PAYLOADS.keys())
async def test_a_damaged_start_fails_at_once_and_says_what_is_wrong_with_it_without_quoting_it(
    process: Process, world: World, encoding: bytes, data: bytes, why: str
) -> None:
    error = await failure(process, RawValue(Payload(metadata={"encoding": encoding}, data=data)))
    assert error.type == "InvalidRequest"
    assert why in error.message
    assert "Rita" not in error.message and "\n" not in error.message
    assert 'start the process with one JSON object: {"model_id": "<StoredModel UUID>", …}' in error.message
    assert world.asked == {}


async def test_a_start_without_any_argument_fails_at_once(process: Process, world: World) -> None:
    handle = await process.client.start_workflow(
        "SagemakerModelImplementation", id=process.workflow_id, task_queue=process.task_queue
    )
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "InvalidRequest"


async def test_a_run_under_another_id_than_its_models_is_refused(process: Process, world: World) -> None:
    error = await failure(process, {"model_id": world.model_id}, workflow_id=f"my-own-{uuid.uuid4()}")
    assert error.type == "InvalidRequest"
    assert f"sagemaker-mlc-{world.model_id}" in error.message


async def test_a_second_argument_unknown_fields_and_null_options_are_ignored(process: Process, world: World) -> None:
    await process.start({"model_id": world.model_id, "colour": "red", "options": None}, {"anything": 1})
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    assert (await process.handle.result()).outcome == "DEPLOYED"


async def test_an_unknown_model_fails_the_run_and_bothers_nobody(process: Process, world: World) -> None:
    world.failures["read_business_model"] = [problem("NotFound")]
    error = await failure(process)
    assert error.type == "ModelNotFound"
    assert world.model_id in error.message
    assert world.tickets == {} and world.notifications == {}
    assert (await process.status()).stage is MlcStage.FAILED


async def test_a_model_of_another_type_fails_the_run_and_bothers_nobody(process: Process, world: World) -> None:
    world.model_type = "PYTHON"
    error = await failure(process)
    assert error.type == "WrongModelType"
    assert "is of type PYTHON" in error.message
    assert world.tickets == {} and world.notifications == {}


async def test_a_model_that_is_gone_after_a_block_fails_the_run_and_withdraws_the_notification(
    process: Process, world: World
) -> None:
    world.failures["read_business_model"] = [problem("Forbidden"), problem("NotFound")]
    handle = await process.start()
    await process.blocked("Forbidden")
    await process.until(lambda _: "block:1" in world.notifications)
    await handle.execute_update("resume")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    status = await process.status()
    assert (status.stage, status.blocked) == (MlcStage.FAILED, None)
    assert world.open_notifications() == []


async def test_refused_credentials_block_the_run_instead_of_failing_it(process: Process, world: World) -> None:
    world.failures["read_business_model"] = [problem("Unauthorized", "ModelOp Center answered 401")]
    await process.start()
    status = await process.blocked("Unauthorized")
    assert status.stage is MlcStage.REGISTERED
    await process.handle.execute_update("resume")
    await process.waiting_on("PiaApproval")
    await process.handle.execute_update("abort", {"reason": "seen enough"})
    assert (await process.handle.result()).outcome == "ABORTED"
