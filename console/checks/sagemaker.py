"""SageMaker's prerequisites: that it may be read, and that an endpoint configuration serves the model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from temporalio.exceptions import ApplicationError

from activities.sagemaker.matching import serves
from activities.sagemaker.reading import capacity
from activities.sagemaker.types import EndpointConfig
from console.checks.examination import Check, Row, Section, failed, ok, skipped, warning
from console.checks.modelop import BUSINESS_MODEL

NAME = "SageMaker endpoint configuration"
NEWEST = 20
"""How many endpoint configurations are looked through where none is named."""

MODEL_SECONDS = 5.0
"""The longest wait for what ModelOp Center knows of the model, so that time is left to say what AWS answered."""


KnownAs = Callable[[], Awaitable[Sequence[str] | None]]
"""Asks what a model is known by; None where nobody can be asked."""


class SageMaker(Protocol):
    """What is needed of AWS."""

    async def endpoint_config(self, name: str) -> EndpointConfig:
        """The endpoint configuration with the models behind its variants."""

    async def endpoint_config_names(self, limit: int) -> list[str]:
        """The newest endpoint configurations' names."""


def not_configured() -> Section:
    """Says that nothing is asked of AWS."""

    async def look() -> list[Row]:
        why = "MLC_SAGEMAKER__REGION is not set: documents and tickets say `not verified`"
        return [skipped(NAME, why, "set it, and give the workers a role that may describe endpoint configurations")]

    return Section(first=Check(NAME, look))


def sagemaker_section(client: SageMaker, name: str | None, known_as: KnownAs | None, *, match_model: bool) -> Section:
    """All checks on SageMaker.

    Args:
        client: the connection.
        name: the endpoint configuration; None: any of the newest that serves the model.
        known_as: asks what the model is known by; None where no model is named.
        match_model: whether the site wants a variant recognised as the model.
    """
    checks = SageMakerChecks(client, known_as if match_model else None)
    if name is not None:
        return Section(first=Check(NAME, lambda: checks.named(name)))
    return Section(first=Check(NAME, checks.any_for_the_model))


class SageMakerChecks:
    """Looks at SageMaker in one region."""

    def __init__(self, client: SageMaker, known_as: KnownAs | None) -> None:
        self._client = client
        self._known_as = known_as

    async def named(self, name: str) -> list[Row]:
        """It is there, its models are, and one of them is the model."""
        found = await self._client.endpoint_config(name)
        if self._known_as is None:
            return [ok(NAME, _described(found))]
        known_as = await self._names_of_the_model()
        if known_as is None:
            what = f"{_described(found)}: whether it serves this model was {_NOT_CHECKED}"
            return [warning(NAME, what, f"mend {BUSINESS_MODEL} first")]
        if not serves(found, known_as):
            names = ", ".join(filter(None, (variant.model_name for variant in found.variants))) or "none"
            return [failed(NAME, f"{name} does not serve this model; its variants name: {names}", _REMEDY)]
        return [ok(NAME, _described(found))]

    async def any_for_the_model(self) -> list[Row]:
        """It may be read; where a model is named, one of the newest serves it."""
        names = await self._client.endpoint_config_names(NEWEST)
        if self._known_as is None:
            return [ok(NAME, f"may be read: {len(names)} found; --model or --endpoint-config looks at one")]
        known_as = await self._names_of_the_model()
        if known_as is None:
            return [skipped(NAME, f"which one serves this model was {_NOT_CHECKED}", f"mend {BUSINESS_MODEL} first")]
        unreadable: list[ApplicationError] = []
        for found in await asyncio.gather(*(self._readable(name, unreadable) for name in names)):
            if found and serves(found, known_as):
                return [ok(NAME, _described(found))]
        what = f"none of the newest {len(names)} has a variant that is recognised as this model"
        if unreadable:
            what += f"; {len(unreadable)} of them cannot be read: {unreadable[0].message}"
        return [warning(NAME, what, _REMEDY)]

    async def _readable(self, name: str, unreadable: list[ApplicationError]) -> EndpointConfig | None:
        # Old ones whose model has been deleted lie about in every account, and say nothing about this model.
        try:
            return await self._client.endpoint_config(name)
        except ApplicationError as error:
            unreadable.append(error)
            return None

    async def _names_of_the_model(self) -> Sequence[str] | None:
        """What the business model is known by; None where ModelOp Center, which has rows of its own, does not say."""
        assert self._known_as
        try:
            async with asyncio.timeout(MODEL_SECONDS):
                return await self._known_as()
        except (ApplicationError, TimeoutError):
            return None


_NOT_CHECKED = f"not checked because {BUSINESS_MODEL} cannot be read"
_REMEDY = (
    "name the SageMaker model in the business model's repositoryInfo in ModelOp Center, name the right configuration "
    "with --endpoint-config, or set MLC_SAGEMAKER__MATCH_MODEL=false"
)


def _described(found: EndpointConfig) -> str:
    variants = "; ".join(
        f"{variant.name}: {variant.model_name or 'names no model'}, {capacity(variant)}" for variant in found.variants
    )
    return f"{found.name} in {found.region} ({variants or 'no variants'})"
