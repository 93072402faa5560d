"""The activities on AWS SageMaker: reading an endpoint configuration, and comparing it with what was approved."""

from __future__ import annotations

from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.sagemaker.matching import serves
from activities.sagemaker.reading import bounded, differences
from activities.sagemaker.types import (
    EndpointConfig,
    EndpointConfigRequest,
    SageMakerError,
    VerifyEndpointRequest,
)


class SageMaker(Protocol):
    """What is needed of AWS."""

    async def endpoint_config(self, name: str) -> EndpointConfig:
        """The endpoint configuration with the models behind its variants, in full."""


class SageMakerActivities:
    """Reads endpoint configurations; nothing is ever changed in AWS.

    Args:
        sagemaker: the connection; None where no region is configured.
        match_model: whether to say if a variant is recognised as the model.
    """

    def __init__(self, sagemaker: SageMaker | None, *, match_model: bool = True) -> None:
        self._sagemaker = sagemaker
        self._match_model = match_model

    @activity.defn(name="read_endpoint_config")
    async def read_endpoint_config(self, request: EndpointConfigRequest) -> EndpointConfig:
        """Reads an endpoint configuration and the models behind its variants.

        Raises:
            ApplicationError: `NotFound`, it or one of its models is not there; the message says which and where.
        """
        found = await self._connection().endpoint_config(request.name)
        if self._match_model:
            found = found.model_copy(update={"serves_model": serves(found, request.known_as)})
        return bounded(found)

    @activity.defn(name="verify_endpoint_config")
    async def verify_endpoint_config(self, request: VerifyEndpointRequest) -> None:
        """Checks that an endpoint configuration is still what was approved.

        Raises:
            ApplicationError: `EndpointChanged`, it or one of its models is gone or differs; the message says what.
        """
        approved = request.approved
        try:
            found = await self._connection().endpoint_config(approved.name)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            raise _changed(approved, error.message) from None
        if changes := differences(approved, found):
            raise _changed(approved, "; ".join(changes))

    def _connection(self) -> SageMaker:
        if self._sagemaker is None:
            raise ApplicationError(
                "this worker reads no endpoint configurations (set MLC_SAGEMAKER__REGION for all workers, then resume)",
                type=SageMakerError.NOT_CONFIGURED,
                non_retryable=True,
            )
        return self._sagemaker


def _changed(approved: EndpointConfig, what: str) -> ApplicationError:
    return ApplicationError(
        f"Endpoint configuration {approved.name} in {approved.region} is not what was approved: {what} "
        "(nothing was deployed; put it back as it was and resume, or abort and start again)",
        type=SageMakerError.ENDPOINT_CHANGED,
        non_retryable=True,
    )
