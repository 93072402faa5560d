"""The one data converter of worker, client, console and replay: Pydantic JSON that no payload can break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter


@dataclass(frozen=True)
class UnreadablePayload:
    """Stands for an argument whose bytes or encoding are not readable, so that validation can refuse it."""

    reason: str


class TolerantPayloadConverter(PydanticPayloadConverter):
    """Pydantic's converter, except that an untyped argument that cannot be decoded becomes `UnreadablePayload`.

    The process takes its start and signal arguments untyped. If decoding raised, a start with a broken payload would
    fail its workflow task for ever; so it fails the run with a clear error instead. Typed values still raise.
    """

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decodes the payloads; see the class for what differs from Pydantic's converter."""
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._decode(payload) for payload in payloads]

    def _decode(self, payload: Payload) -> Any:
        try:
            return super().from_payloads([payload])[0]
        except Exception as error:
            return UnreadablePayload(reason=f"{type(error).__name__}: {error}"[:200])


data_converter = replace(pydantic_data_converter, payload_converter_class=TolerantPayloadConverter)
