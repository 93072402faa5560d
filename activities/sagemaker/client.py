"""The connection to AWS SageMaker: boto3 in threads, one attempt a call, every failure an error that Temporal knows.

Imported only where a region is configured: boto3 costs a process half a second and tens of megabytes.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ReadTimeoutError, ResponseStreamingError
from temporalio.exceptions import ApplicationError
from urllib3.exceptions import HTTPError as TransportError
from urllib3.exceptions import ReadTimeoutError as TransportTimeout

from activities import errors
from activities.errors import OutsideError
from activities.observation import outside_call
from activities.sagemaker import failures
from activities.sagemaker.reading import endpoint_config
from activities.sagemaker.settings import SageMakerSettings
from activities.sagemaker.types import EndpointConfig

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient as Api

THREADS = 4
TIMEOUT_SECONDS = 10.0
TOTAL_SECONDS = 25.0
"""The longest that the body of an answer may take; a server that sends drop by drop never exceeds the other limit."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
_PIECE = 64 * 1024
MAX_MODELS = 20
"""How many different models of one configuration are looked at; SageMaker allows ten variants."""

_T = TypeVar("_T")


class SageMakerClient:
    """Reads SageMaker in one region.

    Nothing is sent, and no credentials are looked for, before the first call, so a missing role is an error of that
    call and not of the worker's start.

    Args:
        settings: which region.
        keys: access key and secret, in place of AWS's own chain.
    """

    def __init__(self, settings: SageMakerSettings, *, keys: tuple[str, str] | None = None) -> None:
        self._keys = keys or (None, None)
        self._region = settings.region
        self._endpoint_url = str(settings.endpoint_url) if settings.endpoint_url else None
        self._executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="sagemaker")
        self._making = threading.Lock()
        self._api: Api | None = None

    async def aclose(self) -> None:
        """Waits for the calls under way and closes all connections."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
        if self._api is not None:
            self._api.close()

    async def endpoint_config(self, name: str) -> EndpointConfig:
        """An endpoint configuration and the models behind its variants, in full.

        Raises:
            ApplicationError: of type `NotFound` if it, or a model that it names, is not there; else one of the types
                of `errors.OutsideError`.
        """
        described = await self._call(
            f"DescribeEndpointConfig {name[:100]}",
            lambda api: api.describe_endpoint_config(EndpointConfigName=name),
            f"has no endpoint configuration {name!r} (create it, or start the run with the right endpoint_config_name)",
        )
        self._insist(described, "EndpointConfigName", name, f"DescribeEndpointConfig {name[:100]}")
        variants = [*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])]
        names = dict.fromkeys(variant["ModelName"] for variant in variants if variant.get("ModelName"))
        models = {model: await self._model(model, name) for model in list(names)[:MAX_MODELS]}
        try:
            return endpoint_config(described, models, region=self._region, read_at=datetime.now(UTC))
        except (KeyError, ValueError) as error:
            raise errors.unexpected(failures.SYSTEM, f"DescribeEndpointConfig {name[:100]}", str(error)) from None

    async def endpoint_config_names(self, limit: int) -> list[str]:
        """The names of the newest endpoint configurations, at most a hundred."""
        listed = await self._call(
            "ListEndpointConfigs",
            lambda api: api.list_endpoint_configs(SortBy="CreationTime", SortOrder="Descending", MaxResults=limit),
            "has no endpoint configurations",
        )
        return [each["EndpointConfigName"] for each in listed["EndpointConfigs"]]

    async def _model(self, model: str, config: str) -> Any:
        described = await self._call(
            f"DescribeModel {model}",
            lambda api: api.describe_model(ModelName=model),
            f"has no model {model!r}, which endpoint configuration {config!r} names (create the model again)",
        )
        self._insist(described, "ModelName", model, f"DescribeModel {model}")
        return described

    @staticmethod
    def _insist(described: Any, field: str, asked: str, call: str) -> None:
        """boto3 takes any page for an answer without fields; a configuration without variants would be made of it."""
        answered = described.get(field) if isinstance(described, dict) else None
        if not isinstance(answered, str) or answered.casefold() != asked.casefold():
            raise errors.unexpected(failures.SYSTEM, call, "it is not about what was asked for")

    async def _call(self, call: str, use: Callable[[Api], _T], missing: str) -> _T:
        work = functools.partial(contextvars.copy_context().run, self._in_thread, call, use, missing)
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _in_thread(self, call: str, use: Callable[[Api], _T], missing: str) -> _T:
        try:
            api = self._connected()
            with outside_call(failures.SYSTEM, call) as observed:
                try:
                    answer = use(api)
                except failures.FAILURES as error:
                    observed.status = failures.http_status(error)
                    raise
                except (AttributeError, TypeError, ValueError):
                    # What is JSON and no object makes botocore stumble over its own reading.
                    raise errors.unexpected(failures.SYSTEM, call, "it cannot be read") from None
                observed.status = HTTPStatus.OK
                return answer
        except failures.FAILURES as error:
            if failures.is_missing(error):
                raise ApplicationError(
                    f"SageMaker in {self._region} {missing}", type=OutsideError.NOT_FOUND, non_retryable=True
                ) from None
            # A cause would be recorded with its text, which may hold parts of the request.
            raise failures.explain(call, error) from None

    def _connected(self) -> Api:
        # Clients may be shared by threads, but not be made by several at once.
        with self._making:
            if self._api is None:
                self._api = boto3.session.Session().client(
                    "sagemaker",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    aws_access_key_id=self._keys[0],
                    aws_secret_access_key=self._keys[1],
                    config=Config(
                        connect_timeout=TIMEOUT_SECONDS,
                        read_timeout=TIMEOUT_SECONDS,
                        # Repeating is Temporal's: it counts attempts, shows them and survives this process.
                        retries={"total_max_attempts": 1},
                        max_pool_connections=THREADS,
                    ),
                )
                events: Any = self._api.meta.events
                events.register("before-send.sagemaker", self._send)
            return self._api

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Sends a request and reads the answer bounded in size and time, which botocore itself does not.

        Raises:
            ReadTimeoutError: the answer takes longer than `TOTAL_SECONDS`, drop by drop.
            AnswerTooLargeError: it is larger than `MAX_ANSWER_BYTES`.
            ResponseStreamingError: the connection breaks off.
        """
        # Left unread by botocore's session, which otherwise reads whatever comes.
        request.stream_output = True
        api: Any = self._api
        answer = api._endpoint.http_session.send(request)
        body, deadline = bytearray(), time.monotonic() + TOTAL_SECONDS
        try:
            while piece := answer.raw.read1(_PIECE, decode_content=True):
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise AnswerTooLargeError(megabytes=MAX_ANSWER_BYTES // 1024**2)
                if time.monotonic() > deadline:
                    raise ReadTimeoutError(endpoint_url=request.url, error="drop by drop")
        except TransportTimeout as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except TransportError as error:
            raise ResponseStreamingError(error=error) from None
        finally:
            answer.raw.close()
        return AWSResponse(answer.url, answer.status_code, answer.headers, _Read(bytes(body)))


class AnswerTooLargeError(BotoCoreError):
    """An answer is larger than any that describes a configuration."""

    fmt = "it has more than {megabytes} MB"


class _Read:
    """A body that has been read, as botocore takes one from the network."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body
