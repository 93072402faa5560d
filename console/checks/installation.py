"""Which installation is examined: its settings, and the clients that the checks use."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from temporalio.client import Client

from activities.jira.connection import JiraConnection
from activities.jira.settings import JiraSettings
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.settings import ModelOpSettings
from activities.modelop.types import ModelRequest
from activities.sagemaker.settings import SageMakerSettings
from console.checks.examination import Check, Row, Section, failed, skipped
from console.checks.jira import jira_section
from console.checks.modelop import modelop_section
from console.checks.relay import relay_section
from console.checks.sagemaker import NAME as ENDPOINT
from console.checks.sagemaker import not_configured, sagemaker_section
from console.checks.temporal import temporal_section
from console.stack import AWS_KEYS, read_running, stack_settings
from worker.connection import connect, server_is_named
from worker.settings import RelaySettings, Settings, SettingsError, given_variables, load_settings
from worker.settings_faults import LEVEL, PREFIX, VariableNames

TEMPORAL_PATIENCE = timedelta(seconds=8)
RELAY_TIMEOUT_SECONDS = 8.0
LOOPBACK = "127.0.0.1"
ANYWHERE = ("0.0.0.0", "::")
_SETTINGS = "Settings"

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Installation:
    """The settings of one installation, as far as they can be read.

    Attributes:
        temporal: address of a local stack's Temporal; empty: as the settings say.
        aws_keys: access key and secret of a local stack; None: AWS's own chain.
        faults: what is wrong with the settings, one line each; the systems whose own settings are at fault are None.
    """

    temporal: str = ""
    modelop: ModelOpSettings | None = None
    jira: JiraSettings | None = None
    relay: RelaySettings | None = None
    sagemaker: SageMakerSettings | None = None
    aws_keys: tuple[str, str] | None = None
    faults: Sequence[str] = ()


@dataclass(frozen=True)
class Wanted:
    """What to look at beyond the systems themselves."""

    model_id: str | None = None
    endpoint_config: str | None = None
    relay_url: str = ""


def find_installation(directory: Path) -> Installation:
    """The one that the settings describe; where they name no Temporal, the local stack that runs on a directory."""
    try:
        running = None if server_is_named() else read_running(directory)
        if running is None:
            return _installation(load_settings())
    except SettingsError as error:
        return _as_far_as_usable(str(error).splitlines())
    return replace(_sections_of(stack_settings(running)), temporal=running.addresses.temporal, aws_keys=AWS_KEYS)


@asynccontextmanager
async def sections(installation: Installation, wanted: Wanted) -> AsyncIterator[list[Section]]:
    """All checks on an installation, with clients that are closed at the end."""
    async with AsyncExitStack() as resources:
        yield [
            *_settings_section(installation),
            *_jira(installation, resources),
            *_modelop(installation, wanted, resources),
            temporal_section(lambda: _connect(installation)),
            _relay(installation, wanted, resources),
        ]


def _settings_section(installation: Installation) -> Iterator[Section]:
    for line in installation.faults:
        yield Section(first=Check(_SETTINGS, partial(_same, [failed(_SETTINGS, line, "see docs/settings.md")])))


def _as_far_as_usable(faults: Sequence[str]) -> Installation:
    """One system's faulty settings say nothing about the others."""
    try:
        given = given_variables()
    except SettingsError:
        return Installation(faults=faults)
    is_known = VariableNames(Settings).is_known
    return replace(_sections_of({name: text for name, text in given.items() if is_known(name)}), faults=faults)


def _jira(installation: Installation, resources: AsyncExitStack) -> Iterator[Section]:
    if installation.jira is None:
        yield _not_looked_at("Jira")
        return
    connection = JiraConnection(installation.jira)
    resources.push_async_callback(connection.aclose)
    yield jira_section(connection, installation.jira)


def _modelop(installation: Installation, wanted: Wanted, resources: AsyncExitStack) -> Iterator[Section]:
    activities = None
    if installation.modelop is None:
        yield _not_looked_at("ModelOp Center")
    else:
        client = ModelOpClient(installation.modelop)
        resources.push_async_callback(client.aclose)
        activities = ModelOpActivities(client, installation.modelop, Links())
        yield modelop_section(client, activities, wanted.model_id)
    yield _sagemaker(installation, wanted, activities, resources)


def _sagemaker(
    installation: Installation, wanted: Wanted, modelop: ModelOpActivities | None, resources: AsyncExitStack
) -> Section:
    if installation.sagemaker is None:
        return _not_looked_at(ENDPOINT)
    if not installation.sagemaker.region:
        return not_configured()
    # Loaded only here, as in the worker: no other command should wait for boto3.
    client = import_module("activities.sagemaker.client").SageMakerClient(
        installation.sagemaker, keys=installation.aws_keys
    )
    resources.push_async_callback(client.aclose)

    async def known_as() -> Sequence[str] | None:
        if modelop is None:
            return None
        return (await modelop.read_business_model(ModelRequest(model_id=wanted.model_id or ""))).known_as

    return sagemaker_section(
        client,
        wanted.endpoint_config,
        known_as if wanted.model_id else None,
        match_model=installation.sagemaker.match_model,
    )


def _relay(installation: Installation, wanted: Wanted, resources: AsyncExitStack) -> Section:
    settings = installation.relay
    if settings is None:
        return _not_looked_at("Relay", "Relay signature")
    host = LOOPBACK if settings.host in ANYWHERE else settings.host
    # No proxy of the environment stands between this machine and its own relay.
    http = httpx.AsyncClient(timeout=RELAY_TIMEOUT_SECONDS, trust_env=bool(wanted.relay_url))
    resources.push_async_callback(http.aclose)
    ours = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    return relay_section(http, wanted.relay_url or ours, settings.secrets)


async def _connect(installation: Installation) -> Client:
    return await connect(patience=TEMPORAL_PATIENCE, address=installation.temporal)


async def _same(rows: Sequence[Row]) -> Sequence[Row]:
    return rows


def _not_looked_at(*names: str) -> Section:
    rows = [skipped(name, "not checked because the settings are not usable") for name in names]
    return Section(first=Check(names[0], partial(_same, rows)))


def _installation(settings: Settings) -> Installation:
    return Installation(
        modelop=settings.modelop, jira=settings.jira, relay=settings.relay, sagemaker=settings.sagemaker
    )


def _sections_of(given: Mapping[str, str]) -> Installation:
    """The settings of each system out of variables, those left out that are not usable."""
    return Installation(
        modelop=_section(given, "MODELOP", ModelOpSettings),
        jira=_section(given, "JIRA", JiraSettings),
        relay=_section(given, "RELAY", RelaySettings),
        sagemaker=_section(given, "SAGEMAKER", SageMakerSettings),
    )


def _section(given: Mapping[str, str], name: str, shape: type[Shape]) -> Shape | None:
    try:
        return shape.model_validate(_values(given, f"{PREFIX}{name}{LEVEL}"))
    # A text where a section should be has no levels below it.
    except (ValidationError, AttributeError, TypeError):
        return None


def _values(given: Mapping[str, str], prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in given.items():
        if variable.upper().startswith(prefix):
            *levels, last = variable.upper().removeprefix(prefix).lower().split(LEVEL)
            place = values
            for level in levels:
                place = place.setdefault(level, {})
            place[last] = _value(text)
    return values


def _value(text: str) -> Any:
    """Lists and objects are written as JSON; a password may begin as they do."""
    try:
        return json.loads(text) if text.startswith(("[", "{")) else text
    except (ValueError, RecursionError):
        return text
