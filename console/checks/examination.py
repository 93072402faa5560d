"""Runs checks side by side, each bounded in time, and turns whatever happens in one into a row."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, field_validator
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.errors import plain
from worker.connection import TemporalUnreachable

TIME_LIMIT_SECONDS = 10.0

# Our errors end with what to do about them, in brackets.
_WITH_REMEDY = re.compile(r"(?P<found>.*\S)\s*\((?P<remedy>[^()]+)\)", re.DOTALL)

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
    """One look at one prerequisite; it answers with its rows, or raises."""

    name: str
    look: Callable[[], Awaitable[Sequence[Row]]]


@dataclass(frozen=True)
class Section:
    """The checks of one system. Where the first one fails the others would only repeat it, and are skipped."""

    first: Check
    others: Sequence[Check] = ()


async def examine(sections: Sequence[Section], *, limit: float = TIME_LIMIT_SECONDS) -> list[Row]:
    """Runs all sections at once and returns their rows in order.

    Args:
        sections: what to look at.
        limit: seconds that each check may take.
    """
    examined = await asyncio.gather(*(_examine(section, limit) for section in sections))
    return [row for rows in examined for row in rows]


def fault(name: str, error: BaseException) -> Row:
    """The row of a check that raised: the error's own remedy where it has one, never a traceback."""
    if isinstance(error, TimeoutError):
        return failed(name, "no answer in time", "check the address, and what stands between here and there")
    found, remedy = split_remedy(_said(error)) if isinstance(error, ApplicationError) else (_said(error), "")
    return failed(name, found, remedy or "mend what it complains about")


def split_remedy(text: str) -> tuple[str, str]:
    """What an error of ours says, and what to do about it, which is empty where the error does not say."""
    told = _WITH_REMEDY.fullmatch(text)
    return (told["found"], told["remedy"]) if told else (text, "")


async def _examine(section: Section, limit: float) -> list[Row]:
    rows = await _rows(section.first, limit)
    if any(row.status is Status.FAILED for row in rows):
        why = f"{section.first.name} failed"
        return [*rows, *(skipped(check.name, why) for check in section.others)]
    others = await asyncio.gather(*(_rows(check, limit) for check in section.others))
    return [*rows, *(row for found in others for row in found)]


async def _rows(check: Check, limit: float) -> list[Row]:
    try:
        async with asyncio.timeout(limit):
            return list(await check.look())
    # A check that raises says that something is wrong, whatever it is; the others are still worth reading.
    except Exception as error:
        return [fault(check.name, error)]


def _said(error: BaseException) -> str:
    if isinstance(error, ApplicationError | RPCError):
        return plain(error.message) or type(error).__name__
    if isinstance(error, TemporalUnreachable):
        return str(error)
    # Other errors may quote requests, and requests hold credentials.
    return f"{type(error).__name__} in the check itself"
