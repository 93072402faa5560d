"""Texts and waits from outside, made harmless."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from activities.errors import parse_retry_after, plain

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["<" * 65_536, "<a" * 65_536, " " * 10**6, "<" * 10**6 + ">" + "<" * 10**6])
def test_no_text_takes_long_to_clean(text: str) -> None:
    begun = time.process_time()
    assert len(plain(text)) <= 500
    assert time.process_time() - begun < 0.2


def test_a_page_becomes_one_line_of_its_words() -> None:
    page = "<html><body class='a < b'>Bad\n<b>Gateway</b>\x1b[0m 5 < 6</body></html>"
    assert plain(page) == "Bad Gateway [0m 5"
    assert plain("5 < 6") == "5 < 6"
    assert plain("x" * 20, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Fri, 01 May 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Fri, 01 May 2026 11:00:00 GMT", timedelta(seconds=1)),
        ("Fri, 31 Dec 9999 23:59:59 -2359", timedelta(hours=1)),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Fri, 01 May 2026 12:00:00 +99999999999999", None),
        ("1e400", timedelta(hours=1)),
        ("9" * 400, timedelta(hours=1)),
        ("-7", timedelta(seconds=1)),
        ("nan", None),
        ("", None),
    ],
)
def test_a_wait_of_any_size_or_shape_is_read_or_ignored(header: str, expected: timedelta | None) -> None:
    assert parse_retry_after(header, NOW) == expected
