"""Which code decided: written into every snapshot and document."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "sagemaker-mlc"
DECIDING_PACKAGES = ("workflows", "activities")


def code_version() -> str:
    """The release and a digest of the deciding code, for example `0.1.0+5f2c9a17d0b3`.

    The digest is taken over all files of workflows and activities, the table of limits and the document's template
    among them, so that a local edit shows.
    """
    try:
        release = version(DISTRIBUTION)
    except PackageNotFoundError:
        release = "0"
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in DECIDING_PACKAGES:
        files = (p for p in (root / package).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for source in sorted(files):
            digest.update(str(source.relative_to(root)).encode())
            digest.update(source.read_bytes())
    return f"{release}+{digest.hexdigest()[:12]}"
