"""What the stand-in is filled with: the seeded business models as SageMaker would hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

from sandbox.sagemaker.catalogue import ACCESS_KEY, ENDPOINT_CONFIGS, REGION, SECRET_KEY

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

ACCOUNT = "123456789012"
_BUCKET = "models-sandbox"
_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/credit-scoring:2026.11"
_KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d8f2b7c-9a41-4c52-7d3b-6e5a1f0c9e01"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/model-execution"


def seed() -> None:
    """Creates all models and endpoint configurations inside this process, before it listens.

    Whoever can reach the server then finds everything: what is "not there yet" would be taken for missing.
    """
    inside = mock_aws()
    inside.start()
    try:
        _create(
            boto3.client(
                "sagemaker", region_name=REGION, aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY
            )
        )
    finally:
        inside.stop(remove_data=False)


def _create(client: SageMakerClient) -> None:
    for config, model in ENDPOINT_CONFIGS.items():
        client.create_model(
            ModelName=model,
            PrimaryContainer={"Image": _IMAGE, "ModelDataUrl": f"s3://{_BUCKET}/{model}/model.tar.gz"},
            ExecutionRoleArn=_ROLE,
        )
        client.create_endpoint_config(
            EndpointConfigName=config,
            ProductionVariants=[
                {
                    "VariantName": "AllTraffic",
                    "ModelName": model,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 2,
                    "InitialVariantWeight": 1.0,
                }
            ],
            DataCaptureConfig={
                "EnableCapture": True,
                "InitialSamplingPercentage": 20,
                "DestinationS3Uri": f"s3://{_BUCKET}/capture/{model}",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            },
            KmsKeyId=_KMS_KEY,
        )
