"""Puts the sandbox together: storage, operations, REST, pages, webhooks."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from sandbox.jira.auth import Authentication, Sessions
from sandbox.jira.board import board_routes, error_page
from sandbox.jira.cloud import CloudRepresentation
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.representation import Representation
from sandbox.jira.rest.accounts import id_account_routes, name_account_routes
from sandbox.jira.rest.content import content_routes
from sandbox.jira.rest.downloads import download_routes, media_routes
from sandbox.jira.rest.issues import issue_routes
from sandbox.jira.rest.request import Api
from sandbox.jira.rest.sandbox import sandbox_routes
from sandbox.jira.rest.search import offset_search_routes, removed_search_routes, token_search_routes
from sandbox.jira.rest.site import site_routes
from sandbox.jira.rest.webhooks import webhook_routes
from sandbox.jira.retries import RetrySchedule
from sandbox.jira.search import SearchLag
from sandbox.jira.store import Store
from sandbox.jira.tracker import Tracker
from sandbox.jira.webhooks import EVENTS, TIMEOUT_SECONDS, Deliver, Dispatcher, Outcome, Outgoing, post

COMMAND_LINE_WEBHOOK = "command line"
DEFAULT_UPLOAD_LIMIT = 10 * 1024 * 1024
DEFAULT_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class SandboxSettings:
    """How one sandbox runs.

    Attributes:
        data: folder of the database.
        base_url: what clients reach the server as; all links in answers start with it.
        webhook_url: where webhooks go from the start, beside those registered over REST.
        webhook_secret: key of their signature; None sends them unsigned.
        upload_limit: largest attachment in bytes.
        edition: which Jira it plays.
        webhook_retry_seconds: seconds until Cloud tries a webhook again, at least; up to three times as many.
    """

    data: Path
    base_url: str
    webhook_url: str | None = None
    webhook_secret: str | None = None
    upload_limit: int = DEFAULT_UPLOAD_LIMIT
    edition: Edition = Edition.DATA_CENTER
    webhook_retry_seconds: float = DEFAULT_RETRY_SECONDS


def create_app(
    settings: SandboxSettings,
    *,
    middleware: Sequence[Middleware] = (),
    wrap_delivery: Callable[[Deliver], Deliver] = lambda deliver: deliver,
    search_lag: SearchLag | None = None,
) -> FastAPI:
    """The sandbox as an ASGI application.

    Args:
        settings: how it runs.
        middleware: stands before every request, outermost first; the place to make answers misbehave.
        wrap_delivery: gets the function that sends one webhook and returns the one to use instead;
            the place to make deliveries misbehave.
        search_lag: how far searches trail behind; may change while the sandbox runs.
    """
    store = Store(settings.data / "jira.sqlite3")
    cloud = settings.edition is Edition.CLOUD
    base_url = settings.base_url.rstrip("/")
    represent = CloudRepresentation(base_url, store) if cloud else Representation(base_url, store)
    retries = RetrySchedule(settings.webhook_retry_seconds) if cloud else None
    client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def deliver(outgoing: Outgoing) -> Outcome:
        return await post(client, outgoing)

    dispatcher = Dispatcher(store, represent, wrap_delivery(deliver), settings.edition, retries)
    tracker = Tracker(store, dispatcher.announce, settings.edition)
    authentication = Authentication(base_url, settings.edition)
    sessions = Sessions(store.setting("session-secret", secrets.token_hex(32)))
    api = Api(tracker, represent, authentication, sessions, settings.upload_limit, search_lag)
    _register_command_line_webhook(store, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        dispatcher.start()
        yield
        await dispatcher.stop()
        await client.aclose()
        store.close()

    app = FastAPI(
        title="Jira sandbox",
        lifespan=lifespan,
        middleware=list(middleware),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _include_routes(app, api, settings.edition)
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    app.add_exception_handler(JiraRefusal, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(UnicodeEncodeError, _not_text)
    return app


_SHARED = (site_routes, issue_routes, content_routes)
_REST = {
    Edition.DATA_CENTER: (offset_search_routes, name_account_routes, *_SHARED),
    Edition.CLOUD: (token_search_routes, id_account_routes, *_SHARED),
}


def _include_routes(app: FastAPI, api: Api, edition: Edition) -> None:
    versions = ("2",) if edition is Edition.CLOUD else ("2", "latest")
    for version in versions:
        for routes in _REST[edition]:
            app.include_router(routes(api), prefix=f"/rest/api/{version}")
    if edition is Edition.CLOUD:
        app.include_router(media_routes(api))
        for version in ("2", "3"):
            app.include_router(removed_search_routes(), prefix=f"/rest/api/{version}")
        app.add_api_route("/rest/api/3/{path:path}", _not_played, methods=["GET", "POST", "PUT", "DELETE"])
    for routes in (webhook_routes, download_routes, board_routes):
        app.include_router(routes(api))
    app.include_router(sandbox_routes(api), prefix="/sandbox")


async def _not_played(path: str) -> None:
    raise JiraRefusal(501, [f"This sandbox plays version 2 of the REST API only: use /rest/api/2/{path}."])


def _register_command_line_webhook(store: Store, settings: SandboxSettings) -> None:
    for webhook in store.webhooks():
        if webhook.name == COMMAND_LINE_WEBHOOK:
            store.delete_webhook(webhook.id)
    if settings.webhook_url:
        store.insert_webhook(
            COMMAND_LINE_WEBHOOK, settings.webhook_url, EVENTS, "", settings.webhook_secret, active=True
        )


async def _healthz() -> dict[str, Any]:
    return {"status": "ok"}


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, JiraRefusal)
    if _is_page(request):
        return error_page(problem.status, str(problem))
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers)


async def _no_such_route(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    if _is_page(request):
        return error_page(problem.status_code, "There is nothing here.")
    if problem.status_code == 404:
        return JSONResponse({"message": f"null for uri: {request.url}", "status-code": 404}, status_code=404)
    body = {"errorMessages": [str(problem.detail)], "errors": {}}
    return JSONResponse(body, status_code=problem.status_code, headers=problem.headers)


async def _malformed(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    messages = [f"{error['loc'][-1]}: {error['msg']}" for error in problem.errors()]
    if _is_page(request):
        return error_page(400, "; ".join(messages))
    return JSONResponse({"errorMessages": messages, "errors": {}}, status_code=400)


async def _not_text(request: Request, problem: Exception) -> Response:
    # JSON can spell half a surrogate pair, which no text encoding can hold.
    return JSONResponse(
        {"errorMessages": [f"The request holds invalid text: {problem}"], "errors": {}}, status_code=400
    )


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(("/rest/", "/secure/", "/media/", "/sandbox/"))
