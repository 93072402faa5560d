"""The same review makes the same file, in any process, at any time."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from activities.review_document.package import content_sha256, pack, repack
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples

ROOT = Path(__file__).parents[3]
REVIEW = samples.review(samples.classification_results(3))
PRINT_HASH = """
import hashlib
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples
review = samples.review(samples.classification_results(3))
print(hashlib.sha256(render(review)).hexdigest())
"""


@pytest.fixture(scope="module")
def rendered() -> bytes:
    return render(REVIEW)


ELSEWHERE = {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "de_DE.UTF-8", "OMP_NUM_THREADS": "7"}


def test_other_hash_seeds_zones_locales_folders_and_settings_make_the_same_bytes_later(
    rendered: bytes, tmp_path: Path
) -> None:
    started = time.monotonic()
    # A site's own chart settings lie in the working directory, where matplotlib looks first.
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nfont.family: serif\nsavefig.dpi: 50\n")
    environment = {**os.environ, **ELSEWHERE, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PRINT_HASH]
    other = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=100
    )
    # The clock of a zip entry ticks every two seconds.
    time.sleep(max(0.0, 2.1 - (time.monotonic() - started)))
    assert other.stdout.strip() == hashlib.sha256(rendered).hexdigest()
    assert render(REVIEW) == rendered


def test_documents_written_side_by_side_are_the_same_as_one_by_one(rendered: bytes) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert set(threads.map(lambda _: render(REVIEW), range(2))) == {rendered}


def test_another_result_or_another_time_makes_another_file(rendered: bytes) -> None:
    changed = samples.classification_results(3) | {"auc": 0.7786}
    assert content_sha256(render(samples.review(changed))) != content_sha256(rendered)


def test_the_content_hash_does_not_depend_on_compression(rendered: bytes) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(rendered)) as archive, zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as copy:
        for name in reversed(archive.namelist()):
            copy.writestr(name, archive.read(name))
    assert stored.getvalue() != rendered
    assert content_sha256(stored.getvalue()) == content_sha256(rendered)
    assert repack(stored.getvalue()) == rendered


def test_the_content_hash_is_the_documented_one() -> None:
    lines = "".join(f"{name} {hashlib.sha256(body).hexdigest()}\n" for name, body in (("a.xml", b"1"), ("b.xml", b"2")))
    assert content_sha256(pack({"b.xml": b"2", "a.xml": b"1"})) == hashlib.sha256(lines.encode()).hexdigest()


def test_the_archive_carries_no_time_of_its_own(rendered: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(rendered)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist()[:2] == ["[Content_Types].xml", "_rels/.rels"]
