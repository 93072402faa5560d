"""Text and numbers from outside, made fit to print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from activities.review_document.formatting import clean, moment, moment_of, number, or_gap, size


@pytest.mark.parametrize(
    ("raw", "printed"),
    [
        ("\x1b[31mred\x1b[0m alert", "red alert"),
        ("a\x00b\x07c\ud800d\ufffee", "abcde"),
        ("safe \u202eevil\u202c", "safe evil"),
        ("two\r\nlines\tand tab", "two lines and tab"),
        ("<w:t>&amp;</w:t>", "<w:t>&amp;</w:t>"),
        (None, ""),
        pytest.param(10**5000, "(not printable)", id="an integer of 5000 digits"),
    ],
)
def test_text_from_outside_is_made_printable(raw: Any, printed: str) -> None:
    assert clean(raw) == printed


def test_ten_megabytes_are_cut_to_a_line_that_says_so() -> None:
    shown = clean("x" * 10_000_000, 100)
    assert len(shown) == 100
    assert shown.endswith("…")


def test_gaps_are_visible() -> None:
    assert [or_gap(value) for value in (None, "", " ", "unassigned", "Tier 2")] == [*["not provided"] * 4, "Tier 2"]


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.77851, "0.779"), (-0.5, "−0.500"), (1204.56, "1,204.6"), (0.00002, "< 0.001"), (0, "0.000"), (None, "–")],
)
def test_numbers_have_sane_digits(value: float | None, printed: str) -> None:
    assert number(value) == printed


def test_moments_are_printed_in_utc_and_in_words() -> None:
    written = datetime(2026, 11, 22, 16, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment(written) == "22 November 2026, 14:05 UTC"
    assert moment(datetime(2026, 3, 1, 9, 0)) == moment(datetime(2026, 3, 1, 9, 0, tzinfo=UTC))
    assert moment_of("2026-11-22T14:05:00Z") == "22 November 2026, 14:05 UTC"
    assert moment_of("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("held", "printed"), [(79_793, "77.9 KB"), (12, "12 bytes"), (3 * 1024**2, "3.0 MB"), (-1, "not provided")]
)
def test_sizes_are_printed_in_a_unit_that_reads_well(held: int, printed: str) -> None:
    assert size(held) == printed


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_has_no_utc_is_printed_as_it_is(edge: str) -> None:
    assert moment_of(edge) == edge
