"""Which Jira the sandbox plays."""

from __future__ import annotations

from enum import StrEnum


class Edition(StrEnum):
    """The two Jiras a client may meet; they differ in signing in, naming people, searching and delivering webhooks."""

    DATA_CENTER = "datacenter"
    CLOUD = "cloud"
