"""Routes that find many issues at once: by offset on Data Center, by token on Cloud."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request

from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.jql import JqlError, parse
from sandbox.jira.people import Person
from sandbox.jira.representation import selected_fields, value_page
from sandbox.jira.rest.request import Api, flag, json_object, listed, number, only_known, texts
from sandbox.jira.search import Page, Search
from sandbox.jira.store import Issue

# What Cloud documents as its limits.
LARGEST_PAGE_OF_IDS = 5000
LARGEST_PAGE_OF_FIELDS = 100
RECONCILED_LIMIT = 50
BULK_LIMIT = 100
SORT_LIMIT = 7

UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
WRONG_TOKEN = "The 'nextPageToken' is invalid, or belongs to another query."

_LISTS = ("fields", "expand", "properties", "reconcileIssues")


def offset_search_routes(api: Api) -> APIRouter:
    """The search of Data Center: pages by offset, and says how many match."""
    router = APIRouter()
    caller = Depends(api.caller)

    @router.get("/search")
    async def search(request: Request, person: Person = caller) -> dict[str, Any]:
        return _search(_query(request), person)

    @router.post("/issue/bulkfetch")
    async def no_bulk_fetch() -> None:
        # Otherwise this path would be that of an issue, to which nothing can be posted (405).
        raise HTTPException(404)

    @router.post("/search")
    async def search_by_body(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"jql", "startAt", "maxResults", "validateQuery", "fields", "expand"})
        return _search(body, person)

    def _search(query: Mapping[str, Any], person: Person) -> dict[str, Any]:
        start_at = number(query.get("startAt"), "startAt", 0)
        max_results = number(query.get("maxResults"), "maxResults", 50)
        validate = flag(query.get("validateQuery"), default=True)
        try:
            search = Search(api.store, person, validate=validate, lag=api.search_lag)
            page = search.run(str(query.get("jql") or ""), start_at, max_results)
        except JqlError as problem:
            raise JiraRefusal(400, [str(problem)]) from None
        selection = selected_fields(texts(query.get("fields")), "*navigable")
        expand = _split(query.get("expand"))
        found = {
            "expand": "schema,names",
            "startAt": start_at,
            "maxResults": max_results,
            "total": page.total,
            "issues": [api.represent.issue(issue, selection, expand) for issue in page.issues],
        }
        return found | ({"warningMessages": page.warnings} if page.warnings else {})

    return router


def token_search_routes(api: Api) -> APIRouter:
    """The searches of Cloud: pages by token over bounded queries, issues in bulk, histories in pages."""
    router = APIRouter()
    caller = Depends(api.caller)
    represent = api.represent

    @router.get("/search/jql")
    async def search(request: Request, person: Person = caller) -> dict[str, Any]:
        return _search(_query(request), person)

    @router.post("/search/jql")
    async def search_by_body(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"jql", "nextPageToken", "maxResults", "fieldsByKeys", *_LISTS})
        return _search(body, person)

    def _search(query: Mapping[str, Any], person: Person) -> dict[str, Any]:
        jql = str(query.get("jql") or "")
        requested = [name for name in _split(query.get("fields")) if name]
        ids_only = set(requested or ["id"]) <= {"id", "key"}
        size = number(query.get("maxResults"), "maxResults", 50)
        size = min(max(size, 1), LARGEST_PAGE_OF_IDS if ids_only else LARGEST_PAGE_OF_FIELDS)
        start_at = _read_token(query.get("nextPageToken"), jql)
        page = _run(jql, person, start_at, size, _reconciled(query.get("reconcileIssues")))
        expand, properties = _split(query.get("expand")), _split(query.get("properties"))
        issues = [_found(issue, requested, expand, properties) for issue in page.issues]
        following = start_at + len(issues)
        if following >= page.total:
            return {"issues": issues, "isLast": True}
        return {"issues": issues, "nextPageToken": _token(following, jql), "isLast": False}

    def _run(jql: str, person: Person, start_at: int, size: int, reconcile: Collection[int]) -> Page:
        try:
            query = parse(jql)
            if query.clause is None:
                raise JqlError(UNBOUNDED)
            if len(query.order) > SORT_LIMIT:
                raise JqlError(f"The ORDER BY clause may name {SORT_LIMIT} fields, not {len(query.order)}.")
            search = Search(api.store, person, edition=Edition.CLOUD, lag=api.search_lag)
            return search.run(jql, start_at, size, largest_page=LARGEST_PAGE_OF_IDS, reconcile=tuple(reconcile))
        except JqlError as problem:
            raise JiraRefusal(400, [str(problem)]) from None

    def _found(
        issue: Issue, requested: list[str], expand: Collection[str], properties: Collection[str]
    ) -> dict[str, Any]:
        if set(requested or ["id"]) == {"id"} and not expand and not properties:
            return {"id": str(issue.id)}
        selection = selected_fields(requested, "*navigable") if requested else frozenset()
        return represent.issue(issue, selection, expand, properties)

    @router.post("/issue/bulkfetch")
    async def bulk_fetch(request: Request, person: Person = caller) -> dict[str, Any]:
        body = await json_object(request)
        only_known(body, {"issueIdsOrKeys", "fields", "fieldsByKeys", "expand", "properties"})
        wanted = body.get("issueIdsOrKeys")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= BULK_LIMIT:
            raise JiraRefusal(400, [f"'issueIdsOrKeys' must name 1 to {BULK_LIMIT} issues."])
        found: dict[int, Issue] = {}
        errors = []
        for name in wanted:
            try:
                issue = api.tracker.issue(str(name), person)
            except JiraRefusal as missing:
                errors.append({"id": str(name), "errorMessage": str(missing)})
            else:
                found[issue.id] = issue
        selection = selected_fields(texts(body.get("fields")), "*navigable")
        expand, properties = _split(body.get("expand")), _split(body.get("properties"))
        issues = [represent.issue(found[issue_id], selection, expand, properties) for issue_id in sorted(found)]
        return {"issues": issues, "issueErrors": errors}

    @router.get("/issue/{id_or_key}/changelog")
    async def changelog(request: Request, id_or_key: str, person: Person = caller) -> dict[str, Any]:
        start_at = number(request.query_params.get("startAt"), "startAt", 0)
        max_results = min(number(request.query_params.get("maxResults"), "maxResults", 100), 100)
        issue = api.tracker.issue(id_or_key, person)
        page = value_page(api.store.changes(issue.id), start_at, max_results)
        address = f"{represent.base_url}/rest/api/2/issue/{issue.id}/changelog?maxResults={page['maxResults']}&startAt="
        following = page["startAt"] + len(page["values"])
        links = {"nextPage": f"{address}{following}"} if not page["isLast"] else {}
        entries = [represent.change(change) for change in page["values"]]
        return {"self": f"{address}{page['startAt']}", **links, **page, "values": entries}

    return router


def removed_search_routes() -> APIRouter:
    """What Cloud has made of the search by offset."""
    router = APIRouter()

    @router.api_route("/search", methods=["GET", "POST"])
    async def removed() -> None:
        raise JiraRefusal(
            410, ["This API has been removed. Migrate to /rest/api/3/search/jql; see Atlassian's change CHANGE-2046."]
        )

    return router


def _query(request: Request) -> dict[str, Any]:
    return {**request.query_params, **{name: listed(request, name) for name in _LISTS}}


def _split(value: object) -> list[str]:
    return [part.strip() for entry in texts(value) for part in entry.split(",")]


def _reconciled(value: object) -> list[int]:
    ids = [number(entry, "reconcileIssues", 0) for entry in texts(value)]
    if len(ids) > RECONCILED_LIMIT:
        raise JiraRefusal(400, [f"'reconcileIssues' may name {RECONCILED_LIMIT} issues, not {len(ids)}."])
    return ids


def _token(start_at: int, jql: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([start_at, _fingerprint(jql)]).encode()).decode()


def _read_token(token: object, jql: str) -> int:
    if token is None or token == "":
        return 0
    try:
        start_at, fingerprint = json.loads(base64.urlsafe_b64decode(str(token)))
    except (ValueError, TypeError, binascii.Error):
        raise JiraRefusal(400, [WRONG_TOKEN]) from None
    if not isinstance(start_at, int) or fingerprint != _fingerprint(jql):
        raise JiraRefusal(400, [WRONG_TOKEN])
    return start_at


def _fingerprint(jql: str) -> str:
    return hashlib.sha256(jql.encode()).hexdigest()[:16]
