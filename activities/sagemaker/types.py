"""What crosses the border between the process and AWS SageMaker.

Field names are ours; descriptions name SageMaker's term where it differs.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

OTHER_SETTINGS = Field(
    default="", description="digest of all that is not told here, such as environment, role and network; empty: nothing"
)


class Container(BaseModel):
    """One container of a SageMaker model: what runs, and the model it loads."""

    image: str = ""
    model_data_url: str = ""
    model_package: str = Field(default="", description="ARN (ModelPackageName), in place of image and data")
    multi_model: bool = Field(default=False, description="loads any model whose data lies under `model_data_url`")
    other_settings: str = OTHER_SETTINGS


class Serverless(BaseModel):
    """Capacity of a variant without instances."""

    memory_mb: int
    max_concurrency: int


class Variant(BaseModel):
    """One production variant and the SageMaker model behind it.

    `containers` is empty where the whole would be too large for a run's history; the fingerprint still covers them.
    """

    name: str
    model_name: str
    model_arn: str = ""
    model_created_at: datetime | None = None
    containers: list[Container] = Field(default_factory=list)
    instance_type: str = ""
    instance_count: int | None = Field(default=None, description="at the start (InitialInstanceCount)")
    weight: float | None = Field(default=None, description="share of the traffic (InitialVariantWeight)")
    serverless: Serverless | None = None
    shadow: bool = Field(default=False, description="gets a copy of the traffic and answers nobody")
    other_settings: str = OTHER_SETTINGS


class DataCapture(BaseModel):
    """Whether requests and answers are recorded, and where."""

    enabled: bool
    percentage: int | None = None
    destination: str = ""


class EndpointConfig(BaseModel):
    """A SageMaker endpoint configuration as AWS described it at one moment."""

    name: str
    arn: str
    region: str
    variants: list[Variant] = Field(default_factory=list)
    data_capture: DataCapture | None = None
    kms_key: str = Field(default="", description="encrypts the storage of the instances; empty: AWS's own key")
    created_at: datetime | None = None
    read_at: datetime
    other_settings: str = OTHER_SETTINGS
    serves_model: bool | None = Field(
        default=None, description="whether a variant is recognised as the model; None: nobody looked"
    )
    fingerprint: str = Field(description="SHA-256 over what would run; the same after the same is created anew")


class EndpointConfigRequest(BaseModel):
    """Names an endpoint configuration, and what the model may be called in SageMaker."""

    name: str
    known_as: list[str] = Field(default_factory=list, description="names, ARNs and addresses of the model's data")


class VerifyEndpointRequest(BaseModel):
    """Asks whether an endpoint configuration is still what was approved."""

    approved: EndpointConfig


class SageMakerError(StrEnum):
    """Errors beyond AWS's own that SageMaker activities raise; none of them is retried."""

    NOT_CONFIGURED = "SageMakerNotConfigured"
    ENDPOINT_CHANGED = "EndpointChanged"
