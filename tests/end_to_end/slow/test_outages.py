"""Systems that are away or refuse us when a run begins: the run parks, says why, and goes on when they are back."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.end_to_end.site import Site
from tests.processes import free_port
from worker.main import build_worker
from worker.settings import Settings
from worker.wiring import wire


def settings(
    site: Site, *, modelop: dict[str, object] | None = None, jira: dict[str, object] | None = None
) -> Settings:
    return Settings.model_validate(
        {
            "modelop": {
                "url": site.stack.addresses.modelop,
                "token": STATIC_TOKEN,
                "job_poll": "PT0.5S",
                **(modelop or {}),
            },
            "jira": {
                "url": site.stack.addresses.jira,
                "username": "svc-mlc",
                "token": "svc-mlc-password",
                "project": "GOV",
                "ambiguous_wait": "PT0S",
                **(jira or {}),
            },
            "worker": {"retry_attempts": 2, "graceful_shutdown": timedelta(seconds=1)},
        }
    )


@asynccontextmanager
async def worker_with(site: Site, queue: str, chosen: Settings) -> AsyncIterator[None]:
    wiring = wire(chosen, site.client)
    try:
        async with build_worker(site.client, chosen, wiring, task_queue=queue):
            yield
    finally:
        await wiring.aclose()


@pytest.mark.parametrize(
    ("wrong", "cause", "names"),
    [
        ({"modelop": {"url": "http://127.0.0.1:{free}"}}, "Unreachable", "ModelOp Center"),
        ({"modelop": {"token": "s3cr3t-but-wrong"}}, "Unauthorized", "ModelOp Center"),
        ({"jira": {"url": "http://127.0.0.1:{free}"}}, "Unreachable", "Jira"),
        ({"jira": {"token": "s3cr3t-but-wrong"}}, "Unauthorized", "Jira"),
    ],
    ids=["ModelOp unreachable", "ModelOp credentials", "Jira unreachable", "Jira credentials"],
)
async def test_a_run_that_cannot_reach_a_system_parks_and_goes_on_when_that_is_mended(
    site: Site, wrong: dict[str, dict[str, str]], cause: str, names: str
) -> None:
    free = str(free_port())
    changes = {system: {k: v.replace("{free}", free) for k, v in c.items()} for system, c in wrong.items()}
    queue = f"outage-{uuid.uuid4()}"
    async with worker_with(site, queue, settings(site, **changes)):
        run = await site.start(GERMAN_CREDIT, task_queue=queue)
        status = await run.blocked(cause)
    assert status.blocked is not None
    assert names in status.blocked.message
    assert "s3cr3t" not in status.blocked.message and "<" not in status.blocked.message
    assert status.blocked.transient is (cause == "Unreachable")

    async with worker_with(site, queue, settings(site)):
        await run.handle.execute_update("resume", {"reason": "mended"})
        await run.waiting_on("PiaApproval")
        await run.abort()
    history = (await run.handle.fetch_history()).to_json()
    assert "s3cr3t" not in history and "svc-mlc-password" not in history
