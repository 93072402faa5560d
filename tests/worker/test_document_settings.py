"""The site's base template: tried out when the worker starts, not when the first review needs it."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest
from temporalio.client import Client

from activities.review_document.standard_layout.base_template import base_template
from tests.worker.test_settings import WHOLE
from worker.settings import Settings, SettingsError, load_settings
from worker.wiring import wire

VARIABLE = "MLC_DOCUMENT__BASE_TEMPLATE"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_ENV_FILE", "")
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def client() -> Client:
    """A client that has not connected: wiring needs none that has."""
    return await Client.connect("127.0.0.1:1", lazy=True)


def with_template(monkeypatch: pytest.MonkeyPatch, path: Path | str) -> Settings:
    monkeypatch.setenv(VARIABLE, str(path))
    return load_settings()


async def test_without_the_setting_the_document_has_our_styles(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().document.base_template is None
    assert with_template(monkeypatch, "").document.base_template is None
    await wire(load_settings(), client).aclose()


async def test_a_template_with_our_styles_is_taken(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "house.docx"
    path.write_bytes(base_template())
    wiring = wire(with_template(monkeypatch, path), client)
    assert any(method.__name__ == "prepare_review_document" for method in wiring.activities)
    await wiring.aclose()


@pytest.mark.parametrize(("name", "reason"), [("missing.docx", "No such file"), (".", "Is a directory")])
def test_a_path_that_cannot_be_read_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=f"^{VARIABLE}: cannot be read: {reason}.*give the path of a .docx$"):
        with_template(monkeypatch, tmp_path / name)


async def test_a_file_that_is_no_word_document_stops_the_worker(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "house.docx"
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(SettingsError, match=f"^{VARIABLE}: .*not a Word document"):
        wire(with_template(monkeypatch, path), client)


async def test_a_word_document_without_the_styles_is_refused_with_their_names(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "house.docx"
    docx.Document().save(str(path))
    with pytest.raises(SettingsError, match=f"^{VARIABLE}: .*styles.*Verdict Fail"):
        wire(with_template(monkeypatch, path), client)
