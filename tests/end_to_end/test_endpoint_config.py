"""The endpoint configuration on the whole stack: read into snapshot and document, compared before the deployment."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import boto3
import docx
import pytest

from sandbox.modelop.seed import GERMAN_CREDIT
from sandbox.sagemaker.catalogue import ACCESS_KEY, REGION, SECRET_KEY
from tests.end_to_end.site import Site
from tests.end_to_end.test_process import attachment_bytes

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ProductionVariantInstanceTypeType

NAME = "german-credit-of-this-test"
MODEL = "german-credit-scoring"


@pytest.fixture
def aws(site: Site) -> SageMakerClient:
    """AWS as an administrator uses it."""
    if not site.stack.addresses.sagemaker:
        pytest.skip("the stand-in for SageMaker is not installed: nothing was tested")
    return boto3.client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=site.stack.addresses.sagemaker,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def create(aws: SageMakerClient, instance: ProductionVariantInstanceTypeType = "ml.m5.large") -> None:
    aws.create_endpoint_config(
        EndpointConfigName=NAME,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic",
                "ModelName": MODEL,
                "InstanceType": instance,
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
            }
        ],
    )


async def test_what_changed_after_the_approval_is_not_deployed_until_it_is_put_back(
    site: Site, aws: SageMakerClient
) -> None:
    create(aws)
    run = await site.start(GERMAN_CREDIT, requested_by="rita", endpoint_config_name=NAME)
    await run.decide("PiaApproval", "paul")
    review = await run.decide("ResultsApproval", "vera")
    await run.waiting_on("ProductionApproval")
    aws.delete_endpoint_config(EndpointConfigName=NAME)
    create(aws, instance="ml.m5.4xlarge")
    await run.decide("ProductionApproval", "aaron")
    status = await run.until(lambda each: each.blocked is not None)
    assert status.blocked and status.blocked.cause == "EndpointChanged"
    assert "1 x ml.m5.large became 1 x ml.m5.4xlarge" in status.blocked.message

    aws.delete_endpoint_config(EndpointConfigName=NAME)
    create(aws)
    await run.handle.execute_update("resume")
    result = await run.handle.result()
    snapshot = await site.entity(f"deployableModels/{result.snapshot_id}")
    info = snapshot["targetRuntimes"][0]["repositoryInfo"]
    assert snapshot["state"] == "DEPLOYED"
    assert info["endpointConfigArn"].endswith(f":endpoint-config/{NAME}") and info["region"] == REGION
    assert info["endpointConfig"]["servesModel"] is True

    _, reviewed = await attachment_bytes(site, review)
    cells = [cell.text for table in docx.Document(io.BytesIO(reviewed)).tables for cell in table._cells]
    assert info["endpointConfigArn"] in cells and "ml.m5.large" in cells
    assert not any("not verified" in cell for cell in cells)
