"""An HTTP server on loopback that answers from a script, also with what no framework would send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer. `cut` ends the connection without an answer, `truncated` in the middle of the body.

    With a `pause` in seconds, the body comes byte by byte.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    truncated: bool = False
    pause: float = 0.0


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    """An answer with a JSON body; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


class ScriptedServer:
    """Gives the scripted replies one after the other, the last one for ever, and keeps what it was asked.

    With `answer`, each reply is made from its request instead, however long that takes.
    """

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.answer: Callable[[Received], Awaitable[Reply]] | None = None
        self.received: list[Received] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def script(self, *replies: Reply) -> None:
        """Sets the replies and forgets earlier requests."""
        self.replies = list(replies)
        self.received = []

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *unused: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _request(reader)
            self.received.append(request)
            reply = await self.answer(request) if self.answer else self._next_reply()
            if not reply.cut:
                await _send(writer, reply)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def _next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(_head(reply))
    pieces = [reply.body[n : n + 1] for n in range(len(reply.body))] if reply.pause else [reply.body]
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(reply.pause)


def _head(reply: Reply) -> bytes:
    declared = len(reply.body) + (100 if reply.truncated else 0)
    headers = {"Content-Length": str(declared), "Connection": "close", **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Reason\r\n{lines}\r\n".encode()
