"""`python -m tests.faults`: the matrix of effects and faults on real processes; exit code 1 on any mismatch."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from console.supervision import run_until_signalled
from tests.faults.effects import EFFECTS, System
from tests.faults.kills import kill_at_each
from tests.faults.lanes import AMBIGUOUS_WAIT, lane, temporal_server
from tests.faults.rows import ATTEMPTS_USED_UP, CUTS, LATE, REFUSALS, Cell, Row, walk_through
from tests.faults.table import table

REPORT = Path(".mlc/faults.json")
INTERRUPTED = 130


@dataclass(frozen=True)
class Course:
    """Rows that one lane goes through one after another, or the deaths of its worker at the effects in one system."""

    name: str
    rows: Sequence[Row] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    kills: System | None = None


COURSES = (
    Course("late", (LATE,)),
    Course("cuts", CUTS),
    Course("refusals", REFUSALS),
    # As in production, a blocked run tries again by itself after longer than an outcome may be unknown.
    Course(
        "blocked",
        ATTEMPTS_USED_UP,
        {"MLC_WORKER__RETRY_ATTEMPTS": "1", "MLC_WORKER__BLOCKED_RETRY": f"PT{AMBIGUOUS_WAIT + 2}S"},
    ),
    Course("killed-jira", kills="jira"),
    Course("killed-modelop", kills="modelop"),
)


async def main(chosen: Sequence[str], report: Path) -> int:
    """Runs the chosen courses at once, prints the table, writes the report; 1 if any cell is not as it should be."""
    courses = [course for course in COURSES if not chosen or course.name in chosen]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mlc-faults-") as directory:
        async with temporal_server([course.name for course in courses]) as temporal:
            starting = asyncio.Lock()
            done = await asyncio.gather(
                *(_run(course, temporal, Path(directory), starting) for course in courses), return_exceptions=True
            )
    broken = {course.name: result for course, result in zip(courses, done, strict=True) if not isinstance(result, list)}
    for name, error in broken.items():
        logging.error("course %s broke off", name, exc_info=error)
    cells = [cell for result in done if isinstance(result, list) for cell in result]
    return _reported(cells, report, time.monotonic() - began) or len(broken)


def _reported(cells: Sequence[Cell], report: Path, seconds: float) -> int:
    wrong = [cell for cell in cells if not cell.ok]
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps([{**asdict(cell), "ok": cell.ok} for cell in cells], indent=2) + "\n")
    print(table(cells))  # noqa: T201 - the table is what this program is for
    print(f"{len(cells)} cells, {len(wrong)} wrong, {seconds:.0f} s; {report}")  # noqa: T201
    return 1 if wrong or not cells else 0


async def _run(course: Course, temporal: str, directory: Path, starting: asyncio.Lock) -> list[Cell]:
    async with contextlib.AsyncExitStack() as stack:
        # All at once they would keep each other from being ready in time.
        async with starting:
            running = await stack.enter_async_context(
                lane(temporal, course.name, directory / course.name, course.settings)
            )
        cells = [cell for row in course.rows for cell in await walk_through(row, running)]
        if course.kills:
            cells += await kill_at_each([effect for effect in EFFECTS if effect.system == course.kills], running)
        return cells


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("courses", nargs="*", choices=[[], *(course.name for course in COURSES)], metavar="COURSE")
    parser.add_argument("--report", type=Path, default=REPORT)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    code = run_until_signalled(lambda: main(arguments.courses, arguments.report))
    sys.exit(INTERRUPTED if code is None else code)
