"""A filled template as pages: converted by LibreOffice, and read back."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from docx.document import Document

from tests.activities.review_document.customer_template import word_templates as word

RESULTS = "modelop.modelTestResult.testResults"
RULE = "modelop.modelTestResult.dmnRuleResults.[testCategory={}].{}"
CATEGORIES = ("Performance", "Normality", "Ljung Box Q", "Bias Disparity")
FACTS = {
    "Model": "modelop.storedModel.modelMetaData.name",
    "Owner": "modelop.storedModel.modelMetaData.custom.Model Owner",
    "Business unit": "modelop.storedModel.modelMetaData.modelOrganization",
    "Second line": "modelop.storedModel.modelMetaData.custom.secondLine",
    "Snapshot": "modelop.deployableModel.metaData.name",
    "Baseline": "modelop.storedModel.modelAssets.[assetRole=BASELINE_DATA].filename",
}
SENTIMENT = {
    "title": "Sentiment of the answers",
    "x_axis_label": "Sentiment",
    "y_axis_label": "Answers",
    "rotated": True,
    "categories": ["positive", "neutral", "negative"],
    "data": {"baseline": [40, 30, 5], "comparator": [35, 33, 9]},
}
TAGGED = 'pdf:writer_pdf_Export:{"UseTaggedPDF":{"type":"boolean","value":"true"}}'

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("soffice", "pdfinfo", "pdftotext"))),
    reason="LibreOffice Writer and poppler-utils are not installed: the pages of a filled template were NOT looked at",
)


def review_template(document: Document) -> None:
    """A template such as a second line of defence writes it."""
    document.sections[0].header.paragraphs[0].text = f"Model risk – <<{FACTS['Model']}>>"
    document.sections[0].footer.paragraphs[0].text = "Snapshot <<modelop.deployableModel.id>>"
    document.add_heading(f"Review of <<{FACTS['Model']}>>", 0)
    document.add_heading("1  Model information", 1)
    facts = document.add_table(0, 2)
    facts.style = "Light Grid Accent 1"
    for name, path in FACTS.items():
        first, second = facts.add_row().cells
        first.text, second.text = name, f"<<{path}>>"
    document.add_heading("2  Results by category", 1)
    rules = document.add_table(1, 3)
    rules.style = "Light Grid Accent 1"
    for cell, heading in zip(rules.rows[0].cells, ("Category", "Passes", "Reason"), strict=True):
        cell.text = heading
    for category in CATEGORIES:
        texts = (category, *(f"<<{RULE.format(category, column)}>>" for column in ("passes", "reason")))
        for cell, text in zip(rules.add_row().cells, texts, strict=True):
            cell.text = text
    document.add_heading("3  Metrics", 1)
    document.add_paragraph(f"Metrics on the comparator: <<{RESULTS}.(performance)[0].values>>")
    document.add_paragraph(f"<<{RESULTS}.(stability)[0].(values)>>", style="List Bullet")
    document.add_paragraph("<<modelopgraph.stability.age>>")
    document.add_heading("4  Fairness", 1)
    document.add_paragraph("<<modelopgraph.groupbias.age_group>>")
    document.add_paragraph(f"<<{RESULTS}.(bias)[0].values>>")
    document.add_paragraph("The four-fifths rule applies.")
    document.add_paragraph("<<modelopgraph.bargraph.sentiment_analysis>>")


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    document = folder / "filled.docx"
    document.write_bytes(
        word.fill(word.template(review_template), word.sources({"sentiment_analysis": SENTIMENT})).content
    )
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    run("soffice", "--headless", "--norestore", profile, "--convert-to", TAGGED, "--outdir", str(folder), str(document))
    return document.with_suffix(".pdf")


def test_everything_that_was_filled_can_be_read_on_the_pages(pdf: Path) -> None:
    # A cell breaks its lines wherever they end.
    text = "".join(run("pdftotext", "-raw", str(pdf), "-").split())
    for shown in (
        "Model risk – German Credit Scoring",
        "Review of German Credit Scoring",
        "Jane Doe",
        "not provided: modelop.storedModel.modelMetaData.custom.secondLine",
        "AUC is at least 0.7",
        "no verdict",
        "Metrics on the comparator:",
        "stability_index",
        "withheld",
    ):
        assert shown.replace(" ", "") in text, shown
    assert "<<" not in text


def test_pictures_tables_and_headings_are_in_the_structure(pdf: Path) -> None:
    facts, structure = run("pdfinfo", str(pdf)), run("pdfinfo", "-struct", str(pdf))
    assert re.search(r"Title:\s+Model review: German Credit", facts)
    assert len(re.findall(r"^\s*Figure\b", structure, re.MULTILINE)) == 3
    assert len(re.findall(r"^\s*Table\b", structure, re.MULTILINE)) == 5
    assert re.search(r"^\s*TH\b", structure, re.MULTILINE)


def test_nothing_runs_off_a_page(pdf: Path) -> None:
    boxes = run("pdftotext", "-bbox", str(pdf), "-")
    width = float(re.findall(r'<page width="([\d.]+)"', boxes)[0])
    edges = [float(edge) for edge in re.findall(r'xMax="([\d.]+)"', boxes)]
    assert len(edges) > 100
    assert max(edges) < width - 36
