"""A real Temporal server, and the relay behind a real web server in a thread of its own."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from relay.app import create_app
from tests.processes import free_port
from workflows.contract import SEARCH_ATTRIBUTES, TASK_QUEUE, TICKET_ATTRIBUTE, WORKFLOW_TYPE, workflow_id

SECRET = "It's a Secret to Everybody"
OLD_SECRET = "the secret before"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal() -> AsyncIterator[Client]:
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
    ) as environment:
        yield environment.client


@contextlib.contextmanager
def serving(client: Client, secrets: Sequence[str] = (SECRET, OLD_SECRET), **options: Any) -> Iterator[str]:
    """Serves the relay over HTTP and yields its address."""
    port = free_port()
    app = create_app(client=client, secrets=[SecretStr(secret) for secret in secrets], **options)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the relay did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def relay_url(temporal: Client) -> Iterator[str]:
    with serving(temporal) as url:
        yield url


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def post(
    url: str, body: bytes | Mapping[str, Any], *, headers: Mapping[str, str] | None = None, secret: str = SECRET
) -> httpx.Response:
    """Sends a signed webhook as Jira would."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed = {"X-Hub-Signature": sign(raw, secret), "Content-Type": "application/json", **(headers or {})}
    async with httpx.AsyncClient(timeout=20) as http:
        return await http.post(f"{url}/webhooks/jira", content=raw, headers=signed)


def webhook(key: str, *labels: str, **replaced: Any) -> dict[str, Any]:
    """A Data Center `jira:issue_updated` in which Paul moved the ticket to Done."""
    return {
        "timestamp": 1767261600000,
        "webhookEvent": "jira:issue_updated",
        "issue_event_type_name": "issue_generic",
        "user": {"name": "paul", "key": "JIRAUSER10001", "displayName": "Paul Privacy"},
        "issue": {
            "id": "10042",
            "key": key,
            "fields": {"labels": ["sagemaker-mlc", *labels], "status": {"name": "Done"}},
        },
        "changelog": {
            "id": "77",
            "items": [
                {"field": "resolution", "toString": "Done"},
                {"field": "status", "fromString": "To Do", "toString": "Done"},
            ],
        },
        **replaced,
    }


async def waiting_run(client: Client, ticket: str = "") -> WorkflowHandle[Any, Any]:
    """A running implementation; no worker is needed for a signal to reach its history."""
    pairs = [SearchAttributePair(TICKET_ATTRIBUTE, ticket)] if ticket else []
    return await client.start_workflow(
        WORKFLOW_TYPE,
        {"model_id": "unused"},
        id=workflow_id(str(uuid4())),
        task_queue=TASK_QUEUE,
        search_attributes=TypedSearchAttributes(pairs),
    )


async def signals(client: Client, run: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """Payloads of the signals in the run's history, in order."""
    history = await run.fetch_history()
    received = [
        event.workflow_execution_signaled_event_attributes
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert all(each.signal_name == "jira_status_changed" and each.identity for each in received)
    return [(await client.data_converter.decode(each.input.payloads, [dict]))[0] for each in received]
