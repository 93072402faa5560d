"""A stand-in for SageMaker that all tests of this folder share, and clients that speak to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from activities.sagemaker.client import SageMakerClient
from activities.sagemaker.settings import SageMakerSettings
from sandbox.sagemaker.catalogue import ACCESS_KEY, REGION, SECRET_KEY
from tests.processes import free_port, server_process

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient as Api

KEYS = (ACCESS_KEY, SECRET_KEY)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the stand-in answers."""
    port = free_port()
    log = tmp_path_factory.mktemp("sagemaker") / "log"
    command = ["-m", "sandbox.sagemaker", "--port", str(port)]
    with server_process(command, port=port, log=log, ready_path="/moto-api/") as server:
        yield server.url


@pytest.fixture(scope="session")
def aws(url: str) -> Api:
    """AWS as somebody with all rights uses it."""
    return boto3.client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


@pytest.fixture(scope="session")
async def sagemaker(url: str) -> AsyncIterator[SageMakerClient]:
    """The connection under test."""
    client = connected(url)
    yield client
    await client.aclose()


def connected(url: str) -> SageMakerClient:
    """A connection to a server at an address."""
    return SageMakerClient(SageMakerSettings.model_validate({"region": REGION, "endpoint_url": url}), keys=KEYS)
