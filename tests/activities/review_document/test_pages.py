"""The document as pages: converted by LibreOffice, read back as text and structure."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from activities.review_document.render import render
from tests.activities.review_document import samples

TAGGED = 'pdf:writer_pdf_Export:{"UseTaggedPDF":{"type":"boolean","value":"true"}}'

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("soffice", "pdfinfo", "pdftotext"))),
    reason="LibreOffice Writer and poppler-utils are not installed: the pages of the document were NOT looked at",
)


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    document = folder / "review.docx"
    document.write_bytes(render(samples.review()))
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    run("soffice", "--headless", "--norestore", profile, "--convert-to", TAGGED, "--outdir", str(folder), str(document))
    return document.with_suffix(".pdf")


def test_the_pdf_is_tagged_titled_and_of_sane_length(pdf: Path) -> None:
    facts = run("pdfinfo", str(pdf))
    assert re.search(r"Tagged:\s+yes", facts)
    assert re.search(r"Title:\s+Model review: German Credit Scoring", facts)
    pages = re.search(r"Pages:\s+(\d+)", facts)
    assert pages is not None
    assert 8 <= int(pages[1]) <= 16


def test_headings_and_table_headings_are_in_the_structure(pdf: Path) -> None:
    structure = run("pdfinfo", "-struct", str(pdf))
    for tag in ("H1", "H2", "TH", "Table", "Figure", "L"):
        assert re.search(rf"^\s*{tag}\b", structure, re.MULTILINE), tag


def test_every_fail_can_be_read_on_the_pages(pdf: Path) -> None:
    text = " ".join(run("pdftotext", "-layout", str(pdf), "-").split())
    raw = " ".join(run("pdftotext", "-raw", str(pdf), "-").split())
    for verdict in samples.review().findings:
        assert verdict.value_text in text
        assert verdict.test.replace("-", "").replace(" ", "") in raw.replace("-", "").replace(" ", "")
    assert "Error!" not in text


def test_no_page_is_empty_and_every_page_is_numbered(pdf: Path) -> None:
    pages = run("pdftotext", "-layout", str(pdf), "-").split("\f")[:-1]
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert len(page.split()) > 40, f"page {number} is nearly empty"
