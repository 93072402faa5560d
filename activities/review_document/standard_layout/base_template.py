"""The base template: a .docx of which the document takes its styles, its page, its headers and footers.

Ours is assembled from the parts in `template/`. A site's own needs the same styles. Styles are found by name, because
Word translates the ids of its built-in styles but never their names.
"""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import docx
from docx.document import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.oxml.ns import qn

from activities.review_document.package import pack

RUNNING_TITLE = "RUNNING TITLE"
"""In headers and footers, this text is replaced by the document's title."""

NARROWEST_TEXT = 6_800
"""In twentieths of a point: tables of fewer than 12 cm are not readable."""

_STYLES = {
    "paragraph": {
        **{"Normal": "Normal", "Title": "Title", "Subtitle": "Subtitle", "Kicker": "Kicker"},
        **{"Heading1": "heading 1", "Heading2": "heading 2", "Heading3": "heading 3"},
        **{"ContentsHeading": "Contents Heading", "Contents": "Contents"},
        **{"Caption": "caption", "Figure": "Figure", "Note": "Note", "ListBullet": "List Bullet", "Badge": "Badge"},
        **{"TableText": "Table Text", "TableNumber": "Table Number", "FactName": "Fact Name"},
        **{"TableHeading": "Table Heading", "TableHeadingNumber": "Table Heading Number"},
        "TableSpacer": "Table Spacer",
    },
    "character": {
        **{"Strong": "Strong", "Code": "Code", "Gap": "Gap"},
        **{"VerdictPass": "Verdict Pass", "VerdictFail": "Verdict Fail"},
        **{"VerdictError": "Verdict Error", "VerdictOther": "Verdict Other"},
    },
    "table": {"ReviewTable": "Review Table", "FactsTable": "Facts Table", "BadgeTable": "Badge Table"},
}


class UnusableBaseTemplate(ValueError):
    """A base template that the document cannot be written with; says what it lacks and how to mend it."""


@dataclass(frozen=True)
class OpenedBase:
    """A base template without its text, ready to be written to.

    Attributes:
        style_ids: the id of every style that goes by another one here than in our own template.
        page: the page's size, margins, headers and footers (`w:sectPr`).
        text_width, text_height: the room between the margins, in twentieths of a point.
    """

    document: Document
    style_ids: dict[str, str]
    page: Any
    text_width: int
    text_height: int


def base_template() -> bytes:
    """The empty document with our styles, header and footer, assembled from the parts in `template/`."""
    return pack(_parts(files("activities.review_document.standard_layout") / "template"))


def open_base(content: bytes | None) -> OpenedBase:
    """Opens a site's base template, or ours if there is none.

    Raises:
        UnusableBaseTemplate: it is not a Word document, lacks a style, or leaves too little room for text.
    """
    document = _opened(base_template() if content is None else content)
    style_ids = _style_ids(document)
    body = document.element.body
    page = body.find(qn("w:sectPr"))
    width, height = _text_size(page)
    for block in [child for child in body if child is not page]:
        body.remove(block)
    return OpenedBase(document, style_ids, page, width, height)


def on_its_side(page: Any) -> Any:
    """A copy of the page in landscape: the top margin becomes the left one, and so on around."""
    turned = copy.deepcopy(page)
    size, margins = turned.find(qn("w:pgSz")), turned.find(qn("w:pgMar"))
    width, height = size.get(qn("w:w")), size.get(qn("w:h"))
    size.set(qn("w:w"), height)
    size.set(qn("w:h"), width)
    size.set(qn("w:orient"), "landscape")
    old = {side: margins.get(qn(f"w:{side}")) for side in ("top", "right", "bottom", "left")}
    for side, source in (("top", "left"), ("right", "top"), ("bottom", "right"), ("left", "bottom")):
        margins.set(qn(f"w:{side}"), old[source])
    return turned


def without_title_page(page: Any) -> Any:
    """The page without the different first one, which only the first section has."""
    for element in page.findall(qn("w:titlePg")):
        page.remove(element)
    return page


def header_texts(document: Document) -> Iterator[Any]:
    """The text elements of all headers and footers."""
    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(("/header", "/footer")):
            yield from relation.target_part.element.iter(qn("w:t"))


def _parts(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for item in folder.iterdir():
        if item.is_dir():
            found |= _parts(item, f"{prefix}{item.name}/")
        else:
            found[prefix + item.name] = item.read_bytes()
    return found


def _opened(content: bytes) -> Document:
    try:
        return docx.Document(io.BytesIO(content))
    except (ValueError, KeyError, zipfile.BadZipFile, PackageNotFoundError, SyntaxError) as error:
        raise UnusableBaseTemplate(
            "The base template is not a Word document without macros (save it as .docx, without a password)"
        ) from error


def _style_ids(document: Document) -> dict[str, str]:
    there = {
        (style.get(qn("w:type")), _name(style).lower()): style.get(qn("w:styleId"))
        for style in document.styles.element.iter(qn("w:style"))
    }
    wanted = [(ours, kind, name) for kind, names in _STYLES.items() for ours, name in names.items()]
    missing = [f"{name} ({kind})" for _, kind, name in wanted if (kind, name.lower()) not in there]
    if missing:
        raise UnusableBaseTemplate(
            f"The base template lacks the {'style' if len(missing) == 1 else 'styles'} {', '.join(missing)} "
            "(start from the template that ships with this version, or add them in Word under these names)"
        )
    found = {ours: there[(kind, name.lower())] for ours, kind, name in wanted}
    return {ours: theirs for ours, theirs in found.items() if theirs != ours}


def _name(style: Any) -> str:
    name = style.find(qn("w:name"))
    return "" if name is None else str(name.get(qn("w:val")))


def _text_size(page: Any) -> tuple[int, int]:
    size, margins = (None if page is None else page.find(qn(name)) for name in ("w:pgSz", "w:pgMar"))
    if size is None or margins is None:
        raise UnusableBaseTemplate(
            "The base template states no page size and margins (set them in Word under Layout, and save it again)"
        )
    width, height = (_twips(size, side) for side in ("w", "h"))
    top, right, bottom, left = (_twips(margins, side) for side in ("top", "right", "bottom", "left"))
    room = width - left - right, height - top - bottom
    if min(room) < NARROWEST_TEXT:
        raise UnusableBaseTemplate(
            f"The base template's page leaves {room[0] / 567:.1f} × {room[1] / 567:.1f} cm for text; 12 cm are needed "
            "both ways (make the page larger or its margins smaller)"
        )
    return room


def _twips(element: Any, side: str) -> int:
    """A length in twentieths of a point; a bottom margin below zero means "exactly"."""
    try:
        return abs(int(element.get(qn(f"w:{side}"), "0")))
    except ValueError:
        return 0
