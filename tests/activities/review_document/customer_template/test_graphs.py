"""Charts that templates ask for: kinds, sources, what is said of them, and what becomes a table."""

from __future__ import annotations

import math
from typing import Any

import pytest
from docx.oxml.ns import qn

from activities.review_document.customer_template import graphs
from activities.review_document.customer_template.graph_drawing import Kind
from activities.review_document.customer_template.graphs import Pictures, draw_or_print, is_graph, requested
from activities.review_document.customer_template.grids import Grid
from activities.review_document.customer_template.tokens import ABSENT, parse
from tests.activities.review_document import samples
from tests.activities.review_document.customer_template import word_templates as word

PNG = b"\x89PNG\r\n\x1a\n"
AXES = {"title": "Violations", "x_axis_label": "Day", "y_axis_label": "Number"}
LINE = AXES | {"data": {"a": [[1, 100], [3, 200.5]], "b": [[2, 350]]}}
DATES = AXES | {"data": {"a": [["2026-03-01T20:10:20", 2], ["2026-02-27T20:10:20", 1]]}}
BAR = AXES | {"data": {"a": [1, 2], "b": [4, 3]}, "categories": ["north", "south"], "rotated": False}
LYING = BAR | {"rotated": True}
SCATTER = LINE | {"type": "scatter"}
PIE = AXES | {"type": "pie", "data": {"a": [1, 2, 3], "b": [4]}}


def described(graph: dict[str, Any]) -> str:
    """The description of a graph object's chart."""
    drawn = draw_or_print(graph, "name")
    assert isinstance(drawn, Pictures)
    (picture,) = drawn.shown
    assert picture.chart.png.startswith(PNG)
    return picture.chart.alt


@pytest.mark.parametrize(
    ("graph", "kind", "listed"),
    [
        (LINE, Kind.LINE, "a: 1 100; 3 200.5. b: 2 350."),
        (DATES, Kind.LINE, "a: 2026-03-01 2; 2026-02-27 1."),
        (BAR, Kind.BAR, "a: north 1; south 2. b: north 4; south 3."),
        (LYING, Kind.HORIZONTAL_BAR, "a: north 1; south 2. b: north 4; south 3."),
        (SCATTER, Kind.SCATTER, "a: 1 100; 3 200.5. b: 2 350."),
        (BAR | {"type": "line"}, Kind.LINE, "a: north 1; south 2. b: north 4; south 3."),
    ],
)
def test_every_kind_of_graph_object_is_drawn_and_described(graph: dict[str, Any], kind: Kind, listed: str) -> None:
    assert described(graph) == f"{kind}, Day and Number. Violations. {listed}"


@pytest.mark.parametrize(
    "graph",
    [
        PIE,
        AXES | {"data": {"a": ["x", None]}},
        AXES | {"data": {"a": [[1, 2]]}, "type": "bar"},
        AXES | {"data": {"a": [[[1], 2]]}},
        AXES | {"data": {"a": [math.inf, 1e300]}},
    ],
)
def test_what_is_of_another_kind_or_has_no_numbers_is_a_table(graph: dict[str, Any]) -> None:
    assert isinstance(draw_or_print(graph, "name"), Grid)


def test_the_table_of_a_pie_has_a_column_per_series() -> None:
    assert draw_or_print(PIE, "name") == Grid(
        ["Day", "a", "b"], [["1", "1", "4"], ["2", "2", "–"], ["3", "3", "–"]], [True, True, True]
    )


def test_an_object_without_data_is_no_graph() -> None:
    assert [is_graph(value) for value in (LINE, AXES, {"data": {}}, {"data": [], "title": "x"}, None)] == [
        *(True, False, False, False, False)
    ]


def test_large_and_odd_graphs_are_drawn_as_far_as_they_go_and_say_so() -> None:
    many = {f"series {place}": list(range(90)) for place in range(20)}
    assert "Shown are 8 of 20 series and the first 40 of 90 categories." in described(AXES | {"data": many})
    long = {"a": [[place, place % 7] for place in range(9000)]}
    text = described(AXES | {"data": long})
    assert "Shown are the first 2,000 of 9,000 points of each series." in text
    assert "2,000 points between 0 and 6" in text
    gaps = described(AXES | {"data": {"a": [1, None, "x", math.nan, 5], "b": [None]}})
    assert gaps.endswith("a: 1 1; 5 5. b: no number.")


@pytest.mark.parametrize(
    "points",
    [
        [["0001-01-01", 1], ["9999-12-31T23:59:59.999999", 2]],
        [["2026-01-01", 1], ["north", 2], [3, 4]],
        [["2026-01-01T00:00:00+14:00", 1], ["2026-01-01", 2]],
        [[1e15, -1e15], [-1e15, 1e15]],
        [[1, 0], [1, 0]],
        [["$\\frac{1}$ _^ \u6f22 \u202e", 1]],
    ],
)
@pytest.mark.parametrize("kind", ["line", "scatter"])
def test_odd_scales_are_drawn(points: list[Any], kind: str) -> None:
    assert described(AXES | {"type": kind, "data": {"a": points}})


def results() -> dict[str, Any]:
    more = {
        "line": LINE,
        "bar": BAR,
        "sentiment": {"positive": 3, "negative": 1},
        "tested": [{"test_name": "Sentiment", "values": {"positive": 3}}],
        "table": [{"question": "why", "score": 1}],
    }
    return samples.classification_results(40) | more


@pytest.mark.parametrize(
    ("path", "titles"),
    [
        ("modelopgraph.stability.age", ["Stability of age (index 0.156)"]),
        ("modelopgraph.stability.(age)", ["Stability of age (index 0.156)"]),
        ("modelopgraph.groupbias.age_group", ["Disparity of the groups of age_group"]),
        ("modelopgraph.groupbias.*", ["Disparity of the groups of age_group"]),
        ("modelopgraph.bargraph.bar", ["Violations"]),
        ("modelopgraph.bargraph.sentiment", ["sentiment"]),
        ("modelopgraph.bargraph.tested", ["tested"]),
        ("modelopgraph.bargraph.line", ["Violations"]),
        ("modelopgraph.linegraph.*", ["Violations"]),
        ("ModelOpGraph.BarGraph.*", ["Violations"]),
        ("modelopgraph.anything.*", ["Violations", "Violations"]),
    ],
)
def test_a_token_names_what_is_drawn(path: str, titles: list[str]) -> None:
    drawn = requested(parse(path), results())
    assert isinstance(drawn, Pictures)
    assert [picture.title for picture in drawn.shown] == titles


def test_all_features_are_drawn_the_least_stable_first_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MAX_PICTURES", 3)
    drawn = requested(parse("modelopgraph.stability.*"), results())
    assert isinstance(drawn, Pictures)
    assert drawn.shown[0].title == "Stability of duration_months (index 0.345)"
    assert len(drawn.shown) == 3
    assert drawn.left_out == "3 are shown; 38 more features in the test result."


def test_a_value_that_is_no_chart_is_a_table() -> None:
    assert requested(parse("modelopgraph.bargraph.table"), results()) == Grid(
        ["question", "score"], [["why", "1"]], [False, True]
    )


@pytest.mark.parametrize(
    "path",
    [
        "modelopgraph.stability.nothing",
        "modelopgraph.groupbias.gender",
        "modelopgraph.bargraph.nothing",
        "modelopgraph.scatterplot.*",
        "modelopgraph.stability",
        "modelopgraph.stability[0].age",
    ],
)
def test_a_chart_of_nothing_is_absent(path: str) -> None:
    assert requested(parse(path), results()) is ABSENT


@pytest.mark.parametrize(
    ("given", "said"),
    [({"min": 0.9, "max": 1.1}, "Limit ≥ 0.9 and ≤ 1.1."), ({}, "Limit ≥ 0.8."), (None, "Limit ≥ 0.8.")],
)
def test_limits_of_a_disparity_are_those_of_the_result_else_four_fifths(given: Any, said: str) -> None:
    found = results()
    found["bias"][0]["thresholds"] = given
    drawn = requested(parse("modelopgraph.groupbias.*"), found)
    assert isinstance(drawn, Pictures)
    assert said in drawn.shown[0].chart.alt


def test_pictures_have_descriptions_titles_and_numbers_of_their_own() -> None:
    token = "<<modelopgraph.bargraph.bar>>"
    filled = word.fill(
        word.template(
            lambda document: [
                document.add_paragraph(f"Seen {token} twice {token}."),
                document.sections[0].header.paragraphs[0].add_run(token),
                setattr(document.add_paragraph(token), "alignment", 1),
            ]
        ),
        word.sources({"bar": BAR}),
    )
    found = word.pictures(filled)
    assert [picture.get("title") for picture in found] == ["Violations"] * 3
    assert all(picture.get("descr").startswith("Bar chart, Day and Number.") for picture in found)
    assert len({picture.get("id") for picture in found}) == 3
    assert [name for name in word.parts(filled.content) if name.startswith("word/media/")] == ["word/media/chart1.png"]
    document = word.opened(filled)
    assert document.paragraphs[0].text == "Seen  twice ."
    assert [
        str(p.alignment).partition(" ")[0] for p in document.paragraphs if p._p.findall(f".//{qn('w:drawing')}")
    ] == [*("LEFT", "LEFT", "CENTER")]
    assert list(document.sections[0].header.part.element.iter(qn("wp:docPr")))


def test_the_same_graph_makes_the_same_picture() -> None:
    first, second = draw_or_print(LINE, "x"), draw_or_print(dict(LINE), "x")
    assert isinstance(first, Pictures) and isinstance(second, Pictures)
    assert first.shown[0].chart.png == second.shown[0].chart.png
