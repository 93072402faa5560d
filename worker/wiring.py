"""The one place where settings become clients, and clients become activities."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from temporalio.client import Client

from activities.jira.activities import JiraActivities
from activities.jira.adapter import JiraAdapter
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.process_settings import ProcessSettings, ProcessSettingsActivities
from activities.review_document.activities import ReviewDocumentActivities
from activities.review_document.judge import ReviewJudge
from activities.review_document.settings import DocumentSettings, read_base_template
from activities.review_document.standard_layout.base_template import open_base
from activities.sagemaker.activities import SageMakerActivities
from activities.sagemaker.settings import SageMakerSettings
from activities.sweep.activities import RunNames, SweepActivities
from worker.code_version import code_version
from worker.settings import Settings, SettingsError
from workflows.contract import (
    BLOCKED_ATTRIBUTE,
    MODEL_ID_ATTRIBUTE,
    SIGNAL_JIRA_STATUS_CHANGED,
    TICKET_ATTRIBUTE,
    WORKFLOW_TYPE,
)
from workflows.implementation import SagemakerModelImplementationWorkflow
from workflows.sweep import TicketSweepWorkflow

if TYPE_CHECKING:
    from activities.sagemaker.client import SageMakerClient

WORKFLOWS: list[type] = [SagemakerModelImplementationWorkflow, TicketSweepWorkflow]
RUN_NAMES = RunNames(
    workflow_type=WORKFLOW_TYPE,
    signal=SIGNAL_JIRA_STATUS_CHANGED,
    ticket=TICKET_ATTRIBUTE,
    model_id=MODEL_ID_ATTRIBUTE,
    blocked=BLOCKED_ATTRIBUTE,
)


@dataclass
class Wiring:
    """The activities to register, and what must be closed when the worker ends."""

    activities: list[Callable[..., Any]]
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def aclose(self) -> None:
        """Closes the connections to the outside systems."""
        await self.resources.aclose()


def wire(settings: Settings, client: Client) -> Wiring:
    """Builds every client and every activity; opens no connection but the given one to Temporal.

    Raises:
        SettingsError: the review document cannot be written with the base template that is set.
    """
    base_template = _base_template(settings.document)
    links = Links(
        temporal_ui_url=_address(settings.worker.temporal_ui_url),
        modelop_web_url=_address(settings.modelop.web_url or settings.modelop.url),
    )
    modelop = ModelOpClient(settings.modelop)
    jira = JiraAdapter(settings.jira)
    sagemaker = _sagemaker(settings.sagemaker)
    process = ProcessSettings(
        retry_attempts=settings.worker.retry_attempts,
        blocked_retry=settings.worker.blocked_retry,
        job_timeout=settings.modelop.job_timeout,
        ambiguous_wait=settings.jira.ambiguous_wait,
        code_version=code_version(),
        aws_region=settings.sagemaker.region,
        reads_endpoint_config=sagemaker is not None,
    )
    modelop_activities = ModelOpActivities(modelop, settings.modelop, links, judge=ReviewJudge(modelop))
    jira_activities = JiraActivities(jira, settings.jira, links)
    owners = [
        ProcessSettingsActivities(process),
        modelop_activities,
        jira_activities,
        ReviewDocumentActivities(modelop, jira, base_template=base_template),
        SageMakerActivities(sagemaker, match_model=settings.sagemaker.match_model),
        SweepActivities(client, RUN_NAMES, jira=jira_activities, modelop=modelop_activities),
    ]
    wiring = Wiring(activities=[method for owner in owners for method in activity_methods(owner)])
    if sagemaker is not None:
        wiring.resources.push_async_callback(sagemaker.aclose)
    wiring.resources.push_async_callback(modelop.aclose)
    wiring.resources.push_async_callback(jira.aclose)
    return wiring


def activity_methods(owner: object) -> list[Callable[..., Any]]:
    """All methods of an object that are declared as activities, in the order of their names."""
    methods = (getattr(owner, name) for name in dir(owner) if not name.startswith("_"))
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


def _sagemaker(settings: SageMakerSettings) -> SageMakerClient | None:
    """The connection to AWS, where a region is configured; loaded only then, because boto3 is large."""
    if not settings.region:
        return None
    client: SageMakerClient = import_module("activities.sagemaker.client").SageMakerClient(settings)
    return client


def _base_template(settings: DocumentSettings) -> bytes | None:
    """The site's base template, tried out before the first review needs it."""
    if settings.base_template is None:
        return None
    try:
        content = read_base_template(settings.base_template)
        open_base(content)
    except ValueError as error:
        raise SettingsError(f"MLC_DOCUMENT__BASE_TEMPLATE: {error}") from None
    return content


def _address(url: object) -> str:
    return str(url).rstrip("/") if url else ""
