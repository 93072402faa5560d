"""`python -m bench.chaos [SEED] [--defect …]`; exit code 0 if everything was there exactly once, 1 if not."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from bench.chaos.drill import run_chaos
from bench.chaos.worker import DEFECTS
from console.supervision import run_until_signalled

RECORDS = Path(".mlc/chaos")


def main() -> None:
    """Runs chaos once, prints the tables and writes the record."""
    options = _options()
    console = Console(highlight=False)
    began = time.monotonic()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    name = f"{seed}-{options.defect}" if options.defect else str(seed)
    console.print(f"seed {seed}")
    shutil.rmtree(RECORDS / name, ignore_errors=True)

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:4.0f} s  {line}", style="dim", markup=False, soft_wrap=True)

    report = run_until_signalled(
        lambda: run_chaos(seed, defect=options.defect, directory=(RECORDS / name).absolute(), say=say)
    )
    if report is None:
        sys.exit(130)
    record = RECORDS / f"{name}.json"
    record.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    for table in report.tables():
        console.print(table)
    for fault in report.faults:
        console.print(fault, style="red", markup=False, soft_wrap=True)
    console.print(f"{'FAILED' if report.faults else 'passed'}; {record}")
    sys.exit(bool(report.faults))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description="Prove by breaking.")
    parser.add_argument("seed", nargs="?", type=int, help="fixes scripts and chances (default: a new one, printed)")
    parser.add_argument("--defect", choices=DEFECTS, help="plant this defect into the worker; chaos must notice")
    return parser.parse_args()


if __name__ == "__main__":
    main()
