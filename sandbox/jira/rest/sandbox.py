"""What no REST call of Jira does, but people and administrators do on its pages: a sandbox-only way for tests.

No login, JSON only: a page of another site cannot send that content type unasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from sandbox.jira import scheme
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person, find_person
from sandbox.jira.rest.request import Api, json_object, only_known
from sandbox.jira.store import Issue

SERVICE_ACCOUNT = "svc-mlc"
ADMINISTRATOR = "admin"


def sandbox_routes(api: Api) -> APIRouter:
    """Moving an issue to another project, hiding it from an account, renaming a status."""
    router = APIRouter()
    tracker, store = api.tracker, api.store

    def _issue(body: Mapping[str, Any]) -> Issue:
        return tracker.issue(_text(body, "issue"))

    @router.post("/move")
    async def move(request: Request) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"issue", "project", "person"})
        issue = _issue(body)
        project = scheme.find_project(_text(body, "project"))
        if project is None:
            raise JiraRefusal(400, errors={"project": f"There is no project '{body['project']}'."})
        moved = tracker.move(issue, project, _person(body, ADMINISTRATOR))
        return {"id": str(moved.id), "key": moved.key}

    @router.post("/hide")
    async def hide(request: Request) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"issue", "person", "hidden"})
        hidden = body.get("hidden", True)
        if not isinstance(hidden, bool):
            raise JiraRefusal(400, errors={"hidden": "'hidden' must be true or false."})
        issue, person = _issue(body), _person(body, SERVICE_ACCOUNT)
        store.hide_issue(issue.id, person, hidden=hidden)
        return {"id": str(issue.id), "key": issue.key, "person": person.name, "hidden": hidden}

    @router.post("/rename-status")
    async def rename_status(request: Request) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"status", "name"})
        wanted, name = _text(body, "status"), _text(body, "name")
        status = next((status for status in store.statuses if wanted in (status.id, status.name)), None)
        if status is None:
            known = ", ".join(f"{status.id} ({status.name})" for status in store.statuses)
            raise JiraRefusal(400, errors={"status": f"There is no status '{wanted}'; there are {known}."})
        if any(other.name.lower() == name.lower() and other.id != status.id for other in store.statuses):
            raise JiraRefusal(400, errors={"name": f"Another status is called '{name}' already."})
        store.rename_status(status, name)
        return {"id": status.id, "name": name}

    return router


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise JiraRefusal(400, errors={name: f"'{name}' must be a text."})
    return value.strip()


def _person(body: Mapping[str, Any], default: str) -> Person:
    name = _text({"person": default, **body}, "person")
    person = find_person(name)
    if person is None:
        raise JiraRefusal(400, errors={"person": f"There is no person '{name}'."})
    return person
