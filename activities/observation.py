"""What one call to another system leaves behind: a measurement and, where traces are wanted, a span.

Nothing here depends on a tracing library. A process that traces installs its `Tracing`; without one, spans and trace
headers cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from temporalio import activity
from temporalio.api.common.v1 import Payload

from activities import metrics

NO_ANSWER = "none"


@dataclass
class OutsideCall:
    """A call under way; whoever makes it notes the HTTP status of the answer."""

    status: int | None = None

    @property
    def status_class(self) -> str:
        """`2xx` to `5xx`, or `none` while there is no answer."""
        return f"{self.status // 100}xx" if self.status else NO_ANSWER


class Tracing(Protocol):
    """What traces the calls of this process."""

    def call(self, system: str, call: str, observed: OutsideCall) -> AbstractContextManager[None]:
        """A span around a call, under the span of the activity that makes it."""

    def delivery(self) -> AbstractContextManager[None]:
        """A span around one delivery to the relay: a trace begins here."""

    def headers(self) -> Mapping[str, Payload]:
        """Headers that carry the current trace to a workflow; none where there is no trace."""


class _Installed:
    tracing: Tracing | None = None


def install(tracing: Tracing | None) -> None:
    """Makes `tracing` the one of this process; None ends tracing."""
    _Installed.tracing = tracing


def trace_headers() -> Mapping[str, Payload]:
    """Headers for a signal, so that what it causes belongs to the trace of the one who sends it."""
    return _Installed.tracing.headers() if _Installed.tracing else {}


def delivery() -> AbstractContextManager[None]:
    """Observes one delivery to the relay."""
    return _Installed.tracing.delivery() if _Installed.tracing else nullcontext()


@contextmanager
def outside_call(system: str, call: str) -> Iterator[OutsideCall]:
    """Observes one call.

    Args:
        system: the name people know the system by; one of a few.
        call: method and path as errors name them, without host, query and credentials.
    """
    observed = OutsideCall()
    tracing = _Installed.tracing
    started = time.monotonic()
    try:
        with tracing.call(system, call, observed) if tracing else nullcontext():
            yield observed
    finally:
        # `mlc doctor` makes the same calls, and nobody scrapes it.
        if activity.in_activity():
            metrics.measure(
                activity.metric_meter(),
                metrics.OUTSIDE_CALLS,
                timedelta(seconds=time.monotonic() - started),
                system=system,
                status=observed.status_class,
            )
