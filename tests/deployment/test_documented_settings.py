"""`docs/settings.md` and `.env.example` against the settings themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from pydantic import TypeAdapter

from tests.setting_fields import FIELDS
from worker.settings import load_settings
from worker.settings_faults import ENV_FILE_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "settings.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
GATE = re.compile(r"^MLC_JIRA__GATES__(PIA|TEST_FAILURE|RESULTS|PRODUCTION)__")


def rows() -> Iterator[tuple[list[str], str]]:
    """The full names of the variables that a row of a table tells of, and the cell with their defaults."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) >= 5 and (names := re.findall(r"`([A-Z_…]+)`", cells[1])):
            section = names[0].rpartition("__")[0]
            yield [name.replace("…", f"{section}__") for name in names], cells[2]


def documented_defaults() -> Iterator[tuple[str, str]]:
    for names, cell in rows():
        defaults = re.findall(r"`([^`]+)`", cell) if "required" not in cell else []
        yield from ((name, default) for name, default in zip(names, defaults, strict=False) if default != "URL")


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    told = {name for names, _ in rows() for name in names if name.startswith("MLC_")}
    assert told == {name for name in FIELDS if not GATE.match(name)}
    for field in {GATE.sub("", name) for name in FIELDS if GATE.match(name)}:
        assert re.search(rf"GATES__<GATE>.*`{field}`", PAGE)


@pytest.mark.parametrize(("name", "default"), list(documented_defaults()))
def test_a_documented_default_is_the_real_one(name: str, default: str) -> None:
    field = FIELDS[name]
    given: Any = json.loads(default) if default.startswith("[") else default
    assert TypeAdapter(field.annotation).validate_python(given) == field.get_default(call_default_factory=True)


def test_there_are_defaults_to_compare() -> None:
    assert len(list(documented_defaults())) >= 25


def test_the_example_names_settings_only() -> None:
    named = set(re.findall(r"^#?(MLC_\w+)=", EXAMPLE, re.MULTILINE))
    assert len(named) >= 50 and named <= FIELDS.keys()


def test_the_example_works_once_its_secrets_are_filled_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled = re.sub(r"^(MLC_\w+(?:SECRET|BEARER_TOKEN))=$", r"\1=filled-in", EXAMPLE, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(filled)
    for name in dotenv_values(tmp_path / ".env"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(tmp_path / ".env"))
    settings = load_settings()
    assert settings.jira.project == "GOV" and settings.modelop.client_id == "internal-client"
    assert caplog.records == []
