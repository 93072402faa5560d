"""The relay's web interface: Jira's webhook in, one answer that says what became of it.

A success is answered only after Temporal has the signal. What will never succeed is answered 200 as well, since
Jira Cloud would send it again for nothing; only what is worth sending again is answered 503.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from datetime import timedelta

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client

from relay.delivery import MalformedDelivery, read_delivery
from relay.signalling import DEADLINE, Signaller, TemporalUnavailable
from relay.signature import SignatureCheck

# The largest webhook that Jira sends; it drops larger ones itself.
MAX_BODY_BYTES = 25 * 1024 * 1024
# Bounds memory: so many bodies of the largest size at once.
MAX_IN_FLIGHT = 16
BODY_SECONDS = 10.0
SIGNATURE_HEADER = "x-hub-signature"

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")

logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is answered with this status and reason without being read further."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Relay:
    """Handlers of the routes; `create_app` puts them together."""

    def __init__(self, signaller: Signaller, signatures: SignatureCheck) -> None:
        """Takes what reaches Temporal and what checks signatures."""
        self._signaller = signaller
        self._signatures = signatures
        self._in_flight = 0

    async def webhook(self, request: Request) -> Response:
        """`POST /webhooks/jira`."""
        if not self._signatures.can_check(request.headers.get(SIGNATURE_HEADER)):
            # What cannot be checked is not worth a place, nor the reading of a body.
            return _refusal(_unauthorized())
        if self._in_flight >= MAX_IN_FLIGHT:
            return _answer(503, "busy", "too many deliveries at once")
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

    async def _take(self, request: Request) -> Response:
        body = await _read_body(request)
        if not self._signatures.accepts(body, request.headers.get(SIGNATURE_HEADER)):
            raise _unauthorized()
        request_id = _request_id(request.headers.get("x-atlassian-webhook-identifier"), body)
        try:
            delivery = read_delivery(body, event_id=request_id)
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
            return _answer(503, "unavailable", "Temporal did not take the signal")
        if not signalled:
            return _ignored(f"no running implementation waits for {ticket}")
        logger.info("%s: signalled %s", ticket, ", ".join(signalled))
        return JSONResponse({"result": "signalled", "workflow_ids": signalled})


def create_app(*, client: Client, secrets: Sequence[SecretStr], deadline: timedelta = DEADLINE) -> Starlette:
    """Builds the relay as an ASGI application.

    Args:
        client: connection to Temporal; it may be a lazy one, so that the relay starts before Temporal does.
        secrets: the secrets under which Jira may sign; any of them is accepted.
        deadline: the longest that Temporal may take for one delivery.

    Raises:
        UnsignedRelayError: there is no secret, or one of them is empty.
    """
    relay = Relay(Signaller(client, deadline=deadline), SignatureCheck(secrets))
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


def _request_id(identifier: str | None, body: bytearray) -> str:
    """Jira's identifier is the same in every repetition of a delivery; Data Center sends none, its body serves."""
    if identifier is not None and _REQUEST_ID.fullmatch(identifier):
        return identifier
    return hashlib.sha256(body).hexdigest()


def _unauthorized() -> _Refused:
    # Which part is wrong is nobody's business but the administrator's.
    return _Refused(401, "unauthorized")


def _refusal(refused: _Refused) -> Response:
    logger.warning("webhook refused: %s (%d)", refused.reason, refused.status)
    return _answer(refused.status, "refused", refused.reason)


def _ignored(reason: str) -> Response:
    logger.info("webhook ignored: %s", reason)
    return _answer(200, "ignored", reason)


def _answer(status: int, result: str, reason: str) -> Response:
    return JSONResponse({"result": result, "reason": reason}, status_code=status)
