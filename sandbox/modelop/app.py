"""Puts the sandbox together: storage, REST interface, tokens, job runner and pages, as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.auth import Authority, token_routes
from sandbox.modelop.entities import Registry
from sandbox.modelop.errors import ApiError, error_response
from sandbox.modelop.jobs import JobRunner
from sandbox.modelop.objects import ObjectStore
from sandbox.modelop.pages import page_routes
from sandbox.modelop.rest import rest_routes
from sandbox.modelop.seed import seed
from sandbox.modelop.store import Store


@dataclass(frozen=True)
class Settings:
    """How a sandbox is run.

    Attributes:
        data: directory of the database and the object store; made if it is missing.
        static_token: bearer token that never expires.
        token_lifetime: seconds for which issued access tokens are good.
        job_time_limit: seconds that the computation of one job may take.
    """

    data: Path
    static_token: str = STATIC_TOKEN
    token_lifetime: float = 3600.0
    job_time_limit: float = 60.0


def create_app(settings: Settings, *, middleware: Sequence[Middleware] = ()) -> FastAPI:
    """The application; it opens its storage, seeds it and starts its job runner when the server starts it.

    Args:
        settings: how to run.
        middleware: wrapped around all routes, outermost first; the place to make the server misbehave.
    """
    store = Store(settings.data / "modelop.sqlite3")
    objects = ObjectStore(settings.data / "objects")
    registry = Registry(store, objects)
    runner = JobRunner(store, objects, time_limit=settings.job_time_limit)
    authority = Authority(store, static_token=settings.static_token, token_lifetime=settings.token_lifetime)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await seed(registry)
        working = asyncio.create_task(runner.run(), name="job runner")
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            store.close()

    app = FastAPI(
        title="ModelOp Center sandbox",
        lifespan=lifespan,
        middleware=list(middleware),
        openapi_url=None,
    )
    app.include_router(token_routes(authority))
    app.include_router(rest_routes(registry, authority, runner.job_changed))
    app.include_router(page_routes(store))
    app.add_api_route("/healthz", _healthy)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)
    return app


async def _healthy() -> dict[str, str]:
    return {"status": "UP"}


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error.status, error.message, request.url.path, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, f"{error.detail}.", request.url.path, error.headers)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    message = "The sandbox failed on this request; its log says why."
    return error_response(500, message, request.url.path)
