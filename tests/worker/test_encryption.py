"""Payloads under a ring of keys: what is written, what is read again, and what is refused with which words."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from tests.worker.keys import new_key, ring
from worker.data_converter import UnreadablePayload, data_converter, encrypting_data_converter
from worker.encryption import DecryptionError, EncryptionCodec, KeyRing, UnknownKeyError
from workflows.contract import ImplementationRequest

OLD, NEW = new_key(), new_key()
RING = ring("old", old=OLD)
PLAIN = Payload(metadata={"encoding": b"json/plain", "messageType": b"Request"}, data=b'{"model_id": "m-1"}')
MODEL_ID = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"


def test_a_payload_is_sealed_whole_and_comes_back_as_it_was() -> None:
    sealed = RING.encrypt(PLAIN)
    assert dict(sealed.metadata) == {"encoding": b"binary/encrypted", "encryption-key-id": b"old"}
    assert b"model_id" not in sealed.data and b"Request" not in sealed.SerializeToString()
    assert RING.decrypt(sealed) == PLAIN


def test_equal_payloads_are_sealed_differently_each_time() -> None:
    sealed = [RING.encrypt(PLAIN).data for _ in range(100)]
    assert len({data[:12] for data in sealed}) == len(set(sealed)) == 100


@pytest.mark.parametrize("payload", [PLAIN, Payload(), Payload(data=b"\x00" * 2_000_000)])
async def test_what_was_never_encrypted_is_read_as_it_is_and_what_is_encrypted_twice_opens_twice(
    payload: Payload,
) -> None:
    codec = EncryptionCodec(RING)
    assert await codec.decode([payload]) == [payload]
    once = await codec.encode([payload])
    twice = await codec.encode(once)
    assert await codec.decode(twice) == once
    assert await codec.decode(once) == [payload]


def test_after_a_rotation_the_new_key_writes_and_the_old_one_still_reads() -> None:
    rotated = ring("new", old=OLD, new=NEW)
    assert rotated.encrypt(PLAIN).metadata["encryption-key-id"] == b"new"
    assert rotated.decrypt(RING.encrypt(PLAIN)) == rotated.decrypt(rotated.encrypt(PLAIN)) == PLAIN


def test_switched_off_nothing_new_is_encrypted_and_what_is_encrypted_stays_readable() -> None:
    switched_off = ring("none", old=OLD)
    assert switched_off.encrypt(PLAIN) == PLAIN
    assert switched_off.decrypt(RING.encrypt(PLAIN)) == PLAIN


def test_a_key_that_is_missing_is_named_together_with_the_variable() -> None:
    with pytest.raises(UnknownKeyError, match=r"under key old, which MLC_ENCRYPTION__KEYS does not hold here; add"):
        ring("new", new=NEW).decrypt(RING.encrypt(PLAIN))


@pytest.mark.parametrize("key_id", [b"", b"\xff\xfe", b"a" * 5000, b"<script>\n2026 ERROR forged"])
def test_an_id_that_is_none_is_not_repeated_in_the_message(key_id: bytes) -> None:
    hostile = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": key_id}, data=b"x" * 40)
    with pytest.raises(UnknownKeyError) as refused:
        RING.decrypt(hostile)
    assert "under a key without a usable id" in str(refused.value) and len(str(refused.value)) < 200


def flip_every_byte(sealed: Payload) -> list[Payload]:
    return [
        Payload(metadata=sealed.metadata, data=sealed.data[:i] + bytes([sealed.data[i] ^ 1]) + sealed.data[i + 1 :])
        for i in range(len(sealed.data))
    ]


def cut_short(sealed: Payload) -> list[Payload]:
    return [Payload(metadata=sealed.metadata, data=sealed.data[:length]) for length in range(len(sealed.data))]


@pytest.mark.parametrize("damage", [flip_every_byte, cut_short])
def test_one_changed_or_missing_byte_is_found(damage: Callable[[Payload], list[Payload]]) -> None:
    for damaged in damage(RING.encrypt(PLAIN)):
        with pytest.raises(DecryptionError, match="it was changed since, or encrypted under another key of that id"):
            RING.decrypt(damaged)


def test_the_id_of_the_key_is_part_of_what_is_sealed() -> None:
    both = ring("a", a=OLD, b=NEW)
    sealed = both.encrypt(PLAIN)
    # The same key under another id: without the binding the exchange would go unnoticed.
    renamed = Payload(metadata={**sealed.metadata, "encryption-key-id": b"c"}, data=sealed.data)
    with pytest.raises(DecryptionError, match="key c"):
        ring("c", c=OLD).decrypt(renamed)


async def test_one_payload_that_cannot_be_opened_does_not_take_the_others_with_it() -> None:
    codec = EncryptionCodec(RING)
    foreign = ring("new", new=NEW).encrypt(PLAIN)
    assert (await codec.decode([RING.encrypt(PLAIN), foreign, PLAIN]))[::2] == [PLAIN, PLAIN]


async def test_the_converter_reads_what_it_wrote_and_refuses_a_missing_key_wherever_it_is_used() -> None:
    converter = encrypting_data_converter(RING)
    request = ImplementationRequest(model_id=MODEL_ID, requested_by="rita")
    sealed = await converter.encode([request])
    assert b"rita" not in sealed[0].SerializeToString()
    assert await converter.decode(sealed, [ImplementationRequest]) == [request]
    for hints in ([ImplementationRequest], None):
        with pytest.raises(UnknownKeyError, match="key old"):
            await data_converter.decode(sealed, hints)


async def test_an_untyped_argument_that_was_changed_becomes_one_that_validation_refuses() -> None:
    converter = encrypting_data_converter(RING)
    (sealed,) = await converter.encode([{"model_id": MODEL_ID}])
    sealed.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    (unreadable,) = await converter.decode([sealed])
    assert isinstance(unreadable, UnreadablePayload) and "it was changed since" in unreadable.reason
    with pytest.raises(DecryptionError, match="it was changed since"):
        await converter.decode([sealed], [ImplementationRequest])


async def test_messages_and_traces_of_failures_and_of_their_causes_are_sealed_too() -> None:
    converter, failure = encrypting_data_converter(RING), Failure()
    try:
        try:
            raise ValueError("rita wrote this")
        except ValueError as cause:
            raise ApplicationError("rita wrote that", {"who": "rita"}, type="NotFound") from cause
    except ApplicationError as error:
        await converter.encode_failure(error, failure)
    assert b"rita" not in failure.SerializeToString() and b"test_encryption.py" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "NotFound"
    read = await converter.decode_failure(failure)
    assert isinstance(read, ApplicationError) and read.message == "rita wrote that"
    assert "rita wrote this" in str(read.__cause__)


async def test_a_failure_that_is_raised_again_does_not_carry_its_cause_in_the_clear() -> None:
    converter, first, second = encrypting_data_converter(RING), Failure(), Failure()
    outer = ApplicationError("outer rita")
    outer.__cause__ = ApplicationError("inner rita", type="Inner")
    await converter.encode_failure(outer, first)
    await converter.encode_failure(await converter.decode_failure(first), second)
    assert b"rita" not in second.SerializeToString()
    read = await converter.decode_failure(second)
    assert "outer rita" in str(read) and "inner rita" in str(read.__cause__)


@pytest.mark.parametrize("here", [ring("new", new=NEW), KeyRing()])
async def test_a_failure_under_a_missing_key_is_refused_and_not_read_as_another(here: KeyRing) -> None:
    failure, cause = Failure(), ApplicationError("inner rita")
    cause.__cause__ = ApplicationError("innermost rita")
    await encrypting_data_converter(RING).encode_failure(cause, failure)
    with pytest.raises(UnknownKeyError, match="under key old"):
        await encrypting_data_converter(here).decode_failure(failure)
    failure.ClearField("encoded_attributes")
    with pytest.raises(UnknownKeyError, match="under key old"):
        await encrypting_data_converter(here).decode_failure(failure)


def test_no_key_is_shown_when_a_ring_is_printed() -> None:
    assert OLD not in repr(RING) and repr(base64.b64decode(OLD)) not in repr(RING)
    assert KeyRing().encrypt(PLAIN) is PLAIN
