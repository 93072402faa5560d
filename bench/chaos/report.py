"""The judgement: expected against found, run by run, as a table for people and JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from bench.chaos.scripts import Script
from bench.chaos.trouble import FORGED, HITS, SERVER_KILLS, Damage

# They are told, and they are no failure as long as none of them decides: the sweep closes them.
TOLERATED = ("duplicate tickets",)


@dataclass(frozen=True)
class RunEnd:
    """One implementation: its script, how it ended (None: not at all), what exists of it, how long its history is."""

    script: Script
    model_id: str
    ending: str | None
    found: Counter[str]
    history_events: int = 0
    history_bytes: int = 0

    @property
    def faults(self) -> list[str]:
        """Every way in which the run is not as scripted."""
        expected = self.script.expected()
        faults = [
            f"{kind}: expected {expected[kind]}, found {self.found[kind]}"
            for kind in sorted({*expected, *self.found})
            if expected[kind] != self.found[kind] and kind not in TOLERATED
        ]
        if self.ending != self.script.outcome:
            faults.insert(0, f"ending: expected {self.script.outcome}, found {self.ending or 'none, it still runs'}")
        return faults


@dataclass
class Report:
    """One chaos run as a whole."""

    seed: int
    defect: str | None
    seconds: float
    runs: Sequence[RunEnd]
    damage: Damage
    trouble_in_code: Sequence[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Everything that makes this run of chaos a failure; empty if it is none."""
        faults = [f"{run.script.name} ({run.model_id}): {fault}" for run in self.runs for fault in run.faults]
        return [*faults, *self._too_little_damage(), *self.trouble_in_code]

    def _too_little_damage(self) -> list[str]:
        """Chaos that did not take place proves nothing."""
        damage = self.damage
        wanted = {
            "kills of the worker that hit a running activity": (damage.hits, HITS),
            "kills of the Temporal server": (damage.server_kills, SERVER_KILLS),
            **{f"restarts: {name}": (damage.restarts[name], 1) for name in ("relay", "jira", "modelop")},
            "webhooks lost": (damage.webhooks["lost"], 1),
            "webhooks doubled": (damage.webhooks["doubled"], 1),
            "webhooks forged": (sum(damage.forged.values()), int(FORGED * damage.webhooks["deliveries"])),
            "replies lost by Jira": (damage.replies_lost["jira"], 1),
            "replies lost by ModelOp Center": (damage.replies_lost["modelop"], 1),
        }
        return [f"{what}: wanted at least {least}, had {had}" for what, (had, least) in wanted.items() if had < least]

    def totals(self) -> Mapping[str, tuple[int, int]]:
        """Expected and found over all runs, by kind."""
        expected: Counter[str] = Counter()
        found: Counter[str] = Counter()
        for run in self.runs:
            expected.update(run.script.expected())
            found.update(run.found)
        kinds = dict.fromkeys([*expected, *found])
        ended = sum(run.ending == run.script.outcome for run in self.runs)
        return {
            "runs ended as scripted": (len(self.runs), ended),
            **{kind: (expected[kind], found[kind]) for kind in kinds},
        }

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "seed": self.seed,
            "defect": self.defect,
            "passed": not self.faults,
            "seconds": round(self.seconds, 1),
            "totals": {kind: {"expected": e, "found": f} for kind, (e, f) in self.totals().items()},
            "damage": _plain(self.damage),
            "faults": self.faults,
            "runs": [
                {
                    "name": run.script.name,
                    "model_id": run.model_id,
                    "course": run.script.course,
                    "manners": [f"{step.gate}: {step.manner}" for step in run.script.steps],
                    "ending": run.ending,
                    "expected": dict(run.script.expected()),
                    "found": dict(run.found),
                    "history_events": run.history_events,
                    "history_bytes": run.history_bytes,
                }
                for run in self.runs
            ],
        }

    def tables(self) -> Sequence[Table]:
        """What was expected and found, and what it went through."""
        counts = Table("kind", "expected", "found", title=f"chaos, seed {self.seed}")
        for kind, (expected, found) in self.totals().items():
            equal = expected == found or kind in TOLERATED
            counts.add_row(kind, str(expected), str(found), style=None if equal else "red")
        damage = Table("trouble", "times", title=f"what they went through in {self.seconds:.0f} s")
        for what, times in _flat(_plain(self.damage)):
            damage.add_row(what, str(times))
        return counts, damage


def _plain(damage: Damage) -> dict[str, Any]:
    # `dataclasses.asdict` would count a counter's pairs instead of copying them.
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(damage).items()}


def _flat(damage: Mapping[str, Any]) -> list[tuple[str, int]]:
    rows = []
    for name, value in damage.items():
        label = name.replace("_", " ")
        if isinstance(value, dict):
            rows += [(f"{label}: {key}", int(times)) for key, times in sorted(value.items())]
        else:
            rows.append((label, int(value)))
    return rows
