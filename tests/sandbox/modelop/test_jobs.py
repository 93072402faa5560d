"""Test jobs from CREATED to their end, on the seeded models and on broken input."""

from __future__ import annotations

import base64
import math
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.monitors.dataset import UnusableInput
from sandbox.modelop.objects import ObjectStore, UnreadableAsset
from sandbox.modelop.run_tests import load_input
from tests.processes import ServerProcess
from tests.sandbox.modelop.client import (
    GERMAN_CREDIT,
    NO_COMPARATOR,
    NO_LABELS,
    NOTEBOOK,
    TWO_SCHEMAS,
    ModelManage,
    job_result,
    sandbox_process,
)

NOT_APPLICABLE = {"breusch_pagan", "ljung_box", "engle_lm", "pii"}
SENTINELS = {
    "breusch_pagan_f_p_value": -99,
    "Homoscedasticity_minLjungBoxQPValue": -99,
    "engle_lm_p_value": -99,
    "num_PII_violations": -99,
}
NUMBERS = {
    "auc", "accuracy", "precision", "recall", "f1_score",
    "Bias_maxPPRDisparityValue", "Bias_minPPRDisparityValue",
    "DataDrift_maxKolmogorov-SmirnovPValue", "DataDrift_minKolmogorov-SmirnovPValue",
    "ConceptDrift_maxKolmogorov-SmirnovPValueValue",
    "CSI_maxCSIValue", "CSI_minCSIValue", "score_PSI", "purpose_CSI",
    "Linearity_minPearsonCorrelationValue", "Multicollinearity_maxVIFValue", "dw_statistic",
    "ks_statistic", "ks_p_value", "ad_statistic", "ad_p_value", "cvm_statistic", "cvm_p_value",
    "executionErrorsCount", *SENTINELS,
}  # fmt: skip
TEXTS = {
    "modelUseCategory", "modelOrganization", "modelRisk", "modelMethodology",
    "DataDrift_maxKolmogorov-SmirnovPValueFeature", "CSI_maxCSIValueFeature", "Bias_maxPPRDisparityValueFeature",
}  # fmt: skip
TEST_IDS = {
    "performance": ["performance_classification_metrics"],
    "bias": ["bias_bias_age_group"],
    "data_drift": ["data_drift_kolmogorov_smirnov_p_value"],
    "concept_drift": ["concept_drift_kolmogorov_smirnov_p_value"],
    "stability": ["stability_stability_analysis"],
    "linearity": ["linearity_pearson_correlation"],
    "multicollinearity": ["multicollinearity_variance_inflation_factor"],
    "autocorrelation": ["autocorrelation_durbin_watson_dw_statistic"],
    "normality": [
        "normality_anderson_darling_p_value",
        "normality_cramer_von_mises_p_value",
        "normality_kolmogorov_smirnov_p_value",
    ],
}


@pytest.fixture(scope="module")
def german_credit_job(api: ModelManage) -> dict[str, Any]:
    return api.finished(api.test_job(api.snapshot(GERMAN_CREDIT)))


def failing_monitors(result: dict[str, Any]) -> set[str]:
    found = [re.fullmatch(r"Error occurred while calculating (\w+): .+", line) for line in result["executionErrors"]]
    assert result["executionErrorsCount"] == len(found)
    return {match[1] for match in found if match}


def test_a_complete_job_tells_its_story(german_credit_job: dict[str, Any]) -> None:
    job = german_credit_job
    assert (job["jobStatus"], job["jobResult"], job["lastModifiedBy"]) == ("COMPLETE", "SUCCESS", "SYSTEM")
    assert job["jobParameters"] == {"mlc": {"attempt": 1}}
    assert all(re.match(r"\d{4}/\d{1,2}/\d{1,2} \d\d:\d\d:\d\d \S", message) for message in job["jobMessages"])
    assert [message.split(" ", 2)[2] for message in job["jobMessages"]] == [
        "batch job received",
        "loading batch job",
        "batch job complete",
        "Records in/out: 0/1",
    ]
    assert job["jobWaitTime"] <= job["jobRunTime"] < job["jobEndTime"]
    assert job["jobEndTime"] - job["jobRunTime"] < 15_000
    output = {name: value for name, value in job["outputData"][0].items() if name != "fileContent"}
    assert output == {
        "filename": "test_result.json",
        "assetType": "FILE",
        "assetRole": "UNKNOWN",
        "fileFormat": "JSON",
    }


def test_a_test_job_is_found_under_its_own_path_too(api: ModelManage, german_credit_job: dict[str, Any]) -> None:
    assert api.fetch("modelBatchTestJob", german_credit_job["id"]) == api.fetch("jobs", german_credit_job["id"])


def test_the_result_has_every_number_under_its_contracted_name(german_credit_job: dict[str, Any]) -> None:
    result = job_result(german_credit_job)
    assert set(result) >= NUMBERS | TEXTS | set(TEST_IDS)
    assert all(math.isfinite(result[name]) for name in NUMBERS)
    assert all(isinstance(result[name], str) for name in TEXTS)
    assert {name: result[name] for name in SENTINELS} == SENTINELS
    assert result["CSI_maxCSIValueFeature"].endswith("_CSI")
    assert result["confusion_matrix"] == result["performance"][0]["values"]["confusion_matrix"]


def test_every_test_of_the_result_is_named_and_categorised(german_credit_job: dict[str, Any]) -> None:
    result = job_result(german_credit_job)
    for family, test_ids in TEST_IDS.items():
        assert [test["test_id"] for test in result[family]] == test_ids
        for test in result[family]:
            assert test["test_category"] == family
            assert test["test_name"] and test["test_type"] and test["values"]


def test_bias_and_stability_have_their_rows(german_credit_job: dict[str, Any]) -> None:
    result = job_result(german_credit_job)
    bias = result["bias"][0]
    assert (bias["test_name"], bias["protected_class"]) == ("Aequitas Bias", "age_group")
    assert bias["reference_group"] == ">25"
    assert bias["thresholds"] == {"min": 0.8, "max": 1.25}
    assert {row["attribute_value"] for row in bias["values"]} == {"<=25", ">25"}
    analysis = result["stability"][0]["values"]["purpose"]
    assert set(analysis) == {"stability_analysis_table", "stability_index", "stability_chisq", "stability_ks"}
    row = analysis["stability_analysis_table"][0]
    assert set(row) == {"bucket", "train_count", "eval_count", "train_percent", "eval_percent", "psi_calc"}
    assert result["purpose_CSI"] == analysis["stability_index"]
    assert result["score_PSI"] == result["stability"][0]["values"]["score"]["stability_index"]


def test_charts_have_their_points(german_credit_job: dict[str, Any]) -> None:
    charts = job_result(german_credit_job)["charts"]
    assert set(charts) == {"roc", "calibration", "score_histogram", "bias_groups"}
    assert len(charts["roc"]["fpr"]) == len(charts["roc"]["tpr"]) <= 60
    assert [charts["roc"][rate][end] for rate in ("fpr", "tpr") for end in (0, -1)] == [0, 1, 0, 1]
    assert sum(bin_["count"] for bin_ in charts["calibration"]) == 500
    histogram = charts["score_histogram"]
    assert (len(histogram["edges"]), sum(histogram["baseline"]), sum(histogram["comparator"])) == (21, 500, 500)
    assert sum(group["count"] for group in charts["bias_groups"]["age_group"].values()) == 500


def test_on_a_classifier_only_what_does_not_apply_goes_without_a_result(german_credit_job: dict[str, Any]) -> None:
    result = job_result(german_credit_job)
    assert failing_monitors(result) == NOT_APPLICABLE
    assert sum("can only be run for regression models" in line for line in result["executionErrors"]) == 3


def test_two_input_schemas_fail_the_job_until_the_model_is_mended(api: ModelManage) -> None:
    job = api.finished(api.test_job(api.snapshot(TWO_SCHEMAS)))
    assert (job["jobStatus"], job["jobResult"], job["outputData"]) == ("ERROR", "FAILURE", [])
    assert "Expected only 1 input schema definition, but found 2" in job["jobMessages"][-1]
    schemas = api.fetch("storedModels", TWO_SCHEMAS)["modelMetaData"]["inputSchema"]
    mended = api.patch(f"/storedModels/{TWO_SCHEMAS}", json={"modelMetaData": {"inputSchema": schemas[:1]}})
    assert mended.json()["version"] == 1
    assert api.finished(api.test_job(api.snapshot(TWO_SCHEMAS)))["jobStatus"] == "COMPLETE"


def test_without_labels_the_monitors_that_need_them_fail_and_the_others_run(api: ModelManage) -> None:
    job = api.finished(api.test_job(api.snapshot(NO_LABELS)))
    assert job["jobStatus"] == "COMPLETE"
    result = job_result(job)
    assert failing_monitors(result) - NOT_APPLICABLE == {
        "performance",
        "bias",
        "pearson_correlation",
        "durbin_watson",
        "anderson_darling",
        "cramer_von_mises",
        "kolmogorov_smirnov",
    }
    assert "Error occurred while calculating performance: column 'label'" in result["executionErrors"][0]
    missing = ("auc", "Bias_maxPPRDisparityValue", "Bias_minPPRDisparityValue", "dw_statistic", "ks_p_value")
    assert [result[name] for name in missing] == [-99] * 5
    assert result["CSI_maxCSIValue"] > 0
    assert 0 < result["ConceptDrift_maxKolmogorov-SmirnovPValueValue"] <= 1


def test_a_missing_comparator_fails_the_job_until_the_asset_is_added(api: ModelManage) -> None:
    job = api.finished(api.test_job(api.snapshot(NO_COMPARATOR)))
    assert job["jobStatus"] == "ERROR"
    assert "COMPARATOR_DATA" in job["jobMessages"][-1]
    baseline = api.fetch("storedModels", NO_COMPARATOR)["modelAssets"][0]
    comparator = {
        "assetType": "EXTERNAL_FILE",
        "assetRole": "COMPARATOR_DATA",
        "filename": "comparator.csv",
        "fileFormat": "CSV",
        "fileUrl": "s3://german-credit-sandbox/comparator.csv",
    }
    api.patch(f"/storedModels/{NO_COMPARATOR}", json={"modelAssets": [baseline, comparator]})
    assert api.finished(api.test_job(api.snapshot(NO_COMPARATOR)))["jobStatus"] == "COMPLETE"


def test_a_second_job_gives_the_same_bytes_whatever_the_order_of_its_assets(
    api: ModelManage, german_credit_job: dict[str, Any]
) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    job = api.test_job(snapshot, inputData=snapshot["storedModel"]["modelAssets"][::-1])
    assert api.finished(job)["outputData"] == german_credit_job["outputData"]


def embedded(role: str, content: bytes, file_format: str = "CSV") -> dict[str, Any]:
    return {
        "assetType": "FILE",
        "assetRole": role,
        "filename": f"{role.lower()}.{file_format.lower()}",
        "fileFormat": file_format,
        "fileContent": base64.b64encode(content).decode(),
    }


@pytest.mark.parametrize(
    ("baseline", "reason"),
    [
        ({"fileUrl": "s3://german-credit-sandbox/nothing.csv"}, "cannot be read: No such file"),
        ({"fileUrl": "s3://german-credit-sandbox/../../../etc/passwd"}, "leads out of the object store"),
        ({"fileUrl": "https://files.example/baseline.csv"}, "is not a URL of the form s3://bucket/key"),
        ({}, "has neither fileContent nor fileUrl"),
        (embedded("BASELINE_DATA", b"\xff\xfe\x00"), "is not readable as CSV"),
        (embedded("BASELINE_DATA", b"a,b\n1,2,3\n"), "line 2 does not have 2 fields"),
        (embedded("BASELINE_DATA", b"a,b\n"), "has no rows"),
        (embedded("BASELINE_DATA", b"[1, 2]", "JSON"), "every record must be a JSON object"),
        (embedded("BASELINE_DATA", b"PK", "WORD"), "only CSV and JSON can be read"),
    ],
)
def test_unusable_data_is_refused_with_a_reason(tmp_path: Path, baseline: dict[str, Any], reason: str) -> None:
    asset = {"assetRole": "BASELINE_DATA", "fileFormat": "CSV", **baseline}
    job = {
        "model": {"id": "srt", "storedModel": {"modelMetaData": {"modelCategory": "MODEL_MONITORING_MODEL"}}},
        "referenceModel": {"storedModel": {"modelMetaData": {"inputSchema": [{"schemaDefinition": {"fields": []}}]}}},
        "inputData": [asset],
    }
    with pytest.raises((UnusableInput, UnreadableAsset), match=re.escape(reason)):
        load_input(job, ObjectStore(tmp_path))


def test_unreadable_data_fails_the_job_and_says_why(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    baseline, comparator = snapshot["storedModel"]["modelAssets"]
    lost = {**baseline, "fileUrl": "s3://german-credit-sandbox/lost.csv"}
    job = api.finished(api.test_job(snapshot, inputData=[lost, comparator]))
    assert job["jobStatus"] == "ERROR"
    assert "s3://german-credit-sandbox/lost.csv cannot be read" in job["jobMessages"][-1]


def test_a_model_that_is_no_monitor_cannot_test_others(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    job = api.finished(api.test_job(snapshot, model={"id": api.snapshot(NOTEBOOK)["id"]}))
    assert (job["jobStatus"], "is not a monitor" in job["jobMessages"][-1]) == ("ERROR", True)


def test_jobs_run_one_at_a_time_in_order_and_can_be_cancelled(api: ModelManage) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    first, second, third = (api.test_job(snapshot) for _ in range(3))
    cancelled = [api.patch(f"/jobs/{job['id']}", json={"jobStatus": "CANCELLED"}) for job in (first, second)]
    assert [answer.status_code for answer in cancelled] == [200, 200]
    last = api.finished(third)
    assert last["jobStatus"] == "COMPLETE"
    assert [api.fetch("jobs", job["id"])["jobStatus"] for job in (first, second)] == ["CANCELLED", "CANCELLED"]
    assert api.patch(f"/jobs/{third['id']}", json={"jobStatus": "CANCELLED"}).status_code == 409


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running_job(client: ModelManage) -> dict[str, Any]:
    job = client.test_job(client.snapshot(GERMAN_CREDIT))
    deadline = time.monotonic() + 10
    while client.fetch("jobs", job["id"])["jobStatus"] != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return job


def child_of(server: ServerProcess) -> int:
    deadline = time.monotonic() + 5
    while not children(server.process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children(server.process.pid)[0]


def test_a_stopped_server_leaves_no_child_and_its_successor_finishes_the_job(
    tmp_path: Path, seeded: Callable[[Path], Path]
) -> None:
    data = seeded(tmp_path / "data")
    with (
        sandbox_process(data, tmp_path / "log") as server,
        ModelManage(server.url, STATIC_TOKEN) as client,
    ):
        stored = client.create("storedModels", {"modelMetaData": {"name": "Kept", "type": "R"}})
        stopped = running_job(client)
        child = child_of(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    with (
        sandbox_process(data, tmp_path / "log") as server,
        ModelManage(server.url, STATIC_TOKEN) as client,
    ):
        job = client.finished(client.fetch("jobs", stopped["id"]))
        assert job["jobStatus"] == "COMPLETE"
        assert any("queued again after a restart" in message for message in job["jobMessages"])
        assert client.fetch("storedModels", stored["id"])["modelMetaData"] == stored["modelMetaData"]
        assert client.get("/storedModels").json()["page"]["totalElements"] == 8


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path, seeded: Callable[[Path], Path]) -> None:
    data = seeded(tmp_path / "data")
    with (
        sandbox_process(data, tmp_path / "log", "--job-time-limit", "0.2") as server,
        ModelManage(server.url, STATIC_TOKEN) as client,
    ):
        job = client.finished(client.test_job(client.snapshot(GERMAN_CREDIT)))
        assert job["jobStatus"] == "ERROR"
        assert "longer than 0.2 seconds" in job["jobMessages"][-1]
        assert children(server.process.pid) == []
