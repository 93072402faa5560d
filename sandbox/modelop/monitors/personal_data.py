"""The scan for personal data in generated text. Only its place in the result is filled: it never scans anything."""

from __future__ import annotations

from typing import Any

from sandbox.modelop.monitors.dataset import MonitorError, RiskTestInput


def monitor(inputs: RiskTestInput) -> dict[str, Any]:
    """Refuses every model.

    Raises:
        MonitorError: the score is not text, or it is and there is no scanner here.
    """
    reason = "score column is numerical" if inputs.schema.only("score").numerical else "sandbox has no scanner"
    raise MonitorError(f"the PII scan can only be run for models that generate text; this {reason}")
