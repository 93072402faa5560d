"""Fills a Word template: every `<<...>>` in it becomes the value, the table or the chart that its path leads to.

Word spreads a token over several runs, wherever somebody corrected a letter, so tokens are looked for in the text of
whole paragraphs. Values are written once and never looked through again: what a model's name says is not a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from docx.oxml.ns import qn

from activities.review_document.customer_template import blocks, graphs
from activities.review_document.customer_template.graphs import Picture, Pictures
from activities.review_document.customer_template.grids import Grid, printed
from activities.review_document.customer_template.page_room import PageRoom
from activities.review_document.customer_template.paragraph_text import ParagraphText
from activities.review_document.customer_template.presentable import presentable
from activities.review_document.customer_template.template_file import TemplateFile, UnreadableTemplate
from activities.review_document.customer_template.tokens import (
    ABSENT,
    MalformedToken,
    Occurrence,
    Root,
    Token,
    occurrences,
    parse,
    resolve,
)
from activities.review_document.formatting import NOT_PROVIDED, clean, counted
from activities.review_document.masking import masked

__all__ = ["FilledTemplate", "UnreadableTemplate", "fill_template"]

MAX_UNRESOLVED_TEXT = 200
MAX_CHARTS = 100
MAX_CELLS = 50_000
MAX_CHARACTERS = 5_000_000
MAX_NOTICES = 10
NOT_PRINTED = "not printed"

_OPENING = frozenset("<«≪")
_TEXT, _PARAGRAPH, _TABLE = qn("w:t"), qn("w:p"), qn("w:tbl")
_PROPERTIES = (qn("w:pPr"), qn("w:rPr"))
_BARE = frozenset(map(qn, ("w:r", "w:proofErr", "w:smartTag", "w:ins", "w:lastRenderedPageBreak")))
_UNSEEN = frozenset(map(qn, ("w:proofErr", "w:bookmarkStart", "w:bookmarkEnd")))
_BINDINGS = ("dataBinding", "text", "showingPlcHdr")

Content = str | Grid | Pictures


@dataclass(frozen=True)
class FilledTemplate:
    """The finished document.

    Attributes:
        content: the .docx file; the same template and sources make the same bytes.
        unresolved: paths that led to nothing, and what looks like a token and is none; each once, in the order of the
            template. Both can be seen in the document.
    """

    content: bytes
    unresolved: list[str]


def fill_template(
    template: bytes,
    sources: Mapping[str, Any],
    *,
    dated: datetime | None,
    title: str,
    notices: Sequence[str] = (),
) -> FilledTemplate:
    """Fills a template of ModelOp Center's notation; the grammar is described in `docs/templates.md`.

    Args:
        template: the .docx file.
        sources: JSON objects by name: `storedModel`, `deployableModel`, and `modelTestResult` with its `testResults`
            and `dmnRuleResults`.
        dated: written as the document's time of creation.
        title: the document's title property.
        notices: what a reader must know first, in whole sentences; each becomes a paragraph at the beginning.

    Raises:
        UnreadableTemplate: the file cannot serve as a template. A token never raises.
    """
    file = TemplateFile(template)
    values = _Values(sources)
    illustrator = _Illustrator(file)
    room = PageRoom(file)
    for story in file.stories:
        _Story(story, file, values, illustrator, room).fill()
    # After the tokens, so that none can come with a notice.
    _put_first(file, notices)
    return FilledTemplate(file.save(title=title, dated=dated), list(values.unresolved))


def _put_first(file: TemplateFile, notices: Sequence[str]) -> None:
    left = len(notices) - MAX_NOTICES
    more = [f"{counted(left, 'more notice')} left out."] if left > 0 else []
    for place, notice in enumerate([*notices[:MAX_NOTICES], *more]):
        file.body.insert(place, blocks.notice(masked(notice, blocks.MAX_NOTICE)))


@dataclass
class _Allowance:
    """How much one document still takes, so that no template makes a file that nobody can open.

    A short template may name the largest table of a result thousands of times.
    """

    charts: int = MAX_CHARTS
    cells: int = MAX_CELLS
    characters: int = MAX_CHARACTERS

    def take(self, content: Content) -> bool:
        """Takes what the content needs, if there is as much left."""
        if isinstance(content, Pictures):
            return self._take(charts=len(content.shown))
        if isinstance(content, Grid):
            return self._take(cells=(len(content.rows) + 1) * len(content.headings))
        return self._take(characters=len(content))

    def _take(self, *, charts: int = 0, cells: int = 0, characters: int = 0) -> bool:
        if charts > self.charts or cells > self.cells or characters > self.characters:
            return False
        self.charts, self.cells, self.characters = (
            self.charts - charts,
            self.cells - cells,
            self.characters - characters,
        )
        return True


class _Values:
    """What every path leads to, found once; `unresolved` are those that lead to nothing, in order."""

    def __init__(self, sources: Mapping[str, Any]) -> None:
        result = sources.get("modelTestResult")
        shown = presentable(result) if isinstance(result, Mapping) else {}
        self._sources = {**sources, "modelTestResult": shown}
        found = shown.get("testResults")
        self._results: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        self._known: dict[str, Content] = {}
        self._allowance = _Allowance()
        self.unresolved: dict[str, None] = {}

    def of(self, occurrence: Occurrence) -> Content:
        """The content that takes the place of what stands between brackets."""
        if occurrence.written not in self._known:
            self._known[occurrence.written] = self._content(occurrence)
        content = self._known[occurrence.written]
        if content == occurrence.written or self._allowance.take(content):
            return content
        return self._left_out(occurrence.path or "")

    def _left_out(self, path: str) -> str:
        said = f"{NOT_PRINTED}: {clean(path, MAX_UNRESOLVED_TEXT)} (the document is full)"
        self.unresolved[said] = None
        return said

    def _content(self, occurrence: Occurrence) -> Content:
        try:
            token = parse(occurrence.path or "")
        except MalformedToken:
            self.unresolved[clean(occurrence.written, MAX_UNRESOLVED_TEXT)] = None
            return occurrence.written
        found = self._found(token)
        if isinstance(found, str | Grid | Pictures):
            return found
        path = clean(token.path, MAX_UNRESOLVED_TEXT)
        self.unresolved[path] = None
        return f"{NOT_PROVIDED}: {path}"

    def _found(self, token: Token) -> Content | None:
        if token.root is Root.GRAPH:
            if not self._allowance.charts:
                return self._left_out(token.path)
            drawn = graphs.requested(token, self._results)
            return None if drawn is ABSENT else drawn
        value = resolve(token, self._sources)
        if value is ABSENT or value is None:
            return None
        if graphs.is_graph(value):
            if not self._allowance.charts:
                return self._left_out(token.path)
            return graphs.draw_or_print(value, token.path.rpartition(".")[2])
        # A text of which nothing can be seen is a gap.
        return printed(value) or None


class _Illustrator:
    """Makes the paragraphs that hold pictures; the same picture is stored once, wherever it is shown."""

    def __init__(self, file: TemplateFile) -> None:
        self._file = file
        self._stored: dict[bytes, str] = {}
        self._relations: dict[tuple[str, str], str] = {}
        taken = {drawing.get("id") for story in file.stories for drawing in file.tree(story).iter(qn("wp:docPr"))}
        self._numbers = (number for number in count(1) if str(number) not in taken)

    def paragraph(self, story: str, picture: Picture, *, room: int, alignment: str) -> Any:
        """A paragraph of a story with the picture."""
        png = picture.chart.png
        if png not in self._stored:
            self._stored[png] = self._file.add_picture(png)
        key = (story, self._stored[png])
        if key not in self._relations:
            self._relations[key] = self._file.relate_picture(*key)
        return blocks.picture(
            picture.chart,
            relation=self._relations[key],
            number=next(self._numbers),
            title=picture.title,
            width=room,
            alignment=alignment,
        )


class _Story:
    """The text of one part: the body, a header, a footer or the notes."""

    def __init__(
        self, part: str, file: TemplateFile, values: _Values, illustrator: _Illustrator, room: PageRoom
    ) -> None:
        self._part = part
        self._root = file.tree(part)
        self._values = values
        self._illustrator = illustrator
        self._room = room
        self._table_style = _table_style(file)

    def fill(self) -> None:
        """Fills every paragraph, those of tables, text boxes and content controls too."""
        for paragraph in list(self._root.iter(_PARAGRAPH)):
            if not _OPENING.isdisjoint("".join(paragraph.itertext(_TEXT))):
                self._fill_paragraph(paragraph)

    def _fill_paragraph(self, paragraph: Any) -> None:
        text = ParagraphText(paragraph)
        contents = [(found, self._values.of(found)) for found in occurrences(text.text)]
        replaced = [(found, content) for found, content in contents if content != found.written]
        text.replace(
            (found.start, found.end, content if isinstance(content, str) else "") for found, content in replaced
        )
        if replaced:
            _unbind(paragraph)
        self._add_blocks(paragraph, [(found, content) for found, content in replaced if not isinstance(content, str)])

    def _add_blocks(self, paragraph: Any, contents: Sequence[tuple[Occurrence, Grid | Pictures]]) -> None:
        """Puts tables and pictures after the paragraph, and takes it away if nothing else was in it."""
        made = [block for found, content in contents for block in self._blocks(paragraph, found, content)]
        place = paragraph
        for block in made:
            place.addnext(block)
            place = block
        if made and _is_bare(paragraph):
            if _before(paragraph) == _TABLE:
                paragraph.addprevious(blocks.spacer())
            paragraph.getparent().remove(paragraph)

    def _blocks(self, paragraph: Any, found: Occurrence, content: Grid | Pictures) -> Iterator[Any]:
        room = self._room.at(paragraph)
        if isinstance(content, Grid):
            title = f"Values of {clean(found.path, MAX_UNRESOLVED_TEXT)}"
            yield blocks.table(content, style=self._table_style, width=room, title=title)
            yield blocks.spacer()
            return
        alignment = paragraph.find(f"{qn('w:pPr')}/{qn('w:jc')}")
        set_to = "left" if alignment is None else alignment.get(qn("w:val"), "left")
        for picture in content.shown:
            yield self._illustrator.paragraph(self._part, picture, room=room, alignment=set_to)
        if content.left_out:
            yield blocks.paragraph(content.left_out)


def _table_style(file: TemplateFile) -> str | None:
    """The id of the document's grid style; ids are translated in other languages, names are not."""
    styles = file.related(file.main, "styles")
    for style in styles.iterchildren(qn("w:style")) if styles is not None else ():
        name = style.find(qn("w:name"))
        if style.get(qn("w:type")) == "table" and name is not None and name.get(qn("w:val")) == "Table Grid":
            found: str | None = style.get(qn("w:styleId"))
            return found
    return None


def _before(element: Any) -> Any:
    """The tag of what stands before, marks that are not seen left aside."""
    tags = (sibling.tag for sibling in element.itersiblings(preceding=True))
    return next((tag for tag in tags if tag not in _UNSEEN), None)


def _is_bare(paragraph: Any) -> bool:
    """Whether a paragraph has no text, and nothing else that would be lost with it: a mark, a picture, a section."""
    if paragraph.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is not None:
        return False
    properties = {item for described in paragraph.iter(*_PROPERTIES) for item in described.iter()}
    held = [element for element in paragraph.iterdescendants() if element not in properties]
    return all(e.tag in _BARE or (e.tag == _TEXT and not (e.text or "").strip()) for e in held)


def _unbind(paragraph: Any) -> None:
    """Frees the content controls around a filled paragraph: one that is bound shows what it is bound to instead."""
    controls = [*paragraph.iterancestors(qn("w:sdt")), *paragraph.iter(qn("w:sdt"))]
    for control in controls:
        for properties in control.findall(qn("w:sdtPr")):
            for binding in [item for item in properties if str(item.tag).rpartition("}")[2] in _BINDINGS]:
                properties.remove(binding)
