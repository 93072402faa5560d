"""The relay's prerequisites: that it is ready, and takes what is signed with the configured secrets."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

import httpx
from pydantic import SecretStr

from console.checks.examination import Check, Row, Section, failed, ok, warning

PING = json.dumps({"webhookEvent": "mlc:ping"}).encode()
"""A webhook of an event that no relay acts upon: it is answered, signature and all, and changes nothing."""

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
        name = "Relay"
        try:
            answer = await self._http.get(f"{self._url}/readyz")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            found = f"{self._url} does not answer ({type(error).__name__})"
            return [failed(name, found, "start it with `mlc relay`, or name its address with --relay-url")]
        if answer.status_code != 200:
            return [failed(name, f"not ready: {_reason(answer)}", "see that the relay reaches Temporal")]
        return [ok(name, f"ready at {self._url}")]

    async def signed_ping(self) -> list[Row]:
        """It takes a webhook that is signed with any of the secrets, and none that is not."""
        name = "Relay signature"
        if not self._secrets:
            return [failed(name, "no secret is configured", "set MLC_RELAY__SECRETS")]
        statuses = [(await self._post(_signature(secret))).status_code for secret in self._secrets]
        refused = sum(status == 401 for status in statuses)
        if refused:
            return [failed(name, f"{refused} of {len(statuses)} secrets are refused", _SECRETS_REMEDY)]
        odd = [status for status in statuses if status != 200]
        if odd:
            return [failed(name, f"a signed ping is answered {odd[0]}", "check what stands between here and the relay")]
        unsigned = (await self._post(None)).status_code
        if unsigned != 401:
            return [warning(name, f"an unsigned ping is answered {unsigned}, not 401", "check what answers there")]
        signed = "the secret" if len(statuses) == 1 else f"each of {len(statuses)} secrets"
        return [ok(name, f"a ping signed with {signed} is taken, an unsigned one refused")]

    async def _post(self, signature: str | None) -> httpx.Response:
        headers = {"content-type": "application/json", **({"x-hub-signature": signature} if signature else {})}
        return await self._http.post(f"{self._url}/webhooks/jira", content=PING, headers=headers)


def _signature(secret: SecretStr) -> str:
    return f"sha256={hmac.new(secret.get_secret_value().encode(), PING, hashlib.sha256).hexdigest()}"


def _reason(answer: httpx.Response) -> str:
    try:
        reason = answer.json()["reason"]
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status_code}"
    return str(reason)[:200]
