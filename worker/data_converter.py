"""The one data converter of worker, client, console and replay: Pydantic JSON that no payload can break.

`load_data_converter` encrypts as the settings say. `data_converter` never encrypts: it is that of the local stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter

from worker.encryption import EncryptionCodec, KeyRing, UnknownKeyError, refusal
from worker.settings import load_encryption_settings


@dataclass(frozen=True)
class UnreadablePayload:
    """Stands for an argument whose bytes or encoding are not readable, so that validation can refuse it."""

    reason: str


class TolerantPayloadConverter(PydanticPayloadConverter):
    """Pydantic's converter, except that an untyped argument that cannot be decoded becomes `UnreadablePayload`.

    The process takes its start and signal arguments untyped. If decoding raised, a start with a broken payload would
    fail its workflow task for ever; so it fails the run with a clear error instead. Typed values still raise, and so
    does everything whose key is missing here: what waits then goes on as soon as the key is added.
    """

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decodes the payloads; see the class for what differs from Pydantic's converter.

        Raises:
            UnknownKeyError: a payload is encrypted under a key that this process does not hold.
            DecryptionError: a typed value cannot be decrypted.
        """
        refusals = [why for payload in payloads if (why := refusal(payload))]
        for why in refusals:
            if type_hints or isinstance(why, UnknownKeyError):
                raise why
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._decode(payload) for payload in payloads]

    def _decode(self, payload: Payload) -> Any:
        if why := refusal(payload):
            return UnreadablePayload(reason=str(why))
        try:
            return super().from_payloads([payload])[0]
        except Exception as error:
            return UnreadablePayload(reason=f"{type(error).__name__}: {error}"[:200])


class OpeningFailureConverter(DefaultFailureConverter):
    """Reads failures whose message is encrypted, and refuses one whose key is missing here.

    The SDK's own converter gives such a failure the message `Encoded failure`, and a run would go on with that.
    """

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        """The exception that a failure tells of.

        Raises:
            UnknownKeyError: its message is encrypted under a key that this process does not hold.
        """
        why = refusal(failure.encoded_attributes)
        if isinstance(why, UnknownKeyError):
            raise why
        return super().from_failure(failure, payload_converter)


class SealingFailureConverter(OpeningFailureConverter):
    """Leaves messages and stack traces to the codec to encrypt."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


def encrypting_data_converter(ring: KeyRing) -> DataConverter:
    """The data converter that encrypts under the ring's active key, if it has one, and decrypts under any of its keys.

    While it encrypts, messages and stack traces of failures are encrypted as well.
    """
    return replace(
        pydantic_data_converter,
        payload_converter_class=TolerantPayloadConverter,
        payload_codec=EncryptionCodec(ring),
        failure_converter_class=SealingFailureConverter if ring.active else OpeningFailureConverter,
    )


def load_data_converter() -> DataConverter:
    """The data converter that the settings ask for.

    Raises:
        SettingsError: a setting of the encryption is wrong.
    """
    return encrypting_data_converter(load_encryption_settings().key_ring())


data_converter = encrypting_data_converter(KeyRing())
