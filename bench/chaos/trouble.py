"""Everything that goes wrong: processes killed, connections cut, webhooks lost, doubled, shuffled and forged."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from bench.chaos.ledger import Ledger
from bench.chaos.parts import Parts
from workflows.contract import TASK_QUEUE, workflow_id

HITS = 20
SERVER_KILLS = 2
LOST, DOUBLED, SHUFFLED, SHUFFLE_SECONDS = 0.3, 0.3, 0.5, 2.0
REPLIES_LOST = 0.05
# Answers that come late, after the work was done, leave time for a kill between an effect and its completion.
REPLIES_LATE, LATE_SECONDS = 0.3, 1.5
FORGED = 0.01
FORGING_SECONDS = 3.0
DOWN_SECONDS = (0.5, 4.0)
# Each life of the worker is long enough for the slowest of its work, at least now and then.
LIFE_SECONDS = (1.5, 6.0)
AWAKE_SECONDS = 60.0
# For so long a kill waits for something to tear off, preferably of a kind that was not torn off so often before.
IDLE_SECONDS = 12.0
OFTEN = 8
LOOK_SECONDS = 0.1
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED

Say = Callable[[str], None]


@dataclass
class Damage:
    """What really happened."""

    worker_kills: int = 0
    hits: int = 0
    hit_activities: Counter[str] = field(default_factory=Counter)
    server_kills: int = 0
    restarts: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[str] = field(default_factory=Counter)
    replies_lost: Counter[str] = field(default_factory=Counter)
    replies_late: Counter[str] = field(default_factory=Counter)
    forged: Counter[str] = field(default_factory=Counter)


class Trouble:
    """Makes trouble in the order that the seed fixes; the moments are the machine's.

    Args:
        parts: what is killed and restarted.
        client: asked what the worker is doing.
        model_ids: whose runs are looked at.
        seed: of every chance.
    """

    def __init__(
        self, parts: Parts, client: Client, ledger: Ledger, model_ids: Sequence[str], *, seed: int, say: Say
    ) -> None:
        self.damage = Damage()
        self._parts = parts
        self._client = client
        self._ledger = ledger
        self._model_ids = model_ids
        self._seed = seed
        self._chance = random.Random(seed + 1)
        self._say = say
        self._http = httpx.AsyncClient(timeout=10, trust_env=False)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def bewitch(self) -> None:
        """Sets the faults of both sandboxes."""
        await self._set_faults("jira")
        await self._set_faults("modelop")

    async def rage(self) -> None:
        """Kills and restarts until everything has happened often enough."""
        others: list[Callable[[], Awaitable[None]]] = [self._kill_server] * SERVER_KILLS
        others += [self._restarting(name) for name in ("relay", "jira", "modelop") for _ in range(2)]
        self._chance.shuffle(others)
        due = sorted(self._chance.randrange(1, HITS - 2) for _ in others)
        while self.damage.hits < HITS or others:
            await self._until_awake()
            await asyncio.sleep(self._chance.uniform(*LIFE_SECONDS))
            if others and self.damage.hits >= due[0]:
                due.pop(0)
                await others.pop()()
            else:
                await self._kill_worker()

    async def forge(self) -> None:
        """Sends webhooks that lie, every other one well signed, for as long as it is let."""
        while True:
            await asyncio.sleep(FORGING_SECONDS)
            if sum(self.damage.forged.values()) <= FORGED * self._ledger.deliveries():
                await self._send_forgery(well_signed=bool(sum(self.damage.forged.values()) % 2))

    async def count_faults(self) -> None:
        """Adds up what the faults did, before a restart forgets it."""
        await self._count_faults("jira")
        await self._count_faults("modelop")

    async def _until_awake(self) -> None:
        """Waits until the worker asks Temporal for work: one that only starts has nothing that could be torn off."""
        wanted = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        deadline = time.monotonic() + AWAKE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(RPCError):
                queue = await self._client.workflow_service.describe_task_queue(wanted)
                if self._identity() in {poller.identity for poller in queue.pollers}:
                    return
            await asyncio.sleep(LOOK_SECONDS)

    def _identity(self) -> str:
        """Under which name the present worker speaks to Temporal."""
        return f"{self._parts['worker'].pid}@{socket.gethostname()}"

    async def _kill_worker(self) -> None:
        """Kills the worker at a moment when it works, and counts what the kill tore off."""
        worker, identity = self._parts["worker"], self._identity()
        await self._until_busy(identity)
        worker.kill()
        torn = await self._activities(identity)
        self.damage.worker_kills += 1
        self.damage.hits += bool(torn)
        self.damage.hit_activities.update(torn)
        self._say(f"worker killed ({self.damage.hits} hits of {self.damage.worker_kills}): {', '.join(torn) or 'idle'}")
        worker.spawn()

    async def _until_busy(self, identity: str) -> None:
        deadline = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < deadline:
            # Else nearly all kills would hit what takes long: following jobs and writing documents.
            if any(self.damage.hit_activities[kind] < OFTEN for kind in await self._activities(identity)):
                await asyncio.sleep(self._chance.uniform(0, LOOK_SECONDS))
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _activities(self, identity: str) -> list[str]:
        """Types of the activities that the worker of this identity has begun and not ended, as Temporal sees it."""
        described = await asyncio.gather(*(self._pending(model_id) for model_id in self._model_ids))
        return [
            activity.activity_type.name
            for pending in described
            for activity in pending
            if activity.state == STARTED and activity.last_worker_identity == identity
        ]

    async def _pending(self, model_id: str) -> Sequence[Any]:
        try:
            description = await self._client.get_workflow_handle(workflow_id(model_id)).describe()
        except RPCError:
            return []
        return list(description.raw_description.pending_activities)

    async def _kill_server(self) -> None:
        self._say("Temporal server killed")
        self._parts["temporal"].kill()
        await asyncio.sleep(self._chance.uniform(*DOWN_SECONDS))
        await self._parts["temporal"].start()
        self.damage.server_kills += 1

    def _restarting(self, name: str) -> Callable[[], Awaitable[None]]:
        async def restart() -> None:
            self._say(f"{name} restarted")
            if name in ("jira", "modelop"):
                await self._count_faults(name)
            await self._parts[name].stop()
            await asyncio.sleep(self._chance.uniform(*DOWN_SECONDS))
            await self._parts[name].start()
            self.damage.restarts[name] += 1
            if name in ("jira", "modelop"):
                await self._set_faults(name)

        return restart

    async def _set_faults(self, name: str) -> None:
        """Sets the faults of a sandbox, which forgets them when it ends; every life has a seed of its own."""
        seed = self._seed * 100 + self._parts[name].lives
        path = {"jira": "/rest/**", "modelop": "/model-manage/**"}[name]
        cut = {"path": path, "effect": "cut", "when": "after", "probability": REPLIES_LOST, "seed": seed}
        late = {"path": path, "effect": "delay", "when": "after", "delay": LATE_SECONDS, "probability": REPLIES_LATE}
        await self._control(name, "POST", "/faults", cut)
        await self._control(name, "POST", "/faults", {**late, "seed": seed + 1})
        if name == "jira":
            stray = {"lost": LOST, "doubled": DOUBLED, "shuffled": SHUFFLED, "shuffle_within": SHUFFLE_SECONDS}
            await self._control(name, "POST", "/faults/webhooks", {**stray, "seed": seed})

    async def _count_faults(self, name: str) -> None:
        shown = await self._control(name, "GET", "/faults")
        for fault in shown["faults"]:
            counter = self.damage.replies_lost if fault["effect"] == "cut" else self.damage.replies_late
            counter[name] += fault["applied"]
        self.damage.webhooks.update((shown.get("webhooks") or {}).get("applied", {}))

    async def _control(self, name: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        url = {"jira": self._parts.addresses.jira, "modelop": self._parts.addresses.modelop}[name]
        return (await self._http.request(method, f"{url}{path}", json=body)).raise_for_status().json()

    async def _send_forgery(self, *, well_signed: bool) -> None:
        """A decision that nobody took, about a ticket that waits, now and then told to another run."""
        open_tickets = [
            (model_id, ticket)
            for model_id in self._model_ids
            for ticket in self._ledger.tickets(model_id)
            if ticket.is_open
        ]
        if not open_tickets:
            return
        _, ticket = self._chance.choice(open_tickets)
        told = self._chance.choice(self._model_ids)
        status = self._chance.choice(["Done", "Rejected"])
        body = json.dumps(
            {
                "timestamp": round(time.time() * 1000),
                "webhookEvent": self._chance.choice(["jira:issue_updated", "jira:issue_deleted"]),
                "user": {"name": "aaron"},
                "issue": {
                    "id": str(ticket.id),
                    "key": ticket.key,
                    "fields": {"labels": ["sagemaker-mlc", workflow_id(told)], "status": {"name": status}},
                },
                "changelog": {"items": [{"field": "status", "toString": status}]},
            }
        ).encode()
        secret = self._parts.secret if well_signed else "somebody else's"
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        with contextlib.suppress(httpx.TransportError):
            answer = await self._http.post(
                f"{self._parts.addresses.relay}/webhooks/jira", content=body, headers={"X-Hub-Signature": signature}
            )
            self.damage.forged[f"{'well' if well_signed else 'badly'} signed: {answer.status_code}"] += 1
