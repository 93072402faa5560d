"""Serves one of our web interfaces until a signal ends it in order."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from console.faults import ConsoleFault

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5


async def serve(app: ASGIApp, *, host: str, port: int, what: str, path: str, remedy: str) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        app: the web interface.
        host: address to listen on.
        port: port to listen on.
        what: its name in messages, such as `the relay`.
        path: the path under which callers reach it, for the log.
        remedy: how to choose another address, for the message that this one is taken.

    Raises:
        ConsoleFault: the address cannot be listened on.
    """
    # The server passes a signal on to the handler that was there before it, and the default one would turn an
    # orderly stop into a death by signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_handled)
    with _listener(host, port, what, remedy) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=SHUTDOWN_SECONDS)
        )
        logger.info("Listening on http://%s:%d%s", f"[{host}]" if ":" in host else host, port, path)
        await server.serve(sockets=[listener])


def _listener(host: str, port: int, what: str, remedy: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConsoleFault(
            f"{what} cannot listen on {host} port {port}: {error.strerror or error}; {remedy}"
        ) from error


def _already_handled(number: int, frame: FrameType | None) -> None:
    logger.info("Stopped by %s", signal.Signals(number).name)
