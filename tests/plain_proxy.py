"""A forward proxy for plain HTTP that asks for credentials."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

NOT_PASSED_ON = {"connection", "proxy-authorization", "proxy-connection", "transfer-encoding"}
# The client undoes these two, so they no longer hold for what is passed back.
OF_THE_ENCODING = {"content-encoding", "content-length"}


@contextmanager
def plain_proxy(user: str, password: str) -> Iterator[str]:
    """Passes requests on for those who show the credentials; yields its address with them in it."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            if self.headers.get("Proxy-Authorization") != expected:
                self.send_error(407)
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = onward.request(self.command, self.path, headers=headers, content=body)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in NOT_PASSED_ON | OF_THE_ENCODING:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with httpx.Client(trust_env=False, timeout=30) as onward:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{user}:{password}@127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
