"""Traces with OpenTelemetry. Imported only where a collector is configured.

A run may last for weeks, and a trace of weeks shows nothing. So a trace covers what one cause brings about: the
webhook that came in, the signal, the activities that follow until the run waits again, and their calls. A run begins
in the trace of whoever started it or, started without one, in a trace of its own.

The run itself keeps the headers of its latest cause and passes them on as they are. It makes no ids, so a replay
passes on the same; only spans, which go nowhere near the history, are left out then.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers
from pydantic import HttpUrl, TypeAdapter
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.observation import OutsideCall

# As the SDKs of all languages name it, so that a caller's trace goes on here.
HEADER = "_tracer-data"
CLOSE_SECONDS = 3.0
_SPAN_FUNCTION = "__mlc_workflow_span"
_PROPAGATOR = TraceContextTextMapPropagator()
_ADDRESS = TypeAdapter(HttpUrl)
# It quotes what it cannot read, and headers for a collector hold credentials.
logging.getLogger("opentelemetry.util.re").addFilter(lambda record: False)


class OpenTelemetryTracing:
    """Makes spans and sends them to the collector of the `OTEL_EXPORTER_OTLP_*` variables."""

    def __init__(self, service: str) -> None:
        """Takes the name of this process; `OTEL_SERVICE_NAME` replaces it.

        Raises:
            ValueError: one of the `OTEL_*` variables is not usable; the text names it and does not quote credentials.
        """
        _check_variables()
        resource = Resource.create({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("sagemaker-mlc")
        self.interceptor = CauseInterceptor(self._tracer)

    @contextmanager
    def call(self, system: str, call: str, observed: OutsideCall) -> Iterator[None]:
        """A span around a call to another system, under the span of the activity that makes it."""
        method = call.partition(" ")[0]
        with self._tracer.start_as_current_span(
            f"{system} {method}",
            kind=SpanKind.CLIENT,
            attributes={"peer.service": system, "mlc.call": call},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(_failed(error))
                raise
            finally:
                if observed.status:
                    span.set_attribute("http.response.status_code", observed.status)

    @contextmanager
    def delivery(self) -> Iterator[None]:
        """A span around one delivery to the relay: a trace begins here."""
        with self._tracer.start_as_current_span("POST /webhooks/jira", kind=SpanKind.SERVER):
            yield

    def headers(self) -> Mapping[str, Payload]:
        """Headers that carry the current trace to a workflow."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return {HEADER: PayloadConverter.default.to_payload(carrier)} if carrier else {}

    def close(self) -> None:
        """Sends the spans that wait, for `CLOSE_SECONDS` at most."""
        # The exporter waits for a collector that does not answer, and asks it again, for much longer than that.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class CauseInterceptor(Interceptor):
    """Lets runs belong to the trace of their latest cause, and activities to that of their run."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """A span around each attempt."""
        return _Activity(next, self._tracer)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """The run's side: it keeps its cause, and has spans made outside the sandbox."""
        input.unsafe_extern_functions[_SPAN_FUNCTION] = self._workflow_span
        return _Workflow

    def _workflow_span(self, name: str, cause: Payload, attributes: dict[str, str]) -> None:
        self._tracer.start_span(name, _context(cause), kind=SpanKind.INTERNAL, attributes=attributes).end()


class _Activity(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, tracer: Tracer) -> None:
        super().__init__(next)
        self._tracer = tracer

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        attributes: dict[str, str | int] = {
            "temporalWorkflowID": info.workflow_id or "",
            "temporalRunID": info.workflow_run_id or "",
            "temporalActivityID": info.activity_id,
            "mlc.attempt": info.attempt,
        }
        with self._tracer.start_as_current_span(
            f"RunActivity:{info.activity_type}",
            _context(input.headers.get(HEADER)),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await super().execute_activity(input)
            except BaseException as error:
                span.set_status(_failed(error))
                raise


class _Workflow(WorkflowInboundInterceptor):
    """Keeps the header of the latest cause."""

    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self.cause: Payload | None = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        # A signal may have come first.
        self._because_of(self.cause or input.headers.get(HEADER) or _of_its_own(), "RunWorkflow")
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        self._because_of(input.headers.get(HEADER), f"HandleSignal:{input.signal}")
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        self._because_of(input.headers.get(HEADER), f"HandleUpdate:{input.update}")
        return await super().handle_update_handler(input)

    def _because_of(self, cause: Payload | None, name: str) -> None:
        if cause is None:
            return
        self.cause = cause
        if workflow.unsafe.is_replaying():
            return
        info = workflow.info()
        attributes = {"temporalWorkflowID": info.workflow_id, "temporalRunID": info.run_id}
        workflow.extern_functions()[_SPAN_FUNCTION](name, cause, attributes)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, inbound: _Workflow) -> None:
        super().__init__(next)
        self._inbound = inbound

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if self._inbound.cause is not None:
            input.headers = {**input.headers, HEADER: self._inbound.cause}
        return super().start_activity(input)


def _check_variables() -> None:
    """What the exporter itself would find out only when it sends, every few seconds and with values in the log."""
    for kind in ("OTEL_EXPORTER_OTLP", "OTEL_EXPORTER_OTLP_TRACES"):
        endpoint, headers = os.environ.get(f"{kind}_ENDPOINT"), os.environ.get(f"{kind}_HEADERS", "")
        try:
            _ADDRESS.validate_python(endpoint or "http://localhost")
        except ValueError:
            raise ValueError(f"{kind}_ENDPOINT: should be an address, for example http://collector:4318") from None
        if not all(parse_env_headers(each, liberal=True) for each in headers.split(",") if each.strip()):
            raise ValueError(f"{kind}_HEADERS: should be name=value, with commas between several")


def _of_its_own() -> Payload:
    """The header of a trace that follows from the run's id, so that every replay comes to the same."""
    digest = hashlib.sha256(workflow.info().first_execution_run_id.encode()).hexdigest()
    return PayloadConverter.default.to_payload({"traceparent": f"00-{digest[:32]}-{digest[32:48]}-01"})


def _context(cause: Payload | None) -> Context:
    """The context that a header carries. Anybody can send one, so an unreadable header is none at all."""
    try:
        carrier = PayloadConverter.default.from_payload(cause) if cause else {}
        return _PROPAGATOR.extract({key: str(value) for key, value in carrier.items()}, Context())
    except Exception:
        return Context()


def _failed(error: BaseException) -> Status:
    """The kind of an error. Its text may quote another system and is encrypted elsewhere, so it has no place here."""
    return Status(StatusCode.ERROR, getattr(error, "type", None) or type(error).__name__)
