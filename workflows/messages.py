"""What callers send: read here and nowhere else, and refused with every fault and what was expected."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.outside import MAX_TEXT

with workflow.unsafe.imports_passed_through():
    from workflows.contract import FailureType

MAX_FAULTS = 10

Message = TypeVar("Message", bound=BaseModel)


@runtime_checkable
class Unreadable(Protocol):
    """What the worker hands over in the place of an argument whose bytes it cannot decode."""

    reason: str


def parse(shape: type[Message], payload: Any, expected: str) -> Message:
    """Reads a caller's JSON.

    Args:
        shape: the message that it should be.
        payload: what came.
        expected: the right form, in words for the caller.

    Raises:
        ApplicationError: `InvalidRequest`, with every fault and what was expected.
    """
    try:
        return shape.model_validate(payload)
    except ValidationError as error:
        raise ApplicationError(
            f"{_faults(payload, error)[:MAX_TEXT]}; {expected}", type=FailureType.INVALID_REQUEST, non_retryable=True
        ) from None


def _faults(payload: Any, error: ValidationError) -> str:
    if isinstance(payload, Unreadable):
        # What a decoder adds in brackets quotes the bytes, which may hold anything.
        return f"payload: it cannot be decoded ({' '.join(payload.reason.partition('[type=')[0].split())})"
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'payload'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
    )
