"""The worker killed between an effect and its completion: the effect is there, nobody has heard of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.effects import Effect, Leg
from tests.faults.implementation import Implementation
from tests.faults.lanes import AMBIGUOUS_WAIT, Lane
from tests.faults.rows import Cell, aim, judged
from workflows import policies

logger = logging.getLogger(__name__)

ROW = "worker killed"
HELD_SECONDS = 600
STRIKE_SECONDS = 60.0
"""The longest from a decision to the effect on a busy machine."""

USUAL_STRIKE_SECONDS = 15.0

_CALL = policies.CALL_TIMEOUT.total_seconds()
# How long after it began Temporal takes an attempt for lost; nothing comes from its run until then.
_SILENCE = {
    "open_ticket": _CALL + AMBIGUOUS_WAIT,
    "prepare_review_document": policies.RENDERING_HEARTBEAT_TIMEOUT.total_seconds(),
    "archive_review_document": policies.RENDERING_HEARTBEAT_TIMEOUT.total_seconds(),
}
_LOOK_UP_SILENCE = policies.HEARTBEAT_TIMEOUT.total_seconds()


@dataclass
class _Victim:
    """An implementation that is to lose its worker at one effect."""

    effect: Effect
    implementation: Implementation
    note: str = "never struck"
    struck: int = 0
    silent_until: float = 0.0
    recovery: asyncio.Task[None] | None = None

    def is_quiet(self) -> bool:
        """Whether it sends no request that a fault meant for another one could strike."""
        recovered = self.recovery is None or self.recovery.done()
        return recovered or time.monotonic() + USUAL_STRIKE_SECONDS < self.silent_until


async def kill_at_each(effects: Sequence[Effect], lane: Lane) -> list[Cell]:
    """Has an implementation of its own for each effect, and kills the worker once in each of them."""
    named = [f"Fault matrix, killed at {effect.name}" for effect in effects]
    victims = [
        _Victim(effect, await Implementation.of_new_model(lane, name))
        for effect, name in zip(effects, named, strict=True)
    ]
    await asyncio.gather(*(_lead_up_to(victim) for victim in victims))
    for victim in victims:
        while not all(other.is_quiet() for other in victims):
            await asyncio.sleep(0.5)
        await _kill(victim)
    done = await asyncio.gather(*(_see_through(victim) for victim in victims))
    return [cell for cells in done for cell in cells]


async def _lead_up_to(victim: _Victim) -> None:
    for leg in range(victim.effect.leg):
        await victim.implementation.walk(Leg(leg))


async def _kill(victim: _Victim) -> None:
    """Holds the answer back once the effect is there, kills the worker that waits for it, and starts another."""
    effect, implementation, lane = victim.effect, victim.implementation, victim.implementation.lane
    fault_id = await aim(lane, effect, {"effect": "delay", "when": "after", "delay": HELD_SECONDS})
    await implementation.begin(effect.leg)
    if await _has_struck(lane, effect, fault_id):
        waits = await implementation.is_inside(effect.activity)
        lane.worker.kill()
        logger.info("killed at %s", effect.name)
        victim.silent_until = time.monotonic() - 2 + _SILENCE.get(effect.activity, _LOOK_UP_SILENCE)
        happened = effect.found(await lane.census(implementation.model_id)) == 1
        victim.note = "" if happened and waits else "another run was struck in its place"
        victim.struck = int((await lane.fault(effect.system, fault_id))["applied"])
        await lane.worker.start()
    await lane.remove_fault(effect.system, fault_id)
    victim.recovery = asyncio.create_task(implementation.finish(effect.leg))


async def _has_struck(lane: Lane, effect: Effect, fault_id: int) -> bool:
    try:
        async with asyncio.timeout(STRIKE_SECONDS):
            while not any(strike["worked"] for strike in (await lane.fault(effect.system, fault_id))["strikes"]):
                await asyncio.sleep(0.1)
    except TimeoutError:
        return False
    return True


async def _see_through(victim: _Victim) -> list[Cell]:
    implementation = victim.implementation
    try:
        assert victim.recovery is not None
        await victim.recovery
        for leg in range(victim.effect.leg + 1, len(Leg)):
            await implementation.walk(Leg(leg))
    except TimeoutError as error:
        victim.note = str(error)
    census = await implementation.lane.census(implementation.model_id)
    struck = {victim.effect: victim.struck}
    return judged(ROW, implementation.outcome, census, struck, [victim.effect], victim.note)
