"""All settings, read once at start from the environment and an env file, checked before anything runs.

Prefix `MLC_`, two underscores between levels, durations in ISO 8601, lists and objects in JSON. The connection to
Temporal is configured by the SDK's own `TEMPORAL_*` variables.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, get_origin

from dotenv import dotenv_values
from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableValue

from activities.jira.settings import JiraSettings
from activities.modelop.settings import ModelOpSettings
from activities.web_address import WebAddress

PREFIX = "MLC_"
ENV_FILE_VARIABLE = "MLC_ENV_FILE"
_LEVEL = "__"

Shape = TypeVar("Shape", bound=BaseSettings)


class SettingsError(Exception):
    """Settings are missing or wrong; the text has one line per fault, naming variable and remedy."""


class RelaySettings(BaseModel, extra="forbid"):
    """The webhook relay: where it listens and which secrets sign its webhooks."""

    secrets: list[SecretStr] = Field(default_factory=list, description="any of them may sign; several during rotation")
    host: str = "127.0.0.1"
    port: int = Field(default=8085, ge=1, le=65535)


class WorkerSettings(BaseModel, extra="forbid"):
    """The worker and the patience of the runs it carries."""

    sweep_interval: timedelta = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), description="how soon a lost webhook is made up for"
    )
    retry_attempts: int = Field(default=65, ge=1, description="attempts at one outside call before a run is blocked")
    blocked_retry: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0))
    graceful_shutdown: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(0))
    temporal_ui_url: WebAddress | None = Field(default=None, description="for links to the run")
    connect_patience: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))


class SageMakerSettings(BaseModel, extra="forbid"):
    """AWS, for links to the console."""

    region: str = ""


class Settings(BaseSettings):
    """Everything a worker needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_LEVEL, extra="ignore")

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

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_LEVEL, extra="ignore")

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


def given_variables() -> dict[str, str]:
    """The variables of the env file and, over them, those of the environment."""
    env_file = _env_file()
    written = dotenv_values(env_file) if env_file else {}
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _env_file() -> Path | None:
    name = os.environ.get(ENV_FILE_VARIABLE, ".env")
    return Path(name) if name else None


def _load(shape: type[Shape]) -> Shape:
    given = given_variables()
    faults = _unknown_sections(given)
    try:
        loaded = shape(_env_file=_env_file())
    except UnreadableValue as error:
        faults += _unreadable(given) or [str(error)]
    except ValidationError as error:
        faults += _fault_lines(error, given)
    if faults:
        raise SettingsError("\n".join(faults))
    return loaded


def _unknown_sections(given: Mapping[str, str]) -> list[str]:
    """Names the variables that look like ours but belong to no section; pydantic-settings passes over them.

    Without two underscores only a near miss counts: orchestrators add variables made from the names of services.
    """
    faults = []
    for variable in sorted(given):
        section = variable.upper().removeprefix(PREFIX).lower().split(_LEVEL)[0]
        if not variable.upper().startswith(PREFIX) or section in Settings.model_fields:
            continue
        near_miss = difflib.get_close_matches(variable.upper(), _known_variables(), n=1, cutoff=0.9)
        if variable.upper() != ENV_FILE_VARIABLE and (_LEVEL in variable or near_miss):
            faults.append(_unknown(variable))
    return faults


def _unknown(variable: str) -> str:
    nearest = difflib.get_close_matches(variable.upper(), _known_variables(), n=1, cutoff=0.75)
    return f"{variable}: there is no such setting" + (f"; did you mean {nearest[0]}?" if nearest else "")


def _known_variables() -> list[str]:
    return [ENV_FILE_VARIABLE, *(PREFIX + name.upper() for name in _names_in(Settings))]


def _names_in(shape: type[BaseModel]) -> Iterator[str]:
    for name, field in shape.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from (f"{name}{_LEVEL}{rest}" for rest in _names_in(inner))
        else:
            yield name


def _unreadable(given: Mapping[str, str]) -> list[str]:
    """Names the variables that should hold JSON and do not; pydantic-settings itself names only their section."""
    faults = []
    for variable, value in sorted(given.items()):
        names = variable.upper().removeprefix(PREFIX).lower().split(_LEVEL)
        kind = _type_at(Settings, names) if variable.upper().startswith(PREFIX) else None
        if get_origin(kind) in (list, dict) and not _is_json(value):
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


def _fault_lines(error: ValidationError, given: Mapping[str, str]) -> list[str]:
    """One line per fault. Never the value itself: it may be a secret in the wrong place."""
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        variable = PREFIX + _LEVEL.join(str(part).upper() for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines += [_unknown(name) for name in _variables_of(variable, given)]
            continue
        message = "is missing" if fault["type"] == "missing" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"{variable}: {message}")
    return lines


def _variables_of(path: str, given: Mapping[str, str]) -> Sequence[str]:
    """The variables that set what is at a path; the path itself if a JSON object of the section set it."""
    set_by = [name for name in sorted(given) if name.upper() == path or name.upper().startswith(path + _LEVEL)]
    return set_by or [path]
