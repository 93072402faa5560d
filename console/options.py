"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDirectory = Annotated[
    Path, typer.Option("--data-dir", help="Where the local stack keeps its data.", show_default=True, file_okay=False)
]
Identifier = Annotated[str, typer.Argument(metavar="ID", help="Workflow id or model id.", show_default=False)]
OptionalIdentifier = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Workflow id or model id.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UiUrl = Annotated[
    str, typer.Option("--ui-url", envvar="MLC_WORKER__TEMPORAL_UI_URL", help="Temporal Web UI, for links.")
]
