"""What a process tells about itself: metrics for Prometheus, traces for an OpenTelemetry collector, the SDK's own log.

Both are off unless they are configured, and nothing of them is then loaded. Which metrics there are stands in
`activities/metrics.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import RPCError

from activities import metrics, observation
from worker.settings import SettingsError, given_variables
from workflows.contract import BLOCKED_ATTRIBUTE, TICKET_ATTRIBUTE, WORKFLOW_TYPE

if TYPE_CHECKING:
    from worker.tracing import OpenTelemetryTracing

CENSUS_INTERVAL = timedelta(seconds=30)
CENSUS_TIMEOUT = timedelta(seconds=10)
# In the unit of the exporter, which is seconds; those that the SDK chooses suit milliseconds.
SDK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SDK_DURATIONS = (
    "temporal_request_latency",
    "temporal_long_request_latency",
    "temporal_workflow_task_schedule_to_start_latency",
    "temporal_workflow_task_execution_latency",
    "temporal_workflow_task_replay_latency",
    "temporal_activity_schedule_to_start_latency",
    "temporal_activity_execution_latency",
    "temporal_activity_succeed_endtoend_latency",
)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

logger = logging.getLogger(__name__)


class Telemetry:
    """The telemetry of this process; `tracing` is None where no collector is configured."""

    def __init__(self, meter: MetricMeter, tracing: OpenTelemetryTracing | None) -> None:
        self.meter = meter
        self.tracing = tracing

    async def aclose(self) -> None:
        """Sends the spans that wait, for some seconds at most."""
        observation.install(None)
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)


def start_telemetry(service: str, *, host: str, port: int | None, port_variable: str) -> Telemetry:
    """Makes the SDK's one runtime of this process; to be called before the first connection to Temporal.

    Args:
        service: what traces call this process.
        host: address on which `/metrics` is served.
        port: its port; None: no metrics.
        port_variable: the setting that gives the port, for the message that it is taken.

    Raises:
        SettingsError: the address cannot be listened on, or an `OTEL_*` variable is not usable.
    """
    try:
        runtime = Runtime(telemetry=TelemetryConfig(metrics=_prometheus(host, port), logging=_logging()))
    except ValueError as error:
        raise SettingsError(f"{port_variable}: metrics cannot be served on {host} port {port}: {error}") from error
    Runtime.set_default(runtime, error_if_already_set=False)
    tracing = _start_tracing(service)
    observation.install(tracing)
    if port is not None:
        logger.info("Metrics on http://%s:%d/metrics", host, port)
    return Telemetry(runtime.metric_meter, tracing)


@asynccontextmanager
async def census(client: Client, meter: MetricMeter) -> AsyncIterator[None]:
    """Counts the implementations under way every now and then while the block runs.

    Counters of events cannot tell how many are blocked now: they begin at nothing in every new process. Every worker
    shows the same numbers, so a dashboard takes their maximum.
    """
    counting = asyncio.create_task(_count_again_and_again(client, meter))
    try:
        yield
    finally:
        counting.cancel()
        with suppress(asyncio.CancelledError):
            await counting


async def _count_again_and_again(client: Client, meter: MetricMeter) -> None:
    while True:
        try:
            await _count_implementations(client, meter)
        except RPCError as error:
            logger.debug("The implementations under way were not counted: %s", error.message)
        await asyncio.sleep(CENSUS_INTERVAL.total_seconds())


async def _count_implementations(client: Client, meter: MetricMeter) -> None:
    running = f"WorkflowType = '{WORKFLOW_TYPE}' AND ExecutionStatus = 'Running'"
    for metric, condition in (
        (metrics.RUNNING, ""),
        (metrics.WAITING, f" AND {TICKET_ATTRIBUTE.name} IS NOT NULL"),
        (metrics.BLOCKED, f" AND {BLOCKED_ATTRIBUTE.name} = true"),
    ):
        counted = await client.count_workflows(running + condition, rpc_timeout=CENSUS_TIMEOUT)
        metrics.show(meter, metric, counted.count)


def _prometheus(host: str, port: int | None) -> PrometheusConfig | None:
    if port is None:
        return None
    ours = {metric.name: metric.buckets for metric in metrics.METRICS if metric.buckets}
    return PrometheusConfig(
        bind_address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={**dict.fromkeys(SDK_DURATIONS, SDK_BUCKETS), **ours},
    )


def _logging() -> LoggingConfig:
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logger=logging.getLogger("temporalio.core"), append_target_to_name=False, prepend_target_on_message=False
        ),
    )


def _start_tracing(service: str) -> OpenTelemetryTracing | None:
    """Tracing, where a collector is configured; loaded only then, because it costs a process a second."""
    otel = {name: value for name, value in given_variables().items() if name.startswith("OTEL_") and value}
    if not _is_wanted(otel):
        return None
    # The exporter knows the environment only, and the settings may stand in the env file.
    os.environ.update(otel)
    try:
        tracing: OpenTelemetryTracing = import_module("worker.tracing").OpenTelemetryTracing(service)
    except ValueError as error:
        raise SettingsError(f"traces cannot be sent: {error}; mend it, or set OTEL_SDK_DISABLED=true") from error
    logger.info("Traces go to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names")
    return tracing


def _is_wanted(otel: Mapping[str, str]) -> bool:
    disabled = otel.get("OTEL_SDK_DISABLED", "").lower() == "true" or otel.get("OTEL_TRACES_EXPORTER") == "none"
    return not disabled and any(name in otel for name in _ENDPOINTS)
