"""Where a run stands, and how the world sees it."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from workflows import run_metrics
from workflows.details import current_details

with workflow.unsafe.imports_passed_through():
    from workflows.contract import (
        BLOCKED_ATTRIBUTE,
        MODEL_ID_ATTRIBUTE,
        STAGE_ATTRIBUTE,
        TICKET_ATTRIBUTE,
        ImplementationStatus,
        MlcStage,
        TimelineEntry,
    )


class StatusBoard:
    """Holds the status that the query answers, and shows every change in the Web UI and in search attributes.

    `open_ticket` is known to the search attributes from its opening on; `status.waiting_on` names it once a person
    can decide, which for the review is after its document is attached.
    """

    def __init__(self) -> None:
        self.status = ImplementationStatus(model_id="")
        self.links: dict[str, str] = {}
        self.open_ticket: str | None = None
        self._published: dict[str, Any] = {}

    @property
    def title(self) -> str:
        """What people call the run: the model's name or, before that is known, its id."""
        return self.status.model_name or self.status.model_id

    def enter(self, stage: MlcStage) -> None:
        """Notes that a stage begins now."""
        self.status.stage = stage
        self.status.timeline.append(TimelineEntry(stage=stage, at=workflow.now()))
        self.publish()
        run_metrics.entered(stage)

    def publish(self) -> None:
        """Shows the status: one upsert for all search attributes that changed, and the current details."""
        values: dict[SearchAttributeKey[Any], Any] = {
            MODEL_ID_ATTRIBUTE: self.status.model_id or None,
            STAGE_ATTRIBUTE: self.status.stage.value,
            TICKET_ATTRIBUTE: self.open_ticket,
            BLOCKED_ATTRIBUTE: self.status.blocked is not None,
        }
        changes: list[SearchAttributeUpdate[Any]] = [
            key.value_unset() if value is None else key.value_set(value)
            for key, value in values.items()
            if value != self._published.get(key.name)
        ]
        if changes:
            workflow.upsert_search_attributes(changes)
            self._published = {key.name: value for key, value in values.items()}
        workflow.set_current_details(current_details(self.status, self.links))
