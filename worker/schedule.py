"""The schedule on which the sweep runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows.contract import SWEEP_SCHEDULE_ID, SWEEP_WORKFLOW_TYPE, TASK_QUEUE

LONGEST_SWEEP = timedelta(hours=1)


async def schedule_sweep(client: Client, interval: timedelta) -> str:
    """Sees to it that the sweep runs every `interval`; doing it again changes nothing.

    A schedule that somebody paused stays paused.

    Returns:
        What was done: `created`, `changed` or `there already`.
    """
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            SWEEP_WORKFLOW_TYPE,
            id=SWEEP_SCHEDULE_ID,
            task_queue=TASK_QUEUE,
            # A sweep that a bad release cannot carry must not keep all later ones from starting.
            execution_timeout=LONGEST_SWEEP,
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        # A sweep that takes longer than the interval is followed by one sweep, not by a queue of them.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=interval),
    )
    try:
        await client.create_schedule(SWEEP_SCHEDULE_ID, wanted)
        return "created"
    except ScheduleAlreadyRunningError:
        pass
    handle = client.get_schedule_handle(SWEEP_SCHEDULE_ID)
    if _essence((await handle.describe()).schedule) == _essence(wanted):
        return "there already"

    def change(current: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=replace(wanted, state=current.description.schedule.state))

    await handle.update(change)
    return "changed"


def _essence(schedule: Schedule) -> tuple[object, ...]:
    """What decides when and what a schedule runs.

    Actions cannot be compared as they are: one that was read holds what the server or a person put into it in raw form.
    """
    action = schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return ()
    started = (action.workflow, action.id, action.task_queue, len(action.args), action.retry_policy)
    limits = (action.execution_timeout, action.run_timeout, action.task_timeout)
    return (started, limits, schedule.spec, schedule.policy)
