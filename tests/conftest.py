"""What all tests share: one local stack, and how the tests are spread over processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.stack import RunningStack, read_running
from tests.mlc_process import MLC, Marked

STACK_START_SECONDS = 100
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of a folder in one process, so that its servers are started once."""
    for item in items:
        folder = item.path.parent.relative_to(TESTS).as_posix()
        item.add_marker(pytest.mark.xdist_group(folder))


@pytest.fixture(scope="session")
def running_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """`mlc up` in a process of its own, on ports that are free and data that is new."""
    directory = tmp_path_factory.mktemp("stack")
    stack = Marked(*MLC, "up", "--data-dir", str(directory / "data"), log=directory / "up.log")
    try:
        deadline = time.monotonic() + STACK_START_SECONDS
        while (running := read_running(directory / "data")) is None:
            assert stack.process.poll() is None and time.monotonic() < deadline, stack.log.read_text()
            time.sleep(0.2)
        yield running
    finally:
        stack.process.terminate()
        code = stack.process.wait(60)
    assert code == 0, stack.log.read_text()
    assert stack.all_gone(), f"still alive: {stack.family()}"
