"""The local object store that stands for S3, and the bytes of assets."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


class UnreadableAsset(Exception):
    """The bytes of an asset cannot be had; the message names the asset and says why."""


class ObjectStore:
    """Objects as files: `s3://bucket/key` is `<root>/bucket/key`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path_of(self, url: str) -> Path:
        """The file that an `s3://bucket/key` URL stands for.

        Raises:
            UnreadableAsset: the URL has another scheme, no key, or leads out of the store.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc or not parts.path.strip("/"):
            raise UnreadableAsset(f"{url!r} is not a URL of the form s3://bucket/key")
        path = (self.root / parts.netloc / unquote(parts.path).lstrip("/")).resolve()
        if not path.is_relative_to(self.root):
            raise UnreadableAsset(f"{url!r} leads out of the object store")
        return path

    def read(self, asset: dict[str, Any]) -> bytes:
        """The bytes of an asset, embedded (`fileContent`) or in the store (`fileUrl`).

        Raises:
            UnreadableAsset: the asset has neither, or its bytes cannot be read.
        """
        name = asset.get("filename") or asset.get("assetRole") or "asset"
        if asset.get("fileContent"):
            try:
                return base64.b64decode(asset["fileContent"], validate=True)
            except (binascii.Error, ValueError) as error:
                raise UnreadableAsset(f"fileContent of {name} is not base64: {error}") from error
        if not asset.get("fileUrl"):
            raise UnreadableAsset(f"{name} has neither fileContent nor fileUrl")
        try:
            return self.path_of(asset["fileUrl"]).read_bytes()
        except OSError as error:
            raise UnreadableAsset(f"{asset['fileUrl']} cannot be read: {error.strerror}") from error

    def describe(self, asset: dict[str, Any]) -> dict[str, Any]:
        """The asset with `fileSize` and `contentHash` of its bytes; unchanged if its bytes cannot be had."""
        try:
            content = self.read(asset)
        except UnreadableAsset:
            return asset
        return {**asset, **content_facts(content)}


def content_facts(content: bytes) -> dict[str, Any]:
    """`fileSize` in bytes and `contentHash` of some bytes, as assets carry them."""
    digest = hashlib.sha256(content).hexdigest()
    return {"fileSize": len(content), "contentHash": {"hashType": "SHA-256", "hexString": digest}}
