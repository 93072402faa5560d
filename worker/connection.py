"""The connection to Temporal, for worker, relay and console alike."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from worker.data_converter import data_converter

DEFAULT_ADDRESS = "localhost:7233"
FIRST_PAUSE = timedelta(milliseconds=200)
LONGEST_PAUSE = timedelta(seconds=5)


class TemporalUnreachable(Exception):
    """No connection to Temporal could be made in time; the text says where and what to check."""


async def connect(*, patience: timedelta = timedelta(seconds=10)) -> Client:
    """Connects as the SDK's `TEMPORAL_*` variables and profile say, trying again until the patience ends.

    Raises:
        TemporalUnreachable: there was no connection within `patience`, or the configuration is not usable.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except Exception as error:
        raise TemporalUnreachable(f"the TEMPORAL_* settings are not usable: {error}") from error
    config.setdefault("target_host", DEFAULT_ADDRESS)
    deadline = time.monotonic() + patience.total_seconds()
    pause = FIRST_PAUSE.total_seconds()
    while True:
        try:
            return await Client.connect(**config, data_converter=data_converter)
        except (RPCError, RuntimeError, OSError) as error:
            if time.monotonic() + pause > deadline:
                raise TemporalUnreachable(
                    f"Temporal at {config['target_host']} cannot be reached within {patience.total_seconds():.0f} s "
                    f"({_first_line(error)}); check TEMPORAL_ADDRESS and that the server runs"
                ) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE.total_seconds())


def _first_line(error: BaseException) -> str:
    """What went wrong, without the transport's nested details."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return line.partition(": ")[0] if "Server connection error" not in line else "nothing accepts the connection"
