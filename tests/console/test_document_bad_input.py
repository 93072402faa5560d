"""Broken and hostile files: `mlc document preview` says what is wrong or shows it, and always comes to an end."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE

from tests.console.conftest import Preview
from tests.console.document_files import FEW_RESULTS, given, job, limits, template, text_of

pytestmark = pytest.mark.timeout(60)

# What Word writes when a document is protected by a password: a container that is no archive.
ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096)


def archive(**parts: bytes) -> bytes:
    """An archive of these parts; `__` in a name stands for `/`."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(name.replace("__", "/"), content)
    return target.getvalue()


def word_file(**changed: bytes) -> bytes:
    """A Word file with some parts added or replaced."""
    with zipfile.ZipFile(io.BytesIO(template("Hello"))) as original:
        parts = {name.replace("/", "__"): original.read(name) for name in original.namelist()}
    return archive(**(parts | {name.replace("/", "__"): content for name, content in changed.items()}))


def with_entity() -> bytes:
    with zipfile.ZipFile(io.BytesIO(template("Hello"))) as original:
        body = original.read("word/document.xml")
    declared = b'<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/hostname">]><w:document'
    changed = body.replace(b"<w:document", declared, 1).replace(b"Hello", b"&x;")
    return word_file(**{"word/document.xml": changed})


def with_remote_picture() -> bytes:
    document = docx.Document(io.BytesIO(template("Hello")))
    document.part.relate_to("https://attacker.invalid/pixel.png", RELATIONSHIP_TYPE.IMAGE, is_external=True)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


TEMPLATES = {
    "text": b"just text",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "password": ENCRYPTED,
    "cut off": template("Hello")[:-100],
    "other archive": archive(readme=b"not Word"),
    "macros": word_file(**{"word/vbaProject.bin": b"\0" * 100}),
    "bomb": word_file(**{"word/media/image1.png": bytes(400_000_000)}),
    "entity": with_entity(),
    "remote picture": with_remote_picture(),
}
TABLES = {
    "text": b"not XML",
    "Word file": template("Hello"),
    "cut off": limits((">=0.9", "true", "good"))[:-40],
    "external entity": limits((">=0.9", "true", "&x;")).replace(
        b"<definitions", b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><definitions', 1
    ),
    "billion laughs": limits((">=0.9", "true", "&b;")).replace(
        b"<definitions",
        b'<!DOCTYPE d [<!ENTITY a "ha ha ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><definitions',
        1,
    ),
    "no table": b'<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"/>',
    "deep": b"<a>" * 100_000,
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_that_cannot_be_used_ends_the_command_with_its_name(
    preview: Preview, tmp_path: Path, kind: str
) -> None:
    results = given(tmp_path, job(FEW_RESULTS))
    answer = preview("--results", results, "--template", given(tmp_path, TEMPLATES[kind], "T.docx"))
    assert answer.code == 1 and not (tmp_path / "out.docx").exists()
    assert answer.err.startswith("mlc: T.docx: ") and len(answer.err.splitlines()) == 1
    # What is wrong is not enough: there is always a way to mend it.
    assert "(" in answer.err and answer.err.rstrip().endswith(")")


@pytest.mark.parametrize("kind", TABLES)
def test_limits_that_cannot_be_read_end_the_command_with_their_name(
    preview: Preview, tmp_path: Path, kind: str
) -> None:
    results = given(tmp_path, job(FEW_RESULTS))
    answer = preview("--results", results, "--thresholds", given(tmp_path, TABLES[kind], "D.dmn"))
    assert answer.code == 1 and not (tmp_path / "out.docx").exists()
    assert answer.err.startswith("mlc: D.dmn: ") and len(answer.err.splitlines()) == 1
    assert "(" in answer.err and answer.err.rstrip().endswith(")")


def test_ten_thousand_rules_are_evaluated_and_shown(preview: Preview, tmp_path: Path) -> None:
    rules = [(f"[{n / 10_000}..{(n + 1) / 10_000}[", "true", f"rule {n}") for n in range(10_000)]
    results = given(tmp_path, job(FEW_RESULTS))
    answer = preview("--results", results, "--thresholds", given(tmp_path, limits(*rules), "D.dmn"), "--json")
    assert answer.code == 0
    (performance,) = [each for each in json.loads(answer.out)["verdicts"] if each["category"] == "Performance"]
    assert performance["word"] == "PASS" and "rule 7785" in performance["reason"]


def test_an_expression_that_is_not_evaluated_is_shown_and_judges_nothing(preview: Preview, tmp_path: Path) -> None:
    table = limits(("${auc.compareTo(limit) > 0}", "true", "good"))
    results = given(tmp_path, job(FEW_RESULTS))
    answer = preview("--results", results, "--thresholds", given(tmp_path, table, "D.dmn"))
    assert answer.code == 0 and "NOT EVALUATED" in answer.out
    assert "NOT EVALUATED" in text_of(tmp_path / "out.docx")


HOSTILE = "\x1b[31mred\x00\x07 \ud800 \u202eevil <<modelop.storedModel.id>> [bold]x[/bold] <w:t>&amp;"
RESULTS: dict[str, Any] = {
    "empty": {},
    "unknown families": {"a site's own test": [{"values": {"x": 1}}], "another": "text", "third": [[1, 2], None]},
    "hostile texts": {**FEW_RESULTS, HOSTILE: HOSTILE, "executionErrors": [HOSTILE] * 20},
    "huge text": {
        **FEW_RESULTS,
        "executionErrors": ["bias failed " + "x" * 10_000_000],
        "note": "y" * 10**6,
    },
    "wrong kinds": {
        "auc": "0.9",
        "stability": 7,
        "bias": [None, 3],
        "executionErrors": {"a": 1},
        "CSI_maxCSIValue": [],
    },
    "extreme numbers": {**FEW_RESULTS, "auc": 10**400, "dw_statistic": -1e308, "cvm_p_value": 1e-320},
    "many features": {f"feature_{n}_CSI": 0.1 for n in range(3_000)},
}


@pytest.mark.parametrize("kind", RESULTS)
def test_strange_results_are_shown_and_leave_a_file_that_opens(preview: Preview, tmp_path: Path, kind: str) -> None:
    answer = preview("--results", given(tmp_path, job(RESULTS[kind])))
    assert answer.code == 0, answer.err
    assert "\x1b" not in answer.out and "\x00" not in answer.out and "\u202e" not in answer.out
    assert len(answer.out) < 60_000
    assert "Verdicts" in text_of(tmp_path / "out.docx") or docx.Document(str(tmp_path / "out.docx")).tables


@pytest.mark.parametrize("option", ["--json", "--force"])
def test_lone_surrogates_do_not_break_the_output(preview: Preview, tmp_path: Path, option: str) -> None:
    results = {**FEW_RESULTS, "executionErrors": ["durbin_watson \ud800 failed"], "dw_statistic": -99}
    answer = preview("--results", given(tmp_path, job(results)), option)
    assert answer.code == 0
    answer.out.encode()


def test_results_nested_as_deep_as_can_be_read_are_printed_or_refused(preview: Preview, tmp_path: Path) -> None:
    for depth in (50, 400, 900):
        nested = '{"auc": 0.8, "deep": ' + "[" * depth + "]" * depth + "}"
        answer = preview("--results", given(tmp_path, nested.encode()))
        assert answer.code in (0, 1)
        assert answer.code == 0 or len(answer.err.splitlines()) == 1
