"""Tables and pictures as WordprocessingML that stands in any document, whatever its styles."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from activities.review_document.charts import WIDTH, Chart
from activities.review_document.customer_template.grids import Grid
from activities.review_document.formatting import clean

TWIPS_PER_INCH: Final = 1440
EMU_PER_TWIP: Final = 635

MAX_ALT = 1200
MAX_NOTICE = 600
MANY_COLUMNS = 6

_NAMESPACES = nsdecls("w", "wp", "a", "pic", "r")
_SHORTEST, _LONGEST = 6, 36
_MARGINS = 2
"""What the margins of a cell take, in characters."""

_HEADING_FILL = "EEF1F4"
_LINE = "9AA5B1"
_ALARM, _ALARM_FILL = "B3261E", "FBEAEA"
_BORDERS = "".join(
    f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="{_LINE}"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV")
)


def table(grid: Grid, *, style: str | None, width: int, title: str) -> Any:
    """A table whose heading row repeats on every page, as wide as there is room.

    Args:
        style: id of a table style of the document; without one, the table brings thin lines of its own.
        width: in twentieths of a point.
        title: what the table shows, for readers who cannot see it.
    """
    widths = _widths(grid, width)
    size = 18 if len(widths) <= MANY_COLUMNS else 15
    alignments = ["right" if numeric else "left" for numeric in grid.numeric]
    rows = [_row(grid.headings, widths, alignments, size, heading=True)]
    rows += [_row(cells, widths, alignments, size) for cells in grid.rows]
    if grid.left_out:
        rows.append(_row([grid.left_out], [sum(widths)], ["left"], size, span=len(widths)))
    columns = "".join(f'<w:gridCol w:w="{one}"/>' for one in widths)
    look = f"<w:tblStyle w:val={quoteattr(style)}/>" if style else ""
    lines = "" if style else f"<w:tblBorders>{_BORDERS}</w:tblBorders>"
    name = quoteattr(clean(title, MAX_ALT))
    return parse_xml(
        f'<w:tbl {_NAMESPACES}><w:tblPr>{look}<w:tblW w:w="{sum(widths)}" w:type="dxa"/>{lines}'
        '<w:tblLayout w:type="fixed"/>'
        '<w:tblLook w:val="0420" w:firstRow="1" w:lastRow="0" w:firstColumn="0" w:lastColumn="0" w:noHBand="0" '
        f'w:noVBand="1"/><w:tblCaption w:val={name}/><w:tblDescription w:val={name}/></w:tblPr>'
        f"<w:tblGrid>{columns}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )


def picture(chart: Chart, *, relation: str, number: int, title: str, width: int, alignment: str) -> Any:
    """A paragraph with a picture, no wider than there is room.

    Args:
        relation: id of the relation to the picture's part.
        number: id of the drawing, unique in the document.
        width: room in twentieths of a point.
        alignment: value of `w:jc`, such as "left" or "center".
    """
    across, down = _size(chart.png, width)
    named = f'id="{number}" name={quoteattr(f"Chart {number}")} title={quoteattr(clean(title, MAX_ALT))}'
    described = f"{named} descr={quoteattr(clean(chart.alt, MAX_ALT))}"
    return parse_xml(
        f'<w:p {_NAMESPACES}><w:pPr><w:spacing w:before="60" w:after="60" w:line="240" w:lineRule="auto"/>'
        f"<w:jc w:val={quoteattr(alignment)}/></w:pPr><w:r><w:drawing>"
        '<wp:inline distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{across}" cy="{down}"/><wp:docPr {described}/>'
        '<wp:cNvGraphicFramePr><a:graphicFrameLocks noChangeAspect="1"/></wp:cNvGraphicFramePr>'
        '<a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic>'
        f"<pic:nvPicPr><pic:cNvPr {described}/><pic:cNvPicPr/></pic:nvPicPr>"
        f"<pic:blipFill><a:blip r:embed={quoteattr(relation)}/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>"
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{across}" cy="{down}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )


def paragraph(text: str) -> Any:
    """A paragraph of small text."""
    return parse_xml(f"<w:p {_NAMESPACES}>{_runs(text, 16, bold=False)}</w:p>")


def notice(text: str) -> Any:
    """A paragraph that nobody overlooks, whatever the document's styles: in bold on a tinted ground."""
    words = escape(f"Please note: {clean(text, MAX_NOTICE)}")
    return parse_xml(
        f'<w:p {_NAMESPACES}><w:pPr><w:pBdr><w:left w:val="single" w:sz="24" w:space="6" w:color="{_ALARM}"/></w:pBdr>'
        f'<w:shd w:val="clear" w:color="auto" w:fill="{_ALARM_FILL}"/><w:spacing w:before="60" w:after="120"/></w:pPr>'
        f'<w:r><w:rPr><w:b/><w:bCs/></w:rPr><w:t xml:space="preserve">{words}</w:t></w:r></w:p>'
    )


def spacer() -> Any:
    """An empty paragraph: two tables without one between them become one table, and a cell must end with one."""
    return parse_xml(
        f'<w:p {_NAMESPACES}><w:pPr><w:spacing w:before="0" w:after="0" w:line="120" w:lineRule="exact"/></w:pPr></w:p>'
    )


def _widths(grid: Grid, width: int) -> list[int]:
    """Widths in proportion to the longest text of every column, within bounds; they add up to the whole."""
    longest = [
        min(max(_SHORTEST, *(len(text) for text in column)), _LONGEST) + _MARGINS
        for column in zip(grid.headings, *grid.rows, strict=True)
    ]
    # A narrow table reads better than one whose two columns are far apart.
    whole = min(width, sum(longest) * 200)
    widths = [whole * length // sum(longest) for length in longest]
    widths[-1] += whole - sum(widths)
    return widths


def _row(
    cells: Sequence[str],
    widths: Sequence[int],
    alignments: Sequence[str],
    size: int,
    *,
    heading: bool = False,
    span: int = 1,
) -> str:
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{_HEADING_FILL}"/>' if heading else ""
    merged = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    written = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{merged}{shade}</w:tcPr><w:p><w:pPr>'
        f'{"<w:keepNext/>" if heading else ""}<w:spacing w:before="20" w:after="20" w:line="240" w:lineRule="auto"/>'
        f'<w:ind w:left="0" w:right="0" w:firstLine="0"/><w:jc w:val="{alignment}"/></w:pPr>'
        f"{_runs(text, size, bold=heading)}</w:p></w:tc>"
        for text, width, alignment in zip(cells, widths, alignments, strict=True)
    )
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if heading else ''}</w:trPr>{written}</w:tr>"


def _runs(text: str, size: int, *, bold: bool) -> str:
    lines = "<w:br/>".join(f'<w:t xml:space="preserve">{escape(line)}</w:t>' for line in text.split("\n"))
    weight = "<w:b/><w:bCs/>" if bold else ""
    return f'<w:r><w:rPr>{weight}<w:sz w:val="{size}"/><w:szCs w:val="{size}"/></w:rPr>{lines}</w:r>'


def _size(png: bytes, room: int) -> tuple[int, int]:
    """Width and height in EMU. The picture's own size stands in bytes 16 to 24 of a PNG file, in pixels."""
    across, down = struct.unpack(">II", png[16:24])
    width = min(int(WIDTH * TWIPS_PER_INCH), room) * EMU_PER_TWIP
    return width, width * down // across
