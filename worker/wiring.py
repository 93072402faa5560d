"""The one place where settings become clients, and clients become activities."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from activities.jira.activities import JiraActivities
from activities.jira.adapter import JiraAdapter
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.process_settings import ProcessSettings, ProcessSettingsActivities
from activities.review_document.activities import ReviewDocumentActivities
from worker.code_version import code_version
from worker.settings import Settings
from workflows.implementation import SagemakerModelImplementationWorkflow

WORKFLOWS: list[type] = [SagemakerModelImplementationWorkflow]


@dataclass
class Wiring:
    """The activities to register, and what must be closed when the worker ends."""

    activities: list[Callable[..., Any]]
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def aclose(self) -> None:
        """Closes the connections to the outside systems."""
        await self.resources.aclose()


def wire(settings: Settings) -> Wiring:
    """Builds every client and every activity; opens no connection yet."""
    links = Links(
        temporal_ui_url=_address(settings.worker.temporal_ui_url),
        modelop_web_url=_address(settings.modelop.web_url or settings.modelop.url),
        aws_region=settings.sagemaker.region,
    )
    modelop = ModelOpClient(settings.modelop)
    jira = JiraAdapter(settings.jira)
    process = ProcessSettings(
        retry_attempts=settings.worker.retry_attempts,
        blocked_retry=settings.worker.blocked_retry,
        job_timeout=settings.modelop.job_timeout,
        ambiguous_wait=settings.jira.ambiguous_wait,
        code_version=code_version(),
    )
    owners = [
        ProcessSettingsActivities(process),
        ModelOpActivities(modelop, settings.modelop, links),
        JiraActivities(jira, settings.jira, links),
        ReviewDocumentActivities(modelop=modelop, jira=jira),
    ]
    wiring = Wiring(activities=[method for owner in owners for method in activity_methods(owner)])
    wiring.resources.push_async_callback(modelop.aclose)
    wiring.resources.push_async_callback(jira.aclose)
    return wiring


def activity_methods(owner: object) -> list[Callable[..., Any]]:
    """All methods of an object that are declared as activities, in the order of their names."""
    methods = (getattr(owner, name) for name in dir(owner) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


def _address(url: object) -> str:
    return str(url).rstrip("/") if url else ""
