"""What a filled template says first, and how much it holds: no template makes a file that nobody can open."""

from __future__ import annotations

import time

import pytest

from activities.review_document.customer_template.fill import (
    MAX_CHARACTERS,
    MAX_CHARTS,
    MAX_NOTICES,
    UnreadableTemplate,
    fill_template,
)
from activities.review_document.customer_template.template_file import MAX_XML_BYTES
from tests.activities.review_document import samples
from tests.activities.review_document.customer_template import word_templates
from tests.activities.review_document.customer_template.word_templates import of_paragraphs, parts, pictures, texts

NAME = "<<modelop.storedModel.modelMetaData.name>>"
TABLE = "<<modelop.modelTestResult.testResults.(stability)[0].(values).(age).(stability_analysis_table)>>"


def noticed(*notices: str) -> list[str]:
    filled = fill_template(
        of_paragraphs(NAME), word_templates.sources(), dated=samples.STORED, title="t", notices=notices
    )
    return texts(filled)


def test_notices_are_the_first_paragraphs_and_no_token_comes_with_them() -> None:
    first, second, rest = noticed("The limits cannot be used.", f"Odd \x00 {NAME} & <w:t>")
    assert first == "Please note: The limits cannot be used."
    assert second == f"Please note: Odd {NAME} & <w:t>"
    assert rest == "German Credit Scoring"
    assert noticed("Ask jane@bank.example.")[0] == "Please note: Ask [e-mail address]."
    assert noticed() == ["German Credit Scoring"]


def test_of_very_many_notices_the_first_are_shown_and_the_rest_counted() -> None:
    shown = noticed(*["n" * 5000] * (MAX_NOTICES + 3))
    assert len(shown) == MAX_NOTICES + 2
    assert shown[-2] == "Please note: 3 more notices left out."
    assert max(map(len, shown)) < 700


def test_charts_beyond_those_of_one_document_are_named_instead_of_drawn() -> None:
    one = "<<modelopgraph.groupbias.age_group>>"
    filled = word_templates.fill(of_paragraphs(*[one] * (MAX_CHARTS + 1), "<<modelopgraph.stability.age>>"))
    assert len(pictures(filled)) == MAX_CHARTS
    paths = ("modelopgraph.groupbias.age_group", "modelopgraph.stability.age")
    assert texts(filled) == filled.unresolved == [f"not printed: {path} (the document is full)" for path in paths]


def test_a_table_named_thousands_of_times_is_printed_until_the_document_is_full() -> None:
    started = time.process_time()
    filled = word_templates.fill(of_paragraphs(*[TABLE] * 1200))
    assert time.process_time() - started < 15
    assert len(parts(filled.content)["word/document.xml"]) < 60_000_000
    assert 500 < parts(filled.content)["word/document.xml"].count(b"<w:tblGrid>") < 1000
    assert filled.unresolved == [f"not printed: {TABLE[2:-2]} (the document is full)"]


def test_thousands_of_tokens_in_one_paragraph_take_no_longer_than_in_many() -> None:
    given = word_templates.sources(description="d" * 6000)
    started = time.process_time()
    filled = word_templates.fill(of_paragraphs("<<modelop.storedModel.modelMetaData.description>>" * 20_000), given)
    assert time.process_time() - started < 10
    (text,) = texts(filled)
    assert text.count("the document is full") > 15_000
    assert len(text) < MAX_CHARACTERS + 20_000 * 120


def test_a_template_with_more_text_than_any_book_is_refused_before_it_is_parsed() -> None:
    long = b"<w:x/>" * (MAX_XML_BYTES // 6 + 1)
    with pytest.raises(UnreadableTemplate, match=r"word/document.xml has 30,000,\d\d\d bytes of text"):
        word_templates.fill(word_templates.with_parts(of_paragraphs(NAME), {"word/document.xml": long}))


def test_a_document_without_a_body_is_refused() -> None:
    empty = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"/>'
    with pytest.raises(UnreadableTemplate, match="holds no Word document"):
        word_templates.fill(word_templates.with_parts(of_paragraphs(NAME), {"word/document.xml": empty}))
