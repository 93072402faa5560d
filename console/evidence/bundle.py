"""The evidence bundle: one zip file whose every byte follows from what is in it.

Its parts are stored without compression, in fixed order and with fixed times. So a bundle can hold nothing larger than
itself, a byte that was changed anywhere is found by writing it again, and no version of a compressor plays a part.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from console.evidence.histories import canonical

FORMAT = "sagemaker-mlc-evidence"
MANIFEST = "manifest.json"
HISTORY = "history.json"
RESULT = "result.json"
STATUS = "status.json"
DOCUMENT = "document.docx"
TEST_RESULT = "test-result.json"
README = "readme.txt"
SUMS = "sha256sums.txt"

PARTS = {
    README: "what this file is, and how to check it without the software that wrote it",
    HISTORY: "the run's event history, as Temporal exports it",
    RESULT: "how the run ended: outcome, decisions, document, test runs",
    STATUS: "where the run stood when it was exported, with the times of its stages",
    DOCUMENT: "the review document that people decided on",
    TEST_RESULT: "the stored result of the Standard Risk Tests, as ModelOp Center holds it",
}
MAX_BUNDLE_BYTES = 100_000_000
"""Far more than any run leaves behind; it keeps a mistaken file from filling the memory."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_LOCAL_HEADER_BYTES = 30
_END = b"PK\x05\x06"
_END_BYTES = 22
_LARGE_END = b"PK\x06\x07"
_LARGE_END_BYTES = 20
# Ours has some 500. Every listed file costs memory before it can be refused.
_MAX_DIRECTORY_BYTES = 4096
_NOT_A_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, RuntimeError, struct.error)
_SHA256 = "^[0-9a-f]{64}$"


class UnreadableBundle(Exception):
    """A file is no bundle, or too badly damaged to be read as one; the text says why."""


class _Record(BaseModel):
    """What a later release adds is ignored by this one."""

    model_config = ConfigDict(extra="ignore")


PartName = Literal["readme.txt", "history.json", "result.json", "status.json", "document.docx", "test-result.json"]


class PartRecord(_Record):
    """One part as it was exported.

    Attributes:
        size: in bytes.
        fields: SHA-256 of what is at each place of a JSON object, cut to 16 characters: they only help to say *where* a
            part was changed.
    """

    name: PartName
    sha256: str = Field(pattern=_SHA256)
    size: int
    fields: dict[str, str] = Field(default_factory=dict)


class MissingPart(_Record):
    """A part that could not be had when the bundle was written, and why."""

    name: PartName
    reason: str


class Manifest(_Record):
    """The table of contents; its own SHA-256 is the bundle's id.

    Attributes:
        runs: ids of the runs of a chain of resets, the exported one last.
        ending: `running`, `completed`, `failed`, `cancelled`, `terminated` or `timed out`.
        code_versions: the releases that decided, in their order.
        exported_with: the release that wrote the bundle.
        encrypted: whether the history is encrypted in the bundle as it is in Temporal.
        events: SHA-256 of every event, each over the one before, so that the last one stands for the whole course.
    """

    format: Literal["sagemaker-mlc-evidence"] = "sagemaker-mlc-evidence"
    version: Literal[1] = 1
    workflow_id: str
    run_id: str
    runs: list[str]
    ending: str
    code_versions: list[str]
    exported_with: str
    encrypted: bool = False
    events: list[str]
    parts: list[PartRecord]
    missing: list[MissingPart] = Field(default_factory=list)


@dataclass(frozen=True)
class Bundle:
    """A bundle as it was found.

    Attributes:
        parts: the content of every part by name, manifest and sums not among them.
        manifest_bytes: the manifest as it stands in the file.
        sums: the list of SHA-256 as it stands in the file; None if it is not there.
        damaged: what the zip file's own checksums do not fit, which tells chance damage from a rewritten file.
        is_as_written: whether the zip file is, byte for byte, what its content gives when it is written.
    """

    manifest: Manifest
    manifest_bytes: bytes
    parts: Mapping[str, bytes]
    sums: bytes | None
    damaged: Sequence[str]
    is_as_written: bool

    @property
    def bundle_id(self) -> str:
        """Names the bundle with everything in it."""
        return bundle_id(self.manifest_bytes)


def bundle_id(manifest: bytes) -> str:
    """SHA-256 of a manifest in hexadecimal."""
    return hashlib.sha256(manifest).hexdigest()


def write_bundle(manifest: Manifest, parts: Mapping[str, bytes]) -> bytes:
    """The file, and with it the manifest's record of each part: the same bytes from the same content."""
    records = [part_record(name, parts[name]) for name in _ordered(parts)]
    listed = manifest_json(manifest.model_copy(update={"parts": records}))
    digests: dict[str, str] = {record.name: record.sha256 for record in records}
    return _pack({MANIFEST: listed, SUMS: sums({MANIFEST: bundle_id(listed), **digests}), **parts})


def sums(digests: Mapping[str, str]) -> bytes:
    """SHA-256 by name, in the form that `sha256sum --check` reads."""
    return "".join(f"{digests[name]}  {name}\n" for name in _ordered(digests)).encode()


def manifest_json(manifest: Manifest) -> bytes:
    """A manifest as it stands in a bundle."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False).encode() + b"\n"


def part_record(name: str, content: bytes) -> PartRecord:
    """What the manifest says of a part."""
    fields = field_digests(content) if name.endswith(".json") and name != HISTORY else {}
    return PartRecord(name=name, sha256=hashlib.sha256(content).hexdigest(), size=len(content), fields=fields)


def field_digests(content: bytes) -> dict[str, str]:
    """A digest for each field of a JSON object, and for each entry of the lists among them, by its path.

    Raises:
        ValueError: it is no JSON object.
    """
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    places: dict[str, Any] = {}
    for name, value in found.items():
        if isinstance(value, list):
            places |= {f"{name}[{position}]": entry for position, entry in enumerate(value)}
            places[f"{name} (length)"] = len(value)
        else:
            places[name] = value
    return {place: hashlib.sha256(canonical(value).encode()).hexdigest()[:16] for place, value in places.items()}


def read_bundle(content: bytes) -> Bundle:
    """Reads a file as a bundle; nothing is unpacked, so that it cannot become larger than the file.

    Raises:
        UnreadableBundle: it is none, is cut off, or holds something that no bundle holds.
    """
    entries = _entries(content)
    found = {entry.filename: _stored(entry, content) for entry in entries}
    strangers = [name for name in found if name not in (MANIFEST, SUMS, *PARTS)]
    if MANIFEST not in found:
        raise UnreadableBundle(f"it is a zip file, but no evidence bundle: there is no {MANIFEST} in it")
    if strangers:
        raise UnreadableBundle(f"it holds {_quoted(strangers)}, which no bundle holds")
    return Bundle(
        manifest=_manifest(found[MANIFEST]),
        manifest_bytes=found[MANIFEST],
        parts={name: part for name, part in found.items() if name in PARTS},
        sums=found.get(SUMS),
        damaged=[entry.filename for entry in entries if zlib.crc32(found[entry.filename]) != entry.CRC],
        is_as_written=_pack(found) == content,
    )


def is_bundle(content: bytes) -> bool:
    """Whether a file begins like one."""
    return content.startswith(b"PK")


def _manifest(content: bytes) -> Manifest:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableBundle(f"{MANIFEST} was changed: it is no JSON any more: {error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UnreadableBundle(f'{MANIFEST} does not say that this is an evidence bundle ("format": "{FORMAT}")')
    version = found.get("version")
    if isinstance(version, int) and version > 1:
        raise UnreadableBundle(f"it is of version {version}, and this release reads version 1; a later one reads it")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "it is no JSON any more"
        raise UnreadableBundle(f"{MANIFEST} was changed: {where}: {fault['msg']}") from None
    return manifest


def _entries(content: bytes) -> Sequence[zipfile.ZipInfo]:
    if len(content) > MAX_BUNDLE_BYTES:
        raise UnreadableBundle(f"it is larger than {MAX_BUNDLE_BYTES // 1_000_000} MB")
    if not is_bundle(content):
        raise UnreadableBundle("it is no zip file, and so no evidence bundle")
    # A reader that looks for the end further up would find the end of the document, which is a zip file itself.
    if content[-_END_BYTES:][: len(_END)] != _END:
        raise UnreadableBundle("it is cut off, or something was added to its end")
    directory_bytes = int.from_bytes(content[-10:-6], "little")
    is_large = content[-_END_BYTES - _LARGE_END_BYTES : -_END_BYTES].startswith(_LARGE_END)
    if is_large or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise UnreadableBundle("it lists more files than any evidence bundle holds")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except _NOT_A_ZIP as error:
        raise UnreadableBundle(f"it is cut off, or its directory is damaged: {error}") from None
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise UnreadableBundle(f"it holds {_quoted([name for name in names if names.count(name) > 1])} more than once")
    if sum(entry.compress_size for entry in entries) > len(content):
        raise UnreadableBundle("it is cut off, or its files lie one over the other: they claim more than it holds")
    return entries


def _stored(entry: zipfile.ZipInfo, content: bytes) -> bytes:
    """An entry's bytes, taken from the file as they are: its checksum is not asked, the manifest knows better."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise UnreadableBundle(
            f"{_quoted([entry.filename])} is compressed, and a bundle's parts never are: "
            "the file was packed anew; take the one that was exported"
        )
    start = entry.header_offset + _LOCAL_HEADER_BYTES + len(entry.orig_filename.encode())
    if entry.header_offset < 0 or start + entry.file_size > len(content):
        raise UnreadableBundle(f"it is cut off: {_quoted([entry.filename])} reaches beyond its end")
    return content[start : start + entry.file_size]


def _pack(parts: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in _ordered(parts):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, parts[name])
    return target.getvalue()


def _ordered(names: Iterable[str]) -> Sequence[str]:
    return sorted(names, key=[README, MANIFEST, SUMS, *PARTS].index)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:5])
