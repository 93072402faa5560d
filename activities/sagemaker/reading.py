"""Makes facts of what AWS answers, tells two readings apart, and keeps them small enough for a run's history.

Shapes: Amazon SageMaker API reference, DescribeEndpointConfig and DescribeModel.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Set
from datetime import UTC, datetime
from typing import Any

from activities.errors import plain
from activities.sagemaker.types import Container, DataCapture, EndpointConfig, Serverless, Variant

Answer = Mapping[str, Any]

MAX_CHARACTERS = 1024
"""The longest address of model data that SageMaker takes."""

MAX_FACTS_BYTES = 24 * 1024
DIGEST_CHARACTERS = 24
_NOT_COMPARED: dict[str, Any] = {
    **dict.fromkeys(("created_at", "read_at", "serves_model", "fingerprint"), True),
    "variants": {"__all__": {"model_created_at"}},
}

_OTHER = "other settings"
_OF_THE_ANSWER = {"CreationTime", "ResponseMetadata"}
_TOLD_OF_CONFIG = {
    *_OF_THE_ANSWER,
    *("EndpointConfigName", "EndpointConfigArn", "ProductionVariants", "ShadowProductionVariants", "KmsKeyId"),
}
_TOLD_OF_CAPTURE = {"EnableCapture", "InitialSamplingPercentage", "DestinationS3Uri"}
_TOLD_OF_VARIANT = {"VariantName", "ModelName", "InstanceType", "InitialInstanceCount", "InitialVariantWeight"}
_TOLD_OF_SERVERLESS = {"MemorySizeInMB", "MaxConcurrency"}
# What AWS recommends about a model comes and goes without the model changing.
_TOLD_OF_MODEL = {
    *_OF_THE_ANSWER,
    "ModelName",
    "ModelArn",
    "PrimaryContainer",
    "Containers",
    "DeploymentRecommendation",
}
_TOLD_OF_CONTAINER = {"Image", "ModelDataUrl", "ModelPackageName"}


def endpoint_config(config: Answer, models: Mapping[str, Answer], *, region: str, read_at: datetime) -> EndpointConfig:
    """The facts of an endpoint configuration.

    Args:
        config: what DescribeEndpointConfig answers.
        models: what DescribeModel answers, by name, for every model that a variant names.
        region: where both were read.
        read_at: when.
    """
    facts = EndpointConfig(
        name=_text(config, "EndpointConfigName"),
        arn=_text(config, "EndpointConfigArn"),
        region=region,
        variants=list(_variants(config, models)),
        data_capture=_data_capture(config.get("DataCaptureConfig")),
        kms_key=_text(config, "KmsKeyId"),
        created_at=_moment(config, "CreationTime"),
        read_at=read_at,
        other_settings=_digest(
            _rest(config, _TOLD_OF_CONFIG | {"DataCaptureConfig"}),
            _rest(config.get("DataCaptureConfig") or {}, _TOLD_OF_CAPTURE),
        ),
        fingerprint="",
    )
    return facts.model_copy(update={"fingerprint": fingerprint(facts)})


def fingerprint(config: EndpointConfig) -> str:
    """SHA-256 over what an endpoint of this configuration would run, as JSON in a fixed form.

    When it was created and read do not count, nor does the order of variants. Fields without a value are left out, so
    that a field which a later release adds makes only those old readings look changed that would have a value for it.
    """
    identity = config.model_dump(mode="json", exclude=_NOT_COMPARED, exclude_defaults=True)
    identity["variants"] = sorted(identity.get("variants", []), key=lambda variant: str(variant["name"]))
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def bounded(config: EndpointConfig) -> EndpointConfig:
    """The facts without containers, and then without the last variants, where they exceed `MAX_FACTS_BYTES`."""
    if _size(config) > MAX_FACTS_BYTES:
        variants = [variant.model_copy(update={"containers": []}) for variant in config.variants]
        config = config.model_copy(update={"variants": variants})
    while _size(config) > MAX_FACTS_BYTES and config.variants:
        config = config.model_copy(update={"variants": config.variants[:-1]})
    return config


def differences(approved: EndpointConfig, found: EndpointConfig) -> list[str]:
    """What differs between two readings, in words; nothing if they are the same.

    SageMaker has no way to edit an endpoint configuration or a model, only to create them anew. So of the very same
    ones, other settings that differ are those that this release reads and an earlier one did not.
    """
    if approved.fingerprint == found.fingerprint:
        return []
    before, after = dict(_statements(approved)), dict(_statements(found))
    changed = [what for what in dict.fromkeys([*before, *after]) if before.get(what) != after.get(what)]
    if changed and all(what.startswith(_OTHER) for what in changed) and _are_the_very_same(approved, found):
        return []
    said = [
        f"{what} changed"
        if what.startswith(_OTHER)
        else f"{what}: {before.get(what) or 'none'} became {after.get(what) or 'none'}"
        for what in changed
    ]
    return said or ["a part of it that is not kept in the run"]


def _are_the_very_same(approved: EndpointConfig, found: EndpointConfig) -> bool:
    """Whether neither the configuration nor a model of it was created anew in between."""
    made, made_later = _moments(approved), _moments(found)
    return made == made_later and None not in made.values()


def _moments(config: EndpointConfig) -> dict[str, datetime | None]:
    """When the configuration and the models of its variants were created, by ARN."""
    models = {variant.model_arn: variant.model_created_at for variant in config.variants if variant.model_name}
    return {config.arn: config.created_at, **models}


def capacity(variant: Variant) -> str:
    """What a variant runs on, in words."""
    if variant.serverless:
        return f"serverless, {variant.serverless.memory_mb} MB, up to {variant.serverless.max_concurrency} at once"
    return f"{variant.instance_count or 0} x {variant.instance_type or 'unknown instance type'}"


def capture(config: EndpointConfig) -> str:
    """What is recorded of the traffic, in words."""
    found = config.data_capture
    if found is None or not found.enabled:
        return "off"
    share = "" if found.percentage is None else f"{found.percentage} % of the traffic "
    return f"{share}to {found.destination or 'an unknown place'}"


def _statements(config: EndpointConfig) -> Iterator[tuple[str, str]]:
    yield "ARN", config.arn
    yield "data capture", capture(config)
    yield "KMS key", config.kms_key
    yield f"{_OTHER} of it", config.other_settings
    for variant in config.variants:
        label = f"variant {variant.name}"
        yield f"model of {label}", variant.model_arn or variant.model_name
        yield f"capacity of {label}", capacity(variant)
        yield f"weight of {label}", "" if variant.weight is None else f"{variant.weight:g}"
        yield f"role of {label}", "shadow" if variant.shadow else "production"
        yield f"{_OTHER} of {label} or its model", variant.other_settings
        for number, container in enumerate(variant.containers, start=1):
            part = f"container {number} of {label}"
            yield f"image of {part}", container.image
            yield f"model data of {part}", container.model_data_url
            yield f"model package of {part}", container.model_package
            yield f"{_OTHER} of {part}", container.other_settings


def _variants(config: Answer, models: Mapping[str, Answer]) -> Iterator[Variant]:
    for shadow, name in ((False, "ProductionVariants"), (True, "ShadowProductionVariants")):
        for variant in config.get(name) or []:
            yield _variant(variant, models.get(variant.get("ModelName", ""), {}), shadow)


def _variant(variant: Answer, model: Answer, shadow: bool) -> Variant:
    serverless = variant.get("ServerlessConfig")
    weight = variant.get("InitialVariantWeight")
    return Variant(
        name=_text(variant, "VariantName"),
        model_name=_text(variant, "ModelName"),
        model_arn=_text(model, "ModelArn"),
        model_created_at=_moment(model, "CreationTime"),
        containers=[_container(each) for each in _containers(model)],
        instance_type=_text(variant, "InstanceType"),
        instance_count=variant.get("InitialInstanceCount"),
        weight=None if weight is None else float(weight),
        serverless=_serverless(serverless) if serverless else None,
        shadow=shadow,
        other_settings=_digest(
            _rest(variant, _TOLD_OF_VARIANT | {"ServerlessConfig"}),
            _rest(serverless or {}, _TOLD_OF_SERVERLESS),
            _rest(model, _TOLD_OF_MODEL),
        ),
    )


def _containers(model: Answer) -> Iterator[Answer]:
    """A model has either one primary container or a chain of them."""
    if model.get("PrimaryContainer"):
        yield model["PrimaryContainer"]
    yield from model.get("Containers") or []


def _container(container: Answer) -> Container:
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return Container(
        image=_text(container, "Image"),
        model_data_url=_text(container, "ModelDataUrl") or _text(source, "S3Uri"),
        model_package=_text(container, "ModelPackageName"),
        multi_model=container.get("Mode") == "MultiModel",
        other_settings=_digest(_rest(container, _TOLD_OF_CONTAINER)),
    )


def _serverless(serverless: Answer) -> Serverless:
    return Serverless(memory_mb=serverless["MemorySizeInMB"], max_concurrency=serverless["MaxConcurrency"])


def _data_capture(found: Answer | None) -> DataCapture | None:
    if not found:
        return None
    return DataCapture(
        enabled=bool(found.get("EnableCapture")),
        percentage=found.get("InitialSamplingPercentage"),
        destination=_text(found, "DestinationS3Uri"),
    )


def _rest(answer: Answer, told: Set[str]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in told and value}


def _digest(*rests: Mapping[str, Any]) -> str:
    """A name for settings that may hold secrets, as variables of a container do; empty where there are none."""
    if not any(rests):
        return ""
    return hashlib.sha256(json.dumps(rests, sort_keys=True, default=str).encode()).hexdigest()[:DIGEST_CHARACTERS]


def _text(answer: Answer, name: str) -> str:
    value = answer.get(name)
    return plain(value, MAX_CHARACTERS) if isinstance(value, str) else ""


def _moment(answer: Answer, name: str) -> datetime | None:
    value = answer.get(name)
    return value.astimezone(UTC) if isinstance(value, datetime) else None


def _size(config: EndpointConfig) -> int:
    return len(config.model_dump_json().encode())
