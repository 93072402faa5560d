"""The verdicts that are kept beside a test result in ModelOp Center."""

from __future__ import annotations

from activities.identity import RunIdentity
from activities.links import Links
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import SnapshotRequest, StoreResultRequest, TestJobRequest, TestResult
from activities.review_document.judge import ReviewJudge
from sandbox.modelop.seed import CUSTOMER_TEMPLATE, GERMAN_CREDIT, STANDARD_RISK_TESTS_SNAPSHOT
from tests.activities.modelop.conftest import Run, settings_for


async def kept(client: ModelOpClient, perform: Run, run: RunIdentity, url: str, model_id: str) -> TestResult:
    """Tests a model in the sandbox and keeps what comes out, twice, as after a lost answer."""
    activities = ModelOpActivities(client, settings_for(url), Links(), judge=ReviewJudge(client))
    snapshot = await perform(activities.create_snapshot, SnapshotRequest(run=run, model_id=model_id, round=1))
    ids = {"snapshot_id": snapshot.snapshot_id, "risk_tests_snapshot_id": STANDARD_RISK_TESTS_SNAPSHOT}
    job = await perform(activities.start_test_job, TestJobRequest(run=run, attempt=1, **ids))
    assert (await perform(activities.follow_test_job, job)).succeeded
    request = StoreResultRequest(run=run, job_id=job.job_id, model_id=model_id, **ids)
    first: TestResult = await perform(activities.store_test_result, request)
    assert await perform(activities.store_test_result, request) == first
    return first


async def test_a_model_with_limits_of_its_own_is_judged_by_them(
    client: ModelOpClient, perform: Run, run: RunIdentity, sandbox_url: str
) -> None:
    result = await kept(client, perform, run, sandbox_url, CUSTOMER_TEMPLATE)
    stored = await client.get_result(result.result_id)
    rows = {row["testCategory"]: row for row in stored["dmnRuleResults"]}
    assert set(rows) == {"Performance", "Characteristic Stability", "Bias Disparity", "Autocorrelation"}
    assert rows["Performance"]["passes"] is True and "for this house" in rows["Performance"]["reason"]
    assert 0.8 < stored["testResults"]["Bias_minPPRDisparityValue"] < 0.95, "the standard limits would let it pass"
    assert rows["Bias Disparity"]["passes"] is False and "less than 0.95" in rows["Bias Disparity"]["reason"]

    assert result.summary is not None and result.summary.limits is not None
    assert result.summary.limits.title.startswith("House limits for consumer credit")
    assert result.summary.verdicts == {"PASS": 3, "FAIL": 1}
    (finding,) = result.summary.findings
    assert finding.word == "FAIL" and finding.test.startswith("Bias") and "<=25" in finding.subject


async def test_a_model_without_them_is_judged_by_the_standard_limits(
    client: ModelOpClient, perform: Run, run: RunIdentity, sandbox_url: str
) -> None:
    result = await kept(client, perform, run, sandbox_url, GERMAN_CREDIT)
    rows = (await client.get_result(result.result_id))["dmnRuleResults"]
    assert {"Performance", "Bias Disparity", "Mulitcolinearity"} <= {row["testCategory"] for row in rows}
    assert {row["passes"] for row in rows} <= {True, False, None}
    assert all(set(row) == {"testCategory", "passes", "reason"} and row["reason"] for row in rows)

    assert result.summary is not None
    failed = [row for row in rows if row["passes"] is False]
    assert len(failed) == result.summary.verdicts.get("FAIL", 0) > 0
    assert [f.word for f in result.summary.findings].count("FAIL") == len(failed)
    assert f"{len(failed)} test" in result.summary.overall
