"""What goes wrong in Jira beyond single requests: a search that trails behind, webhooks that go astray."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

from sandbox.faults.control import FaultControl
from sandbox.faults.injection import FaultInjection
from sandbox.faults.rules import Faults
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.rate_limits import rate_limit_headers
from sandbox.jira.search import SearchLag
from sandbox.jira.webhooks import Deliver, Outcome, Outgoing

log = logging.getLogger(__name__)

_Chance = Annotated[float, Field(ge=0, le=1)]
_Seconds = Annotated[float, Field(ge=0, le=3600)]


class _Setting(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LagSetting(_Setting):
    """How far search trails behind.

    Attributes:
        seconds: how long it takes until a created or changed issue is found.
        new_only: whether only created issues are late. A real index keeps finding a changed issue by its former values;
            this one has none, so it either hides a changed issue or finds it by its present ones.
    """

    seconds: Annotated[float, Field(gt=0, le=3600)]
    new_only: bool = False


class LaggingSearch:
    """`/faults/search`: makes search trail behind, as the index of Jira Cloud does."""

    def __init__(self) -> None:
        self.lag = SearchLag()

    def configure(self, body: bytes) -> None:
        """Sets the lag; see `LagSetting`."""
        setting = LagSetting.model_validate_json(body)
        self.lag.seconds = setting.seconds
        self.lag.new_only = setting.new_only
        self.lag.hidden = 0

    def clear(self) -> None:
        """Lets search find everything at once."""
        self.lag.seconds = 0.0

    def shown(self) -> dict[str, Any] | None:
        """The lag, and how many matches were hidden from searches so far."""
        lag = self.lag
        return {"seconds": lag.seconds, "new_only": lag.new_only, "hidden": lag.hidden} if lag.seconds else None


class WebhookSetting(_Setting):
    """What becomes of webhooks; each chance is for each attempt to send one, and independent of the others.

    Attributes:
        lost: chance that it is never sent, though Jira takes it for delivered.
        doubled: chance that it is sent twice, with the same bytes and headers.
        late: chance that it is held back for `late_by` seconds.
        late_by: seconds.
        shuffled: chance that it is held back for a random time of up to `shuffle_within` seconds, so that later ones
            overtake it.
        shuffle_within: seconds.
        seed: of all these chances; chosen and shown when it is not given.
    """

    lost: _Chance = 0.0
    doubled: _Chance = 0.0
    late: _Chance = 0.0
    late_by: _Seconds = 5.0
    shuffled: _Chance = 0.0
    shuffle_within: _Seconds = 2.0
    seed: int = Field(default_factory=lambda: random.randrange(2**32))


class StrayWebhooks:
    """`/faults/webhooks`: loses, doubles, delays and shuffles deliveries."""

    def __init__(self) -> None:
        self._setting: WebhookSetting | None = None
        self._random = random.Random()
        self._counts: Counter[str] = Counter()
        self._held_back: set[asyncio.Task[None]] = set()

    def configure(self, body: bytes) -> None:
        """Sets the chances and starts counting anew; see `WebhookSetting`."""
        self._setting = WebhookSetting.model_validate_json(body)
        self._random = random.Random(self._setting.seed)
        self._counts = Counter()

    def clear(self) -> None:
        """Delivers from now on as ever; what is held back still comes."""
        self._setting = None

    def shown(self) -> dict[str, Any] | None:
        """The chances, and how many deliveries there were and what became of them."""
        if self._setting is None:
            return None
        counted = ("deliveries", "lost", "doubled", "late", "shuffled")
        return {**self._setting.model_dump(), "applied": {name: self._counts[name] for name in counted}}

    def wrap(self, deliver: Deliver) -> Deliver:
        """A way to deliver that goes astray."""

        async def stray(outgoing: Outgoing) -> Outcome:
            if self._setting is None:
                return await deliver(outgoing)
            return await self._send(outgoing, deliver, self._setting)

        return stray

    async def _send(self, outgoing: Outgoing, deliver: Deliver, setting: WebhookSetting) -> Outcome:
        self._counts["deliveries"] += 1
        if self._happens("lost", setting.lost):
            return Outcome(200, "lost on purpose")
        copies = 2 if self._happens("doubled", setting.doubled) else 1
        wait = setting.late_by if self._happens("late", setting.late) else 0.0
        if self._happens("shuffled", setting.shuffled):
            wait += self._random.uniform(0, setting.shuffle_within)
        if wait:
            # Not awaited: this worker goes on, so that what comes later can overtake.
            task = asyncio.create_task(self._send_later(outgoing, deliver, copies, wait))
            self._held_back.add(task)
            task.add_done_callback(self._held_back.discard)
            return Outcome(200, f"held back on purpose for {wait:.1f} s")
        outcome = await deliver(outgoing)
        if copies == 2:
            await deliver(outgoing)
        return outcome

    def _happens(self, what: str, chance: float) -> bool:
        happens = self._random.random() < chance
        self._counts[what] += happens
        return happens

    @staticmethod
    async def _send_later(outgoing: Outgoing, deliver: Deliver, copies: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for _ in range(copies):
            outcome = await deliver(outgoing)
            if outcome.status is None or outcome.status >= 300:
                reason = outcome.error or f"answered {outcome.status}"
                log.warning("held back webhook %s about %s is lost: %s", outgoing.webhook, outgoing.issue_key, reason)


class JiraFaults:
    """Everything that can go wrong in this sandbox, as what `create_app` takes.

    Args:
        edition: whose headers a throttled client gets.
    """

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        self._search = LaggingSearch()
        self._webhooks = StrayWebhooks()
        self._faults = Faults()
        self._control = FaultControl(self._faults, {"search": self._search, "webhooks": self._webhooks})

    @property
    def search_lag(self) -> SearchLag:
        """How far search trails behind."""
        return self._search.lag

    def wrap_delivery(self, deliver: Deliver) -> Deliver:
        """A way to deliver webhooks that goes astray."""
        return self._webhooks.wrap(deliver)

    def middleware(self) -> Middleware:
        """The middleware that makes requests suffer."""
        return Middleware(FaultInjection, faults=self._faults, control=self._control, refusal=self._refusal)

    def _refusal(self, status: int, message: str, path: str) -> Response:
        headers = rate_limit_headers(self._edition) if status == 429 else {}
        return JSONResponse(JiraRefusal(status, [message]).body(), status, headers)
