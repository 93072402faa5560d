"""Conditions in JUEL, the expression language of Java: a cell that names its own values.

Camunda's authors put such conditions into cells of decision tables where one input is not enough. A small, closed part
is evaluated: comparisons of a name with a literal, `name.equalsIgnoreCase("text")`, `&&`, `||`, `!`, their spelt-out
forms, and parentheses. Anything else is refused with a reason.

A comparison with a value that is missing or of another kind is neither true nor false; `&&`, `||` and `!` carry that
on, so that what was not measured never makes a condition hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from activities.review_document.formatting import clean
from activities.review_document.limits.thresholds import Interval
from activities.review_document.limits.unary_tests import (
    DOUBLE_QUOTED,
    MAX_CHARACTERS,
    NUMBER,
    SIDES,
    SINGLE_QUOTED,
    Literal,
    NotEvaluable,
    Value,
    equal,
    number_literal,
    string_literal,
)

MAX_DEPTH = 50

Lookup = Callable[[str], Value]


@dataclass(frozen=True)
class Comparison:
    """A name against a literal; the sign is one of `== != < <= > >=`."""

    name: str
    sign: str
    literal: Literal

    def holds(self, lookup: Lookup) -> bool | None:
        """None where the value is missing or of another kind."""
        value = lookup(self.name)
        if self.sign in ("==", "!="):
            found = equal(value, self.literal)
            return found if found is None else found is (self.sign == "==")
        if not isinstance(value, float) or not isinstance(self.literal, float):
            return None
        return _ORDERS[self.sign](value, self.literal)

    def names(self) -> Iterator[str]:
        """The names that are looked up."""
        yield self.name


@dataclass(frozen=True)
class SameText:
    """`name.equalsIgnoreCase("text")`."""

    name: str
    text: str

    def holds(self, lookup: Lookup) -> bool | None:
        """None where the value is not text."""
        value = lookup(self.name)
        return _same_ignoring_case(value, self.text) if isinstance(value, str) else None

    def names(self) -> Iterator[str]:
        """The names that are looked up."""
        yield self.name


@dataclass(frozen=True)
class Negation:
    """`!`; the opposite of what is not known is not known."""

    part: Condition

    def holds(self, lookup: Lookup) -> bool | None:
        """The opposite."""
        found = self.part.holds(lookup)
        return None if found is None else not found

    def names(self) -> Iterator[str]:
        """The names that are looked up."""
        yield from self.part.names()


@dataclass(frozen=True)
class Junction:
    """`&&` if `all_of`, else `||`."""

    parts: tuple[Condition, ...]
    all_of: bool

    def holds(self, lookup: Lookup) -> bool | None:
        """Decided by one part that is false (`&&`) or true (`||`); else None if a part has no answer."""
        found = [part.holds(lookup) for part in self.parts]
        deciding = not self.all_of
        if deciding in found:
            return deciding
        return None if None in found else self.all_of

    def names(self) -> Iterator[str]:
        """The names that are looked up."""
        for part in self.parts:
            yield from part.names()


Condition = Comparison | SameText | Negation | Junction


def parse_condition(text: str) -> Condition:
    """Reads a condition, with or without `${...}` around it.

    Raises:
        NotEvaluable: it holds something that is not evaluated.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotEvaluable(f"the cell has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read")
    wrapped = re.fullmatch(r"\s*[$#]\{([^{}]*)\}\s*", text)
    return _Parser(wrapped[1] if wrapped else text).parsed()


def range_of(condition: Condition, name: str) -> Interval | None:
    """The numbers that a condition allows for a name, given that its other parts hold; None if that is no range."""
    if isinstance(condition, Comparison) and condition.name == name and isinstance(condition.literal, float):
        side = SIDES.get(condition.sign)
        return Interval(**{side: condition.literal}) if side else None
    if not isinstance(condition, Junction) or not condition.all_of:
        return None
    ranges = [range_of(part, name) for part in condition.parts if name in part.names()]
    bounds = [(side, bound) for r in ranges if r for side, bound in r.model_dump(exclude_none=True).items()]
    # Two lower or two upper bounds would need a decision which one is meant.
    distinct = len({side in ("at_least", "above") for side, _ in bounds}) == len(bounds)
    return Interval(**dict(bounds)) if bounds and distinct and None not in ranges else None


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_SPELT_OUT = {"and": "&&", "or": "||", "not": "!", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_WORDS: dict[str, Literal] = {"true": True, "false": False, "null": None}
_RESERVED = {"empty", "instanceof", "div", "mod"}
_TOKENS = re.compile(
    rf"\s*(?:(?P<number>-?{NUMBER})(?![\w.])|(?P<string>{DOUBLE_QUOTED}|{SINGLE_QUOTED})"
    r"|(?P<name>[A-Za-z_$][\w$]*)|(?P<sign>&&|\|\||==|!=|<=|>=|<|>|!)|(?P<mark>[().]))\s*",
    re.ASCII | re.DOTALL,
)


def _same_ignoring_case(value: str, text: str) -> bool:
    """As Java compares: letter by letter, so that "ß" and "ss" differ."""
    return len(value) == len(text) and all(
        a == b or a.upper() == b.upper() or a.lower() == b.lower() for a, b in zip(value, text, strict=True)
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*self._split(), ("end", "")]
        self._position = 0
        self._depth = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        position = 0
        while position < len(self._text):
            match = _TOKENS.match(self._text, position)
            if match is None:
                raise NotEvaluable(f'it cannot be read from "{clean(self._text[position:], 40)}" on')
            kind = str(match.lastgroup)
            token = match[kind]
            yield ("sign", _SPELT_OUT[token]) if kind == "name" and token in _SPELT_OUT else (kind, token)
            position = match.end()

    def parsed(self) -> Condition:
        condition = self._junction(all_of=False)
        if self._kind != "end":
            raise self._unexpected()
        return condition

    @property
    def _kind(self) -> str:
        return self._tokens[self._position][0]

    @property
    def _token(self) -> str:
        return self._tokens[self._position][1]

    def _take(self) -> str:
        token = self._token
        self._position += self._kind != "end"
        return token

    def _expect(self, token: str) -> None:
        if self._kind == "string" or self._token != token:
            raise self._unexpected()
        self._take()

    def _junction(self, *, all_of: bool) -> Condition:
        sign = "&&" if all_of else "||"
        parts = [self._joined(all_of)]
        while self._kind == "sign" and self._token == sign:
            self._take()
            parts.append(self._joined(all_of))
        return parts[0] if len(parts) == 1 else Junction(tuple(parts), all_of)

    def _joined(self, all_of: bool) -> Condition:
        return self._operand() if all_of else self._junction(all_of=True)

    def _operand(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotEvaluable(f"it is nested more than {MAX_DEPTH} deep")
        try:
            if self._kind == "sign" and self._token == "!":
                self._take()
                return Negation(self._negated())
            return self._grouped() if self._token == "(" and self._kind == "mark" else self._simple()
        finally:
            self._depth -= 1

    def _negated(self) -> Condition:
        operand = self._operand()
        # `!a < 3` negates `a`, not the comparison.
        if isinstance(operand, Comparison) and self._tokens[self._position - 1] != ("mark", ")"):
            raise NotEvaluable('"!" stands before a comparison without parentheses')
        return operand

    def _grouped(self) -> Condition:
        self._expect("(")
        condition = self._junction(all_of=False)
        self._expect(")")
        return condition

    def _simple(self) -> Condition:
        if self._kind == "name" and self._token not in _WORDS:
            return self._of_name(self._name())
        literal = self._literal()
        sign = self._sign()
        return self._comparison(self._name(), _MIRRORED[sign], literal)

    def _of_name(self, name: str) -> Condition:
        if self._kind == "mark" and self._token == ".":
            return self._same_text(name)
        sign = self._sign()
        return self._comparison(name, sign, self._literal())

    def _comparison(self, name: str, sign: str, literal: Literal) -> Condition:
        if sign in _ORDERS and not isinstance(literal, float):
            raise NotEvaluable("only numbers are compared by size")
        return Comparison(name, sign, literal)

    def _same_text(self, name: str) -> Condition:
        self._expect(".")
        self._expect("equalsIgnoreCase")
        self._expect("(")
        if self._kind != "string":
            raise self._unexpected()
        text = string_literal(self._take())
        self._expect(")")
        return SameText(name, text)

    def _sign(self) -> str:
        if self._kind != "sign" or self._token not in _MIRRORED:
            raise self._unexpected()
        return self._take()

    def _name(self) -> str:
        if self._kind != "name" or self._token in _WORDS or self._token in _RESERVED:
            raise self._unexpected()
        return self._take()

    def _literal(self) -> Literal:
        if self._kind == "number":
            return number_literal(self._take())
        if self._kind == "string":
            return string_literal(self._take())
        if self._kind == "name" and self._token in _WORDS:
            return _WORDS[self._take()]
        raise self._unexpected()

    def _unexpected(self) -> NotEvaluable:
        if self._kind == "end":
            return NotEvaluable("it ends too early")
        return NotEvaluable(f'"{clean(self._token, 40)}" is not expected there')
