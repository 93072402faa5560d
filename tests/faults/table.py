"""The matrix as text: a line per effect, a column per fault, how often each effect was found in a cell."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.effects import EFFECTS
from tests.faults.rows import NOTICES, Cell


def table(cells: Sequence[Cell]) -> str:
    """Counts of all cells; one that is not as it should be carries an exclamation mark and is explained below."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    known = {(cell.row, cell.effect): cell for cell in cells}
    names = [*(effect.name for effect in EFFECTS), NOTICES]
    width = max(map(len, names))
    legend = [f"  {number:>2}  {row}" for number, row in enumerate(rows, start=1)]
    head = " " * width + "".join(f"{number:>5}" for number in range(1, len(rows) + 1))
    lines = [name.ljust(width) + "".join(f"{_shown(known.get((row, name))):>5}" for row in rows) for name in names]
    return "\n".join(["", *legend, "", head, *lines, "", *(_explained(cell) for cell in cells if not cell.ok)])


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return f"{cell.found}" if cell.ok else f"{cell.found}!"


def _explained(cell: Cell) -> str:
    found = f"found {cell.found}, struck {cell.struck}, run {cell.outcome}"
    return f"MISMATCH {cell.effect} × {cell.row}: {found}" + (f"; {cell.note}" if cell.note else "")
