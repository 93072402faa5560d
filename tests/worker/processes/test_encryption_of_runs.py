"""Whole runs on a Temporal server with encryption: what the server keeps, what replays, and what a missing key does."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistory,
)
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from console.desk import Desk
from tests.temporal_servers import dev_server
from tests.worker.keys import new_key, ring
from tests.workflows.world import Process, World, problem, process_worker
from worker.data_converter import encrypting_data_converter
from worker.encryption import KeyRing, UnknownKeyError
from worker.wiring import WORKFLOWS, activity_methods
from workflows.contract import UPDATE_ABORT, UPDATE_RESUME, ImplementationRequest, Outcome
from workflows.implementation import SagemakerModelImplementationWorkflow

OLD, NEW = new_key(), new_key()
RING = ring("old", old=OLD)
# The sandbox imports the workflows anew for every run, which would take most of the time.
UNSANDBOXED: dict[str, Any] = {"workflow_runner": UnsandboxedWorkflowRunner()}
# People, the model's name, comments, reasons, what an outside system said: the world's own words and those given here.
PRIVATE = [b"rita", b"paul", b"Paul", b"Credit | Scoring", b"because", b"said-by-jira", b"said-by-the-operator"]
WITH_SEARCH_ATTRIBUTES = [
    "workflow_execution_started_event_attributes",
    "upsert_workflow_search_attributes_event_attributes",
]
TICKET = re.compile(rb"GOV-\d")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with dev_server() as environment:
        yield environment


async def client_with(temporal: WorkflowEnvironment, keys: KeyRing) -> Client:
    address = temporal.client.service_client.config.target_host
    return await Client.connect(address, data_converter=encrypting_data_converter(keys))


async def kept(handle: WorkflowHandle) -> bytes:
    """What the server keeps of a run, as it lies in its store, without the search attributes."""
    events = [event async for event in handle.fetch_history_events()]
    for event in events:
        # Touching the attributes of an event of another kind would empty it.
        for kind in WITH_SEARCH_ATTRIBUTES:
            if event.HasField(kind):
                getattr(event, kind).ClearField("search_attributes")
    description = (await handle.describe()).raw_description
    description.workflow_execution_info.ClearField("search_attributes")
    return b"".join(message.SerializeToString() for message in (*events, description))


async def replayed(history: WorkflowHistory, keys: KeyRing) -> Exception | None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=encrypting_data_converter(keys),
        **UNSANDBOXED,
    )
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def deploy_after_a_block(process: Process) -> WorkflowHandle:
    """A run that Jira refuses once, an operator resumes, and three people approve; started as the console starts it."""
    process.world.failures["open_ticket"] = [problem("Refused", "said-by-jira")]
    handle = await process.client.start_workflow(
        "SagemakerModelImplementation",
        ImplementationRequest(model_id=process.world.model_id, requested_by="rita"),
        id=process.workflow_id,
        task_queue=process.task_queue,
        static_summary="for rita",
        static_details="asked for by rita",
        memo={"asked by": "rita"},
    )
    await process.blocked("Refused")
    await Desk(process.client).resume(process.workflow_id, "said-by-the-operator")
    await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
    await process.handle.result()
    return handle


async def test_without_keys_the_server_can_read_everything(temporal: WorkflowEnvironment) -> None:
    async with process_worker(temporal.client, World(), **UNSANDBOXED) as process:
        history = await kept(await deploy_after_a_block(process))
    assert [word for word in PRIVATE if word not in history] == [] and TICKET.search(history)


async def test_with_keys_the_server_keeps_nothing_readable_and_the_run_replays(temporal: WorkflowEnvironment) -> None:
    client = await client_with(temporal, RING)
    async with process_worker(client, World(), **UNSANDBOXED) as process:
        handle = await deploy_after_a_block(process)
        history = await kept(handle)
        status = await process.status()
        summary = await (await handle.describe()).static_summary()
    assert [word for word in PRIVATE if word in history] == []
    assert TICKET.search(history) is None
    assert b"binary/encrypted" in history and b"json/plain" not in history
    assert [decision.decided_by for decision in status.decisions] == ["paul"] * 3 and summary == "for rita"
    assert await replayed(await handle.fetch_history(), RING) is None


async def test_a_run_that_fails_tells_the_client_why_and_the_server_nothing(temporal: WorkflowEnvironment) -> None:
    client, world = await client_with(temporal, RING), World()
    world.model_type = "NOTEBOOK"
    async with process_worker(client, world, **UNSANDBOXED) as process:
        handle = await process.start()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert "Credit | Scoring" in str(failed.value.cause)
        history = await kept(handle)
    assert b"NOTEBOOK" not in history and b"Credit" not in history
    assert b"WrongModelType" in history, "the kind of a failure stays readable, for the lists of the Web UI"


async def test_a_run_that_waits_in_the_clear_goes_on_encrypted_rotated_and_switched_off(
    temporal: WorkflowEnvironment,
) -> None:
    world, queue = World(), str(uuid.uuid4())
    async with carrying(temporal.client, world, queue) as process:
        await process.start()
        await process.waiting_on("PiaApproval")
    switched_on, rotated, switched_off = RING, ring("new", old=OLD, new=NEW), ring("none", old=OLD, new=NEW)
    gates = ["PiaApproval", "ResultsApproval", "ProductionApproval"]
    for keys, gate in zip((switched_on, rotated, switched_off), gates, strict=True):
        async with carrying(await client_with(temporal, keys), world, queue) as process:
            await process.decide(gate)
            await process.until(lambda status, gate=gate: gate in [decision.gate for decision in status.decisions])
            history = await process.handle.fetch_history()
    async with carrying(await client_with(temporal, switched_off), world, queue) as process:
        assert (await process.handle.result()).outcome is Outcome.DEPLOYED
        history = await process.handle.fetch_history()
    written = [payload for event in history.events for payload in payloads_in(event)]
    assert {payload.metadata.get("encryption-key-id") for payload in written} == {None, b"old", b"new"}
    assert await replayed(history, switched_off) is None


async def test_a_missing_key_is_said_by_the_worker_and_the_run_goes_on_once_it_is_added(
    temporal: WorkflowEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    world, queue = World(), str(uuid.uuid4())
    starter = Process(await client_with(temporal, RING), world, queue)
    with caplog.at_level(logging.WARNING, logger="temporalio"):
        async with carrying(await client_with(temporal, ring("new", new=NEW)), world, queue):
            handle = await starter.start()
            await said(caplog, "under key old, which MLC_ENCRYPTION__KEYS does not hold here; add that key")
    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with carrying(await client_with(temporal, ring("new", new=NEW, old=OLD)), world, queue) as process:
        await process.waiting_on("PiaApproval")
        await handle.terminate()


async def test_updates_and_queries_that_cannot_be_decrypted_are_refused_and_leave_the_run_alone(
    temporal: WorkflowEnvironment,
) -> None:
    client, stranger = await client_with(temporal, RING), await client_with(temporal, ring("new", new=NEW))
    async with process_worker(client, World(), **UNSANDBOXED) as process:
        handle = await process.start()
        await process.waiting_on("PiaApproval")
        theirs = stranger.get_workflow_handle(handle.id)
        # Even why they were refused is encrypted.
        for asking in (
            theirs.execute_update(UPDATE_RESUME, {"reason": "said-by-a-stranger"}),
            theirs.execute_update(UPDATE_ABORT, {"reason": "said-by-a-stranger"}),
            theirs.query("status"),
        ):
            with pytest.raises(UnknownKeyError, match="under key old"):
                await asking
        await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
        assert (await process.handle.result()).outcome is Outcome.DEPLOYED
        assert await replayed(await handle.fetch_history(), RING) is None


async def test_a_start_with_a_changed_payload_fails_that_run_only_and_the_log_says_why(
    temporal: WorkflowEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = RING.encrypt(Payload(metadata={"encoding": b"json/plain"}, data=b"{}"))
    async with process_worker(await client_with(temporal, RING), World(), **UNSANDBOXED) as process:
        # The client without keys sends the payload as it is.
        starter = Process(temporal.client, process.world, process.task_queue)
        handle = await starter.start(RawValue(Payload(metadata=sealed.metadata, data=sealed.data[:-1])))
        with pytest.raises(UnknownKeyError, match="under key old"):
            await handle.result()
        with pytest.raises(WorkflowFailureError) as failed:
            await process.handle.result()
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError) and cause.type == "InvalidRequest"
    assert "encrypted under key old, but it was changed since" in caplog.text


async def test_signals_that_cannot_be_decrypted_are_passed_over(temporal: WorkflowEnvironment) -> None:
    client = await client_with(temporal, RING)
    async with process_worker(client, World(), **UNSANDBOXED) as process:
        handle = await process.start()
        await process.waiting_on("PiaApproval")
        sealed = RING.encrypt(Payload(metadata={"encoding": b"json/plain"}, data=b"{}"))
        for hostile in (
            ring("new", new=NEW).encrypt(sealed),
            Payload(metadata=sealed.metadata, data=sealed.data[:-3]),
            Payload(metadata={"encoding": b"binary/encrypted"}),
            Payload(metadata={"encoding": b"binary/undecryptable", "missing-key": b"\xff"}),
        ):
            await signal_raw(client, process.workflow_id, hostile)
        await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
        assert (await process.handle.result()).outcome is Outcome.DEPLOYED
        assert await replayed(await handle.fetch_history(), RING) is None


@asynccontextmanager
async def carrying(client: Client, world: World, queue: str) -> AsyncIterator[Process]:
    """A worker on a queue that outlives it."""
    async with Worker(
        client,
        task_queue=queue,
        workflows=[SagemakerModelImplementationWorkflow],
        activities=activity_methods(world),
        **UNSANDBOXED,
    ):
        yield Process(client, world, queue)


def payloads_in(message: Message) -> Iterator[Payload]:
    """Every payload anywhere in a message, but for search attributes."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.name == "search_attributes" or field.message_type is None:
            continue
        parts = value.values() if field.message_type.GetOptions().map_entry else value if field.is_repeated else [value]
        for part in parts:
            if isinstance(part, Message):
                yield from payloads_in(part)


async def said(caplog: pytest.LogCaptureFixture, words: str) -> None:
    async with asyncio.timeout(20):
        while words not in caplog.text:
            await asyncio.sleep(0.05)


async def signal_raw(client: Client, workflow_id: str, payload: Payload) -> None:
    """Sends what no codec of ours would."""
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name="jira_status_changed",
            input=Payloads(payloads=[payload]),
        )
    )
