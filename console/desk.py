"""What an operator or a registration system asks of Temporal, with failures said in one clear line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistory,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from activities.links import Links
from console.document_verification import ReviewRecord
from console.faults import ConsoleFault
from console.stack import read_running
from worker.connection import TemporalUnreachable, connect, server_is_named
from workflows.contract import (
    BLOCKED_ATTRIBUTE,
    MODEL_ID_ATTRIBUTE,
    QUERY_STATUS,
    STAGE_ATTRIBUTE,
    TASK_QUEUE,
    TICKET_ATTRIBUTE,
    UPDATE_ABORT,
    UPDATE_RESUME,
    WORKFLOW_ID_PREFIX,
    WORKFLOW_TYPE,
    AbortRequest,
    Blocked,
    Gate,
    ImplementationRequest,
    ImplementationResult,
    ImplementationStatus,
    ModelId,
    ResumeRequest,
    WaitingOn,
    workflow_id,
)

PATIENCE = timedelta(seconds=5)
ANSWER_TIMEOUT = timedelta(seconds=10)
# How long a list waits for blocked runs to say why, all of them together: without a worker none of them can.
EXPLANATION_TIMEOUT = timedelta(seconds=5)
# One slow worker must not be buried under the questions about every blocked run.
AT_ONCE = 8

_ALL = f"WorkflowType = '{WORKFLOW_TYPE}'"
_RUNNING = f"{_ALL} AND ExecutionStatus = 'Running'"
_BLOCKED = f"{BLOCKED_ATTRIBUTE.name} = true"
_MODEL_ID = TypeAdapter[str](ModelId)
_NO_WORKER = "no worker answers; start one with `mlc worker`, or see why it does not run"


class ListedImplementation(BaseModel):
    """One line of `mlc list`, as its JSON form has it.

    The cause and the message of a block come from the run itself; they are None while no worker answers for it.
    """

    workflow_id: str
    run_id: str
    model_id: str
    stage: str
    ticket: str | None
    blocked: bool
    status: str
    blocked_cause: str | None = None
    blocked_message: str | None = None


@dataclass(frozen=True)
class Started:
    """A started implementation, or the one that ran already."""

    workflow_id: str
    run_id: str
    already_running: bool


@dataclass(frozen=True)
class Resumption:
    """What became of resuming one implementation; `refusal` says why it did not go on and is empty if it did."""

    workflow_id: str
    refusal: str = ""


@dataclass(frozen=True)
class Ending:
    """How a run ended, in words, and when."""

    how: str
    at: datetime


def implementation_id(text: str) -> str:
    """The workflow id that a workflow id or a model id stands for.

    Raises:
        ConsoleFault: it is neither; exit code 2.
    """
    model_id = text.strip().lower().removeprefix(WORKFLOW_ID_PREFIX)
    try:
        return workflow_id(_MODEL_ID.validate_python(model_id))
    except ValidationError as error:
        raise ConsoleFault(
            f"'{text}' is not the UUID of a model in ModelOp Center, "
            "for example 6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01, nor a workflow id made of one",
            exit_code=2,
        ) from error


async def connect_to(address: str) -> Client:
    """Connects to a local stack's Temporal, whatever the settings say.

    Raises:
        TemporalUnreachable: it does not answer.
    """
    return await connect(patience=PATIENCE, address=address)


@dataclass(frozen=True)
class Desk:
    """Implementations as seen through one connection to Temporal."""

    client: Client
    ui_url: str = ""

    def link(self, workflow_id: str, run_id: str) -> str:
        """The run's page in the Web UI, or an empty string where its address is not known."""
        return Links(temporal_ui_url=self.ui_url.rstrip("/")).run(self.client.namespace, workflow_id, run_id)

    def handle(self, workflow_id: str, run_id: str | None = None) -> WorkflowHandle[Any, ImplementationResult]:
        """A handle whose result is typed."""
        return self.client.get_workflow_handle(workflow_id, run_id=run_id, result_type=ImplementationResult)

    async def start(self, request: ImplementationRequest) -> Started:
        """Starts an implementation; one that already runs for this model is returned as it is."""
        wanted = workflow_id(request.model_id)
        with _clear_faults(wanted):
            # The SDK does not tell a run that was found from one that was made.
            before = await self._latest_run(wanted)
            handle = await self.client.start_workflow(
                WORKFLOW_TYPE,
                request,
                id=wanted,
                task_queue=TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=_summary(request),
                search_attributes=TypedSearchAttributes([SearchAttributePair(MODEL_ID_ATTRIBUTE, request.model_id)]),
            )
        run_id = handle.result_run_id or ""
        return Started(workflow_id=wanted, run_id=run_id, already_running=run_id == before)

    async def result(self, workflow_id: str, run_id: str | None = None) -> ImplementationResult:
        """Waits until the implementation ends and returns how.

        Raises:
            ConsoleFault: it ended without a result: failed, cancelled or terminated.
        """
        with _clear_faults(workflow_id):
            return await self.handle(workflow_id, run_id).result()

    async def status(self, workflow_id: str, run_id: str | None = None) -> ImplementationStatus:
        """Where an implementation stands, also after it ended; its latest run, unless another one is named."""
        with _clear_faults(workflow_id):
            handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
            answer = await handle.query(QUERY_STATUS, result_type=ImplementationStatus, rpc_timeout=ANSWER_TIMEOUT)
        return ImplementationStatus.model_validate(answer)

    async def history(self, workflow_id: str, run_id: str | None = None) -> tuple[str, WorkflowHistory]:
        """A run's id and its history as Temporal holds it; its latest run, unless another one is named."""
        with _clear_faults(workflow_id):
            described = await self.client.get_workflow_handle(workflow_id, run_id=run_id).describe(
                rpc_timeout=ANSWER_TIMEOUT
            )
            handle = self.client.get_workflow_handle(workflow_id, run_id=described.run_id)
            return described.run_id, await handle.fetch_history()

    async def ending(self, workflow_id: str) -> Ending | None:
        """How the latest run ended, which Temporal knows also when no worker answers; None while it runs."""
        with _clear_faults(workflow_id):
            described = await self.client.get_workflow_handle(workflow_id).describe(rpc_timeout=ANSWER_TIMEOUT)
            if described.close_time is None:
                return None
            try:
                result = await self.handle(workflow_id, described.run_id).result()
                outcome = result.outcome.value
                how = f"completed with {outcome}: {result.reason.removeprefix(f'{outcome.lower()}: ')}"
            except WorkflowFailureError as error:
                failed = described.status is WorkflowExecutionStatus.FAILED
                how = f"{'failed with ' if failed else ''}{describe_failure(error)}"
        return Ending(how, described.close_time)

    async def reviewed(self, workflow_id: str, run_id: str | None = None) -> ReviewRecord:
        """The review document of a run, and the decision on it.

        The result of a completed run tells both without a worker; any other run is asked.

        Raises:
            ConsoleFault: the run has written no document, or nobody answers for it.
        """
        with _clear_faults(workflow_id):
            described = await self.client.get_workflow_handle(workflow_id, run_id=run_id).describe(
                rpc_timeout=ANSWER_TIMEOUT
            )
        if described.status is WorkflowExecutionStatus.COMPLETED:
            result = await self.result(workflow_id, described.run_id)
            return _review_record(described, result, waiting=None)
        status = await self.status(workflow_id, described.run_id)
        return _review_record(described, status, waiting=status.waiting_on)

    async def resume(self, workflow_id: str, reason: str | None) -> None:
        """Lets a blocked implementation go on."""
        await self._update(workflow_id, UPDATE_RESUME, ResumeRequest(reason=reason))

    async def abort(self, workflow_id: str, reason: str) -> None:
        """Ends an implementation before its time."""
        await self._update(workflow_id, UPDATE_ABORT, AbortRequest(reason=reason))

    async def resume_all(self, reason: str | None) -> AsyncIterator[Resumption]:
        """Lets every blocked implementation go on, and tells of each as soon as it is known."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def resume(workflow_id: str) -> Resumption:
            async with turns:
                try:
                    await self.resume(workflow_id, reason)
                except ConsoleFault as refusal:
                    return Resumption(workflow_id, refusal=str(refusal))
            return Resumption(workflow_id)

        blocked = await self._select(f"{_RUNNING} AND {_BLOCKED}", limit=None)
        for answer in asyncio.as_completed([resume(each.workflow_id) for each in blocked]):
            yield await answer

    async def list(
        self, *, everything: bool = False, blocked: bool = False, limit: int | None = None
    ) -> list[ListedImplementation]:
        """Running implementations, the latest first, and why those that are blocked are.

        Args:
            everything: closed ones too.
            blocked: only those that are blocked.
            limit: at most so many; None is all.
        """
        query = _ALL if everything else f"{_RUNNING} AND {_BLOCKED}" if blocked else _RUNNING
        listed = await self._explained(await self._select(query, limit))
        # A run may have gone on before Temporal's list knew that it did.
        return [each for each in listed if each.blocked or not blocked]

    async def _select(self, query: str, limit: int | None) -> Sequence[ListedImplementation]:
        with _clear_faults(f"the list of implementations where {query}"):
            return [_listed(each) async for each in self.client.list_workflows(query, limit=limit)]

    async def _explained(self, listed: Sequence[ListedImplementation]) -> Sequence[ListedImplementation]:
        """Adds why the blocked ones are blocked, as far as a worker tells in time."""
        turns = asyncio.Semaphore(AT_ONCE)
        deadline = asyncio.get_running_loop().time() + EXPLANATION_TIMEOUT.total_seconds()

        async def explain(each: ListedImplementation) -> ListedImplementation:
            if not each.blocked:
                return each
            try:
                async with asyncio.timeout_at(deadline), turns:
                    return _with_block(each, (await self.status(each.workflow_id)).blocked)
            except (ConsoleFault, TimeoutError):
                return each

        return await asyncio.gather(*(explain(each) for each in listed))

    async def _latest_run(self, workflow_id: str) -> str | None:
        try:
            described = await self.client.get_workflow_handle(workflow_id).describe(rpc_timeout=ANSWER_TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise
        return described.run_id

    async def _update(self, workflow_id: str, name: str, request: BaseModel) -> None:
        with _clear_faults(workflow_id):
            await self.client.get_workflow_handle(workflow_id).execute_update(name, request, rpc_timeout=ANSWER_TIMEOUT)


@contextlib.asynccontextmanager
async def open_desk(directory: Path, ui_url: str = "") -> AsyncIterator[Desk]:
    """Connects to the server that the environment names, or the env file, or else to the local stack on `directory`.

    Where none of them does, the SDK's configuration file and its default address decide.

    Raises:
        ConsoleFault: there is no Temporal, or it broke off.
    """
    running = None if server_is_named() else read_running(directory)
    try:
        if running:
            yield Desk(await connect_to(running.addresses.temporal), ui_url or running.addresses.temporal_ui)
        else:
            yield Desk(await connect(patience=PATIENCE), ui_url)
    except TemporalUnreachable as error:
        nothing_here = (
            "" if running or server_is_named() else f"; `mlc up` starts a local stack, none runs on {directory}"
        )
        raise ConsoleFault(f"{error}{nothing_here}") from error
    except RPCError as error:
        raise ConsoleFault(f"Temporal refused: {error.message}") from error


def describe_failure(error: WorkflowFailureError) -> str:
    """Why a run ended without a result, in words."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}" if cause.type else cause.message
    if isinstance(cause, CancelledError):
        return "it was cancelled"
    if isinstance(cause, TerminatedError):
        return f"it was terminated: {cause.message}"
    return str(cause)


def _summary(request: ImplementationRequest) -> str:
    by = f" for {request.requested_by}" if request.requested_by else ""
    # The server allows 200 bytes.
    return f"{request.model_id} to production{by}".encode()[:200].decode(errors="ignore")


def _listed(execution: Any) -> ListedImplementation:
    attributes = execution.typed_search_attributes
    return ListedImplementation(
        workflow_id=execution.id,
        run_id=execution.run_id,
        model_id=attributes.get(MODEL_ID_ATTRIBUTE) or execution.id.removeprefix(WORKFLOW_ID_PREFIX),
        stage=attributes.get(STAGE_ATTRIBUTE) or "",
        ticket=attributes.get(TICKET_ATTRIBUTE),
        # A run that was terminated out of a block keeps the mark for ever.
        blocked=bool(attributes.get(BLOCKED_ATTRIBUTE)) and execution.status is WorkflowExecutionStatus.RUNNING,
        status=execution.status.name if execution.status else "",
    )


def _with_block(listed: ListedImplementation, block: Blocked | None) -> ListedImplementation:
    if block is None:
        return listed.model_copy(update={"blocked": False})
    return listed.model_copy(update={"blocked_cause": block.cause, "blocked_message": block.message})


def _review_record(
    run: WorkflowExecutionDescription, told: ImplementationResult | ImplementationStatus, waiting: WaitingOn | None
) -> ReviewRecord:
    if told.document is None:
        raise ConsoleFault(f"{run.id} has written no review document: it stands at {told.stage}, run {run.run_id}")
    asked_again = waiting is not None and waiting.gate is Gate.RESULTS
    made = [decision for decision in told.decisions if decision.gate is Gate.RESULTS]
    return ReviewRecord(
        workflow_id=run.id,
        run_id=run.run_id,
        document=told.document,
        decision=made[-1] if made and not asked_again else None,
        ticket=waiting.ticket if asked_again and waiting else "",
        stage=told.stage,
    )


@contextlib.contextmanager
def _clear_faults(what: str) -> Iterator[None]:
    try:
        yield
    except (WorkflowUpdateFailedError, WorkflowQueryFailedError) as error:
        raise ConsoleFault(f"{what}: {_innermost(error)}") from error
    except WorkflowQueryRejectedError as error:
        raise ConsoleFault(f"{what}: {error}") from error
    except WorkflowFailureError as error:
        raise ConsoleFault(f"{what} did not end well: {describe_failure(error)}") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise ConsoleFault(f"{what}: {_NO_WORKER}; Temporal keeps the request, it may be carried out then") from error
    except RPCError as error:
        raise ConsoleFault(f"{what}: {_remote(error)}") from error


def _innermost(error: BaseException) -> str:
    cause = error.__cause__ or getattr(error, "cause", None)
    return getattr(cause, "message", None) or str(cause or error)


def _remote(error: RPCError) -> str:
    if error.status == RPCStatusCode.NOT_FOUND:
        if "already completed" in error.message:
            return "has already ended; `mlc show` tells how"
        return "there is no such implementation; `mlc list --all` shows those there are"
    if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.FAILED_PRECONDITION):
        return _NO_WORKER
    if error.status == RPCStatusCode.UNAVAILABLE:
        return f"Temporal does not answer: {error.message}"
    return f"Temporal refused: {error.message}"
