"""How this command was called, so that people can type what they read."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from console.stack import DEFAULT_DATA_DIRECTORY


def own_command(arguments: str, data_dir: Path) -> str:
    """The line that calls this command with `arguments`, on the same data directory."""
    elsewhere = "" if data_dir == DEFAULT_DATA_DIRECTORY else f" --data-dir {shlex.quote(str(data_dir))}"
    return f"{_called()} {arguments}{elsewhere}"


def _called() -> str:
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return f"{sys.executable} -m console"
    return "mlc" if shutil.which("mlc") == called else called
