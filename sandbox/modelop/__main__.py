"""Starts the sandbox: `python -m sandbox.modelop --host 127.0.0.1 --port 8090 --data DIR`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from sandbox.faults.connection import CuttableProtocol
from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.app import Settings, create_app
from sandbox.modelop.faults import fault_middleware


def main() -> None:
    """Serves until SIGTERM or SIGINT, and ends with exit code 0 then."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    settings = Settings(
        data=options.data,
        static_token=options.token,
        token_lifetime=options.token_lifetime,
        job_time_limit=options.job_time_limit,
    )
    # uvicorn raises the signal again once it has shut down; `_exit` then turns it into exit code 0.
    uvicorn.run(
        create_app(settings, middleware=[fault_middleware()]),
        host=options.host,
        port=options.port,
        http=CuttableProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.modelop", description="A local ModelOp Center.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="directory that keeps everything")
    parser.add_argument("--token", default=STATIC_TOKEN, help="static bearer token (default: %(default)s)")
    parser.add_argument(
        "--token-lifetime", type=float, default=3600, help="seconds (default: %(default)s)", metavar="SECONDS"
    )
    parser.add_argument(
        "--job-time-limit", type=float, default=60, help="seconds (default: %(default)s)", metavar="SECONDS"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
