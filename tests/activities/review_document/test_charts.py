"""Charts: the same pixels everywhere, whatever features are called."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import matplotlib
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties, findfont

from activities.review_document import charts
from activities.review_document.results import GroupDisparity, disparity_intervals
from activities.review_document.thresholds import Interval

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
