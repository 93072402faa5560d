"""The part of the document about one family of tests: its question, its chart and the numbers behind its verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from activities.review_document import charts
from activities.review_document.charts import Chart
from activities.review_document.formatting import count, counted, finite, label, number, p_value
from activities.review_document.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone
from activities.review_document.results import (
    GroupDisparity,
    Stability,
    entries,
    group_disparities,
    measured,
    numbers_behind,
    stability,
    values_per_feature,
)
from activities.review_document.review import Review
from activities.review_document.thresholds import Interval, Threshold, standard_thresholds
from activities.review_document.verdicts import Verdict, Word

MAX_ROWS = 50
MAX_BUCKET_TABLES = 3
SMALLEST_SHOWN_GROUP = 10
"""Figures about fewer people than this are left out, because they may tell who somebody is."""

FAIL_FILL = "FBEDE3"

_METRICS = (
    ("auc", "Area under the ROC curve (AUC)"),
    ("accuracy", "Accuracy"),
    ("precision", "Precision"),
    ("recall", "Recall"),
    ("f1_score", "F1 score"),
    ("r2_score", "Coefficient of determination (R²)"),
    ("rmse", "Root mean squared error (RMSE)"),
    ("mae", "Mean absolute error (MAE)"),
)
_TONES = {Word.PASS: Tone.PASS, Word.FAIL: Tone.FAIL, Word.ERROR: Tone.ERROR}


def verdict_text(word: Word) -> Text:
    """A verdict in its word and tone."""
    return Text(word.value, _TONES.get(word, Tone.OTHER))


def write_family(layout: ReviewLayout, review: Review, family: str, verdicts: Sequence[Verdict]) -> None:
    """Everything of one family below its heading."""
    for verdict in verdicts:
        about = f" ({verdict.feature_or_group})" if verdict.feature_or_group else ""
        layout.bullets([[verdict_text(verdict.word), f" – {verdict.test}{about}: {verdict.reason}."]])
    writer = _WRITERS.get(family)
    if writer is not None:
        writer(layout, review)


def _performance(layout: ReviewLayout, review: Review) -> None:
    results = review.test_results
    metrics = pd.Series({name: value for key, name in _METRICS if (value := _metric(results.get(key))) is not None})
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
    total = float(frame.to_numpy().sum())
    frame.index = frame.columns
    return frame / total if total > 0 else None


def _roc(results: Mapping[str, Any]) -> pd.DataFrame | None:
    curve = _chart_data(results, "roc")
    if not isinstance(curve, Mapping):
        return None
    return _numbers({"fpr": curve.get("fpr"), "tpr": curve.get("tpr")})


def _calibration(results: Mapping[str, Any]) -> pd.DataFrame | None:
    bins = _chart_data(results, "calibration")
    rows = [row for row in bins if isinstance(row, Mapping)] if isinstance(bins, list) else []
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
    passes = _disparity_limits()
    known = pd.Series({g.name: g.disparity for g in groups if _shown(g)}, dtype=float)
    if len(known):
        farthest = known.loc[(known - 1).abs().sort_values(ascending=False, kind="stable").index]
        measure = "predicted-positive-rate disparity (1 = same rate as the reference group)"
        chart = charts.limit_bars(farthest, passes, measure=measure, centre=1.0)
        layout.figure(chart, "Disparity of every group against its reference group")
    if groups:
        layout.table(_bias_table(groups, passes))
        _left_out(layout, len(groups), "group")


def _disparity_limits() -> Interval:
    table = standard_thresholds()
    smallest, largest = table.of("bias.smallest_disparity").passes, table.of("bias.largest_disparity").passes
    return Interval(at_least=smallest.at_least, at_most=largest.at_most)


def _shown(group: GroupDisparity) -> bool:
    return group.disparity is not None and (group.count is None or group.count >= SMALLEST_SHOWN_GROUP)


def _bias_table(groups: Sequence[GroupDisparity], passes: Interval) -> Table:
    columns = [
        Column("Protected class", 0.2),
        Column("Group", 0.2),
        Column("Reference group", 0.2),
        Column("Rows", 0.11, Align.NUMBER),
        Column("PPR disparity", 0.14, Align.NUMBER),
        Column("FPR disparity", 0.14, Align.NUMBER),
        Column("Within limits", 0.13),
    ]
    rows: list[Sequence[Inline]] = []
    for group in groups[:MAX_ROWS]:
        if group.count is not None and group.count < SMALLEST_SHOWN_GROUP:
            shown: list[Inline] = [f"< {SMALLEST_SHOWN_GROUP}", "withheld", "withheld", "–"]
        else:
            disparity = number(group.disparity, passes.bounds)
            shown = [
                count(group.count),
                disparity,
                number(group.false_positive_disparity),
                _within(group.disparity, passes),
            ]
        reference = "is the reference" if group.group == group.reference else group.reference or "–"
        rows.append([group.attribute, group.group, reference, *shown])
    return Table(
        "Disparities per group (PPR: predicted positive rate, FPR: false positive rate)",
        "One row per group of a protected class: its reference group, number of rows and disparities.",
        columns,
        rows,
        _fail_fills(rows),
    )


def _within(value: float | None, passes: Interval) -> Inline:
    if value is None:
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
    results, passes = review.test_results, standard_thresholds().of("data_drift.csi").passes
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
    rows: list[Sequence[Inline]] = [
        [
            b.bucket,
            count(b.train_count),
            count(b.eval_count),
            _share(b.train_percent),
            _share(b.eval_percent),
            number(b.psi_calc),
        ]
        for b in feature.buckets[:MAX_ROWS]
    ]
    return Table(
        f"Stability of {feature.feature} (index {number(feature.index)})",
        "One row per bucket: rows and shares in baseline and comparator, and the contribution to the index.",
        columns,
        rows,
    )


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
    if counts is None or len(known) != len(counts) + 1 or (counts.sum() <= 0).any():
        return None
    shares = counts / counts.sum()
    labels = [f"{low:.2f}" for low in known[:-1]]
    return charts.distributions(labels, shares["baseline"].tolist(), shares["comparator"].tolist())


def _score_buckets(scores: Sequence[Stability]) -> Chart | None:
    for score in scores:
        shares = [(b.train_percent or 0.0, b.eval_percent or 0.0) for b in score.buckets]
        if shares:
            baseline, comparator = zip(*shares, strict=True)
            return charts.distributions([b.bucket for b in score.buckets], baseline, comparator)
    return None


def _autocorrelation(layout: ReviewLayout, review: Review) -> None:
    threshold = standard_thresholds().of("autocorrelation.durbin_watson")
    for verdict in review.verdicts:
        if verdict.threshold_id == threshold.id and verdict.value is not None and verdict.value in threshold.possible:
            chart = charts.scale(verdict.value, threshold.passes, threshold.possible, measure="Durbin-Watson statistic")
            layout.figure(chart, "Durbin-Watson statistic on its scale from 0 to 4")


def _p_values(family: str) -> Callable[[ReviewLayout, Review], None]:
    """Writes the p-values of a family as bars against their common limit."""

    def write(layout: ReviewLayout, review: Review) -> None:
        judged = [v for v in review.verdicts if v.family == family and v.word in (Word.PASS, Word.FAIL)]
        if judged:
            values = pd.Series({v.test.removesuffix(" p-value"): v.value for v in judged}, dtype=float)
            passes = standard_thresholds().of(judged[0].threshold_id).passes
            layout.figure(
                charts.limit_bars(values, passes, measure="p-value", printed=p_value),
                f"{family}: p-values against their limit",
            )

    return write


def _per_feature(threshold_id: str, measure: str, *, ascending: bool) -> Callable[[ReviewLayout, Review], None]:
    """Writes one number per feature as bars and as a table, the most critical first."""

    def write(layout: ReviewLayout, review: Review) -> None:
        threshold = standard_thresholds().of(threshold_id)
        values = numbers_behind(review.test_results, threshold.values or "")
        if not len(values):
            return
        values = values.sort_values(ascending=ascending, kind="stable")
        layout.figure(charts.limit_bars(values, threshold.passes, measure=measure), f"{measure} per feature")
        layout.table(_feature_table(values, threshold, measure))
        _left_out(layout, len(values), "feature")

    return write


def _feature_table(values: pd.Series[float], threshold: Threshold, measure: str) -> Table:
    columns = [Column("Feature", 0.54), Column("Value", 0.22, Align.NUMBER), Column("Within the limit", 0.24)]
    rows: list[Sequence[Inline]] = [
        [str(feature), number(value, threshold.passes.bounds), _within(value, threshold.passes)]
        for feature, value in values[:MAX_ROWS].items()
    ]
    caption = f"{measure} per feature (limit {threshold.passes})"
    return Table(
        caption, "One row per feature: its value and whether it is within the limit.", columns, rows, _fail_fills(rows)
    )


def _left_out(layout: ReviewLayout, total: int, noun: str) -> None:
    if total > MAX_ROWS:
        more = counted(total - MAX_ROWS, f"more {noun}")
        layout.paragraph(f"The table shows {MAX_ROWS}; {more} are in the test result.", "Note")


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
}


def other_results(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Numbers and texts of families that this document does not know, as path and value."""
    found: list[tuple[str, str]] = []
    for key, value in results.items():
        if key in _known_keys() or key.endswith(("_CSI", "_PSI")) or key.startswith(_EXTREMES):
            continue
        if isinstance(value, list | Mapping):
            for position, entry in enumerate(entries(results, key), start=1):
                title = label(entry.get("test_name")) or f"entry {position}"
                values = entry.get("values", entry)
                for name, item in values.items() if isinstance(values, Mapping) else [("values", values)]:
                    found.append((f"{label(key)} / {title} / {label(name)}", _plain(item)))
        else:
            found.append((label(key), _plain(value)))
    return found


def _plain(value: Any) -> str:
    known = finite(value)
    return number(known) if known is not None else label(value) or "–"


@cache
def _known_keys() -> frozenset[str]:
    return frozenset(
        {
            *(threshold.metric for threshold in standard_thresholds().thresholds),
            *(key for key, _ in _METRICS),
            *("performance", "bias", "data_drift", "concept_drift", "stability", "linearity", "multicollinearity"),
            *("normality", "autocorrelation", "homoscedasticity", "charts", "confusion_matrix"),
            *("executionErrors", "executionErrorsCount"),
            *("modelUseCategory", "modelOrganization", "modelRisk", "modelMethodology"),
        }
    )


# Smallest and largest values per family: their features are in the family's own table.
_EXTREMES = ("CSI_", "Bias_", "DataDrift_", "ConceptDrift_", "Linearity_", "Multicollinearity_", "Homoscedasticity_")
