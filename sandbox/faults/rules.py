"""What is to go wrong, and which requests it strikes."""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LONGEST_DELAY = 3600.0
"""Seconds; a longer one is a typing error."""

STRIKES_KEPT = 200
"""How many struck requests each fault remembers; the count goes on beyond them."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ERRORS = frozenset(status.value for status in HTTPStatus if status >= 400)


def _method(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("must start with /, for example /rest/api/2/issue or /rest/**")
    return value


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name!r}: {value!r} cannot be sent; a header is printable ASCII, its name one word")
    return headers


def _error_status(value: int) -> int:
    if value not in _ERRORS:
        raise ValueError("must be an HTTP error status such as 429, 500, 502 or 503")
    return value


class Fault(BaseModel):
    """One thing that goes wrong.

    Attributes:
        method: of the requests it strikes; `*` is any.
        path: of those requests, without the query. `*` stands for one segment or a part of one, `**` for anything.
        effect: `delay` only waits; `status` answers with an error; `cut` closes the connection without an answer;
            `truncate` sends half of the answer's body and closes the connection.
        when: before the work of the request, which is then not done unless the effect is `delay`; or after it, when
            only the reply suffers. `truncate` is always after.
        delay: seconds to wait at that moment, ahead of any effect.
        status: the error status of `status`.
        retry_after: seconds for a `Retry-After` header; decimals are sent as they are.
        retry_after_format: whether that header is the number, or the date so many seconds ahead (whole seconds, rounded
            up; RFC 9110, section 10.2.3).
        headers: further headers of the error answer.
        reset: whether `cut` is a TCP reset rather than an orderly end.
        times: how many requests are struck at most; None is all, until the fault is removed.
        skip: how many matching requests are spared first.
        probability: chance that a matching request is struck.
        seed: of that chance; chosen and shown when it is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    method: Annotated[Literal["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_method)] = "*"
    path: Annotated[str, AfterValidator(_absolute)]
    effect: Literal["delay", "status", "cut", "truncate"]
    when: Literal["before", "after"] = "before"
    delay: Annotated[float, Field(ge=0, le=LONGEST_DELAY)] = 0.0
    status: Annotated[int, AfterValidator(_error_status)] | None = None
    retry_after: Annotated[float, Field(ge=0, le=1e9)] | None = None
    retry_after_format: Literal["seconds", "date"] = "seconds"
    headers: Annotated[dict[str, str], AfterValidator(_sendable)] = {}
    reset: bool = False
    times: Annotated[int, Field(ge=1)] | None = None
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _truncation_follows_the_work(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("effect") == "truncate":
            return {"when": "after", **raw}
        return raw

    @model_validator(mode="after")
    def _fits_together(self) -> Fault:
        if self.effect == "delay" and not self.delay:
            raise ValueError("the effect 'delay' needs 'delay', in seconds")
        if (self.effect == "status") != (self.status is not None):
            raise ValueError("'status' goes with the effect 'status', and only with it")
        if self.effect != "status" and (self.retry_after is not None or self.headers):
            raise ValueError("'retry_after' and 'headers' go with the effect 'status' only")
        if self.reset and self.effect != "cut":
            raise ValueError("'reset' goes with the effect 'cut' only")
        if self.effect == "truncate" and self.when == "before":
            raise ValueError("'truncate' cuts a reply, so it is always 'after' the work")
        return self


@dataclass
class Strike:
    """A request that was struck; `worked` is the status the work answered, None if it was not done (yet)."""

    at: datetime
    method: str
    path: str
    worked: int | None = None


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", path)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts), re.DOTALL)


@dataclass
class ActiveFault:
    """A fault with what it has done so far.

    Attributes:
        id: what it is called at `/faults/<id>`.
        fault: what goes wrong.
        seed: of its chance.
        matched: how many requests it was tried on.
        applied: how many of them it struck.
        strikes: the last of those, oldest first.
    """

    id: int
    fault: Fault
    seed: int
    matched: int = 0
    applied: int = 0
    strikes: deque[Strike] = field(default_factory=lambda: deque(maxlen=STRIKES_KEPT))

    def __post_init__(self) -> None:
        self._pattern = _pattern(self.fault.path)
        self._random = random.Random(self.seed)

    def try_on(self, method: str, path: str) -> Strike | None:
        """Strikes this request, or None if it is spared."""
        fault = self.fault
        if fault.method not in ("*", method) or not self._pattern.fullmatch(path):
            return None
        self.matched += 1
        used_up = fault.times is not None and self.applied >= fault.times
        if used_up or self.matched <= fault.skip or self._random.random() >= fault.probability:
            return None
        self.applied += 1
        strike = Strike(datetime.now(UTC), method, path)
        self.strikes.append(strike)
        return strike


class Faults:
    """The faults of one server, oldest first. They live in memory only."""

    def __init__(self) -> None:
        self._active: dict[int, ActiveFault] = {}
        self._last_id = 0

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active.values())

    def add(self, fault: Fault) -> ActiveFault:
        """Activates a fault."""
        self._last_id += 1
        seed = random.randrange(2**32) if fault.seed is None else fault.seed
        active = ActiveFault(self._last_id, fault, seed)
        self._active[active.id] = active
        return active

    def find(self, fault_id: int) -> ActiveFault | None:
        """The active fault of this id."""
        return self._active.get(fault_id)

    def remove(self, fault_id: int) -> None:
        """Ends a fault; requests it already struck run to their end."""
        self._active.pop(fault_id, None)

    def clear(self) -> None:
        """Ends all faults; ids are not used again."""
        self._active.clear()

    def strike(self, method: str, path: str) -> tuple[Fault, Strike] | None:
        """What happens to this request: of all faults, oldest first, the first one that strikes."""
        for active in self:
            if strike := active.try_on(method, path):
                return active.fault, strike
        return None
