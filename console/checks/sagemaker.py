"""SageMaker's prerequisites: that it may be read, and that an endpoint configuration serves the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from activities.sagemaker.matching import serves
from activities.sagemaker.reading import capacity
from activities.sagemaker.types import EndpointConfig
from console.checks.examination import Check, Row, Section, failed, ok, skipped, warning

NAME = "SageMaker endpoint configuration"
NEWEST = 20
"""How many endpoint configurations are looked through where none is named."""


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


def sagemaker_section(
    client: SageMaker, name: str | None, known_as: Callable[[], Awaitable[Sequence[str]]] | None, *, match_model: bool
) -> Section:
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

    def __init__(self, client: SageMaker, known_as: Callable[[], Awaitable[Sequence[str]]] | None) -> None:
        self._client = client
        self._known_as = known_as

    async def named(self, name: str) -> list[Row]:
        """It is there, its models are, and one of them is the model."""
        found = await self._client.endpoint_config(name)
        if self._known_as is not None and not serves(found, await self._known_as()):
            names = ", ".join(variant.model_name for variant in found.variants) or "none"
            return [failed(NAME, f"{name} does not serve this model; its variants name: {names}", _REMEDY)]
        return [ok(NAME, _described(found))]

    async def any_for_the_model(self) -> list[Row]:
        """It may be read; where a model is named, one of the newest serves it."""
        names = await self._client.endpoint_config_names(NEWEST)
        if self._known_as is None:
            return [ok(NAME, f"may be read: {len(names)} found; --model or --endpoint-config looks at one")]
        known_as = await self._known_as()
        for name in names:
            found = await self._client.endpoint_config(name)
            if serves(found, known_as):
                return [ok(NAME, _described(found))]
        what = f"none of the newest {len(names)} has a variant that is recognised as this model"
        return [warning(NAME, what, _REMEDY)]


_REMEDY = (
    "name the SageMaker model in the business model's repositoryInfo in ModelOp Center, name the right configuration "
    "with --endpoint-config, or set MLC_SAGEMAKER__MATCH_MODEL=false"
)


def _described(found: EndpointConfig) -> str:
    variants = "; ".join(f"{variant.name}: {variant.model_name}, {capacity(variant)}" for variant in found.variants)
    return f"{found.name} in {found.region} ({variants or 'no variants'})"
