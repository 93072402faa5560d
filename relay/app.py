"""The relay's web interface: Jira's webhook in, one answer that says what became of it.

A success is answered only after Temporal has the signal. What will never succeed is answered 200 as well, since
Jira Cloud would send it again for nothing; only what is worth sending again is answered 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.common import MetricMeter

from activities import metrics, observation
from relay.delivery import MalformedDelivery, read_delivery
from relay.limits import DEFAULT_PER_SECOND, TokenBucket
from relay.signalling import DEADLINE, Signaller, TemporalUnavailable
from relay.signature import SignatureCheck

# The largest webhook that Jira sends; it drops larger ones itself.
MAX_BODY_BYTES = 25 * 1024 * 1024
# Bounds memory: so many bodies of the largest size at once.
MAX_IN_FLIGHT = 16
BODY_SECONDS = 10.0
SIGNATURE_HEADER = "x-hub-signature"

_EVENT_ID = re.compile(r"[\x21-\x7e]{1,128}")

logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is answered with this status and reason without being read further."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Result(StrEnum):
    """What becomes of a delivery."""

    SIGNALLED = "signalled"
    IGNORED = "ignored"
    REFUSED = "refused"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


class _Answer(JSONResponse):
    """The answer to a delivery, which says what became of it."""

    def __init__(
        self, status: int, result: Result, headers: Mapping[str, str] | None = None, **details: object
    ) -> None:
        super().__init__({"result": result, **details}, status_code=status, headers=headers)
        self.result = result


class Relay:
    """Handlers of the routes; `create_app` puts them together."""

    def __init__(self, signaller: Signaller, signatures: SignatureCheck, rate: TokenBucket, meter: MetricMeter) -> None:
        """Takes what reaches Temporal, what checks signatures, what bounds deliveries per second, and what counts."""
        self._signaller = signaller
        self._meter = meter
        self._signatures = signatures
        self._rate = rate
        self._in_flight = 0

    async def webhook(self, request: Request) -> Response:
        """`POST /webhooks/jira`."""
        with observation.delivery():
            answer = await self._admit(request)
        metrics.count(self._meter, metrics.WEBHOOKS, result=answer.result)
        return answer

    async def _admit(self, request: Request) -> _Answer:
        if not self._signatures.can_check(request.headers.get(SIGNATURE_HEADER)):
            # What cannot be checked is not worth a place, nor the reading of a body.
            return _refusal(_unauthorized())
        if self._in_flight >= MAX_IN_FLIGHT:
            return _Answer(503, Result.BUSY, reason="too many deliveries at once")
        if wait := self._rate.take():
            # Jira Cloud sends again after a 503 as after a 429; gateways before the relay pass a 503 on unchanged.
            return _Answer(503, Result.BUSY, {"Retry-After": str(wait)}, reason="too many deliveries per second")
        self._in_flight += 1
        try:
            return await self._take(request)
        except _Refused as refused:
            return _refusal(refused)
        finally:
            self._in_flight -= 1

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """`GET /readyz`: Temporal answers and knows the namespace, so that webhooks can be taken."""
        obstacle = await self._signaller.obstacle()
        if obstacle is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": obstacle}, status_code=503)

    async def _take(self, request: Request) -> _Answer:
        body = await _read_body(request)
        if not self._signatures.accepts(body, request.headers.get(SIGNATURE_HEADER)):
            raise _unauthorized()
        # Made of what is signed: whoever recorded a delivery could give it any other header.
        request_id = hashlib.sha256(body).hexdigest()
        identifier = request.headers.get("x-atlassian-webhook-identifier", "")
        try:
            delivery = read_delivery(body, event_id=identifier if _EVENT_ID.fullmatch(identifier) else request_id)
        except MalformedDelivery as error:
            return _ignored(str(error))
        if not delivery.wanted:
            return _ignored(f"event {delivery.event or '(none)'} tells nothing about a decision")
        ticket = delivery.hint.issue_key
        try:
            signalled = await self._signaller.deliver(delivery, request_id=request_id)
        except TemporalUnavailable as error:
            # Data Center never sends again.
            logger.warning("%s: not signalled (%s); Jira Cloud sends it again, else the sweep finds it", ticket, error)
            return _Answer(503, Result.UNAVAILABLE, reason="Temporal did not take the signal")
        if not signalled:
            return _ignored(f"no running implementation waits for {ticket}")
        logger.info("%s: signalled %s", ticket, ", ".join(signalled))
        return _Answer(200, Result.SIGNALLED, workflow_ids=signalled)


def create_app(
    *,
    client: Client,
    secrets: Sequence[SecretStr],
    deadline: timedelta = DEADLINE,
    per_second: float = DEFAULT_PER_SECOND,
    meter: MetricMeter = MetricMeter.noop,
) -> Starlette:
    """Builds the relay as an ASGI application.

    Args:
        client: connection to Temporal; it may be a lazy one, so that the relay starts before Temporal does.
        secrets: the secrets under which Jira may sign; any of them is accepted.
        deadline: the longest that Temporal may take for one delivery.
        per_second: how many deliveries are taken in a second in the long run; what comes faster is answered 503.
        meter: counts deliveries.

    Raises:
        UnsignedRelayError: there is no secret, or one of them is empty.
    """
    for result in Result:
        # A rate can only be taken of a series that is there before its first event.
        metrics.count(meter, metrics.WEBHOOKS, 0, result=result)
    relay = Relay(Signaller(client, deadline=deadline), SignatureCheck(secrets), TokenBucket(per_second), meter)
    return Starlette(
        routes=[
            Route("/webhooks/jira", relay.webhook, methods=["POST"]),
            Route("/healthz", relay.healthz, methods=["GET"]),
            Route("/readyz", relay.readyz, methods=["GET"]),
        ]
    )


async def _read_body(request: Request) -> bytearray:
    """The raw body, of which never more than the allowed size is held."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _Refused(413, "the body is larger than 25 MB")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                # A chunked body declares no length and is counted as it comes.
                if len(body) > MAX_BODY_BYTES:
                    raise _Refused(413, "the body is larger than 25 MB")
    except TimeoutError as error:
        raise _Refused(408, "the body did not arrive in time") from error
    except ClientDisconnect as error:
        raise _Refused(400, "the sender hung up") from error
    return body


def _unauthorized() -> _Refused:
    # Which part is wrong is nobody's business but the administrator's.
    return _Refused(401, "unauthorized")


def _refusal(refused: _Refused) -> _Answer:
    logger.warning("webhook refused: %s (%d)", refused.reason, refused.status)
    return _Answer(refused.status, Result.REFUSED, reason=refused.reason)


def _ignored(reason: str) -> _Answer:
    logger.info("webhook ignored: %s", reason)
    return _Answer(200, Result.IGNORED, reason=reason)
