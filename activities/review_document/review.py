"""What a review document is made from, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from activities.identity import RunIdentity
from activities.modelop.types import DecisionRecord, MonitorProblem
from activities.review_document.formatting import clean
from activities.review_document.types import TestRunRecord
from activities.review_document.verdicts import Verdict, Word, evaluate


@dataclass(frozen=True)
class Review:
    """Everything that is printed. The same review yields the same bytes.

    Attributes:
        stored_model: the business model as JSON, as frozen in the snapshot.
        snapshot: the snapshot (DeployableModel) as JSON.
        test_results: the result's `testResults`.
        stored_at: when the result was stored in ModelOp Center; None if it does not say.
        test_runs: all attempts, the one that the results come from last.
        decisions: what was decided before this document.
    """

    stored_model: Mapping[str, Any]
    snapshot: Mapping[str, Any]
    test_results: Mapping[str, Any]
    run: RunIdentity
    result_id: str
    stored_at: datetime | None
    code_version: str
    test_runs: Sequence[TestRunRecord] = ()
    decisions: Sequence[DecisionRecord] = ()
    requested_by: str | None = None
    use_case_id: str | None = None
    endpoint_config_name: str | None = None

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The model's `modelMetaData`."""
        found = self.stored_model.get("modelMetaData")
        return found if isinstance(found, Mapping) else {}

    @property
    def model_name(self) -> str:
        """The business model's name, never empty."""
        return clean(self.metadata.get("name"), 120) or "Model without a name"

    @property
    def methodology(self) -> str:
        """For example `Classification`; empty if the model does not say."""
        return clean(self.metadata.get("modelMethodology"), 80)

    @property
    def tested(self) -> TestRunRecord | None:
        """The attempt that the results come from."""
        matching = [run for run in self.test_runs if run.result_id == self.result_id]
        return matching[-1] if matching else None

    @property
    def failed_monitors(self) -> Sequence[MonitorProblem]:
        """Monitors that failed to run in that attempt."""
        return self.tested.failed_monitors if self.tested else ()

    @property
    def not_applicable_monitors(self) -> Sequence[MonitorProblem]:
        """Monitors that do not apply to this model."""
        return self.tested.not_applicable if self.tested else ()

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdicts, in the order of the table of limits."""
        return evaluate(
            self.test_results,
            methodology=self.methodology,
            failed=self.failed_monitors,
            not_applicable=self.not_applicable_monitors,
        )

    @property
    def findings(self) -> list[Verdict]:
        """What the person who decides must look at: every FAIL, then every ERROR."""
        return [v for word in (Word.FAIL, Word.ERROR) for v in self.verdicts if v.word is word]

    @property
    def assets(self) -> list[Mapping[str, Any]]:
        """The model's assets as JSON."""
        found = self.stored_model.get("modelAssets")
        return [asset for asset in found if isinstance(asset, Mapping)] if isinstance(found, list) else []

    @property
    def results_sha256(self) -> str:
        """SHA-256 of the results as JSON with sorted keys, no spaces, and non-ASCII characters escaped.

        Raises:
            ValueError, RecursionError: the results cannot be written as JSON.
        """
        text = json.dumps(self.test_results, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
