"""The three ways to sign in to ModelOp Center, and when a token is fetched anew."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus

import httpx
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError, unexpected
from activities.modelop import rest
from activities.modelop.exchange import HttpExchange
from activities.modelop.settings import ModelOpSettings

RENEW_MARGIN_SECONDS = 60.0
"""A token is renewed this long before it ends, or at 80 % of a short life: it must outlast the call it is used for."""

MAX_TOKEN_BYTES = 1024 * 1024
"""The largest answer that is read for a token; real ones have a few kilobytes."""

_BEARER = re.compile(r"[\x21-\x7e]+")
_RAW_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")


@dataclass(frozen=True)
class IssuedToken:
    """A bearer token and how many seconds it lives; None if the issuer does not say."""

    value: str
    lifetime: float | None


class TokenSource(Protocol):
    """Where the client gets the bearer token of each call."""

    async def current(self) -> str:
        """The token to use now."""

    async def replacement(self, rejected: str) -> str | None:
        """A token to use instead of one that was answered with 401; None if there is no other."""


class StaticToken:
    """A bearer token from the settings; there is no other one."""

    def __init__(self, token: str) -> None:
        self._token = _checked(token)

    async def current(self) -> str:
        return self._token

    async def replacement(self, rejected: str) -> str | None:
        return None


class RenewedToken:
    """A token that is fetched when it is first needed, before it expires, and when it is rejected.

    All callers that need a new token at the same time wait for the same fetch and share its outcome, so an
    identity provider that is slow or down is not asked once per waiting activity.
    """

    def __init__(self, fetch: Callable[[], Awaitable[IssuedToken]]) -> None:
        self._fetch = fetch
        self._token: str | None = None
        self._renew_at = float("inf")
        self._fetching: asyncio.Task[str] | None = None

    async def current(self) -> str:
        if self._token is not None and time.monotonic() < self._renew_at:
            return self._token
        return await self._renewed()

    async def replacement(self, rejected: str) -> str | None:
        if self._token is not None and self._token != rejected:
            return self._token
        return await self._renewed()

    async def _renewed(self) -> str:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._renew())
            self._fetching.add_done_callback(self._fetched)
        # One caller that is cancelled must not end the fetch that the others wait for.
        return await asyncio.shield(self._fetching)

    async def _renew(self) -> str:
        issued = await self._fetch()
        self._token = _checked(issued.value)
        self._renew_at = float("inf")
        if issued.lifetime is not None:
            self._renew_at = time.monotonic() + max(issued.lifetime - RENEW_MARGIN_SECONDS, 0.8 * issued.lifetime)
        return self._token

    def _fetched(self, task: asyncio.Task[str]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()


def token_source(settings: ModelOpSettings, address: str, http: httpx.AsyncClient) -> TokenSource:
    """The way to sign in that the settings name; they allow exactly one.

    Args:
        address: ModelOp Center's address without a slash at the end.
        http: connections to use for fetching tokens.
    """
    if settings.token:
        return StaticToken(settings.token.get_secret_value())
    if settings.token_url:
        return RenewedToken(_ClientCredentials(settings, http).fetch)
    return RenewedToken(_Password(settings, address, http).fetch)


class _ClientCredentials:
    """OAuth2 client credentials at an identity provider (RFC 6749, section 4.4)."""

    def __init__(self, settings: ModelOpSettings, http: httpx.AsyncClient) -> None:
        self._url = str(settings.token_url)
        self._client_id = settings.client_id or ""
        self._secret = _reveal(settings.client_secret)
        self._exchange = HttpExchange("The token service", http, secrets=[self._secret])

    async def fetch(self) -> IssuedToken:
        call = "POST of client credentials"
        # Section 2.3.1 has id and secret form-encoded before they are joined by the colon.
        pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}"
        answer = await self._exchange.send(
            "POST",
            self._url,
            call=call,
            headers={"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"},
            form={"grant_type": "client_credentials", "scope": rest.TOKEN_SCOPE},
            limit=MAX_TOKEN_BYTES,
        )
        return _issued("The token service", call, self._exchange.json(call, answer))


class _Password:
    """User and password at ModelOp Center's own token endpoint."""

    def __init__(self, settings: ModelOpSettings, address: str, http: httpx.AsyncClient) -> None:
        self._url = f"{address}/{rest.TOKEN}"
        self._form = {"username": settings.username or "", "password": _reveal(settings.password)}
        self._exchange = HttpExchange("ModelOp Center", http, secrets=[self._form["password"]])

    async def fetch(self) -> IssuedToken:
        call = f"POST {rest.TOKEN}"
        answer = await self._exchange.send("POST", self._url, call=call, form=self._form, limit=MAX_TOKEN_BYTES)
        if answer.status == 200 and _is_raw_token(answer.body):
            return IssuedToken(answer.body.decode().strip(), lifetime=None)
        return _issued("ModelOp Center", call, self._exchange.json(call, answer))


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _is_raw_token(body: bytes) -> bool:
    """Some deployments answer the bare token; neither JSON nor HTML consists of token characters alone."""
    return _RAW_TOKEN.fullmatch(body.decode("utf-8", "replace").strip()) is not None


def _issued(system: str, call: str, answer: Any) -> IssuedToken:
    if isinstance(answer, str):
        return IssuedToken(answer, lifetime=None)
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise unexpected(system, call, "no access_token in it")
    lifetime = answer.get("expires_in")
    return IssuedToken(token, _seconds(lifetime))


def _seconds(value: Any) -> float | None:
    """A lifetime; some issuers send the number as text."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _checked(token: str) -> str:
    """A token that an HTTP header can carry.

    Raises:
        ApplicationError: `Unauthorized`; the text has blanks, line ends or other characters that no token has.
    """
    token = token.strip()
    if not _BEARER.fullmatch(token):
        raise ApplicationError(
            "The token for ModelOp Center is empty or has characters that no token has (check the configured token)",
            type=OutsideError.UNAUTHORIZED,
            non_retryable=True,
        )
    return token
