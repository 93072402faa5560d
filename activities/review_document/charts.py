"""The document's charts as PNG images: one per family of tests.

Drawn without pyplot, whose global state grows in a long-lived worker and is not made for threads. The same numbers give
the same bytes: the fonts that come with matplotlib, fixed size and resolution, no metadata. Colours are told apart by
people with any kind of colour vision (Okabe and Ito 2008), and no meaning rests on colour alone.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.transforms import blended_transform_factory

from activities.review_document.formatting import number
from activities.review_document.limits.thresholds import Interval

WIDTH = 6.3
DPI = 150
MAX_BARS = 25
MAX_BUCKETS = 60
FARTHEST = 1e15
"""Numbers beyond this are drawn here: an axis that holds them overflows. The text beside the bar is the number."""
MAX_NAME = 28
CHARACTER = 0.068
"""Average width of a character of the labels, in inches."""

WITHIN = "#0072B2"
OUTSIDE = "#E69F00"
LIMIT = "#B03A00"
INK = "#1F2933"
MUTED = "#52606D"
GRID = "#DDE3E9"
OUTSIDE_HATCH = "////"

FONT = "Review Sans"
_FONT_FILES = {400: "DejaVuSans.ttf", 700: "DejaVuSans-Bold.ttf"}
_NO_GLYPH = "□"

_STYLE = {
    "font.family": FONT,
    # A feature may be called "cost_$_per_$": that is a name and not a formula.
    "text.parse_math": False,
    "font.size": 8,
    "axes.edgecolor": "#9AA5B1",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "text.color": INK,
}
# Styles are matplotlib's global state: one chart at a time.
_ONE_AT_A_TIME = threading.Lock()


def _font_file(weight: int) -> Path:
    return Path(matplotlib.get_data_path(), "fonts", "ttf", _FONT_FILES[weight])


# Under a name of their own: a machine may have other versions of DejaVu installed, which would draw other pixels.
fontManager.ttflist.extend(
    FontEntry(fname=str(_font_file(weight)), name=FONT, weight=weight, size="scalable") for weight in _FONT_FILES
)


@dataclass(frozen=True)
class Chart:
    """An image and the text that stands for it where it cannot be seen."""

    png: bytes
    alt: str


def limit_bars(
    values: pd.Series[float],
    passes: Interval,
    *,
    measure: str,
    centre: float = 0.0,
    printed: Callable[[float, Sequence[float]], str] = number,
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Chart:
    """Horizontal bars with the limits as lines, and their numbers in a column beside them.

    Args:
        values: one number per feature or group, the most important first; 25 are drawn.
        passes: the range of a PASS. Bars that end outside are hatched and in another colour.
        measure: name of the axis.
        centre: where the bars start.
        printed: turns a value and the limits into the bar's number.
        intervals: confidence intervals by name, drawn as whiskers.
    """
    ordered = values.iloc[:MAX_BARS]
    whiskers = [(intervals or {}).get(str(name)) for name in ordered.index]
    ends = [end for whisker in whiskers if whisker for end in whisker]
    lengths = [_drawable(value) for value in ordered]
    numbers = [printed(value, passes.bounds) for value in ordered]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _bars(axes, lengths, centre, passes)
        for row, whisker in enumerate(whiskers):
            if whisker:
                axes.plot(whisker, (row, row), color=INK, linewidth=1, marker="|", markersize=5)
        _label_rows(figure, axes, [str(name) for name in ordered.index], numbers)
        _frame(figure, top=0.24, bottom=0.44)
        axes.set_xlabel(measure)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        _leave_room(axes, centre, [*lengths, *map(_drawable, [*passes.bounds, *ends])])
        _limit_lines(axes, passes)
        if centre:
            axes.axvline(centre, color=MUTED, linewidth=0.8)

    height = 0.85 + 0.215 * len(ordered)
    limit = f" Limit {passes}." if passes.bounds else ""
    left_out = f" The first {len(ordered)} of {len(values)} are shown." if len(values) > len(ordered) else ""
    listed = "; ".join(f"{name} {text}" for name, text in zip(ordered.index, numbers, strict=True))
    return Chart(png_of(draw, height), f"Bar chart, {measure}.{limit}{left_out} {listed}.")


def scale(value: float, passes: Interval, possible: Interval, *, measure: str) -> Chart:
    """One number on its scale, with the range of a PASS shaded."""
    low = possible.bounds[0] if possible.bounds else min(0.0, value)
    high = max([value, *possible.bounds, *passes.bounds])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        start = max([low, *(bound for bound in (passes.at_least, passes.above) if bound is not None)])
        end = min([high, *(bound for bound in (passes.at_most, passes.below) if bound is not None)])
        if passes.bounds:
            axes.axvspan(start, end, ymin=0.3, ymax=0.62, color=WITHIN, alpha=0.18, linewidth=0)
            axes.text((start + end) / 2, 0.46, "PASS", ha="center", va="center", color=WITHIN, fontsize=7.5)
        axes.plot([value], [0.7], marker="v", markersize=9, color=WITHIN if value in passes else LIMIT, clip_on=False)
        axes.text(value, 0.86, number(value, passes.bounds), ha="center", va="bottom", fontweight="bold")
        axes.set_xlim(low, high)
        axes.set_ylim(0.25, 1.1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(measure)
        figure.subplots_adjust(left=0.03, right=0.97)
        _frame(figure, top=0.02, bottom=0.42)

    limit = f" with the limit {passes}" if passes.bounds else ""
    return Chart(png_of(draw, 1.15), f"{measure}: {number(value, passes.bounds)} on a scale{limit}.")


def classification(matrix: pd.DataFrame | None, roc: pd.DataFrame | None, calibration: pd.DataFrame | None) -> Chart:
    """Confusion matrix, ROC curve and calibration side by side, as far as the result carries them.

    Args:
        matrix: shares of all rows; index actual class, columns predicted class.
        roc: columns `fpr` and `tpr`.
        calibration: columns `mean_score` and `observed_rate`.
    """
    panels: list[tuple[str, Callable[[Axes], None]]] = []
    if matrix is not None:
        panels.append((_matrix_alt(matrix), lambda axes: _matrix(axes, matrix)))
    if roc is not None:
        panels.append(("the ROC curve against the diagonal of chance", lambda axes: _roc(axes, roc)))
    if calibration is not None:
        alt = "observed rate against mean score in bins, with the diagonal of perfect calibration"
        panels.append((alt, lambda axes: _calibration(axes, calibration)))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(1, max(len(panels), 2), squeeze=False)[0]
        for axes, (_, panel) in zip(grid, panels, strict=False):
            panel(axes)
        for axes in grid[len(panels) :]:
            axes.set_visible(False)
        figure.subplots_adjust(left=0.115, right=0.97, wspace=0.42)
        _frame(figure, top=0.26, bottom=0.48)

    return Chart(png_of(draw, 2.45), f"Charts: {'; '.join(alt for alt, _ in panels)}.")


def metric_bars(values: pd.Series[float]) -> Chart:
    """Metrics between 0 and 1 as labelled bars."""
    names, numbers = [str(name) for name in values.index], [number(value) for value in values]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        _bars(axes, list(values), 0.0, Interval())
        _label_rows(figure, axes, names, numbers)
        _frame(figure, top=0.08, bottom=0.3)
        _leave_room(axes, 0.0, list(values))

    listed = "; ".join(f"{name} {text}" for name, text in zip(names, numbers, strict=True))
    return Chart(png_of(draw, 0.6 + 0.23 * len(values)), f"Bar chart of metrics. {listed}.")


def distributions(
    labels: Sequence[str],
    baseline: Sequence[float],
    comparator: Sequence[float],
    *,
    withheld: Sequence[bool] = (),
) -> Chart:
    """Shares of rows per bucket in the baseline and in the comparator.

    Buckets that are `withheld` have a mark and no bars, in the picture and in its description. Of more than 60 buckets
    the first ones are shown.
    """
    total, labels = len(labels), labels[:MAX_BUCKETS]
    known = [not hidden for hidden in withheld or [False] * total][:MAX_BUCKETS]
    baseline, comparator = (
        [share if shown else 0.0 for share, shown in zip(shares, known, strict=False)]
        for shares in (baseline, comparator)
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(labels))
        for place in places[~np.array(known)]:
            axes.text(place, 0, "  withheld", rotation=90, ha="center", va="bottom", color=MUTED, fontsize=6.5)
        axes.bar(places - 0.2, baseline, 0.4, color=WITHIN, label="baseline")
        axes.bar(
            places + 0.2,
            comparator,
            0.4,
            color=OUTSIDE,
            edgecolor=INK,
            linewidth=0.4,
            hatch=OUTSIDE_HATCH,
            label="comparator",
        )
        every = max(len(labels) // 10, 1)
        shown = [fitting_name(text, 18) for text in labels][::every]
        upright = max(map(len, shown)) <= 5
        axes.set_xticks(places[::every], shown, rotation=0 if upright else 30, ha="center" if upright else "right")
        axes.set_xlabel("score")
        axes.set_ylabel("share of rows")
        axes.yaxis.set_major_formatter(percent)
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        axes.legend(loc="lower left", ncols=2, bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
        figure.subplots_adjust(left=0.085, right=0.985)
        _frame(figure, top=0.24, bottom=0.44 if upright else 0.85)

    rows = zip(labels, baseline, comparator, known, strict=True)
    listed = "; ".join(f"{text} {b:.1%} and {c:.1%}" if shown else f"{text} withheld" for text, b, c, shown in rows)
    first = f" The first {len(labels)} of {total:,} buckets are shown." if total > len(labels) else ""
    return Chart(png_of(draw, 2.5), f"Score distribution, share of rows in baseline and comparator.{first} {listed}.")


def _matrix(axes: Axes, matrix: pd.DataFrame) -> None:
    shares = matrix.to_numpy(dtype=float)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(float(shares.max()) * 1.25, 1e-9), aspect="auto")
    middle = float(shares.max()) * 0.7
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > middle else INK
        axes.text(column, row, f"{share:.1%}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(matrix.shape[1]), [fitting_name(str(c), 12) for c in matrix.columns])
    axes.set_yticks(range(matrix.shape[0]), [fitting_name(str(i), 12) for i in matrix.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted class", ylabel="actual class", title="Confusion matrix")


def _matrix_alt(matrix: pd.DataFrame) -> str:
    classes = [str(name) for name in matrix.columns]
    cells = [
        f"actual {classes[row]}, predicted {classes[column]} {share:.1%}"
        for (row, column), share in np.ndenumerate(matrix.to_numpy(dtype=float))
    ]
    return f"confusion matrix in shares of all rows ({', '.join(cells)})"


def _roc(axes: Axes, roc: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
    axes.plot(roc["fpr"], roc["tpr"], color=WITHIN, linewidth=1.6)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate", title="ROC curve")
    axes.grid(color=GRID, linewidth=0.6)


def _calibration(axes: Axes, bins: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
    axes.plot(bins["mean_score"], bins["observed_rate"], color=LIMIT, linewidth=1.2, marker="o", markersize=3.5)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="mean score", ylabel="observed rate", title="Calibration")
    axes.grid(color=GRID, linewidth=0.6)


def _bars(axes: Axes, values: Sequence[float], centre: float, passes: Interval) -> None:
    """One bar per row; those that end outside of the limits are hatched."""
    rows = range(len(values))
    within = [row for row in rows if values[row] in passes]
    outside = [row for row in rows if values[row] not in passes]
    # Two calls and not one per row: each of them lays out the whole axes.
    looks: list[tuple[list[int], dict[str, Any]]] = [
        (within, {"color": WITHIN, "edgecolor": WITHIN}),
        (outside, {"color": OUTSIDE, "edgecolor": INK, "hatch": OUTSIDE_HATCH}),
    ]
    for drawn, look in looks:
        lengths = [values[row] - centre for row in drawn]
        axes.barh(drawn, lengths, left=centre, height=0.66, linewidth=0.4, **look)


def _drawable(value: float) -> float:
    return min(max(value, -FARTHEST), FARTHEST)


def _limit_lines(axes: Axes, passes: Interval) -> None:
    bounds = [bound for bound in passes.bounds if abs(bound) <= FARTHEST]
    low, high = axes.get_xlim()
    # Names of limits that lie close together are set apart from each other.
    close = len(bounds) == 2 and bounds[1] - bounds[0] < 0.18 * (high - low)
    for bound, side in zip(bounds, ("right", "left") if close else ("center", "center"), strict=False):
        axes.axvline(bound, color=LIMIT, linewidth=1.1, linestyle="--")
        axes.annotate(
            f"limit {bound:g}".replace("-", "−"),
            (bound, 1),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha=side,
            va="bottom",
            color=LIMIT,
            fontsize=7,
        )


def _label_rows(figure: Figure, axes: Axes, names: Sequence[str], numbers: Sequence[str]) -> None:
    """Names left of the bars, numbers right of them, where neither bar nor line runs through; and room for both."""
    shown = [fitting_name(text) for text in names]
    axes.set_yticks(range(len(shown)), shown)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    room = 0.2 + CHARACTER * max(map(len, numbers))
    column = 1 - 0.08 / WIDTH
    for row, text in enumerate(numbers):
        place = blended_transform_factory(figure.transFigure, axes.transData)
        axes.text(column, row, text, ha="right", va="center", fontsize=7.5, transform=place)
    inches = max(0.15 + CHARACTER * max(map(len, shown)), 0.4)
    figure.subplots_adjust(left=inches / WIDTH, right=1 - room / WIDTH)


def _frame(figure: Figure, *, top: float, bottom: float) -> None:
    """Margins above and below the axes, in inches: a layout engine would draw every chart twice to find them."""
    height = figure.get_figheight()
    figure.subplots_adjust(top=1 - top / height, bottom=bottom / height)


def _leave_room(axes: Axes, centre: float, shown: Sequence[float]) -> None:
    """Limits of the axis: every bar, whisker and limit line, and a little room beyond them."""
    low, high = min(centre, *shown), max(centre, *shown)
    room = (high - low or 1.0) * 0.03
    axes.set_xlim(low - room if low < centre else low, high + room)


def percent(share: float, _: float = 0.0) -> str:
    """A share on an axis, with the decimals that tell one tick from the next."""
    return f"{100 * share:g}%"


def fitting_name(text: str, limit: int = MAX_NAME) -> str:
    """A name that fits, with a box for every character that the font does not have; tables hold the whole name."""
    known = "".join(c if ord(c) in _glyphs() else _NO_GLYPH for c in text)
    return known if len(known) <= limit else known[: limit - 1] + "…"


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(FT2Font(str(_font_file(400))).get_charmap())


@contextmanager
def _style() -> Iterator[None]:
    with _ONE_AT_A_TIME, matplotlib.style.context(["default", _STYLE]):
        yield


def png_of(draw: Callable[[Figure], None], height: float) -> bytes:
    """The PNG of what `draw` puts on a figure of the page's width and so many inches of height."""
    with _style():
        figure = Figure(figsize=(WIDTH, height), dpi=DPI)
        FigureCanvasAgg(figure)
        draw(figure)
        target = io.BytesIO()
        metadata: dict[str, Any] = {"Software": None}
        figure.savefig(target, format="png", metadata=metadata)
        return target.getvalue()
