"""Cuts connections for real: the client sees its peer go away, not an answer."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "sandbox.transport"


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with the connection in reach of the application; `uvicorn.run(http=...)` takes it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Puts the connection into the state that every request's scope is given."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def cut(scope: Scope, receive: Receive, *, reset: bool = False) -> None:
    """Closes a request's connection after what was sent so far, and returns once it is closed.

    Args:
        scope: of the request.
        receive: of the request.
        reset: whether the client gets a TCP reset; what was sent and not read yet is then lost, too.

    Raises:
        RuntimeError: the server does not let connections be cut.
    """
    transport = scope.get("state", {}).get(_TRANSPORT)
    if transport is None:
        raise RuntimeError("connections cannot be cut: start uvicorn with http=CuttableProtocol")
    if reset:
        # Lingering for zero seconds makes the kernel send a reset instead of an orderly end.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    else:
        transport.close()
    # Until the server knows that the connection is gone, it takes a silent application for a broken one.
    while (await receive())["type"] != "http.disconnect":
        pass
