"""The people of the scripts: they see what Jira shows, act by its REST interface, and try again when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import httpx

from bench.chaos.ledger import SERVICE_ACCOUNT, Ledger, TicketRecord
from bench.chaos.scripts import DONE, REJECTED, REQUESTER, Manner, Script, Step
from console.stack import Addresses
from sandbox.jira.people import find_person
from sandbox.modelop.accounts import STATIC_TOKEN
from sandbox.modelop.seed import GERMAN_CREDIT
from workflows.contract import Gate

GLANCE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
TO_DO = "To Do"
OUTDATED_SCHEMA = "input_schema_2023.avsc"
_MANAGED = ("id", "version", "createdDate", "createdBy", "lastModifiedDate", "lastModifiedBy", "_links")

Seen = TypeVar("Seen")


class People:
    """Everybody who decides, and whoever registers and mends models."""

    def __init__(self, addresses: Addresses, ledger: Ledger) -> None:
        self._ledger = ledger
        self._jira = httpx.AsyncClient(base_url=addresses.jira, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._modelop = httpx.AsyncClient(
            base_url=f"{addresses.modelop}/model-manage/api/",
            headers={"Authorization": f"Bearer {STATIC_TOKEN}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._jira.aclose()
        await self._modelop.aclose()

    async def register(self, name: str, *, outdated_schema: bool) -> str:
        """Registers a copy of the German Credit model and returns its id; with two schemas its tests fail."""
        example = (await self._modelop.get(f"storedModels/{GERMAN_CREDIT}")).raise_for_status().json()
        model = {key: value for key, value in example.items() if key not in _MANAGED}
        meta = {**model["modelMetaData"], "name": name}
        if outdated_schema:
            (schema,) = meta["inputSchema"]
            meta["inputSchema"] = [schema, {**schema, "name": OUTDATED_SCHEMA}]
        created = await self._modelop.post("storedModels", json={**model, "modelMetaData": meta})
        return str(created.raise_for_status().json()["id"])

    async def play(self, script: Script, model_id: str) -> None:
        """Does everything that the script says about one implementation."""
        async with asyncio.TaskGroup() as afterwards:
            for step in script.steps:
                ticket = await self._until(partial(self._ticket, model_id, step.gate))
                await asyncio.sleep(step.thinking)
                if step.mends:
                    await self._persist(partial(self._mend, model_id))
                await self._decide(model_id, ticket, step)
                if step.manner is Manner.CHANGED_MIND:
                    afterwards.create_task(self._change_mind(model_id, ticket, step))

    async def _decide(self, model_id: str, ticket: TicketRecord, step: Step) -> None:
        if step.manner is Manner.REQUESTER_FIRST:
            await self._move(model_id, ticket, REQUESTER, step.status)
            await self._until(lambda: self._moved_back(model_id, ticket))
        await self._move(model_id, ticket, step.person, step.status)
        if step.manner is Manner.REOPENED:
            await self._move(model_id, ticket, step.person, TO_DO)
            await self._move(model_id, ticket, step.person, step.status)

    async def _change_mind(self, model_id: str, ticket: TicketRecord, step: Step) -> None:
        await self._until(lambda: self._ledger.has_gone_on(ticket.key) or None)
        await self._move(model_id, ticket, step.person, TO_DO)
        await self._move(model_id, ticket, step.person, REJECTED if step.status == DONE else DONE)

    def _ticket(self, model_id: str, gate: Gate) -> TicketRecord | None:
        """The first ticket of a gate, once there is something to decide on."""
        ticket = next((ticket for ticket in self._ledger.tickets(model_id) if ticket.gate is gate), None)
        if ticket is None or (gate is Gate.RESULTS and not ticket.attachments):
            return None
        return ticket

    def _now(self, model_id: str, ticket: TicketRecord) -> TicketRecord:
        return next(each for each in self._ledger.tickets(model_id) if each.id == ticket.id)

    def _moved_back(self, model_id: str, ticket: TicketRecord) -> TicketRecord | None:
        now = self._now(model_id, ticket)
        return now if now.is_open and now.moves[-1].author == SERVICE_ACCOUNT else None

    def _times_moved(self, model_id: str, ticket: TicketRecord, person: str, status: str) -> int:
        moves = self._now(model_id, ticket).moves
        return sum((move.author, move.target) == (person, status) for move in moves)

    async def _move(self, model_id: str, ticket: TicketRecord, person: str, status: str) -> None:
        """Moves a ticket exactly once, also when the answer is lost: whoever sees it moved does not move it again."""
        before = self._times_moved(model_id, ticket, person, status)

        async def move() -> None:
            if self._times_moved(model_id, ticket, person, status) == before:
                await self._transition(ticket.key, person, status)

        await self._persist(move)

    async def _transition(self, key: str, person: str, status: str) -> None:
        account = find_person(person)
        assert account is not None
        auth = (account.name, account.password)
        path = f"/rest/api/2/issue/{key}/transitions"
        offered = (await self._jira.get(path, auth=auth)).raise_for_status().json()["transitions"]
        for move in offered:
            if move["to"]["name"] == status:
                wanted = {"transition": {"id": move["id"]}}
                (await self._jira.post(path, auth=auth, json=wanted)).raise_for_status()
                return
        raise LookupError(f"{key} cannot be moved to {status}")

    async def _mend(self, model_id: str) -> None:
        model = (await self._modelop.get(f"storedModels/{model_id}")).raise_for_status().json()
        schemas: list[dict[str, Any]] = model["modelMetaData"]["inputSchema"]
        if len(schemas) > 1:
            change = {"modelMetaData": {"inputSchema": schemas[:1]}}
            (await self._modelop.patch(f"storedModels/{model_id}", json=change)).raise_for_status()

    async def _until(self, look: Callable[[], Seen | None]) -> Seen:
        while (seen := look()) is None:  # noqa: ASYNC110 - Jira tells nobody here
            await asyncio.sleep(GLANCE_SECONDS)
        return seen

    async def _persist(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await act()
                return
            except (httpx.HTTPError, LookupError):
                await asyncio.sleep(GLANCE_SECONDS)
