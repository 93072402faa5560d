"""The document as pages: converted by LibreOffice, read back as text, structure and places on the paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from activities.review_document.review import Review
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples

TAGGED = 'pdf:writer_pdf_Export:{"UseTaggedPDF":{"type":"boolean","value":"true"}}'
LONG = "x" * 100_000

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("soffice", "pdfinfo", "pdftotext"))),
    reason="LibreOffice Writer and poppler-utils are not installed: the pages of the document were NOT looked at",
)


def hostile() -> Review:
    """Markup, terminal colours, formulas and endless words wherever a result or a model can carry a text."""
    results = samples.classification_results(3)
    names = ("cost_$_per_$x^{", "<w:t>&amp;", "\x1b[31mred\x00\ud800", "特徴量", LONG)
    results["linearity"] = [{"values": dict.fromkeys(names, 0.2)}]
    results["bias"][0]["values"].append({"attribute_name": LONG, "attribute_value": LONG, "ppr_disparity": 1e12})
    results[LONG] = [{"test_name": LONG, "values": {LONG: LONG}}]
    model = samples.stored_model()
    model["modelMetaData"] |= {"name": f"<b>{LONG}", "description": LONG, "custom": {LONG: LONG}}
    model["modelAssets"] = [{"assetRole": LONG, "filename": LONG, "fileUrl": LONG, "fileSize": 10**18}] * 3
    return samples.review(results, stored_model=model, failed={"": LONG}, notices=[LONG] * 9)


REVIEWS = {
    "classification": (samples.review(), range(12, 19)),
    "regression": (samples.review(samples.regression_results(), methodology="Linear Regression"), range(11, 17)),
    "wide": (samples.review(samples.classification_results(200)), range(16, 24)),
    "empty": (samples.review({}, stored_model={}, snapshot={}, test_runs=[], decisions=[]), range(8, 12)),
    "hostile": (hostile(), range(14, 26)),
}
every_review = pytest.mark.parametrize("name", REVIEWS)


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All documents as PDF, from one start of LibreOffice."""
    folder = tmp_path_factory.mktemp("pages")
    documents = [folder / f"{name}.docx" for name in REVIEWS]
    for document, (review, _) in zip(documents, REVIEWS.values(), strict=True):
        document.write_bytes(render(review))
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ("soffice", "--headless", "--norestore", profile, "--convert-to", TAGGED, "--outdir", str(folder))
    run(*command, *map(str, documents))
    return folder


@cache
def text_of(pdf: Path, layout: str) -> str:
    return run("pdftotext", layout, str(pdf), "-")


@dataclass(frozen=True)
class Word:
    """A word on a page and where it ends, in points."""

    page: int
    left: float
    right: float
    bottom: float
    width: float
    height: float
    text: str


def words_of(pdf: Path) -> list[Word]:
    found, page, width, height = [], 0, 0.0, 0.0
    for line in run("pdftotext", "-bbox", str(pdf), "-").splitlines():
        if opening := re.search(r'<page width="([\d.]+)" height="([\d.]+)"', line):
            page, width, height = page + 1, float(opening[1]), float(opening[2])
        elif word := re.search(r'<word xMin="([-\d.]+)" yMin="[-\d.]+" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*)<', line):
            left, right, bottom = (float(word[group]) for group in (1, 2, 3))
            found.append(Word(page, left, right, bottom, width, height, word[4]))
    return found


@every_review
def test_the_pdf_is_tagged_titled_and_of_sane_length(folder: Path, name: str) -> None:
    facts = run("pdfinfo", str(folder / f"{name}.pdf"))
    assert re.search(r"Tagged:\s+yes", facts)
    assert re.search(r"Title:\s+Model review: \S", facts)
    pages = re.search(r"Pages:\s+(\d+)", facts)
    assert pages is not None
    assert int(pages[1]) in REVIEWS[name][1]


def test_headings_and_table_headings_are_in_the_structure(folder: Path) -> None:
    structure = run("pdfinfo", "-struct", str(folder / "classification.pdf"))
    for tag in ("H1", "H2", "TH", "Table", "Figure", "L"):
        assert re.search(rf"^\s*{tag}\b", structure, re.MULTILINE), tag


@every_review
def test_every_finding_can_be_read_on_the_pages(folder: Path, name: str) -> None:
    raw = text_of(folder / f"{name}.pdf", "-raw").replace("-", "")
    joined = "".join(raw.split())
    findings = REVIEWS[name][0].findings
    assert len(findings) >= 5
    for verdict in findings:
        for part in (verdict.word, verdict.test, verdict.consequence, verdict.value_text):
            assert "".join(part.replace("-", "").split()) in joined
    assert "Error!" not in raw


@every_review
def test_nothing_runs_off_a_page(folder: Path, name: str) -> None:
    words = words_of(folder / f"{name}.pdf")
    assert len(words) > 1000
    margin = 55.0
    for word in words:
        assert margin < word.left, word
        assert word.right < word.width - margin, word
        assert word.bottom < word.height - 25, word


@every_review
def test_the_decision_summary_is_one_page_that_holds_every_finding(folder: Path, name: str) -> None:
    pages = [" ".join(page.split()) for page in text_of(folder / f"{name}.pdf", "-raw").split("\f")]
    begins = next(number for number, page in enumerate(pages) if "1 Decision summary What is asked." in page)
    assert "2 Model and snapshot Model name" in pages[begins + 1]
    findings = REVIEWS[name][0].findings
    for word in {verdict.word for verdict in findings}:
        expected = sum(verdict.word is word for verdict in findings)
        assert len(re.findall(rf"\b{word} [A-Z]", pages[begins])) >= expected


@every_review
def test_no_page_is_empty_and_every_page_is_numbered(folder: Path, name: str) -> None:
    pages = text_of(folder / f"{name}.pdf", "-layout").split("\f")[:-1]
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert len(page.split()) > 40, f"page {number} is nearly empty"


def test_the_table_of_all_tests_stands_alone_on_a_page_on_its_side(folder: Path) -> None:
    facts = run("pdfinfo", "-f", "1", "-l", "99", str(folder / "classification.pdf"))
    sizes = re.findall(r"Page\s+(\d+) size:\s+([\d.]+) x ([\d.]+)", facts)
    (lying,) = [int(page) for page, width, height in sizes if float(width) > float(height)]
    page = text_of(folder / "classification.pdf", "-layout").split("\f")[lying - 1]
    assert "6 Test results" in " ".join(page.split())
    assert "Test summary" in page
