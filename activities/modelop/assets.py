"""A model's assets that steer the review: which one counts, and its bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from activities.errors import plain
from activities.modelop import rest
from activities.modelop.rest import Entity

MAX_ASSET_BYTES = 20 * 1024 * 1024
"""The largest asset that is read; ModelOp Center itself embeds up to 10 MB."""

MAX_FILENAME_CHARACTERS = 120
DECISION_TABLE_FILES = "*.dmn"
TEMPLATE_FILES = "*modelreviewdocument*.docx"
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class ReviewAssetRole(StrEnum):
    """The roles of the assets that a model's owner may add to steer its review; none of them must be there."""

    DECISION_TABLE = "TEST_RESULT_COMPARATOR"
    TEMPLATE = "MODEL_DOCUMENTATION"


class UnreadableAsset(ValueError):
    """The bytes of an asset cannot be had, or are not those that were recorded; the message says why and what to do."""


def decision_table_asset(model: Entity) -> Entity | None:
    """The asset that holds a model's own limits; None if it has none.

    An asset of the role that is not named `*.dmn` counts only where none is: who gave it that role meant it to judge.
    """
    in_role = _with_role(model, ReviewAssetRole.DECISION_TABLE)
    return _newest([asset for asset in in_role if _is_named(asset, DECISION_TABLE_FILES)] or in_role)


def template_asset(model: Entity) -> Entity | None:
    """The asset that holds a model's own template of the review document; None if it has none."""
    in_role = _with_role(model, ReviewAssetRole.TEMPLATE)
    return _newest([asset for asset in in_role if _is_named(asset, TEMPLATE_FILES)])


def filename(asset: Entity) -> str:
    """An asset's file name on one line, never empty."""
    name = rest.text(asset, "filename") or rest.text(asset, "name")
    return plain(name, MAX_FILENAME_CHARACTERS) or "file without a name"


def embedded_content(asset: Entity) -> bytes | None:
    """The bytes that an asset carries itself; None if it only points to them.

    Raises:
        UnreadableAsset: they are no base64, or too many.
    """
    encoded = rest.text(asset, "fileContent")
    if not encoded:
        content = rest.text(asset, "fileContentString").encode(errors="replace") or None
    elif len(encoded) * 3 // 4 > MAX_ASSET_BYTES + 2:
        raise UnreadableAsset(too_large())
    else:
        content = _decoded(encoded)
    if content is not None and len(content) > MAX_ASSET_BYTES:
        raise UnreadableAsset(too_large())
    return content


def checked(asset: Entity, content: bytes) -> bytes:
    """The content, if it is what the asset's recorded hash promises; without a recorded hash, as it is.

    Raises:
        UnreadableAsset: the hash differs.
    """
    recorded, found = rest.content_sha256(asset), hashlib.sha256(content).hexdigest()
    if recorded and recorded != found:
        raise UnreadableAsset(
            f"its content has SHA-256 {found}, recorded in ModelOp Center is {plain(recorded, 64)} "
            "(upload the file again)"
        )
    return content


def too_large() -> str:
    """What is wrong with a file above `MAX_ASSET_BYTES`."""
    return f"it is larger than {MAX_ASSET_BYTES >> 20} MB (make the file smaller)"


def place(url: str) -> str:
    """Where a URL leads, without what may be secret in it: `s3://bucket`, `https://files.example`."""
    try:
        parts = urlsplit(url)
        return plain(f"{parts.scheme}://{parts.hostname or ''}", MAX_FILENAME_CHARACTERS)
    except ValueError:
        return "an address that is none"


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except ValueError:
        raise UnreadableAsset("its embedded content is not base64 (upload the file again)") from None


def _with_role(model: Entity, role: ReviewAssetRole) -> list[Entity]:
    return [asset for asset in rest.items(model, "modelAssets") if asset.get("assetRole") == role]


def _is_named(asset: Entity, pattern: str) -> bool:
    return fnmatchcase((rest.text(asset, "filename") or rest.text(asset, "name")).lower(), pattern)


def _newest(assets: Sequence[Entity]) -> Entity | None:
    """The one that was added last; of several at once, or undated ones, the one with the greatest id or name."""
    return max(assets, key=_rank, default=None)


def _rank(asset: Entity) -> tuple[datetime, str, str, str]:
    return (
        rest.created_at(asset) or _EARLIEST,
        rest.text(asset, "assetId"),
        rest.text(asset, "filename"),
        rest.content_sha256(asset) or "",
    )
