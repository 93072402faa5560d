"""How the value of a token is printed: plain values as text, objects and lists as a table."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.review_document.customer_template.presentable import FEWER
from activities.review_document.disclosure import WITHHELD
from activities.review_document.formatting import clean, counted, label, printable

MAX_ROWS = 50
MAX_COLUMNS = 12
MAX_ITEMS = 100
MAX_TEXT = 5000
MAX_CELL = 300
MAX_NESTED = 120
"""Characters of a nested value that a cell still shows as JSON; of a longer one it tells the number of entries."""

EMPTY = "none"
NOTHING = "–"
SIGNIFICANT_DIGITS = 6

_LINE_END = re.compile("\r\n|[\r\n\u2028\u2029]")


@dataclass(frozen=True)
class Grid:
    """A table to be printed.

    Attributes:
        headings: one per column.
        rows: as many texts as there are columns.
        numeric: per column, whether it holds numbers only.
        left_out: what is not printed, in words; empty if all is.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    left_out: str = ""


def is_plain(value: Any) -> bool:
    """Whether the value is text, a number, a boolean or nothing."""
    return not isinstance(value, Mapping | list)


def plain_text(value: Any, limit: int = MAX_TEXT) -> str:
    """A plain value in words.

    Text keeps its lines. Booleans become Yes and No, numbers keep six significant digits, dates stay as they are.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float):
        return _decimal(value)
    return _lines(value, limit) if isinstance(value, str) else clean(value, limit)


def _decimal(value: float) -> str:
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0 or 1e-4 <= abs(value) < 1e15:
        whole = int(math.log10(abs(value))) + 1 if abs(value) >= 1 else 0
        text = f"{value:.{max(SIGNIFICANT_DIGITS - whole, 2)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{SIGNIFICANT_DIGITS}g}"


def _lines(text: str, limit: int) -> str:
    # A text of many megabytes is cut before the expressions run over it.
    shown = "\n".join(_LINE_END.split(printable(text[: limit * 2]))).strip()
    left = len(text) - limit
    return shown if left <= 0 else f"{shown[:limit]}… (and {left:,} more characters)"


def printed(value: Any) -> str | Grid:
    """A value as text or as a table.

    An object becomes two columns, or, when all its fields are objects, a row per field. A list of objects becomes a
    row per object, a list of lists a row per list, and any other list is strung together with commas.
    """
    if is_plain(value):
        return plain_text(value)
    if not value:
        return EMPTY
    if isinstance(value, Mapping):
        if len(value) > 1 and all(isinstance(item, Mapping) and item for item in value.values()):
            return _records(list(value.values()), names=list(value))
        return _pairs(value)
    # Entries that are all empty make no column, and a table has at least one.
    if any(value[:MAX_ROWS]):
        if all(isinstance(entry, Mapping) for entry in value):
            return _records(value)
        if all(isinstance(entry, list) for entry in value):
            return _columns(value)
    return _strung(value)


def grid(headings: Sequence[str], rows: Sequence[Sequence[Any]], total: int, left_out: Iterable[str] = ()) -> Grid:
    """A table of cells.

    Args:
        rows: values, one per heading; the first 50 rows are printed.
        total: how many rows there are.
        left_out: what else is not printed, in words.
    """
    printed_rows = rows[:MAX_ROWS]
    shown = [[_cell(value) for value in row] for row in printed_rows]
    numeric = [_is_numeric([row[place] for row in printed_rows]) for place in range(len(headings))]
    more = [*_more(total - len(printed_rows), "row"), *left_out]
    return Grid([label(heading) for heading in headings], shown, numeric, _and(more))


def _strung(values: Sequence[Any]) -> str:
    shown = ", ".join(_cell(value) for value in values[:MAX_ITEMS])
    left = len(values) - MAX_ITEMS
    return f"{shown} and {_entries(left, 'more ')}" if left > 0 else shown


def _pairs(value: Mapping[str, Any]) -> Grid:
    leaves = list(_leaves(value))
    return grid(["Name", "Value"], leaves, len(leaves))


def _leaves(value: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every field with its name; fields of objects inside under both names."""
    for name, item in value.items():
        full = f"{above} / {label(name)}" if above else label(name)
        if isinstance(item, Mapping) and item and depth < 3:
            yield from _leaves(item, full, depth + 1)
        else:
            yield full, item


def _records(records: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> Grid:
    """One row per object, one column per field that the printed ones have; `names` are put before."""
    shown = records[:MAX_ROWS]
    fields = list(dict.fromkeys(field for record in shown for field in record))
    columns = fields[: MAX_COLUMNS - bool(names)]
    rows: list[list[Any]] = [[record.get(field) for field in columns] for record in shown]
    if names:
        columns = ["Name", *columns]
        rows = [[name, *row] for name, row in zip(names, rows, strict=False)]
    return grid(columns, rows, len(records), _more(len(fields) + bool(names) - len(columns), "column"))


def _columns(lists: Sequence[Sequence[Any]]) -> Grid:
    """A table without headings of its own: its columns are numbered. Shorter rows are filled up."""
    shown = lists[:MAX_ROWS]
    longest = max(map(len, shown))
    width = min(longest, MAX_COLUMNS)
    rows = [[*row[:width], *[None] * (width - len(row))] for row in shown]
    numbers = [str(place + 1) for place in range(width)]
    return grid(numbers, rows, len(lists), _more(longest - width, "column"))


def _cell(value: Any) -> str:
    if is_plain(value):
        return plain_text(value, MAX_CELL)
    if not value:
        return EMPTY
    if isinstance(value, list) and len(value) <= MAX_ITEMS and all(map(is_plain, value)):
        return clean(", ".join(plain_text(entry, MAX_NESTED) for entry in value), MAX_CELL)
    return _as_json(value) if len(value) <= MAX_COLUMNS else _entries(len(value))


def _as_json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        return _entries(len(value))
    return clean(text) if len(text) <= MAX_NESTED else _entries(len(value))


def _entries(count: int, more: str = "") -> str:
    return f"{count:,} {more}{'entry' if count == 1 else 'entries'}"


def _is_numeric(values: Sequence[Any]) -> bool:
    """Whether a column holds numbers, or words in the place of a number."""
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in values]
    words = [value is None or value in (WITHHELD, FEWER) for value in values]
    return any(numbers) and all(map(any, zip(numbers, words, strict=True)))


def _more(count: int, noun: str) -> list[str]:
    return [counted(count, f"more {noun}")] if count > 0 else []


def _and(parts: Sequence[str]) -> str:
    return f"and {' and '.join(parts)}" if parts else ""
