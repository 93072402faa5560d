"""What the documents tell people to open or to type is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from console.main import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CALL = re.compile(r"(?:\.venv/bin/mlc|`mlc|^\$ mlc) ([a-z][a-z-]*)(?: (preview|verify)\b)?", re.MULTILINE)
_TARGET = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(document.read_text()))
    return {heading.strip().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in _LINK.findall(document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)
def test_every_command_exists(document: Path) -> None:
    root = get_command(app)
    commands = root.commands  # type: ignore[attr-defined]
    for command, subcommand in _CALL.findall(document.read_text()):
        assert command in commands, f"mlc {command}"
        assert not subcommand or command != "document" or subcommand in commands[command].commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_TARGET.findall(document.read_text())) <= targets
