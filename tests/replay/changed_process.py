"""The process with edits such as people make: what replay must catch, and the way in which the same edit is safe."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow

from workflows import policies
from workflows.contract import WORKFLOW_TYPE, ImplementationResult
from workflows.implementation import SagemakerModelImplementationWorkflow

PATCH = "pause-before-privacy"


@workflow.defn(name=WORKFLOW_TYPE)
class SnapshotBeforePrivacy(SagemakerModelImplementationWorkflow):
    """Two steps in another order."""

    @workflow.run
    async def run(self, payload: Any = None, *ignored: Any) -> ImplementationResult:
        return await super().run(payload, *ignored)

    async def _approve_privacy(self) -> None:
        await super()._take_snapshot()

    async def _take_snapshot(self) -> None:
        await super()._approve_privacy()


@workflow.defn(name=WORKFLOW_TYPE)
class ReadingSettingsOtherwise(SagemakerModelImplementationWorkflow):
    """One activity under another name."""

    @workflow.run
    async def run(self, payload: Any = None, *ignored: Any) -> ImplementationResult:
        return await super().run(payload, *ignored)

    async def _read_settings(self) -> None:
        self._outside.settings = await workflow.execute_activity(
            "read_settings_of_the_process", start_to_close_timeout=policies.CALL_TIMEOUT
        )


@workflow.defn(name=WORKFLOW_TYPE)
class PausingFirst(SagemakerModelImplementationWorkflow):
    """One timer more, for new and waiting runs alike."""

    @workflow.run
    async def run(self, payload: Any = None, *ignored: Any) -> ImplementationResult:
        return await super().run(payload, *ignored)

    async def _approve_privacy(self) -> None:
        await workflow.sleep(timedelta(minutes=1))
        await super()._approve_privacy()


@workflow.defn(name=WORKFLOW_TYPE)
class PausingFirstFromNowOn(SagemakerModelImplementationWorkflow):
    """The same timer, for runs that come to this place with the new code."""

    @workflow.run
    async def run(self, payload: Any = None, *ignored: Any) -> ImplementationResult:
        return await super().run(payload, *ignored)

    async def _approve_privacy(self) -> None:
        if workflow.patched(PATCH):
            await workflow.sleep(timedelta(minutes=1))
        await super()._approve_privacy()
