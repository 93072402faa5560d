"""An HTTP proxy in front of a server that lets single requests go wrong, on the wire as they do in life."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "host", "date", "server", "content-encoding"}


@dataclass
class Fault:
    """What happens, once, to the first request that fits.

    Attributes:
        request: a pattern for method and path without query, for example `POST .*/issue`.
        status: the answer's status; None cuts the connection without an answer.
        after_work: whether the server carries the request out before its answer is lost.
        delay: seconds before anything happens.
        meanwhile: what somebody does just before the server gets the request, which then is carried out as usual.
    """

    request: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    after_work: bool = False
    delay: float = 0.0
    meanwhile: Callable[[], object] | None = None


@dataclass
class FaultyProxy:
    """A running proxy: where it answers, what it has let through or spoiled, and what is still to go wrong."""

    url: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def count(self, pattern: str) -> int:
        """How many requests fitted a pattern."""
        return sum(1 for request in self.requests if re.fullmatch(pattern, request))

    def take_fault(self, request: str) -> Fault | None:
        """The fault for a request, which is used up by this."""
        fault = next((fault for fault in self.faults if re.fullmatch(fault.request, request)), None)
        if fault:
            self.faults.remove(fault)
        return fault


@contextlib.contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """Runs a proxy in front of `upstream` on a free loopback port."""
    client = httpx.Client(base_url=upstream, timeout=30, follow_redirects=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are two packets; without this the second waits for the client's delayed acknowledgement.
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = f"{self.command} {self.path.partition('?')[0]}"
            proxy.requests.append(request)
            fault = proxy.take_fault(request)
            if fault is None:
                self.forward(body)
            else:
                self.spoil(fault, body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def forward(self, body: bytes) -> None:
            answer = self.ask_upstream(body)
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            self.answer(answer.status_code, headers, answer.content)

        def spoil(self, fault: Fault, body: bytes) -> None:
            time.sleep(fault.delay)
            if fault.meanwhile:
                fault.meanwhile()
                return self.forward(body)
            if fault.after_work:
                self.ask_upstream(body).raise_for_status()
            if fault.status is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.answer(fault.status, fault.headers, fault.body.encode())

        def ask_upstream(self, body: bytes) -> httpx.Response:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            return client.request(self.command, self.path, content=body, headers=headers)

        def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keeps test output quiet; `FaultyProxy.requests` is the record."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = FaultyProxy(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        client.close()
