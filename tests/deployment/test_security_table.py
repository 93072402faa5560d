"""The threat model of `docs/security.md` names tests; they must be there, and be tests that pytest collects."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"`(test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of the first table, without its heading."""
    section = (ROOT / "docs" / "security.md").read_text().partition("## Who could do what")[2].partition("\n## ")[0]
    lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def collected() -> Iterator[str]:
    """Names of all test functions that no mark skips, read from the sources: collecting would import everything."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_skipped(node):
                yield node.name


def _is_skipped(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(re.search(r"\bskip\b|\bxfail\b", ast.unparse(decorator)) for decorator in node.decorator_list)


TESTS = frozenset(collected())


def test_the_table_says_who_what_how_and_which_test() -> None:
    table = rows()
    assert len(table) >= 15
    assert [row for row in table if len(row) != 4 or not all(row)] == []


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:60])
def test_every_row_names_tests_that_exist(row: list[str]) -> None:
    named = _NAMED.findall(row[3])
    assert named
    assert [name for name in named if name not in TESTS] == []
