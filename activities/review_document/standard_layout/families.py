"""The part of the document about one family of tests: its question, its chart and the numbers behind its verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from activities.review_document import charts
from activities.review_document.charts import Chart
from activities.review_document.conclusion import numbers_of
from activities.review_document.disclosure import SMALLEST_SHOWN_GROUP, WITHHELD, too_small
from activities.review_document.formatting import count, counted, finite, label, number, p_value
from activities.review_document.limits.thresholds import Interval, standard_thresholds
from activities.review_document.limits.verdict_types import Word
from activities.review_document.masking import masked
from activities.review_document.results import (
    METRICS,
    Bucket,
    GroupDisparity,
    Stability,
    disparity_intervals,
    group_disparities,
    measured,
    numbers_behind,
    stability,
    values_per_feature,
)
from activities.review_document.review import Review
from activities.review_document.standard_layout.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.standard_layout.other_values import personal_data

MAX_ROWS = 50
MAX_BUCKET_TABLES = 3

FAIL_FILL = "FBEDE3"

_TONES = {
    Word.PASS: Tone.PASS,
    Word.FAIL: Tone.FAIL,
    Word.NOT_APPLICABLE: Tone.OTHER,
    Word.INFORMATION: Tone.OTHER,
}


def verdict_text(word: Word) -> Text:
    """A verdict in its word and tone; what nobody has judged looks like an error."""
    return Text(word.value, _TONES.get(word, Tone.ERROR))


def limits_of(review: Review, metric: str) -> Interval:
    """The range of a PASS that the review's table of limits sets for a key of the result; open if it sets none."""
    return review.limits.table.passing(metric) or Interval()


def write_family(layout: ReviewLayout, review: Review, family: str) -> None:
    """Everything of one family below its heading: the verdicts, or that there are none, and the numbers."""
    verdicts = [verdict for verdict in review.verdicts if verdict.family == family]
    for verdict in verdicts:
        about = f" ({verdict.feature_or_group})" if verdict.feature_or_group else ""
        layout.bullets([[verdict_text(verdict.word), f" – {verdict.test}{about}: {verdict.reason}."]])
    if not verdicts:
        layout.paragraph("The table of limits has no rule for these tests; their numbers are printed for information.")
    writer = _WRITERS.get(family)
    if writer is not None:
        writer(layout, review)
    _write_unjudged(layout, review, family)


def _write_unjudged(layout: ReviewLayout, review: Review, family: str) -> None:
    """Numbers that no verdict speaks of: no number of the result may be missing from the document.

    What belongs to a feature or a group stands in the table per feature or group, where small groups are withheld.
    """
    judged = {verdict.threshold_id for verdict in review.verdicts}
    rows: list[Sequence[Inline]] = [
        [threshold.test, (p_value if threshold.p_value else number)(value)]
        for threshold, value in numbers_of(review, family)
        if threshold.values is None and threshold.id not in judged
    ]
    if rows:
        columns = [Column("Test", 0.7), Column("Value", 0.3, Align.NUMBER)]
        layout.table(Table(f"{family}, not judged", "One row per test with its value.", columns, rows))


def _performance(layout: ReviewLayout, review: Review) -> None:
    results = review.test_results
    metrics = pd.Series({name: value for key, name in METRICS if (value := _metric(results.get(key))) is not None})
    matrix, roc, calibration = confusion_matrix(results), _roc(results), _calibration(results)
    if matrix is not None or roc is not None or calibration is not None:
        shown = [("confusion matrix", matrix), ("ROC curve", roc), ("calibration", calibration)]
        names = ", ".join(name for name, frame in shown if frame is not None)
        chart = charts.classification(matrix, roc, calibration)
        layout.figure(chart, f"{names[0].upper()}{names[1:]}, on the comparator data")
    elif len(metrics) and metrics.between(0, 1).all():
        layout.figure(charts.metric_bars(metrics), "Performance metrics, on the comparator data")
    if len(metrics):
        rows: list[Sequence[Inline]] = [[str(name), number(value)] for name, value in metrics.items()]
        columns = [Column("Metric", 0.7), Column("Value", 0.3, Align.NUMBER)]
        layout.table(Table("Performance metrics", "One row per metric with its value.", columns, rows))


def _metric(value: Any) -> float | None:
    """A metric's value; 99 is how the regression monitor says that it has none."""
    known = measured(value)
    return None if known == 99 else known


def confusion_matrix(results: Mapping[str, Any]) -> pd.DataFrame | None:
    """Shares of all rows; index actual class, columns predicted class. None unless it is a square of numbers."""
    raw = results.get("confusion_matrix")
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        return None
    cells = [{label(name): finite(share) for name, share in row.items()} for row in raw]
    frame = pd.DataFrame(cells, dtype=float)
    if frame.empty or frame.isna().any(axis=None) or frame.shape[0] != frame.shape[1] or len(frame) > 10:
        return None
    total = sum(frame.to_numpy().ravel().tolist())
    frame.index = frame.columns
    return frame / total if 0 < total < math.inf and (frame >= 0).all(axis=None) else None


def _roc(results: Mapping[str, Any]) -> pd.DataFrame | None:
    curve = _chart_data(results, "roc")
    if not isinstance(curve, Mapping):
        return None
    return _numbers({"fpr": curve.get("fpr"), "tpr": curve.get("tpr")})


def _calibration(results: Mapping[str, Any]) -> pd.DataFrame | None:
    """Mean score and observed rate per bin; bins with few rows are left out, their rate would tell who they are."""
    bins = _chart_data(results, "calibration")
    rows = [row for row in bins if isinstance(row, Mapping)] if isinstance(bins, list) else []
    rows = [row for row in rows if not too_small(finite(row.get("count")))]
    return _numbers({name: [row.get(name) for row in rows] for name in ("mean_score", "observed_rate")})


def _chart_data(results: Mapping[str, Any], name: str) -> Any:
    found = results.get("charts")
    return found.get(name) if isinstance(found, Mapping) else None


def _numbers(columns: Mapping[str, Any]) -> pd.DataFrame | None:
    """The columns as a frame; None unless they are lists of numbers of the same length, at least two."""
    read = {name: [finite(v) for v in values] if isinstance(values, list) else [] for name, values in columns.items()}
    lengths = {len(values) for values in read.values()}
    if len(lengths) != 1 or lengths.pop() < 2 or any(None in values for values in read.values()):
        return None
    return pd.DataFrame(read, dtype=float)


def _bias(layout: ReviewLayout, review: Review) -> None:
    groups = group_disparities(review.test_results)
    passes = _disparity_limits(review)
    shown = [g for g in groups if not too_small(g.count)]
    intervals = disparity_intervals(shown)
    known = pd.Series({g.name: g.disparity for g in shown if g.disparity is not None}, dtype=float)
    if len(known):
        farthest = known.loc[(known - 1).abs().sort_values(ascending=False, kind="stable").index]
        measure = "predicted-positive-rate disparity (1 = same rate as the reference group)"
        chart = charts.limit_bars(farthest, passes, measure=measure, centre=1.0, intervals=intervals)
        whiskers = ", with 95 % confidence intervals" if intervals else ""
        layout.figure(chart, f"Disparity of every group against its reference group{whiskers}")
    if groups:
        layout.paragraph(_ABOUT_DISPARITIES, "Note", keep_with_next=True)
        layout.table(_bias_table(groups, passes, intervals))
        _left_out(layout, len(groups), "group")


_ABOUT_DISPARITIES = (
    "PPR: predicted positive rate, FPR: false positive rate. Where a monitor takes PPR as the group's share of all "
    "positive predictions, as Aequitas does, its disparity also depends on the size of the group: compare the rows."
)


def _disparity_limits(review: Review) -> Interval:
    smallest, largest = (limits_of(review, f"Bias_{end}PPRDisparityValue") for end in ("min", "max"))
    return Interval(at_least=smallest.at_least, above=smallest.above, at_most=largest.at_most, below=largest.below)


def _bias_table(
    groups: Sequence[GroupDisparity], passes: Interval, intervals: Mapping[str, tuple[float, float]]
) -> Table:
    columns = [
        Column("Protected class", 0.15),
        Column("Group", 0.16),
        Column("Reference group", 0.17),
        Column("Rows", 0.09, Align.NUMBER),
        Column("PPR disparity" + (" (95 % interval)" if intervals else ""), 0.26, Align.NUMBER),
        Column("FPR disparity", 0.12, Align.NUMBER),
        Column("Within limits", 0.11),
    ]
    rows = [_bias_row(group, passes, intervals.get(group.name)) for group in groups[:MAX_ROWS]]
    return Table(
        "Disparities per group",
        "One row per group of a protected class: its reference group, number of rows and disparities.",
        columns,
        rows,
        _fail_fills(rows),
    )


def _bias_row(group: GroupDisparity, passes: Interval, interval: tuple[float, float] | None) -> Sequence[Inline]:
    reference = "is the reference" if group.group == group.reference else group.reference or "–"
    named = [group.attribute, group.group, reference]
    if too_small(group.count):
        return [*named, f"< {SMALLEST_SHOWN_GROUP}", WITHHELD, WITHHELD, "–"]
    spread = f" ({number(interval[0])} to {number(interval[1])})" if interval else ""
    return [
        *named,
        count(group.count),
        number(group.disparity, passes.bounds) + spread,
        number(group.false_positive_disparity),
        _within(group.disparity, passes),
    ]


def _within(value: float | None, passes: Interval) -> Inline:
    if value is None or not passes.bounds:
        return "–"
    return Text("yes", Tone.PASS) if value in passes else Text("no", Tone.FAIL)


def _fail_fills(rows: Sequence[Sequence[Inline]]) -> dict[tuple[int, int], str]:
    return {
        (index, place): FAIL_FILL
        for index, row in enumerate(rows)
        for place, cell in enumerate(row)
        if isinstance(cell, Text) and cell.tone is Tone.FAIL
    }


def _data_drift(layout: ReviewLayout, review: Review) -> None:
    results, passes = review.test_results, limits_of(review, "CSI_maxCSIValue")
    features = [s for s in stability(results) if not s.is_score]
    if features:
        indices = pd.Series({s.feature: s.index for s in features}, dtype=float)
        chart = charts.limit_bars(indices, passes, measure="characteristic stability index (CSI)")
        layout.figure(chart, "Characteristic stability index per feature, largest first")
    frame = pd.DataFrame({"csi": {s.feature: s.index for s in features}}, dtype=float)
    frame = frame.join(values_per_feature(results, "data_drift").rename("ks"), how="outer")
    frame = frame.sort_values("csi", ascending=False, kind="stable", na_position="last")
    if len(frame):
        layout.table(_drift_table(frame, passes))
        _left_out(layout, len(frame), "feature")
    _bucket_tables(layout, [s for s in features if s.buckets])


def _bucket_tables(layout: ReviewLayout, features: Sequence[Stability]) -> None:
    shown, left = features[:MAX_BUCKET_TABLES], len(features) - MAX_BUCKET_TABLES
    if left > 0:
        tables = f"the {len(shown)} least stable features; those of the other {left:,} are in the test result"
        layout.paragraph(f"Stability tables follow for {tables}.", "Note", keep_with_next=True)
    for feature in shown:
        layout.table(_bucket_table(feature))


def _drift_table(frame: pd.DataFrame, passes: Interval) -> Table:
    columns = [
        Column("Feature", 0.46),
        Column("CSI", 0.16, Align.NUMBER),
        Column("Within the limit", 0.18),
        Column("KS p-value", 0.2, Align.NUMBER),
    ]
    rows: list[Sequence[Inline]] = []
    for feature, row in frame.head(MAX_ROWS).iterrows():
        csi, ks = finite(row["csi"]), finite(row["ks"])
        rows.append([str(feature), number(csi, passes.bounds), _within(csi, passes), p_value(ks)])
    return Table(
        "Data drift per feature (KS p-values for information)",
        "One row per feature: stability index, whether it is within the limit, and Kolmogorov-Smirnov p-value.",
        columns,
        rows,
        _fail_fills(rows),
    )


def _bucket_table(feature: Stability) -> Table:
    columns = [
        Column("Bucket", 0.25),
        Column("Baseline rows", 0.13, Align.NUMBER),
        Column("Comparator rows", 0.16, Align.NUMBER),
        Column("Baseline share", 0.13, Align.NUMBER),
        Column("Comparator share", 0.16, Align.NUMBER),
        Column("Contribution", 0.17, Align.NUMBER),
    ]
    rows = [_bucket_row(bucket) for bucket in feature.buckets[:MAX_ROWS]]
    return Table(
        f"Stability of {feature.feature} (index {number(feature.index)})",
        "One row per bucket: rows and shares in baseline and comparator, and the contribution to the index.",
        columns,
        rows,
    )


def _bucket_row(bucket: Bucket) -> Sequence[Inline]:
    """A bucket with its numbers. From a share or a contribution a withheld count could be worked out."""
    few = too_small(bucket.train_count), too_small(bucket.eval_count)
    return [
        masked(bucket.bucket, 80),
        *(f"< {SMALLEST_SHOWN_GROUP}" if small else count(n) for small, n in zip(few, bucket.counts, strict=True)),
        *(WITHHELD if small else _share(s) for small, s in zip(few, bucket.shares, strict=True)),
        WITHHELD if any(few) else number(bucket.psi_calc),
    ]


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _concept_drift(layout: ReviewLayout, review: Review) -> None:
    results = review.test_results
    scores = [s for s in stability(results) if s.is_score]
    chart = _score_histogram(results) or _score_buckets(scores)
    if chart is not None:
        layout.figure(chart, "Distribution of the score in baseline and comparator")
    for score in [s for s in scores if s.buckets][:1]:
        layout.table(_bucket_table(score))
    p_values = values_per_feature(results, "concept_drift")
    if len(p_values):
        rows: list[Sequence[Inline]] = [[str(name), p_value(value)] for name, value in p_values[:MAX_ROWS].items()]
        columns = [Column("Column", 0.7), Column("KS p-value", 0.3, Align.NUMBER)]
        description = "One row per score or label column with its p-value."
        layout.table(Table("Kolmogorov-Smirnov p-values of the outputs (information)", description, columns, rows))


def _score_histogram(results: Mapping[str, Any]) -> Chart | None:
    raw = _chart_data(results, "score_histogram")
    if not isinstance(raw, Mapping):
        return None
    edges = [finite(edge) for edge in raw["edges"]] if isinstance(raw.get("edges"), list) else []
    counts = _numbers({side: raw.get(side) for side in ("baseline", "comparator")})
    known = [edge for edge in edges if edge is not None]
    if counts is None or len(known) != len(counts) + 1 or (counts < 0).any(axis=None):
        return None
    totals = pd.Series({side: sum(counts[side].tolist()) for side in counts.columns}, dtype=float)
    if not totals.between(0, math.inf, inclusive="neither").all():
        return None
    shares = counts / totals
    labels = [f"{low:.2f}" for low in known[:-1]]
    few = counts.map(too_small).any(axis=1).tolist()
    return charts.distributions(labels, shares["baseline"].tolist(), shares["comparator"].tolist(), withheld=few)


def _score_buckets(scores: Sequence[Stability]) -> Chart | None:
    for score in scores:
        shares = [(b.train_percent or 0.0, b.eval_percent or 0.0) for b in score.buckets]
        if shares:
            baseline, comparator = zip(*shares, strict=True)
            few = [any(map(too_small, b.counts)) for b in score.buckets]
            return charts.distributions(
                [masked(b.bucket, 80) for b in score.buckets], baseline, comparator, withheld=few
            )
    return None


def _autocorrelation(layout: ReviewLayout, review: Review) -> None:
    threshold = standard_thresholds().of("autocorrelation.durbin_watson")
    value = measured(review.test_results.get(threshold.metric))
    if value is not None and value in threshold.possible:
        passes = limits_of(review, threshold.metric)
        chart = charts.scale(value, passes, threshold.possible, measure="Durbin-Watson statistic")
        layout.figure(chart, "Durbin-Watson statistic on its scale from 0 to 4")


def _p_values(family: str) -> Callable[[ReviewLayout, Review], None]:
    """Writes the p-values of a family as bars against their common limit."""

    def write(layout: ReviewLayout, review: Review) -> None:
        verdicts = [v for v in review.verdicts if v.family == family and v.word in (Word.PASS, Word.FAIL)]
        judged = [v for v in verdicts if v.value is not None]
        if judged:
            values = pd.Series({v.test.removesuffix(" p-value"): v.value for v in judged}, dtype=float)
            passes = _common_limit(review, family)
            layout.figure(
                charts.limit_bars(values, passes, measure="p-value", printed=p_value),
                f"{family}: p-values against their limit",
            )

    return write


def _common_limit(review: Review, family: str) -> Interval:
    """The limit of all tests of a family; open if they have not got the same one."""
    metrics = [threshold.metric for threshold in standard_thresholds().thresholds if threshold.family == family]
    limits = {limits_of(review, metric) for metric in metrics}
    return limits.pop() if len(limits) == 1 else Interval()


def _per_feature(threshold_id: str, measure: str, *, ascending: bool) -> Callable[[ReviewLayout, Review], None]:
    """Writes one number per feature as bars and as a table, the most critical first."""

    def write(layout: ReviewLayout, review: Review) -> None:
        threshold = standard_thresholds().of(threshold_id)
        values = numbers_behind(review.test_results, threshold.values or "")
        if not len(values):
            return
        passes = limits_of(review, threshold.metric)
        values = values.sort_values(ascending=ascending, kind="stable")
        layout.figure(charts.limit_bars(values, passes, measure=measure), f"{measure} per feature")
        layout.table(_feature_table(values, passes, measure))
        _left_out(layout, len(values), "feature")

    return write


def _feature_table(values: pd.Series[float], passes: Interval, measure: str) -> Table:
    columns = [Column("Feature", 0.54), Column("Value", 0.22, Align.NUMBER), Column("Within the limit", 0.24)]
    rows: list[Sequence[Inline]] = [
        [str(feature), number(value, passes.bounds), _within(value, passes)]
        for feature, value in values[:MAX_ROWS].items()
    ]
    caption = f"{measure} per feature" + (f" (limit {passes})" if passes.bounds else "")
    return Table(
        caption, "One row per feature: its value and whether it is within the limit.", columns, rows, _fail_fills(rows)
    )


def _left_out(layout: ReviewLayout, total: int, noun: str) -> None:
    if total > MAX_ROWS:
        more = counted(total - MAX_ROWS, f"more {noun}")
        layout.paragraph(f"The table shows {MAX_ROWS}; {more} are in the test result.", "Note")


def _personal_data(layout: ReviewLayout, review: Review) -> None:
    rows: list[Sequence[Inline]] = [[kind, found] for kind, found in personal_data(review.test_results)[:MAX_ROWS]]
    if rows:
        columns = [Column("Kind", 0.7), Column("Found", 0.3, Align.NUMBER)]
        layout.table(Table("Personal data by kind; texts are masked", "One row per kind.", columns, rows))


_WRITERS: dict[str, Callable[[ReviewLayout, Review], None]] = {
    "Performance": _performance,
    "Bias": _bias,
    "Data drift": _data_drift,
    "Concept drift": _concept_drift,
    "Autocorrelation": _autocorrelation,
    "Homoscedasticity": _p_values("Homoscedasticity"),
    "Normality": _p_values("Normality"),
    "Linearity": _per_feature("linearity.pearson", "Pearson correlation with the outcome", ascending=True),
    "Multicollinearity": _per_feature("multicollinearity.vif", "Variance inflation factor (VIF)", ascending=False),
    "Personal data": _personal_data,
}
