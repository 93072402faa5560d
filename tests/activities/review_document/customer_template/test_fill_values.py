"""How the value of a token is printed: text, numbers, tables, and what is left out of large ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from docx.shared import Inches

from activities.review_document.customer_template.grids import Grid, plain_text, printed
from tests.activities.review_document import samples
from tests.activities.review_document.customer_template import word_templates as word

RESULTS = "modelop.modelTestResult.testResults"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Tier 2", "Tier 2"),
        ("2026-10-03T15:15:40.004Z", "2026-10-03T15:15:40.004Z"),
        (True, "Yes"),
        (False, "No"),
        (2026, "2026"),
        (0.7785, "0.7785"),
        (6 / 7, "0.857143"),
        (100.0, "100"),
        (1234567.891, "1234567.89"),
        (0.00002, "2e-05"),
        (-0.5, "-0.5"),
        (math.nan, "not a number"),
        (-math.inf, "infinite"),
        (None, "–"),
    ],
)
def test_plain_values_are_printed_in_words_and_sane_digits(value: Any, text: str) -> None:
    assert plain_text(value) == text


def test_hostile_text_is_cleaned_and_bounded() -> None:
    assert plain_text(word.HOSTILE_NAME) == "Score <<modelop.storedModel.id>> & <w:t>"
    long = plain_text("x" * 10_000_000)
    assert len(long) < 5100
    assert long.endswith("… (and 9,995,000 more characters)")


def test_ten_megabytes_of_hostile_text_go_into_a_document_that_opens() -> None:
    name = (word.HOSTILE_NAME + "\n") * 200_000
    (text,) = word.texts(
        word.fill(word.of_paragraphs("<<modelop.storedModel.modelMetaData.name>>"), word.sources(name=name))
    )
    assert text.startswith("Score <<modelop.storedModel.id>> & <w:t>\nScore")
    assert len(text) < 5100


@pytest.mark.parametrize(
    ("value", "text"),
    [([], "none"), ({}, "none"), ([1, "a", True, None], "1, a, Yes, –"), ([1, {"a": 2}], '1, {"a": 2}')],
)
def test_lists_of_plain_values_are_strung_together(value: Any, text: str) -> None:
    assert printed(value) == text


@pytest.mark.parametrize("value", [[{}], [[]], [{}, {}], [[], []], [{}] * 50 + [{"a": 1}]])
def test_a_list_of_empty_entries_is_no_table_without_columns(value: Any) -> None:
    assert str(printed(value)).startswith("none")
    filled = word.fill(word.of_paragraphs(f"<<{RESULTS}.empty>>"), word.sources({"empty": value}))
    assert word.texts(filled)[0].startswith("none")


def test_a_long_list_says_how_many_entries_are_left_out() -> None:
    text = printed(list(range(1000)))
    assert isinstance(text, str)
    assert text.endswith(", 98, 99 and 900 more entries")


def test_an_object_has_a_row_per_field_and_names_what_is_nested() -> None:
    nested = {"a": 1, "b": {"c": [1, 2], "d": {"e": "x"}}, "f": [{"g": 1}], "h": [{"g": place} for place in range(99)]}
    assert printed(nested) == Grid(
        ["Name", "Value"],
        [["a", "1"], ["b / c", "1, 2"], ["b / d / e", "x"], ["f", '[{"g": 1}]'], ["h", "99 entries"]],
        [False, False],
    )


def test_an_object_of_objects_has_a_row_per_field_and_a_column_per_name() -> None:
    values = {"age": {"index": 0.2, "ks": 0.1}, "purpose": {"index": 0.1}}
    assert printed(values) == Grid(
        ["Name", "index", "ks"], [["age", "0.2", "0.1"], ["purpose", "0.1", "–"]], [False, True, True]
    )


def test_objects_with_different_fields_share_one_table() -> None:
    assert printed([{"a": 1}, {"b": "x"}]) == Grid(["a", "b"], [["1", "–"], ["–", "x"]], [True, False])


def test_lists_of_lists_are_rows() -> None:
    assert printed([[1, 2], [3]]) == Grid(["1", "2"], [["1", "2"], ["3", "–"]], [True, True])


def test_rows_and_columns_beyond_the_limits_are_counted() -> None:
    table = printed([{f"column {place}": place for place in range(20)}] * 1000)
    assert isinstance(table, Grid)
    assert (len(table.rows), len(table.headings)) == (50, 12)
    assert table.left_out == "and 950 more rows and 8 more columns"


def test_deeply_nested_values_are_printed_without_an_end_to_the_stack() -> None:
    deep: dict[str, Any] = {"end": 1}
    for _ in range(5000):
        deep = {"a": deep, "b": 2}
    assert isinstance(printed(deep), Grid)
    content = word.of_paragraphs(f"<<{RESULTS}.deep>>", "<<modelop.storedModel.deep>>")
    sources = word.sources({"deep": deep})
    sources["storedModel"]["deep"] = deep
    assert word.fill(content, sources).unresolved == []


def test_a_table_repeats_its_headings_and_sets_numbers_to_the_right() -> None:
    filled = word.fill(word.of_paragraphs(f"<<{RESULTS}.(stability)[0].(values).(age).(stability_analysis_table)>>"))
    (table,) = word.opened(filled).tables
    assert [cell.text for cell in table.rows[0].cells][:3] == ["bucket", "train_count", "eval_count"]
    assert len(table.rows) == 11
    assert [row._tr.find(f"{qn('w:trPr')}/{qn('w:tblHeader')}") is not None for row in table.rows[:3]] == [
        True,
        False,
        False,
    ]
    sides = [cell.paragraphs[0].alignment for cell in table.rows[1].cells[:2]]
    assert [str(side).partition(" ")[0] for side in sides] == ["LEFT", "RIGHT"]
    (caption,) = table._tbl.iter(qn("w:tblCaption"))
    assert caption.get(qn("w:val")).startswith("Values of modelop.modelTestResult.testResults.(stability)")


def test_a_table_has_the_grid_of_the_template_or_lines_of_its_own() -> None:
    content = word.of_paragraphs(f"<<{RESULTS}.(performance)[0].values>>")
    styled = word.opened(word.fill(content)).tables[0]
    assert styled.style is not None and styled.style.name == "Table Grid"
    without = word.with_replaced(content, "word/styles.xml", 'w:val="Table Grid"', 'w:val="Tabellenraster"')
    assert list(word.opened(word.fill(without)).tables[0]._tbl.iter(qn("w:tblBorders")))


def test_tables_and_charts_keep_within_the_page_the_cell_and_the_columns() -> None:
    token = f"<<{RESULTS}.wide>>"

    def write(document: Any) -> None:
        document.add_paragraph(token)
        landscape = document.add_section()
        landscape.orientation, landscape.page_width, landscape.page_height = (
            WD_ORIENT.LANDSCAPE,
            Inches(11),
            Inches(8.5),
        )
        document.add_paragraph(token)
        cell = document.add_table(1, 2)._cells[0]
        cell.width = Inches(2)
        cell.text = token
        cell.add_paragraph("<<modelopgraph.stability.age>>")

    wide = [{f"a rather long heading {place}": "some words in a cell" for place in range(12)}]
    document = word.opened(word.fill(word.template(write), word.sources({"wide": wide})))
    widths = [sum(int(c.get(qn("w:w"))) for c in t.iter(qn("w:gridCol"))) for t in document.element.iter(qn("w:tbl"))]
    assert widths[:2] == [8640, 12240]
    assert widths[3] <= 2 * 1440
    (extent,) = document.element.iter(qn("wp:extent"))
    assert int(extent.get("cx")) <= 2 * 914_400


def test_the_tokens_of_a_customary_review_template_are_all_filled() -> None:
    filled = word.fill(
        word.of_paragraphs(
            "<<modelop.storedModel.modelMetaData.name>> <<modelop.storedModel.id>>"
            " <<modelop.deployableModel.createdDate>>",
            "<<modelop.modelTestResult.dmnRuleResults.[testCategory=Performance].passes>>"
            ": <<modelop.modelTestResult.dmnRuleResults.[testCategory=Performance].reason>>",
            "<<modelop.modelTestResult.dmnRuleResults.[testCategory=Ljung Box Q].passes>>",
            f"<<{RESULTS}.(dw_statistic)>> <<{RESULTS}.breusch_pagan_f_p_value>>",
            "<<modelop.storedModel.modelAssets.[assetRole=BASELINE_DATA].filename>>",
        ),
        word.sources({"breusch_pagan_f_p_value": -99, "r2_score": 99}),
    )
    assert filled.unresolved == []
    assert word.texts(filled) == [
        f"German Credit Scoring {samples.MODEL_ID} 2026-11-22T13:58:11.120Z",
        "Yes: AUC is at least 0.7",
        "no verdict",
        "1.9873 no result (-99)",
        "baseline.csv",
    ]
