"""What a review document costs: seconds, bytes and memory, by how many features a model has.

`python -m bench.document [--json FILE]` takes some minutes. Every row is measured in a process of its own. The first
document of a process also loads fonts, so it has a column of its own.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import docx
from rich.console import Console
from rich.table import Table

from activities.review_document.customer_template.fill import fill_template
from activities.review_document.limits.decision_table import DecisionTable
from activities.review_document.limits.verdicts import evaluate, rule_results
from activities.review_document.standard_layout.render import render
from tests.activities.review_document.samples import STORED, classification_results, review, snapshot, stored_model

RECORD = Path(".mlc/bench-document.json")
FEATURES = (20, 200, 1_000)
REPEATS = 3
RULES = 10_000
FEW_TOKENS, MANY_TOKENS = 60, 3_000
MANY = 200
# By then fonts, caches and the allocator's own pools have the size that they keep.
SETTLED_AFTER = 20
GIVE_UP_SECONDS = 1_800
STATUS = Path("/proc/self/status")

Write = Callable[[], bytes]
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """What is written, and how it is made ready for a number of features."""

    name: str
    features: int
    prepare: Callable[[int], Write]
    many: bool = False


@dataclass(frozen=True)
class Measurement:
    """One row.

    Attributes:
        first: seconds of the first one in its process, imports not counted.
        again: seconds of one more, the median of `REPEATS`.
        processor: seconds of processor time for one more, the median; what other programs take is not in it.
        size: bytes that were written.
        resident: bytes by which the highest resident memory of the process rose; None where the system does not tell.
        allocated: bytes that Python's own allocations reach while one more is written.
        growth: bytes of resident memory that stayed from number `SETTLED_AFTER` to number `MANY`; None if not measured.
    """

    case: str
    features: int
    first: float
    again: float
    processor: float
    size: int
    resident: int | None
    allocated: int
    growth: int | None = None


def our_document(features: int) -> Write:
    """Our own document with every family of tests."""
    results = classification_results(features)
    return lambda: render(review(results))


def filled_template(features: int, *, tokens: int) -> Write:
    """A customer's template with so many tokens, every tenth of them a table."""
    template = _template(tokens)
    sources = {
        "storedModel": stored_model(),
        "deployableModel": snapshot(),
        "modelTestResult": {"testResults": classification_results(features), "dmnRuleResults": []},
    }
    return lambda: fill_template(template, sources, dated=STORED, title="Model review").content


def decision_table(features: int) -> Write:
    """Verdicts by a customer's decision table, reading it included."""
    content, results = _decision_table(RULES), classification_results(features)

    def judge() -> bytes:
        table = DecisionTable.read(content, filename="limits.dmn")
        return json.dumps(rule_results(evaluate(results, methodology="Classification", table=table))).encode()

    return judge


CASES = (
    *(Case("our document", features, our_document) for features in FEATURES),
    Case(f"template, {FEW_TOKENS} tokens", 20, partial(filled_template, tokens=FEW_TOKENS)),
    Case(f"template, {MANY_TOKENS:,} tokens", 20, partial(filled_template, tokens=MANY_TOKENS)),
    Case(f"DMN, {RULES:,} rules", 20, decision_table),
    Case(f"{MANY} of our documents", 20, our_document, many=True),
)


def measure(case: Case) -> Measurement:
    """Measures a case in this process, which should have done nothing before."""
    write = case.prepare(case.features)
    before = _memory("VmRSS")
    first, content = _timed(time.perf_counter, write)
    turns = [_timed(time.perf_counter, partial(_timed, time.process_time, write)) for _ in range(REPEATS)]
    highest = _memory("VmHWM")
    growth = _growth(write) if case.many else None
    return Measurement(
        case=case.name,
        features=case.features,
        first=round(first, 2),
        again=round(statistics.median(seconds for seconds, _ in turns), 2),
        processor=round(statistics.median(seconds for _, (seconds, _) in turns), 2),
        size=len(content),
        resident=None if highest is None or before is None else highest - before,
        allocated=_allocated(write),
        growth=growth,
    )


def measure_apart(position: int) -> Measurement:
    """Measures a case in a process of its own.

    Raises:
        subprocess.SubprocessError: it failed, or took longer than `GIVE_UP_SECONDS`.
    """
    command = [sys.executable, "-m", "bench.document", "--case", str(position)]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=GIVE_UP_SECONDS, check=True)
    return Measurement(**json.loads(done.stdout))


def growth_ratios(found: Sequence[Measurement]) -> list[str]:
    """How many times as long each size takes as the one before it, next to how many times as many features it has."""
    sizes = [each for each in found if each.case == CASES[0].name]
    return [
        f"{more.features / less.features:.0f} times the features ({less.features:,} to {more.features:,}): "
        f"{more.processor / less.processor:.2f} times the processor time"
        for less, more in itertools.pairwise(sizes)
    ]


def main() -> None:
    """Prints the table and writes the same numbers as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.document", description="What a review document costs.")
    parser.add_argument("--json", type=Path, default=RECORD, metavar="FILE", help=f"where to write (default: {RECORD})")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="measure only this one, in this process")
    options = parser.parse_args()
    if options.case is not None:
        sys.stdout.write(json.dumps(asdict(measure(CASES[options.case]))) + "\n")
        return
    console = Console(highlight=False)
    found = []
    for position, case in enumerate(CASES):
        console.print(f"{case.name}, {case.features:,} features ...", style="dim")
        found.append(measure_apart(position))
    console.print(_table(found))
    ratios = growth_ratios(found)
    console.print("\n".join(ratios))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    record = {"rows": [asdict(each) for each in found], "growth": ratios}
    options.json.write_text(json.dumps(record, indent=2) + "\n")


def _timed(clock: Callable[[], float], work: Callable[[], T]) -> tuple[float, T]:
    began = clock()
    made = work()
    return clock() - began, made


def _allocated(write: Write) -> int:
    tracemalloc.start()
    try:
        write()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _growth(write: Write) -> int | None:
    for _ in range(SETTLED_AFTER):
        write()
    settled = _resident_now()
    for _ in range(MANY - SETTLED_AFTER):
        write()
    last = _resident_now()
    return None if settled is None or last is None else last - settled


def _resident_now() -> int | None:
    gc.collect()
    return _memory("VmRSS")


def _memory(field: str) -> int | None:
    """A field of the kernel's account of this process, in bytes; `getrusage` would count the parent's peak too."""
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def _template(tokens: int) -> bytes:
    """A Word file with one token in every paragraph."""
    document = docx.Document()
    document.add_heading("Model review of <<modelop.storedModel.modelMetaData.name>>", level=1)
    for position in range(tokens):
        document.add_paragraph(f"Item {position}: <<{_TOKENS[position % len(_TOKENS)]}>>")
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


_TOKENS = (
    "modelop.storedModel.modelMetaData.description",
    "modelop.storedModel.modelMetaData.modelMethodology",
    "modelop.deployableModel.createdDate",
    "modelop.storedModel.modelAssets.[assetRole=BASELINE_DATA].filename",
    "modelop.modelTestResult.testResults.auc",
    "modelop.modelTestResult.testResults.(dw_statistic)",
    "modelop.modelTestResult.testResults.(DataDrift_maxKolmogorov-SmirnovPValue)",
    "modelop.modelTestResult.testResults.(stability)[0].(values).(age).(stability_index)",
    "modelop.modelTestResult.testResults.missing",
    "modelop.modelTestResult.testResults.(performance)[0].values",
)


def _decision_table(rules: int) -> bytes:
    """A decision table in Camunda Modeler's form, whose rules are spread over three numbers of the result."""
    metrics = ("auc", "CSI_maxCSIValue", "dw_statistic")
    inputs = "".join(
        f'<input id="i{place}" label="{metric}" camunda:inputVariable="{metric}">'
        f'<inputExpression id="e{place}" typeRef="double"><text/></inputExpression></input>'
        for place, metric in enumerate(metrics)
    )
    outputs = "".join(
        f'<output id="o{name}" label="{name}" name="{name}" typeRef="{kind}"/>'
        for name, kind in (("passes", "boolean"), ("reason", "string"), ("category", "string"))
    )
    body = "".join(_rule(number, len(metrics)) for number in range(rules))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="limits" '
        'xmlns:camunda="http://camunda.org/schema/1.0/dmn" namespace="http://camunda.org/schema/1.0/dmn">'
        '<decision id="c" name="Model Test Comparator"><decisionTable id="t" hitPolicy="COLLECT">'
        f"{inputs}{outputs}{body}</decisionTable></decision></definitions>"
    ).encode()


def _rule(number: int, inputs: int) -> str:
    low = number / 10_000
    cells = [""] * inputs
    cells[number % inputs] = f"[{low}..{low + 0.0001}["
    entries = "".join(
        f'<inputEntry id="r{number}i{i}"><text>{cell}</text></inputEntry>' for i, cell in enumerate(cells)
    )
    return (
        f'<rule id="r{number}">{entries}<outputEntry id="r{number}p"><text>true</text></outputEntry>'
        f'<outputEntry id="r{number}r"><text>"within range {number}"</text></outputEntry>'
        f'<outputEntry id="r{number}c"><text>"Range {number % 100}"</text></outputEntry></rule>'
    )


def _table(found: Sequence[Measurement]) -> Table:
    table = Table(title="What a review document costs", title_justify="left", box=None, pad_edge=False)
    table.caption = (
        "First: the first one of a process. Again: one more. CPU: its processor time, without that of other programs. "
        "Peak: rise of the process's highest memory. Python: its own allocations for one more. "
        f"Kept: memory that stayed from number {SETTLED_AFTER} to number {MANY}."
    )
    table.caption_justify = "left"
    table.add_column("What", no_wrap=True)
    for heading in ("Features", "First\ns", "Again\ns", "CPU\ns", "Size\nMB", "Peak\nMB", "Python\nMB", "Kept\nMB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        seconds = (each.first, each.again, each.processor)
        memory = (each.size, each.resident, each.allocated, each.growth)
        table.add_row(each.case, f"{each.features:,}", *(f"{held:.2f}" for held in seconds), *map(_megabytes, memory))
    return table


def _megabytes(held: int | None) -> str:
    return "–" if held is None else f"{held / 1_000_000:.1f}"


if __name__ == "__main__":
    main()
