"""What crosses the border between the sweep and its activities."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SweepReport(BaseModel):
    """What one sweep did."""

    waiting: int = Field(default=0, description="runs that wait on a ticket")
    batches: int = Field(default=0, description="bulk reads in Jira, each of at most 100 tickets")
    signalled: list[str] = Field(default_factory=list, description="workflow ids, at most 100 of them")
    signals: int = Field(
        default=0, description="tickets that are decided or missing; the server drops what a run was told before"
    )
    missing: list[str] = Field(default_factory=list, description="keys of tickets nobody can see, at most 100")
    unread: list[str] = Field(default_factory=list, description="what Jira refused or could not do, at most 100")
    duplicates_closed: list[str] = Field(default_factory=list, description="keys, at most 100")


class FailingRuns(BaseModel):
    """Workflow ids of the runs that fail their workflow task over and over, and of which somebody was told."""

    workflow_ids: list[str]
