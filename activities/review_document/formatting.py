"""How values become words: numbers with sane digits, dates, sizes, and text from elsewhere made safe to print."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

NOT_PROVIDED = "not provided"
MAX_TEXT = 600
MAX_NAME = 80

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Not allowed in XML 1.0, invisible, or able to reorder what a signatory reads (bidirectional controls).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_SPACE = re.compile(r"\s+")


def clean(value: Any, limit: int = MAX_TEXT) -> str:
    """One line of printable text, at most `limit` characters; a longer one ends in "…".

    Terminal colours, control characters, lone surrogates and bidirectional overrides are removed. None yields "".
    """
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):
        return "(not printable)"
    # A log of many megabytes is cut before the expressions run over it.
    text = _SPACE.sub(" ", printable(text[: limit * 8])).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def printable(text: str) -> str:
    """The text without what Word cannot hold or a reader cannot see; spaces, tabs and line ends stay."""
    return _UNPRINTABLE.sub("", _ANSI.sub("", text))


def label(value: Any) -> str:
    """A short label such as a feature's name."""
    return clean(value, MAX_NAME)


def or_gap(value: Any, limit: int = MAX_TEXT) -> str:
    """The text, or a visible "not provided"; ModelOp Center's filler `unassigned` counts as a gap."""
    text = clean(value, limit)
    return NOT_PROVIDED if text.lower() in ("", "unassigned") else text


def finite(value: Any) -> float | None:
    """The value as a finite float, else None. Booleans and numeric strings are not numbers here."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def number(value: float | None, limits: Iterable[float] = ()) -> str:
    """A measured number: three decimals, fewer from 1,000 on, more where rounding would move it onto a limit."""
    if value is None:
        return "–"
    fewest = 3 if abs(value) < 1000 else 1
    for decimals in range(fewest, 17):
        text = f"{value:,.{decimals}f}" if abs(value) < 1e15 else f"{value:.3e}"
        shown = float(text.replace(",", ""))
        if all((shown < limit, shown > limit) == (value < limit, value > limit) for limit in limits):
            break
    if shown == 0 and value != 0:
        return "< 0.001" if value > 0 else "> −0.001"
    return text.replace("-", "−")


def count(value: float | None) -> str:
    """A number of things, for example "1,200"."""
    return "–" if value is None else f"{value:,.0f}"


def p_value(value: float | None, limits: Iterable[float] = ()) -> str:
    """A p-value: never exactly zero, "< 0.001" instead."""
    return "< 0.001" if value is not None and 0 <= value < 0.001 else number(value, limits)


def size(value: Any) -> str:
    """A file size in bytes, and in a larger unit where that reads better."""
    held = finite(value)
    if held is None or held < 0:
        return NOT_PROVIDED
    if held < 1024:
        return f"{int(held)} bytes"
    unit = min(int(math.log(held, 1024)), 4)
    return f"{held / 1024**unit:,.1f} {('KB', 'MB', 'GB', 'TB')[unit - 1]}"


def moment(value: datetime) -> str:
    """For example "22 November 2026, 14:05 UTC". A time without zone is taken as UTC."""
    utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


def moment_of(value: Any) -> str:
    """The same for ISO 8601 text from elsewhere; unreadable text is printed as it is."""
    text = clean(value, 40)
    try:
        return moment(datetime.fromisoformat(text)) if text else NOT_PROVIDED
    # The first and the last day that there are have no UTC in every zone.
    except (ValueError, OverflowError):
        return text


def counted(things: int, noun: str) -> str:
    """For example "1 feature" or "1,200 features"."""
    return f"{things:,} {noun}{'' if things == 1 else 's'}"
