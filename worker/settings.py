"""All settings, read once at start from the environment and an env file, checked before anything runs.

Prefix `MLC_`, two underscores between levels, durations in ISO 8601, lists and objects in JSON. The connection to
Temporal is configured by the SDK's own `TEMPORAL_*` variables.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableValue

from activities.jira.settings import JiraSettings
from activities.modelop.settings import ModelOpSettings
from activities.review_document.settings import DocumentSettings
from activities.sagemaker.settings import SageMakerSettings
from activities.transport import is_loopback
from activities.web_address import WebAddress
from worker.encryption import EncryptionSettings
from worker.settings_faults import ENV_FILE_VARIABLE, LEVEL, PREFIX, VariableNames

DEFAULT_ENV_FILE = ".env"
LONGEST_PAUSE = timedelta(days=1)
# Temporal counts attempts in 32 bits; so many take more than a year.
MOST_ATTEMPTS = 1_000_000

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
# To listen on an empty address is to listen on all of them.
ListeningHost = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SettingsError(Exception):
    """Settings are missing or wrong; the text has one line per fault, naming variable and remedy."""


class RelaySettings(BaseModel, extra="forbid"):
    """The webhook relay: where it listens and which secrets sign its webhooks."""

    secrets: list[SecretStr] = Field(default_factory=list, description="any of them may sign; several during rotation")
    host: ListeningHost = "127.0.0.1"
    port: int = Field(default=8085, ge=1, le=65535)
    metrics_host: ListeningHost = "127.0.0.1"
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
        default=timedelta(minutes=5),
        ge=timedelta(seconds=1),
        le=LONGEST_PAUSE,
        description="how soon a lost webhook is made up for",
    )
    retry_attempts: int = Field(
        default=65, ge=1, le=MOST_ATTEMPTS, description="attempts at one outside call before a run is blocked"
    )
    blocked_retry: timedelta = Field(default=timedelta(hours=1), gt=timedelta(0), le=LONGEST_PAUSE)
    graceful_shutdown: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(0), le=LONGEST_PAUSE)
    temporal_ui_url: WebAddress | None = Field(default=None, description="for links to the run")
    connect_patience: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0), le=LONGEST_PAUSE)
    health_host: ListeningHost = "127.0.0.1"
    health_port: int | None = Field(default=None, ge=1, le=65535, description="for /healthz and /readyz")
    metrics_host: ListeningHost = "127.0.0.1"
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
    host: ListeningHost = "127.0.0.1"
    port: int = Field(default=8086, ge=1, le=65535)


class _FromVariables(BaseSettings):
    """Read from variables of known names only; strangers among them are told of, see `_load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=LEVEL, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *_: object, **sources: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        for source in sources.values():
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {name: given for name, given in source.env_vars.items() if _NAMES.is_known(name)}
        return tuple(sources.values())


class Settings(_FromVariables):
    """Everything a worker needs."""

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
        modelop = self.modelop
        for system, url in ((self.jira, self.jira.url), (modelop, modelop.url), (modelop, modelop.token_url)):
            if url:
                system.proxy_for(str(url))
        return self


class OwnSettings(_FromVariables):
    """What processes need that speak to no system but Temporal: no credentials of others."""

    relay: RelaySettings = Field(default_factory=RelaySettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)
    codec_server: CodecServerSettings = Field(default_factory=CodecServerSettings)


_NAMES = VariableNames(Settings)


def load_settings() -> Settings:
    """Reads and checks all settings.

    Logs a warning for each that leaves a connection open to others, and for each variable that is no setting.

    Raises:
        SettingsError: at least one is missing or wrong.
    """
    settings = _load(Settings)
    _warn_of_strangers()
    for exposure in _exposures(settings):
        logger.warning("%s", exposure)
    return settings


def load_relay_settings() -> RelaySettings:
    """Reads and checks the relay's settings only, so that a relay needs no other system's credentials.

    Raises:
        SettingsError: at least one is wrong.
    """
    settings = _load(OwnSettings).relay
    _warn_of_strangers()
    return settings


def load_worker_settings() -> WorkerSettings:
    """Reads and checks the worker's own settings only.

    Raises:
        SettingsError: at least one is wrong.
    """
    settings = _load(OwnSettings).worker
    _warn_of_strangers()
    return settings


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
    settings = _load(OwnSettings).codec_server
    _warn_of_strangers()
    return settings


def given_variables() -> dict[str, str]:
    """The variables of the env file and, over them, those of the environment.

    Raises:
        SettingsError: the env file cannot be read.
    """
    env_file = _env_file()
    try:
        written = dotenv_values(env_file) if env_file else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SettingsError(f"{ENV_FILE_VARIABLE}: {env_file} cannot be read: {reason}") from None
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _env_file() -> Path | None:
    """The file to read; None where there is none.

    Raises:
        SettingsError: a file is named that is not there.
    """
    name = os.environ.get(ENV_FILE_VARIABLE, DEFAULT_ENV_FILE)
    file = Path(name) if name else None
    if file is None or file.is_file():
        return file
    if ENV_FILE_VARIABLE in os.environ:
        raise SettingsError(f"{ENV_FILE_VARIABLE}: there is no file {name}; name one, or nothing to read none")
    return None


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
    strangers = list(_NAMES.strangers(given))
    faults: list[str] = []
    try:
        loaded = shape(_env_file=_env_file())
    except (UnreadableValue, RecursionError) as error:
        faults += _NAMES.unreadable(given) or [str(error)]
    except ValidationError as error:
        faults += _NAMES.invalid(error)
    if faults or any(stops for _, stops in strangers):
        # What is missing is often there under a name with a slip.
        raise SettingsError("\n".join([*(line for line, _ in strangers), *faults]))
    return loaded


def _warn_of_strangers() -> None:
    for line, _ in _NAMES.strangers(given_variables()):
        logger.warning("%s", line)
