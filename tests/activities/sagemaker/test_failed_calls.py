"""What AWS's refusals, silence and nonsense become: retried, or final with a remedy."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import ValidationError
from temporalio.exceptions import ApplicationError

from activities.sagemaker import client
from activities.sagemaker.client import SageMakerClient
from activities.sagemaker.settings import SageMakerSettings
from tests.activities.modelop.scripted_server import Reply, ScriptedServer
from tests.activities.sagemaker.conftest import connected
from tests.processes import free_port


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as scripted:
        yield scripted


@pytest.fixture(scope="module")
async def scripted(server: ScriptedServer) -> AsyncIterator[SageMakerClient]:
    """A connection to the scripted server: making one takes longer than all the calls."""
    client = connected(server.url)
    yield client
    await client.aclose()


async def failure(server: ScriptedServer, client: SageMakerClient, *replies: Reply) -> ApplicationError:
    """The error that reading fails with."""
    server.script(*replies)
    with pytest.raises(ApplicationError) as raised:
        await client.endpoint_config("credit")
    return raised.value


def refusal(status: int, code: str, message: str = "as scripted", **headers: str) -> Reply:
    body = json.dumps({"__type": code, "message": message}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.1", **named})


SERVERLESS_WITHOUT_SIZE = json.dumps(
    {
        "EndpointConfigName": "credit",
        "ProductionVariants": [{"VariantName": "A", "ServerlessConfig": {"MaxConcurrency": 1}}],
    }
).encode()


@pytest.mark.parametrize(
    ("reply", "kind", "final"),
    [
        (refusal(400, "AccessDeniedException", "not authorized to perform: sagemaker:Describe"), "Forbidden", True),
        (refusal(403, "UnrecognizedClientException"), "Unauthorized", True),
        (refusal(400, "ExpiredTokenException"), "Unauthorized", True),
        (refusal(400, "ValidationException", "Could not find endpoint configuration"), "NotFound", True),
        (refusal(400, "ValidationException", "1 validation error detected"), "Refused", True),
        (refusal(400, "ThrottlingException", "Rate exceeded"), "RateLimited", False),
        (refusal(429, "TooManyRequestsException"), "RateLimited", False),
        (refusal(500, "InternalFailure"), "Unavailable", False),
        (refusal(503, "ServiceUnavailable"), "Unavailable", False),
        (Reply(502, b"<html>Bad <b>Gateway</b></html>"), "Unavailable", False),
        (Reply(cut=True), "Unreachable", False),
        (Reply(200, b"<html>please sign in</html>"), "UnexpectedAnswer", False),
        (Reply(200, b"{}" * 3), "UnexpectedAnswer", False),
        (Reply(200, b"[]"), "UnexpectedAnswer", False),
        (Reply(200, b'{"EndpointConfigName": "credit"', truncated=True), "UnexpectedAnswer", False),
        (Reply(200, b"[" + b"1," * client.MAX_ANSWER_BYTES), "UnexpectedAnswer", False),
        (Reply(200, SERVERLESS_WITHOUT_SIZE), "UnexpectedAnswer", False),
    ],
)
async def test_an_answer_is_retried_only_if_time_may_mend_it(
    server: ScriptedServer, scripted: SageMakerClient, reply: Reply, kind: str, final: bool
) -> None:
    error = await failure(server, scripted, reply)
    assert (error.type, error.non_retryable) == (kind, final), error.message
    assert "SageMaker" in error.message and "<" not in error.message
    assert len(server.received) == 1, "repeating is left to Temporal"


async def test_the_wait_that_is_asked_for_is_granted(server: ScriptedServer, scripted: SageMakerClient) -> None:
    error = await failure(server, scripted, refusal(429, "ThrottlingException", Retry_After="7"))
    assert error.next_retry_delay == timedelta(seconds=7)


async def test_a_redirect_is_not_followed_with_our_signature(server: ScriptedServer, scripted: SageMakerClient) -> None:
    async with ScriptedServer() as other:
        other.script(Reply(200, b"{}"))
        error = await failure(server, scripted, Reply(302, b"", {"Location": other.url}))
        assert other.received == []
    assert error.type == "UnexpectedAnswer"


async def test_an_answer_without_a_name_is_not_about_a_configuration_called_none(
    server: ScriptedServer, scripted: SageMakerClient
) -> None:
    server.script(Reply(200, b"{}"))
    with pytest.raises(ApplicationError, match="not about what was asked for"):
        await scripted.endpoint_config("None")


def test_an_address_that_botocore_would_refuse_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="no underscore"):
        connected("http://aws_stand_in:5000")


async def test_an_address_that_botocore_refuses_all_the_same_is_not_taken_for_an_answer() -> None:
    refused = connected("http://stand-in-.example:5000")
    with pytest.raises(ValueError, match="Invalid endpoint"):
        await refused.endpoint_config("credit")
    await refused.aclose()


async def test_nobody_at_the_address_is_worth_another_try() -> None:
    nobody = connected(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ApplicationError) as raised:
        await nobody.endpoint_config("credit")
    await nobody.aclose()
    assert (raised.value.type, raised.value.non_retryable) == ("Unreachable", False)


async def test_missing_credentials_are_final_and_say_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    client = SageMakerClient(SageMakerSettings(region="eu-central-1"))
    with pytest.raises(ApplicationError, match="AWS_ACCESS_KEY_ID") as raised:
        await client.endpoint_config("credit")
    await client.aclose()
    assert (raised.value.type, raised.value.non_retryable) == ("Unauthorized", True)


async def test_a_profile_that_is_not_there_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    client = SageMakerClient(SageMakerSettings(region="eu-central-1"))
    with pytest.raises(ApplicationError, match="nobody") as raised:
        await client.endpoint_config("credit")
    await client.aclose()
    assert raised.value.type == "Unauthorized"


async def test_an_answer_that_comes_drop_by_drop_is_given_up(
    server: ScriptedServer, scripted: SageMakerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.2)
    begun = time.monotonic()
    error = await failure(server, scripted, Reply(200, b" " * 1000, pause=0.05))
    assert error.type == "Unreachable" and time.monotonic() - begun < 10


async def test_the_event_loop_goes_on_while_aws_is_slow(server: ScriptedServer, scripted: SageMakerClient) -> None:
    slow = json.dumps({"EndpointConfigName": "credit", "EndpointConfigArn": "arn", "ProductionVariants": []}).encode()
    server.script(Reply(200, slow, {"Content-Type": "application/x-amz-json-1.1"}, pause=0.005))
    begun = time.monotonic()
    # The scripted server runs in this very loop: were it blocked, the answer would never come.
    found = await scripted.endpoint_config("credit")
    assert found.name == "credit" and time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"region": "Frankfurt"}, "should be the name of an AWS region"),
        ({"region": "eu-central-1 "}, "should be the name of an AWS region"),
        ({"region": "x.evil.example/"}, "should be the name of an AWS region"),
        ({"endpoint_url": "http://127.0.0.1:5001"}, "ENDPOINT_URL needs REGION"),
        ({"region": "eu-central-1", "endpoint_url": "http://a:b@127.0.0.1"}, "must not hold a user"),
        ({"region": "eu-central-1", "endpoint": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        SageMakerSettings.model_validate(settings)


@pytest.mark.parametrize("region", ["", "eu-central-1", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1"])
def test_regions_of_every_partition_are_taken(region: str) -> None:
    assert SageMakerSettings(region=region).region == region
