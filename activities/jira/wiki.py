"""Jira's wiki markup, written so that text from elsewhere stays text.

Names, descriptions and error messages come from other systems and from people. None of them may open a macro, forge
a heading or a verdict, embed an image or hide a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

MAX_INLINE = 500

# Control characters but the line feed, halves of surrogate pairs, and marks that change the writing direction: with
# those a reader may see another text than the one that is stored.
_HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")

_OPENS_ENTITY = re.compile(r"&(?=#?\w+;)")
_OPENS_MACRO_OR_LINK = re.compile(r"[{}\[\]|]")
_OPENS_IMAGE = re.compile(r"!(?=\S)")
_OPENS_CITATION = re.compile(r"\?(?=\?)")
_OPENS_ICON = re.compile(r"\((?=(?:[!?/xyni+-]|on|off|flag|flagoff|\*[rgby]?)\))")
# Between two letters or between two spaces these are ordinary characters: credit_score, 2026-01-31, a - b.
_PHRASE_MARK = re.compile(
    r"(?<=[A-Za-z0-9])[*_+^~-](?![A-Za-z0-9])|(?<![A-Za-z0-9])[*_+^~-](?!\s)|(?<=\S)[*_+^~-](?=\s)"
)
_LINE_START = re.compile(r"^(\s*)(?:(h[1-6]|bq)\.|([#*-])(?=[#*\s-]))")
_NOFORMAT = re.compile(r"\{(?=noformat)", re.IGNORECASE)


def text(value: str, limit: int = MAX_INLINE) -> str:
    """One line of text in which no character means anything to the renderer."""
    line = " ".join(visible(value).split())
    return _escaped(shortened(line, limit))


def paragraphs(value: str, limit: int) -> str:
    """Text of several lines, kept as lines, in which no character means anything to the renderer."""
    lines = (line.rstrip() for line in shortened(visible(value).strip(), limit).split("\n"))
    return "\n".join(_escaped(line) for line in lines)


def preformatted(value: str, limit: int) -> str:
    """Text shown as it is, in a block that the text itself cannot close."""
    return f"{{noformat}}\n{_NOFORMAT.sub('{ ', shortened(visible(value).strip(), limit))}\n{{noformat}}"


def link(label: str, url: str) -> str:
    """A link, or only its text if the address is not one of the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        return text(label)
    return f"[{text(label)}|{quote(visible(url), safe='%/:?#&=+,;@~$-._()')}]"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; heads and cells are markup already."""
    return [f"||{'||'.join(heads)}||", *(f"|{'|'.join(cell or ' ' for cell in row)}|" for row in rows)]


def visible(value: str) -> str:
    """Text without control characters (line feeds stay, tabs become spaces), surrogates and direction overrides."""
    return _HIDDEN.sub("", _LINE_ENDS.sub("\n", value).replace("\t", "    "))


def shortened(value: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis says that something was cut."""
    return value if len(value) <= limit else value[: limit - 1].rstrip() + "…"


def _escaped(line: str) -> str:
    # Jira's renderer knows no escape for a backslash (two are a line break) and for a full stop, only entities.
    line = _OPENS_ENTITY.sub("&#38;", line).replace("\\", "&#92;")
    for pattern in (_OPENS_MACRO_OR_LINK, _OPENS_IMAGE, _OPENS_CITATION, _OPENS_ICON, _PHRASE_MARK):
        line = pattern.sub(r"\\\g<0>", line)
    return _LINE_START.sub(lambda m: f"{m[1]}{m[2]}&#46;" if m[2] else f"{m[1]}\\{m[3]}", line)
