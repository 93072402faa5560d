"""The text of one Word paragraph as a whole, and how a stretch of it is replaced in the runs that it is spread over."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from docx.oxml import OxmlElement
from docx.oxml.ns import qn

_TEXT = qn("w:t")
_CHARACTERS = {
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
    qn("w:softHyphen"): "\u00ad",
}
# Paragraphs of text boxes have a text of their own; deleted and moved text is not there any more.
_PASSED_OVER = frozenset(map(qn, ("w:p", "w:pPr", "w:rPr", "w:del", "w:moveFrom")))
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_TAB = "    "


class ParagraphText:
    """The visible text of a paragraph.

    Attributes:
        text: what a reader sees, whichever runs, links and tracked insertions it is spread over.
    """

    def __init__(self, paragraph: Any) -> None:
        self._pieces = list(_pieces(paragraph))
        texts = [_written(piece) for piece in self._pieces]
        self._starts = list(accumulate(map(len, texts), initial=0))[:-1]
        self.text = "".join(texts)

    def replace(self, replacements: Iterable[tuple[int, int, str]]) -> None:
        """Puts texts in the places of stretches, each in the look that its stretch starts with.

        Every piece is written once: a paragraph may hold thousands of stretches.

        Args:
            replacements: start, end and new text of every stretch, from the left to the right; a stretch starts with a
                letter, and none reaches into another.
        """
        cuts: dict[int, list[tuple[int, int, str]]] = {}
        for start, end, text in replacements:
            # Pieces without text share their place with the next one, which holds it.
            first, last = bisect_right(self._starts, start) - 1, bisect_left(self._starts, end) - 1
            for place in range(first, last + 1):
                offset = self._starts[place]
                cuts.setdefault(place, []).append(
                    (max(start - offset, 0), end - offset, text if place == first else "")
                )
        for place, of_piece in cuts.items():
            _cut(self._pieces[place], of_piece)


def _cut(piece: Any, cuts: Sequence[tuple[int, int, str]]) -> None:
    """Writes a piece without the stretches, their new texts in their places; a tab or line end goes as a whole."""
    if piece.tag != _TEXT:
        piece.getparent().remove(piece)
        return
    written, kept, position = _written(piece), [], 0
    for start, end, text in cuts:
        kept += [written[position:start], text]
        position = end
    _write(piece, "".join([*kept, written[position:]]))


def _pieces(element: Any) -> Iterator[Any]:
    """Everything in a paragraph that makes a part of its text, in order."""
    for child in element:
        if child.tag == _TEXT or child.tag in _CHARACTERS:
            yield child
        elif child.tag not in _PASSED_OVER:
            yield from _pieces(child)


def _written(piece: Any) -> str:
    return piece.text or "" if piece.tag == _TEXT else _CHARACTERS[piece.tag]


def _write(piece: Any, text: str) -> None:
    """Sets a text of several lines: further lines follow in the same run."""
    line, *further = text.replace("\t", _TAB).split("\n")
    _set(piece, line)
    for line in further:
        line_break = OxmlElement("w:br")
        piece.addnext(line_break)
        piece = OxmlElement("w:t")
        line_break.addnext(piece)
        _set(piece, line)


def _set(piece: Any, line: str) -> None:
    piece.text = line
    piece.set(_SPACE, "preserve")
