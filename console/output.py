"""Where the console writes: results to standard output, progress and faults to standard error."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from console.faults import ConsoleFault

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """Prints a line of result; an empty one is left out. Long lines are not broken, so that links stay whole."""
    if line:
        out.print(Text(line), soft_wrap=True)


def progress(line: str) -> None:
    """Prints a line of progress."""
    err.print(Text(f"mlc: {line}", style="dim"), soft_wrap=True)


def fault(message: str) -> None:
    """Prints what is wrong; lines that belong to the one before, such as the end of a log, are indented."""
    for line in message.splitlines():
        text = Text(line, style="dim") if line.startswith(" ") else Text(f"mlc: {line}", style="red")
        err.print(text, soft_wrap=True)


def print_json(value: Any) -> None:
    """Prints JSON for programs: never coloured, never broken."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_whole(output: Path, content: bytes) -> None:
    """Writes the file that `-o` names whole, or not at all.

    Raises:
        ConsoleFault: it cannot be written.
    """
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(output)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConsoleFault(f"-o {output}: cannot be written: {(error.strerror or str(error)).lower()}") from error
