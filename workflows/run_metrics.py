"""What a run adds to the metrics. Nothing here makes a command, and nothing is counted again in a replay."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import MetricMeter

with workflow.unsafe.imports_passed_through():
    from activities import metrics
    from workflows.contract import WORKFLOW_TYPE, Gate, MlcStage, Verdict

FINAL_STAGES = frozenset({MlcStage.DEPLOYED, MlcStage.REJECTED, MlcStage.ABORTED, MlcStage.CANCELLED, MlcStage.FAILED})


def begin(meter: MetricMeter, *, namespace: str, task_queue: str) -> None:
    """Shows every count of runs at 0 when a worker starts.

    A rate sees no first event: of a series that begins at 1 it takes that for the beginning.

    Args:
        meter: that of the process, outside any run.
        namespace: the worker's, for the labels that the SDK adds to the counts of a run.
        task_queue: likewise.
    """
    of_runs = meter.with_additional_attributes(
        {"namespace": namespace, "task_queue": task_queue, "workflow_type": WORKFLOW_TYPE}
    )
    for stage in MlcStage:
        metrics.count(of_runs, metrics.STAGES_ENTERED, 0, stage=stage.value)
    for outcome in FINAL_STAGES:
        metrics.count(of_runs, metrics.IMPLEMENTATIONS_ENDED, 0, outcome=outcome.value)
    for gate in Gate:
        metrics.count(of_runs, metrics.TICKETS_OPENED, 0, gate=gate.value)


def entered(stage: MlcStage) -> None:
    """A stage begins; a final one is the outcome."""
    meter = workflow.metric_meter()
    metrics.count(meter, metrics.STAGES_ENTERED, stage=stage.value)
    if stage in FINAL_STAGES:
        metrics.count(meter, metrics.IMPLEMENTATIONS_ENDED, outcome=stage.value)


def ticket_opened(gate: Gate) -> None:
    """A ticket stands in Jira that did not stand there before."""
    metrics.count(workflow.metric_meter(), metrics.TICKETS_OPENED, gate=gate.value)


def decided(gate: Gate, verdict: Verdict, waited: timedelta) -> None:
    """A decision that counts was found on a ticket."""
    metrics.measure(workflow.metric_meter(), metrics.GATE_WAIT, waited, gate=gate.value, verdict=verdict.value)


def blocked(stage: MlcStage, cause: str) -> None:
    """The run was parked."""
    metrics.count(workflow.metric_meter(), metrics.BLOCKS, stage=stage.value, cause=cause)
