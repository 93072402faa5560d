"""What the throughput measurement reads and prints; the measurement itself needs a whole stack."""

from __future__ import annotations

import os

import pytest

from bench.throughput import Throughput, Usage, _summary, _usage, main


def test_time_and_memory_of_a_process_grow_with_what_it_does() -> None:
    before = _usage(os.getpid())
    held = bytearray(os.urandom(1 << 20) * 64)
    total = sum(len(str(number)) for number in range(1_000_000))
    after = _usage(os.getpid())
    assert total and held
    assert after.seconds > before.seconds
    assert after.peak_mb >= before.peak_mb > 10


def test_the_summary_says_rates_and_outcomes() -> None:
    found = Throughput(
        runs=30,
        workers=2,
        seconds=60.0,
        activities=900,
        outcomes={"DEPLOYED": 30},
        processes={"worker": Usage(9.0, 200.0)},
    )
    said = _summary(found)
    assert "30.0 runs/min" in said and "15.0 activities/s" in said and "30 DEPLOYED" in said


@pytest.mark.parametrize("wrong", [["--runs", "0"], ["--workers", "-1"], ["--runs", "many"]])
def test_a_number_that_is_none_is_wrong_use(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
