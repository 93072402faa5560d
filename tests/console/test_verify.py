"""`mlc verify`: a bundle is checked without any server, and whatever was changed in it is named."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.evidence.bundle import (
    DOCUMENT,
    HISTORY,
    MANIFEST,
    RESULT,
    STATUS,
    SUMS,
    TEST_RESULT,
    UnreadableBundle,
    read_bundle,
    write_bundle,
)
from console.evidence.replaying import Answer
from console.evidence.verification import Verification, verify
from tests.console.conftest import Command
from tests.console.evidence_bundles import (
    NEWEST,
    Edit,
    altered,
    as_json,
    faults,
    forged,
    in_answers,
    in_outcome,
    recorded,
    recorded_bundle,
    resealed,
)
from tests.replay import archive

CONTENT = recorded_bundle()
BUNDLE = read_bundle(CONTENT)
OTHERS = sorted(path.name.removesuffix(archive.SUFFIX) for path in archive.recorded(NEWEST) if "sweep" not in path.name)


async def failures(content: bytes) -> str:
    return "\n".join(f"{each.name}: {each.found}" for each in (await verify(content)).checks if each.status == "failed")


def check(found: Verification, name: str) -> str:
    return "; ".join(f"{each.status}: {each.found}" for each in found.checks if each.name == name)


async def test_a_bundle_as_it_was_exported_is_intact() -> None:
    found = await verify(CONTENT, BUNDLE.bundle_id)
    assert found.intact and found.replay is Answer.SAME, found.checks
    assert [(each.gate, each.decided_by) for each in found.decisions] == [
        ("PiaApproval", "paul"),
        ("ResultsApproval", "vera"),
        ("ProductionApproval", "aaron"),
    ]
    assert {DOCUMENT, HISTORY, RESULT, TEST_RESULT, MANIFEST} <= {each.name for each in found.checks}


@pytest.mark.parametrize("name", OTHERS)
async def test_the_bundle_of_a_run_of_any_shape_is_intact(name: str) -> None:
    assert await failures(recorded_bundle(recorded(name))) == ""


def test_one_changed_byte_is_found_and_the_file_is_named() -> None:
    chance = random.Random(20261122)
    for name in (*BUNDLE.parts, MANIFEST, SUMS):
        part = BUNDLE.manifest_bytes if name == MANIFEST else BUNDLE.sums if name == SUMS else BUNDLE.parts[name]
        assert part is not None
        start = CONTENT.index(part)
        for offset in {0, len(part) - 1, *(chance.randrange(len(part)) for _ in range(25))}:
            found = faults(altered(CONTENT, start + offset))
            assert found and all(name in each for each in found), (name, offset, found)


def test_a_changed_byte_outside_the_files_is_found() -> None:
    inside = set()
    for part in (*BUNDLE.parts.values(), BUNDLE.manifest_bytes, BUNDLE.sums or b""):
        inside |= set(range(CONTENT.index(part), CONTENT.index(part) + len(part)))
    outside = [offset for offset in range(len(CONTENT)) if offset not in inside]
    assert len(outside) > 500
    for offset in outside:
        assert faults(altered(CONTENT, offset)), offset


def test_a_change_in_json_is_named_by_its_place() -> None:
    result = BUNDLE.parts[RESULT].replace(b'"decided_by": "vera"', b'"decided_by": "vira"')
    (found,) = faults(CONTENT.replace(BUNDLE.parts[RESULT], result))
    assert found == "result.json: it was changed at decisions[1]"
    history = BUNDLE.parts[HISTORY].replace(b'"open_ticket"', b'"open_tickle"', 1)
    (found,) = faults(CONTENT.replace(BUNDLE.parts[HISTORY], history))
    assert found == "history.json: it was changed at event 31 (activity task scheduled)"


@pytest.mark.parametrize("length", [0, 1, 3, 100, len(CONTENT) // 2, len(CONTENT) - 30, len(CONTENT) - 1])
def test_a_bundle_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(UnreadableBundle, match="cut off|no zip file"):
        read_bundle(CONTENT[:length])


def zipped(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "a text": (b"Dear auditor,", "no zip file"),
    "another zip": (zipped(("word/document.xml", b"<w/>")), "no evidence bundle: there is no manifest.json"),
    "an empty zip": (zipped(), "there is no manifest.json"),
    "a manifest of something else": (zipped((MANIFEST, b'{"format": "npm"}')), "does not say that this is"),
    "a manifest that is a list": (zipped((MANIFEST, b"[]")), "does not say that this is"),
    "a manifest nested too deeply": (zipped((MANIFEST, b"[" * 100_000)), "is no JSON any more"),
    "a later version": (
        zipped((MANIFEST, BUNDLE.manifest_bytes.replace(b'"version": 1', b'"version": 2'))),
        "version 2",
    ),
    "a manifest without events": (zipped((MANIFEST, BUNDLE.manifest_bytes.replace(b'"events"', b'"event"'))), "events"),
    "a compressed bomb": (zipped((HISTORY, bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED), "is compressed"),
    "a way out": (zipped((MANIFEST, BUNDLE.manifest_bytes), ("../../.profile", b"rm")), "no bundle holds"),
    "a stranger": (zipped((MANIFEST, BUNDLE.manifest_bytes), ("run.sh", b"rm")), "'run.sh', which no bundle holds"),
    "very many files": (zipped(*((f"{n}", b"") for n in range(1000))), "more files than any evidence bundle"),
    "room for very many files": (CONTENT[:-22] + b"PK\x06\x07" + bytes(16) + CONTENT[-22:], "more files than any"),
    "halves of characters": (
        zipped((MANIFEST, BUNDLE.manifest_bytes.replace(b'"ending": "', b'"ending": "\\ud800'))),
        "manifest.json was changed",
    ),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_bundle_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableBundle, match=said.replace("(", "\\(")):
        read_bundle(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_file_of_one_name_is_refused() -> None:
    with pytest.raises(UnreadableBundle, match="'document.docx' more than once"):
        read_bundle(zipped((MANIFEST, BUNDLE.manifest_bytes), (DOCUMENT, b"shown"), (DOCUMENT, b"hashed")))


def test_an_entry_that_claims_to_be_huge_is_refused() -> None:
    directory = CONTENT.rindex(b"PK\x01\x02")
    claimed = (0xFFFFFFF0).to_bytes(4, "little") * 2
    with pytest.raises(UnreadableBundle, match="cut off"):
        read_bundle(CONTENT[: directory + 20] + claimed + CONTENT[directory + 28 :])


def test_files_that_lie_one_over_the_other_are_refused() -> None:
    """Every one of them may be as long as the whole file, and together they would fill the memory."""
    content = bytearray(CONTENT)
    at = directory = int.from_bytes(CONTENT[-6:-2], "little")
    while content[at : at + 4] == b"PK\x01\x02":
        content[at + 20 : at + 28] = (directory - 100).to_bytes(4, "little") * 2
        content[at + 42 : at + 46] = bytes(4)
        at += 46 + content[at + 28]
    assert at == len(CONTENT) - 22
    with pytest.raises(UnreadableBundle, match="lie one over the other"):
        read_bundle(bytes(content))


def test_bytes_before_and_behind_are_found() -> None:
    assert faults(CONTENT + bytes(10)) == ["it is cut off, or something was added to its end"]
    assert faults(CONTENT[:4] + CONTENT) != []
    assert faults(CONTENT + CONTENT) != []


def set_field(*path: Any, to: Any) -> Edit:
    def edit(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return edit


def without_production_approval(result: Any) -> None:
    result["decisions"] = result["decisions"][:-1]


def drop_last_events(history: Any) -> None:
    del history["events"][-20:]


VERA_WAS_PAUL = set_field("decisions", 1, "decided_by", to="paul")
FORGED: dict[str, tuple[dict[str, Edit], str]] = {
    "a decision in the result": ({RESULT: VERA_WAS_PAUL}, 'decisions[1].decided_by is "paul", there "vera"'),
    "a decision in result and history's end": (
        {RESULT: VERA_WAS_PAUL, HISTORY: in_outcome(VERA_WAS_PAUL)},
        "decisions[1] of GOV-2: event",
    ),
    "an approval left out": (
        {RESULT: without_production_approval, HISTORY: in_outcome(without_production_approval)},
        "the outcome is DEPLOYED without the approval ProductionApproval",
    ),
    "the document's hash in the result": (
        {
            RESULT: set_field("document", "sha256", to="0" * 64),
            HISTORY: in_outcome(set_field("document", "sha256", to="0" * 64)),
        },
        f'document.docx: the result has SHA-256 "{"0" * 64}"',
    ),
    "the archived hash": (
        {HISTORY: in_answers("archive_review_document", set_field("sha256", to="0" * 64))},
        "(archived) has SHA-256",
    ),
    "the deployed model": (
        {
            RESULT: set_field("deployed_model_id", to="other"),
            HISTORY: in_outcome(set_field("deployed_model_id", to="other")),
        },
        'deployed_model_id is "other"',
    ),
    "the model": (
        {RESULT: set_field("model_id", to=""), HISTORY: in_outcome(set_field("model_id", to=""))},
        'model_id is "", the run is "sagemaker-mlc-6e5a1f0c',
    ),
    "a time that no clock shows": (
        {
            RESULT: set_field("decisions", 1, "decided_at", to="0001-01-01T00:00:00+14:00"),
            HISTORY: in_outcome(set_field("decisions", 1, "decided_at", to="0001-01-01T00:00:00+14:00")),
        },
        "decisions[1] of GOV-2: event",
    ),
    "another test result": ({TEST_RESULT: set_field("id", to="other")}, 'id is "other", the run kept'),
    "an end cut off": ({HISTORY: drop_last_events}, 'ending is "completed", in the history "running"'),
}


@pytest.mark.parametrize(("edits", "said"), FORGED.values(), ids=FORGED.keys())
async def test_a_forger_who_mends_every_hash_is_contradicted(edits: dict[str, Edit], said: str) -> None:
    content = forged(BUNDLE, edits)
    assert faults(content) == []
    assert said in await failures(content)


@pytest.mark.parametrize(
    "history", [b"nonsense", b'{"events": []}', BUNDLE.parts[HISTORY], None], ids=["nonsense", "empty", "plain", "gone"]
)
async def test_calling_a_history_encrypted_does_not_hide_it(history: bytes | None) -> None:
    parts = {name: part for name, part in BUNDLE.parts.items() if name not in (RESULT, HISTORY)}
    manifest = BUNDLE.manifest.model_copy(update={"encrypted": True})
    content = write_bundle(manifest, parts | ({HISTORY: history} if history else {}))
    assert faults(content) == []
    assert "history.json: decisions, document and replay were not checked: " in await failures(content)


async def test_another_document_with_a_mended_manifest_is_contradicted() -> None:
    content = resealed(BUNDLE, {**BUNDLE.parts, DOCUMENT: b"another document"})
    assert "document.docx: the file has SHA-256" in await failures(content)


async def test_the_history_of_another_run_is_contradicted() -> None:
    other = read_bundle(recorded_bundle(recorded("deployed")))
    found = await failures(resealed(BUNDLE, {**BUNDLE.parts, HISTORY: other.parts[HISTORY]}))
    assert "run: workflow_id is" in found and "result.json: " in found and "decisions[0]" not in found.split("run:")[0]


async def test_a_decision_that_the_run_read_otherwise_is_found_by_replay_too() -> None:
    """Every place that tells a decision is changed alike, but what the code returns on the answers is not."""
    outcome = set_field("reason", to="deployed by hand")
    content = forged(BUNDLE, {RESULT: outcome, HISTORY: in_outcome(outcome)})
    found = await verify(content)
    assert found.replay is Answer.DIFFERS
    assert 'reason is "deployed by hand", there "deployed in production"' in check(found, "replay")


@pytest.mark.parametrize("name", [DOCUMENT, TEST_RESULT, RESULT, HISTORY])
async def test_a_part_that_was_taken_out_is_missed(name: str) -> None:
    content = resealed(BUNDLE, {part: content for part, content in BUNDLE.parts.items() if part != name})
    found = await verify(content)
    assert not found.intact and "failed" in check(found, name)


async def test_a_part_that_was_out_of_reach_at_the_export_is_said() -> None:
    parts = {part: content for part, content in BUNDLE.parts.items() if part != DOCUMENT}
    content = resealed(BUNDLE, parts, missing=[{"name": DOCUMENT, "reason": "Jira cannot be reached"}])
    found = await verify(content)
    assert found.intact
    assert check(found, DOCUMENT) == "warning: it was out of reach at the export: Jira cannot be reached"


async def test_a_whole_new_bundle_is_told_by_its_id() -> None:
    new = recorded_bundle(recorded("lost-document-asked-again"))
    assert (await verify(new)).intact
    found = await verify(new, BUNDLE.bundle_id)
    assert not found.intact and "not the one that was exported as" in check(found, MANIFEST)


HOSTILE: dict[str, bytes] = {
    "no JSON": b"nonsense",
    "a list": b"[]",
    "no events": b'{"events": []}',
    "numbers for events": b'{"events": [1, 2]}',
    "nested too deeply": b"[" * 100_000,
    "half an event": b'{"events": [{"eventId": "1", "workflowExecutionStartedEventAttributes": {"input": 3}}]}',
    "an event left out": as_json({"events": json.loads(BUNDLE.parts[HISTORY])["events"][:5:2]}),
}


@pytest.mark.parametrize("history", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_history_that_is_none_is_said(history: bytes) -> None:
    content = write_bundle(BUNDLE.manifest, {**BUNDLE.parts, HISTORY: history})
    assert "history.json: decisions, document and replay were not checked: " in await failures(content)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


STRANGE: dict[str, Edit] = {
    "a number for a decision list": in_outcome(set_field("decisions", to=5)),
    "a list for a result id": in_answers("store_test_result", set_field("result_id", to=["1", "2"])),
    "a text for an answer's decision": in_answers("read_ticket", set_field("decision", to="DONE")),
    "nothing for a hash": in_answers("prepare_review_document", set_field("sha256", to=None)),
    "a deep nest": in_outcome(set_field("reason", to=nested(400))),
    "colours for the terminal": in_answers("read_ticket", set_field("key", to="\x1b[2J")),
    "half a character": in_outcome(set_field("reason", to="\ud800")),
    "half a character in a comment": in_outcome(set_field("decisions", 1, "comment", to="\ud800")),
    "no number": in_outcome(set_field("document", "size", to=float("nan"))),
}


@pytest.mark.parametrize("edit", STRANGE.values(), ids=STRANGE.keys())
async def test_strange_values_are_contradicted_and_break_nothing(edit: Edit) -> None:
    found = await verify(forged(BUNDLE, {HISTORY: edit}))
    assert not found.intact
    assert found.model_dump_json()


def test_nothing_from_a_bundle_commands_the_terminal(verify_here: Command) -> None:
    manifest = {"run_id": "\x1b[2Jrun", "missing": [{"name": STATUS, "reason": "\x1b[2J"}]}
    content = resealed(BUNDLE, dict(BUNDLE.parts), **manifest)
    named = zipped((MANIFEST, BUNDLE.manifest_bytes.replace(b'"fields": {}', b'"fields": {"\\u001b[2J": 5}', 1)))
    for hostile in (content, named):
        answer = verify_here(hostile)
        assert answer.code == 1 and "\x1b" not in answer.out + answer.err


@pytest.fixture
def verify_here(tmp_path: Path, run_here: Callable[..., Any]) -> Command:
    """Runs `mlc verify` on bytes, without a server and without settings."""

    def run(content: bytes, *arguments: str) -> Any:
        (tmp_path / "bundle.zip").write_bytes(content)
        return run_here("verify", str(tmp_path / "bundle.zip"), *arguments)

    return run


def test_the_command_says_that_a_bundle_is_intact(verify_here: Command) -> None:
    answer = verify_here(CONTENT)
    assert answer.code == 0, answer
    assert "Intact: sagemaker-mlc-" in answer.out and "Replay: same." in answer.out


def test_the_command_names_what_was_changed(verify_here: Command) -> None:
    start = CONTENT.index(BUNDLE.parts[DOCUMENT])
    answer = verify_here(altered(CONTENT, start + 40), "--json")
    told = json.loads(answer.out)
    assert answer.code == 1 and told["intact"] is False
    assert {each["name"] for each in told["checks"] if each["status"] == "failed"} == {DOCUMENT}


def test_the_command_refuses_what_is_no_bundle(verify_here: Command) -> None:
    answer = verify_here(b"Dear auditor,")
    assert (answer.code, answer.out) == (1, "")
    assert "bundle.zip: it is no zip file, and so no evidence bundle" in answer.err.replace("\n", "")


def test_an_id_of_another_form_is_wrong_use(verify_here: Command) -> None:
    answer = verify_here(CONTENT, "--bundle-id", "abc")
    assert answer.code == 2 and "64 hexadecimal digits" in answer.err
