"""The schedule on which the sweep runs."""

from __future__ import annotations

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


async def schedule_sweep(client: Client, interval: timedelta) -> str:
    """Sees to it that the sweep runs every `interval`; doing it again changes nothing.

    Returns:
        What was done: `created`, `changed` or `there already`.
    """
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(SWEEP_WORKFLOW_TYPE, id=SWEEP_SCHEDULE_ID, task_queue=TASK_QUEUE),
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
    found = (await handle.describe()).schedule.spec.intervals
    if [spec.every for spec in found] == [interval]:
        return "there already"

    def change(current: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = current.description.schedule
        schedule.spec = wanted.spec
        return ScheduleUpdate(schedule=schedule)

    await handle.update(change)
    return "changed"
