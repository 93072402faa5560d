"""Writes a Word document: headings, paragraphs, tables and pictures that read well on paper and on a screen reader.

Blocks are written as WordprocessingML and parsed once each. python-docx's own cell access is quadratic in the number of
rows, and it has no interface for header rows, table descriptions or alternative text.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Inches, Twips

from activities.review_document.charts import WIDTH, Chart
from activities.review_document.formatting import NOT_PROVIDED, clean, printable
from activities.review_document.package import EARLIEST, repack
from activities.review_document.standard_layout.base_template import (
    RUNNING_TITLE,
    header_texts,
    on_its_side,
    open_base,
    without_title_page,
)

KEPT_TOGETHER = 9
"""Tables of up to this many rows are not split over pages."""

MAX_ALT = 1200

_FIRST_BOOKMARK = 100
_SIGNED_NUMBER = re.compile(r"([<>≤≥]) (?=[\d−])")
_WRAPPER = (f"<w:body {nsdecls('w')}>", "</w:body>")


class Tone(StrEnum):
    """How a piece of text is set; the values are character styles of the template."""

    PLAIN = ""
    STRONG = "Strong"
    CODE = "Code"
    GAP = "Gap"
    PASS = "VerdictPass"
    FAIL = "VerdictFail"
    ERROR = "VerdictError"
    OTHER = "VerdictOther"


@dataclass(frozen=True)
class Text:
    """A piece of text in one tone. Whatever is put in is made printable on the way out."""

    content: str
    tone: Tone = Tone.PLAIN


Inline = str | Text | Sequence[str | Text]


class Align(StrEnum):
    """How a column is set: text to the left, numbers to the right."""

    TEXT = "TableText"
    NUMBER = "TableNumber"

    @property
    def heading(self) -> str:
        """The style of such a column's heading."""
        return "TableHeadingNumber" if self is Align.NUMBER else "TableHeading"


@dataclass(frozen=True)
class Column:
    """A column's heading, its share of the table's width, and its alignment."""

    heading: str
    share: float
    align: Align = Align.TEXT


@dataclass(frozen=True)
class Table:
    """A table with a caption above it.

    Attributes:
        caption: what the table shows; numbered by the document.
        description: for readers who cannot see it: what is in the rows.
        fills: background colour of single cells by (row, column), as hexadecimal RGB.
    """

    caption: str
    description: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Inline]]
    fills: dict[tuple[int, int], str] = field(default_factory=dict)


class ReviewLayout:
    """One document while it is written, from top to bottom.

    Args:
        base: the .docx that the styles, the page, headers and footers are taken from; ours if None.

    Raises:
        UnusableBaseTemplate: the base lacks what the document needs.
    """

    def __init__(self, base: bytes | None = None) -> None:
        opened = open_base(base)
        self._document = opened.document
        self._style_ids = opened.style_ids
        self._end = opened.page
        self._width = self._upright = opened.text_width
        self._on_its_side = opened.text_height
        self._bookmarks = _FIRST_BOOKMARK
        self._after_table = False
        self._tables = 0
        self._figures = 0

    @contextmanager
    def landscape(self) -> Iterator[None]:
        """What is written inside stands on pages that lie on their side, for tables with many columns."""
        upright = copy.deepcopy(self._end)
        self._end_section(upright)
        without_title_page(self._end)
        self._width = self._on_its_side
        yield
        self._end_section(on_its_side(self._end))
        self._width = self._upright

    def paragraph(self, content: Inline, style: str = "Normal", *, keep_with_next: bool = False) -> None:
        """A paragraph in one of the template's styles."""
        keep = "<w:keepNext/>" if keep_with_next else ""
        self._append(_paragraph(content, style, keep), spaced=style == "Normal")

    def heading(self, level: int, text: str, *, anchor: str = "", new_page: bool = False) -> None:
        """A heading of level 1 to 3; `anchor` is what the list of contents links to."""
        runs = _runs(text)
        if anchor:
            self._bookmarks += 1
            start = f"<w:bookmarkStart w:id={quoteattr(str(self._bookmarks))} w:name={quoteattr(anchor)}/>"
            runs = f'{start}{runs}<w:bookmarkEnd w:id="{self._bookmarks}"/>'
        self._append(_block(runs, f"Heading{level}", "<w:pageBreakBefore/>" if new_page else ""))

    def contents(self, lines: Iterable[tuple[str, str, str]]) -> None:
        """The list of contents: number, title and anchor of every section.

        It is static on purpose: a field would make Word ask the reader to update the document, and change its bytes.
        """
        self.paragraph("Contents", "ContentsHeading")
        for number, title, anchor in lines:
            runs = _runs([number, "\t", title])
            self._append(_block(f'<w:hyperlink w:anchor="{anchor}" w:history="1">{runs}</w:hyperlink>', "Contents"))

    def bullets(self, items: Iterable[Inline]) -> None:
        """A bulleted list."""
        for item in items:
            self.paragraph(item, "ListBullet")

    def banner(self, lines: Sequence[Inline], *, fill: str, edge: str, title: str, description: str) -> None:
        """A shaded box with a coloured edge that is read before anything else."""
        cell = "".join(_paragraph(line, "Badge") for line in lines)
        border = f'<w:tcBorders><w:left w:val="single" w:sz="36" w:space="0" w:color="{edge}"/></w:tcBorders>'
        shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>'
        self._append(
            f'<w:tbl><w:tblPr><w:tblStyle w:val="BadgeTable"/>{_table_width(self._width)}{_FIXED}'
            f"{_described(title, description)}</w:tblPr>"
            f'<w:tblGrid><w:gridCol w:w="{self._width}"/></w:tblGrid>'
            f"<w:tr><w:trPr><w:cantSplit/></w:trPr>"
            f'<w:tc><w:tcPr><w:tcW w:w="{self._width}" w:type="dxa"/>{border}{shade}</w:tcPr>{cell}</w:tc>'
            f"</w:tr></w:tbl>",
            spaced=True,
        )

    def facts(self, rows: Sequence[tuple[str, Inline]], *, title: str, description: str) -> None:
        """A two-column list of names and values, without a caption."""
        widths = _widths([0.31, 0.69], self._width)
        cells = "".join(
            _row([_cell(name, widths[0], "FactName", keep=keep), _cell(value, widths[1], Align.TEXT, keep=keep)])
            for (name, value), keep in zip(rows, _keeping(len(rows)), strict=True)
        )
        look = 'w:firstRow="0" w:firstColumn="1"'
        self._append(_table("FactsTable", widths, cells, title, description, look), spaced=True)

    def table(self, table: Table) -> None:
        """A captioned table whose heading row repeats on every page."""
        self._tables += 1
        self._append(_paragraph(f"Table {self._tables}. {table.caption}", "Caption"))
        widths = _widths([column.share for column in table.columns], self._width)
        heads = [
            _cell(column.heading, width, column.align.heading, keep=True)
            for column, width in zip(table.columns, widths, strict=True)
        ]
        rows = [_row(heads, header=True)]
        for index, (row, keep) in enumerate(zip(table.rows, _keeping(len(table.rows)), strict=True)):
            cells = zip(row, widths, table.columns, strict=True)
            rows.append(
                _row(
                    [
                        _cell(value, width, column.align, keep=keep, fill=table.fills.get((index, place), ""))
                        for place, (value, width, column) in enumerate(cells)
                    ]
                )
            )
        look = 'w:firstRow="1" w:firstColumn="0"'
        self._append(_table("ReviewTable", widths, "".join(rows), table.caption, table.description, look))

    def figure(self, chart: Chart, caption: str) -> None:
        """A picture with its caption above it and its alternative text."""
        self._figures += 1
        self._append(_paragraph(f"Figure {self._figures}. {caption}", "Caption"))
        width = min(Inches(WIDTH), Twips(self._width))
        inline = self._document.part.new_pic_inline(io.BytesIO(chart.png), width=width)
        inline.docPr.set("name", f"Figure {self._figures}")
        inline.docPr.set("title", clean(caption, MAX_ALT))
        inline.docPr.set("descr", clean(chart.alt, MAX_ALT))
        self._append(_block("<w:r><w:drawing/></w:r>", "Figure"))
        self._end.getprevious().find(f".//{qn('w:drawing')}").append(inline)

    def save(self, *, title: str, running_title: str, dated: datetime | None) -> bytes:
        """The finished file.

        Args:
            title: the document's title property.
            running_title: what stands at the top of every page but the first.
            dated: written as the time of creation and of change; without it, the earliest that a .docx can hold.
        """
        written = (dated or EARLIEST).astimezone(UTC).replace(tzinfo=None, microsecond=0)
        properties = self._document.core_properties
        properties.title, properties.subject = clean(title, 255), "Model review"
        properties.author = properties.last_modified_by = "sagemaker-mlc"
        properties.created = properties.modified = written
        properties.language, properties.revision = "en-GB", 1
        for text in header_texts(self._document):
            text.text = (text.text or "").replace(RUNNING_TITLE, clean(running_title, 110))
        self._apply_style_ids()
        target = io.BytesIO()
        self._document.save(target)
        return repack(target.getvalue())

    def _append(self, xml: str, *, spaced: bool = False) -> None:
        """Adds a block. After a table, one that brings no space of its own needs some: two tables would become one."""
        if self._after_table and spaced:
            self._append(_block("", "TableSpacer"))
        self._after_table = xml.startswith("<w:tbl>")
        opening, closing = _WRAPPER
        self._end.addprevious(parse_xml(f"{opening}{xml}{closing}")[0])

    def _end_section(self, page: Any) -> None:
        """Ends the section in the last paragraph; after a table, which cannot hold that, in one of its own."""
        if self._after_table:
            self._append(_block("", "TableSpacer"))
        self._end.getprevious().find(qn("w:pPr")).append(page)

    def _apply_style_ids(self) -> None:
        if not self._style_ids:
            return
        for element in self._document.element.body.iter(*_STYLE_REFERENCES):
            ours = element.get(qn("w:val"))
            element.set(qn("w:val"), self._style_ids.get(ours, ours))


_STYLE_REFERENCES = (qn("w:pStyle"), qn("w:rStyle"), qn("w:tblStyle"))
_FIXED = '<w:tblLayout w:type="fixed"/>'


def _runs(content: Inline) -> str:
    pieces = [content] if isinstance(content, str | Text) else content
    return "".join(_run(piece if isinstance(piece, Text) else Text(piece)) for piece in pieces)


def _run(text: Text) -> str:
    tone = Tone.GAP if text.content == NOT_PROVIDED and text.tone is Tone.PLAIN else text.tone
    properties = f'<w:rPr><w:rStyle w:val="{tone}"/></w:rPr>' if tone else ""
    parts = "<w:tab/>".join(
        f'<w:t xml:space="preserve">{escape(part)}</w:t>' for part in _typeset(text.content).split("\t")
    )
    return f"<w:r>{properties}{parts}</w:r>"


def _typeset(text: str) -> str:
    """Printable text in which no line ends between a sign and its number."""
    return _SIGNED_NUMBER.sub("\\1\u00a0", printable(text))


def _block(runs: str, style: str, extra: str = "") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{extra}</w:pPr>{runs}</w:p>'


def _paragraph(content: Inline, style: str, extra: str = "") -> str:
    return _block(_runs(content), style, extra)


def _cell(content: Inline, width: int, style: str, *, keep: bool, fill: str = "") -> str:
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
    paragraph = _paragraph(content, style, "<w:keepNext/>" if keep else "")
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}</w:tcPr>{paragraph}</w:tc>'


def _row(cells: Sequence[str], *, header: bool = False) -> str:
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if header else ''}</w:trPr>{''.join(cells)}</w:tr>"


def _table(style: str, widths: Sequence[int], rows: str, title: str, description: str, look: str) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl><w:tblPr><w:tblStyle w:val="{style}"/>{_table_width(sum(widths))}{_FIXED}'
        f'<w:tblLook {look} w:lastRow="0" w:lastColumn="0" w:noHBand="1" w:noVBand="1"/>'
        f"{_described(title, description)}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
    )


def _described(title: str, description: str) -> str:
    return (
        f"<w:tblCaption w:val={quoteattr(clean(title, MAX_ALT))}/>"
        f"<w:tblDescription w:val={quoteattr(clean(description, MAX_ALT))}/>"
    )


def _table_width(width: int) -> str:
    return f'<w:tblW w:w="{width}" w:type="dxa"/>'


def _widths(shares: Sequence[float], available: int) -> list[int]:
    """Whole widths in the given proportions that add up to the available one."""
    total = sum(shares)
    widths = [int(available * share / total) for share in shares]
    widths[-1] += available - sum(widths)
    return widths


def _keeping(count: int) -> list[bool]:
    """Which rows stay with the next one: all of a short table, the first two and the last two of a long one."""
    if count <= KEPT_TOGETHER:
        return [index < count - 1 for index in range(count)]
    return [index < 2 or index == count - 2 for index in range(count)]
