"""Jira's wiki markup, written so that text from elsewhere stays text on Data Center and on Cloud.

Names, descriptions and error messages come from other systems and from people. None of them may open a macro, forge
a heading or a verdict, embed an image, notify somebody or hide a line.

The editions read markup with two different parsers. Only what both understand is used: a backslash before the
punctuation that both let it escape, and a lookalike where they agree on no escape at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

MAX_INLINE = 500
BREAK = r" \\ "
"""A line break inside a table's cell."""

# Control characters but the line feed, halves of surrogate pairs, what XML cannot hold, and what nobody sees: with
# marks that change the writing direction or have no width a reader may see another text than the one that is stored.
_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
_EMPTY_LINES = re.compile(r"\n{3,}")

# On Cloud an escaped bar still ends a cell, and the entities that Data Center decodes are shown as they are.
_LOOKALIKE = str.maketrans({"|": "\u2502", "\\": "\u2216"})
_OPENS_ENTITY = re.compile(r"&(?=#?\w+;)")
_OPENS_HEADING = re.compile(r"^(\s*(?:h[1-6]|bq))\.")
_PAIRED = re.compile(r"[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*")
_QUILLED = str.maketrans("[]", "\u2045\u2046")
_OPENS_FACE = re.compile(r":(?=-?[DPdp](?![A-Za-z0-9]))")

_OPENS_IMAGE = re.compile(r"!(?!\s)")

_OPENS_MACRO_OR_LINK = re.compile(r"[{}\[\]]")
_OPENS_CITATION = re.compile(r"\?(?=\?)")
_OPENS_ICON = re.compile(r"\((?=(?:[!?/xyni+-]|on|off|flag|flagoff|\*[rgby]?)\))")
_ENDS_FACE = re.compile(r"(?<=[:;])[()]|(?<=[:;]-)[()]")
# Between two letters or between two spaces these are ordinary characters: credit_score, 2026-01-31, a - b.
_PHRASE_MARK = re.compile(
    r"(?<=[A-Za-z0-9])[*_+^~-](?![A-Za-z0-9])|(?<![A-Za-z0-9])[*_+^~-](?!\s)|(?<=\S)[*_+^~-](?=\s)"
)
_OPENS_ITEM = re.compile(r"^(\s*)([#*-])(?=[#*\s-]|$)")
_ESCAPABLE = (_OPENS_MACRO_OR_LINK, _OPENS_CITATION, _OPENS_ICON, _ENDS_FACE, _PHRASE_MARK)
_EXPANSION = 2  # no character becomes more than two
_NOFORMAT = re.compile(r"\{(?=noformat)", re.IGNORECASE)


def text(value: str, limit: int = MAX_INLINE) -> str:
    """One line of text in which no character means anything to the renderer."""
    line = " ".join(_readable(value, limit).split())
    return _escaped(shortened(line, limit))


def paragraphs(value: str, limit: int) -> str:
    """Text of several lines, kept as lines, in which no character means anything; at most `limit` units of markup."""
    plain = _EMPTY_LINES.sub("\n\n", _readable(value, limit).strip())
    markup = _escaped_lines(shortened(plain, limit))
    return markup if size(markup) <= limit else _escaped_lines(shortened(plain, limit // _EXPANSION))


def strong(value: str) -> str:
    """One line of text in bold, unless it needs an escape: on Cloud the inside of bold text is read a second time."""
    markup = text(value)
    plain = markup == " ".join(value.split()) and markup[:1].isalnum() and markup[-1:].isalnum()
    return f"*{markup}*" if plain else markup


def preformatted(value: str, limit: int) -> str:
    """Text shown as it is, in a block that the text itself cannot close."""
    return f"{{noformat}}\n{_NOFORMAT.sub('{ ', shortened(_readable(value, limit).strip(), limit))}\n{{noformat}}"


def link(label: str, url: str) -> str:
    """A link, or only its text if the address is not one of the web."""
    if urlsplit(url).scheme not in ("http", "https"):
        return text(label)
    # On Cloud an escaped bracket inside the label ends the link.
    label = text(label.replace("[", "(").replace("]", ")"))
    return f"[{label}|{quote(visible(url), safe='%/:?#&=+,;@~$-._()')}]"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; heads and cells are markup already."""
    return [f"||{'||'.join(heads)}||", *(f"|{'|'.join(cell or ' ' for cell in row)}|" for row in rows)]


def record(rows: Iterable[tuple[str, str]]) -> list[str]:
    """The lines of a table of names and values, the names as heads of their rows; both are markup already."""
    return [f"||{name}|{value or ' '}|" for name, value in rows]


def visible(value: str) -> str:
    """Text without what nobody sees: terminal colours, control characters but line feeds, surrogates, marks.

    Tabs become spaces.
    """
    return _HIDDEN.sub("", _LINE_ENDS.sub("\n", _TERMINAL.sub("", value)).replace("\t", "    "))


def shortened(value: str, limit: int) -> str:
    """At most `limit` units (see `size`); an ellipsis says that something was cut."""
    if size(value) <= limit:
        return value
    # Half an emoji at the cut is dropped by the decoder.
    return _units(value)[: 2 * (limit - 1)].decode("utf-16-le", "ignore").rstrip() + "…"


def size(value: str) -> int:
    """The length as Jira counts it: in UTF-16 units, of which an emoji has two."""
    return len(_units(value)) // 2


def _readable(value: str, limit: int) -> str:
    # Many megabytes are cut before the expressions run over them; of what is left, little may be hidden.
    room = limit * 8
    return visible(value) if len(value) <= room else f"{visible(value[:room])}…"


def _units(value: str) -> bytes:
    return value.encode("utf-16-le", "surrogatepass")


def _escaped_lines(plain: str) -> str:
    return "\n".join(_escaped(line.rstrip()) for line in plain.split("\n"))


def _escaped(line: str) -> str:
    if not _PAIRED.fullmatch(line):
        # On Cloud a bracket in a cell, escaped or not, looks for its counterpart beyond the cell.
        line = line.translate(_QUILLED)
    line = _OPENS_HEADING.sub("\\1\u2024", _OPENS_ENTITY.sub("& ", line.translate(_LOOKALIKE)))
    line = _OPENS_IMAGE.sub("\u01c3", _OPENS_FACE.sub("\u2236", line))
    for pattern in _ESCAPABLE:
        line = pattern.sub(r"\\\g<0>", line)
    return _OPENS_ITEM.sub(r"\1\\\2", line)
