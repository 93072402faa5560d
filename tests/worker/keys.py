"""Keys and rings for tests of the encryption."""

from __future__ import annotations

import base64
import os
from typing import Any

from worker.encryption import EncryptionSettings, KeyRing


def new_key() -> str:
    """A key as a person writes it into the settings."""
    return base64.b64encode(os.urandom(32)).decode()


def ring(active: str, **keys: str) -> KeyRing:
    """A ring of keys by id."""
    given: dict[str, Any] = keys
    return EncryptionSettings(keys=given, active_key=active).key_ring()
