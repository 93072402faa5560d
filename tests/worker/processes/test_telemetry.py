"""Metrics are there for a scraper, and a trace leads from a webhook to the calls that it brought about."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from subprocess import run
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from activities import metrics, observation
from activities.signals import signal_once
from tests.collector import Collector, collector
from tests.processes import free_port
from tests.relay.conftest import post, serving, webhook
from tests.temporal_servers import dev_server
from tests.worker.processes.test_lifecycle import START_SECONDS, wait_for, worker_process
from tests.worker.traced_process import WaitingForAWebhook, call_outside
from worker.data_converter import data_converter
from worker.tracing import CLOSE_SECONDS, HEADER, OpenTelemetryTracing
from workflows import run_metrics
from workflows.contract import (
    SIGNAL_JIRA_STATUS_CHANGED,
    TASK_QUEUE,
    WORKFLOW_TYPE,
    Gate,
    MlcStage,
    TicketStatusChanged,
    workflow_id,
)

MODEL = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"


@contextmanager
def tracing_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenTelemetryTracing]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    tracing = OpenTelemetryTracing("tested")
    observation.install(tracing)
    try:
        yield tracing
    finally:
        observation.install(None)
        tracing.close()


def tracing_worker(client: Client, tracing: OpenTelemetryTracing) -> Worker:
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[WaitingForAWebhook],
        activities=[call_outside],
        interceptors=[tracing.interceptor],
        # Every task is a replay of all before it.
        max_cached_workflows=0,
    )


async def test_one_trace_leads_from_the_webhook_to_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dev_server() as environment:
        client = environment.client
        with collector() as taken, tracing_to(taken.url, monkeypatch) as tracing:
            async with tracing_worker(client, tracing):
                handle = await client.start_workflow(
                    WaitingForAWebhook.run, id=workflow_id(MODEL), task_queue=TASK_QUEUE
                )
                with serving(client) as relay:
                    answer = await post(relay, webhook("GOV-7", handle.id))
                    assert answer.json()["result"] == "signalled"
                await asyncio.wait_for(handle.result(), 30)
        _assert_two_legs(taken)
        # Without the interceptor the same history replays as well: headers are no commands.
        history = await handle.fetch_history()
        await Replayer(workflows=[WaitingForAWebhook], data_converter=data_converter).replay_workflow(history)


def _assert_two_legs(taken: Collector) -> None:
    (received,) = taken.named("POST /webhooks/jira")
    (handled,) = taken.named("HandleSignal:")
    (began,) = taken.named("RunWorkflow")
    at_start, after_signal = sorted(
        taken.named("RunActivity:call_outside"), key=lambda s: s.trace_id == received.trace_id
    )
    first_call, second_call = (
        next(call for call in taken.named("Jira GET") if call.parent_id == each.span_id)
        for each in (at_start, after_signal)
    )
    assert {handled.trace_id, after_signal.trace_id, second_call.trace_id} == {received.trace_id}
    assert handled.parent_id == after_signal.parent_id == received.span_id
    assert first_call.trace_id == began.trace_id != received.trace_id
    assert second_call.attributes["http.response.status_code"] == "200"
    assert second_call.attributes["mlc.call"] == "GET issue/10001"
    assert {span.service for span in taken.spans} == {"tested"}


async def test_a_failed_call_is_marked_and_quotes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        collector() as taken,
        tracing_to(taken.url, monkeypatch) as tracing,
        pytest.raises(RuntimeError),
        tracing.call("Jira", "GET issue/1", observation.OutsideCall(status=500)),
    ):
        raise RuntimeError("confidential")
    (span,) = taken.spans
    assert span.attributes["http.response.status_code"] == "500"
    assert "confidential" not in repr(taken.spans)


@pytest.mark.parametrize("garbage", [b"\xff", b"[]", b'{"traceparent": 7}', b'{"traceparent": "00-zz-zz-01"}', b"null"])
async def test_a_trace_header_that_is_garbage_harms_no_run(monkeypatch: pytest.MonkeyPatch, garbage: bytes) -> None:
    header = Payload(metadata={"encoding": b"json/plain"}, data=garbage)
    monkeypatch.setattr("activities.signals.trace_headers", lambda: {HEADER: header})
    async with dev_server() as environment:
        with collector() as taken, tracing_to(taken.url, monkeypatch) as tracing:
            async with tracing_worker(environment.client, tracing):
                handle = await environment.client.start_workflow(
                    WaitingForAWebhook.run, id=workflow_id(MODEL), task_queue=TASK_QUEUE
                )
                await signal_once(
                    environment.client,
                    handle.id,
                    SIGNAL_JIRA_STATUS_CHANGED,
                    TicketStatusChanged(issue_key="GOV-7"),
                    request_id="garbage",
                    timeout=timedelta(seconds=10),
                )
                await asyncio.wait_for(handle.result(), 30)
        assert len(taken.named("RunActivity:call_outside")) == 2


@pytest.mark.parametrize("listens", [False, True], ids=["away", "silent"])
def test_a_collector_that_does_not_answer_holds_up_nobody_not_even_the_end(
    monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        with tracing_to(f"http://127.0.0.1:{taken.getsockname()[1]}", monkeypatch) as tracing:
            began = time.monotonic()
            with tracing.delivery():
                assert tracing.headers()
            assert time.monotonic() - began < CLOSE_SECONDS
            began = time.monotonic()
        assert time.monotonic() - began < 2 * CLOSE_SECONDS


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector-canary"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:canary/at@collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Bearer canary"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,canary"),
    ],
)
def test_a_wrong_variable_of_the_traces_is_named_and_its_credentials_are_not_quoted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"^{variable}: should be") as refused:
        OpenTelemetryTracing("tested")
    assert "canary" not in str(refused.value) + caplog.text


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_EXPORTER_OTLP_HEADERS", "canary"), ("OTEL_BSP_MAX_QUEUE_SIZE", "-1")]
)
def test_a_wrong_variable_of_the_traces_stops_a_process_with_a_line(tmp_path: Path, variable: str, value: str) -> None:
    log = tmp_path / "worker.log"
    with worker_process(log, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **{variable: value}) as process:
        assert process.wait(START_SECONDS) == 1
    said = log.read_text()
    assert "traces cannot be sent" in said and "OTEL_SDK_DISABLED" in said
    assert "canary" not in said and "Traceback" not in said


def test_nothing_of_opentelemetry_is_loaded_where_no_collector_is_configured() -> None:
    code = "import sys, worker.main, relay.app; print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_workers_metrics_tell_of_calls_blocks_and_polling(tmp_path: Path) -> None:
    log, port = tmp_path / "worker.log", free_port()
    async with dev_server() as environment:
        address = environment.client.service_client.config.target_host
        with worker_process(
            log, TEMPORAL_ADDRESS=address, MLC_WORKER__METRICS_PORT=str(port), MLC_WORKER__RETRY_ATTEMPTS="1"
        ):
            wait_for(log, "Working on task queue sagemaker-mlc")
            await environment.client.start_workflow(
                WORKFLOW_TYPE, {"model_id": MODEL}, id=workflow_id(MODEL), task_queue=TASK_QUEUE
            )
            found = await _scraped_until(port, metrics.BLOCKS.exposed_name)
    (block,) = found[metrics.BLOCKS.exposed_name]
    assert (block.labels["stage"], block.labels["cause"], block.value) == ("Registered", "Unreachable", 1)
    # One series each: that from the start, with its 0, and that of the run have the same labels.
    entered = {sample.labels["stage"]: sample.value for sample in found[metrics.STAGES_ENTERED.exposed_name]}
    assert entered == {stage.value: float(stage is MlcStage.REGISTERED) for stage in MlcStage}
    assert len(found[metrics.STAGES_ENTERED.exposed_name]) == len(entered)
    for metric, kinds in ((metrics.TICKETS_OPENED, Gate), (metrics.IMPLEMENTATIONS_ENDED, run_metrics.FINAL_STAGES)):
        assert [sample.value for sample in found[metric.exposed_name]] == [0.0] * len(kinds)
    calls = found[metrics.OUTSIDE_CALLS.exposed_name + "_count"]
    assert {(call.labels["system"], call.labels["status"]) for call in calls} == {("ModelOp Center", "none")}
    assert sum(sample.value for sample in found["temporal_num_pollers"]) > 0
    everything = repr(found)
    assert MODEL not in everything and "unused" not in everything


async def _scraped_until(port: int, name: str) -> dict[str, list[Any]]:
    """Samples by name, once there is one of this name."""
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as http:
        while True:
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            found: dict[str, list[Any]] = {}
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    found.setdefault(sample.name, []).append(sample)
            if name in found:
                return found
            await asyncio.sleep(0.2)


def test_every_metric_has_a_name_of_its_own_a_description_and_no_label_for_ids() -> None:
    assert len({metric.name for metric in metrics.METRICS}) == len(metrics.METRICS)
    for metric in metrics.METRICS:
        assert metric.name.startswith("mlc_") and metric.description
        assert not {"workflow_id", "run_id", "model_id", "ticket"}.intersection(metric.labels)
