"""A small client of the model-manage interface, written against its documentation and not against the server."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.processes import ServerProcess, free_port, server_process

GERMAN_CREDIT = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"
TWO_SCHEMAS = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e02"
NO_LABELS = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e03"
NO_COMPARATOR = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e04"
NOTEBOOK = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e05"
RISK_TESTS = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e10"
RISK_TESTS_SNAPSHOT = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e11"

FINAL = ("COMPLETE", "ERROR", "CANCELLED")


class ModelManage(httpx.Client):
    """Calls below `/model-manage/api` with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        super().__init__(base_url=f"{url}/model-manage/api", headers=headers, timeout=30)

    def create(self, collection: str, body: dict[str, Any]) -> dict[str, Any]:
        """POSTs an entity that must be accepted."""
        response = self.post(f"/{collection}", json=body)
        assert response.status_code == 201, response.text
        entity: dict[str, Any] = response.json()
        return entity

    def fetch(self, collection: str, entity_id: str) -> dict[str, Any]:
        """GETs an entity that must be there."""
        response = self.get(f"/{collection}/{entity_id}")
        assert response.status_code == 200, response.text
        entity: dict[str, Any] = response.json()
        return entity

    def snapshot(self, model_id: str) -> dict[str, Any]:
        """A new snapshot of a stored model."""
        return self.create("deployableModels", {"storedModel": {"id": model_id}})

    def test_job(self, snapshot: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """A queued Standard Risk Tests job on a snapshot, with its data assets as input."""
        return self.create("jobs", {**job_body(snapshot), **changes})

    def finished(self, job: dict[str, Any], timeout: float = 30) -> dict[str, Any]:
        """The job once it has ended."""
        deadline = time.monotonic() + timeout
        while job["jobStatus"] not in FINAL:
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
            job = self.fetch("jobs", job["id"])
        return job


def job_body(snapshot: dict[str, Any]) -> dict[str, Any]:
    """What is sent to have a snapshot tested."""
    return {
        "jobType": "MODEL_BATCH_TEST_JOB",
        "jobStatus": "CREATED",
        "model": {"id": RISK_TESTS_SNAPSHOT},
        "referenceModel": {"id": snapshot["id"]},
        "inputData": snapshot["storedModel"]["modelAssets"],
        "outputData": [],
        "jobParameters": {"mlc": {"attempt": 1}},
    }


def job_result(job: dict[str, Any]) -> dict[str, Any]:
    """The test result that a complete job carries."""
    result: dict[str, Any] = json.loads(base64.b64decode(job["outputData"][0]["fileContent"]))
    return result


@contextlib.contextmanager
def sandbox_process(data: Path, log: Path, *options: str) -> Iterator[ServerProcess]:
    """A sandbox on a free port that keeps its data in `data`."""
    port = free_port()
    command = ["-m", "sandbox.modelop", "--port", str(port), "--data", str(data), *options]
    with server_process(command, port=port, log=log) as server:
        yield server
