"""Every metric of ours: its name, what it counts, and the labels it may carry.

Names follow Prometheus: the exporter adds `_total` to counters and `_seconds` to durations. Labels are taken from
short, closed lists; an id of a run, a model or a ticket is never one of them, since each value is a series for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.common import MetricMeter


class Kind(StrEnum):
    """What a metric measures; the value is what Prometheus adds to its name."""

    COUNTER = "_total"
    DURATION = "_seconds"
    GAUGE = ""


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: without what the exporter adds.
        labels: names of the labels that are ours; the SDK adds namespace, task queue and the like.
        buckets: upper bounds of a duration's buckets, in seconds.
    """

    kind: Kind
    name: str
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def exposed_name(self) -> str:
        """The name under which Prometheus finds it."""
        return self.name + self.kind


_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0

STAGES_ENTERED = Metric(
    Kind.COUNTER, "mlc_stages_entered", "Implementations that entered a stage of the process", ("stage",)
)
IMPLEMENTATIONS_ENDED = Metric(
    Kind.COUNTER, "mlc_implementations_ended", "Implementations that ended, by how they ended", ("outcome",)
)
TICKETS_OPENED = Metric(Kind.COUNTER, "mlc_tickets_opened", "Jira tickets opened for a decision", ("gate",))
GATE_WAIT = Metric(
    Kind.DURATION,
    "mlc_gate_wait",
    "Time from a ticket's being ready for a decision to the decision that counts",
    ("gate", "verdict"),
    (_MINUTE, 10 * _MINUTE, _HOUR, 4 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY),
)
BLOCKS = Metric(Kind.COUNTER, "mlc_blocks", "Times that an implementation was parked", ("stage", "cause"))
RUNNING = Metric(Kind.GAUGE, "mlc_running_implementations", "Implementations under way, as Temporal counts them")
WAITING = Metric(Kind.GAUGE, "mlc_waiting_implementations", "Implementations under way that have an open ticket")
BLOCKED = Metric(Kind.GAUGE, "mlc_blocked_implementations", "Implementations under way that are parked")
SWEEPS = Metric(Kind.COUNTER, "mlc_sweeps", "Sweeps over the tickets of all waiting implementations that succeeded")
SWEEP_SIGNALS = Metric(
    Kind.COUNTER, "mlc_sweep_signals", "Signals that a sweep sent, most of which a webhook had sent before"
)
OUTSIDE_CALLS = Metric(
    Kind.DURATION,
    "mlc_outside_call",
    "Calls to other systems and how long they took; status is the class of the answer, or none",
    ("system", "status"),
    (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0),
)
WEBHOOKS = Metric(Kind.COUNTER, "mlc_webhooks", "Webhooks that reached the relay, by what became of them", ("result",))

METRICS = (
    STAGES_ENTERED,
    IMPLEMENTATIONS_ENDED,
    TICKETS_OPENED,
    GATE_WAIT,
    BLOCKS,
    RUNNING,
    WAITING,
    BLOCKED,
    SWEEPS,
    SWEEP_SIGNALS,
    OUTSIDE_CALLS,
    WEBHOOKS,
)


def count(meter: MetricMeter, metric: Metric, amount: int = 1, **labels: str) -> None:
    """Adds to a counter; adding 0 makes the series visible before its first event."""
    meter.create_counter(metric.name, metric.description).add(amount, labels)


def measure(meter: MetricMeter, metric: Metric, duration: timedelta, **labels: str) -> None:
    """Records a duration."""
    meter.create_histogram_timedelta(metric.name, metric.description).record(max(duration, timedelta(0)), labels)


def show(meter: MetricMeter, metric: Metric, value: int, **labels: str) -> None:
    """Sets a gauge."""
    meter.create_gauge(metric.name, metric.description).set(value, labels)
