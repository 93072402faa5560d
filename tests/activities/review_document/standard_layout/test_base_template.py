"""A site's own base template: its styles, page, headers and footers; everything else is ours."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.oxml.ns import qn

from activities.review_document.standard_layout.base_template import UnusableBaseTemplate, base_template
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples
from tests.activities.review_document.reading import opened, text_of

REVIEW = samples.review({})


def changed(part: str, change: Callable[[str], str]) -> bytes:
    """Our own base template with one of its parts rewritten."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(base_template())) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            copy.writestr(name, change(content.decode()).encode() if name == part else content)
    return target.getvalue()


def test_styles_are_found_by_name_where_word_has_translated_their_ids() -> None:
    translated = changed(
        "word/styles.xml",
        lambda xml: xml.replace('"Heading1"', '"berschrift1"').replace('"TableText"', '"Tabellentext"'),
    )
    document = opened(render(REVIEW, translated))
    used = {style.get(qn("w:val")) for style in document.element.body.iter(qn("w:pStyle"))}
    assert {"berschrift1", "Tabellentext"} <= used
    assert not {"Heading1", "TableText"} & used
    assert [p.text for p in document.paragraphs if p.style is not None and p.style.name == "Heading 1"][0] == (
        "1  Decision summary"
    )


def test_the_text_of_the_base_is_left_out_and_its_header_and_page_stay() -> None:
    base = docx.Document(io.BytesIO(base_template()))
    base.add_paragraph("Left over from another report")
    base.sections[0].header.paragraphs[0].text = "ACME Bank, confidential"
    base.sections[0].page_width, base.sections[0].page_height = docx.shared.Inches(8.5), docx.shared.Inches(11)
    target = io.BytesIO()
    base.save(target)
    content = render(REVIEW, target.getvalue())
    assert "Left over" not in text_of(content)
    sections = opened(content).sections
    assert {section.header.paragraphs[0].text for section in sections} == {"ACME Bank, confidential"}
    assert [round(section.page_width.inches, 1) for section in sections] == [8.5, 11.0, 8.5]
    widths = {
        sum(int(column.get(qn("w:w"))) for column in table.iter(qn("w:gridCol")))
        for table in opened(content).element.body.iter(qn("w:tbl"))
    }
    assert len(widths) == 2


def test_our_own_header_carries_the_title_of_the_document() -> None:
    content = render(REVIEW)
    assert opened(content).sections[-1].header.paragraphs[0].text == "Model review: German Credit Scoring"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not [name for name in archive.namelist() if b"RUNNING TITLE" in archive.read(name)]


def test_only_the_first_section_has_a_title_page() -> None:
    sections = opened(render(REVIEW)).sections
    assert [section.different_first_page_header_footer for section in sections] == [True, False, False]
    assert [section.orientation.name for section in sections] == ["PORTRAIT", "LANDSCAPE", "PORTRAIT"]


@pytest.mark.parametrize(
    ("base", "complaint"),
    [
        (
            changed("word/styles.xml", lambda xml: xml.replace('w:val="Badge"', 'w:val="Plakette"')),
            r"lacks the style Badge \(paragraph\) \(start from the template that ships",
        ),
        (
            changed("word/styles.xml", lambda xml: re.sub(r'w:val="Verdict (Pass|Fail)"', 'w:val="x"', xml)),
            r"lacks the styles Verdict Pass \(character\), Verdict Fail \(character\)",
        ),
        (
            changed("word/document.xml", lambda xml: xml.replace('w:left="1417"', 'w:left="7000"')),
            "6.2 × 24.8 cm for text",
        ),
        (changed("word/document.xml", lambda xml: re.sub(r"<w:pgSz[^>]*/>", "", xml)), "states no page size"),
        (changed("word/document.xml", lambda xml: xml[:300]), "not a Word document"),
        (b"", "not a Word document"),
        (b"PK\x03\x04 and then nothing", "not a Word document"),
        (b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "without a password"),
    ],
)
def test_an_unusable_base_template_says_what_it_lacks(base: bytes, complaint: str) -> None:
    with pytest.raises(UnusableBaseTemplate, match=complaint):
        render(REVIEW, base)
