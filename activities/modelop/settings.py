"""Settings of the connection to ModelOp Center."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from activities.transport import TransportSettings
from activities.web_address import GivenName, SiteAddress, WebAddress


class ModelOpSettings(TransportSettings):
    """Where ModelOp Center is and how to sign in: exactly one of the three ways.

    `token` is a static bearer; `token_url` with `client_id` and `client_secret` are OAuth2 client credentials;
    `username` and `password` fetch a token from ModelOp Center's own `gocli/token`.
    """

    url: SiteAddress
    web_url: SiteAddress | None = Field(default=None, description="for links; default: url")
    token: SecretStr | None = None
    token_url: WebAddress | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    ambiguous_wait: timedelta = Field(
        default=timedelta(seconds=30),
        ge=timedelta(0),
        le=timedelta(minutes=10),
        description="how long a request that was given up may still be carried out",
    )
    risk_tests_name: GivenName = "Standard Risk Tests"
    risk_tests_model_id: GivenName | None = None
    risk_tests_snapshot_id: GivenName | None = None
    production_environment: GivenName = "prod"
    job_poll: timedelta = Field(default=timedelta(seconds=5), ge=timedelta(milliseconds=100))
    job_timeout: timedelta = Field(default=timedelta(hours=24), gt=timedelta(0))

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways: dict[str, list[object]] = {
            "TOKEN": [self.token],
            "TOKEN_URL+CLIENT_ID+CLIENT_SECRET": [self.token_url, self.client_id, self.client_secret],
            "USERNAME+PASSWORD": [self.username, self.password],
        }
        begun = [way for way, parts in ways.items() if any(parts)]
        whole = [way for way, parts in ways.items() if all(parts)]
        if len(begun) != 1 or begun != whole:
            raise ValueError(f"give exactly one of {' | '.join(ways)}, whole; got {', '.join(begun) or 'none'}")
        return self

    @model_validator(mode="after")
    def _a_job_is_looked_at_before_it_is_given_up(self) -> Self:
        if self.job_poll > self.job_timeout:
            raise ValueError("JOB_POLL must not be longer than JOB_TIMEOUT")
        return self
