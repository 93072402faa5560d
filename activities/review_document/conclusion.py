"""What the verdicts of a review come to: one phrase for everybody who reads of it, and what no verdict speaks of."""

from __future__ import annotations

from collections.abc import Mapping

from activities.review_document.formatting import counted
from activities.review_document.limits.thresholds import Family, Threshold, standard_thresholds
from activities.review_document.limits.verdict_types import Word
from activities.review_document.limits.verdicts import count_by_word
from activities.review_document.results import measured
from activities.review_document.review import QUIET, Review

_STATES = {Word.FAIL: "failed", Word.ERROR: "without a result", Word.NOT_EVALUATED: "not evaluated"}


def overall(review: Review) -> str:
    """The result of all tests in one phrase. It never approves anything: people do."""
    counts = count_by_word(review.verdicts)
    found = [word for word in Word if word not in QUIET and word in counts]
    parts = [f"{counted(counts[word], 'test')} {_STATES[word]}" for word in found]
    if parts:
        *others, last = parts
        return f"Needs attention: {', '.join(others)}{' and ' if others else ''}{last}"
    if not counts.get(Word.PASS):
        return "No test gave a verdict"
    return "; ".join([f"No findings among {counted(counts[Word.PASS], 'judged test')}", *_silent(review, counts)])


def all_clear(review: Review) -> bool:
    """Whether something passed, nothing needs attention, and no family of tests is left without a rule."""
    passed = any(verdict.word is Word.PASS for verdict in review.verdicts)
    return passed and not review.findings and not unjudged_families(review)


def unjudged_families(review: Review) -> list[Family]:
    """The families that the result has numbers of and that no verdict speaks of, as with a short decision table."""
    judged = {verdict.family for verdict in review.verdicts}
    return [f for f in standard_thresholds().families if f.name not in judged and numbers_of(review, f.name)]


def numbers_of(review: Review, family: str) -> list[tuple[Threshold, float]]:
    """The numbers of a family that the result carries, whatever the review's own limits judge."""
    found = (
        (threshold, measured(review.test_results.get(threshold.metric)))
        for threshold in standard_thresholds().thresholds
        if threshold.family == family
    )
    return [(threshold, value) for threshold, value in found if value is not None and value not in threshold.sentinels]


def _silent(review: Review, counts: Mapping[str, int]) -> list[str]:
    """What the absence of findings says nothing about."""
    unjudged, others = len(unjudged_families(review)), counts.get(Word.NOT_APPLICABLE, 0)
    without_rule = "1 family of tests has no rule" if unjudged == 1 else f"{unjudged} families of tests have no rule"
    without_result = "1 does not apply or has no result" if others == 1 else f"{others} do not apply or have no result"
    return [said for number, said in ((others, without_result), (unjudged, without_rule)) if number]
