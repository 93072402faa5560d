"""Routes about single issues, and the search for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sandbox.jira import fields, scheme
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.jql import JqlError
from sandbox.jira.people import Person
from sandbox.jira.representation import selected_fields
from sandbox.jira.rest.request import Api, flag, json_object, listed, number
from sandbox.jira.search import Search
from sandbox.jira.store import Issue


def issue_routes(api: Api) -> APIRouter:
    """Routes about single issues, and the search for them.

    Handlers read the body before the issue: waiting for a body lets others change the issue meanwhile, and what
    follows must be decided on what it is now.
    """
    router = APIRouter()
    caller = Depends(api.caller)
    tracker, represent = api.tracker, api.represent

    @router.post("/issue", status_code=201)
    async def create_issue(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        _only_known(body, {"fields", "update", "properties", "historyMetadata", "transition"})
        values = fields.read_new_issue(body.get("fields"))
        properties = _properties(body.get("properties"))
        return represent.issue_reference(tracker.create(values, properties, person))

    @router.get("/issue/{id_or_key}", dependencies=[caller])
    async def get_issue(request: Request, id_or_key: str) -> dict[str, Any]:
        issue = tracker.issue(id_or_key)
        selection = selected_fields(request.query_params.getlist("fields"), "*all")
        return represent.issue(issue, selection, listed(request, "expand"), listed(request, "properties"))

    @router.put("/issue/{id_or_key}", status_code=204)
    async def edit_issue(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key)
        values, comments = _edits(body, issue, fields.EDIT_SCREEN)
        properties = _properties(body.get("properties"))
        tracker.edit(issue, values, person, comments)
        for key, value in properties.items():
            api.store.put_property(issue.id, key, value)
        return Response(status_code=204)

    @router.delete("/issue/{id_or_key}", status_code=204)
    async def delete_issue(id_or_key: str, person: Person = caller) -> Response:
        tracker.delete(tracker.issue(id_or_key), person)
        return Response(status_code=204)

    @router.put("/issue/{id_or_key}/assignee", status_code=204)
    async def assign_issue(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key)
        tracker.edit(issue, fields.read_fields({"assignee": body}, fields.EDIT_SCREEN), person)
        return Response(status_code=204)

    @router.get("/issue/{id_or_key}/transitions", dependencies=[caller])
    async def get_transitions(request: Request, id_or_key: str) -> dict[str, Any]:
        issue = tracker.issue(id_or_key)
        wanted = request.query_params.get("transitionId")
        expand = listed(request, "expand")
        available = scheme.available_transitions(issue.status)
        shown = [transition for transition in available if wanted in (None, transition.id)]
        return {
            "expand": "transitions",
            "transitions": [represent.transition(transition, expand) for transition in shown],
        }

    @router.post("/issue/{id_or_key}/transitions", status_code=204)
    async def do_transition(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key)
        transition = body.get("transition")
        if not isinstance(transition, Mapping) or not transition.get("id"):
            raise JiraRefusal(400, ["Missing 'transition' identifier"])
        values, comments = _edits(body, issue, fields.TRANSITION_SCREEN)
        tracker.transition(issue, str(transition["id"]), person, values, comments)
        return Response(status_code=204)

    @router.get("/search")
    async def search(request: Request, person: Person = caller) -> dict[str, Any]:
        query = dict(request.query_params)
        query_lists = {name: request.query_params.getlist(name) for name in ("fields", "expand")}
        return _search({**query, **query_lists}, person)

    @router.post("/search")
    async def search_by_body(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        _only_known(body, {"jql", "startAt", "maxResults", "validateQuery", "fields", "expand"})
        return _search(body, person)

    def _search(query: Mapping[str, Any], person: Person) -> dict[str, Any]:
        start_at = number(query.get("startAt"), "startAt", 0)
        max_results = number(query.get("maxResults"), "maxResults", 50)
        validate = flag(query.get("validateQuery"), default=True)
        try:
            page = Search(api.store, person, validate=validate).run(str(query.get("jql") or ""), start_at, max_results)
        except JqlError as problem:
            raise JiraRefusal(400, [str(problem)]) from None
        expand = [part for entry in _texts(query.get("expand")) for part in entry.split(",")]
        selection = selected_fields(_texts(query.get("fields")), "*navigable")
        found = {
            "expand": "schema,names",
            "startAt": start_at,
            "maxResults": max_results,
            "total": page.total,
            "issues": [represent.issue(issue, selection, expand) for issue in page.issues],
        }
        return found | ({"warningMessages": page.warnings} if page.warnings else {})

    return router


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def _only_known(body: Mapping[str, Any], known: set[str]) -> None:
    for name in body:
        if name not in known:
            raise JiraRefusal(400, [f'Unrecognized field "{name}", not marked as ignorable'])


def _properties(raw: object) -> dict[str, object]:
    if raw is None:
        return {}
    entries = raw if isinstance(raw, list) else [None]
    if not all(isinstance(entry, Mapping) and entry.get("key") and "value" in entry for entry in entries):
        raise JiraRefusal(400, ["'properties' must be an array of objects with 'key' and 'value'."])
    return {str(entry["key"]): entry["value"] for entry in entries if entry}


def _edits(body: Mapping[str, Any], issue: Issue, screen: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    """New values and comments out of the `fields` and `update` of an edit or a transition."""
    update = body.get("update") or {}
    if not isinstance(update, Mapping):
        raise JiraRefusal(400, ["'update' must be an object."])
    values = fields.read_fields(body.get("fields"), screen)
    comments = fields.read_new_comments(update.get("comment"))
    for name, operations in update.items():
        if name == "comment":
            continue
        if name in values:
            message = f"Field '{name}' cannot appear in both 'fields' and 'update'"
            raise JiraRefusal(400, errors={name: message})
        if name == "labels" and name in screen:
            values["labels"] = fields.read_label_operations(operations, issue.labels)
        else:
            values |= fields.read_fields({name: _set_value(name, operations)}, screen)
    return values, comments


def _set_value(name: str, operations: object) -> object:
    if isinstance(operations, list) and len(operations) == 1 and isinstance(operations[0], Mapping):
        operation: Mapping[str, object] = operations[0]
        if set(operation) == {"set"}:
            return operation["set"]
    raise JiraRefusal(400, errors={name: "exactly one 'set' operation is supported"})
