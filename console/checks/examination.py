"""Runs checks side by side, each bounded in time, and turns whatever happens in one into a row."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, field_validator
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.errors import OutsideError, plain
from worker.connection import TemporalUnreachable
from worker.settings import SettingsError

TIME_LIMIT_SECONDS = 10.0
"""The longest that one check may take."""

TOTAL_SECONDS = 30.0
"""The longest that all of them may take, those included that wait for others."""

# Our errors end with what to do about them, in brackets.
_WITH_REMEDY = re.compile(r"(?P<found>.*\S)\s*\((?P<remedy>[^()]+)\)", re.DOTALL)

_RETRIED = "tried again later"
"""What errors say to a worker, which tries again; a person who asks once needs to hear what to look at."""

_REMEDIES_OF_RETRIED: Mapping[str, str] = {
    OutsideError.UNREACHABLE: "check the address, that something runs there, and what stands between here and there",
    OutsideError.UNAVAILABLE: "see in its own log what ails it, then look again",
    OutsideError.RATE_LIMITED: "wait a minute, then look again",
}

T = TypeVar("T")


class Status(StrEnum):
    """How a prerequisite stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Row(BaseModel):
    """One prerequisite: how it stands, what was found, and how to mend it; the remedy of what is fine is empty."""

    name: str
    status: Status
    found: str
    remedy: str = ""

    @field_validator("found")
    @classmethod
    def _one_readable_line(cls, found: str) -> str:
        # Much of it is what other systems say, and a terminal obeys some of what it is given.
        return plain(found)


def ok(name: str, found: str) -> Row:
    """A prerequisite that is in place."""
    return Row(name=name, status=Status.OK, found=found)


def warning(name: str, found: str, remedy: str) -> Row:
    """Something that works, or is not required, and deserves a look."""
    return Row(name=name, status=Status.WARNING, found=found, remedy=remedy)


def failed(name: str, found: str, remedy: str) -> Row:
    """A prerequisite without which implementations will be blocked."""
    return Row(name=name, status=Status.FAILED, found=found, remedy=remedy)


def skipped(name: str, why: str, remedy: str = "") -> Row:
    """Something that was not looked at, and why."""
    return Row(name=name, status=Status.SKIPPED, found=why, remedy=remedy)


@dataclass(frozen=True)
class Check:
    """One look at one prerequisite; it answers with its rows, or raises.

    Attributes:
        name: of its row.
        look: carries it out.
        more: names of the rows beyond the first, where one look answers for several prerequisites.
    """

    name: str
    look: Callable[[], Awaitable[Sequence[Row]]]
    more: Sequence[str] = ()

    @property
    def names(self) -> Sequence[str]:
        """The names of all its rows."""
        return (self.name, *self.more)


@dataclass(frozen=True)
class Section:
    """A check and what depends on it: where the first one fails the others would only repeat it, and are skipped."""

    first: Check
    others: Sequence[Check | Section] = ()

    @property
    def names(self) -> Sequence[str]:
        """The names of all rows, in order."""
        return (*self.first.names, *(name for part in self.others for name in part.names))


async def examine(
    sections: Sequence[Section], *, limit: float = TIME_LIMIT_SECONDS, total: float = TOTAL_SECONDS
) -> list[Row]:
    """Runs all sections at once and returns their rows in order.

    Args:
        sections: what to look at.
        limit: seconds that each check may take.
        total: seconds that all of them may take.
    """
    end = asyncio.get_running_loop().time() + total
    examined = await asyncio.gather(*(_examine(section, limit, end) for section in sections))
    return [row for rows in examined for row in rows]


def fault(name: str, error: BaseException) -> Row:
    """The row of a check that raised: what happened and what to do about it, never a traceback."""
    match error:
        case TimeoutError():
            return failed(name, "no answer in time", _REMEDIES_OF_RETRIED[OutsideError.UNREACHABLE])
        case ApplicationError():
            found, remedy = split_remedy(plain(error.message) or type(error).__name__)
            if remedy == _RETRIED:
                remedy = _REMEDIES_OF_RETRIED.get(error.type or "", remedy)
            return failed(name, found, remedy or "mend what it complains about")
        case TemporalUnreachable():
            found, _, remedy = str(error).rpartition("; ")
            return failed(name, found or remedy, remedy if found else "correct the TEMPORAL_* settings")
        case SettingsError():
            return failed(name, str(error), "see docs/settings.md")
        case RPCError():
            said = f"Temporal refuses: {plain(error.message) or error.status.name}"
            return failed(name, said, "see that the namespace is right and this account may read it")
    # The text of any other error may quote the request, and requests hold credentials.
    found = f"the answer is not what was expected ({type(error).__name__})"
    return failed(name, found, "see what answers at that address: a proxy, a sign-in page or another product")


def split_remedy(text: str) -> tuple[str, str]:
    """What an error of ours says, and what to do about it, which is empty where the error does not say."""
    told = _WITH_REMEDY.fullmatch(text)
    return (told["found"], told["remedy"]) if told else (text, "")


async def _examine(part: Check | Section, limit: float, end: float) -> list[Row]:
    if isinstance(part, Check):
        return await _rows(part, limit, end)
    rows = await _rows(part.first, limit, end)
    if any(row.status is Status.FAILED for row in rows):
        why = f"not checked because {part.first.name} failed"
        return [*rows, *(skipped(name, why) for other in part.others for name in other.names)]
    examined = await asyncio.gather(*(_examine(other, limit, end) for other in part.others))
    return [*rows, *(row for found in examined for row in found)]


async def _rows(check: Check, limit: float, end: float) -> list[Row]:
    try:
        async with asyncio.timeout_at(min(end, asyncio.get_running_loop().time() + limit)):
            return list(await check.look())
    # A check that raises says that something is wrong, whatever it is; the others are still worth reading.
    except Exception as error:
        return [fault(name, error) for name in check.names]
