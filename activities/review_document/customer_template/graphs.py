"""The charts that a template asks for: `<<modelopgraph...>>`, and the graph objects that monitors put into results.

A graph object is `{"title", "x_axis_label", "y_axis_label", "data": {series: values}, "categories"?, "rotated"?,
"type"?}`. With `[x, y]` pairs it is a line chart or, of type `scatter`, a scatter chart; with plain numbers it is a bar
chart, lying where `rotated` is true. Every other type, and whatever cannot be drawn, is printed as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pandas as pd

from activities.review_document import charts
from activities.review_document.charts import Chart
from activities.review_document.customer_template.graph_drawing import Graph, Kind, bars, drawable, drawn, points
from activities.review_document.customer_template.grids import Grid, grid, printed
from activities.review_document.customer_template.tokens import ABSENT, Absent, Key, Token
from activities.review_document.formatting import clean, counted, finite, label, number
from activities.review_document.limits.thresholds import Interval
from activities.review_document.results import GroupDisparity, Stability, entries, group_disparities, stability

MAX_PICTURES = 25
"""Charts that one token draws; the least stable features come first."""

FOUR_FIFTHS: Final = 0.8
"""The disparity under which a group counts as disadvantaged, if the result names no limits (29 CFR 1607.4 D)."""

ALL: Final = "*"

_TYPES = {"line": Kind.LINE, "spline": Kind.LINE, "bar": Kind.BAR, "scatter": Kind.SCATTER}
_TOKEN_KINDS = {
    "linegraph": {Kind.LINE},
    "bargraph": {Kind.BAR, Kind.HORIZONTAL_BAR},
    "scatterplot": {Kind.SCATTER},
}

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A chart with its title."""

    title: str
    chart: Chart


@dataclass(frozen=True)
class Pictures:
    """What a token draws; `left_out` says in words what it does not."""

    shown: Sequence[Picture]
    left_out: str = ""


def is_graph(value: Any) -> bool:
    """Whether a value of a result is a graph object."""
    named = ("title", "x_axis_label", "y_axis_label")
    return isinstance(value, Mapping) and isinstance(value.get("data"), Mapping) and any(key in value for key in named)


def draw_or_print(value: Mapping[str, Any], name: str) -> Pictures | Grid | str:
    """A graph object as a chart, and as a table where it is of another kind or holds nothing to draw."""
    graph = _graph_object(value, name)
    return Pictures([_picture(graph)]) if graph else _as_table(value)


def requested(token: Token, results: Mapping[str, Any]) -> Pictures | Grid | str | Absent:
    """What a `modelopgraph` token stands for.

    `stability.<feature>` is the distribution of a feature in baseline and comparator, `groupbias.<class>` the disparity
    of the groups of a protected class; `*` draws all of them. Any other kind, such as `bargraph.<name>`, is the value
    of that name in the results.

    Args:
        results: the `testResults`, without what must not be printed.
    """
    names = [step.name for step in token.steps if isinstance(step, Key)]
    if len(names) != len(token.steps) or len(names) < 2:
        return ABSENT
    kind, name = names[0].casefold(), ".".join(names[1:])
    if kind == "stability":
        return _chosen(name, {s.feature: s for s in stability(results) if s.buckets}, _stability, "feature")
    if kind == "groupbias":
        return _chosen(name, _by_class(results), _group_bias, "class")
    if name == ALL:
        return _chosen(name, _graph_objects(results, _TOKEN_KINDS.get(kind, set(Kind))), _picture, "graph")
    return _named(name, Key(name).of(results))


def _chosen(name: str, found: Mapping[str, T], draw: Callable[[T], Picture], noun: str) -> Pictures | Absent:
    chosen = list(found.values()) if name == ALL else [found[key] for key in (label(name),) if key in found]
    left = len(chosen) - MAX_PICTURES
    more = f"{MAX_PICTURES} are shown; {counted(left, f'more {noun}')} in the test result." if left > 0 else ""
    return Pictures([draw(item) for item in chosen[:MAX_PICTURES]], more) if chosen else ABSENT


def _named(name: str, value: Any) -> Pictures | Grid | str | Absent:
    if value is ABSENT or value is None:
        return ABSENT
    if is_graph(value):
        return draw_or_print(value, name)
    graph = _bars_of_numbers(value, name)
    return Pictures([_picture(graph)]) if graph else printed(value)


def _picture(graph: Graph) -> Picture:
    return Picture(graph.title, drawn(graph))


def _stability(feature: Stability) -> Picture:
    sides = {
        "baseline": [bucket.train_percent for bucket in feature.buckets],
        "comparator": [bucket.eval_percent for bucket in feature.buckets],
    }
    series, ticks, left_out = bars(sides, [bucket.bucket for bucket in feature.buckets])
    title = f"Stability of {feature.feature} (index {number(feature.index)})"
    return _picture(Graph(Kind.BAR, title, "bucket", "share of rows", series, ticks, left_out, shares=True))


def _by_class(results: Mapping[str, Any]) -> dict[str, tuple[Interval, list[GroupDisparity]]]:
    """The groups of every protected class that have a disparity, with the limits of it."""
    limits = {label(entry.get("protected_class")): _limits(entry) for entry in entries(results, "bias")}
    found: dict[str, tuple[Interval, list[GroupDisparity]]] = {}
    for group in group_disparities(results):
        limit = limits.get(group.attribute, Interval(at_least=FOUR_FIFTHS))
        found.setdefault(group.attribute, (limit, []))[1].append(group)
    return {name: found[name] for name in found if any(drawable(group.disparity) for group in found[name][1])}


def _limits(entry: Mapping[str, Any]) -> Interval:
    given = entry.get("thresholds")
    limits = given if isinstance(given, Mapping) else {}
    least = finite(limits.get("min"))
    return Interval(at_least=FOUR_FIFTHS if least is None else least, at_most=finite(limits.get("max")))


def _group_bias(limited: tuple[Interval, list[GroupDisparity]]) -> Picture:
    passes, groups = limited
    known = pd.Series({group.group: group.disparity for group in groups if drawable(group.disparity)}, dtype=float)
    measure = f"disparity by {groups[0].attribute} (1 = same rate as the reference group)"
    chart = charts.limit_bars(known, passes, measure=measure, centre=1.0)
    missing = len(groups) - len(known)
    note = f" {counted(missing, 'group')} without a figure." if missing else ""
    return Picture(f"Disparity of the groups of {groups[0].attribute}", Chart(chart.png, chart.alt + note))


def _bars_of_numbers(value: Any, name: str) -> Graph | None:
    """A bar per field for an object of numbers, or for a test object whose `values` are such an object."""
    entry = value[0] if isinstance(value, list) and len(value) == 1 else value
    values = entry.get("values", entry) if isinstance(entry, Mapping) else None
    if not isinstance(values, Mapping) or not values or not all(map(drawable, values.values())):
        return None
    series, ticks, left_out = bars({label(name): list(values.values())}, [label(key) for key in values])
    return Graph(Kind.BAR, label(name), "", "", series, ticks, left_out)


def _graph_objects(results: Mapping[str, Any], kinds: set[Kind]) -> dict[str, Graph]:
    read = {name: _graph_object(value, name) for name, value in results.items()}
    return {name: graph for name, graph in read.items() if graph and graph.kind in kinds}


def _graph_object(value: Any, name: str) -> Graph | None:
    """A graph object, read; None if it is none, is of a kind that is not drawn, or has no number in it."""
    if not is_graph(value):
        return None
    data = {label(key): items for key, items in value["data"].items() if isinstance(items, list) and items}
    kind = _kind(value, data) if data else None
    if kind is None:
        return None
    given = value.get("categories")
    categories = [label(category) for category in given] if isinstance(given, list) else []
    upright_or_lying = kind in (Kind.BAR, Kind.HORIZONTAL_BAR)
    series, ticks, left_out = bars(data, categories) if upright_or_lying else points(data, categories)
    x_label, y_label = label(value.get("x_axis_label")), label(value.get("y_axis_label"))
    title = clean(value.get("title"), 120) or label(name)
    return Graph(kind, title, x_label, y_label, series, ticks, left_out) if any(s.points for s in series) else None


def _kind(value: Mapping[str, Any], data: Mapping[str, list[Any]]) -> Kind | None:
    said = value.get("type")
    kind = _TYPES.get(said.casefold()) if isinstance(said, str) else None
    if said and kind is None:
        return None
    pairs = all(_is_pair(item) for items in data.values() for item in items)
    if kind is None:
        kind = Kind.LINE if pairs else Kind.BAR
    # A bar stands for one number; a pair is none.
    if kind is Kind.BAR and pairs:
        return None
    return Kind.HORIZONTAL_BAR if kind is Kind.BAR and value.get("rotated") is True else kind


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == 2


def _as_table(value: Mapping[str, Any]) -> Grid | str:
    """The data of a graph object: a column per series, or a row per pair."""
    data = {name: items for name, items in value["data"].items() if isinstance(items, list)}
    if not data or len(data) != len(value["data"]):
        return printed(value["data"])
    if all(_is_pair(item) for items in data.values() for item in items):
        headings = ["Series", label(value.get("x_axis_label")) or "x", label(value.get("y_axis_label")) or "y"]
        rows = [[name, *item] for name, items in data.items() for item in items]
        return grid(headings, rows, len(rows))
    longest = max(map(len, data.values()))
    given = value.get("categories")
    categories = given if isinstance(given, list) else []
    names = [*categories[:longest], *range(len(categories) + 1, longest + 1)]
    rows = [
        [name, *(items[place] if place < len(items) else None for items in data.values())]
        for place, name in enumerate(names)
    ]
    return grid([label(value.get("x_axis_label")) or "", *data], rows, longest)
