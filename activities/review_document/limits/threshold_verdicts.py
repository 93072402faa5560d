"""Judges a test result by the standard table of limits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from activities.modelop.monitors import Monitor
from activities.modelop.types import MonitorProblem
from activities.review_document.formatting import (
    NOT_PROVIDED,
    clean,
    count,
    counted,
    finite,
    label,
    number,
    or_gap,
    p_value,
)
from activities.review_document.limits.thresholds import Applies, Extreme, Threshold
from activities.review_document.limits.verdict_types import NOT_JUDGED, NOT_RUN, Verdict, Word
from activities.review_document.results import group_disparities, numbers_behind, regression, stability

NO_RESULT_REPORTED = "the monitor reports that it has no result"
MAX_NAMED = 5
SMALL_GROUP = 30
"""Rates of groups with fewer rows than this are uncertain."""


def chance_limit(baseline: int, comparator: int, buckets: int) -> float | None:
    """What a stability index stays below in 99 of 100 cases when nothing has moved.

    Under no change the index follows about χ²(buckets − 1) · (1/baseline + 1/comparator); the quantile is the
    Wilson-Hilferty approximation. None where the counts are not known.
    """
    if min(baseline, comparator) <= 0 or buckets < 2:
        return None
    freedom = buckets - 1
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + 2.3263 * math.sqrt(spread)) ** 3
    return quantile * (1 / baseline + 1 / comparator)


class ThresholdJudge:
    """Holds one result while its rows are judged.

    Args:
        results: the `testResults` dictionary.
        methodology: the model's methodology.
        failed: monitors that failed to run.
        not_applicable: monitors that do not apply to this model.

    Attributes:
        reported: the failed monitors that have a row so far.
    """

    def __init__(
        self,
        results: Mapping[str, Any],
        methodology: str,
        failed: Sequence[MonitorProblem],
        not_applicable: Sequence[MonitorProblem],
    ) -> None:
        self._results = results
        self._methodology = methodology
        self._kind = Applies.REGRESSION if regression(methodology) else Applies.CLASSIFICATION
        self._failed = failed
        self._not_applicable = not_applicable
        self.reported: set[str] = set()

    def concerns(self, threshold: Threshold) -> bool:
        """Whether the row is printed at all for this kind of model."""
        return self.fits(threshold) or not threshold.omit_otherwise

    def verdict(self, threshold: Threshold) -> Verdict:
        """The row of this threshold."""
        raw = self._raw(threshold)
        value = finite(raw)
        skipped = self._skipped(threshold, value)
        if skipped is not None:
            return skipped
        if value is None:
            return self._error(threshold, f"{NOT_PROVIDED}: {_why_unusable(threshold.metric, raw)}")
        if value not in threshold.possible:
            return self._error(threshold, outside_the_possible(threshold, value), value)
        return self._judged(threshold, value)

    def unjudged(self, threshold: Threshold, reason: str) -> Verdict:
        """The same row without a limit: the number stands there, and why it is not judged."""
        raw = self._raw(threshold)
        value = finite(raw)
        skipped = self._skipped(threshold, value)
        row = skipped or self._row(threshold, Word.NOT_EVALUATED, reason, value)
        return row.model_copy(update={"limit": ""})

    def without_result(self, thresholds: Sequence[Threshold]) -> tuple[Word, str]:
        """What is said of tests whose monitors gave no number."""
        for threshold in thresholds:
            message = self._message(threshold, self._failed)
            if message is not None:
                self.reported.add(threshold.monitor)
                return Word.ERROR, message
        messages = (self._message(threshold, self._not_applicable) for threshold in thresholds)
        return Word.NOT_APPLICABLE, next(filter(None, messages), NO_RESULT_REPORTED)

    def fits(self, threshold: Threshold) -> bool:
        """Whether the test is meant for this kind of model."""
        return threshold.applies in (Applies.ANY, self._kind)

    def meant_for_others(self, threshold: Threshold) -> str:
        """Why a test does not apply that does not fit."""
        kind = "regression" if threshold.applies is Applies.REGRESSION else "classification"
        return f"meant for {kind} models; the methodology of this one is {or_gap(self._methodology, 60)}"

    def _raw(self, threshold: Threshold) -> Any:
        if threshold.metric in self._results or threshold.metric_suffix is None:
            return self._results.get(threshold.metric)
        candidates = [v for k, v in self._results.items() if k.endswith(threshold.metric_suffix)]
        return max(candidates, key=_or_lowest, default=None)

    def _skipped(self, threshold: Threshold, value: float | None) -> Verdict | None:
        """The row of a test that was not run, or did not run; None if there is a number to judge."""
        measured = value is not None and value not in threshold.sentinels
        if not self.fits(threshold):
            reason = self.meant_for_others(threshold)
            return self._row(threshold, Word.NOT_APPLICABLE, reason, value if measured else None)
        if measured:
            return None
        word, reason = self.without_result([threshold])
        if value is None and (word, reason) == (Word.NOT_APPLICABLE, NO_RESULT_REPORTED):
            return None
        return self._row(threshold, word, reason)

    def _message(self, threshold: Threshold, problems: Sequence[MonitorProblem]) -> str | None:
        messages = (clean(p.message) or "no message" for p in problems if p.monitor == threshold.monitor)
        return next(messages, None)

    def _judged(self, threshold: Threshold, value: float) -> Verdict:
        behind = self._behind(threshold)
        outside = [] if behind is None else [str(f) for f, v in behind.items() if v not in threshold.passes]
        subject = self.subject(threshold, value)
        if threshold.information:
            below = f"below {threshold.passes.bounds[0]:g}"
            share = f"{len(outside)} of {counted(len(behind), 'column')} {below}; " if behind is not None else ""
            reason = f"{share}information only, the verdict rests on the stability index"
            return self._row(threshold, Word.INFORMATION, reason, value, subject)
        word = Word.PASS if value in threshold.passes else Word.FAIL
        against = f"{shown(threshold, value, threshold.passes.bounds)} against a limit of {threshold.passes}"
        notes = [against, _named(outside) if word is Word.FAIL else "", self._sample_note(threshold, subject)]
        return self._row(threshold, word, "; ".join(filter(None, notes)), value, subject)

    def _behind(self, threshold: Threshold) -> pd.Series[float] | None:
        return numbers_behind(self._results, threshold.values) if threshold.values else None

    def subject(self, threshold: Threshold, value: float) -> str:
        """The feature or group that the number belongs to: looked up among the entries, else as the result names it."""
        behind = self._behind(threshold)
        if behind is not None and len(behind):
            extreme = str(behind.idxmax() if threshold.extreme is Extreme.LARGEST else behind.idxmin())
            if math.isclose(behind[extreme], value, rel_tol=1e-6, abs_tol=1e-9):
                return extreme
        named = label(self._results.get(threshold.feature_metric or ""))
        return named.removesuffix("_CSI")

    def _sample_note(self, threshold: Threshold, subject: str) -> str:
        """Says where a sample is small, and how much of a stability index chance alone explains."""
        if threshold.monitor is Monitor.BIAS:
            sizes = {group.name: group.count for group in group_disparities(self._results)}
            rows = sizes.get(subject)
            return "" if rows is None or rows >= SMALL_GROUP else f"the group has fewer than {SMALL_GROUP} rows"
        if threshold.monitor is not Monitor.STABILITY:
            return ""
        for feature in stability(self._results):
            chance = chance_limit(*feature.counts, len(feature.buckets))
            judged = feature.feature == subject if subject else feature.is_score
            if judged and chance is not None:
                baseline, comparator = feature.counts
                return (
                    f"{baseline:,} baseline and {comparator:,} comparator rows, "
                    f"where chance alone reaches {number(round(chance, 3))}"
                )
        return ""

    def _error(self, threshold: Threshold, reason: str, value: float | None = None) -> Verdict:
        return self._row(threshold, Word.ERROR, reason, value)

    def _row(
        self, threshold: Threshold, word: Word, reason: str, value: float | None = None, subject: str = ""
    ) -> Verdict:
        consequences = {Word.FAIL: threshold.consequence, Word.ERROR: NOT_RUN, Word.NOT_EVALUATED: NOT_JUDGED}
        return Verdict(
            threshold_id=threshold.id,
            category=threshold.category,
            family=threshold.family,
            test=threshold.test,
            feature_or_group=subject,
            value=value,
            value_text=shown(threshold, value, threshold.passes.bounds),
            limit="" if threshold.information else str(threshold.passes),
            word=word,
            reason=reason,
            consequence=consequences.get(word, ""),
        )


def _or_lowest(value: Any) -> float:
    known = finite(value)
    return -math.inf if known is None else known


def shown(threshold: Threshold | None, value: float | None, limits: Iterable[float]) -> str:
    """The number as it is printed: with its unit, and never rounded onto the other side of a limit.

    Args:
        threshold: the test that the number belongs to; None if it is not known.
        value: the number; None where there is none.
        limits: what it must not be moved across.
    """
    if threshold is not None and threshold.unit:
        return f"{count(value)} {threshold.unit}" if value is not None else count(value)
    printed = p_value if threshold is not None and threshold.p_value else number
    return printed(value, limits)


def outside_the_possible(threshold: Threshold, value: float) -> str:
    """Why a number cannot be what the monitor measures."""
    return f"{number(value)} is outside the possible range ({threshold.possible})"


def _why_unusable(metric: str, raw: Any) -> str:
    if raw is None:
        return f"the result has no value for {metric}"
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return f"{metric} is not a finite number"
    return f"{metric} is not a number but {type(raw).__name__}"


def _named(features: Sequence[str]) -> str:
    if len(features) < 2:
        return ""
    rest = len(features) - MAX_NAMED
    more = f" and {rest:,} more" if rest > 0 else ""
    return f"outside the limit are {', '.join(features[:MAX_NAMED])}{more}"
