"""Judges a test result when it is kept: the same verdicts that the document prints later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from activities.modelop.activities import Judgement
from activities.modelop.types import LimitsUsed, MonitorProblem, StoreResultRequest, TestFinding, TestSummary
from activities.review_document.conclusion import overall
from activities.review_document.formatting import clean
from activities.review_document.limits.verdict_types import Verdict
from activities.review_document.limits.verdicts import count_by_word, rule_results
from activities.review_document.review import Limits, Review
from activities.review_document.selection import AssetSource, FrozenSources
from activities.review_document.types import TestRunRecord

MAX_FINDINGS = 25
MAX_TEXT_CHARACTERS = 300
MAX_FINDINGS_BYTES = 32 * 1024
"""Characters may have four bytes, so the number of findings alone bounds no payload."""

_NOT_KEPT_YET = ""


class ReviewJudge:
    """Judges by the decision table that is frozen with the model or the risk tests, else by the standard limits."""

    def __init__(self, modelop: AssetSource) -> None:
        self._modelop = modelop

    async def judge(
        self,
        request: StoreResultRequest,
        *,
        results: dict[str, Any],
        snapshot: dict[str, Any],
        failed: Sequence[MonitorProblem],
        not_applicable: Sequence[MonitorProblem],
    ) -> Judgement:
        """The verdicts as rows for ModelOp Center, and in short for the process."""
        sources = FrozenSources(self._modelop, snapshot, request.risk_tests_snapshot_id)
        limits = await sources.limits()
        tested = TestRunRecord(
            attempt=0,
            job_id=request.job_id,
            status="COMPLETE",
            result_id=_NOT_KEPT_YET,
            failed_monitors=list(failed),
            not_applicable=list(not_applicable),
        )
        review = Review(
            stored_model=snapshot.get("storedModel") or {},
            snapshot=snapshot,
            test_results=results,
            run=request.run,
            result_id=_NOT_KEPT_YET,
            stored_at=None,
            code_version="",
            test_runs=[tested],
            limits=limits,
            notices=sources.notices,
        )
        # A table may have thousands of rules, and a result thousands of features.
        return await asyncio.to_thread(_judgement, review)


def limits_used(limits: Limits) -> LimitsUsed:
    """What the history and the snapshot say of the limits."""
    return LimitsUsed(title=clean(limits.title, MAX_TEXT_CHARACTERS), sha256=limits.sha256)


def _judgement(review: Review) -> Judgement:
    summary = TestSummary(
        overall=overall(review),
        verdicts=count_by_word(review.verdicts),
        findings=_first_findings(review.findings),
        limits=limits_used(review.limits),
        notices=list(review.notices),
    )
    return Judgement(rule_results=rule_results(review.verdicts), summary=summary)


def _first_findings(verdicts: Sequence[Verdict]) -> list[TestFinding]:
    kept: list[TestFinding] = []
    room = MAX_FINDINGS_BYTES
    for finding in map(_finding, verdicts[:MAX_FINDINGS]):
        room -= len(finding.model_dump_json().encode())
        if room < 0:
            break
        kept.append(finding)
    return kept


def _finding(verdict: Verdict) -> TestFinding:
    return TestFinding(
        word=verdict.word,
        test=clean(f"{verdict.family}: {verdict.test}", MAX_TEXT_CHARACTERS),
        subject=clean(verdict.feature_or_group, MAX_TEXT_CHARACTERS),
        reason=clean(verdict.reason, MAX_TEXT_CHARACTERS),
        consequence=clean(verdict.consequence, MAX_TEXT_CHARACTERS),
    )
