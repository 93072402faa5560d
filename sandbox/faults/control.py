"""`/faults`: how faults are set, read and removed. No login, but from this machine only."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults.injection import CONTROL
from sandbox.faults.rules import ActiveFault, Fault, Faults


class Section(Protocol):
    """A kind of misbehaviour that is about no single request, at `/faults/<name>`."""

    def configure(self, body: bytes) -> None:
        """Replaces the setting by the one in this JSON.

        Raises:
            ValidationError: the JSON is wrong.
        """

    def clear(self) -> None:
        """Ends the misbehaviour."""

    def shown(self) -> dict[str, Any] | None:
        """The setting and what it has done so far; None while there is none."""


class FaultControl:
    """The application below `/faults`.

    Args:
        faults: the faults of single requests.
        sections: further misbehaviours by name.
    """

    def __init__(self, faults: Faults, sections: Mapping[str, Section] | None = None) -> None:
        self._faults = faults
        self._sections = dict(sections or {})
        self._app: ASGIApp = Starlette(
            routes=[
                _route(CONTROL, GET=self._list, POST=self._add, DELETE=self._clear),
                _route(f"{CONTROL}/{{fault_id:int}}", GET=self._read, DELETE=self._remove),
                _route(f"{CONTROL}/{{section}}", GET=self._show, POST=self._configure, DELETE=self._end),
            ],
            exception_handlers={HTTPException: _refused, ValidationError: _invalid},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers callers on this machine and refuses all others."""
        if _is_local(scope):
            await self._app(scope, receive, send)
        else:
            await _error(403, "Faults are set from the machine that the sandbox runs on.")(scope, receive, send)

    def _everything(self) -> dict[str, Any]:
        sections = {name: section.shown() for name, section in self._sections.items()}
        return {"faults": [_shown(active) for active in self._faults], **sections}

    async def _list(self, request: Request) -> Response:
        return JSONResponse(self._everything())

    async def _add(self, request: Request) -> Response:
        active = self._faults.add(Fault.model_validate_json(await _json(request)))
        return JSONResponse(_shown(active), 201)

    async def _clear(self, request: Request) -> Response:
        last = self._everything()
        self._faults.clear()
        for section in self._sections.values():
            section.clear()
        return JSONResponse(last)

    async def _read(self, request: Request) -> Response:
        return JSONResponse(_shown(self._fault(request)))

    async def _remove(self, request: Request) -> Response:
        active = self._fault(request)
        self._faults.remove(active.id)
        return JSONResponse(_shown(active))

    def _fault(self, request: Request) -> ActiveFault:
        active = self._faults.find(request.path_params["fault_id"])
        if active is None:
            known = ", ".join(str(other.id) for other in self._faults) or "none"
            raise HTTPException(404, f"There is no fault {request.path_params['fault_id']}; active are: {known}.")
        return active

    async def _show(self, request: Request) -> Response:
        return JSONResponse(self._section(request).shown())

    async def _configure(self, request: Request) -> Response:
        section = self._section(request)
        section.configure(await _json(request))
        return JSONResponse(section.shown(), 201)

    async def _end(self, request: Request) -> Response:
        section = self._section(request)
        last = section.shown()
        section.clear()
        return JSONResponse(last)

    def _section(self, request: Request) -> Section:
        name = request.path_params["section"]
        if name not in self._sections:
            known = ", ".join(f"{CONTROL}/{known}" for known in ("<id>", *self._sections))
            raise HTTPException(404, f"There is no {CONTROL}/{name}; there are {CONTROL}, {known}.")
        return self._sections[name]


def _route(path: str, **handlers: Callable[[Request], Any]) -> Route:
    async def dispatch(request: Request) -> Response:
        response: Response = await handlers[request.method](request)
        return response

    route = Route(path, dispatch, methods=list(handlers))
    # Starlette would add HEAD to GET, for which there is no handler.
    route.methods = set(handlers)
    return route


def _shown(active: ActiveFault) -> dict[str, Any]:
    setting = active.fault.model_dump(exclude={"seed"})
    strikes = [{**asdict(strike), "at": strike.at.isoformat(timespec="milliseconds")} for strike in active.strikes]
    counts = {"matched": active.matched, "applied": active.applied, "strikes": strikes}
    return {"id": active.id, **setting, "seed": active.seed, **counts}


async def _json(request: Request) -> bytes:
    # A page of another site cannot send this content type without asking first, and nobody here says yes.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send the fault as JSON with the header 'Content-Type: application/json'.")
    return await request.body()


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if client is None:
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _error(status: int, *messages: str) -> JSONResponse:
    return JSONResponse({"errors": list(messages)}, status)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    return _error(problem.status_code, str(problem.detail))


async def _invalid(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, ValidationError)
    return _error(400, *(_explained(error) for error in problem.errors(include_url=False)))


def _explained(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
