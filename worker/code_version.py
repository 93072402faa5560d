"""Which code decided: written into every snapshot and document."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "sagemaker-mlc"
DECIDING_PACKAGES = ("workflows", "activities")


def code_version() -> str:
    """The release and a digest of the deciding code, for example `0.1.0+5f2c9a17d0b3`.

    The digest is taken over the Python files of workflows and activities, so that a local edit shows.
    """
    try:
        release = version(DISTRIBUTION)
    except PackageNotFoundError:
        release = "0"
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in DECIDING_PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(str(source.relative_to(root)).encode())
            digest.update(source.read_bytes())
    return f"{release}+{digest.hexdigest()[:12]}"
