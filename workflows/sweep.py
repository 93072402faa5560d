"""The sweep: runs on a schedule, and makes up for every webhook that was lost."""

from __future__ import annotations

from temporalio import workflow

from workflows import policies
from workflows.contract import SWEEP_WORKFLOW_TYPE

with workflow.unsafe.imports_passed_through():
    from activities.sweep.activities import SweepActivities
    from activities.sweep.types import SweepReport


@workflow.defn(name=SWEEP_WORKFLOW_TYPE)
class TicketSweepWorkflow:
    """Looks once at the ticket of every run that waits on one, and for runs that cannot speak for themselves."""

    @workflow.run
    async def run(self) -> SweepReport:
        """Sweeps once; the next one is the schedule's business."""
        try:
            return await workflow.execute_activity_method(
                SweepActivities.sweep_tickets,
                **policies.summarised(policies.SWEEP, "Read the tickets that runs wait on"),
            )
        finally:
            # Also when Jira is what fails: these runs fail for another reason.
            await workflow.execute_activity_method(
                SweepActivities.report_failing_runs,
                **policies.summarised(policies.SWEEP, "Tell of runs whose code fails"),
            )
