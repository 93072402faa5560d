"""Turns the numbers of a test result into verdicts in words.

Where this departs from the decision table that ships with the Standard Risk Tests:

- a model is a regression when its methodology *contains* "regression", as the monitors themselves decide; the table
  asks for equality and would judge a "Linear Regression" on an AUC that it does not have;
- a monitor's "no result" value is NOT APPLICABLE or ERROR, never FAIL, and every test yields exactly one row;
- drift verdicts rest on PSI and CSI; Kolmogorov-Smirnov p-values are information, because they shrink with the
  sample, and because the table judges the *largest* of them, which fails only when every feature differs;
- the disparity limits are the table's 0.8 and 1.2, not the monitor's own 0.8 and 1.25;
- findings of personal data have a rule of their own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

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
from activities.review_document.results import group_disparities, numbers_behind, regression, stability
from activities.review_document.thresholds import (
    Applies,
    Extreme,
    Threshold,
    ThresholdTable,
    standard_thresholds,
)

OTHER_MONITORS = "Other monitors"
MAX_NAMED = 5
SMALL_GROUP = 30
"""Rates of groups with fewer rows than this are uncertain."""


class Word(StrEnum):
    """A verdict as it is printed."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    NOT_APPLICABLE = "NOT APPLICABLE"
    INFORMATION = "INFORMATION"


class Verdict(BaseModel):
    """One row of the test summary.

    Attributes:
        category: name of the row in ModelOp Center's decision table.
        feature_or_group: what the value belongs to; empty where it belongs to the whole model.
        value: the judged number; None where there is none.
        value_text: the number as it is printed.
        limit: the range of a PASS in words; empty where nothing is judged.
        reason: what led to the word.
        consequence: what a FAIL or an ERROR means for the decision; else empty.
    """

    model_config = ConfigDict(frozen=True)

    threshold_id: str
    category: str
    family: str
    test: str
    feature_or_group: str = ""
    value: float | None = None
    value_text: str = "–"
    limit: str = ""
    word: Word
    reason: str
    consequence: str = ""


def evaluate(
    results: Mapping[str, Any],
    *,
    methodology: str,
    failed: Sequence[MonitorProblem] = (),
    not_applicable: Sequence[MonitorProblem] = (),
    table: ThresholdTable | None = None,
) -> list[Verdict]:
    """Judges a test result.

    Args:
        results: the `testResults` dictionary; anything missing or of the wrong kind yields a visible row.
        methodology: the model's methodology, for example `Classification`.
        failed: monitors that failed to run; their rows read ERROR.
        not_applicable: monitors that do not apply to this model.
        table: the limits; the standard table if None.

    Returns:
        One verdict per threshold in the table's order, then one ERROR per failed monitor without a row of its own.
    """
    table = table or standard_thresholds()
    judge = _Judge(results, methodology, failed, not_applicable)
    verdicts = [judge.verdict(threshold) for threshold in table.thresholds if judge.concerns(threshold)]
    judged = {threshold.monitor for threshold in table.thresholds}
    return verdicts + [_stranger(problem) for problem in failed if problem.monitor not in judged]


def count_by_word(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How often each word occurs, in a fixed order, words that do not occur left out."""
    counts = Counter(verdict.word for verdict in verdicts)
    return {word.value: counts[word] for word in Word if counts[word]}


def rule_results(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The verdicts as ModelOp Center's `dmnRuleResults`: one `{testCategory, passes, reason}` per category.

    `passes` is False if any row of the category fails, True if all judged rows pass, and None if nothing was judged
    or a monitor failed to run.
    """
    by_category: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_category.setdefault(verdict.category, []).append(verdict)
    return [
        {"testCategory": category, "passes": _passes(rows), "reason": "; ".join(f"{r.word}: {r.reason}" for r in rows)}
        for category, rows in by_category.items()
    ]


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


def _passes(rows: Sequence[Verdict]) -> bool | None:
    words = {row.word for row in rows}
    if Word.FAIL in words:
        return False
    return True if Word.PASS in words and Word.ERROR not in words else None


def _stranger(problem: MonitorProblem) -> Verdict:
    return Verdict(
        threshold_id="",
        category=label(problem.monitor) or OTHER_MONITORS,
        family=OTHER_MONITORS,
        test=label(problem.monitor) or "Monitor without a known name",
        word=Word.ERROR,
        reason=clean(problem.message) or "failed to run without a message",
        consequence=_NOT_RUN,
    )


_NOT_RUN = "This test has no usable result; what it would have shown is unknown."


class _Judge:
    """Holds one result while its rows are judged."""

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

    def concerns(self, threshold: Threshold) -> bool:
        """Whether the row is printed at all for this kind of model."""
        return self._fits(threshold) or not threshold.omit_otherwise

    def verdict(self, threshold: Threshold) -> Verdict:
        raw = self._raw(threshold)
        value = finite(raw)
        skipped = self._skipped(threshold, value)
        if skipped is not None:
            return skipped
        if value is None:
            return self._error(threshold, f"{NOT_PROVIDED}: {_why_unusable(threshold.metric, raw)}")
        if value not in threshold.possible:
            return self._error(
                threshold, f"{number(value)} is outside the possible range ({threshold.possible})", value
            )
        return self._judged(threshold, value)

    def _fits(self, threshold: Threshold) -> bool:
        return threshold.applies in (Applies.ANY, self._kind)

    def _raw(self, threshold: Threshold) -> Any:
        if threshold.metric in self._results or threshold.metric_suffix is None:
            return self._results.get(threshold.metric)
        candidates = [v for k, v in self._results.items() if k.endswith(threshold.metric_suffix)]
        return max(candidates, key=_or_lowest, default=None)

    def _skipped(self, threshold: Threshold, value: float | None) -> Verdict | None:
        """The row of a test that was not run, or did not run; None if there is a number to judge."""
        measured = value is not None and value not in threshold.sentinels
        if not self._fits(threshold):
            kind = "regression" if threshold.applies is Applies.REGRESSION else "classification"
            reason = f"meant for {kind} models; the methodology of this one is {or_gap(self._methodology, 60)}"
            return self._row(threshold, Word.NOT_APPLICABLE, reason, value if measured else None)
        if measured:
            return None
        message = self._message(threshold, self._failed)
        if message is not None:
            return self._error(threshold, message)
        message = self._message(threshold, self._not_applicable)
        if message is not None or value is not None:
            return self._row(threshold, Word.NOT_APPLICABLE, message or "the monitor reports that it has no result")
        return None

    def _message(self, threshold: Threshold, problems: Sequence[MonitorProblem]) -> str | None:
        messages = (clean(p.message) or "no message" for p in problems if p.monitor == threshold.monitor)
        return next(messages, None)

    def _judged(self, threshold: Threshold, value: float) -> Verdict:
        behind = self._behind(threshold)
        outside = [] if behind is None else [str(f) for f, v in behind.items() if v not in threshold.passes]
        subject = self._subject(threshold, value)
        if threshold.information:
            below = f"below {threshold.passes.bounds[0]:g}"
            share = f"{len(outside)} of {counted(len(behind), 'column')} {below}; " if behind is not None else ""
            reason = f"{share}information only, the verdict rests on the stability index"
            return self._row(threshold, Word.INFORMATION, reason, value, subject)
        word = Word.PASS if value in threshold.passes else Word.FAIL
        shown = f"{_shown(threshold, value)} against a limit of {threshold.passes}"
        notes = [shown, _named(outside) if word is Word.FAIL else "", self._sample_note(threshold, subject)]
        return self._row(threshold, word, "; ".join(filter(None, notes)), value, subject)

    def _behind(self, threshold: Threshold) -> pd.Series[float] | None:
        return numbers_behind(self._results, threshold.values) if threshold.values else None

    def _subject(self, threshold: Threshold, value: float) -> str:
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
        consequence = {Word.FAIL: threshold.consequence, Word.ERROR: _NOT_RUN}.get(word, "")
        unit = f" {threshold.unit}" if threshold.unit and value is not None else ""
        return Verdict(
            threshold_id=threshold.id,
            category=threshold.category,
            family=threshold.family,
            test=threshold.test,
            feature_or_group=subject,
            value=value,
            value_text=_shown(threshold, value) + unit,
            limit="" if threshold.information else str(threshold.passes),
            word=word,
            reason=reason,
            consequence=consequence,
        )


def _or_lowest(value: Any) -> float:
    known = finite(value)
    return -math.inf if known is None else known


def _shown(threshold: Threshold, value: float | None) -> str:
    if threshold.unit:
        return count(value)
    printed = p_value if threshold.p_value else number
    return printed(value, threshold.passes.bounds)


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
