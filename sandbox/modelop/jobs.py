"""The job runner: takes test jobs one at a time and has a subprocess compute the Standard Risk Tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from sandbox.modelop.entities import FINAL_JOB_STATUSES
from sandbox.modelop.errors import timestamp
from sandbox.modelop.objects import ObjectStore
from sandbox.modelop.store import SYSTEM, Entity, Store

logger = logging.getLogger(__name__)

MONITOR_ENGINE = {
    "engineType": "MODEL_OP_ENGINE",
    "name": "sandbox-monitoring-1",
    "environmentName": "Monitoring",
    "inProduction": False,
    "tags": ["MONITOR", "default"],
}
_COLLECTION = "jobs"


class JobFailure(Exception):
    """The job itself failed; the message goes into its `jobMessages`."""


class JobRunner:
    """Runs the jobs of a store, oldest first, one at a time.

    Args:
        store: where jobs are found and their outcome is written.
        objects: where the assets' bytes are.
        time_limit: seconds that the computation of one job may take.
    """

    def __init__(self, store: Store, objects: ObjectStore, *, time_limit: float) -> None:
        self._store = store
        self._objects = objects
        self._time_limit = time_limit
        self._wake = asyncio.Event()
        self._running_id: str | None = None
        self._process: asyncio.subprocess.Process | None = None

    def job_changed(self, collection: str, job: Entity) -> None:
        """Takes notice of a written entity: a new job is queued, the running one is stopped if it was cancelled."""
        if collection != _COLLECTION:
            return
        if job["jobStatus"] == "CANCELLED" and job["id"] == self._running_id and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._wake.set()

    async def run(self) -> None:
        """Works until it is cancelled, and then leaves no subprocess behind."""
        for job in self._store.find(_COLLECTION, "jobStatus", "RUNNING"):
            self._update(job["id"], "job queued again after a restart", jobStatus="WAITING")
        while True:
            self._wake.clear()
            for job in reversed(self._store.find(_COLLECTION, "jobStatus", "CREATED")):
                self._update(
                    job["id"],
                    "batch job received",
                    jobStatus="WAITING",
                    jobWaitTime=_now_ms(),
                    targetEngine=MONITOR_ENGINE,
                )
            waiting = self._store.find(_COLLECTION, "jobStatus", "WAITING")
            if waiting:
                await self._run_job(waiting[-1])
            else:
                await self._wake.wait()

    async def _run_job(self, job: Entity) -> None:
        self._running_id = job["id"]
        self._update(job["id"], "loading batch job", jobStatus="RUNNING", jobRunTime=_now_ms())
        try:
            result = await self._compute(job)
        except JobFailure as failure:
            self._finish(job["id"], f"ERROR: {failure}", jobStatus="ERROR", jobResult="FAILURE")
        # Whatever happens to one job, the ones behind it in the queue must have their turn.
        except Exception:
            logger.exception("Job %s could not be run", job["id"])
            message = "ERROR: the runtime could not run the job; the server's log says why"
            self._finish(job["id"], message, jobStatus="ERROR", jobResult="FAILURE")
        else:
            self._finish(
                job["id"],
                "batch job complete",
                "Records in/out: 0/1",
                jobStatus="COMPLETE",
                jobResult="SUCCESS",
                outputData=[_result_asset(result)],
            )
        finally:
            self._running_id = None

    async def _compute(self, job: Entity) -> bytes:
        """The test result as JSON bytes.

        Raises:
            JobFailure: the computation refused its input, crashed, or took too long.
        """
        request = json.dumps({"job": job, "objects": str(self._objects.root), "seconds": self._time_limit})
        # A session of its own: an interrupt typed at the terminal reaches the server alone, which then ends the job.
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sandbox.modelop.run_tests",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._time_limit):
                output, errors = await process.communicate(request.encode())
        except TimeoutError:
            raise JobFailure(f"the tests took longer than {self._time_limit:g} seconds") from None
        finally:
            self._process = None
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            logger.warning("Job %s: exit code %s: %s", job["id"], process.returncode, errors.decode(errors="replace"))
            raise JobFailure(f"the tests ended unexpectedly with exit code {process.returncode}")
        answer: dict[str, Any] = json.loads(output)
        if "error" in answer:
            raise JobFailure(answer["error"])
        return json.dumps(answer["result"], allow_nan=False).encode()

    def _finish(self, job_id: str, *messages: str, **changes: Any) -> None:
        self._update(job_id, *messages, jobEndTime=_now_ms(), **changes)

    def _update(self, job_id: str, *messages: str, **changes: Any) -> None:
        """Writes changes and messages, unless the job was ended by somebody else in the meantime."""
        job = self._store.get(_COLLECTION, job_id)
        if job is None or job["jobStatus"] in FINAL_JOB_STATUSES:
            return
        now = datetime.now(UTC)
        job.update(changes, lastUpdateFromRuntime=timestamp(now))
        job["jobMessages"] = [*job["jobMessages"], *(_message(now, text) for text in messages)]
        self._store.save(_COLLECTION, job, by=SYSTEM)


def _message(moment: datetime, text: str) -> str:
    return f"{moment.year}/{moment.month}/{moment.day} {moment:%H:%M:%S} {text}"


def _now_ms() -> int:
    return int(time.time() * 1000)


def _result_asset(result: bytes) -> dict[str, Any]:
    return {
        "filename": "test_result.json",
        "assetType": "FILE",
        "assetRole": "UNKNOWN",
        "fileFormat": "JSON",
        "fileContent": base64.b64encode(result).decode(),
    }
