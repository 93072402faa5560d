"""Draws lines, bars and points in the look of the review document's charts, and says in words what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from activities.review_document.charts import CHARACTER, GRID, INK, WIDTH, Chart, fitting_name, percent, png_of
from activities.review_document.customer_template.grids import plain_text
from activities.review_document.formatting import finite, label

MAX_SERIES = 8
MAX_CATEGORIES = 40
MAX_POINTS = 2000
MAX_TICKS = 12
MAX_DESCRIBED = 40
MAX_NAME = 24
LARGEST: Final = 1e15
"""Numbers beyond cannot be told apart on an axis."""

# Okabe and Ito 2008; the yellow and the black of their palette are replaced, which vanish on paper or beside text.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8C7A00", "#4D4D4D")
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----", "++++", "oooo")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")
_SECONDS_A_DAY = 86_400


class Kind(StrEnum):
    """The kinds that are drawn; the values are words of their descriptions."""

    LINE = "Line chart"
    BAR = "Bar chart"
    HORIZONTAL_BAR = "Horizontal bar chart"
    SCATTER = "Scatter chart"


Point = tuple[float, float]
Tick = tuple[float, str]


@dataclass(frozen=True)
class Series:
    """The points of one name. For bars, x is the place of the category, counted from 0."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Graph:
    """A chart to be drawn.

    Attributes:
        ticks: names on the x axis; without them it is a scale of numbers.
        left_out: what is not drawn, in a sentence.
        shares: whether y is a share, printed in percent.
    """

    kind: Kind
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    ticks: Sequence[Tick] = ()
    left_out: str = ""
    shares: bool = False


def drawable(value: Any) -> bool:
    """Whether the value is a number that has a place on an axis."""
    known = finite(value)
    return known is not None and abs(known) <= LARGEST


def bars(data: Mapping[str, Sequence[Any]], categories: Sequence[str]) -> tuple[list[Series], list[Tick], str]:
    """Series, names of the axis and what is left out, for one list of numbers per series.

    A category without a name gets its number. What is not a number has no bar.
    """
    longest = max(map(len, data.values()))
    names = [*categories[:longest], *(str(place + 1) for place in range(len(categories), longest))]
    series = [
        Series(name, [(float(place), float(value)) for place, value in enumerate(values) if drawable(value)])
        for name, values in _first(data, MAX_CATEGORIES).items()
    ]
    ticks = [(float(place), name) for place, name in enumerate(names[:MAX_CATEGORIES])]
    return series, ticks, _left_out(len(data), longest, MAX_CATEGORIES, "categories")


def points(data: Mapping[str, Sequence[Any]], categories: Sequence[str]) -> tuple[list[Series], list[Tick], str]:
    """Series, names of the axis and what is left out, for lists of `[x, y]` pairs or of numbers.

    Plain numbers stand one after the other. Dates are placed in time, and any other text in the order of appearance.
    """
    longest = max(map(len, data.values()))
    pairs = {name: _pairs(items, categories) for name, items in _first(data, MAX_POINTS).items()}
    places, ticks = _scale([x for items in pairs.values() for x, _ in items])
    series = [Series(name, [(places[_key(x)], y) for x, y in items]) for name, items in pairs.items()]
    return series, ticks, _left_out(len(data), longest, MAX_POINTS, "points of each series")


def _first(data: Mapping[str, Sequence[Any]], count: int) -> dict[str, Sequence[Any]]:
    return {name: items[:count] for name, items in list(data.items())[:MAX_SERIES]}


def _left_out(series: int, longest: int, limit: int, noun: str) -> str:
    parts = [f"{MAX_SERIES} of {series} series"] if series > MAX_SERIES else []
    parts += [f"the first {limit:,} of {longest:,} {noun}"] if longest > limit else []
    return f"Shown are {' and '.join(parts)}." if parts else ""


def _pairs(items: Sequence[Any], categories: Sequence[str]) -> list[tuple[Any, float]]:
    names = [*categories[: len(items)], *range(len(categories) + 1, len(items) + 1)]
    pairs = [
        item if isinstance(item, list) and len(item) == 2 else (name, item)
        for name, item in zip(names, items, strict=True)
    ]
    return [(x, float(y)) for x, y in pairs if drawable(y) and (drawable(x) or isinstance(x, str))]


def _key(x: Any) -> str:
    return x if isinstance(x, str) else repr(float(x))


def _scale(values: Sequence[Any]) -> tuple[dict[str, float], list[Tick]]:
    """The place of every x on the axis, and the names to be written there."""
    if all(not isinstance(x, str) for x in values):
        return {_key(x): float(x) for x in values}, []
    days = {_key(x): _day(x) for x in values}
    known = {x: day for x, day in days.items() if day is not None}
    if len(known) == len(days):
        return known, _dates(known)
    places = {x: float(place) for place, x in enumerate(dict.fromkeys(map(_key, values)))}
    return places, [(place, label(x)) for x, place in _spread(list(places.items()))]


def _spread(values: list[Any]) -> list[Any]:
    """At most twelve of the values at equal distances, the first and the last among them."""
    if len(values) <= MAX_TICKS:
        return values
    return [values[round(step * (len(values) - 1) / (MAX_TICKS - 1))] for step in range(MAX_TICKS)]


def _day(x: Any) -> float | None:
    """ISO 8601 text as days since 1970; a time without zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(x) if isinstance(x, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / _SECONDS_A_DAY


def _dates(days: Mapping[str, float]) -> list[Tick]:
    """Dates as they were written, with hours and minutes where several are of one day."""
    written = {day: text for text, day in sorted(days.items(), reverse=True)}
    shown = _spread(sorted(written))
    width = 10 if len({written[day][:10] for day in shown}) == len(shown) else 16
    return [(day, label(written[day][:width].replace("T", " "))) for day in shown]


def drawn(graph: Graph) -> Chart:
    """The chart as a picture, with a description that lists its numbers as far as there is room."""
    lying = graph.kind is Kind.HORIZONTAL_BAR
    height = 0.95 + 0.2 * len(graph.ticks) * max(len(graph.series), 1) if lying else 2.9

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_title(fitting_name(graph.title, 90), pad=22 if len(graph.series) > 1 else 6)
        for place, series in enumerate(graph.series):
            _DRAWERS[graph.kind](axes, graph, place, series)
        if len(graph.series) > 1:
            axes.legend(loc="lower left", ncols=4, bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
        (_name_lying if lying else _name_upright)(figure, axes, graph)
        # Half of the last name on the axis stands beyond its end.
        figure.subplots_adjust(right=0.945, top=1 - (0.5 if len(graph.series) > 1 else 0.28) / height)

    return Chart(png_of(draw, min(height, 8.5)), _description(graph))


def _bar(axes: Axes, graph: Graph, place: int, series: Series) -> None:
    thick = 0.8 / len(graph.series)
    shift = (place - (len(graph.series) - 1) / 2) * thick
    places, heights = [x + shift for x, _ in series.points], [y for _, y in series.points]
    look: dict[str, Any] = {"color": _COLOURS[place], "hatch": _HATCHES[place], "edgecolor": INK, "linewidth": 0.4}
    if graph.kind is Kind.HORIZONTAL_BAR:
        axes.barh(places, heights, thick, label=fitting_name(series.name, MAX_NAME), **look)
    else:
        axes.bar(places, heights, thick, label=fitting_name(series.name, MAX_NAME), **look)


def _line(axes: Axes, graph: Graph, place: int, series: Series) -> None:
    xs, ys = zip(*sorted(series.points), strict=True) if series.points else ((), ())
    marker = _MARKERS[place] if len(xs) <= MAX_CATEGORIES else None
    style = _LINES[place % len(_LINES)]
    name = fitting_name(series.name, MAX_NAME)
    axes.plot(xs, ys, style, color=_COLOURS[place], marker=marker, markersize=3.5, linewidth=1.4, label=name)


def _scatter(axes: Axes, graph: Graph, place: int, series: Series) -> None:
    xs, ys = zip(*series.points, strict=True) if series.points else ((), ())
    name = fitting_name(series.name, MAX_NAME)
    axes.scatter(xs, ys, s=16, color=_COLOURS[place], marker=_MARKERS[place], label=name, linewidths=0)


_DRAWERS = {Kind.BAR: _bar, Kind.HORIZONTAL_BAR: _bar, Kind.LINE: _line, Kind.SCATTER: _scatter}


def _name_upright(figure: Figure, axes: Axes, graph: Graph) -> None:
    shown = _spread(list(graph.ticks)) if len(graph.ticks) > MAX_CATEGORIES // 2 else list(graph.ticks)
    names = [fitting_name(name, 18) for _, name in shown]
    level = sum(map(len, names)) * CHARACTER + 0.1 * len(names) < WIDTH * 0.85
    if shown:
        side = "center" if level else "right"
        axes.set_xticks([place for place, _ in shown], names, rotation=0 if level else 30, ha=side)
    axes.set(xlabel=fitting_name(graph.x_label, 80), ylabel=fitting_name(graph.y_label, 40))
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    if graph.shares:
        axes.yaxis.set_major_formatter(percent)
    figure.subplots_adjust(left=0.115, bottom=0.155 if level else 0.3)


def _name_lying(figure: Figure, axes: Axes, graph: Graph) -> None:
    names = [fitting_name(name, MAX_NAME) for _, name in graph.ticks]
    axes.set_yticks([place for place, _ in graph.ticks], names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    # Lying bars have their categories on the upright axis, and keep the labels that go with them.
    axes.set(xlabel=fitting_name(graph.y_label, 80), ylabel=fitting_name(graph.x_label, 40))
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    margin = 0.45 + CHARACTER * max(map(len, names), default=0)
    figure.subplots_adjust(left=margin / WIDTH, bottom=0.46 / figure.get_figheight())


def _description(graph: Graph) -> str:
    axes = " and ".join(name for name in (graph.x_label, graph.y_label) if name)
    of = f", {axes}" if axes else ""
    listed = " ".join(f"{series.name}: {_listed(graph, series)}." for series in graph.series)
    return " ".join(filter(None, [f"{graph.kind}{of}.", graph.title.rstrip(".") + ".", graph.left_out, listed]))


def _listed(graph: Graph, series: Series) -> str:
    if not series.points:
        return "no number"
    heights = [y for _, y in series.points]
    if len(heights) > MAX_DESCRIBED:
        return f"{len(heights):,} points between {plain_text(min(heights))} and {plain_text(max(heights))}"
    names = dict(graph.ticks)
    return "; ".join(
        f"{names.get(x) or plain_text(x)} {f'{y:.1%}' if graph.shares else plain_text(y)}" for x, y in series.points
    )
