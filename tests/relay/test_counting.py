"""The relay counts every delivery by what became of it."""

from __future__ import annotations

from collections import Counter

from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from activities.metrics import WEBHOOKS
from relay.app import Result
from tests.relay.conftest import post, serving, waiting_run, webhook


async def test_each_delivery_is_counted_by_its_result_and_every_result_is_there_from_the_start(
    temporal: Client,
) -> None:
    told = MetricBuffer(1_000)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=told))
    run = await waiting_run(temporal)
    with serving(temporal, meter=runtime.metric_meter) as url:
        await post(url, webhook("GOV-7", run.id))
        await post(url, webhook("GOV-7", run.id, webhookEvent="jira:issue_created"))
        await post(url, b"no JSON")
        await post(url, webhook("GOV-7", run.id), secret="somebody else's")
    counted: Counter[str] = Counter()
    for update in told.retrieve_updates():
        if update.metric.name == WEBHOOKS.name:
            counted[str(update.attributes["result"])] += int(update.value)
    assert dict(counted) == {**dict.fromkeys(Result, 0), "signalled": 1, "ignored": 2, "refused": 1}
