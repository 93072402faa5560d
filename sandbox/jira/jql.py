"""Parser for a subset of JQL: boolean clauses over fields, lists, functions and `ORDER BY`.

`parse` turns text into a tree in which NOT has been pushed down to the single comparisons, which is how Jira itself
treats it: an issue whose field is empty matches neither `f = x` nor `NOT f = x`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OPPOSITES = {
    "=": "!=",
    "!=": "=",
    "~": "!~",
    "!~": "~",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
    "is": "is not",
    "is not": "is",
}


class JqlError(ValueError):
    """A query is wrong; the message is worded as Jira words it."""


@dataclass(frozen=True)
class Value:
    """An operand: text as written, or a function's name with its arguments; `empty` for EMPTY and NULL."""

    text: str
    function: bool = False
    arguments: tuple[str, ...] = ()
    empty: bool = False


@dataclass(frozen=True)
class Comparison:
    """`field operator operand`; lists are the operands of `in` and `not in`."""

    field: str
    operator: str
    operands: tuple[Value, ...]


@dataclass(frozen=True)
class Junction:
    """Clauses joined by AND or OR."""

    connective: str
    clauses: tuple[Clause, ...]


Clause = Comparison | Junction


@dataclass(frozen=True)
class Sort:
    """One key of ORDER BY; `descending` None means that no direction was given."""

    field: str
    descending: bool | None


@dataclass(frozen=True)
class Query:
    """A parsed query; no clause matches every issue."""

    clause: Clause | None
    order: tuple[Sort, ...] = field(default=())


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int

    @property
    def word(self) -> str:
        """The token as a keyword, or an empty text: quoted words are never keywords."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def place(self) -> str:
        return f"(line {self.line}, character {self.column})"


_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<operator>!=|!~|<=|>=|=|~|<|>)
    | (?P<and>&&?) | (?P<or>\|\|?) | (?P<not>!)
    | (?P<open>\() | (?P<close>\)) | (?P<comma>,)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<custom>cf\s*\[\s*\d+\s*\])
    | (?P<word>[^\s=!<>~(),"'|&?*%^$\#@{};+/`\[\]\\]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_ALIASES = {"and": "and", "or": "or", "not": "not"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position, line, line_start = 0, 1, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        column = position - line_start + 1
        if match is None:
            raise _illegal_character(text[position], line, column)
        kind, raw = str(match.lastgroup), match.group()
        if kind == "space":
            line += raw.count("\n")
            line_start = position + raw.rfind("\n") + 1 if "\n" in raw else line_start
        elif kind == "string":
            unescaped = _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]), raw[1:-1])
            tokens.append(_Token(kind, unescaped, line, column))
        elif kind in _ALIASES:
            tokens.append(_Token("word", _ALIASES[kind], line, column))
        elif kind == "custom":
            tokens.append(_Token("word", re.sub(r"\s", "", raw.lower()), line, column))
        else:
            tokens.append(_Token(kind, raw, line, column))
        position = match.end()
    return tokens


def _illegal_character(character: str, line: int, column: int) -> JqlError:
    place = f"(line {line}, character {column})"
    if character in "\"'":
        return JqlError(
            f"Error in the JQL Query: The quoted string starting at {place[1:-1]} has not been completed. {place}"
        )
    return JqlError(
        f"Error in the JQL Query: The character '{character}' is a reserved JQL character. You must enclose it in a"
        f" string or use the escape '\\u{ord(character):04x}' instead. {place}"
    )


_OPERATORS = "'=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'"
_RESERVED = {"and", "or", "not", "in", "is", "order", "by", "empty", "null"}


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def query(self) -> Query:
        clause = None
        if self._peek("order") is None and self._current is not None:
            clause = self._or(negated=False)
        order = self._order()
        if self._current is not None:
            raise self._expected("either 'OR' or 'AND'")
        return Query(clause, order)

    @property
    def _current(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _peek(self, *words: str) -> _Token | None:
        token = self._current
        return token if token and token.word in words else None

    def _take(self, *words: str) -> _Token | None:
        token = self._peek(*words)
        if token:
            self._next += 1
        return token

    def _take_kind(self, *kinds: str) -> _Token | None:
        token = self._current
        if token is None or token.kind not in kinds:
            return None
        self._next += 1
        return token

    def _expected(self, what: str) -> JqlError:
        token = self._current
        if token is None:
            return JqlError(f"Error in the JQL Query: Expecting {what} before the end of the query.")
        return JqlError(f"Error in the JQL Query: Expecting {what} but got '{token.text}'. {token.place}")

    def _or(self, negated: bool) -> Clause:
        clauses = [self._and(negated)]
        while self._take("or"):
            clauses.append(self._and(negated))
        return _joined("and" if negated else "or", clauses)

    def _and(self, negated: bool) -> Clause:
        clauses = [self._not(negated)]
        while self._take("and"):
            clauses.append(self._not(negated))
        return _joined("or" if negated else "and", clauses)

    def _not(self, negated: bool) -> Clause:
        while self._take("not"):
            negated = not negated
        if self._take_kind("open"):
            clause = self._or(negated)
            if not self._take_kind("close"):
                raise self._expected("')'")
            return clause
        return self._comparison(negated)

    def _comparison(self, negated: bool) -> Comparison:
        name = self._field()
        operator = self._operator()
        operands = self._list() if operator in ("in", "not in") else (self._value(),)
        return Comparison(name, OPPOSITES[operator] if negated else operator, operands)

    def _field(self) -> str:
        token = self._current
        if token is None or token.kind not in ("word", "string") or token.word in _RESERVED:
            raise self._expected("a field name")
        self._next += 1
        return token.text

    def _operator(self) -> str:
        if symbol := self._take_kind("operator"):
            return symbol.text
        if self._take("in"):
            return "in"
        if self._take("is"):
            return "is not" if self._take("not") else "is"
        if self._peek("not") and self._next + 1 < len(self._tokens) and self._tokens[self._next + 1].word == "in":
            self._next += 2
            return "not in"
        token = self._current
        got = f"but got '{token.text}'" if token else "but the query ended"
        place = f" {token.place}" if token else ""
        raise JqlError(f"Error in JQL Query: Expecting operator {got}. The valid operators are {_OPERATORS}.{place}")

    def _list(self) -> tuple[Value, ...]:
        if not self._take_kind("open"):
            value = self._value()
            if value.function:
                return (value,)
            raise JqlError("Error in the JQL Query: Expecting '(' after the operator 'IN'.")
        values = [self._value()]
        while self._take_kind("comma"):
            values.append(self._value())
        if not self._take_kind("close"):
            raise self._expected("')' or ','")
        return tuple(values)

    def _value(self) -> Value:
        if self._take("empty", "null"):
            return Value("EMPTY", empty=True)
        token = self._current
        if token is None or token.kind not in ("word", "string") or token.word in _RESERVED:
            raise self._expected("either a value, list or function")
        self._next += 1
        if token.kind == "word" and self._take_kind("open"):
            return Value(token.text, function=True, arguments=self._arguments())
        return Value(token.text)

    def _arguments(self) -> tuple[str, ...]:
        if self._take_kind("close"):
            return ()
        arguments = [self._value().text]
        while self._take_kind("comma"):
            arguments.append(self._value().text)
        if not self._take_kind("close"):
            raise self._expected("')' or ','")
        return tuple(arguments)

    def _order(self) -> tuple[Sort, ...]:
        if not self._take("order"):
            return ()
        if not self._take("by"):
            raise self._expected("'BY'")
        keys = [self._sort()]
        while self._take_kind("comma"):
            keys.append(self._sort())
        return tuple(keys)

    def _sort(self) -> Sort:
        name = self._field()
        direction = self._take("asc", "desc")
        return Sort(name, direction.word == "desc" if direction else None)


def _joined(connective: str, clauses: list[Clause]) -> Clause:
    return clauses[0] if len(clauses) == 1 else Junction(connective, tuple(clauses))


def parse(text: str) -> Query:
    """Parses a query.

    Raises:
        JqlError: the text is not JQL; the message says where.
    """
    try:
        return _Parser(text).query()
    except RecursionError:
        raise JqlError("Error in the JQL Query: The query is nested too deeply.") from None
