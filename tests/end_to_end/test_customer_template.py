"""A customer that brings a review template and limits of its own, from registration to production."""

from __future__ import annotations

import base64
import hashlib
import io

import docx
from docx.oxml.ns import qn

from sandbox.modelop.seed import CUSTOMER_LIMITS_FILE, CUSTOMER_TEMPLATE, CUSTOMER_TEMPLATE_FILE
from tests.end_to_end.site import Site
from tests.end_to_end.test_process import attachment_bytes
from workflows.contract import Outcome


def text_of(content: bytes) -> str:
    """All text of a document's body, tables included."""
    body = docx.Document(io.BytesIO(content)).element.body
    return "\n".join("".join(text.text or "" for text in p.iter(qn("w:t"))) for p in body.iter(qn("w:p")))


async def test_the_customers_template_and_limits_are_those_the_model_is_judged_and_deployed_by(site: Site) -> None:
    run = await site.start(CUSTOMER_TEMPLATE, requested_by="rita", endpoint_config_name="consumer-credit-1")
    await run.decide("PiaApproval", "paul")
    review = await run.decide("ResultsApproval", "vera")
    await run.decide("ProductionApproval", "aaron")
    result = await run.handle.result()
    assert result.outcome is Outcome.DEPLOYED and result.document is not None

    snapshot = await site.entity(f"deployableModels/{result.snapshot_id}")
    frozen = {asset["filename"]: asset["contentHash"]["hexString"] for asset in snapshot["storedModel"]["modelAssets"]}
    _, reviewed = await attachment_bytes(site, review)
    (document,) = snapshot["modelDocuments"]
    assert base64.b64decode(document["fileContent"]) == reviewed
    text = text_of(reviewed)
    assert "Consumer Credit Scoring (customer's template)" in text
    assert "The model ranks applicants well enough for this house" in text
    assert "not provided: modelop.storedModel.modelMetaData.custom.(Cost Centre)" in text
    assert "<<" not in text

    made_with = document["metaData"]["custom"]["mlc"]
    assert made_with["template"] == {"filename": CUSTOMER_TEMPLATE_FILE, "sha256": frozen[CUSTOMER_TEMPLATE_FILE]}
    assert made_with["limits"]["sha256"] == frozen[CUSTOMER_LIMITS_FILE]
    assert made_with["contentSha256"] == result.document.content_sha256
    recorded = snapshot["metaData"]["custom"]["mlc"]["document"]
    assert recorded == {"filename": document["filename"], "sha256": hashlib.sha256(reviewed).hexdigest(), **made_with}

    kept = await site.entity(f"modelTestResults/{result.test_runs[-1].result_id}")
    rows = {row["testCategory"]: row for row in kept["dmnRuleResults"]}
    assert rows["Performance"]["passes"] is True
    assert rows["Bias Disparity"]["passes"] is False
    description = (await site.issue(review))["fields"]["description"]
    assert "1 test failed" in description and "House limits for consumer credit" in description
