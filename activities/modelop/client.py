"""The client of ModelOp Center: reads, creates and changes entities; every failure is an error that Temporal knows."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.modelop import assets, rest
from activities.modelop.auth import token_source
from activities.modelop.exchange import Answer, AnswerTooLarge, HttpExchange, connections
from activities.modelop.rest import Entity
from activities.modelop.settings import ModelOpSettings
from activities.modelop.types import DocumentProvenance

SYSTEM = "ModelOp Center"
MAX_PAGES = 500
AMEND_ATTEMPTS = 5
_UNREADABLE = (OutsideError.NOT_FOUND, OutsideError.FORBIDDEN, OutsideError.REFUSED, OutsideError.UNEXPECTED_ANSWER)
"""What an asset's address may answer that another try cannot mend; a redirect is an unexpected answer."""


class ModelOpClient:
    """Talks to one ModelOp Center as one service account.

    Every method raises `ApplicationError` with a type of `activities.errors.OutsideError`; it is marked non-retryable
    where another try cannot help. Nothing is sent before the first call, so an unreachable ModelOp Center does not
    keep a worker from starting. Inside an activity, each request is a heartbeat.

    Args:
        settings: where it is and how to sign in.
        transport: replaces the network, for special TLS or proxy needs.
    """

    def __init__(self, settings: ModelOpSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        address = _bare(str(settings.url))
        self._address = httpx.URL(f"{address}/")
        self._api = f"{address}/{rest.API}"
        asked = [each for each in (settings.url, settings.token_url) if each]
        self._http = connections(settings, [str(each) for each in asked], transport)
        self._tokens = token_source(settings, address, self._http)
        self._exchange = HttpExchange(SYSTEM, self._http, ambiguous_wait=settings.ambiguous_wait)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def get_model(self, model_id: str) -> Entity:
        """A business model or monitor as it is now (StoredModel)."""
        return await self.get(rest.entity_path(rest.STORED_MODELS, model_id))

    async def get_snapshot(self, snapshot_id: str) -> Entity:
        """A snapshot with its frozen model and its documents (DeployableModel)."""
        return await self.get(rest.entity_path(rest.DEPLOYABLE_MODELS, snapshot_id))

    async def get_job(self, job_id: str) -> Entity:
        """A test job (ModelBatchTestJob)."""
        return await self.get(rest.entity_path(rest.JOBS, job_id))

    async def get_result(self, result_id: str) -> Entity:
        """A kept test result (ModelTestResult)."""
        return await self.get(rest.entity_path(rest.MODEL_TEST_RESULTS, result_id))

    async def read_asset(self, asset: Entity) -> bytes:
        """The bytes of a model's asset, at most `assets.MAX_ASSET_BYTES`, checked against its recorded hash.

        Embedded content counts first; else the asset's `fileUrl` is read, but only from this ModelOp Center: who may
        add an asset to a model must not choose where the service account's token is sent.

        Raises:
            UnreadableAsset: they cannot be had, or differ from the hash; another try cannot help.
            ApplicationError: ModelOp Center did not answer, or does not know the service account.
        """
        content = assets.embedded_content(asset)
        return assets.checked(asset, await self._linked(rest.text(asset, "fileUrl")) if content is None else content)

    async def add_document(
        self,
        snapshot_id: str,
        *,
        filename: str,
        content: bytes,
        sha256: str,
        provenance: DocumentProvenance | None = None,
    ) -> None:
        """Adds a document to a snapshot unless one with the same content is there already.

        Args:
            sha256: hexadecimal SHA-256 of `content`, as it was recorded when the document was made.
            provenance: what the document was made with, kept beside it.

        Raises:
            ValueError: `content` does not have that hash.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"content of {filename} has {len(content)} bytes and not the SHA-256 {sha256}")

        def with_document(snapshot: Entity) -> Entity | None:
            documents = rest.items(snapshot, "modelDocuments")
            if any(rest.content_sha256(document) == sha256 for document in documents):
                return None
            return {"modelDocuments": [*documents, rest.document_body(filename, content, sha256, provenance)]}

        await self.amend(rest.entity_path(rest.DEPLOYABLE_MODELS, snapshot_id), with_document)

    async def get(self, path: str) -> Entity:
        """Reads one entity by its path below the API."""
        return await self._read(path)

    async def post(self, collection: str, body: Entity) -> Entity:
        """Creates an entity; the answer holds at least its `id`.

        Raises:
            ApplicationError: a failure that leaves open whether the entity was created asks for the configured wait
                before the next attempt, which then finds what this one made.
        """
        call = f"POST {collection}"
        answer = await self._send("POST", collection, call, body=body)
        created = self._object(call, answer)
        if not rest.text(created, "id"):
            raise self._exchange.nonsense(call, answer, "no id in it")
        return created

    async def patch(self, path: str, changes: Entity, *, version: Any = None) -> None:
        """Merges changes into an entity: objects are merged, lists replaced whole.

        Args:
            version: the version the changes were made for; any other one is refused as `Conflict`. None: not checked.
        """
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        call = f"PATCH {path}"
        answer = await self._send("PATCH", path, call, body=changes, headers=headers)
        if not 200 <= answer.status < 300:
            raise self._exchange.failure(call, answer)

    async def amend(self, path: str, change: Callable[[Entity], Entity | None]) -> Entity:
        """Reads an entity, asks what to change in it, and writes that; again if someone else was faster.

        Args:
            change: gets the entity and returns the fields to merge into it, or None if it is right as it is.

        Returns:
            The entity as it was read last.

        Raises:
            ApplicationError: `Conflict` after `AMEND_ATTEMPTS` tries.
        """
        for attempt in range(1, AMEND_ATTEMPTS + 1):
            entity = await self.get(path)
            changes = change(entity)
            if changes is None:
                return entity
            try:
                await self.patch(path, changes, version=entity.get("version"))
                return entity
            except ApplicationError as error:
                if error.type != OutsideError.CONFLICT or attempt == AMEND_ATTEMPTS:
                    raise
            # Two writers in step would collide again on every try.
            await asyncio.sleep(random.uniform(0.05, 0.2) * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def entries(
        self, collection: str, *, since: datetime | None = None, newest_pages: int | None = None
    ) -> AsyncIterator[Entity]:
        """The entities of a collection, newest first, page by page.

        An entity may come twice when others are created meanwhile; none is left out. A page that is too large is read
        in smaller ones.

        Args:
            since: leaves out what was created before, and stops reading there.
            newest_pages: ends after so many pages, for a look-up that may miss what is older.

        Raises:
            ApplicationError: there are more than `MAX_PAGES` pages; a look-up that gave up silently would make its
                caller create a second object.
        """
        position, largest = 0, rest.PAGE_SIZES[0]
        for _ in range(newest_pages or MAX_PAGES):
            page, size = await self._page(collection, position, largest)
            lists = rest.embedded_lists(page)
            for entity in (entity for entities in lists for entity in entities):
                if since is None or (rest.created_at(entity) or since) >= since:
                    yield entity
            if rest.is_last_page(page, position // size, sum(map(len, lists)), size) or _reaches_back(lists, since):
                return
            # A server may hold to smaller pages than it was asked for, and counts them by its own size.
            if (served := rest.served_size(page, size)) < size:
                size = largest = served
            position += size
        if newest_pages is None:
            raise ApplicationError(
                f"{SYSTEM} lists more than {position} {collection} for one look-up "
                "(pin ids in the settings where they can be pinned, or remove old entries)",
                type=OutsideError.UNEXPECTED_ANSWER,
                non_retryable=True,
            )

    async def _page(self, collection: str, position: int, largest: int) -> tuple[Entity, int]:
        """The page that begins at a position of a list, as large as possible, and its size."""
        sizes = [largest, *(size for size in rest.PAGE_SIZES if size < largest)]
        fitting = [size for size in sizes if position % size == 0]
        for size in fitting[:-1]:
            try:
                return await self._read(collection, query=rest.page_query(position // size, size)), size
            except AnswerTooLarge:
                activity.logger.info("A page of %d %s is too large; asking for fewer", size, collection)
        return await self._read(collection, query=rest.page_query(position, 1)), 1

    async def _read(self, path: str, *, query: Mapping[str, str] | None = None) -> Entity:
        call = f"GET {path}"
        return self._object(call, await self._send("GET", path, call, query=query))

    def _object(self, call: str, answer: Answer) -> Entity:
        value = self._exchange.json(call, answer)
        if not isinstance(value, dict):
            raise self._exchange.nonsense(call, answer, f"a JSON {type(value).__name__} instead of an object")
        return value

    async def _linked(self, address: str) -> bytes:
        """What stands at an asset's address."""
        url = self._own(address)
        try:
            answer = await self._send_to(
                url, "GET", f"GET {url.path}", headers={"Accept": "*/*"}, limit=assets.MAX_ASSET_BYTES
            )
            if not 200 <= answer.status < 300:
                raise self._exchange.failure(f"GET {url.path}", answer)
        except AnswerTooLarge:
            raise assets.UnreadableAsset(assets.too_large()) from None
        except ApplicationError as error:
            if error.type in _UNREADABLE:
                raise assets.UnreadableAsset(error.message) from None
            raise
        return answer.body

    def _own(self, address: str) -> httpx.URL:
        """An asset's address as a URL of this ModelOp Center."""
        if not address.strip():
            raise assets.UnreadableAsset("it has neither embedded content nor an address (upload the file again)")
        try:
            url = self._address.join(address.strip())
        except (httpx.InvalidURL, ValueError):
            raise assets.UnreadableAsset("its address is not a URL (upload the file again)") from None
        if _origin(url) != _origin(self._address) or url.userinfo:
            raise assets.UnreadableAsset(
                f"it is kept at {assets.place(address)}, and files are read from ModelOp Center only "
                "(embed the file: upload it as a model asset of less than 10 MB)"
            )
        return url.copy_with(fragment=None)

    async def _send(
        self,
        method: str,
        path: str,
        call: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Entity | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        url = httpx.URL(f"{self._api}/{path}")
        return await self._send_to(url, method, call, query=query, body=body, headers=headers)

    async def _send_to(
        self,
        url: httpx.URL,
        method: str,
        call: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Entity | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Answer:
        """Sends one request; a token that is refused is replaced once, because it may have been revoked early."""
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        fixed = {"Accept": "application/json", **({"Content-Type": "application/json"} if content else {})}

        async def send_with(token: str) -> Answer:
            if activity.in_activity():
                activity.heartbeat()
            return await self._exchange.send(
                method,
                str(url),
                call=call,
                query=query,
                content=content,
                headers={**fixed, **(headers or {}), "Authorization": f"Bearer {token}"},
                creates=method == "POST",
                limit=limit,
            )

        token = await self._tokens.current()
        answer = await send_with(token)
        if answer.status == 401 and (other := await self._tokens.replacement(token)):
            answer = await send_with(other)
        return answer


def _bare(url: str) -> str:
    """The address without query, fragment and trailing slash, so that paths can be added to it."""
    return str(httpx.URL(url).copy_with(query=None, fragment=None)).rstrip("/")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _reaches_back(lists: list[list[Entity]], since: datetime | None) -> bool:
    """Whether all pages that follow are older than `since`; only where the server really sorts newest first."""
    if since is None:
        return False
    for entities in lists:
        moments = [rest.created_at(entity) for entity in entities]
        dated = [moment for moment in moments if moment is not None]
        if dated != sorted(dated, reverse=True):
            return False
        if dated and dated[-1] < since:
            return True
    return False
