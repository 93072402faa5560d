"""Routes about single issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sandbox.jira import fields
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person
from sandbox.jira.representation import selected_fields
from sandbox.jira.rest.request import Api, json_object, listed, only_known
from sandbox.jira.store import Issue


def issue_routes(api: Api) -> APIRouter:
    """Routes about single issues.

    Handlers read the body before the issue: waiting for a body lets others change the issue meanwhile, and what
    follows must be decided on what it is now.
    """
    router = APIRouter()
    caller = Depends(api.caller)
    tracker, represent, edition = api.tracker, api.represent, api.tracker.edition

    @router.post("/issue", status_code=201)
    async def create_issue(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"fields", "update", "properties", "historyMetadata", "transition"})
        values = fields.read_new_issue(body.get("fields"), edition)
        properties = _properties(body.get("properties"))
        return represent.issue_reference(tracker.create(values, properties, person))

    @router.get("/issue/{id_or_key}")
    async def get_issue(request: Request, id_or_key: str, person: Person = caller) -> dict[str, Any]:
        issue = tracker.issue(id_or_key, person)
        selection = selected_fields(request.query_params.getlist("fields"), "*all")
        return represent.issue(issue, selection, listed(request, "expand"), listed(request, "properties"))

    @router.put("/issue/{id_or_key}", status_code=204)
    async def edit_issue(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key, person)
        values, comments = _edits(body, issue, fields.EDIT_SCREEN, edition)
        properties = _properties(body.get("properties"))
        tracker.edit(issue, values, person, comments)
        for key, value in properties.items():
            api.store.put_property(issue.id, key, value)
        return Response(status_code=204)

    @router.delete("/issue/{id_or_key}", status_code=204)
    async def delete_issue(id_or_key: str, person: Person = caller) -> Response:
        tracker.delete(tracker.issue(id_or_key, person), person)
        return Response(status_code=204)

    @router.put("/issue/{id_or_key}/assignee", status_code=204)
    async def assign_issue(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key, person)
        tracker.edit(issue, fields.read_fields({"assignee": body}, fields.EDIT_SCREEN, edition), person)
        return Response(status_code=204)

    @router.get("/issue/{id_or_key}/transitions")
    async def get_transitions(request: Request, id_or_key: str, person: Person = caller) -> dict[str, Any]:
        issue = tracker.issue(id_or_key, person)
        wanted = request.query_params.get("transitionId")
        expand = listed(request, "expand")
        available = api.store.available_transitions(issue.status)
        shown = [transition for transition in available if wanted in (None, transition.id)]
        return {
            "expand": "transitions",
            "transitions": [represent.transition(transition, expand) for transition in shown],
        }

    @router.post("/issue/{id_or_key}/transitions", status_code=204)
    async def do_transition(request: Request, id_or_key: str, person: Person = caller) -> Response:
        body = await json_object(request)
        issue = tracker.issue(id_or_key, person)
        transition = body.get("transition")
        if not isinstance(transition, Mapping) or not transition.get("id"):
            raise JiraRefusal(400, ["Missing 'transition' identifier"])
        values, comments = _edits(body, issue, fields.TRANSITION_SCREEN, edition)
        tracker.transition(issue, str(transition["id"]), person, values, comments)
        return Response(status_code=204)

    return router


def _properties(raw: object) -> dict[str, object]:
    if raw is None:
        return {}
    entries = raw if isinstance(raw, list) else [None]
    if not all(isinstance(entry, Mapping) and entry.get("key") and "value" in entry for entry in entries):
        raise JiraRefusal(400, ["'properties' must be an array of objects with 'key' and 'value'."])
    return {str(entry["key"]): entry["value"] for entry in entries if entry}


def _edits(
    body: Mapping[str, Any], issue: Issue, screen: frozenset[str], edition: Edition
) -> tuple[dict[str, Any], list[str]]:
    """New values and comments out of the `fields` and `update` of an edit or a transition."""
    update = body.get("update") or {}
    if not isinstance(update, Mapping):
        raise JiraRefusal(400, ["'update' must be an object."])
    values = fields.read_fields(body.get("fields"), screen, edition)
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
            values |= fields.read_fields({name: _set_value(name, operations)}, screen, edition)
    return values, comments


def _set_value(name: str, operations: object) -> object:
    if isinstance(operations, list) and len(operations) == 1 and isinstance(operations[0], Mapping):
        operation: Mapping[str, object] = operations[0]
        if set(operation) == {"set"}:
            return operation["set"]
    raise JiraRefusal(400, errors={name: "exactly one 'set' operation is supported"})
