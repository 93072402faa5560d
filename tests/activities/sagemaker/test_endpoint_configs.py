"""Reading endpoint configurations, and telling whether one is still what was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError

from activities.sagemaker.activities import SageMakerActivities
from activities.sagemaker.client import SageMakerClient
from activities.sagemaker.types import EndpointConfig, EndpointConfigRequest, VerifyEndpointRequest

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient as Api
    from mypy_boto3_sagemaker.literals import ProductionVariantInstanceTypeType
    from mypy_boto3_sagemaker.type_defs import ContainerDefinitionTypeDef, ProductionVariantTypeDef

GERMAN_CREDIT = EndpointConfigRequest(name="german-credit-2026-11", known_as=["German Credit Scoring"])
ROLE = "arn:aws:iam::123456789012:role/any"


@pytest.fixture
def activities(sagemaker: SageMakerClient) -> SageMakerActivities:
    return SageMakerActivities(sagemaker)


def new_model(aws: Api, *, data: str = "s3://models/a.tar.gz", name: str = "") -> str:
    name = name or f"model-{uuid4().hex[:12]}"
    aws.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "registry/scoring:1", "ModelDataUrl": data},
        ExecutionRoleArn=ROLE,
    )
    return name


def new_config(
    aws: Api, model: str, *, name: str = "", instance: ProductionVariantInstanceTypeType = "ml.m5.large", count: int = 1
) -> str:
    name = name or f"config-{uuid4().hex[:12]}"
    variant: ProductionVariantTypeDef = {
        "VariantName": "AllTraffic",
        "ModelName": model,
        "InstanceType": instance,
        "InitialInstanceCount": count,
        "InitialVariantWeight": 1.0,
    }
    aws.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


async def verify(activities: SageMakerActivities, approved: EndpointConfig) -> str:
    """Why it is not what was approved; empty if it is."""
    try:
        await activities.verify_endpoint_config(VerifyEndpointRequest(approved=approved))
    except ApplicationError as error:
        assert (error.type, error.non_retryable) == ("EndpointChanged", True)
        return error.message
    return ""


async def test_the_seeded_configuration_is_read_with_its_model(activities: SageMakerActivities) -> None:
    found = await activities.read_endpoint_config(GERMAN_CREDIT)
    assert found.arn.endswith(":endpoint-config/german-credit-2026-11") and found.region == "eu-central-1"
    (variant,) = found.variants
    assert (variant.name, variant.model_name) == ("AllTraffic", "german-credit-scoring")
    assert (variant.instance_type, variant.instance_count, variant.weight) == ("ml.m5.large", 2, 1.0)
    assert variant.model_arn.endswith(":model/german-credit-scoring")
    assert variant.containers[0].model_data_url.endswith("/german-credit-scoring/model.tar.gz")
    assert found.data_capture and (found.data_capture.enabled, found.data_capture.percentage) == (True, 20)
    assert found.kms_key.startswith("arn:aws:kms:") and found.created_at and found.serves_model is True


async def test_a_model_that_no_variant_names_is_not_served(activities: SageMakerActivities) -> None:
    request = EndpointConfigRequest(name=GERMAN_CREDIT.name, known_as=["Another Model", "s3://elsewhere/model.tar.gz"])
    assert (await activities.read_endpoint_config(request)).serves_model is False


async def test_a_site_may_leave_the_recognition_out(sagemaker: SageMakerClient) -> None:
    activities = SageMakerActivities(sagemaker, match_model=False)
    assert (await activities.read_endpoint_config(GERMAN_CREDIT)).serves_model is None


async def test_serverless_variants_and_chains_of_containers_are_read(activities: SageMakerActivities, aws: Api) -> None:
    model, config = f"chain-{uuid4().hex[:8]}", f"serverless-{uuid4().hex[:8]}"
    containers: list[ContainerDefinitionTypeDef] = [
        {"Image": f"registry/step:{number}", "ModelDataUrl": f"s3://b/{number}"} for number in (1, 2)
    ]
    aws.create_model(ModelName=model, Containers=containers, ExecutionRoleArn=ROLE)
    variant: ProductionVariantTypeDef = {
        "VariantName": "V",
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
    }
    aws.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    (found,) = (await activities.read_endpoint_config(EndpointConfigRequest(name=config))).variants
    assert found.serverless and (found.serverless.memory_mb, found.serverless.max_concurrency) == (2048, 5)
    assert [each.image for each in found.containers] == ["registry/step:1", "registry/step:2"]


async def test_what_did_not_change_is_as_approved_also_after_it_was_made_anew(
    activities: SageMakerActivities, aws: Api
) -> None:
    model = new_model(aws)
    config = new_config(aws, model)
    approved = await activities.read_endpoint_config(EndpointConfigRequest(name=config))
    assert await verify(activities, approved) == ""
    aws.delete_endpoint_config(EndpointConfigName=config)
    assert "has no endpoint configuration" in await verify(activities, approved)
    new_config(aws, model, name=config)
    assert await verify(activities, approved) == ""


async def test_another_capacity_and_another_model_are_named(activities: SageMakerActivities, aws: Api) -> None:
    config = new_config(aws, new_model(aws))
    approved = await activities.read_endpoint_config(EndpointConfigRequest(name=config))
    aws.delete_endpoint_config(EndpointConfigName=config)
    new_config(aws, new_model(aws), name=config, instance="ml.m5.xlarge", count=3)
    said = await verify(activities, approved)
    assert "capacity of variant AllTraffic: 1 x ml.m5.large became 3 x ml.m5.xlarge" in said
    assert "model of variant AllTraffic" in said and "put it back as it was and resume, or abort" in said


async def test_other_data_under_the_same_model_name_is_found(activities: SageMakerActivities, aws: Api) -> None:
    model = new_model(aws)
    approved = await activities.read_endpoint_config(EndpointConfigRequest(name=new_config(aws, model)))
    aws.delete_model(ModelName=model)
    assert f"has no model '{model}'" in await verify(activities, approved)
    new_model(aws, name=model, data="s3://models/swapped.tar.gz")
    said = await verify(activities, approved)
    assert "model data of container 1 of variant AllTraffic: s3://models/a.tar.gz became s3://models/swapped" in said


@pytest.mark.parametrize("name", ["nowhere", "../../etc/passwd", "x" * 255, "\N{SNOWMAN}", "a\x00b", " "])
async def test_a_name_that_is_none_is_final_and_says_where_it_was_looked_for(
    activities: SageMakerActivities, name: str
) -> None:
    with pytest.raises(ApplicationError) as raised:
        await activities.read_endpoint_config(EndpointConfigRequest(name=name))
    assert raised.value.non_retryable and raised.value.type in ("NotFound", "Refused")
    assert len(raised.value.message) < 1000 and raised.value.message.isprintable()
    if name == "nowhere":
        assert "SageMaker in eu-central-1 has no endpoint configuration 'nowhere'" in raised.value.message


async def test_without_a_region_the_activity_says_which_setting_is_missing() -> None:
    with pytest.raises(ApplicationError, match="MLC_SAGEMAKER__REGION") as raised:
        await SageMakerActivities(None).read_endpoint_config(GERMAN_CREDIT)
    assert (raised.value.type, raised.value.non_retryable) == ("SageMakerNotConfigured", True)


async def test_the_newest_configurations_are_listed_first(sagemaker: SageMakerClient, aws: Api) -> None:
    newest = new_config(aws, new_model(aws))
    assert newest in await sagemaker.endpoint_config_names(100)
