"""Reviews to render in tests: results of all families, for any number of features, made without randomness."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from activities.identity import RunIdentity
from activities.modelop.types import DecisionRecord, MonitorProblem
from activities.review_document.review import Review
from activities.review_document.types import TestRunRecord

STARTED = datetime(2026, 11, 22, 13, 50, tzinfo=UTC)
STORED = datetime(2026, 11, 22, 14, 5, 30, tzinfo=UTC)
RUN = RunIdentity(workflow_id="sagemaker-mlc-6e5a1f0c", run_id="0f9a-run", started_at=STARTED)
RESULT_ID = "c1d2e3f4-0000-4000-8000-000000000001"
SNAPSHOT_ID = "058f3a61-0000-4000-8000-000000000002"
MODEL_ID = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c9e01"
SHA256_OF_BASELINE = "ab" * 32

REGRESSION_ONLY = {
    "breusch_pagan": "Error occurred while calculating breusch_pagan: it can only be run for regression models",
    "ljung_box": "Error occurred while calculating ljung_box: it can only be run for regression models",
    "engle_lm": "Error occurred while calculating engle_lm: it can only be run for regression models",
}


def feature_names(count: int) -> list[str]:
    named = ["duration_months", "credit_amount", "age", "installment_rate", "residence_since", "existing_credits"]
    return (named + [f"feature_{position:03d}" for position in range(count)])[:count]


def index_of(position: int) -> float:
    """A stability index per feature; every seventh is outside the limit of 0.2."""
    return 0.345 - position * 1e-4 if position % 7 == 0 else 0.02 + 0.15 * abs(math.sin(position))


def buckets(index: float) -> list[dict[str, Any]]:
    return [
        {
            "bucket": f"({place * 10}, {place * 10 + 10}]",
            "train_count": 50,
            "eval_count": 40 + 2 * place,
            "train_percent": 0.1,
            "eval_percent": 0.08 + 0.004 * place,
            "psi_calc": index / 10,
        }
        for place in range(10)
    ]


def classification_results(features: int = 20) -> dict[str, Any]:
    """A result with every family filled, three tests failing: CSI, smallest disparity and normality."""
    names = feature_names(features)
    csi = {name: index_of(position) for position, name in enumerate(names)}
    ks = {name: 0.9 / (position + 1) for position, name in enumerate(names)}
    pearson = {name: 0.12 + 0.3 * abs(math.cos(position)) for position, name in enumerate(names)}
    vif = {name: 1.0 + 6 * abs(math.sin(position * 2)) for position, name in enumerate(names)}
    scored = {**csi, "score": 0.041}
    worst = max(csi, key=lambda name: csi[name])
    return {
        "modelMethodology": "Classification",
        "auc": 0.7785,
        "accuracy": 0.742,
        "precision": 0.6,
        "recall": 0.5213,
        "f1_score": 0.558,
        "confusion_matrix": [{"bad": 0.156, "good": 0.144}, {"bad": 0.104, "good": 0.596}],
        "performance": [{"test_name": "Classification Metrics", "values": {"auc": 0.7785}}],
        "CSI_maxCSIValue": csi[worst],
        "CSI_maxCSIValueFeature": f"{worst}_CSI",
        "CSI_minCSIValue": min(csi.values()),
        "score_PSI": 0.041,
        **{f"{name}_CSI": index for name, index in csi.items()},
        "stability": [
            {
                "test_category": "stability",
                "values": {
                    name: {"stability_analysis_table": buckets(index), "stability_index": index}
                    for name, index in scored.items()
                },
            }
        ],
        "DataDrift_maxKolmogorov-SmirnovPValue": 0.9,
        "DataDrift_maxKolmogorov-SmirnovPValueFeature": names[0],
        "data_drift": [{"test_category": "data_drift", "values": ks}],
        "ConceptDrift_maxKolmogorov-SmirnovPValueValue": 0.81,
        "concept_drift": [{"test_category": "concept_drift", "values": {"score": 0.81, "label": 0.44}}],
        "Bias_maxPPRDisparityValue": 1.0,
        "Bias_minPPRDisparityValue": 0.7701,
        "bias": [
            {
                "protected_class": "age_group",
                "reference_group": "over 25",
                "thresholds": {"min": 0.8, "max": 1.25},
                "values": [
                    _group("25 or younger", 96, 0.7701, 1.31),
                    _group("over 25", 397, 1.0, 1.0),
                    _group("unknown", 7, 3.5, 2.5),
                ],
            }
        ],
        "dw_statistic": 1.9873,
        "ks_statistic": 0.11,
        "ks_p_value": 0.00002,
        "ad_statistic": 9.1,
        "ad_p_value": 0.0004,
        "cvm_statistic": 0.4,
        "cvm_p_value": 0.0496,
        "breusch_pagan_f_p_value": -99,
        "engle_lm_p_value": -99,
        "Homoscedasticity_minLjungBoxQPValue": -99,
        "num_PII_violations": -99,
        "Linearity_minPearsonCorrelationValue": min(pearson.values()),
        "linearity": [{"test_category": "linearity", "values": pearson}],
        "Multicollinearity_maxVIFValue": max(vif.values()),
        "multicollinearity": [{"test_category": "multicollinearity", "values": vif}],
        "executionErrors": list(REGRESSION_ONLY.values()),
        "executionErrorsCount": len(REGRESSION_ONLY),
        "charts": {
            "roc": {"fpr": [0.0, 0.1, 0.3, 0.6, 1.0], "tpr": [0.0, 0.4, 0.75, 0.92, 1.0]},
            "calibration": [
                {"mean_score": 0.05 + 0.1 * place, "observed_rate": 0.04 + 0.098 * place} for place in range(10)
            ],
            "score_histogram": {
                "edges": [place / 20 for place in range(21)],
                "baseline": [20 + place for place in range(20)],
                "comparator": [30 + (place * 7) % 11 for place in range(20)],
            },
        },
    }


def regression_results() -> dict[str, Any]:
    """A regression's result: the classification-only monitors carry their sentinels."""
    results = classification_results(6)
    for key in ("auc", "accuracy", "precision", "recall", "f1_score", "confusion_matrix", "charts", "bias"):
        del results[key]
    return results | {
        "modelMethodology": "Linear Regression",
        "r2_score": 0.81,
        "rmse": 1204.5,
        "mae": 880.25,
        "Bias_maxPPRDisparityValue": -99,
        "Bias_minPPRDisparityValue": -99,
        "breusch_pagan_f_p_value": 0.31,
        "engle_lm_p_value": 0.02,
        "Homoscedasticity_minLjungBoxQPValue": 0.4,
    }


def stored_model(methodology: str = "Classification") -> dict[str, Any]:
    return {
        "id": MODEL_ID,
        "version": 3,
        "group": "modelop",
        "createdDate": "2026-10-03T15:15:40.004Z",
        "lastModifiedDate": "2026-11-20T09:30:00.000Z",
        "lastModifiedBy": "j.doe",
        "modelMetaData": {
            "name": "German Credit Scoring",
            "description": "Scores applications for consumer credit; the score supports the underwriter's decision.",
            "type": "SAGEMAKER",
            "modelMethodology": methodology,
            "modelOrganization": "Retail Credit",
            "modelUseCategory": "Credit Risk",
            "modelRisk": "unassigned",
            "custom": {"Model Owner": "Jane Doe", "Review cycle": 12},
        },
        "modelAssets": [
            {
                "assetRole": "BASELINE_DATA",
                "filename": "baseline.csv",
                "fileFormat": "CSV",
                "fileSize": 41_337,
                "contentHash": {"hashType": "SHA-256", "hexString": SHA256_OF_BASELINE},
            },
            {"assetRole": "COMPARATOR_DATA", "name": "comparator.csv", "fileFormat": "CSV", "fileSize": 41_290},
        ],
    }


def snapshot(methodology: str = "Classification") -> dict[str, Any]:
    return {
        "id": SNAPSHOT_ID,
        "version": 1,
        "createdDate": "2026-11-22T13:58:11.120Z",
        "metaData": {"name": "German Credit Scoring-20261122_1358", "custom": {"mlc": {"round": 1}}},
        "storedModel": stored_model(methodology),
    }


def review(
    results: dict[str, Any] | None = None,
    *,
    methodology: str = "Classification",
    failed: dict[str, str] | None = None,
    **overrides: Any,
) -> Review:
    """A complete review; `failed` are monitors that failed to run, by name with their message."""
    frozen = snapshot(methodology)
    return Review(
        **{
            "stored_model": frozen["storedModel"],
            "snapshot": frozen,
            "test_results": classification_results() if results is None else results,
            "run": RUN,
            "result_id": RESULT_ID,
            "test_runs": test_runs(failed or {}),
            "decisions": [pia_decision()],
            "requested_by": "rita.requester",
            "endpoint_config_name": "german-credit-config-7",
            "stored_at": STORED,
            "code_version": "0.1.0",
            **overrides,
        }
    )


def test_runs(failed: dict[str, str]) -> list[TestRunRecord]:
    return [
        TestRunRecord(
            attempt=1,
            job_id="job-1",
            status="ERROR",
            error="Expected only 1 input schema definition, but found 2",
        ),
        TestRunRecord(
            attempt=2,
            job_id="job-2",
            status="COMPLETE",
            result_id=RESULT_ID,
            failed_monitors=[MonitorProblem(monitor=name, message=text) for name, text in failed.items()],
            not_applicable=[MonitorProblem(monitor=name, message=text) for name, text in REGRESSION_ONLY.items()],
        ),
    ]


def pia_decision() -> DecisionRecord:
    return DecisionRecord(
        gate="PiaApproval",
        ticket="GOV-12",
        verdict="DONE",
        decided_by="paula.privacy",
        decided_at="2026-11-22T13:57:40+00:00",
        comment="No special categories; age group is used for testing only.",
    )


def _group(name: str, size: int, ppr: float, fpr: float) -> dict[str, Any]:
    return {
        "attribute_name": "age_group",
        "attribute_value": name,
        "group_size": size,
        "ppr_disparity": ppr,
        "fpr_disparity": fpr,
    }
