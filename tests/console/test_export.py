"""`mlc export`: one finished run of the local stack becomes a file that stands for itself."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docx
import pytest_asyncio
from temporalio.client import Client

from console.checks.installation import find_installation
from console.desk import Desk
from console.evidence.bundle import DOCUMENT, HISTORY, RESULT, STATUS, TEST_RESULT, read_bundle
from console.evidence.gathering import Exported, Records, export
from console.evidence.replaying import Answer
from console.evidence.verification import verify
from console.stack import RunningStack
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.console.conftest import Command
from tests.console.evidence_bundles import altered, faults, forged, in_answers
from tests.end_to_end.site import Site
from worker.code_version import code_version
from worker.data_converter import data_converter
from workflows.contract import ImplementationResult


@dataclass(frozen=True)
class Deployed:
    """A run that took a model to production, and its bundle."""

    result: ImplementationResult
    exported: Exported

    @property
    def content(self) -> bytes:
        return self.exported.content


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployed(running_stack: RunningStack) -> Deployed:
    """A model is taken to production by three people, and the run is exported, once."""
    client = await Client.connect(running_stack.addresses.temporal, data_converter=data_converter)
    site = Site(running_stack, client)
    run = await site.start(GERMAN_CREDIT, requested_by="rita", endpoint_config_name="german-credit-2026-11")
    await run.approve_all()
    result = await run.handle.result()
    await site.aclose()
    installation = find_installation(running_stack.directory)
    desk = Desk(client)
    run_id, history = await desk.history(run.handle.id)
    exported = await export(
        desk,
        run.handle.id,
        run_id,
        history,
        Records(modelop=installation.modelop, jira=installation.jira),
        keep_encrypted=False,
    )
    return Deployed(result, exported)


async def test_the_bundle_of_a_deployed_run_is_whole_and_intact(deployed: Deployed) -> None:
    found = await verify(deployed.content, deployed.exported.bundle_id)
    assert found.intact and found.replay is Answer.SAME, found.checks
    assert deployed.exported.missing == []
    assert deployed.exported.manifest.code_versions == [code_version()]
    bundle = read_bundle(deployed.content)
    assert {HISTORY, RESULT, STATUS, DOCUMENT, TEST_RESULT} < set(bundle.parts)
    assert ImplementationResult.model_validate_json(bundle.parts[RESULT]) == deployed.result


def test_the_document_is_the_one_that_was_approved(deployed: Deployed) -> None:
    content = read_bundle(deployed.content).parts[DOCUMENT]
    assert deployed.result.document is not None
    assert hashlib.sha256(content).hexdigest() == deployed.result.document.sha256
    assert docx.Document(io.BytesIO(content)).paragraphs


def test_any_unzip_opens_it(deployed: Deployed) -> None:
    with zipfile.ZipFile(io.BytesIO(deployed.content)) as archive:
        assert archive.testzip() is None
        sums = archive.read("sha256sums.txt").decode().splitlines()
        for digest, name in (line.split("  ") for line in sums):
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert {*archive.namelist()} == {"sha256sums.txt", *(line.split("  ")[1] for line in sums)}


def test_one_changed_byte_of_a_real_bundle_is_found(deployed: Deployed) -> None:
    for offset in range(0, len(deployed.content), len(deployed.content) // 150):
        assert faults(altered(deployed.content, offset)), offset


async def test_the_release_that_decided_finds_a_forged_answer_of_its_own(deployed: Deployed) -> None:
    """What Jira answered is changed where nothing else repeats it: only the code knows what followed from it."""

    def rename(model: dict[str, Any]) -> None:
        model["name"] = "Another Model"

    content = forged(read_bundle(deployed.content), {HISTORY: in_answers("read_business_model", rename)})
    found = await verify(content)
    assert faults(content) == []
    assert not found.intact and found.replay is Answer.DIFFERS
    (replay,) = [check.found for check in found.checks if check.name == "replay"]
    assert "(open_ticket) argument[0].content" in replay and "Another Model" in replay


def test_the_command_writes_the_same_file_again(deployed: Deployed, mlc_here: Command, tmp_path: Path) -> None:
    answer = mlc_here("export", GERMAN_CREDIT, "-o", str(tmp_path / "again.zip"), "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["bundle_id"] == deployed.exported.bundle_id
    assert (tmp_path / "again.zip").read_bytes() == deployed.content


def test_a_run_of_the_server_and_its_bundle_are_replayed(deployed: Deployed, mlc_here: Command, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(deployed.content)
    for target in (GERMAN_CREDIT, str(tmp_path / "bundle.zip")):
        answer = mlc_here("replay", target)
        assert (answer.code, answer.out.startswith("same: sagemaker-mlc-")) == (0, True), answer


def test_every_run_under_way_is_replayed(deployed: Deployed, mlc_here: Command) -> None:
    answer = mlc_here("replay", "--running")
    assert answer.code == 0 and "0 of them cannot go on with the installed code" in answer.out, answer


def test_no_file_is_replaced_unasked(deployed: Deployed, mlc_here: Command, tmp_path: Path) -> None:
    (tmp_path / "thesis.zip").write_bytes(b"years of work")
    answer = mlc_here("export", GERMAN_CREDIT, "-o", str(tmp_path / "thesis.zip"))
    assert answer.code == 2 and "it is there already" in answer.err
    assert (tmp_path / "thesis.zip").read_bytes() == b"years of work"


def test_what_never_ran_cannot_be_exported(running_stack: RunningStack, mlc_here: Command, tmp_path: Path) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    answer = mlc_here("export", unknown, "-o", str(tmp_path / "bundle.zip"))
    assert answer.code == 1 and "there is no such implementation" in answer.err
    assert list(tmp_path.iterdir()) == []
