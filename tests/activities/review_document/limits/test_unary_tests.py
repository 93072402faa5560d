"""Cells of decision tables in S-FEEL: what matches, what does not, and what is refused rather than guessed."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import pytest

from activities.review_document.limits.thresholds import Interval
from activities.review_document.limits.unary_tests import NotEvaluable, Unmeasured, parse_unary_tests, value_of


def matches(cell: str, value: Any) -> bool:
    return parse_unary_tests(cell).matches(value_of(value))


@pytest.mark.parametrize(
    ("cell", "inside", "outside"),
    [
        (">=0.7", [0.7, 1, 99], [0.69999, -99]),
        ("<0.05", [0.0499, -99], [0.05, 1]),
        ("> 3", [3.0001], [3]),
        ("<= -1.5", [-1.5, -2], [-1.4]),
        ("[0.05..1]", [0.05, 1, 0.5], [0.049, 1.001]),
        ("(0.05..1)", [0.5], [0.05, 1]),
        ("]1..3[", [2, 1.0001], [1, 3]),
        ("]-99..0.2]", [0.2, -98.9], [-99, 0.21]),
        ("[1..3[", [1, 2.9], [3]),
        ("(1..3]", [3], [1]),
        ("[0...5]", [0, 0.5], [0.51]),
        ("[-5 .. - 1]", [-5, -1], [0]),
        ("[3..1]", [], [1, 2, 3]),
        (">=3,]-99..1]", [3, 1, -98], [2, -99]),
        ("-99", [-99, -99.0], [99, 99.5]),
        ("1e-3", [0.001], [0.01]),
        ("<1.5E2", [149], [150]),
        (".5", [0.5], [5]),
        ("= 5", [5], [6]),
        ("!= 5", [6], [5]),
        ("1, 2 ,3", [1, 2, 3], [4]),
        ("not(1,[2..3))", [1.5, 3], [1, 2, 2.9]),
        ("not (>0)", [0, -1], [1]),
        ('"regression"', ["regression"], ["Regression", "", "regression "]),
        ('"a","b"', ["a", "b"], ["c"]),
        ('not("a","b")', ["c"], ["a", "b"]),
        (r'"a\"b\\cé"', ['a"b\\cé'], ["a"]),
        ('"<0.5, [1..2]"', ["<0.5, [1..2]"], [0.1, 1]),
        ("true", [True], [False]),
        ("false", [False], [True]),
        ("null", [None], [0, "", False]),
        ("not(null)", [0, "", False], [None]),
    ],
)
def test_a_cell_matches_what_it_says_and_nothing_else(cell: str, inside: list[Any], outside: list[Any]) -> None:
    assert [value for value in inside if not matches(cell, value)] == []
    assert [value for value in outside if matches(cell, value)] == []


@pytest.mark.parametrize(
    "cell", [">=0", "<0", "[-1e9..1e9]", "0", "not(0)", "not([1..2])", "!=0", '"0"', 'not("a")', "true"]
)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 10**400, [0], {"value": 0}])
def test_what_was_not_measured_never_matches_not_even_when_negated(cell: str, value: Any) -> None:
    assert not matches(cell, value)


@pytest.mark.parametrize("cell", ["null", "not(null)"])
def test_a_value_that_is_no_number_is_neither_null_nor_something_else(cell: str) -> None:
    assert value_of(math.nan) is Unmeasured.VALUE
    assert not matches(cell, math.nan)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1", True),
        ("0", False),
        (">=0", True),
        ("0.9", "0.9"),
        (">0.5", "0.9"),
        ('"1"', 1),
        ("true", "true"),
        ("true", 1),
    ],
)
def test_a_value_of_another_kind_is_not_converted(cell: str, value: Any) -> None:
    assert not matches(cell, value)
    assert not matches(f"not({cell})", value)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("auc", '"auc" is not expected'),
        ("auc > 0.5", '"auc" is not expected'),
        ("> limit", "only numbers are compared by size"),
        ('< "b"', "only numbers are compared by size"),
        ('["a".."c"]', "only numbers are compared by size"),
        ('date("2026-01-01")', '"date" is not expected'),
        ("max(1,2)", '"max" is not expected'),
        ("? > 5", 'cannot be read from "? > 5"'),
        ("${auc > 0.5}", "cannot be read"),
        ("=> 5", '">" is not expected'),
        ("== 5", '"=" is not expected'),
        ("≥ 5", "cannot be read"),
        ("−5", "cannot be read"),
        ("1 2", '"2" is not expected'),
        ("1 -5", '"-5" is not expected'),
        ("1,", "ends too early"),
        (",1", '"," is not expected'),
        (">", "ends too early"),
        ("[1..", "ends too early"),
        ("[1..2", "ends too early"),
        ("[1,2]", '"," is not expected'),
        ("[1..2..3]", '".." is not expected'),
        (")1..2(", '")" is not expected'),
        ("not()", '")" is not expected'),
        ("not(not(1))", '"not" is not expected'),
        ("not(1),2", '"," is not expected'),
        ("not 5", '"5" is not expected'),
        ('"open', "cannot be read"),
        ("“quoted”", "cannot be read"),
        ("'a'", "cannot be read"),
        (r'"\q"', "escape"),
        ("1e999", "too large"),
        ("<0,05", "was a decimal comma meant"),
        ("0x10", "cannot be read"),
        ("1.2.3", "not expected"),
        ("TRUE", '"TRUE" is not expected'),
        ("1" * 30_000, "at most 20,000 are read"),
    ],
)
def test_what_is_not_a_unary_test_is_refused_with_the_reason(cell: str, reason: str) -> None:
    with pytest.raises(NotEvaluable, match=".+") as refusal:
        parse_unary_tests(cell)
    assert reason in str(refusal.value)


def test_a_comparison_or_an_interval_is_a_range_and_a_list_is_not() -> None:
    assert parse_unary_tests("]-99..0.2]").interval == Interval(above=-99, at_most=0.2)
    assert parse_unary_tests(">= 0.7").interval == Interval(at_least=0.7)
    assert [parse_unary_tests(cell).interval for cell in (">=3,<1", "not(>3)", "5", '"a"')] == [None] * 4


def test_random_cells_are_read_or_refused_and_never_anything_else() -> None:
    chance = random.Random(20261122)
    pieces = [
        *"[]().,<>=!-+\"\\'?${} \t\n",
        "..",
        "not",
        "not(",
        "null",
        "true",
        "1",
        "0.5",
        "1e9",
        "é",
        "\x00",
        "\ud800",
        "x",
    ]
    outcomes = {"read": 0, "refused": 0}
    started = time.process_time()
    for _ in range(20_000):
        cell = "".join(chance.choices(pieces, k=chance.randint(1, 12)))
        try:
            assert parse_unary_tests(cell).matches(0.5) in (True, False)
            outcomes["read"] += 1
        except NotEvaluable as refusal:
            assert str(refusal)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100
    assert time.process_time() - started < 15


@pytest.mark.parametrize("piece", ["(", "[", "not(", '"', "\\", "-", " ", "1,", ">", "..", "1e"])
def test_long_cells_take_no_long_time(piece: str) -> None:
    started = time.process_time()
    with pytest.raises(NotEvaluable):
        parse_unary_tests(piece * (20_000 // len(piece)))
    assert time.process_time() - started < 2
