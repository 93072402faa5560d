"""The ASGI middleware that makes requests suffer the faults that are active."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults.connection import cut
from sandbox.faults.rules import Fault, Faults, Strike

CONTROL = "/faults"
UNTOUCHED = "/healthz"
"""Never misbehaves, so that whoever watches over the server does not take a fault for its death."""

_GATEWAY = frozenset({502, 503, 504})

Refusal = Callable[[int, str, str], Response]
"""An error answer in a sandbox's own form, from status, message and path."""


class FaultInjection:
    """Stands before an application.

    Args:
        app: the application.
        faults: what goes wrong.
        control: the application that answers below `/faults`.
        refusal: writes injected errors that come from the application itself. 502, 503 and 504 are a gateway's, which
            knows nothing of the application's form and answers with a page.
    """

    def __init__(self, app: ASGIApp, *, faults: Faults, control: ASGIApp, refusal: Refusal) -> None:
        self._app = app
        self._faults = faults
        self._control = control
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, to the control or through a fault."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path == UNTOUCHED:
            await self._app(scope, receive, send)
        elif path == CONTROL or path.startswith(f"{CONTROL}/"):
            await self._control(scope, receive, send)
        elif struck := self._faults.strike(scope["method"], path):
            await self._suffer(*struck, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _suffer(self, fault: Fault, strike: Strike, scope: Scope, receive: Receive, send: Send) -> None:
        # The request is taken whole first: closing a connection with unread bytes would reset it, and the work of a
        # client that has given up during a delay would find no body.
        body = await _body(receive)
        reply = await self._work(scope, body, receive, strike) if fault.when == "after" else []
        await asyncio.sleep(fault.delay)
        if fault.effect == "cut":
            await cut(scope, receive, reset=fault.reset)
        elif fault.status is not None:
            answer = self._error(fault.status, scope["path"])
            answer.headers.update(fault.headers | _retry_after(fault))
            await answer(scope, receive, send)
        elif fault.effect == "truncate":
            await _send_half(reply, send)
            await cut(scope, receive)
        else:
            for message in reply or await self._work(scope, body, receive, strike):
                await send(message)

    async def _work(self, scope: Scope, body: bytes, receive: Receive, strike: Strike) -> list[Message]:
        """Does the work of a request and keeps the reply."""
        reply: list[Message] = []
        unread = [body]

        async def replay() -> Message:
            return {"type": "http.request", "body": unread.pop()} if unread else await receive()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                strike.worked = message["status"]
            reply.append(message)

        await self._app(scope, replay, keep)
        return reply

    def _error(self, status: int, path: str) -> Response:
        title = f"{status} {HTTPStatus(status).phrase}"
        if status in _GATEWAY:
            return HTMLResponse(
                f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>", status
            )
        return self._refusal(status, f"{HTTPStatus(status).phrase} (injected fault)", path)


async def _body(receive: Receive) -> bytes:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return body


async def _send_half(reply: list[Message], send: Send) -> None:
    start, *parts = reply
    body = b"".join(part.get("body", b"") for part in parts)
    # A reply without a body has nothing that could be halved: nothing of it arrives.
    if body:
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def _retry_after(fault: Fault) -> dict[str, str]:
    seconds = fault.retry_after
    if seconds is None:
        return {}
    if fault.retry_after_format == "date":
        moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=math.ceil(seconds) + 1)
        return {"Retry-After": format_datetime(moment, usegmt=True)}
    return {"Retry-After": str(int(seconds) if seconds.is_integer() else seconds)}
