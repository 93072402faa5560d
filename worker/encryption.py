"""Encryption of what is kept in Temporal: AES-256-GCM under a ring of named keys.

Inputs, results, signals, updates, queries, details and failures go through the codec. Ids, names of types and queues,
times and search attributes do not: Temporal works with them.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

KEYS_VARIABLE = "MLC_ENCRYPTION__KEYS"
ACTIVE_KEY_VARIABLE = "MLC_ENCRYPTION__ACTIVE_KEY"
# Said in so many words: a forgotten variable must not turn encryption off.
NO_ACTIVE_KEY = "none"
KEY_BYTES = 32
# What NIST SP 800-38D recommends for GCM; random ones bound a key to 2^32 payloads.
NONCE_BYTES = 12

ENCRYPTED = b"binary/encrypted"
# How the codec tells the converter, which alone knows what a payload is for, that it could not decrypt one.
UNDECRYPTABLE = b"binary/undecryptable"
_ENCODING = "encoding"
_KEY_ID = "encryption-key-id"
_REASON = "reason"
_MISSING_KEY = "missing-key"
_SHAPE = 'should be JSON of key ids and keys, for example {"2026-01": "<base64 of 32 bytes>"}'
_KEY_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")

logger = logging.getLogger(__name__)


class DecryptionError(ValueError):
    """A payload cannot be decrypted; the text says why and what to do."""


class UnknownKeyError(DecryptionError):
    """The payload's key is not in the ring; with the key it is readable."""

    def __init__(self, key_id: str) -> None:
        named = f"under key {key_id}" if _KEY_ID_PATTERN.fullmatch(key_id) else "under a key without a usable id"
        super().__init__(f"a payload is encrypted {named}, which {KEYS_VARIABLE} does not hold here; add that key")
        self.key_id = key_id


class EncryptionSettings(BaseModel, extra="forbid"):
    """The keys by id, and the one that encrypts. Without keys nothing is encrypted."""

    keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default_factory=dict, description="base64 of 32 bytes by id; all of them decrypt"
    )
    active_key: str = Field(default="", validate_default=True, description="id of the key that encrypts, or none")

    @field_validator("keys", mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        keys = given
        if isinstance(given, str):
            try:
                keys = json.loads(given, object_pairs_hook=_without_repetition) if given.strip() else {}
            except (json.JSONDecodeError, RecursionError):
                # The decoder's own words may quote a key.
                raise ValueError(_SHAPE) from None
        # Not left to pydantic, which names the place of a fault: the id, which may be a key in the wrong place.
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise ValueError(_SHAPE)
        return keys

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: dict[str, SecretStr]) -> dict[str, SecretStr]:
        known: dict[bytes, str] = {}
        for key_id, key in keys.items():
            if not _KEY_ID_PATTERN.fullmatch(key_id) or key_id == NO_ACTIVE_KEY:
                # It is not quoted: who mixes up the two sides of the map has written a key here.
                raise ValueError(
                    f"{_SHAPE}; an id is 1 to 64 letters, digits, '.', '_' or '-', and not '{NO_ACTIVE_KEY}'"
                )
            content = _key_bytes(key_id, key)
            if content in known:
                raise ValueError(f"{known[content]} and {key_id} are the same key; a new id needs a new key")
            known[content] = key_id
        return keys

    @field_validator("active_key")
    @classmethod
    def _is_in_the_ring(cls, active: str, info: ValidationInfo) -> str:
        active = active.strip()
        keys = info.data.get("keys")
        # A fault of the keys themselves is said already.
        if keys is None or active in {*keys, NO_ACTIVE_KEY} or not (keys or active):
            return active
        if not keys:
            raise ValueError(f"names a key, but {KEYS_VARIABLE} holds none")
        raise ValueError(
            f"should be the id of the key that encrypts, one of {', '.join(keys)}; "
            f"or {NO_ACTIVE_KEY}: nothing new is encrypted, what is encrypted stays readable"
        )

    def key_ring(self) -> KeyRing:
        """The keys, ready for use."""
        ciphers = {key_id: AESGCM(_key_bytes(key_id, key)) for key_id, key in self.keys.items()}
        return KeyRing(ciphers, active="" if self.active_key == NO_ACTIVE_KEY else self.active_key)


@dataclass(frozen=True)
class KeyRing:
    """Keys by id. All of them decrypt; `active` encrypts, and is empty where nothing is to be encrypted."""

    ciphers: Mapping[str, AESGCM] = field(default_factory=dict, repr=False)
    active: str = ""

    def encrypt(self, payload: Payload) -> Payload:
        """The whole payload, its metadata included, encrypted under the active key; as it is where there is none."""
        if not self.active:
            return payload
        nonce = os.urandom(NONCE_BYTES)
        sealed = self.ciphers[self.active].encrypt(nonce, payload.SerializeToString(), _bound(self.active.encode()))
        return Payload(metadata={_ENCODING: ENCRYPTED, _KEY_ID: self.active.encode()}, data=nonce + sealed)

    def decrypt(self, payload: Payload) -> Payload:
        """The payload that was encrypted; one that was never encrypted comes back as it is.

        Raises:
            UnknownKeyError: its key is not in the ring.
            DecryptionError: it was changed, or is not what `encrypt` makes.
        """
        if payload.metadata.get(_ENCODING) != ENCRYPTED:
            return payload
        key_id = payload.metadata.get(_KEY_ID, b"")
        cipher = self.ciphers.get(key_id.decode(errors="replace"))
        if cipher is None:
            raise UnknownKeyError(key_id.decode(errors="replace"))
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, _bound(key_id)))
        except (InvalidTag, ValueError, DecodeError) as error:
            raise DecryptionError(
                f"a payload says that it is encrypted under key {key_id.decode()}, but it was changed since, "
                f"or encrypted under another key of that id; compare {KEYS_VARIABLE} with where it was written"
            ) from error


class EncryptionCodec(PayloadCodec):
    """Encrypts under the ring's active key, decrypts under any.

    Decoding never raises: one payload that cannot be decrypted would fail all that come with it, and a run for ever
    with them. It is marked instead, and refused where it is used.
    """

    def __init__(self, ring: KeyRing) -> None:
        """Takes the keys."""
        self._ring = ring

    # Not in a thread: a payload of the largest size that Temporal takes is encrypted within milliseconds.
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypts every payload, also one that is encrypted already, so that decoding is its exact reverse."""
        return [self._ring.encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypts what is encrypted; `refusal` tells of what could not be."""
        return [self._decrypted(payload) for payload in payloads]

    def _decrypted(self, payload: Payload) -> Payload:
        try:
            return self._ring.decrypt(payload)
        except UnknownKeyError as error:
            logger.warning("%s", error)
            return Payload(metadata={_ENCODING: UNDECRYPTABLE, _MISSING_KEY: error.key_id.encode()})
        except DecryptionError as error:
            logger.warning("%s", error)
            return Payload(metadata={_ENCODING: UNDECRYPTABLE, _REASON: str(error).encode()})


def refusal(payload: Payload) -> DecryptionError | None:
    """Why the codec could not decrypt a payload, or None for every other payload."""
    if payload.metadata.get(_ENCODING) != UNDECRYPTABLE:
        return None
    if _MISSING_KEY in payload.metadata:
        return UnknownKeyError(payload.metadata[_MISSING_KEY].decode(errors="replace"))
    return DecryptionError(payload.metadata.get(_REASON, b"").decode(errors="replace"))


def _bound(key_id: bytes) -> bytes:
    """The authenticated data: neither the key's id nor the encoding can be exchanged on the way."""
    return ENCRYPTED + b"\x00" + key_id


def _key_bytes(key_id: str, key: SecretStr) -> bytes:
    try:
        content = base64.b64decode(key.get_secret_value().strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"key {key_id} is not base64; `openssl rand -base64 {KEY_BYTES}` makes a key") from None
    if len(content) != KEY_BYTES:
        raise ValueError(
            f"key {key_id} has {len(content)} bytes, AES-256 needs {KEY_BYTES}; "
            f"`openssl rand -base64 {KEY_BYTES}` makes a key"
        )
    return content


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON keeps the last of two equal names; of two keys neither may get lost."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("the same id stands there twice; every key needs an id of its own")
    return dict(pairs)
