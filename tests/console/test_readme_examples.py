"""What the README shows to the owner of a registration system and to Jira's administrator works as it stands there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.stack import RunningStack
from sandbox.modelop.seed import CUSTOMER_TEMPLATE, GERMAN_CREDIT
from tests.console.conftest import Command
from workflows.contract import workflow_id

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECONDS = 60


@pytest.fixture
def adapted(mlc_here: Command, running_stack: RunningStack) -> Iterator[dict[str, str]]:
    """What an example is changed in before it runs: the test's own stack, and a model that no other test uses."""
    yield {
        "localhost:7233": running_stack.addresses.temporal,
        "http://127.0.0.1:8085": running_stack.addresses.relay,
        ".mlc/": f"{running_stack.directory}/",
        ".venv/bin/temporal workflow": f"{Path(sys.executable).with_name('temporal')} workflow",
        "--workflow-id": f"--address {running_stack.addresses.temporal} --workflow-id",
        GERMAN_CREDIT: CUSTOMER_TEMPLATE,
    }
    mlc_here("abort", CUSTOMER_TEMPLATE, "--reason", "the test is over")


def example(language: str, containing: str, adapted: dict[str, str]) -> str:
    """The README's one example that contains a text, adapted."""
    (found,) = [each for each in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in each]
    for original, own in adapted.items():
        found = found.replace(original, own)
    return str(found)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the example needs curl and openssl")
def test_a_registration_system_starts_a_run_and_a_webhook_reaches_it(adapted: dict[str, str]) -> None:
    code = example("python", "start_workflow", adapted)
    assert ast.literal_eval(run(sys.executable, "-c", code))["model_id"] == CUSTOMER_TEMPLATE

    assert workflow_id(CUSTOMER_TEMPLATE) in run("bash", "-ec", example("sh", "workflow start", adapted))

    answer = run("bash", "-ec", example("sh", "X-Hub-Signature", adapted))
    assert f'"workflow_ids":["{workflow_id(CUSTOMER_TEMPLATE)}"]' in answer and "succeeded" in answer
