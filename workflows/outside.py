"""How a run reaches the outside: one way for every effect, which parks the run instead of failing it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Container
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio import exceptions, workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from workflows import policies, run_metrics
from workflows.status_board import StatusBoard

with workflow.unsafe.imports_passed_through():
    from activities.identity import RunIdentity
    from activities.modelop import types as modelop
    from activities.modelop.activities import ModelOpActivities
    from activities.process_settings import ProcessSettings
    from workflows.contract import Blocked

# Outside texts are quoted in the history, in queries and in notifications; a job's whole log is not.
MAX_TEXT = 2000

Answer = TypeVar("Answer")


class Outside:
    """The one way to everything outside the workflow: retries, blocking, resuming, stopping.

    `settings` and `run` are set once, before the first effect.
    """

    settings: ProcessSettings
    run: RunIdentity

    def __init__(self, board: StatusBoard) -> None:
        self._board = board
        self._resumed = False
        self._stopping = False
        self._notices: list[_BlockNotice] = []

    def resume(self) -> None:
        """Lets a blocked run try again."""
        self._resumed = True

    def stop(self) -> None:
        """Lets no further effect begin, and no wait go on."""
        self._stopping = True

    async def settle_notices(self) -> None:
        """Waits until the notifications of past blocks are closed, as far as ModelOp Center answers in time."""
        self.clear_block()
        try:
            await workflow.wait_condition(
                lambda: all(notice.task.done() for notice in self._notices),
                timeout=policies.CLEAN_UP_TIMEOUT,
                timeout_summary="Give up closing the notifications of blocks",
            )
        except TimeoutError:
            workflow.logger.warning("The notification of a block may have stayed open in ModelOp Center")

    async def try_within_reason(
        self,
        activity: Callable[..., Awaitable[Answer]],
        request: BaseModel,
        *,
        summary: str,
        policy: policies.Policy = policies.clean_up,
        learn: Callable[[Answer], None] = lambda _: None,
    ) -> None:
        """An effect that nothing waits for: bounded in time, and a failure is logged instead of parking the run.

        Args:
            activity: the activity's method.
            request: what it is asked.
            summary: what the Web UI shows for it.
            policy: timeouts and retries.
            learn: gets the answer, if there is one.
        """
        try:
            answer = await workflow.execute_activity_method(
                activity, args=[request], **policies.summarised(policy(self.settings), summary)
            )
        except ActivityError as error:
            if self._stopping and is_cancelled_exception(error):
                raise
            workflow.logger.error("%s: given up: %s", summary, describe_failure(error)[1])
        else:
            learn(answer)

    async def perform(
        self,
        activity: Callable[..., Awaitable[Answer]],
        *arguments: BaseModel,
        summary: str,
        policy: policies.Policy = policies.modelop,
        again: BaseModel | None = None,
        final: Container[str] = (),
    ) -> Answer:
        """Has one outside effect, and parks the run for as long as it fails.

        Args:
            activity: the activity's method.
            arguments: its request, or nothing.
            summary: what the Web UI shows for it.
            policy: timeouts and retries.
            again: the request to use after a block, where it must differ from the first one.
            final: types of errors that do not park but are raised.

        Raises:
            ActivityError: the error is of a type in `final`, or the run is being stopped.
            asyncio.CancelledError: the run is being stopped.
        """
        tries = 0
        while True:
            self._stop_here()
            try:
                answer = await workflow.execute_activity_method(
                    activity, args=arguments, **policies.summarised(policy(self.settings), summary)
                )
            except ActivityError as error:
                kind, message, transient = describe_failure(error)
                if is_cancelled_exception(error):
                    raise
                if kind in final:
                    self.clear_block()
                    raise
                pause = policies.blocked_retry(self.settings, tries) if transient else None
                failed_at = workflow.now()
                await self.block(kind, f"{summary}: {message}", pause)
                if transient:
                    await self._let_settle(failed_at)
                tries += 1
                arguments = arguments if again is None else (again,)
            else:
                self.clear_block()
                return answer

    async def block(self, cause: str, message: str, pause: timedelta | None = None) -> None:
        """Parks the run until somebody resumes it or, where there is a pause, until that is over."""
        self._stop_here()
        now = workflow.now()
        before = self._board.status.blocked
        same = before is not None and before.cause == cause
        if not same:
            self.clear_block()
        self._board.status.blocked = Blocked(
            cause=cause,
            message=message[:MAX_TEXT],
            since=before.since if before is not None and same else now,
            transient=pause is not None,
            next_retry_at=now + pause if pause else None,
        )
        workflow.logger.error("Blocked at %s by %s: %s", self._board.status.stage, cause, message[:MAX_TEXT])
        if not same:
            run_metrics.blocked(self._board.status.stage, cause)
            self._notices.append(self._tell_of_block())
        self._board.publish()
        try:
            await self.until(lambda: self._resumed, pause)
        except TimeoutError:
            # The block stands, and its one notification with it, until the step has really succeeded.
            self._board.status.blocked.next_retry_at = None
            self._board.publish()
            return
        self.clear_block()

    async def _let_settle(self, failed_at: datetime) -> None:
        """Waits out what is left of `AMBIGUOUS_WAIT` since an attempt failed without a known end.

        A run may be resumed while the other system still works on that attempt: looked for now, what it makes would
        not be there yet, and would be made twice.
        """
        left = failed_at + self.settings.ambiguous_wait - workflow.now()
        if left > timedelta(0):
            with contextlib.suppress(TimeoutError):
                await self.until(lambda: False, left, timeout_summary="Let the last attempt come to its end")

    def clear_block(self) -> None:
        """Ends the block, if there is one: its notification is closed as soon as it is known."""
        if self._board.status.blocked is None:
            return
        self._board.status.blocked = None
        self._resumed = False
        self._board.publish()
        # A notification that is being sent is not cancelled: an attempt without a known end may stand in ModelOp
        # Center already, and only the one who has its id can close it.
        self._notices[-1].over = True

    def _tell_of_block(self) -> _BlockNotice:
        """Sends the block's one notification when ModelOp Center can be reached, and closes it after the block."""
        blocked, number = self._board.status.blocked, len(self._notices) + 1
        if blocked is None:
            raise AssertionError("only a blocked run tells of its block")
        request = self.notification(
            f"block:{number}",
            modelop.NotificationType.PROCESS,
            modelop.Severity.ERROR,
            f"{self._board.title} is blocked at {self._board.status.stage.value}: "
            f"{blocked.message}. Mend the cause, then resume the run {self.run.workflow_id}.",
            open=True,
        )

        async def tell() -> None:
            try:
                sent = await self._send_until_over(request, notice)
                if sent is None:
                    return
                await workflow.wait_condition(lambda: notice.over)
                await workflow.execute_activity_method(
                    ModelOpActivities.close_notification,
                    modelop.CloseNotificationRequest(notification_id=sent.notification_id),
                    **policies.summarised(policies.BACKGROUND, "Close the notification of the block"),
                )
            except ActivityError as error:
                workflow.logger.error("The notification of a block stays open: %s", describe_failure(error)[1])

        notice = _BlockNotice()
        notice.task = asyncio.create_task(tell())
        return notice

    async def _send_until_over(
        self, request: modelop.NotificationRequest, notice: _BlockNotice
    ) -> modelop.Notification | None:
        """Sends a notification as soon as ModelOp Center takes it; None when the block was over before."""
        tries = 0
        while not notice.over:
            try:
                return await workflow.execute_activity_method(
                    ModelOpActivities.send_notification,
                    request,
                    **policies.summarised(policies.BACKGROUND, "Tell of the block"),
                )
            except ActivityError as error:
                workflow.logger.error("The notification of a block was refused: %s", describe_failure(error)[1])
            try:
                await workflow.wait_condition(
                    lambda: notice.over,
                    timeout=policies.blocked_retry(self.settings, tries),
                    timeout_summary="Tell of the block again",
                )
            except TimeoutError:
                tries += 1
        return None

    async def notify(
        self,
        purpose: str,
        type: modelop.NotificationType,
        severity: modelop.Severity,
        message: str,
        **details: Any,
    ) -> modelop.Notification:
        """Sends one notification; `details` are further fields of `NotificationRequest`."""
        return await self.perform(
            ModelOpActivities.send_notification,
            self.notification(purpose, type, severity, message, **details),
            summary=f"Notify: {type.value}",
        )

    def notification(
        self,
        purpose: str,
        type: modelop.NotificationType,
        severity: modelop.Severity,
        message: str,
        **details: Any,
    ) -> modelop.NotificationRequest:
        """The request for one notification about this run's model."""
        return modelop.NotificationRequest(
            run=self.run,
            purpose=purpose,
            type=type,
            severity=severity,
            message=message[:MAX_TEXT],
            model_id=self._board.status.model_id,
            snapshot_id=self._board.status.snapshot_id,
            **details,
        )

    async def until(
        self,
        condition: Callable[[], bool],
        timeout: timedelta | None = None,
        *,
        timeout_summary: str = "Try again by itself",
    ) -> None:
        """Waits for a condition; raises `TimeoutError` after a timeout, and cancels when the run is stopped."""
        await workflow.wait_condition(
            lambda: condition() or self._stopping, timeout=timeout, timeout_summary=timeout_summary
        )
        self._stop_here()

    def _stop_here(self) -> None:
        # An activity that finished while it was being cancelled swallows the cancellation (temporalio/sdk-python#620).
        if self._stopping:
            raise asyncio.CancelledError


class _BlockNotice:
    """The one notification of one block: what sends and closes it, and whether the block is over."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.over = False


def describe_failure(error: ActivityError) -> tuple[str, str, bool]:
    """What made an activity fail for good: the kind, the words, and whether time alone may mend it."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "Unexpected", cause.message, not cause.non_retryable
    if isinstance(cause, exceptions.TimeoutError):
        return "TimedOut", "no answer in time, not even after all attempts", True
    return "Unexpected", str(cause or error), True
