"""The part of JUEL that is evaluated in cells, and everything around it that is refused."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

import pytest

from activities.review_document.limits.conditions import parse_condition, range_of
from activities.review_document.limits.thresholds import Interval
from activities.review_document.limits.unary_tests import NotEvaluable, Unmeasured, Value

VALUES: Mapping[str, Value] = {
    "methodology": "Regression",
    "r2": 0.6,
    "auc": 0.8,
    "approved": True,
    "broken": Unmeasured.VALUE,
}


def holds(text: str) -> bool | None:
    return parse_condition(text).holds(VALUES.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('methodology.equalsIgnoreCase("regression") && r2<0.7', True),
        ('methodology.equalsIgnoreCase("regression") && r2>=0.7 && r2<99', False),
        ("methodology.equalsIgnoreCase('classification') || auc > 0.5", True),
        ('!methodology.equalsIgnoreCase("regression")', False),
        ("${auc >= 0.8}", True),
        ("#{ auc gt 0.8 }", False),
        ("auc ge 0.8 and not (r2 lt 0.5) or false == approved", True),
        ("0.7 <= auc", True),
        ("0.7 > auc", False),
        ("auc != 0.8", False),
        ("approved == true", True),
        ('methodology == "Regression"', True),
        ('methodology == "regression"', False),
        ("absent == null", True),
        ("auc != null", True),
        ("r2 < 0.7 || auc < 0.7 && auc > 0.9", True),
        ("(r2 < 0.7 || auc < 0.7) && auc > 0.9", False),
        ("!!(r2 < 0.7)", True),
        ("r2 < 0.7 && absent < 1", None),
        ("r2 > 0.7 && absent < 1", False),
        ("r2 < 0.7 || absent < 1", True),
        ("!(absent < 1)", None),
        ("absent != 1", None),
        ("broken == null", None),
        ("methodology < 3", None),
        ("auc == 'x'", None),
        ("auc.equalsIgnoreCase('0.8')", None),
        ("approved == 1", None),
    ],
)
def test_conditions_hold_fail_or_have_no_answer(text: str, expected: bool | None) -> None:
    assert holds(text) is expected


def test_case_is_ignored_letter_by_letter_as_in_java() -> None:
    assert parse_condition('a.equalsIgnoreCase("STRASSE")').holds({"a": "strasse"}.get) is True
    assert parse_condition('a.equalsIgnoreCase("strasse")').holds({"a": "straße"}.get) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "auc",
        "true",
        "auc < r2",
        "auc < limit * 2",
        "auc - r2 < 0.1",
        "a-b < 1",
        "1 < 2",
        "auc < '0.9'",
        "!auc < 0.5",
        "!approved == true",
        "auc < 0.5 < r2",
        "results.auc < 0.5",
        "results['auc'] < 0.5",
        "methodology.toLowerCase() == 'x'",
        "methodology.equals('x')",
        "methodology.equalsIgnoreCase(other)",
        "methodology.equalsIgnoreCase('x') == true",
        "empty methodology",
        "auc < 0.5 ? true : false",
        "auc < 0.5 &&",
        "&& auc < 0.5",
        "auc & 1",
        "auc = 1",
        "(auc < 1",
        "auc < 1)",
        "${auc < 1",
        "${auc < 1} && ${r2 < 1}",
        "T(java.lang.Runtime).getRuntime().exec('x')",
        "auc < 1e999",
        "auc < 007",
        "(" * 60 + "auc < 1" + ")" * 60,
        "!" * 60 + "(auc < 1)",
        "auc < 1 || " * 3000 + "auc < 1",
    ],
)
def test_what_lies_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(NotEvaluable, match="."):
        parse_condition(text)


def test_a_condition_that_needs_all_its_parts_limits_a_name_to_a_range() -> None:
    passing = parse_condition('m.equalsIgnoreCase("x") && r2>=0.7 && 99 > r2')
    assert range_of(passing, "r2") == Interval(at_least=0.7, below=99)
    assert range_of(passing, "m") is None
    assert range_of(parse_condition("r2 > 1 || r2 < 0"), "r2") is None
    assert range_of(parse_condition("r2 > 1 && r2 >= 2"), "r2") is None
    assert range_of(parse_condition("r2 > 1 && (r2 < 2 || auc < 1)"), "r2") is None


def test_random_conditions_are_read_or_refused_and_never_anything_else() -> None:
    chance = random.Random(5)
    pieces = [
        "auc",
        "r2",
        "absent",
        "<",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "0.5",
        "'x'",
        '"',
        ".",
        "null",
        " ",
    ]
    pieces += ["methodology.equalsIgnoreCase('regression')", "auc < 0.5", "\ud800", "${", "}", "and", "not"]
    outcomes = {"read": 0, "refused": 0}
    started = time.process_time()
    for _ in range(20_000):
        text = " ".join(chance.choices(pieces, k=chance.randint(1, 7)))
        try:
            assert parse_condition(text).holds(VALUES.get) in (True, False, None)
            outcomes["read"] += 1
        except NotEvaluable as refusal:
            assert str(refusal)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100
    assert time.process_time() - started < 15
