"""Settings of the connection to Jira, and of each gate's tickets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from activities.jira.types import Gate
from activities.transport import TransportSettings
from activities.web_address import GivenName, SiteAddress


class GateSettings(BaseModel, extra="forbid"):
    """What may differ per gate; what is not set falls back to the project's general settings."""

    project: GivenName | None = None
    issue_type: GivenName | None = None
    assignee: GivenName | None = Field(default=None, description="accountId (Cloud) or user name (Data Center)")
    priority: GivenName | None = None
    fields: dict[str, Any] = Field(
        default_factory=dict, description="mandatory custom fields, as Jira's REST API takes them"
    )
    approvers: list[GivenName] = Field(
        default_factory=list, description="accountIds (Cloud) or user names (Data Center), and groups, who may decide"
    )


class GatesSettings(BaseModel, extra="forbid"):
    """The four gates by the names that the environment variables use."""

    pia: GateSettings = Field(default_factory=GateSettings)
    test_failure: GateSettings = Field(default_factory=GateSettings)
    results: GateSettings = Field(default_factory=GateSettings)
    production: GateSettings = Field(default_factory=GateSettings)

    def of(self, gate: Gate) -> GateSettings:
        """The settings of one gate."""
        return {
            Gate.PIA: self.pia,
            Gate.TEST_FAILURE: self.test_failure,
            Gate.RESULTS: self.results,
            Gate.PRODUCTION: self.production,
        }[gate]


class JiraSettings(TransportSettings):
    """Where Jira is, how to sign in (exactly one way), and what a ticket looks like there."""

    url: SiteAddress
    site_url: SiteAddress | None = Field(default=None, description="for links people open; default: url")
    username: str | None = Field(default=None, description="user name (Data Center) or e-mail address (Cloud)")
    token: SecretStr | None = Field(default=None, description="API token or password of `username`")
    bearer_token: SecretStr | None = Field(default=None, description="personal access token (Data Center)")
    project: GivenName
    issue_type: GivenName = "Task"
    done_statuses: list[GivenName] = Field(default=["Done"], min_length=1)
    rejected_statuses: list[GivenName] = Field(default=["Rejected"], min_length=1)
    close_status: GivenName = "Rejected"
    ambiguous_wait: timedelta = Field(
        default=timedelta(seconds=60),
        ge=timedelta(0),
        le=timedelta(minutes=10),
        description="how long after an attempt without a known end the search index is trusted",
    )
    gates: GatesSettings = Field(default_factory=GatesSettings)

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        basic, bearer = (self.username, self.token), self.bearer_token
        if bool(bearer) == any(basic) or any(basic) != all(basic):
            raise ValueError("give exactly one of USERNAME+TOKEN | BEARER_TOKEN, whole")
        return self

    @model_validator(mode="after")
    def _statuses_are_told_apart(self) -> Self:
        done = {status.casefold() for status in self.done_statuses}
        both = done & {status.casefold() for status in self.rejected_statuses}
        if both:
            raise ValueError(f"DONE_STATUSES and REJECTED_STATUSES must not share {', '.join(sorted(both))}")
        if self.close_status.casefold() in done:
            raise ValueError(
                f"CLOSE_STATUS must not be one of DONE_STATUSES, as {self.close_status} is: "
                "a ticket that we close would look approved"
            )
        return self
