"""Signatures of webhooks: `X-Hub-Signature: sha256=<hex>`, an HMAC over the raw body.

Source: Atlassian, "Webhooks", section "Secure webhooks"; the form `method=signature` is WebSub's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

# Atlassian reserves the right to change the method; an unknown one must fail, not fall back to a weaker check.
_METHODS = {"sha256": hashlib.sha256}


class UnsignedRelayError(ValueError):
    """No usable secret: a relay that cannot check signatures must not start."""


class SignatureCheck:
    """Checks webhooks against any of several secrets, so that a secret can be changed without losing deliveries."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        """Takes the shared secrets.

        Raises:
            UnsignedRelayError: there is no secret, or one of them is empty.
        """
        keys = [secret.get_secret_value().encode() for secret in secrets]
        if not keys:
            raise UnsignedRelayError('no webhook secret: set MLC_RELAY__SECRETS to a list, for example ["s3cret"]')
        if not all(key.strip() for key in keys):
            raise UnsignedRelayError("an empty webhook secret: every entry of MLC_RELAY__SECRETS must hold text")
        self._keys = keys

    @staticmethod
    def can_check(header: str | None) -> bool:
        """Whether `header` claims a signature by a known method, so that the body is worth reading."""
        method, claimed = _split(header)
        return method in _METHODS and bool(claimed)

    def accepts(self, body: bytes | bytearray, header: str | None) -> bool:
        """Whether `header` is a signature of exactly these bytes under one of the secrets."""
        method, claimed = _split(header)
        digest = _METHODS.get(method)
        if digest is None:
            return False
        wanted = [hmac.new(key, body, digest).hexdigest().encode() for key in self._keys]
        offered = claimed.encode(errors="replace")
        # Every secret is compared, so that the time of an answer does not tell which of them matched.
        matches = [hmac.compare_digest(offered, signature) for signature in wanted]
        return any(matches)


def _split(header: str | None) -> tuple[str, str]:
    """Method and signature, in small letters."""
    method, _, claimed = (header or "").strip().lower().partition("=")
    return method, claimed.strip()
