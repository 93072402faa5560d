"""The sweep's schedule is brought to what this release wants, and stays paused when somebody paused it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from tests.temporal_servers import dev_server
from worker.schedule import schedule_sweep
from workflows.contract import SWEEP_SCHEDULE_ID

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def temporal() -> AsyncIterator[Client]:
    async with dev_server() as environment:
        yield environment.client


@pytest_asyncio.fixture(loop_scope="session")
async def schedule(temporal: Client) -> AsyncIterator[ScheduleHandle]:
    assert await schedule_sweep(temporal, MINUTE) == "created"
    handle = temporal.get_schedule_handle(SWEEP_SCHEDULE_ID)
    yield handle
    await handle.delete()


async def test_doing_it_again_changes_nothing(temporal: Client, schedule: ScheduleHandle) -> None:
    assert await schedule_sweep(temporal, MINUTE) == "there already"
    assert (await schedule.describe()).info.last_updated_at is None


async def test_another_interval_is_taken_over(temporal: Client, schedule: ScheduleHandle) -> None:
    assert await schedule_sweep(temporal, 2 * MINUTE) == "changed"
    found = (await schedule.describe()).schedule
    assert [spec.every for spec in found.spec.intervals] == [2 * MINUTE]
    assert found.policy.catchup_window == 2 * MINUTE


@pytest.mark.parametrize(
    "other",
    [
        {"action": ScheduleActionStartWorkflow("TicketSweep", id=SWEEP_SCHEDULE_ID, task_queue="of-an-older-release")},
        {"action": ScheduleActionStartWorkflow("Sweep", id=SWEEP_SCHEDULE_ID, task_queue="sagemaker-mlc")},
        {"policy": SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL, catchup_window=MINUTE)},
        {"spec": ScheduleSpec(intervals=[ScheduleIntervalSpec(every=MINUTE)], jitter=timedelta(hours=1))},
    ],
)
async def test_a_schedule_of_another_release_is_mended_and_stays_paused(
    temporal: Client, schedule: ScheduleHandle, other: dict[str, object]
) -> None:
    def put(current: ScheduleUpdateInput) -> ScheduleUpdate:
        found: Schedule = current.description.schedule
        found.state.paused, found.state.note = True, "a freeze"
        return ScheduleUpdate(schedule=replace(found, **other))  # type: ignore[arg-type]

    await schedule.update(put)
    assert await schedule_sweep(temporal, MINUTE) == "changed"
    mended = (await schedule.describe()).schedule
    assert isinstance(mended.action, ScheduleActionStartWorkflow)
    assert (mended.action.workflow, mended.action.task_queue) == ("TicketSweep", "sagemaker-mlc")
    assert mended.policy.overlap is ScheduleOverlapPolicy.SKIP and mended.spec.jitter is None
    assert mended.state.paused and mended.state.note == "a freeze"
    assert await schedule_sweep(temporal, MINUTE) == "there already"
