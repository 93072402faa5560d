"""What a run adds to the metrics. Nothing here makes a command, and nothing is counted again in a replay."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import metrics
    from workflows.contract import Gate, MlcStage, Verdict

FINAL_STAGES = frozenset({MlcStage.DEPLOYED, MlcStage.REJECTED, MlcStage.ABORTED, MlcStage.CANCELLED, MlcStage.FAILED})


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
