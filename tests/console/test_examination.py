"""Checks side by side: bounded in time, in order, and never a traceback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities import errors
from console.checks.examination import Check, Row, Section, Status, examine, failed, ok
from worker.connection import TemporalUnreachable
from worker.settings import SettingsError

LOOK_THERE = "see what answers at that address: a proxy, a sign-in page or another product"

Look = Callable[[], Awaitable[Sequence[Row]]]


def fine(name: str, after: float = 0.0) -> Check:
    async def look() -> list[Row]:
        await asyncio.sleep(after)
        return [ok(name, "found")]

    return Check(name, look)


def raising(name: str, error: Exception) -> Check:
    async def look() -> list[Row]:
        raise error

    return Check(name, look)


def bad(name: str) -> Check:
    async def look() -> list[Row]:
        return [failed(name, "missing", "add it")]

    return Check(name, look)


async def test_rows_keep_their_order_whichever_check_ends_first() -> None:
    sections = [Section(fine("a", 0.05), [fine("b", 0.05), fine("c")]), Section(fine("d"))]
    assert [row.name for row in await examine(sections)] == ["a", "b", "c", "d"]


async def test_checks_run_side_by_side() -> None:
    begun = time.monotonic()
    sections = [Section(fine(f"s{n}", 0.2), [fine(f"o{n}{m}", 0.2) for m in range(10)]) for n in range(5)]
    assert len(await examine(sections)) == 55
    assert time.monotonic() - begun < 2.0


async def test_a_check_that_hangs_is_a_failed_row_in_time() -> None:
    begun = time.monotonic()
    (row,) = await examine([Section(fine("slow", 60))], limit=0.1)
    assert (row.status, row.found) == (Status.FAILED, "no answer in time") and row.remedy
    assert time.monotonic() - begun < 5


async def test_what_depends_on_a_failed_check_is_skipped_and_says_why() -> None:
    rows = await examine([Section(bad("a"), [fine("b")]), Section(fine("c"))])
    assert [(row.name, row.status) for row in rows] == [
        ("a", Status.FAILED),
        ("b", Status.SKIPPED),
        ("c", Status.OK),
    ]
    assert rows[1].found == "not checked because a failed"


async def test_a_failure_is_passed_on_to_all_that_depends_and_to_nothing_else() -> None:
    below = Section(bad("b"), [Check("c", fine("c").look, more=("d", "e")), Section(fine("f"), [fine("g")])])
    rows = await examine([Section(fine("a"), [below, fine("h")])])
    assert [(row.name, row.status.value) for row in rows] == [
        ("a", "ok"),
        ("b", "failed"),
        *((name, "skipped") for name in "cdefg"),
        ("h", "ok"),
    ]


async def test_a_check_with_several_rows_that_raises_fails_them_all() -> None:
    rows = await examine([Section(Check("a", raising("a", KeyError("x")).look, more=("b",)))])
    assert [(row.name, row.status) for row in rows] == [("a", Status.FAILED), ("b", Status.FAILED)]


async def test_all_checks_together_are_bounded_however_deep_they_are() -> None:
    begun = time.monotonic()
    deep = Section(fine("a", 0.05), [Section(fine("b", 0.05), [Section(fine("c", 0.05), [fine("d", 60)])])])
    rows = await examine([deep], limit=30, total=2)
    assert [row.status.value for row in rows] == ["ok", "ok", "ok", "failed"]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("error", "found", "remedy"),
    [
        (
            errors.answered("Jira", "GET myself", 401, "<b>no</b>"),
            "Jira answered 401 to GET myself: no",
            "check the configured credentials",
        ),
        (ApplicationError("one (two) three"), "one (two) three", "mend what it complains about"),
        (ApplicationError("(" * 5000), "(" * 499 + "…", "mend what it complains about"),
        (
            RPCError("denied", RPCStatusCode.PERMISSION_DENIED, b""),
            "Temporal refuses: denied",
            "see that the namespace is right and this account may read it",
        ),
        (RuntimeError("token=canary"), "the answer is not what was expected (RuntimeError)", LOOK_THERE),
        (KeyError("permissions"), "the answer is not what was expected (KeyError)", LOOK_THERE),
        (
            errors.answered("Jira", "GET myself", 503),
            "Jira answered 503 to GET myself",
            "see in its own log what ails it, then look again",
        ),
        (
            errors.answered("Jira", "GET myself", 429),
            "Jira answered 429 to GET myself",
            "wait a minute, then look again",
        ),
        (
            errors.unreachable("Jira", "GET myself", ConnectionError()),
            "Jira did not answer GET myself: ConnectionError",
            "check the address, that something runs there, and what stands between here and there",
        ),
        (TemporalUnreachable("no server (x; y); check A; and B"), "no server (x; y); check A", "and B"),
        (TemporalUnreachable("TLS file is not there"), "TLS file is not there", "correct the TEMPORAL_* settings"),
        (SettingsError("MLC_X: is wrong"), "MLC_X: is wrong", "see docs/settings.md"),
    ],
)
async def test_an_error_becomes_a_row_with_its_own_remedy(error: Exception, found: str, remedy: str) -> None:
    (row,) = await examine([Section(raising("x", error))])
    assert (row.status, row.found, row.remedy) == (Status.FAILED, found, remedy)


async def test_what_a_system_says_cannot_steer_the_terminal() -> None:
    async def look() -> list[Row]:
        return [ok("x", "name \x1b]0;owned\x07\x1b[2J <b>bold</b>\n" + "y" * 10_000)]

    (row,) = await examine([Section(Check("x", look))])
    assert row.found.isprintable() and "<" not in row.found and len(row.found) <= 500
