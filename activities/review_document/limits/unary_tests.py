"""Unary tests of S-FEEL, the small expression language of DMN decision tables: one cell tests one input value.

Evaluated are comparisons and intervals of numbers, equality of numbers, strings, booleans and null, comma lists, and
`not(...)` around a list. Everything else is refused with a reason, because a cell that is half understood would
become a wrong verdict.

A test of a value that is missing, or that is of another kind than the test, is neither true nor false, and `not` does
not change that: what was not measured never matches. Only `null` and `not(null)` speak about missing values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from activities.review_document.formatting import clean, finite
from activities.review_document.limits.thresholds import Interval

MAX_CHARACTERS = 20_000
"""Longest cell that is read; a list of a thousand names fits."""

NUMBER = r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"
SIDES = {"<": "below", "<=": "at_most", ">": "above", ">=": "at_least"}
"""The bound of an interval that a comparison sets."""
DOUBLE_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
SINGLE_QUOTED = DOUBLE_QUOTED.replace('"', "'")


class NotEvaluable(ValueError):
    """A cell in a form that is not evaluated; the text says which."""


class Unmeasured(Enum):
    """Stands for something that cannot be compared: NaN, an infinity, a list, a monitor's "no result"."""

    VALUE = "unmeasured"


Literal = bool | float | str | None
Value = Literal | Unmeasured


def value_of(raw: Any) -> Value:
    """What a raw value is to a cell."""
    if raw is None or isinstance(raw, bool | str):
        return raw
    number = finite(raw)
    return Unmeasured.VALUE if number is None else number


def equal(value: Value, literal: Literal) -> bool | None:
    """Whether they are equal; None where the question has no answer."""
    if isinstance(value, Unmeasured):
        return None
    if value is None or literal is None:
        return value is None if literal is None else None
    return value == literal if type(value) is type(literal) else None


@dataclass(frozen=True)
class Within:
    """The value lies in a range of numbers."""

    interval: Interval

    def holds(self, value: Value) -> bool | None:
        """True or false for a number, None for anything else."""
        return value in self.interval if isinstance(value, float) else None


@dataclass(frozen=True)
class Equals:
    """The value is a literal, or is not."""

    literal: Literal
    negated: bool = False

    def holds(self, value: Value) -> bool | None:
        """None where the value is missing or of another kind."""
        found = equal(value, self.literal)
        return found if found is None else found is not self.negated


@dataclass(frozen=True)
class UnaryTests:
    """The parsed cell: it matches when one of its tests holds, or, negated, when none does."""

    tests: tuple[Within | Equals, ...]
    negated: bool = False

    def matches(self, value: Value) -> bool:
        """Whether the value certainly matches."""
        found = [test.holds(value) for test in self.tests]
        if self.negated:
            return all(one is False for one in found)
        return any(found)

    def lacks(self, value: Value) -> bool:
        """Whether nothing can be said, because the value is missing or of a kind that no test speaks of."""
        return all(test.holds(value) is None for test in self.tests)

    @property
    def interval(self) -> Interval | None:
        """The matching numbers as one range; None if the cell says anything else."""
        only = self.tests[0]
        return only.interval if len(self.tests) == 1 and isinstance(only, Within) and not self.negated else None


def parse_unary_tests(text: str) -> UnaryTests:
    """Reads a cell that is neither empty nor `-`.

    Raises:
        NotEvaluable: the cell is not a list of unary tests.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotEvaluable(f"the cell has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    return _Parser(text).parsed()


def number_literal(text: str) -> float:
    """The number that a literal stands for.

    Raises:
        NotEvaluable: it is too large, or starts with a zero that no number starts with.
    """
    # `<0,05` is a list to the grammar, of which no author means the second half.
    if re.match(r"-?0\d", text):
        raise NotEvaluable(f'"{clean(text, 30)}" starts with a zero (was a decimal comma meant as a point?)')
    number = float(text)
    if not math.isfinite(number):
        raise NotEvaluable(f'the number "{clean(text, 30)}" is too large')
    return number


def string_literal(quoted: str) -> str:
    """The text between the quotes, escapes resolved.

    Raises:
        NotEvaluable: it holds an escape that is not known.
    """
    return re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", _escaped, quoted[1:-1], flags=re.DOTALL)


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) == 5:
        return chr(int(code[1:], 16))
    if code in _ESCAPES:
        return _ESCAPES[code]
    raise NotEvaluable(f'the escape "\\{clean(code, 5)}" is not known')


_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_WORDS: dict[str, Literal] = {"true": True, "false": False, "null": None}
_TOKENS = re.compile(
    rf"\s*(?:(?P<range>\.\.)|(?P<number>(?:-\s*)?{NUMBER})(?!\w)|(?P<string>{DOUBLE_QUOTED})"
    r"|(?P<name>[^\W\d]\w*)|(?P<sign><=|>=|!=|<|>|=)|(?P<mark>[\[\](),]))\s*",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


_END = _Token("end", "")


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise NotEvaluable(f'it cannot be read from "{clean(text[position:], 40)}" on')
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind])
        position = match.end()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: Sequence[_Token] = [*_tokens(text), _END]
        self._position = 0

    def parsed(self) -> UnaryTests:
        negated = self._next == _Token("name", "not")
        if negated:
            self._take()
            self._expect("(")
        tests = [self._test()]
        while self._next.text == ",":
            self._take()
            tests.append(self._test())
        if negated:
            self._expect(")")
        if self._next is not _END:
            raise self._unexpected()
        return UnaryTests(tuple(tests), negated)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _take(self) -> _Token:
        token = self._next
        self._position += token is not _END
        return token

    def _expect(self, *marks: str) -> str:
        if self._next.kind != "mark" or self._next.text not in marks:
            raise self._unexpected()
        return self._take().text

    def _test(self) -> Within | Equals:
        if self._next.kind == "sign":
            return self._comparison(self._take().text)
        if self._next.kind == "mark":
            return self._interval(self._expect("[", "(", "]"))
        return Equals(self._literal())

    def _comparison(self, sign: str) -> Within | Equals:
        if sign in ("=", "!="):
            return Equals(self._literal(), negated=sign == "!=")
        return Within(Interval(**{SIDES[sign]: self._number()}))

    def _interval(self, opening: str) -> Within:
        low = self._number()
        if self._take().kind != "range":
            self._position -= 1
            raise self._unexpected()
        high = self._number()
        closing = self._expect("]", ")", "[")
        lower = {"at_least" if opening == "[" else "above": low}
        upper = {"at_most" if closing == "]" else "below": high}
        return Within(Interval(**lower, **upper))

    def _number(self) -> float:
        if self._next.kind != "number":
            raise self._unexpected("; only numbers are compared by size")
        return number_literal(re.sub(r"\s", "", self._take().text))

    def _literal(self) -> Literal:
        token = self._next
        if token.kind == "number":
            return self._number()
        if token.kind == "string":
            return string_literal(self._take().text)
        if token.kind == "name" and token.text in _WORDS:
            return _WORDS[self._take().text]
        raise self._unexpected()

    def _unexpected(self, hint: str = "") -> NotEvaluable:
        token = self._next
        if token is _END:
            return NotEvaluable(f"it ends too early{hint}")
        what = "the name or function" if token.kind == "name" else ""
        return NotEvaluable(f'{what} "{clean(token.text, 40)}" is not expected there{hint}'.strip())
