"""Builds Word templates for tests, and reads what was made of them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import docx
from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from activities.review_document.customer_template.fill import FilledTemplate, fill_template
from tests.activities.review_document import samples

HOSTILE_NAME = "Score <<modelop.storedModel.id>> & <w:t>\x1b[31m\ud800\x00"

RULES = [
    {"testCategory": "Performance", "passes": True, "reason": "AUC is at least 0.7"},
    {"testCategory": "Performance", "passes": False, "reason": "a later row of the same category"},
    {"testCategory": "Normality", "passes": False, "reason": "KS, AD and CvM p-values under 0.05"},
    {"testCategory": "Ljung Box Q", "passes": None, "reason": "not applicable"},
]


def sources(results: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """The sources of a template: a model, its snapshot, and a result of all families with more put on top."""
    model = samples.stored_model()
    model["modelMetaData"] |= metadata
    found = samples.classification_results(8) | (results or {})
    return {
        "storedModel": model,
        "deployableModel": samples.snapshot(),
        "modelTestResult": {"id": samples.RESULT_ID, "testResults": found, "dmnRuleResults": RULES},
    }


def template(write: Callable[[Document], Any]) -> bytes:
    """A document of Word's own default template, with what `write` puts in."""
    document = docx.Document()
    write(document)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def of_paragraphs(*texts: str) -> bytes:
    """A template with plain paragraphs."""
    return template(lambda document: [document.add_paragraph(text) for text in texts])


def of_xml(*paragraphs: str) -> bytes:
    """A template with paragraphs given as WordprocessingML, without the namespaces."""

    def write(document: Document) -> None:
        for xml in paragraphs:
            document.element.body.insert(-1, parse_xml(re.sub(r"^<([\w:]+)", rf"<\1 {nsdecls('w')}", xml, count=1)))

    return template(write)


def run(text: str, properties: str = "") -> str:
    """A run of WordprocessingML; angle brackets are escaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{escaped}</w:t></w:r>'


def fill(content: bytes, given: dict[str, Any] | None = None) -> FilledTemplate:
    """The template filled, as a review would."""
    return fill_template(content, given or sources(), dated=samples.STORED, title="Model review: German Credit")


def opened(filled: FilledTemplate) -> Document:
    """The filled document, as python-docx reads it."""
    return docx.Document(io.BytesIO(filled.content))


def texts(filled: FilledTemplate) -> list[str]:
    """The text of every paragraph outside of tables that has any."""
    return [paragraph.text for paragraph in opened(filled).paragraphs if paragraph.text]


def tables(filled: FilledTemplate) -> list[list[list[str]]]:
    """The texts of every table outside of tables, by row and cell."""
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in opened(filled).tables]


def pictures(filled: FilledTemplate) -> list[Any]:
    """The properties of every picture in the body."""
    return list(opened(filled).element.iter(qn("wp:docPr")))


def parts(content: bytes) -> dict[str, bytes]:
    """The parts of a file by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_parts(content: bytes, changed: dict[str, bytes], *, without: Sequence[str] = ()) -> bytes:
    """The file with some parts put in the place of, or beside, its own."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in (parts(content) | changed).items():
            if name not in without:
                archive.writestr(name, held)
    return target.getvalue()


def with_replaced(content: bytes, part: str, old: str, new: str) -> bytes:
    """The file with a text in one of its parts replaced; the text must be there."""
    held = parts(content)[part].decode()
    assert old in held
    return with_parts(content, {part: held.replace(old, new, 1).encode()})


def with_relation(content: bytes, kind: str, target: str, *, part: str = "word/_rels/document.xml.rels") -> bytes:
    """The file with one more relation to something outside of it."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    held = f'<Relationship Id="rIdMore" Type="{office}/{kind}" Target="{target}" TargetMode="External"/>'
    if part not in parts(content):
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        return with_parts(content, {part: f'<Relationships xmlns="{package}">{held}</Relationships>'.encode()})
    return with_replaced(content, part, "</Relationships>", f"{held}</Relationships>")
