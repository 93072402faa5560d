"""The `mlc` command. Exit codes: 0 done, 1 the thing asked about is bad, 2 wrong use."""

from __future__ import annotations

import sys
import time

import typer
from temporalio.service import RPCError

from console import (
    doctor,
    document_commands,
    evidence_commands,
    local_commands,
    operator_commands,
    service_commands,
)
from console.faults import ConsoleFault
from console.output import fault
from relay.signature import UnsignedRelayError
from worker.connection import TemporalUnreachable
from worker.encryption import DecryptionError
from worker.settings import SettingsError

# The SDK's threads may crash an interpreter that goes down right after their last call
# (temporalio/sdk-python#300); a moment lets them finish.
EXIT_PAUSE_SECONDS = 0.3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Takes SageMaker models to production through people's approvals in Jira and records in ModelOp Center.",
)
for commands in (local_commands, operator_commands, service_commands, document_commands, evidence_commands, doctor):
    app.add_typer(commands.app)


def main() -> None:
    """The console script: one clear line instead of a traceback, and a quiet end of Temporal's threads."""
    try:
        app()
    except RPCError as error:
        fault(f"Temporal broke off: {error.message}")
        sys.exit(1)
    except (ConsoleFault, SettingsError, UnsignedRelayError, TemporalUnreachable, DecryptionError) as error:
        fault(str(error))
        sys.exit(error.exit_code if isinstance(error, ConsoleFault) else 1)
    finally:
        time.sleep(EXIT_PAUSE_SECONDS)
