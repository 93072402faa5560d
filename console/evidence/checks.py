"""What a look at a bundle has found."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel

MAX_NAMED = 5


class Status(StrEnum):
    """How one check went; only `FAILED` speaks against a bundle."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(BaseModel):
    """One thing that was looked at, and what was found."""

    name: str
    status: Status
    found: str


def passed(name: str, found: str) -> Check:
    """Something that is as it should be."""
    return Check(name=name, status=Status.OK, found=visible(found))


def warned(name: str, found: str) -> Check:
    """Something that a reader should know, and that does not speak against the bundle."""
    return Check(name=name, status=Status.WARNING, found=visible(found))


def failed(name: str, found: str) -> Check:
    """Something that was changed, or contradicts the rest."""
    return Check(name=name, status=Status.FAILED, found=visible(found))


def named(found: Sequence[str]) -> str:
    """The first few of what was found, and how many more there are."""
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return "; ".join(found[:MAX_NAMED]) + more


def visible(text: str) -> str:
    """A text from somebody else's file without what a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
