"""Evidence of runs whose payloads are encrypted: exported in plain or as it is, replayed and verified with the key."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter

from console.desk import Desk
from console.evidence.bundle import DOCUMENT, HISTORY, RESULT, STATUS, read_bundle
from console.evidence.gathering import Exported, Records, export
from console.evidence.histories import is_encoded, parse_history
from console.evidence.replaying import Answer, replay_one
from console.evidence.verification import verify
from tests.console.evidence_bundles import forged, resealed
from tests.temporal_servers import dev_server
from tests.workflows.world import World, process_worker
from worker.data_converter import data_converter, encrypting_data_converter
from worker.encryption import EncryptionSettings

KEYS = {"2026-01": base64.b64encode(bytes(range(32))).decode()}
OTHER_KEYS = {"2027-01": base64.b64encode(bytes(range(1, 33))).decode()}
UNKNOWN = Records(why_unknown="the settings do not say where it is")


def converter(keys: dict[str, str]) -> DataConverter:
    settings = EncryptionSettings.model_validate({"keys": json.dumps(keys), "active_key": next(iter(keys))})
    return encrypting_data_converter(settings.key_ring())


@dataclass(frozen=True)
class Finished:
    """A run that has ended on a server whose workers encrypt."""

    run_id: str
    history: WorkflowHistory
    in_plain: Exported
    as_it_is: Exported


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def finished() -> AsyncIterator[Finished]:
    async with dev_server() as environment:
        address = environment.client.service_client.config.target_host
        client = await Client.connect(address, data_converter=converter(KEYS))
        async with process_worker(client, World()) as process:
            await process.start()
            await process.approve("PiaApproval", "ResultsApproval", "ProductionApproval")
            await process.handle.result()
            desk = Desk(client)
            run_id, history = await desk.history(process.workflow_id)
            told = (desk, process.workflow_id, run_id, history, UNKNOWN)
            yield Finished(
                run_id,
                history,
                await export(*told, keep_encrypted=False),
                await export(*told, keep_encrypted=True),
            )


def payloads(history: bytes) -> bytes:
    """All payloads of a history as a reader of the file has them."""
    return b"\n".join(base64.b64decode(data) for data in re.findall(rb'"data": "([^"]*)"', history))


def keys_in_the_environment(monkeypatch: pytest.MonkeyPatch, keys: dict[str, str]) -> None:
    monkeypatch.setenv("MLC_ENV_FILE", "")
    monkeypatch.setenv("MLC_ENCRYPTION__KEYS", json.dumps(keys) if keys else "")
    monkeypatch.setenv("MLC_ENCRYPTION__ACTIVE_KEY", "none" if keys else "")


async def test_a_decrypted_bundle_needs_no_key(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    keys_in_the_environment(monkeypatch, {})
    found = await verify(finished.in_plain.content)
    assert found.intact and found.replay is Answer.SAME, found.checks
    assert len(found.decisions) == 3
    bundle = read_bundle(finished.in_plain.content)
    assert not is_encoded(parse_history(bundle.parts[HISTORY]))
    assert {RESULT, STATUS} < set(bundle.parts)


async def test_a_bundle_that_stays_encrypted_tells_nothing_without_the_key(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys_in_the_environment(monkeypatch, {})
    bundle = read_bundle(finished.as_it_is.content)
    assert {RESULT, STATUS}.isdisjoint(bundle.parts)
    assert b"decided_by" not in payloads(bundle.parts[HISTORY])
    assert b"decided_by" in payloads(read_bundle(finished.in_plain.content).parts[HISTORY])
    found = await verify(finished.as_it_is.content)
    assert found.intact and found.replay is Answer.NOT_POSSIBLE and found.decisions == []
    (unread,) = [check.found for check in found.checks if check.status == "warning"]
    assert "under key 2026-01" in unread and "MLC_ENCRYPTION__KEYS" in unread


async def test_without_the_key_what_is_in_the_clear_is_checked(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys_in_the_environment(monkeypatch, {})
    bundle = read_bundle(finished.as_it_is.content)
    found = await verify(resealed(bundle, dict(bundle.parts), workflow_id="sagemaker-mlc-other", ending="failed"))
    (contradicted,) = [check.found for check in found.checks if check.status == "failed"]
    assert 'workflow_id is "sagemaker-mlc-other"' in contradicted and 'ending is "failed"' in contradicted


async def test_ciphertext_that_was_changed_is_found_with_the_key(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys_in_the_environment(monkeypatch, KEYS)

    def spoil(history: Any) -> None:
        payload = history["events"][0]["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]
        payload["data"] = base64.b64encode(base64.b64decode(payload["data"])[:-1]).decode()

    found = await verify(forged(read_bundle(finished.as_it_is.content), {HISTORY: spoil}))
    (contradicted,) = [check for check in found.checks if check.status == "failed"]
    assert contradicted.name == HISTORY and "event 1 cannot be decrypted" in contradicted.found
    assert "it was changed since" in contradicted.found and not found.intact


async def test_with_the_key_all_of_it_is_checked(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    keys_in_the_environment(monkeypatch, KEYS)
    found = await verify(finished.as_it_is.content)
    assert found.intact and found.replay is Answer.SAME, found.checks
    assert [decision.gate for decision in found.decisions] == ["PiaApproval", "ResultsApproval", "ProductionApproval"]


async def test_an_encrypted_run_is_replayed_with_its_key_only(finished: Finished) -> None:
    assert (await replay_one(finished.history, converter(KEYS))).answer is Answer.SAME
    for other in (converter(OTHER_KEYS), data_converter):
        found = await replay_one(finished.history, other)
        assert found.answer is Answer.NOT_POSSIBLE and "2026-01" in found.why


def test_what_is_out_of_reach_is_said_and_listed(finished: Finished) -> None:
    assert {(missing.name, "settings" in missing.reason) for missing in finished.in_plain.missing} == {
        (DOCUMENT, True),
        ("test-result.json", True),
    }
    assert read_bundle(finished.in_plain.content).manifest.missing == finished.in_plain.missing
