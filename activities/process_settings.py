"""The settings that steer the process itself, read once per run so that its history shows the policy in force."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field
from temporalio import activity


class ProcessSettings(BaseModel):
    """What a site may choose about a run's patience; recorded in the history of every run that used it."""

    retry_attempts: int = Field(ge=1, description="attempts at one outside call before the run is blocked")
    blocked_retry: timedelta = Field(description="first pause of a blocked run before it tries again by itself")
    job_timeout: timedelta
    ambiguous_wait: timedelta
    code_version: str
    aws_region: str = Field(default="", description="for links to the AWS console; empty: none")
    reads_endpoint_config: bool = Field(
        default=False, description="whether endpoint configurations are read and compared; runs of earlier releases: no"
    )


class ProcessSettingsActivities:
    """Hands the process settings to a run."""

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings

    @activity.defn(name="read_process_settings")
    async def read_process_settings(self) -> ProcessSettings:
        """Returns the settings of the worker that happens to run this."""
        return self._settings
