"""The relay as a process: settings, a connection that may come later, a web server."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType

import uvicorn
from temporalio.client import Client

from console.faults import ConsoleFault
from relay.app import create_app
from worker.connection import TemporalUnreachable, connect_config
from worker.data_converter import data_converter
from worker.settings import RelaySettings, load_relay_settings

logger = logging.getLogger(__name__)


async def run_relay() -> None:
    """Serves webhooks until SIGTERM or SIGINT. Temporal may be away; webhooks are answered 503 while it is.

    Raises:
        SettingsError: a setting of the relay is wrong.
        TemporalUnreachable: the settings of Temporal are not usable.
        UnsignedRelayError: no secret is set.
        ConsoleFault: the address cannot be listened on.
    """
    settings = load_relay_settings()
    client = await _connected_later()
    app = create_app(client=client, secrets=settings.secrets)
    # The server passes a signal on to the handler that was there before it, and the default one would turn an
    # orderly stop into a death by signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_handled)
    with _listener(settings) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
        logger.info("Listening on http://%s:%d/webhooks/jira", settings.host, settings.port)
        await server.serve(sockets=[listener])


async def _connected_later() -> Client:
    try:
        return await Client.connect(**connect_config(), data_converter=data_converter, lazy=True)
    except ValueError as error:
        raise TemporalUnreachable(f"the TEMPORAL_* settings are not usable: {error}") from error


def _listener(settings: RelaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise ConsoleFault(
            f"the relay cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
            "set MLC_RELAY__HOST and MLC_RELAY__PORT to an address that is free"
        ) from error


def _already_handled(number: int, frame: FrameType | None) -> None:
    logger.info("Stopped by %s", signal.Signals(number).name)
