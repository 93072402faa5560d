"""`python -m sandbox.jira`: runs the Jira sandbox until it is told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from sandbox.faults.connection import CuttableProtocol
from sandbox.jira.app import DEFAULT_RETRY_SECONDS, DEFAULT_UPLOAD_LIMIT, SandboxSettings, create_app
from sandbox.jira.edition import Edition
from sandbox.jira.faults import JiraFaults

LONGEST_RETRY_SECONDS = 3600
WEBHOOK_SECRET_VARIABLE = "SANDBOX_JIRA_WEBHOOK_SECRET"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.jira",
        description="A stand-in for Jira Data Center 10.3 or Jira Cloud, with a board page. Data survives restarts.",
    )
    parser.add_argument(
        "--edition",
        choices=[edition.value for edition in Edition],
        default=Edition.DATA_CENTER.value,
        help="which Jira to play (default %(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8081, help="port to listen on (default %(default)s)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the database")
    parser.add_argument("--base-url", metavar="URL", help="what clients reach this server as")
    parser.add_argument("--webhook-url", metavar="URL", help="where to deliver webhooks of every issue event")
    parser.add_argument(
        "--webhook-secret",
        metavar="SECRET",
        help=f"signs those webhooks (X-Hub-Signature); {WEBHOOK_SECRET_VARIABLE} in the environment keeps it out of"
        " the list of processes",
    )
    parser.add_argument(
        "--webhook-retry-seconds",
        type=float,
        metavar="SECONDS",
        help="Cloud only: seconds until a webhook is tried again, at least;"
        f" up to three times as many (default {DEFAULT_RETRY_SECONDS})",
    )
    parser.add_argument(
        "--upload-limit",
        type=int,
        default=DEFAULT_UPLOAD_LIMIT,
        metavar="BYTES",
        help="largest attachment (default %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if arguments.webhook_secret is not None and not arguments.webhook_url:
        parser.error("--webhook-secret needs --webhook-url: without a receiver there is nothing to sign")
    if arguments.webhook_retry_seconds is not None:
        if arguments.edition != Edition.CLOUD:
            parser.error("--webhook-retry-seconds needs --edition cloud: Data Center never tries a webhook again")
        if not 0 < arguments.webhook_retry_seconds <= LONGEST_RETRY_SECONDS:
            parser.error(f"--webhook-retry-seconds must be between 0 and {LONGEST_RETRY_SECONDS}")
    for option in ("webhook_url", "base_url"):
        url = getattr(arguments, option)
        if url is not None and not url.startswith(("http://", "https://")):
            parser.error(f"--{option.replace('_', '-')} must be an absolute http or https URL, not '{url}'")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, and returns the exit code."""
    arguments = _arguments(argv)
    reachable = "127.0.0.1" if arguments.host in ("0.0.0.0", "::") else arguments.host
    settings = SandboxSettings(
        data=arguments.data,
        base_url=arguments.base_url or f"http://{reachable}:{arguments.port}",
        webhook_url=arguments.webhook_url,
        webhook_secret=arguments.webhook_secret or os.environ.get(WEBHOOK_SECRET_VARIABLE) or None,
        upload_limit=arguments.upload_limit,
        edition=Edition(arguments.edition),
        webhook_retry_seconds=arguments.webhook_retry_seconds or DEFAULT_RETRY_SECONDS,
    )
    faults = JiraFaults(settings.edition)
    try:
        app = create_app(
            settings,
            middleware=[faults.middleware()],
            wrap_delivery=faults.wrap_delivery,
            search_lag=faults.search_lag,
        )
    except (OSError, sqlite3.Error) as problem:
        print(f"--data {arguments.data}: cannot keep data there: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    # uvicorn raises the signal that ended it once more when it is done; a requested end is exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        http=CuttableProtocol,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
