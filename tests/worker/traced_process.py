"""A small process for the tests of traces: it calls once at its start and once for a webhook."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities import observation
    from workflows.contract import SIGNAL_JIRA_STATUS_CHANGED


@activity.defn
async def call_outside() -> None:
    """Makes a call as the clients of the outside systems do."""
    with observation.outside_call("Jira", "GET issue/10001") as observed:
        observed.status = 200


@workflow.defn
class WaitingForAWebhook:
    """Calls, waits, calls."""

    def __init__(self) -> None:
        self._hinted = False

    @workflow.run
    async def run(self) -> None:
        """Has one activity before the signal and one after it."""
        await workflow.execute_activity(call_outside, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self._hinted)
        await workflow.execute_activity(call_outside, start_to_close_timeout=timedelta(seconds=10))

    @workflow.signal(name=SIGNAL_JIRA_STATUS_CHANGED)
    def hint(self, payload: Any) -> None:
        """Goes on."""
        self._hinted = True
