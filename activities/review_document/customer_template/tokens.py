"""The tokens of a document template: the grammar of `<<...>>`, and how a path finds its value in the sources.

ModelOp Center fills Word templates in this notation. A path starts with `modelop` (a value) or `modelopgraph` (a
chart):

    modelop.storedModel.modelMetaData.name            names, one below the other
    modelop.modelTestResult.testResults.(dw_statistic)    a name in parentheses may hold dots, spaces and commas
    modelop.modelTestResult.testResults.(bias)[0].values  an entry of a list, counted from 0
    modelop.storedModel.modelAssets.[assetRole=BASELINE_DATA].filename    the first entry with that field
    modelop.modelTestResult.testResults.(bias).test_id=bias_bias_gender   the same, in its other spelling
    modelopgraph.stability.*                          a chart, or all charts, of one kind
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final

from activities.review_document.formatting import clean, printable

MAX_TOKEN = 1000
"""Characters between the brackets; whatever is longer is a stray bracket and no token."""

EXCERPT = 80
"""Characters of what cannot be read that are quoted."""


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""What a path leads to that leads nowhere; None is a value of its own."""


class MalformedToken(ValueError):
    """The text between the brackets is no path."""


class Root(StrEnum):
    """What a path starts with."""

    VALUE = "modelop"
    GRAPH = "modelopgraph"


@dataclass(frozen=True)
class Key:
    """A field of an object."""

    name: str

    def of(self, value: Any) -> Any:
        """The field, or `ABSENT`. A name in which Word replaced quotes or hyphens is also tried as it was typed."""
        if isinstance(value, Mapping):
            for name in _spellings(self.name):
                if name in value:
                    return value[name]
        return ABSENT


@dataclass(frozen=True)
class Index:
    """An entry of a list, counted from 0."""

    position: int

    def of(self, value: Any) -> Any:
        """The entry, or `ABSENT`."""
        return value[self.position] if isinstance(value, list) and self.position < len(value) else ABSENT


@dataclass(frozen=True)
class Where:
    """The first entry of a list whose field has a value."""

    field: str
    wanted: str

    def of(self, value: Any) -> Any:
        """The entry, or `ABSENT`. Values are compared as text: `true` and `3` match the boolean and the number."""
        if not isinstance(value, list):
            return ABSENT
        key, wanted = Key(self.field), set(_spellings(self.wanted))
        return next((entry for entry in value if _as_text(key.of(entry)) in wanted), ABSENT)


Step = Key | Index | Where


@dataclass(frozen=True)
class Token:
    """One path, taken apart. `path` is the text as its author wrote it, on one line."""

    path: str
    root: Root
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Occurrence:
    """Where something between brackets stands in a text.

    Attributes:
        written: the text from the opening to the closing brackets; its beginning where they are never closed.
        path: what is between them; None where they are never closed.
    """

    start: int
    end: int
    written: str
    path: str | None


# French autocorrection makes one character of each pair. Guillemets are also plain quotation marks, so those only open
# a token where a path follows them.
_BRACKETED = re.compile(
    rf"<<(?!<)(?P<plain>(?:(?!<<).){{0,{MAX_TOKEN}}}?)>>"
    rf"|[«≪](?P<quoted>\s*modelop[^«≪]{{0,{MAX_TOKEN}}}?)[»≫]"
    r"|<<(?!<)",
    re.IGNORECASE | re.DOTALL,
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_SPACE = re.compile(r"\s+")
_ROOT = re.compile(r"(modelopgraph|modelop)\s*(?=[.(\[])", re.IGNORECASE)
_NAME = re.compile(r"[^.\[\]()=]+")
_UNQUOTED = re.compile(r"[^.\[\]()]*")
_INDEX = re.compile(r"\d{1,9}")
_CLOSING = {"(": ")", "[": "]"}
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})
_QUOTES = "'\"‘’“”"


def occurrences(text: str) -> Iterator[Occurrence]:
    """Everything in a text that is, or looks like, a token, from the left to the right."""
    for match in _BRACKETED.finditer(text):
        path = match["plain"] if match["plain"] is not None else match["quoted"]
        written = match[0] if path is not None else text[match.start() : match.start() + EXCERPT]
        yield Occurrence(match.start(), match.end(), written, path)


def parse(text: str) -> Token:
    """Takes the text between the brackets apart.

    Raises:
        MalformedToken: it is no path; the message says where it stops being one.
    """
    path = _SPACE.sub(" ", _INVISIBLE.sub("", printable(text))).strip()
    start = _ROOT.match(path)
    if start is None:
        raise MalformedToken(f"a path starts with modelop. or modelopgraph.; this one is {clean(path, EXCERPT)!r}")
    steps = tuple(_steps(path, start.end()))
    return Token(path, Root(start[1].lower()), steps)


def resolve(token: Token, sources: Mapping[str, Any]) -> Any:
    """What a path leads to in the sources, or `ABSENT`.

    Args:
        sources: objects by name, such as `storedModel`; these names are found in any case, all others only as written.
    """
    found: Any = sources
    for place, step in enumerate(token.steps):
        found = step.of(found) if place or not isinstance(step, Key) else _source(step.name, sources)
        if found is ABSENT:
            return ABSENT
    return found


def _source(name: str, sources: Mapping[str, Any]) -> Any:
    if name in sources:
        return sources[name]
    return next((value for source, value in sources.items() if source.casefold() == name.casefold()), ABSENT)


def _steps(path: str, at: int) -> Iterator[Step]:
    while at < len(path):
        if path[at] == ".":
            at += 1
        if path[at : at + 1] == "[":
            inside, at = _bracketed(path, at)
            yield _entry(inside)
            continue
        name, at = _name(path, at)
        if path[at : at + 1] == "=":
            wanted, at = _wanted(path, at + 1)
            yield Where(name, wanted)
        else:
            yield Key(name)


def _name(path: str, at: int) -> tuple[str, int]:
    """A name and the place after it; parentheses around it are not part of it."""
    if path[at : at + 1] == "(":
        name, end = _bracketed(path, at)
    else:
        found = _NAME.match(path, at)
        name, end = (found[0], found.end()) if found else ("", at)
    if not name.strip():
        raise MalformedToken(f"a name is missing after {clean(path[:at], EXCERPT)!r}")
    return name.strip(), end


def _wanted(path: str, at: int) -> tuple[str, int]:
    """The value of `.field=value`, which ends where the next step starts."""
    if path[at : at + 1] == "(":
        return _bracketed(path, at)
    found = _UNQUOTED.match(path, at)
    return _plain_value(found[0] if found else ""), found.end() if found else at


def _entry(inside: str) -> Step:
    """What stands in square brackets: a position or `field=value`."""
    if _INDEX.fullmatch(inside.strip()):
        return Index(int(inside))
    field, equals, wanted = inside.partition("=")
    if not equals or not field.strip():
        raise MalformedToken(f"[{clean(inside, EXCERPT)}] is neither a position such as [0] nor [field=value]")
    return Where(field.strip().removeprefix("(").removesuffix(")"), _plain_value(wanted))


def _plain_value(text: str) -> str:
    """The text without the quotes that some authors put around it."""
    stripped = text.strip()
    quoted = len(stripped) > 1 and stripped[0] in _QUOTES and stripped[-1] in _QUOTES
    return stripped[1:-1] if quoted else stripped


def _bracketed(path: str, at: int) -> tuple[str, int]:
    """What is inside of the bracket that opens here, and the place after the one that closes it."""
    opening, depth = path[at], 0
    for place in range(at, len(path)):
        depth += (path[place] == opening) - (path[place] == _CLOSING[opening])
        if depth == 0:
            return path[at + 1 : place], place + 1
    raise MalformedToken(f"{opening!r} is never closed in {clean(path[at:], EXCERPT)!r}")


def _spellings(text: str) -> tuple[str, ...]:
    """The text, and what was typed if Word's autocorrection made quotes, dashes and dots of it."""
    return (text, text.translate(_STRAIGHT), text.replace("—", "--").translate(_STRAIGHT))


def _as_text(value: Any) -> str | None:
    """A plain value as a filter writes it; None for an absent value and for objects and lists."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, str | int | float):
        return clean(value, MAX_TOKEN)
    return None
