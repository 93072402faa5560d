"""What a document that many people read must not tell: personal data, and figures about a handful of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from activities.review_document.formatting import label
from activities.review_document.limits.thresholds import standard_thresholds
from activities.review_document.limits.verdict_types import Verdict
from activities.review_document.masking import masked
from activities.review_document.results import GroupDisparity, group_disparities

SMALLEST_SHOWN_GROUP = 10
"""Figures about fewer people than this are left out, because they may tell who somebody is."""

WITHHELD = "withheld"


def too_small(rows: float | None) -> bool:
    """Whether figures about so many people are withheld. Nobody at all is not a small group."""
    return rows is not None and 0 < rows < SMALLEST_SHOWN_GROUP


def withheld_groups(results: Mapping[str, Any]) -> list[GroupDisparity]:
    """The groups of protected classes that are too small to be shown."""
    return [group for group in group_disparities(results) if too_small(group.count)]


def disclosed(verdicts: Sequence[Verdict], results: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts as they may be printed: texts masked, and no number about a group that is too small."""
    # A result may name the group of a number in a text that is cut where it is read.
    small = {label(name) for group in withheld_groups(results) for name in group.names}
    return [_masked(_without_small_groups(verdict, small)) for verdict in verdicts]


def _without_small_groups(verdict: Verdict, small: Set[str]) -> Verdict:
    subject = label(verdict.feature_or_group)
    few = f"fewer than {SMALLEST_SHOWN_GROUP} rows"
    if subject in small:
        reason = f"the group has {few}, so its figures are withheld"
    # A rule about several numbers, or a number that no group has, does not say whose it is.
    elif small and not subject and verdict.value is not None and _about_groups(verdict):
        reason = f"the figures may be about a group that has {few}, so they are withheld"
    else:
        return verdict
    return verdict.model_copy(update={"value": None, "value_text": WITHHELD, "reason": reason})


def _about_groups(verdict: Verdict) -> bool:
    return any(t.values == "bias" and t.test in verdict.test for t in standard_thresholds().thresholds)


def _masked(verdict: Verdict) -> Verdict:
    texts = {
        "test": masked(verdict.test, 300),
        "feature_or_group": masked(verdict.feature_or_group, 80),
        "reason": masked(verdict.reason, 600),
        "consequence": masked(verdict.consequence, 600),
    }
    return verdict.model_copy(update=texts)
