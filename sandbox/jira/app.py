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

from sandbox.jira.auth import Sessions
from sandbox.jira.board import board_routes, error_page
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.representation import Representation
from sandbox.jira.rest.content import content_routes
from sandbox.jira.rest.downloads import download_routes
from sandbox.jira.rest.issues import issue_routes
from sandbox.jira.rest.request import Api
from sandbox.jira.rest.site import site_routes
from sandbox.jira.rest.webhooks import webhook_routes
from sandbox.jira.store import Store
from sandbox.jira.tracker import Tracker
from sandbox.jira.webhooks import EVENTS, TIMEOUT_SECONDS, Deliver, Dispatcher, Outcome, Outgoing, post

COMMAND_LINE_WEBHOOK = "command line"
DEFAULT_UPLOAD_LIMIT = 10 * 1024 * 1024


@dataclass(frozen=True)
class SandboxSettings:
    """How one sandbox runs.

    Attributes:
        data: folder of the database.
        base_url: what clients reach the server as; all links in answers start with it.
        webhook_url: where webhooks go from the start, beside those registered over REST.
        webhook_secret: key of their signature; None sends them unsigned.
        upload_limit: largest attachment in bytes.
    """

    data: Path
    base_url: str
    webhook_url: str | None = None
    webhook_secret: str | None = None
    upload_limit: int = DEFAULT_UPLOAD_LIMIT


def create_app(
    settings: SandboxSettings,
    *,
    middleware: Sequence[Middleware] = (),
    wrap_delivery: Callable[[Deliver], Deliver] = lambda deliver: deliver,
) -> FastAPI:
    """The sandbox as an ASGI application.

    Args:
        settings: how it runs.
        middleware: stands before every request, outermost first; the place to make answers misbehave.
        wrap_delivery: gets the function that sends one webhook and returns the one to use instead;
            the place to make deliveries misbehave.
    """
    store = Store(settings.data / "jira.sqlite3")
    represent = Representation(settings.base_url.rstrip("/"), store)
    client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def deliver(outgoing: Outgoing) -> Outcome:
        return await post(client, outgoing)

    dispatcher = Dispatcher(store, represent, wrap_delivery(deliver))
    tracker = Tracker(store, dispatcher.announce)
    sessions = Sessions(store.setting("session-secret", secrets.token_hex(32)))
    api = Api(tracker, represent, sessions, settings.upload_limit)
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
    for version in ("2", "latest"):
        for routes in (site_routes, issue_routes, content_routes):
            app.include_router(routes(api), prefix=f"/rest/api/{version}")
    app.include_router(webhook_routes(api), prefix="/rest/jira-webhook/1.0")
    app.include_router(download_routes(api))
    app.include_router(board_routes(api))
    app.mount("/static", StaticFiles(directory=Path(__file__).with_name("static")), name="static")
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    app.add_exception_handler(JiraRefusal, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(UnicodeEncodeError, _not_text)
    return app


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
    return not request.url.path.startswith(("/rest/", "/secure/"))
