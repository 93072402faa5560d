"""The relay's prerequisites: that it is ready, and takes what is signed with the configured secrets."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from console.checks.examination import Check, Row, Section, failed, ok

PING = json.dumps({"webhookEvent": "mlc:ping"}).encode()
"""A webhook of an event that no relay acts upon: it is answered, signature and all, and changes nothing."""

MAX_BODY_BYTES = 64 * 1024
_USER = re.compile(r"//[^/]*@")
_SECRETS_REMEDY = "give MLC_RELAY__SECRETS of the relay, of this machine and of Jira's webhook the same secret"


def relay_section(http: httpx.AsyncClient, url: str, secrets: Sequence[SecretStr]) -> Section:
    """All checks on the relay."""
    checks = RelayChecks(http, url.rstrip("/"), secrets)
    return Section(first=Check("Relay", checks.ready), others=[Check("Relay signature", checks.signed_ping)])


class RelayChecks:
    """Looks at one relay from here."""

    def __init__(self, http: httpx.AsyncClient, url: str, secrets: Sequence[SecretStr]) -> None:
        self._http = http
        self._url = url
        self._secrets = secrets

    async def ready(self) -> list[Row]:
        """It answers, and reaches Temporal."""
        name, shown = "Relay", _USER.sub("//", self._url)
        try:
            answer = await self._ask("GET", "/readyz")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            found = f"{shown} does not answer ({type(error).__name__})"
            return [failed(name, found, "start it with `mlc relay`, or name its address with --relay-url")]
        if answer.told.get("status") == "not ready":
            found = f"not ready: {answer.told.get('reason', 'it does not say why')}"
            return [failed(name, found, "see that the relay reaches Temporal, and its namespace")]
        if (answer.code, answer.told.get("status")) != (200, "ready"):
            found = f"what answers {answer.code} at {shown} is not the relay"
            return [
                failed(name, found, "name the relay's address with --relay-url, or correct MLC_RELAY__HOST and PORT")
            ]
        return [ok(name, f"ready at {shown}")]

    async def signed_ping(self) -> list[Row]:
        """It takes a webhook that is signed with any of the secrets, and none that is not."""
        name = "Relay signature"
        if not self._secrets:
            return [failed(name, "no secret is configured", "set MLC_RELAY__SECRETS")]
        try:
            codes = [(await self._ping(_signature(secret))).code for secret in self._secrets]
            unsigned = (await self._ping(None)).code
        except httpx.HTTPError as error:
            found = f"a ping is not answered ({type(error).__name__})"
            return [failed(name, found, "check what stands between here and the relay")]
        if refused := codes.count(401):
            return [failed(name, f"{refused} of {len(codes)} secrets are refused", _SECRETS_REMEDY)]
        if odd := [code for code in codes if code != 200]:
            return [failed(name, f"a signed ping is answered {odd[0]}", "check what stands between here and the relay")]
        if unsigned != 401:
            return [failed(name, f"an unsigned ping is answered {unsigned}, not 401", "check what answers there")]
        signed = "the secret" if len(codes) == 1 else f"each of {len(codes)} secrets"
        return [ok(name, f"a ping signed with {signed} is taken, an unsigned one refused")]

    async def _ping(self, signature: str | None) -> _Answer:
        headers = {"content-type": "application/json", **({"x-hub-signature": signature} if signature else {})}
        return await self._ask("POST", "/webhooks/jira", content=PING, headers=headers)

    async def _ask(
        self, method: str, path: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> _Answer:
        """What is answered; of a body that is larger than the relay's ever are, only the beginning is read."""
        body = bytearray()
        async with self._http.stream(method, f"{self._url}{path}", content=content, headers=headers) as answer:
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    break
        try:
            told = json.loads(body)
        # Too deep a nesting is no answer of the relay either.
        except (ValueError, RecursionError):
            told = None
        return _Answer(answer.status_code, told if isinstance(told, dict) else {})


@dataclass(frozen=True)
class _Answer:
    """An HTTP status, and the object that came with it; empty where none did."""

    code: int
    told: Mapping[str, object]


def _signature(secret: SecretStr) -> str:
    return f"sha256={hmac.new(secret.get_secret_value().encode(), PING, hashlib.sha256).hexdigest()}"
