"""The Markdown that the Temporal Web UI shows as a run's current details."""

from __future__ import annotations

from collections.abc import Mapping

from workflows.contract import Gate, ImplementationStatus, MlcStage

_STEPS: list[tuple[MlcStage, str, Gate | None]] = [
    (MlcStage.REGISTERED, "Registered", None),
    (MlcStage.PIA_APPROVAL, "Privacy (PIA) approval", Gate.PIA),
    (MlcStage.SNAPSHOT, "Snapshot", None),
    (MlcStage.RISK_TESTS, "Standard Risk Tests", Gate.TEST_FAILURE),
    (MlcStage.RESULTS_APPROVAL, "Model review", Gate.RESULTS),
    (MlcStage.PRODUCTION_APPROVAL, "Production approval", Gate.PRODUCTION),
    (MlcStage.MARK_DEPLOYED, "Deployed in Production", None),
]


def current_details(status: ImplementationStatus, links: Mapping[str, str]) -> str:
    """Renders where a run stands and what it needs.

    Args:
        status: what the query `status` answers.
        links: addresses by ticket key, snapshot id or model id; what has none is shown as plain text.
    """
    heading = f"### {_text(status.model_name or status.model_id or 'Implementation')}: {status.stage.value}"
    return "\n\n".join(part for part in (heading, _needs(status, links), _steps(status, links)) if part)


def _needs(status: ImplementationStatus, links: Mapping[str, str]) -> str:
    if status.blocked:
        alone = (
            f" It tries again by itself at {status.blocked.next_retry_at:%Y-%m-%d %H:%M} UTC."
            if status.blocked.next_retry_at
            else ""
        )
        return (
            f"**Blocked: {_text(status.blocked.cause)}.** {_text(status.blocked.message)}\n\n"
            "Mend the cause, then send the update `resume` (or `mlc resume`); "
            f"the update `abort` ends the run.{alone}"
        )
    if status.waiting_on:
        ticket = _link(status.waiting_on.ticket, links)
        return f"Waits for a decision on {ticket} since {status.waiting_on.since:%Y-%m-%d %H:%M} UTC."
    return ""


def _steps(status: ImplementationStatus, links: Mapping[str, str]) -> str:
    rows = ["| Step | Since (UTC) | Ticket or object | Decision |", "|---|---|---|---|"]
    entered = {entry.stage: entry.at for entry in reversed(status.timeline)}
    for stage, name, gate in _STEPS:
        if stage not in entered:
            rows.append(f"| {name} | – | | |")
            continue
        decided = [d for d in status.decisions if d.gate == gate] if gate else []
        tickets = [d.ticket for d in decided]
        if status.waiting_on and status.waiting_on.gate == gate and status.waiting_on.ticket not in tickets:
            tickets.append(status.waiting_on.ticket)
        objects = [_link(ticket, links) for ticket in tickets]
        if stage is MlcStage.SNAPSHOT and status.snapshot_id:
            objects.append(_link(status.snapshot_id, links))
        if stage is MlcStage.RESULTS_APPROVAL and status.document:
            objects.append(f"`{status.document.filename}`")
        decision = "; ".join(f"{d.verdict.value} by {_text(d.decided_by_name or d.decided_by)}" for d in decided)
        rows.append(f"| {name} | {entered[stage]:%Y-%m-%d %H:%M} | {', '.join(objects)} | {decision} |")
    return "\n".join(rows)


def _link(name: str, links: Mapping[str, str]) -> str:
    return f"[{name}]({links[name]})" if links.get(name) else f"`{name}`"


def _text(value: str) -> str:
    """Outside text must neither break the table nor become markup."""
    line = " ".join(value.split())
    return "".join("\\" + c if c in "\\`*_[]<>|#" else c for c in line)
