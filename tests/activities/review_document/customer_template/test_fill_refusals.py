"""Files that are no harmless Word document: each is refused with what is wrong and how to mend it."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

import pytest

from activities.review_document.customer_template.fill import UnreadableTemplate
from activities.review_document.customer_template.template_file import MAX_TEMPLATE_BYTES
from tests.activities.review_document.customer_template import word_templates as word

PLAIN = word.of_paragraphs("<<modelop.storedModel.id>>")
TYPES = "[Content_Types].xml"


def bomb() -> bytes:
    return word.with_parts(PLAIN, {"word/media/image1.png": b"\0" * 30_000_000})


def many_parts() -> bytes:
    return word.with_parts(PLAIN, {f"word/media/{place}.png": b"x" for place in range(2100)})


def twice() -> bytes:
    target = io.BytesIO(PLAIN)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("word/DOCUMENT.xml", b"<x/>")
    return target.getvalue()


def encrypted_entry() -> bytes:
    changed = bytearray(PLAIN)
    at = changed.rindex(b"PK\x01\x02")
    changed[at + 8] |= 1
    return bytes(changed)


def lies_about_its_size() -> bytes:
    changed = bytearray(word.with_parts(PLAIN, {"zzz.bin": b"a" * 50_000}))
    at = changed.rindex(b"PK\x01\x02")
    changed[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(changed)


def with_doctype(encoding: str) -> bytes:
    text = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    return word.with_parts(PLAIN, {"customXml/item1.xml": text.encode(encoding)})


def spreadsheet() -> bytes:
    return word.with_replaced(PLAIN, TYPES, "wordprocessingml.document.main", "spreadsheetml.sheet.main")


def macros() -> bytes:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return word.with_replaced(PLAIN, TYPES, kind, "application/vnd.ms-word.document.macroEnabled.main+xml")


def strict() -> bytes:
    return word.with_replaced(
        PLAIN,
        "_rels/.rels",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument",
        "http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument",
    )


def deep() -> bytes:
    return word.with_parts(PLAIN, {"word/document.xml": b"<a>" * 5000 + b"</a>" * 5000})


def field(*codes: str) -> bytes:
    run = "<w:r>{}</w:r>".format
    parts = [run(f'<w:instrText xml:space="preserve">{code}</w:instrText>') for code in codes]
    begin, end = (run(f'<w:fldChar w:fldCharType="{kind}"/>') for kind in ("begin", "end"))
    return word.of_xml(f"<w:p>{begin}{''.join(parts)}{end}</w:p>")


REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "nothing": (lambda: b"", "not a .docx file", "save it in Word"),
    "text": (lambda: b"Dear committee", "not a .docx file", "save it in Word"),
    "a cut file": (lambda: PLAIN[:2000], "damaged", "save it in Word"),
    "a password": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "password", "remove the password"),
    "an encrypted entry": (encrypted_entry, "password", "remove it"),
    "too large": (lambda: PLAIN + bytes(MAX_TEMPLATE_BYTES), "at most 20,000,000", "compress its pictures"),
    "a bomb": (bomb, "inflates to 30,000,000 bytes", "save it again"),
    "many parts": (many_parts, "at most 2,000 parts", "remove pictures"),
    "two of a name": (twice, "two parts of the same name", "save it again"),
    "a lie about a size": (lies_about_its_size, "damaged", "save it in Word"),
    "a doctype": (lambda: with_doctype("utf-8"), "customXml/item1.xml declares a document type", "save it again"),
    "a doctype in UTF-16": (lambda: with_doctype("utf-16-le"), "declares a document type", "save it again"),
    "a spreadsheet": (spreadsheet, "not a Word document", "save it again as .docx"),
    "a zip": (lambda: word.with_parts(PLAIN, {}, without=[TYPES]), "[Content_Types].xml is missing", "save it again"),
    "no body": (
        lambda: word.with_parts(PLAIN, {}, without=["word/document.xml"]),
        "word/document.xml is missing",
        "save",
    ),
    "broken XML": (lambda: word.with_parts(PLAIN, {"word/document.xml": b"<w:p"}), "not readable XML", "save it again"),
    "deep XML": (deep, "not readable XML", "save it again"),
    "macros": (macros, "macros or other active content: /word/document.xml", "without macros"),
    "a macro part": (
        lambda: word.with_parts(PLAIN, {"word/vbaProject.bin": b"x"}),
        "word/vbaProject.bin",
        "without macros",
    ),
    "a control": (lambda: word.with_parts(PLAIN, {"word/activeX/activeX1.xml": b"<x/>"}), "active content", "without"),
    "strict": (strict, "Strict Open XML", "save it as 'Word Document (*.docx)'"),
    "an image elsewhere": (
        lambda: word.with_relation(PLAIN, "image", "https://evil.example/a.png"),
        "refers to image outside of the file: https://evil.example/a.png",
        "insert a copy",
    ),
    "an object elsewhere": (
        lambda: word.with_relation(PLAIN, "oleObject", "file:///x.xlsx", part="word/_rels/header1.xml.rels"),
        "word/_rels/header1.xml.rels",
        "insert a copy",
    ),
    "a picture behind a link": (
        lambda: word.of_xml(
            '<w:p><w:r><w:pict><a:blip xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
            'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" r:link="rId1"/>'
            "</w:pict></w:r></w:p>"
        ),
        "links a picture instead of holding it",
        "insert the picture",
    ),
    "an image that hides": (
        lambda: word.with_replaced(
            word.with_relation(PLAIN, "image", "https://evil.example/a.png"),
            "word/_rels/document.xml.rels",
            ' TargetMode="External"',
            "",
        ),
        "outside of the file: https://evil.example/a.png",
        "insert a copy",
    ),
    "another body": (
        lambda: word.with_parts(PLAIN, {"word/document.xml": b"<html/>"}),
        "word/document.xml holds no Word document",
        "save it again",
    ),
    "a field that includes": (
        lambda: field(" INCLUDE", "PICTURE &quot;https://evil.example/a.png&quot;"),
        "fetches something from elsewhere: INCLUDEPICTURE",
        "Ctrl+Shift+F9",
    ),
    "a field that runs": (lambda: field("DDEAUTO c:\\\\cmd.exe"), "DDEAUTO", "plain text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_is_wrong_and_how_to_mend_it(name: str) -> None:
    content, said, mended = REFUSED[name]
    with pytest.raises(UnreadableTemplate) as raised:
        word.fill(content())
    assert said in str(raised.value)
    assert mended in str(raised.value)


def test_the_template_that_the_refused_ones_are_made_of_is_accepted() -> None:
    assert word.fill(PLAIN).unresolved == []


def test_hyperlinks_to_elsewhere_and_ordinary_fields_are_kept() -> None:
    linked = word.with_relation(field(" PAGE "), "hyperlink", "https://example.com/policy")
    kept = word.parts(word.fill(linked).content)
    assert b"https://example.com/policy" in kept["word/_rels/document.xml.rels"]
    assert b" PAGE " in kept["word/document.xml"]


def test_the_tie_to_the_corporate_template_is_cut() -> None:
    tied = word.with_relation(PLAIN, "attachedTemplate", "file:///bank/memo.dotx", part="word/_rels/settings.xml.rels")
    tied = word.with_replaced(
        tied,
        "word/settings.xml",
        "<w:zoom",
        '<w:attachedTemplate xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
        'r:id="rIdMore"/><w:zoom',
    )
    kept = word.parts(word.fill(tied).content)
    assert b"memo.dotx" not in kept["word/_rels/settings.xml.rels"]
    assert b"attachedTemplate" not in kept["word/settings.xml"]


def test_damaged_files_are_refused_or_filled_and_never_anything_else() -> None:
    chance = random.Random(20261122)
    body = word.parts(PLAIN)["word/document.xml"]
    ends = set()
    for _ in range(60):
        for held, rest in ((PLAIN, None), (body, PLAIN)):
            damaged = bytearray(held)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.choice(b"<>/&\0a\xff")
            content = bytes(damaged) if rest is None else word.with_parts(rest, {"word/document.xml": bytes(damaged)})
            try:
                word.fill(content)
                ends.add("filled")
            except UnreadableTemplate as refusal:
                assert "(" in str(refusal)
                ends.add("refused")
    assert ends == {"filled", "refused"}
