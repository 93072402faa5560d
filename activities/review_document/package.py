"""The .docx file as a package: the same bytes from the same content, and hashes.

A Word file is a zip archive. Its entries carry the time of writing, and their order is the writer's, so the archive is
written again with fixed times and sorted names. Compression may differ between versions of the zlib library; the
content hash is taken over the parts themselves and does not.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import UTC, datetime

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
"""A zip archive knows no time before this one."""

_LEADING = ("[Content_Types].xml", "_rels/.rels")
_UNIX = 3
_COMPRESSION_LEVEL = 6


def pack(parts: dict[str, bytes]) -> bytes:
    """An archive of the parts: content types and root relations first, as readers expect, the rest by name."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for part in sorted(parts, key=lambda name: (name not in _LEADING, name)):
            entry = zipfile.ZipInfo(part, date_time=EARLIEST.timetuple()[:6])
            entry.create_system = _UNIX
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, parts[part], compresslevel=_COMPRESSION_LEVEL)
    return target.getvalue()


def repack(docx: bytes) -> bytes:
    """The same document as an archive that depends on its content only."""
    return pack(_unpack(docx))


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def content_sha256(docx: bytes) -> str:
    """SHA-256 over one line `name sha256` per part, sorted by name: what is in the file, however it is compressed.

    Raises:
        zipfile.BadZipFile: the bytes are not an archive.
    """
    lines = [f"{part} {sha256(content)}\n" for part, content in sorted(_unpack(docx).items())]
    return sha256("".join(lines).encode())


def _unpack(docx: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
