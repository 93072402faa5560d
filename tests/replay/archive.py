"""Recorded histories: one file per shape of a run, in a folder per generation of the process.

A file is the JSON that `temporal workflow show --output json` prints, compressed, so that histories from other places
can be put beside the recorded ones.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

HISTORIES = Path(__file__).with_name("histories")
SUFFIX = ".json.gz"
# Who worked on a run, and where in whose files an error was raised, plays no part in a replay.
PRIVATE = {"identity", "stackTrace"}


def generations() -> list[int]:
    """The generations that have histories, oldest first."""
    return sorted(int(path.name) for path in HISTORIES.glob("[0-9]*"))


def recorded(generation: int | None = None) -> list[Path]:
    """The files of one generation, or of all of them."""
    folder = "[0-9]*" if generation is None else str(generation)
    return sorted(HISTORIES.glob(f"{folder}/*{SUFFIX}"))


def name_of(path: Path) -> str:
    """What a file is called in test reports, for example `1/waiting-at-pia`."""
    return f"{path.parent.name}/{path.name.removesuffix(SUFFIX)}"


def save(path: Path, history: WorkflowHistory) -> None:
    """Writes a history without what would give away the machine on which it was recorded."""
    text = json.dumps(_public(history.to_json_dict()), separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def load(path: Path) -> WorkflowHistory:
    """Reads a history; the workflow id is taken from its first event."""
    content = json.loads(gzip.decompress(path.read_bytes()))
    return WorkflowHistory.from_json(
        content["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"], content
    )


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
            # Its name is made of the worker's process id and the name of the machine.
            value = {**value, "name": value["normalName"]}
        return {key: _public(inner) for key, inner in value.items() if key not in PRIVATE}
    if isinstance(value, list):
        return [_public(inner) for inner in value]
    return value
