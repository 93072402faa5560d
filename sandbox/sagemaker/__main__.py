"""Starts the stand-in: `python -m sandbox.sagemaker --host 127.0.0.1 --port 5001`. It forgets everything at its end."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from types import FrameType

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from sandbox.sagemaker.seed import seed


def main() -> None:
    """Serves until SIGTERM or SIGINT, and ends with exit code 0 then."""
    options = _options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It would write a line for every request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    seed()
    app = DomainDispatcherApplication(create_backend_app)
    make_server(options.host, options.port, app, threaded=True).serve_forever()


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.sagemaker", description="A local AWS SageMaker.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5001, help="port to listen on (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
