"""Filling a template: where tokens may stand, what stays of the template, and what is listed."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time

import docx
import pytest
from docx.document import Document
from docx.enum.section import WD_SECTION
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from activities.review_document.customer_template.fill import fill_template
from tests.activities.review_document import samples
from tests.activities.review_document.customer_template import word_templates as word

NAME = "<<modelop.storedModel.modelMetaData.name>>"
VALUES = "<<modelop.modelTestResult.testResults.(performance)[0].values>>"
BOLD = "<w:b/>"

FILL_AND_HASH = """
import hashlib
from tests.activities.review_document.customer_template import word_templates as word
from tests.activities.review_document.customer_template.test_fill import everything
print(hashlib.sha256(word.fill(everything()).content).hexdigest())
"""


def everything() -> bytes:
    """A template with text, a table, charts and a gap."""
    return word.of_paragraphs(NAME, VALUES, "<<modelopgraph.stability.age>>", "<<modelop.storedModel.nothing>>")


def test_a_token_spread_over_runs_takes_the_look_of_its_first_run() -> None:
    paragraph = "".join(
        [
            word.run("Model: "),
            word.run("<", BOLD),
            word.run("<modelop.stored", "<w:i/>"),
            '<w:proofErr w:type="spellStart"/>',
            word.run("Model.modelMeta"),
            '<w:bookmarkStart w:id="7" w:name="here"/>',
            word.run("Data.name>"),
            '<w:bookmarkEnd w:id="7"/>',
            word.run("> is reviewed"),
        ]
    )
    document = word.opened(word.fill(word.of_xml(f"<w:p>{paragraph}</w:p>")))
    runs = [(r.text, bool(r.bold), bool(r.italic)) for r in document.paragraphs[0].runs if r.text]
    assert runs == [("Model: ", False, False), ("German Credit Scoring", True, False), (" is reviewed", False, False)]
    assert [mark.get(qn("w:name")) for mark in document.element.iter(qn("w:bookmarkStart"))] == ["here"]


@pytest.mark.parametrize(
    "wrapped",
    [
        '<w:hyperlink w:anchor="x">{}</w:hyperlink>',
        '<w:ins w:id="1" w:author="a">{}</w:ins>',
        '<w:smartTag w:element="x">{}</w:smartTag>',
        "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>",
        '<w:fldSimple w:instr="REF x">{}</w:fldSimple>',
    ],
)
def test_a_token_is_found_across_what_word_puts_around_runs(wrapped: str) -> None:
    inner = wrapped.format(word.run("modelop.storedModel.mod"))
    filled = word.fill(word.of_xml(f"<w:p>{word.run('<<')}{inner}{word.run('elMetaData.name>>!')}</w:p>"))
    shown = "".join(text.text or "" for text in word.opened(filled).element.iter(qn("w:t")))
    assert shown == "German Credit Scoring!"
    assert filled.unresolved == []


def test_deleted_and_moved_text_belongs_to_no_token() -> None:
    deleted = '<w:del w:id="1" w:author="a"><w:r><w:delText>nothing.</w:delText></w:r></w:del>'
    moved = f'<w:moveFrom w:id="2" w:author="a">{word.run("nowhere.")}</w:moveFrom>'
    token = f"{word.run('<<modelop.storedModel.')}{deleted}{moved}{word.run('modelMetaData.name>>')}"
    filled = word.fill(word.of_xml(f"<w:p>{token}</w:p>"))
    assert filled.unresolved == []
    assert "nothing." in word.parts(filled.content)["word/document.xml"].decode()


def test_a_token_may_go_over_a_line_break_and_a_hyphen_of_its_own() -> None:
    run = (
        "<w:r><w:t>&lt;&lt;modelop.modelTestResult.</w:t><w:br/><w:t>testResults.(DataDrift_maxKolmogorov</w:t>"
        "<w:noBreakHyphen/><w:t>SmirnovPValue)&gt;&gt;.</w:t></w:r>"
    )
    assert word.texts(word.fill(word.of_xml(f"<w:p>{run}</w:p>"))) == ["0.9."]


def test_several_tokens_of_one_paragraph_are_filled_side_by_side() -> None:
    text = f"{NAME}{NAME}, id <<modelop.storedModel.id>> (<<modelop.storedModel.version>>)"
    name = "German Credit Scoring"
    assert word.texts(word.fill(word.of_paragraphs(text))) == [f"{name}{name}, id {samples.MODEL_ID} (3)"]


def test_tokens_in_tables_headers_footers_notes_and_text_boxes_are_filled() -> None:
    def write(document: Document) -> None:
        outer = document.add_table(1, 1).cell(0, 0)
        outer.text = f"outer {NAME}"
        outer.add_table(1, 1).cell(0, 0).text = f"inner {NAME}"
        section = document.sections[0]
        section.different_first_page_header_footer = True
        document.settings.odd_and_even_pages_header_footer = True
        for place in (section.header, section.first_page_header, section.even_page_header, section.footer):
            place.paragraphs[0].text = f"edge {NAME}"
        document.add_section(WD_SECTION.NEW_PAGE)
        document.sections[1].footer.is_linked_to_previous = False
        document.sections[1].footer.paragraphs[0].text = f"second {NAME}"
        box = (
            f'<w:p {nsdecls("w")} xmlns:v="urn:schemas-microsoft-com:vml"><w:r><w:pict><v:shape><v:textbox>'
            f"<w:txbxContent><w:p>{word.run(f'box {NAME}')}</w:p></w:txbxContent>"
            "</v:textbox></v:shape></w:pict></w:r></w:p>"
        )
        document.element.body.insert(0, parse_xml(box))

    filled = word.fill(word.template(write))
    shown = "".join(held.decode() for name, held in word.parts(filled.content).items() if name.startswith("word/"))
    for place, times in {"outer": 1, "inner": 1, "edge": 4, "second": 1, "box": 1}.items():
        assert shown.count(f"{place} German Credit Scoring<") == times, place


def test_tokens_in_footnotes_are_filled() -> None:
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    notes = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2"><w:p>{word.run(NAME)}</w:p></w:footnote></w:footnotes>'
    content = word.with_parts(word.of_paragraphs("text"), {"word/footnotes.xml": notes.encode()})
    content = word.with_replaced(
        content,
        "word/_rels/document.xml.rels",
        "</Relationships>",
        f'<Relationship Id="rIdN" Type="{office}/footnotes" Target="footnotes.xml"/></Relationships>',
    )
    assert b"German Credit Scoring" in word.parts(word.fill(content).content)["word/footnotes.xml"]


def test_a_gap_is_visible_and_listed_once() -> None:
    gap = "<<modelop.storedModel.modelMetaData.custom.(Second line)>>"
    filled = word.fill(word.of_paragraphs(f"a {gap}", f"b {gap}", "<<modelopgraph.stability.nothing>>"))
    path = "modelop.storedModel.modelMetaData.custom.(Second line)"
    assert filled.unresolved == [path, "modelopgraph.stability.nothing"]
    assert word.texts(filled)[:2] == [f"a not provided: {path}", f"b not provided: {path}"]


def test_an_empty_text_and_null_are_gaps() -> None:
    paths = [f"modelop.storedModel.{name}" for name in "abc"]
    filled = word.fill(
        word.of_paragraphs(*(f"<<{path}>>" for path in paths)),
        {"storedModel": {"a": "  ", "b": None, "c": "\x00\u200b"}},
    )
    assert filled.unresolved == paths


def test_what_is_no_token_stays_as_it_is_and_is_listed() -> None:
    text = "<<DRAFT>> p << 0.05 and <<>> and <<modelop.a..b>>"
    filled = word.fill(word.of_paragraphs(text))
    assert word.texts(filled) == [text]
    assert filled.unresolved == ["<<DRAFT>>", "<< 0.05 and <<>> and <<modelop.a..b>>", "<<>>", "<<modelop.a..b>>"]


def test_a_value_that_looks_like_a_token_is_never_filled() -> None:
    filled = word.fill(word.of_paragraphs(NAME, NAME), word.sources(name=word.HOSTILE_NAME))
    assert word.texts(filled) == ["Score <<modelop.storedModel.id>> & <w:t>"] * 2
    again = word.fill(word.of_paragraphs(f"{NAME}{NAME}"), word.sources(name="<<modelop."))
    assert word.texts(again) == ["<<modelop.<<modelop."]


def test_a_text_keeps_its_lines() -> None:
    filled = word.fill(word.of_paragraphs(f"[{NAME}]"), word.sources(name="one\r\n\ttwo\n<three>"))
    assert word.texts(filled) == ["[one\n    two\n<three>]"]


def test_a_table_stands_after_its_sentence_and_the_sentence_stays() -> None:
    filled = word.fill(word.of_paragraphs("before", f"Metrics: {VALUES} (on the comparator)", "after"))
    document = word.opened(filled)
    blocks = [block.tag.rpartition("}")[2] for block in document.element.body]
    assert blocks == ["p", "p", "tbl", "p", "p", "sectPr"]
    assert word.texts(filled) == ["before", "Metrics:  (on the comparator)", "after"]
    assert word.tables(filled) == [[["Name", "Value"], ["auc", "0.7785"]]]


def test_a_paragraph_that_held_nothing_but_a_table_is_gone() -> None:
    filled = word.fill(word.of_paragraphs(VALUES, VALUES))
    blocks = [block.tag.rpartition("}")[2] for block in word.opened(filled).element.body]
    assert blocks == ["tbl", "p", "tbl", "p", "sectPr"]


def test_a_paragraph_with_a_bookmark_or_a_section_stays() -> None:
    marked = f'<w:p><w:bookmarkStart w:id="3" w:name="results"/>{word.run(VALUES)}<w:bookmarkEnd w:id="3"/></w:p>'
    section = f"<w:p><w:pPr><w:sectPr/></w:pPr>{word.run(VALUES)}</w:p>"
    document = word.opened(word.fill(word.of_xml(marked, section)))
    assert [mark.get(qn("w:name")) for mark in document.element.iter(qn("w:bookmarkStart"))] == ["results"]
    assert len(document.sections) == 2
    assert len(document.tables) == 2


def test_a_table_in_a_cell_leaves_the_cell_whole() -> None:
    filled = word.fill(word.template(lambda document: document.add_table(1, 1)._cells[0].paragraphs[0].add_run(VALUES)))
    (cell,) = word.opened(filled).tables[0].row_cells(0)
    assert [child.tag.rpartition("}")[2] for child in cell._tc][-2:] == ["tbl", "p"]
    assert cell.tables[0].cell(1, 0).text == "auc"


def test_a_bound_content_control_shows_the_filled_text() -> None:
    control = (
        '<w:sdt><w:sdtPr><w:showingPlcHdr/><w:dataBinding w:xpath="/x" w:storeItemID="{1}"/><w:text/></w:sdtPr>'
        f"<w:sdtContent><w:p>{word.run(NAME)}</w:p></w:sdtContent></w:sdt>"
    )
    document = word.opened(word.fill(word.of_xml(control)))
    (properties,) = document.element.iter(qn("w:sdtPr"))
    assert len(properties) == 0


def test_the_template_stays_as_it_was_apart_from_its_tokens() -> None:
    content = word.with_parts(word.of_paragraphs("plain", NAME), {"customXml/item9.xml": b"<kept  a='1'/>"})
    before, after = word.parts(content), word.parts(word.fill(content).content)
    assert set(before) == set(after)
    kept = [name for name in before if after[name] == before[name]]
    assert {"customXml/item9.xml", "word/styles.xml", "word/theme/theme1.xml", "docProps/thumbnail.jpeg"} <= set(kept)


def test_title_and_time_of_the_document_are_those_given() -> None:
    properties = word.opened(word.fill(everything())).core_properties
    assert properties.title == "Model review: German Credit"
    assert properties.created == properties.modified == samples.STORED.replace(tzinfo=properties.created.tzinfo)
    undated = fill_template(everything(), word.sources(), dated=None, title="x")
    assert word.opened(undated).core_properties.created.year == 1980


def test_a_template_without_properties_gets_them() -> None:
    bare = word.with_parts(everything(), {}, without=["docProps/core.xml"])
    bare = word.with_replaced(bare, "_rels/.rels", "metadata/core-properties", "metadata/something")
    assert word.opened(word.fill(bare)).core_properties.title == "Model review: German Credit"


def test_properties_of_another_kind_are_written_anew() -> None:
    odd = word.with_parts(everything(), {"docProps/core.xml": b"<x/>"})
    assert word.opened(word.fill(odd)).core_properties.title == "Model review: German Credit"


def test_a_run_that_holds_a_space_only_keeps_it() -> None:
    paragraph = f"<w:p>{word.run('a')}{word.run(' ')}{word.run(NAME)}</w:p>"
    assert word.texts(word.fill(word.of_xml(paragraph))) == ["a German Credit Scoring"]


def test_the_same_path_in_other_brackets_stays_as_it_is_written() -> None:
    text = "<<modelop..a>> «modelop..a» «modelop.storedModel.version»"
    assert word.texts(word.fill(word.of_paragraphs(text))) == ["<<modelop..a>> «modelop..a» 3"]


def test_a_dotx_becomes_a_document() -> None:
    dotx = word.with_replaced(
        everything(), "[Content_Types].xml", "wordprocessingml.document.main", "wordprocessingml.template.main"
    )
    assert word.texts(word.fill(dotx))[0] == "German Credit Scoring"


def test_the_same_template_and_sources_make_the_same_bytes_in_any_process() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland"}
    other = subprocess.run(
        [sys.executable, "-c", FILL_AND_HASH], env=environment, capture_output=True, text=True, check=True, timeout=100
    )
    # The template of the other process bears another time, which must not be seen in the document.
    assert other.stdout.strip() == hashlib.sha256(word.fill(everything()).content).hexdigest()


def test_three_thousand_tokens_on_two_hundred_pages_take_a_few_seconds() -> None:
    names = samples.feature_names(1000)
    text = "A sentence between two tokens, which has none of its own. " * 5
    paragraphs = [
        f"<w:p>{word.run(text)}{word.run('<<modelop.modelTest')}"
        f"{word.run(f'Result.testResults.({names[place % 1000]}_CSI)>>', BOLD)}</w:p>"
        for place in range(3000)
    ]
    body = f"<w:document {nsdecls('w')}><w:body>{''.join(paragraphs)}</w:body></w:document>"
    content = word.with_parts(everything(), {"word/document.xml": body.encode()})
    sources = word.sources(samples.classification_results(1000))
    started = time.thread_time()
    filled = word.fill(content, sources)
    assert time.thread_time() - started < 5
    assert filled.unresolved == []
    assert len(docx.Document(io.BytesIO(filled.content)).paragraphs) == 3000
