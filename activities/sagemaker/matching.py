"""Whether an endpoint configuration serves a model that ModelOp Center knows."""

from __future__ import annotations

import re
from collections.abc import Iterable

from activities.sagemaker.types import EndpointConfig, Variant

_UNSPEAKABLE = re.compile(r"[^a-z0-9]+")


def serves(config: EndpointConfig, known_as: Iterable[str]) -> bool:
    """Whether a variant, other than a shadow, is recognised as the model.

    Neither system knows the other's ids, so one of these must agree: the SageMaker model's name or ARN, its model
    package, or the address of its model data with something that the business model is known by; or its name with the
    business model's name as SageMaker would spell it (`German Credit Scoring`: `german-credit-scoring`). A container
    for many models serves whatever lies under its address.
    """
    known = {name for name in known_as if name}
    spelled = known | {spelling(name) for name in known}
    return any(
        not variant.shadow and (not spelled.isdisjoint(_names(variant)) or _may_load(variant, known))
        for variant in config.variants
    )


def spelling(name: str) -> str:
    """A name in the letters that SageMaker allows in names of models, in lower case."""
    return _UNSPEAKABLE.sub("-", name.lower()).strip("-")


def _may_load(variant: Variant, known: Iterable[str]) -> bool:
    places = [f"{each.model_data_url.rstrip('/')}/" for each in variant.containers if each.multi_model]
    return any(name.startswith(place) for name in known for place in places if place != "/")


def _names(variant: Variant) -> set[str]:
    parts = (part for each in variant.containers for part in (each.model_data_url, each.model_package))
    return {name for name in (variant.model_name, variant.model_name.lower(), variant.model_arn, *parts) if name}
