"""The pages: they answer without a login, escape what others wrote, and hand out documents byte for byte."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.sandbox.modelop.client import GERMAN_CREDIT, NOTEBOOK, RISK_TESTS_SNAPSHOT, ModelManage, job_result

SCRIPT = "<script>alert(1)</script>"


def page(browser: httpx.Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.count("<script") == 1 and '<script src="/product_links.js" defer></script>' in response.text
    assert "style-src 'self'" in response.headers["content-security-policy"]
    return response.text


def test_the_front_page_lists_all_models(browser: httpx.Client) -> None:
    html = page(browser, "/")
    for name in ("German Credit Scoring", "Churn Notebook", "Standard Risk Tests", "Overdraft Scoring (no comparator)"):
        assert name in html
    assert "need no login" in html


def test_a_model_page_shows_assets_schema_and_snapshots(api: ModelManage, browser: httpx.Client) -> None:
    snapshot = api.snapshot(GERMAN_CREDIT)
    html = page(browser, f"/models/{GERMAN_CREDIT}")
    link = f"/snapshots/{snapshot['id']}"
    for text in ("s3://german-credit-sandbox/baseline.csv", "age_group", "protected class", link):
        assert text in html


def test_a_snapshot_page_shows_decisions_and_hands_out_its_documents(api: ModelManage, browser: httpx.Client) -> None:
    content = bytes(range(256))
    decision = {"gate": "PiaApproval", "ticket": "MRM-1", "verdict": "DONE", "decided_by": "ana", "comment": SCRIPT}
    document = {
        "assetType": "FILE",
        "assetRole": "MODEL_DOCUMENTATION",
        "filename": 'Prüfung "1".docx',
        "fileFormat": "WORD",
        "fileContent": base64.b64encode(content).decode(),
    }
    snapshot = api.snapshot(GERMAN_CREDIT)
    changes = {"metaData": {"custom": {"mlc": {"decisions": [decision]}}}, "modelDocuments": [document]}
    assert api.patch(f"/deployableModels/{snapshot['id']}", json=changes).status_code == 200
    html = page(browser, f"/snapshots/{snapshot['id']}")
    for text in ("PiaApproval", "MRM-1", "&lt;script&gt;", "Prüfung"):
        assert text in html
    answer = browser.get(f"/snapshots/{snapshot['id']}/documents/0")
    assert answer.content == content
    assert "filename*=UTF-8''Pr%C3%BCfung%20%221%22.docx" in answer.headers["content-disposition"]
    assert "wordprocessingml" in answer.headers["content-type"]
    assert browser.get(f"/snapshots/{snapshot['id']}/documents/1").status_code == 404


def test_job_and_result_pages_show_messages_and_numbers(api: ModelManage, browser: httpx.Client) -> None:
    job = api.finished(api.test_job(api.snapshot(GERMAN_CREDIT)))
    result = api.create(
        "modelTestResults",
        {
            "testResults": job_result(job),
            "deployableModelId": job["referenceModel"]["id"],
            "storedModelId": GERMAN_CREDIT,
            "jobId": job["id"],
            "dmnRuleResults": [{"testCategory": "Performance", "passes": True, "reason": "auc is 0.78"}],
        },
    )
    assert "batch job complete" in page(browser, f"/jobs/{job['id']}")
    assert job["id"][:8] in page(browser, "/jobs")
    html = page(browser, f"/results/{result['id']}")
    for text in ("0.7839", "Bias by age_group", "&lt;=25", "breusch_pagan", "auc is 0.78"):
        assert text in html


@pytest.mark.parametrize(
    "tests",
    [
        {},
        {"auc": "good", "bias": "none", "stability": [1], "executionErrors": "x"},
        {"bias": [{"values": ["x", None]}], "stability": [{"values": {"x": 1}}]},
        {"data_drift": [{"values": {"a": [1]}}], "concept_drift": [None], "linearity": {"values": {}}},
        {"auc": None, "linearity": [{"values": {SCRIPT: SCRIPT}}], "executionErrors": [SCRIPT]},
    ],
)
def test_a_result_of_any_shape_has_a_page(api: ModelManage, browser: httpx.Client, tests: dict[str, Any]) -> None:
    result = api.create("modelTestResults", {"testResults": tests, "deployableModelId": RISK_TESTS_SNAPSHOT})
    assert "Raw result" in page(browser, f"/results/{result['id']}")


def test_notifications_show_open_ones_first_and_link_the_ticket(api: ModelManage, browser: httpx.Client) -> None:
    def notify(message: str, link: str, is_open: bool) -> None:
        body = {
            "notificationType": "MODEL_APPROVAL_NOTIFICATION",
            "severity": "INFO",
            "message": message,
            "storedModelId": NOTEBOOK,
            "open": is_open,
            "assignment": {
                "assignmentType": "JIRA_NOTIFICATION_ASSIGNMENT",
                "issueId": "MRM-7",
                "issueLink": link,
            },
        }
        api.create("notifications", body)

    notify("asked and waiting", "http://jira.example/browse/MRM-7", True)
    notify("answered long ago", "javascript:alert(1)", False)
    html = page(browser, f"/models/{NOTEBOOK}")
    assert html.index("asked and waiting") < html.index("answered long ago")
    assert 'href="http://jira.example/browse/MRM-7"' in html
    assert "javascript:" not in html
    everything = page(browser, "/notifications")
    assert everything.index("asked and waiting") < everything.index("answered long ago")


@pytest.mark.parametrize("path", ["/models/x", "/snapshots/x", "/results/x", "/jobs/x", "/snapshots/x/documents/0"])
def test_what_is_not_there_has_a_page_that_says_so(browser: httpx.Client, path: str) -> None:
    response = browser.get(path)
    assert response.status_code == 404
    assert "There is no" in response.text


def test_the_stylesheet_is_served(browser: httpx.Client) -> None:
    response = browser.get("/style.css")
    assert response.headers["content-type"].startswith("text/css")
    assert "font" in response.text
