"""Charts: the same pixels everywhere, whatever features are called."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.transforms import Bbox

from activities.review_document import charts
from activities.review_document.limits.thresholds import Interval
from activities.review_document.results import GroupDisparity, disparity_intervals

NAMES = ["cost_$_per_$x^{", "$\\frac$", "特徴量", "a_b%&#<w:t>", "x" * 500, "", "\u202eevil"]


def bars(names: list[str]) -> charts.Chart:
    values = pd.Series({name: 0.05 * place for place, name in enumerate(names)}, dtype=float)
    return charts.limit_bars(values, Interval(at_most=0.2), measure="index")


def test_names_are_names_and_never_formulas_and_unknown_characters_are_boxes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = bars(NAMES)
    assert drawn.png.startswith(b"\x89PNG")
    assert all(name in drawn.alt for name in NAMES)
    assert bars(["特徴量"]).png == bars(["□□□"]).png


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_the_fonts_are_those_that_come_with_matplotlib(weight: str) -> None:
    found = findfont(FontProperties(family=charts.FONT, weight=weight), fallback_to_default=False)
    assert Path(found).is_relative_to(matplotlib.get_data_path())
    assert ("Bold" in found) is (weight == "bold")


def test_a_sites_own_matplotlib_settings_do_not_reach_the_charts() -> None:
    expected = bars(["a", "b"]).png
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 40, "text.parse_math": True}):
        assert bars(["a", "b"]).png == expected


def test_charts_drawn_side_by_side_are_the_same_as_one_by_one() -> None:
    names = [[f"feature_{place}", f"other_{place}"] for place in range(12)]
    expected = [bars(pair).png for pair in names]
    drawn: dict[int, bytes] = {}
    threads = [
        threading.Thread(target=lambda place=place: drawn.update({place: bars(names[place]).png}))
        for place in range(len(names))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [drawn[place] for place in range(len(names))] == expected


def test_without_a_limit_no_bar_is_outside_and_no_limit_is_spoken_of() -> None:
    chart = charts.limit_bars(pd.Series({"a": 5.0}), Interval(), measure="index")
    assert chart.alt == "Bar chart, index. a 5.000."
    assert charts.scale(1.0, Interval(), Interval(at_least=0, at_most=4), measure="DW").alt == "DW: 1.000 on a scale."


def pieces(draw: Callable[[], charts.Chart], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Bbox], list[Bbox]]:
    """Where the texts of a chart stand, and where its bars, whiskers and limit lines do, in pixels."""
    figures: list[Figure] = []
    drawn = charts.png_of

    def kept(paint: Callable[[Figure], None], height: float) -> bytes:
        def paint_and_keep(figure: Figure) -> None:
            paint(figure)
            figures.append(figure)

        return drawn(paint_and_keep, height)

    monkeypatch.setattr(charts, "png_of", kept)
    draw()
    (figure,) = figures
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shown = [tick.label1 for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    texts = [*axes.texts, *axes.get_yticklabels(), *shown]
    extents = [text.get_window_extent() for text in texts if text.get_text()]
    lines = [line.get_window_extent() for line in axes.lines]
    return extents, [bar.get_window_extent() for bar in axes.patches] + [line.padded(1) for line in lines]


WIDE = Interval(at_least=0.8, at_most=1.2)
CHARTS: dict[str, Callable[[], charts.Chart]] = {
    "a short bar inside of its interval": lambda: charts.limit_bars(
        pd.Series({"a": 0.98, "b": 1.35, "reference": 1.0}),
        WIDE,
        measure="disparity",
        centre=1.0,
        intervals={"a": (0.9, 1.1), "b": (0.95, 1.9)},
    ),
    "the longest bar goes to the left": lambda: charts.limit_bars(
        pd.Series({"duration_months": -0.24, "age": 0.055}), Interval(at_least=0.1), measure="correlation"
    ),
    "limits close together": lambda: charts.limit_bars(
        pd.Series({"a": 3.5, "b": 1.0}), Interval(at_least=0.95, at_most=1.05), measure="disparity", centre=1.0
    ),
    "numbers that are long": lambda: charts.limit_bars(
        pd.Series({"": 1e308, "b": -1e308}), Interval(at_least=-0.25), measure="index"
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_no_text_lies_on_a_bar_a_line_or_another_text_or_beyond_the_edge(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, shapes = pieces(CHARTS[name], monkeypatch)
    for place, text in enumerate(texts):
        assert text.x0 >= 0 and text.x1 <= charts.WIDTH * charts.DPI
        assert not any(text.overlaps(other) for other in [*texts[:place], *shapes]), (place, text)


def group(name: str, rows: int, positives: int, disparity: float) -> GroupDisparity:
    return GroupDisparity("age", name, "old", disparity, None, rows, positives)


def test_intervals_of_disparities_are_those_of_a_ratio_of_proportions() -> None:
    # Worked by hand: 40/100 against 200/400 is 0.8; exp(1.96 · sqrt(1/40 − 1/100 + 1/200 − 1/400)) = 1.2960.
    found = disparity_intervals([group("young", 100, 40, 0.8), group("old", 400, 200, 1.0)])
    assert found == {"age: young": (pytest.approx(0.8 / 1.2960, rel=1e-3), pytest.approx(0.8 * 1.2960, rel=1e-3))}


@pytest.mark.parametrize(
    ("rows", "positives", "disparity"), [(100, 40, 0.2), (0, 0, 0.8), (100, 0, 0.0), (100, 140, 2.8)]
)
def test_no_interval_is_made_up_where_the_counts_do_not_yield_the_disparity(
    rows: int, positives: int, disparity: float
) -> None:
    assert disparity_intervals([group("young", rows, positives, disparity), group("old", 400, 200, 1.0)]) == {}


@pytest.mark.parametrize("values", [[1e308, -1e308, 0.2], [1e-320, -1e-310, 0.0], [0.0]])
def test_numbers_of_any_size_have_a_bar_and_their_own_text(values: list[float]) -> None:
    named = pd.Series({f"f{place}": value for place, value in enumerate(values)}, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = charts.limit_bars(named, Interval(at_most=1e308), measure="index")
    assert all(f"f{place} " in chart.alt for place in range(len(values)))


def test_a_score_in_thousands_of_buckets_is_drawn_as_far_as_there_is_room() -> None:
    labels = [str(place) for place in range(50_000)]
    chart = charts.distributions(labels, [1 / 50_000] * 50_000, [1 / 50_000] * 50_000)
    assert "The first 60 of 50,000 buckets are shown." in chart.alt
    assert chart.png == charts.distributions(labels[:60], [1 / 50_000] * 60, [1 / 50_000] * 60).png


def test_ticks_of_shares_are_not_rounded_onto_each_other() -> None:
    assert [charts.percent(share) for share in (0.0, 0.025, 0.05, 0.075, 0.3)] == ["0%", "2.5%", "5%", "7.5%", "30%"]
