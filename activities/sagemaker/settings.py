"""Settings of the connection to AWS SageMaker, which is only read."""

from __future__ import annotations

import re
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from activities.web_address import WebAddress

_REGION = re.compile(r"[a-z]{2,6}(-[a-z]+)+-\d+")


class SageMakerSettings(BaseModel, extra="forbid"):
    """Which region is read. Credentials come from AWS's own chain: variables, profile, role of the machine.

    Without a region nothing is asked of AWS, and documents and tickets say that nothing was verified.
    """

    region: str = ""
    endpoint_url: WebAddress | None = Field(default=None, description="of an interface endpoint or a stand-in")
    match_model: bool = Field(
        default=True, description="whether a variant must be recognised as this model; see `matching.serves`"
    )

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, region: str) -> str:
        if region and not _REGION.fullmatch(region):
            raise ValueError("should be the name of an AWS region, for example eu-central-1, or empty")
        return region

    @field_validator("endpoint_url")
    @classmethod
    def _botocore_takes_it(cls, url: WebAddress | None) -> WebAddress | None:
        if url and "_" in (url.host or ""):
            raise ValueError("must be an address whose host name has no underscore: AWS's library refuses it")
        return url

    @model_validator(mode="after")
    def _an_endpoint_has_a_region(self) -> Self:
        if self.endpoint_url and not self.region:
            raise ValueError("ENDPOINT_URL needs REGION beside it: requests are signed for a region")
        return self
