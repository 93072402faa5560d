"""The model-manage REST interface: HAL lists, entities with versions, deep-merging PATCH."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from sandbox.modelop.auth import Authority
from sandbox.modelop.entities import COLLECTIONS, Collection, Registry
from sandbox.modelop.errors import ApiError
from sandbox.modelop.store import MANAGED_FIELDS, Entity, Page, canonical_id

PREFIX = "/model-manage/api"
MAX_BODY = 32 * 1024 * 1024
"""Largest request body in bytes; ModelOp embeds files of up to 10 MB, which base64 makes a third larger."""

MAX_PAGE_SIZE = 1000
_JSON_TYPES = ("application/json", "application/hal+json", "application/merge-patch+json")

ChangeListener = Callable[[str, Entity], None]
"""Called with collection name and entity after each write."""


def rest_routes(registry: Registry, authority: Authority, on_change: ChangeListener) -> APIRouter:
    """Routes of all collections; every one of them needs a bearer token."""
    router = APIRouter(prefix=PREFIX)
    for collection in COLLECTIONS:
        resource = _Resource(collection, registry, authority, on_change)
        router.add_api_route(f"/{collection.name}", resource.list_page, methods=["GET"])
        router.add_api_route(f"/{collection.name}", resource.create, methods=["POST"])
        paths = [name for name in (collection.name, collection.alias) if name]
        for path in paths:
            router.add_api_route(f"/{path}/{{entity_id}}", resource.read, methods=["GET"])
            router.add_api_route(f"/{path}/{{entity_id}}", resource.change, methods=["PATCH"])
        if collection.deletable:
            router.add_api_route(f"/{collection.name}/{{entity_id}}", resource.remove, methods=["DELETE"])
    return router


class _Resource:
    """The handlers of one collection."""

    def __init__(
        self, collection: Collection, registry: Registry, authority: Authority, on_change: ChangeListener
    ) -> None:
        self._collection = collection
        self._name = collection.name
        self._registry = registry
        self._store = registry.store
        self._authority = authority
        self._on_change = on_change

    async def list_page(self, request: Request) -> Response:
        self._authority.account_of(request)
        number = _whole_number(request, "page", default=0, low=0, high=10**9)
        size = _whole_number(request, "size", default=20, low=1, high=MAX_PAGE_SIZE)
        sort, _, direction = request.query_params.get("sort", "").partition(",")
        if direction.lower() not in ("", "asc", "desc"):
            raise ApiError(400, f"sort: the direction is asc or desc, not {direction!r}.")
        try:
            page = self._store.page(
                self._name,
                number=number,
                size=size,
                sort=sort or None,
                descending=direction.lower() == "desc",
            )
        except ValueError as error:
            raise ApiError(400, f"sort: {error}.") from error
        return JSONResponse(self._hal_list(request, page))

    async def create(self, request: Request) -> Response:
        account = self._authority.account_of(request)
        fields = _without_managed(await _json_object(request))
        self._collection.check(fields, self._registry)
        entity = self._collection.complete(self._collection.prepare(fields, self._registry), self._registry)
        stored = self._store.add(self._name, entity, by=account.username)
        self._on_change(self._name, stored)
        return self._hal_entity(request, stored, status=201)

    async def read(self, request: Request, entity_id: str) -> Response:
        self._authority.account_of(request)
        return self._hal_entity(request, self._find(entity_id))

    async def change(self, request: Request, entity_id: str) -> Response:
        account = self._authority.account_of(request)
        patch = await _json_object(request)
        # Nothing awaits from here on, so the version that is compared is the version that is replaced.
        before = self._find(entity_id)
        _check_if_match(request.headers.get("if-match"), before)
        _check_managed(patch, before)
        after = deep_merge(before, _without_managed(patch))
        self._collection.check(after, self._registry)
        self._collection.guard(before, after)
        saved = self._store.save(self._name, self._collection.complete(after, self._registry), by=account.username)
        self._on_change(self._name, saved)
        return self._hal_entity(request, saved)

    async def remove(self, request: Request, entity_id: str) -> Response:
        self._authority.account_of(request)
        self._store.delete(self._name, self._find(entity_id)["id"])
        return Response(status_code=204)

    def _find(self, entity_id: str) -> Entity:
        entity = self._store.get(self._name, entity_id)
        if entity is None:
            raise ApiError(404, f"There is no entity {entity_id} in {self._name}.")
        return entity

    def _hal_entity(self, request: Request, entity: Entity, status: int = 200) -> Response:
        headers = {"ETag": f'"{entity["version"]}"'}
        body = self._with_links(request, entity)
        if status == 201:
            headers["Location"] = body["_links"]["self"]["href"]
        return JSONResponse(body, status_code=status, headers=headers)

    def _with_links(self, request: Request, entity: Entity) -> Entity:
        rel = self._collection.alias or self._name
        href = f"{_root(request)}/{rel}/{entity['id']}"
        singular = self._collection.alias or self._name.removesuffix("s")
        return {**entity, "_links": {"self": {"href": href}, singular: {"href": href}}}

    def _hal_list(self, request: Request, page: Page) -> dict[str, Any]:
        """A list as Spring Data REST writes it: `_embedded` is left out when there is nothing to embed."""
        links = {"self": {"href": str(request.url)}}
        for rel, number in (("prev", page.number - 1), ("next", page.number + 1)):
            if 0 <= number < page.pages:
                links[rel] = {"href": str(request.url.include_query_params(page=number, size=page.size))}
        answer: dict[str, Any] = {
            "_links": links,
            "page": {
                "size": page.size,
                "totalElements": page.total,
                "totalPages": page.pages,
                "number": page.number,
            },
        }
        if page.items:
            answer["_embedded"] = {self._name: [self._with_links(request, item) for item in page.items]}
        return answer


def deep_merge(target: Entity, patch: Entity) -> Entity:
    """`target` with the fields of `patch`: objects are merged, everything else, arrays included, is replaced."""
    merged = dict(target)
    for name, value in patch.items():
        current = merged.get(name)
        if isinstance(current, dict) and isinstance(value, dict):
            merged[name] = deep_merge(current, value)
        else:
            merged[name] = value
    return merged


def _root(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


def _whole_number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 11 and low <= int(text) <= high):
        raise ApiError(400, f"{name}: {text!r} is not a whole number from {low} to {high}.")
    return int(text)


async def _json_object(request: Request) -> Entity:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in _JSON_TYPES:
        raise ApiError(415, f"Content-Type {content_type!r} is not supported; send application/json.")
    body = await _body(request)
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        # SQLite stores UTF-8, which an escaped half of a surrogate pair has no form in.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"The request body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "The request body must be a JSON object.")
    return value


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        # Read to the end even when it is too much: a client that is still sending would miss the answer.
        if size <= MAX_BODY:
            chunks.append(chunk)
    if size > MAX_BODY:
        raise ApiError(413, f"The request body has {size} bytes; at most {MAX_BODY} are taken.")
    return b"".join(chunks)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _without_managed(fields: Entity) -> Entity:
    return {name: value for name, value in fields.items() if name not in (*MANAGED_FIELDS, "_links")}


def _check_if_match(header: str | None, entity: Entity) -> None:
    """RFC 9110, section 13.1.1; a missing header is taken as "whatever the version"."""
    if header is None or header.strip() == "*":
        return
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    if str(entity["version"]) not in tags:
        raise ApiError(412, f"If-Match is {header}, but the version is now {entity['version']}; read it again.")


def _check_managed(patch: Entity, entity: Entity) -> None:
    if "id" in patch and canonical_id(str(patch["id"])) != entity["id"]:
        raise ApiError(400, f"id: {patch['id']} is not the id in the path; leave it out.")
    if "version" in patch and patch["version"] != entity["version"]:
        raise ApiError(409, f"version: {patch['version']} was sent, but it is now {entity['version']}.")
