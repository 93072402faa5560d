"""What a review document is made from, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from activities.identity import RunIdentity
from activities.modelop.types import DecisionRecord, MonitorProblem, PreviousSnapshot
from activities.review_document.disclosure import disclosed
from activities.review_document.formatting import clean
from activities.review_document.limits.thresholds import standard_thresholds, standard_thresholds_sha256
from activities.review_document.limits.verdict_types import Verdict, Word
from activities.review_document.limits.verdicts import TableOfLimits, evaluate
from activities.review_document.types import TestRunRecord
from activities.sagemaker.types import EndpointConfig

QUIET = (Word.PASS, Word.NOT_APPLICABLE, Word.INFORMATION)
"""Verdicts that nobody has to look at before deciding."""


@dataclass(frozen=True)
class Limits:
    """The limits that the verdicts rest on.

    Attributes:
        title: the table's name and version.
        sha256: of the table's file; empty if the file could not be read.
        origin: where the table comes from, in words.
        table: what is evaluated.
    """

    title: str
    sha256: str
    origin: str
    table: TableOfLimits


def standard_limits() -> Limits:
    """The table of limits that ships with this version."""
    table = standard_thresholds()
    return Limits(
        title=f"Standard limits, version {table.version}",
        sha256=standard_thresholds_sha256(),
        origin="built in: neither the model nor the Standard Risk Tests carry a decision table",
        table=table,
    )


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
        result: the whole test result (ModelTestResult) as JSON, for templates.
        limits: what the verdicts rest on.
        run: the run that the document belongs to; None for a preview, which nobody decides on.
        previous: the snapshot of this model that was deployed before; None if none was found.
        previous_unknown: why nobody knows whether there is one; empty if it was looked up.
        endpoint: what AWS said of the endpoint configuration; None if nobody asked.
        notices: problems that a reader must see at once, in whole sentences.
    """

    stored_model: Mapping[str, Any]
    snapshot: Mapping[str, Any]
    test_results: Mapping[str, Any]
    run: RunIdentity | None
    result_id: str
    stored_at: datetime | None
    code_version: str
    test_runs: Sequence[TestRunRecord] = ()
    decisions: Sequence[DecisionRecord] = ()
    requested_by: str | None = None
    use_case_id: str | None = None
    endpoint_config_name: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=standard_limits)
    previous: PreviousSnapshot | None = None
    previous_unknown: str = ""
    endpoint: EndpointConfig | None = None
    notices: Sequence[str] = ()

    @property
    def workflow_id(self) -> str:
        """The id of the run's workflow; empty for a preview."""
        return self.run.workflow_id if self.run else ""

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
        judged = evaluate(
            self.test_results,
            methodology=self.methodology,
            failed=self.failed_monitors,
            not_applicable=self.not_applicable_monitors,
            table=self.limits.table,
        )
        return disclosed(judged, self.test_results)

    @property
    def findings(self) -> list[Verdict]:
        """What the person who decides must look at: every FAIL, then every ERROR, then whatever was not judged."""
        return [v for word in Word if word not in QUIET for v in self.verdicts if v.word is word]

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
