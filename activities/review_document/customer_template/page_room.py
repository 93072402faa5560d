"""How much room a table or a picture has at a place of a Word document, so that none runs off its page or its cell."""

from __future__ import annotations

from typing import Any, Final

from docx.oxml.ns import qn

from activities.review_document.customer_template.blocks import EMU_PER_TWIP
from activities.review_document.customer_template.template_file import TemplateFile

CELL_MARGINS: Final = 230
BOX_MARGINS: Final = 300
NARROWEST: Final = 1000
LETTER: Final = 9360
"""Width of the text, in twentieths of a point, where a document does not say: letter paper with margins of an inch."""


class PageRoom:
    """The room at every place of a document, in twentieths of a point."""

    def __init__(self, file: TemplateFile) -> None:
        self._of_block = _sections(list(file.body))
        # A header belongs to several sections, so it gets the room that all of them have.
        self._everywhere = min(self._of_block.values(), default=LETTER)

    def at(self, paragraph: Any) -> int:
        """The room in the cell, the text box or the column of text that the paragraph stands in."""
        place = paragraph
        for ancestor in paragraph.iterancestors():
            if ancestor.tag == qn("w:tc"):
                return max(self._cell(ancestor) - CELL_MARGINS, NARROWEST)
            if ancestor.tag in (qn("wp:anchor"), qn("wp:inline")):
                return max(_extent(ancestor) - BOX_MARGINS, NARROWEST)
            if ancestor.tag == qn("w:body"):
                return self._of_block.get(place, self._everywhere)
            place = ancestor
        return self._everywhere

    def _cell(self, cell: Any) -> int:
        given = cell.find(f"{qn('w:tcPr')}/{qn('w:tcW')}")
        width = _number(given, qn("w:w"), 0)
        if width > 0 and given.get(qn("w:type")) == "dxa":
            return width
        row = cell.getparent()
        return self._everywhere // max(len(row.findall(qn("w:tc"))), 1)


def _sections(children: list[Any]) -> dict[Any, int]:
    """The room of every block of the body: the properties of a section stand at its end."""
    found: dict[Any, int] = {}
    room = LETTER
    for block in reversed(children):
        properties = block if block.tag == qn("w:sectPr") else block.find(f"{qn('w:pPr')}/{qn('w:sectPr')}")
        room = room if properties is None else _text_width(properties)
        found[block] = room
    return found


def _text_width(properties: Any) -> int:
    page, margins = properties.find(qn("w:pgSz")), properties.find(qn("w:pgMar"))
    width = _number(page, qn("w:w"), 12240)
    between = (
        _number(margins, qn("w:left"), 1440)
        + _number(margins, qn("w:right"), 1440)
        + _number(margins, qn("w:gutter"), 0)
    )
    columns = properties.find(qn("w:cols"))
    count, space = max(_number(columns, qn("w:num"), 1), 1), _number(columns, qn("w:space"), 720)
    return max((width - between - space * (count - 1)) // count, NARROWEST)


def _extent(drawing: Any) -> int:
    extent = drawing.find(qn("wp:extent"))
    return _number(extent, "cx", 0) // EMU_PER_TWIP


def _number(element: Any, attribute: str, otherwise: int) -> int:
    """A number of the document; one that is none, or no sane one, counts as not given."""
    text = element.get(attribute) if element is not None else None
    return int(text) if text and len(text) < 10 and text.lstrip("-").isdecimal() else otherwise
