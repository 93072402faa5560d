"""The rows of the matrix: one fault, met by every effect of an implementation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.effects import EFFECTS, Census, Effect, Entity, Leg
from tests.faults.implementation import Implementation
from tests.faults.lanes import Lane

logger = logging.getLogger(__name__)

LATE_SECONDS = 14
"""The client gives up after ten; the work is done when the next attempt has begun, or would have."""

LAG_SECONDS = 5
SETTLE_SECONDS = 60.0
NOTICES = "notices of blocks"


@dataclass(frozen=True)
class Row:
    """One fault that every effect is to meet.

    Attributes:
        name: what the table calls it.
        fault: as the sandboxes' fault interface takes it, without method and path.
        lag: seconds by which Jira's search trails behind meanwhile.
        meets: which effects the fault makes sense for.
        blocks: whether one failure blocks the run, because it is allowed one attempt only.
    """

    name: str
    fault: Mapping[str, Any]
    lag: float = 0
    meets: Callable[[Effect], bool] = lambda effect: True
    blocks: bool = False


@dataclass(frozen=True)
class Cell:
    """What became of one effect under one fault.

    Attributes:
        struck: how many requests the fault struck.
        found: how often the sandboxes show the effect.
        outcome: how the run ended.
        note: what is wrong beside the count; empty if nothing is.
    """

    row: str
    effect: str
    struck: int
    found: int
    outcome: str
    note: str = ""

    @property
    def ok(self) -> bool:
        """Exactly one, in spite of the fault, and a run that ended well."""
        return (self.struck, self.found, self.outcome, self.note) == (1, 1, "DEPLOYED", "")


def _status(code: int, **more: Any) -> dict[str, Any]:
    return {"effect": "status", "status": code, **more}


def _is_ticket(effect: Effect) -> bool:
    return effect.activity == "open_ticket"


LATE = Row("work done late", {"effect": "delay", "delay": LATE_SECONDS})
REFUSALS = (
    Row("429, seconds", _status(429, retry_after=2)),
    Row("429, decimal", _status(429, retry_after=1.5)),
    Row("429, date", _status(429, retry_after=2, retry_after_format="date")),
    Row("500", _status(500)),
    Row("502", _status(502)),
    Row("503", _status(503)),
)
CUTS = (
    Row("cut after the work", {"effect": "cut", "when": "after"}),
    Row("reset after the work", {"effect": "cut", "when": "after", "reset": True}),
    Row("reply truncated", {"effect": "truncate"}),
    Row("cut before the work", {"effect": "cut"}),
    Row("503 after the work", _status(503, when="after")),
    Row("cut after, search lags", {"effect": "cut", "when": "after"}, lag=LAG_SECONDS, meets=_is_ticket),
)
ATTEMPTS_USED_UP = (
    Row("cut after the work, blocked", {"effect": "cut", "when": "after"}, blocks=True),
    Row("work done late, blocked", {"effect": "delay", "delay": LATE_SECONDS}, blocks=True),
)


async def walk_through(row: Row, lane: Lane) -> list[Cell]:
    """Lets one implementation meet a fault at every effect, and counts what is there in the end."""
    implementation = await Implementation.of_new_model(lane, f"Fault matrix, {row.name}")
    if row.lag:
        await lane.search_lags(row.lag)
    struck: dict[Effect, int] = {}
    met = [effect for effect in EFFECTS if row.meets(effect)]
    note = ""
    try:
        for leg in Leg:
            logger.info("%s: %s", row.name, leg.name)
            aimed = {effect: await aim(lane, effect, row.fault) for effect in met if effect.leg is leg}
            await implementation.walk(leg)
            for effect, fault_id in aimed.items():
                struck[effect] = await _strikes(lane, effect, fault_id)
                await lane.remove_fault(effect.system, fault_id)
    except TimeoutError as error:
        note = str(error)
    await lane.clear_faults()
    census = await lane.census(implementation.model_id)
    cells = judged(row.name, implementation.outcome, census, struck, met, note)
    return [*cells, notices_of_blocks(row.name, implementation.outcome, census, len(met) if row.blocks else 0)]


def notices_of_blocks(row: str, outcome: str, census: Census, allowed: int = 0) -> Cell:
    """One more cell: the notifications of blocks are right if each block has at most one, and none stays open."""
    wrong = list(_misplaced(census.block_notices(), allowed))
    return Cell(row, NOTICES, struck=1, found=0 if wrong else 1, outcome=outcome, note="; ".join(wrong))


def _misplaced(notices: Sequence[Entity], allowed: int) -> Iterator[str]:
    if len(notices) > allowed:
        yield f"{len(notices)} notifications of blocks instead of at most {allowed}"
    if len({notice["message"] for notice in notices}) < len(notices):
        yield "two notifications of one block"
    if left := sum(notice["open"] for notice in notices):
        yield f"{left} notifications of blocks stay open"


async def aim(lane: Lane, effect: Effect, fault: Mapping[str, Any]) -> int:
    """Lets a fault strike the next request that has this effect; returns its id."""
    return await lane.add_fault(effect.system, {**fault, "method": effect.method, "path": effect.path, "times": 1})


async def _strikes(lane: Lane, effect: Effect, fault_id: int) -> int:
    """How often a fault struck, once late work is done: it must be counted too."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            shown = await lane.fault(effect.system, fault_id)
            late = shown["effect"] == "delay" and any(strike["worked"] is None for strike in shown["strikes"])
            if not late:
                return int(shown["applied"])
            await asyncio.sleep(0.2)


def judged(
    row: str, outcome: str, census: Census, struck: Mapping[Effect, int], met: Sequence[Effect], note: str
) -> list[Cell]:
    """The cells of one implementation, which must have everything else exactly once, too."""
    others = [
        f"{effect.name}: {effect.found(census)}"
        for effect in EFFECTS
        if effect not in met and effect.found(census) != 1
    ]
    beside = "; ".join(filter(None, [note, *others]))
    return [Cell(row, e.name, struck.get(e, 0), e.found(census), outcome, beside) for e in met]
