"""All settings, read once at start from the environment and an env file, checked before anything runs.

Prefix `MLC_`, two underscores between levels, durations in ISO 8601, lists and objects in JSON. The connection to
Temporal is configured by the SDK's own `TEMPORAL_*` variables.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableValue

from activities.jira.settings import JiraSettings
from activities.modelop.settings import ModelOpSettings
from activities.review_document.settings import DocumentSettings
from activities.sagemaker.settings import SageMakerSettings
from activities.transport import is_loopback
from activities.web_address import WebAddress
from worker.encryption import EncryptionSettings

PREFIX = "MLC_"
ENV_FILE_VARIABLE = "MLC_ENV_FILE"
_LEVEL = "__"

_ORIGIN = re.compile(r"https?://[^/?#@\s*]+")
_TOKEN = re.compile(r"[\x21-\x7e]{16,512}")

Shape = TypeVar("Shape", bound=BaseSettings)

logger = logging.getLogger(__name__)


def _is_an_origin(given: str) -> str:
    origin = given.strip().rstrip("/").lower()
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(
            "should be scheme, host and port of a page and nothing else, for example http://127.0.0.1:8233"
        )
    return origin


def _is_a_token(given: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(given.get_secret_value()):
        raise ValueError("should be 16 to 512 printable characters without blanks; `openssl rand -hex 32` makes one")
    return given


WebOrigin = Annotated[str, AfterValidator(_is_an_origin)]
AccessToken = Annotated[SecretStr, AfterValidator(_is_a_token)]


class SettingsError(Exception):
    """Settings are missing or wrong; the text has one line per fault, naming variable and remedy."""


class RelaySettings(BaseModel, extra="forbid"):
    """The webhook relay: where it listens and which secrets sign its webhooks."""

    secrets: list[SecretStr] = Field(default_factory=list, description="any of them may sign; several during rotation")
    host: str = "127.0.0.1"
    port: int = Field(default=8085, ge=1, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="for /metrics")
    max_per_second: float = Field(
        default=100.0, gt=0, le=100_000, description="webhooks taken in the long run; more are put off"
    )


class LogSettings(BaseModel, extra="forbid"):
    """How, and from which level on, a process logs."""

    format: Literal["console", "json"] = Field(default="console", description="text, or one JSON object a line")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


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
    health_host: str = "127.0.0.1"
    health_port: int | None = Field(default=None, ge=1, le=65535, description="for /healthz and /readyz")
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535, description="for /metrics")
    deployment: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_-]{0,100}$",
        description="name of the Temporal worker deployment; without one workers are not versioned",
    )
    build_id: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._+-]{0,100}$",
        description="version of the deployment; by default the release and digest of the code",
    )

    @model_validator(mode="after")
    def _a_build_belongs_to_a_deployment(self) -> Self:
        if self.build_id and not self.deployment:
            raise ValueError("BUILD_ID has no effect without DEPLOYMENT; set both or none")
        return self


class CodecServerSettings(BaseModel, extra="forbid"):
    """The codec server: where it listens, whose pages may call it, and who may read payloads."""

    tokens: list[AccessToken] = Field(
        default_factory=list, description="any of them is accepted; one per person or use"
    )
    origins: list[WebOrigin] = Field(default_factory=list, description="where the Temporal Web UI is opened")
    host: str = "127.0.0.1"
    port: int = Field(default=8086, ge=1, le=65535)


class Settings(BaseSettings):
    """Everything a worker needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_LEVEL, extra="ignore")

    modelop: ModelOpSettings
    jira: JiraSettings
    relay: RelaySettings = Field(default_factory=RelaySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    sagemaker: SageMakerSettings = Field(default_factory=SageMakerSettings)
    document: DocumentSettings = Field(default_factory=DocumentSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)
    codec_server: CodecServerSettings = Field(default_factory=CodecServerSettings)
    insecure_tls: bool = Field(
        default=False, description="accepts any certificate of Jira and ModelOp Center; for trying things out only"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_what_is_missing_inside(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Without this an absent section is one fault, and the variables to set stay a riddle.
        return {"modelop": {}, "jira": {}, **values}

    @model_validator(mode="after")
    def _one_switch_for_certificates(self) -> Self:
        if not self.insecure_tls:
            return self
        for name, system in (("JIRA", self.jira), ("MODELOP", self.modelop)):
            if system.ca_file:
                raise ValueError(f"MLC_INSECURE_TLS: contradicts MLC_{name}__CA_FILE, which says whom to trust")
            system.accept_any_certificate()
        return self

    @model_validator(mode="after")
    def _proxies_of_the_environment_are_usable(self) -> Self:
        for system, url in ((self.jira, self.jira.url), (self.modelop, self.modelop.url)):
            system.proxy_for(str(url))
        return self


class OwnSettings(BaseSettings):
    """What processes need that speak to no system but Temporal: no credentials of others."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=_LEVEL, extra="ignore")

    relay: RelaySettings = Field(default_factory=RelaySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)
    codec_server: CodecServerSettings = Field(default_factory=CodecServerSettings)


def load_settings() -> Settings:
    """Reads and checks all settings; logs a warning for each that leaves a connection open to others.

    Raises:
        SettingsError: at least one is missing or wrong.
    """
    settings = _load(Settings)
    for exposure in _exposures(settings):
        logger.warning("%s", exposure)
    return settings


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


def load_log_settings() -> LogSettings:
    """Reads and checks how to log.

    Raises:
        SettingsError: at least one setting is wrong.
    """
    return _load(OwnSettings).log


def load_encryption_settings() -> EncryptionSettings:
    """Reads and checks the keys for payloads.

    Raises:
        SettingsError: at least one setting is wrong.
    """
    return _load(OwnSettings).encryption


def load_codec_server_settings() -> CodecServerSettings:
    """Reads and checks the codec server's own settings only.

    Raises:
        SettingsError: at least one is wrong.
    """
    return _load(OwnSettings).codec_server


def given_variables() -> dict[str, str]:
    """The variables of the env file and, over them, those of the environment."""
    env_file = _env_file()
    written = dotenv_values(env_file) if env_file else {}
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _env_file() -> Path | None:
    name = os.environ.get(ENV_FILE_VARIABLE, ".env")
    return Path(name) if name else None


def _exposures(settings: Settings) -> Iterator[str]:
    """What somebody on the way to an outside system could read or change, one line each."""
    if settings.insecure_tls:
        yield (
            "MLC_INSECURE_TLS is on: no certificate of Jira or ModelOp Center is checked; whoever is on the way there "
            "can read and change everything, tokens and decisions too. Unset it and give CA_FILE instead"
        )
    addresses = {
        "MLC_JIRA__URL": settings.jira.url,
        "MLC_MODELOP__URL": settings.modelop.url,
        "MLC_MODELOP__TOKEN_URL": settings.modelop.token_url,
    }
    for name, url in addresses.items():
        if url is not None and url.scheme == "http" and not is_loopback(url.host or ""):
            yield f"{name} is http: tokens and decisions travel there readable by whoever is on the way; give https"


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
        if not fault["loc"]:
            # A contradiction between sections names its variables itself.
            lines.append(fault["msg"].removeprefix("Value error, "))
            continue
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
