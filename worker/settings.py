"""All settings, read once at start from the environment and an env file, checked before anything runs.

Prefix `MLC_`, two underscores between levels, durations in ISO 8601, lists and objects in JSON. The connection to
Temporal is configured by the SDK's own `TEMPORAL_*` variables.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, get_origin

from dotenv import dotenv_values
from pydantic import BaseModel, Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableValue

from activities.jira.settings import JiraSettings
from activities.modelop.settings import ModelOpSettings

PREFIX = "MLC_"
ENV_FILE_VARIABLE = "MLC_ENV_FILE"


Shape = TypeVar("Shape", bound=BaseSettings)


class SettingsError(Exception):
    """Settings are missing or wrong; the text has one line per fault, naming variable and remedy."""


class RelaySettings(BaseModel):
    """The webhook relay: where it listens and which secrets sign its webhooks."""

    secrets: list[SecretStr] = Field(default_factory=list, description="any of them may sign; several during rotation")
    host: str = "127.0.0.1"
    port: int = Field(default=8085, ge=1, le=65535)


class WorkerSettings(BaseModel):
    """The worker and the patience of the runs it carries."""

    sweep_interval: timedelta = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), description="how soon a lost webhook is made up for"
    )
    retry_attempts: int = Field(default=65, ge=1, description="attempts at one outside call before a run is blocked")
    blocked_retry: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0))
    graceful_shutdown: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(0))
    temporal_ui_url: HttpUrl | None = Field(default=None, description="for links to the run")
    connect_patience: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))


class SageMakerSettings(BaseModel):
    """AWS, for links to the console."""

    region: str = ""


class Settings(BaseSettings):
    """Everything a worker needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore")

    modelop: ModelOpSettings
    jira: JiraSettings
    relay: RelaySettings = Field(default_factory=RelaySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    sagemaker: SageMakerSettings = Field(default_factory=SageMakerSettings)

    @model_validator(mode="before")
    @classmethod
    def _name_what_is_missing_inside(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Without this an absent section is one fault, and the variables to set stay a riddle.
        return {"modelop": {}, "jira": {}, **values}


class OwnSettings(BaseSettings):
    """What processes need that speak to no system but Temporal: no credentials of others."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore")

    relay: RelaySettings = Field(default_factory=RelaySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)


def load_settings() -> Settings:
    """Reads and checks all settings.

    Raises:
        SettingsError: at least one is missing or wrong.
    """
    return _load(Settings)


def load_relay_settings() -> RelaySettings:
    """Reads and checks the relay's settings only, so that a relay needs no other system's credentials.

    Raises:
        SettingsError: at least one is wrong.
    """
    return _load(OwnSettings).relay


def load_worker_settings() -> WorkerSettings:
    """Reads and checks the worker's own settings only.

    Raises:
        SettingsError: at least one is wrong.
    """
    return _load(OwnSettings).worker


def _load(shape: type[Shape]) -> Shape:
    env_file = os.environ.get(ENV_FILE_VARIABLE, ".env")
    try:
        return shape(_env_file=Path(env_file) if env_file else None)
    except UnreadableValue as error:
        raise SettingsError("\n".join(_unreadable(env_file)) or str(error)) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_fault_lines(error))) from None


def _unreadable(env_file: str) -> list[str]:
    """Names the variables that should hold JSON and do not; pydantic-settings itself names only their section."""
    values = {**(dotenv_values(env_file) if env_file else {}), **os.environ}
    faults = []
    for variable, value in sorted(values.items()):
        names = variable.upper().removeprefix(PREFIX).lower().split("__")
        kind = _type_at(Settings, names) if variable.upper().startswith(PREFIX) else None
        if get_origin(kind) in (list, dict) and not _is_json(value or ""):
            example = '["first", "second"]' if get_origin(kind) is list else '{"name": "value"}'
            faults.append(f"{variable}: should be JSON, for example {example}")
    return faults


def _type_at(shape: type[BaseModel], names: list[str]) -> object:
    field = shape.model_fields.get(names[0])
    if field is None or field.annotation is None:
        return None
    if len(names) == 1:
        return field.annotation
    inner = field.annotation
    return _type_at(inner, names[1:]) if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _fault_lines(error: ValidationError) -> list[str]:
    """One line per fault. Never the value itself: it may be a secret in the wrong place."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        variable = PREFIX + "__".join(str(part).upper() for part in fault["loc"])
        message = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"{variable}: {message}")
    return lines
