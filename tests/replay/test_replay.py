"""Runs that wait for weeks are carried on by newer code: every recorded history must replay with the code of today."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.replay import archive
from tests.replay.changed_process import (
    PausingFirst,
    PausingFirstFromNowOn,
    ReadingSettingsOtherwise,
    SnapshotBeforePrivacy,
)
from tests.replay.replaying import divergences
from tests.replay.scenarios import SCENARIOS
from workflows.implementation import SagemakerModelImplementationWorkflow

MEGABYTE = 1_000_000
NEWEST = max(archive.generations(), default=1)
ADVICE = (
    "Runs that wait would stop with this error at the next deployment. Put the edit behind `workflow.patched` "
    "(docs/changing-the-process.md); recording anew does not help them."
)
STACK = ["sweep", "waiting-at-pia", "waiting-at-results", "waiting-at-production", "deployed"]
SHOWN = {"http://127.0.0.1", "http://jira", "https://eu-central-1.console.aws.amazon.com"}


def newest(name: str) -> Path:
    return archive.HISTORIES / str(NEWEST) / f"{name}{archive.SUFFIX}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faults() -> dict[Path, str | None]:
    paths = archive.recorded()
    return dict(zip(paths, await divergences([archive.load(path) for path in paths]), strict=True))


@pytest.mark.parametrize("path", archive.recorded(), ids=archive.name_of)
async def test_a_recorded_run_replays_with_the_code_of_today(faults: dict[Path, str | None], path: Path) -> None:
    assert faults[path] is None, f"{archive.name_of(path)}: {faults[path]}\n{ADVICE}"


@pytest.mark.parametrize("changed", [SnapshotBeforePrivacy, PausingFirst, ReadingSettingsOtherwise])
@pytest.mark.parametrize("name", ["waiting-at-results", "deployed"])
async def test_an_unversioned_edit_is_caught(changed: type, name: str) -> None:
    history = archive.load(newest(name))
    assert await divergences([history], [SagemakerModelImplementationWorkflow]) == [None]
    (fault,) = await divergences([history], [changed])
    assert fault is not None and "TMPRL1100" in fault, fault


async def test_the_same_edit_behind_a_patch_is_safe() -> None:
    histories = [archive.load(newest(name)) for name in ("waiting-at-pia", "waiting-at-results", "deployed")]
    assert await divergences(histories, [PausingFirstFromNowOn]) == [None, None, None]


def test_every_shape_is_recorded() -> None:
    expected = {*SCENARIOS, *(f"stack-{name}" for name in STACK)}
    recorded = {path.name.removesuffix(archive.SUFFIX) for path in archive.recorded(NEWEST)}
    assert recorded == expected, "run `make histories`"


def test_histories_are_small_and_tell_nothing_of_the_machine_that_recorded_them() -> None:
    assert sum(path.stat().st_size for path in archive.recorded(NEWEST)) < MEGABYTE
    for path in archive.recorded():
        for text in _texts(json.loads(gzip.decompress(path.read_bytes()))):
            assert not re.search(r"(?<![\w/:.-])/(home|root|tmp|usr|var|Users|opt)/", text), archive.name_of(path)
            assert not re.search(r"\d+@\w", text), archive.name_of(path)
            assert set(re.findall(r"https?://[\w.-]+", text)) <= SHOWN, archive.name_of(path)


def _texts(value: Any) -> Iterator[str]:
    """Every text of a history, the payloads decoded."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [base64.b64decode(inner).decode()] if key == "data" else _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
