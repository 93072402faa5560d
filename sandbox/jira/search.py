"""Answers JQL from the database: each comparison becomes an SQL condition with bound arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.jira import scheme
from sandbox.jira.edition import Edition
from sandbox.jira.jql import Clause, Comparison, JqlError, Sort, Value, parse
from sandbox.jira.people import Person, find_account, person_by_email
from sandbox.jira.store import Issue, Store, now

MAXIMUM_PAGE = 1000

_EQUALITY = frozenset({"=", "!=", "in", "not in"})
_PRESENCE = frozenset({"is", "is not"})
_ORDERING = frozenset({"<", "<=", ">", ">="})
_TEXT = frozenset({"~", "!~"})
_NEGATIVE = frozenset({"!=", "not in", "!~", "is not"})


class UnknownValue(JqlError):
    """A query names something that does not exist; without validation this is only a warning."""


@dataclass(frozen=True)
class Page:
    """A page of matches.

    Attributes:
        issues: the matches from `start_at` on.
        total: how many match in all.
        warnings: what was wrong with an unvalidated query.
    """

    issues: list[Issue]
    total: int
    warnings: list[str]


@dataclass
class SearchLag:
    """How far search trails behind the issues, as the index of Jira Cloud does.

    Attributes:
        seconds: for how long an issue is not found after it was created or changed; 0 finds everything at once.
        new_only: whether only creation hides an issue, not change.
        hidden: how many matches were left out so far.
    """

    seconds: float = 0.0
    new_only: bool = False
    hidden: int = 0


@dataclass
class _Condition:
    sql: str
    arguments: list[object] = field(default_factory=list)


def _any_of(column: str, values: Sequence[object], negative: bool) -> _Condition:
    marks = ", ".join("?" * len(values))
    # Like Jira, an empty field is neither in nor outside a list of values.
    sql = f"{column} IS NOT NULL AND {column} NOT IN ({marks})" if negative else f"{column} IN ({marks})"
    return _Condition(f"({sql})", list(values))


_RELATIVE = re.compile(r"([+-]?)((?:\d+\s*[yMwdhm]\s*)+)")
_PERIODS = {
    "y": timedelta(days=365),
    "M": timedelta(days=30),
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
}
_DATE_FORMATS = ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y-%m-%d")


def parse_date(text: str, name: str, at: datetime) -> datetime:
    """A JQL date: `2026-01-31`, `2026/01/31 10:00`, or a distance from now such as `-5d` or `4w 2d`.

    Raises:
        JqlError: the text is none of these.
    """
    for date_format in _DATE_FORMATS:
        try:
            return datetime.strptime(text.strip(), date_format).replace(tzinfo=UTC)
        except ValueError:
            continue
    match = _RELATIVE.fullmatch(text.strip())
    if match is None:
        raise JqlError(
            f"Date value '{text}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm',"
            " 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )
    parts = re.findall(r"(\d+)\s*([yMwdhm])", match[2])
    distance = sum((int(count) * _PERIODS[unit] for count, unit in parts), timedelta())
    return at - distance if match[1] == "-" else at + distance


class Search:
    """Runs queries for one person.

    Args:
        store: the issues.
        person: whom `currentUser()` means, and who must be allowed to see what is found.
        edition: how queries name people.
        validate: whether naming something unknown is an error rather than a warning.
        lag: how far `run` trails behind.
    """

    def __init__(
        self,
        store: Store,
        person: Person | None,
        *,
        edition: Edition = Edition.DATA_CENTER,
        validate: bool = True,
        lag: SearchLag | None = None,
    ) -> None:
        self._store = store
        self._person = person
        self._edition = edition
        self._validate = validate
        self._lag = lag or SearchLag()
        self._warnings: list[str] = []
        self._now = now()

    def run(
        self,
        jql: str,
        start_at: int = 0,
        max_results: int = 50,
        largest_page: int = MAXIMUM_PAGE,
        reconcile: Sequence[int] = (),
    ) -> Page:
        """The issues that match a query, in its order, newest first where it gives none.

        Args:
            jql: the query; empty matches everything.
            start_at: how many matches to skip.
            max_results: page size; 0 only counts.
            largest_page: what the page size is cut to.
            reconcile: ids of issues that are found however far search trails behind.

        Raises:
            JqlError: the query is wrong.
        """
        query = parse(jql)
        condition = self._visible(self._clause(query.clause) if query.clause else _Condition("1"))
        if self._lag.seconds:
            condition = self._indexed(condition, reconcile)
        order = ", ".join([*(self._sort(sort) for sort in query.order), "id DESC"])
        limit = min(max(max_results, 0), largest_page)
        issues, total = self._store.select_issues(condition.sql, condition.arguments, order, limit, max(start_at, 0))
        return Page(issues, total, self._warnings)

    def _visible(self, condition: _Condition) -> _Condition:
        if self._person is None:
            return condition
        hidden = "SELECT issue FROM hidden WHERE person = ?"
        return _Condition(f"{condition.sql} AND id NOT IN ({hidden})", [*condition.arguments, self._person.name])

    def _find_issue(self, operand: Value) -> Issue | None:
        issue = None if operand.function else self._store.find_issue(operand.text)
        unseen = issue and self._person and self._store.is_hidden(issue.id, self._person)
        return None if unseen else issue

    def matches(self, jql: str, issue: Issue) -> bool:
        """Whether an issue that is stored matches a query."""
        clause = parse(jql).clause
        condition = self._clause(clause) if clause else _Condition("1")
        _, total = self._store.select_issues(
            f"id = ? AND {condition.sql}", [issue.id, *condition.arguments], "id", 0, 0
        )
        return total == 1

    def _indexed(self, condition: _Condition, reconcile: Sequence[int]) -> _Condition:
        """Narrows a condition to what a search that trails behind knows of, and counts what it leaves out."""
        column = "created" if self._lag.new_only else "updated"
        horizon = round((self._now.timestamp() - self._lag.seconds) * 1000)
        marks = ", ".join("?" * len(reconcile))
        sql = f"{condition.sql} AND ({column} <= ? OR id IN ({marks}))"
        indexed = _Condition(f"({sql})", [*condition.arguments, horizon, *reconcile])
        _, every = self._store.select_issues(condition.sql, condition.arguments, "id", 0, 0)
        _, known = self._store.select_issues(indexed.sql, indexed.arguments, "id", 0, 0)
        self._lag.hidden += every - known
        return indexed

    def _clause(self, clause: Clause) -> _Condition:
        if isinstance(clause, Comparison):
            return self._comparison(clause)
        parts = [self._clause(part) for part in clause.clauses]
        sql = f" {clause.connective.upper()} ".join(part.sql for part in parts)
        return _Condition(f"({sql})", [argument for part in parts for argument in part.arguments])

    def _comparison(self, comparison: Comparison) -> _Condition:
        name = comparison.field.lower()
        if name not in _CLAUSES:
            raise JqlError(f"Field '{comparison.field}' does not exist or you do not have permission to view it.")
        operators, make = _CLAUSES[name]
        if comparison.operator not in operators:
            raise JqlError(
                f"The operator '{comparison.operator.upper()}' is not supported by the '{comparison.field}' field."
            )
        for operand in comparison.operands:
            if operand.empty and comparison.operator in _ORDERING | _TEXT:
                raise JqlError(
                    f"The operator '{comparison.operator}' does not support searching for EMPTY in"
                    f" '{comparison.field}'."
                )
            if not operand.empty and comparison.operator in _PRESENCE:
                raise JqlError(
                    f"The operator '{comparison.operator}' supports only EMPTY or NULL, not '{operand.text}'."
                )
        return make(self, comparison)

    def _sort(self, sort: Sort) -> str:
        columns = _SORT_COLUMNS.get(sort.field.lower())
        if columns is None:
            raise JqlError(f"Not able to sort using field '{sort.field}'.")
        newest_first = sort.field.lower() in _DATES
        descending = newest_first if sort.descending is None else sort.descending
        return ", ".join(f"{column} {'DESC' if descending else 'ASC'}" for column in columns)

    def _references(
        self, comparison: Comparison, column: str, find: Callable[[Value], Iterable[object] | None]
    ) -> _Condition:
        negative = comparison.operator in _NEGATIVE
        values: list[object] = []
        parts: list[_Condition] = []
        for operand in comparison.operands:
            if operand.empty:
                parts.append(_Condition(f"{column} IS {'NOT ' if negative else ''}NULL"))
                continue
            found = find(operand)
            if found is None:
                self._unknown(self._unknown_message(comparison.field, operand))
            else:
                values.extend(found)
        if values or not parts:
            parts.append(_any_of(column, values, negative))
        joined = (" AND " if negative else " OR ").join(part.sql for part in parts)
        return _Condition(f"({joined})", [argument for part in parts for argument in part.arguments])

    def _unknown(self, message: str) -> None:
        if self._validate:
            raise UnknownValue(message)
        self._warnings.append(message)

    @staticmethod
    def _unknown_message(name: str, operand: Value) -> str:
        if operand.function:
            return f"Unable to find JQL function '{operand.text}({', '.join(operand.arguments)})'."
        if name.lower() in _KEY_CLAUSES:
            if operand.text.isdigit():
                return f"A value with ID '{operand.text}' does not exist for the field '{name}'."
            return f"An issue with key '{operand.text}' does not exist for field '{name}'."
        return f"The value '{operand.text}' does not exist for the field '{name}'."

    def _named(self, comparison: Comparison, column: str, known: Iterable[tuple[str, tuple[str, ...]]]) -> _Condition:
        """Fields whose values are configured: `known` gives each stored id with the names people use for it."""
        by_name: dict[str, list[object]] = {}
        for stored, names in known:
            for name in (stored, *names):
                by_name.setdefault(name.lower(), []).append(stored)

        def find(operand: Value) -> Iterable[object] | None:
            return None if operand.function else by_name.get(operand.text.lower())

        return self._references(comparison, column, find)

    def _project(self, comparison: Comparison) -> _Condition:
        return self._named(comparison, "project", ((p.id, (p.key, p.name)) for p in scheme.PROJECTS))

    def _status(self, comparison: Comparison) -> _Condition:
        return self._named(comparison, "status", ((s.id, (s.name,)) for s in self._store.statuses))

    def _status_category(self, comparison: Comparison) -> _Condition:
        known = ((s.id, (s.category.name, s.category.key, str(s.category.id))) for s in self._store.statuses)
        return self._named(comparison, "status", known)

    def _issue_type(self, comparison: Comparison) -> _Condition:
        return self._named(comparison, "issuetype", ((t.id, (t.name,)) for t in scheme.ISSUE_TYPES))

    def _priority(self, comparison: Comparison) -> _Condition:
        return self._named(comparison, "priority", ((p.id, (p.name,)) for p in scheme.PRIORITIES))

    def _resolution(self, comparison: Comparison) -> _Condition:
        unresolved = tuple(
            Value("EMPTY", empty=True) if operand.text.lower() == "unresolved" else operand
            for operand in comparison.operands
        )
        comparison = Comparison(comparison.field, comparison.operator, unresolved)
        return self._named(comparison, "resolution", ((r.id, (r.name,)) for r in scheme.RESOLUTIONS))

    def _user(self, comparison: Comparison) -> _Condition:
        def find(operand: Value) -> Iterable[object] | None:
            if operand.function:
                known = operand.text.lower() == "currentuser" and not operand.arguments
                return ([self._person.name] if self._person else []) if known else None
            person = find_account(operand.text, self._edition)
            if person is None and self._edition is Edition.CLOUD:
                person = person_by_email(operand.text)
            return [person.name] if person else None

        return self._references(comparison, comparison.field.lower(), find)

    def _key(self, comparison: Comparison) -> _Condition:
        if comparison.operator in _ORDERING:
            return self._key_order(comparison)

        def find(operand: Value) -> Iterable[object] | None:
            issue = self._find_issue(operand)
            return [issue.id] if issue else None

        return self._references(comparison, "id", find)

    def _key_order(self, comparison: Comparison) -> _Condition:
        operand = comparison.operands[0]
        issue = self._find_issue(operand)
        if issue is None:
            self._unknown(self._unknown_message(comparison.field, operand))
            return _Condition("0")
        number = int(issue.key.rpartition("-")[2])
        return _Condition(f"(project = ? AND number {comparison.operator} ?)", [issue.project.id, number])

    def _labels(self, comparison: Comparison) -> _Condition:
        negative = comparison.operator in _NEGATIVE
        present = "id IN (SELECT issue FROM label)"
        parts: list[_Condition] = []
        for operand in comparison.operands:
            if operand.empty:
                parts.append(_Condition(present if negative else f"NOT {present}"))
            else:
                having = "id IN (SELECT issue FROM label WHERE name = ? COLLATE NOCASE)"
                sql = f"({present} AND NOT {having})" if negative else having
                parts.append(_Condition(sql, [operand.text]))
        joined = (" AND " if negative else " OR ").join(part.sql for part in parts)
        return _Condition(f"({joined})", [argument for part in parts for argument in part.arguments])

    def _date(self, comparison: Comparison) -> _Condition:
        column = _DATES[comparison.field.lower()]
        if comparison.operator in _PRESENCE:
            # Both dates are always set.
            return _Condition("1" if comparison.operator == "is not" else "0")
        moments: list[object] = []
        for operand in comparison.operands:
            if operand.function and operand.text.lower() == "now":
                moment = self._now
            elif operand.function:
                raise JqlError(f"Unable to find JQL function '{operand.text}()'.")
            else:
                moment = parse_date(operand.text, comparison.field, self._now)
            moments.append(round(moment.timestamp() * 1000))
        if comparison.operator in _EQUALITY:
            return _any_of(column, moments, comparison.operator in _NEGATIVE)
        return _Condition(f"{column} {comparison.operator} ?", moments)

    def _words(self, comparison: Comparison) -> _Condition:
        columns = _TEXT_COLUMNS[comparison.field.lower()]
        operand = comparison.operands[0]
        if comparison.operator in _PRESENCE:
            presence = "NOT NULL" if comparison.operator == "is not" else "NULL"
            return _Condition(f"({' OR '.join(f'{column} IS {presence}' for column in columns)})")
        if not re.search(r"\w", operand.text):
            raise JqlError(f"The text query '{operand.text}' is not allowed in the field '{comparison.field}'.")
        if comparison.operator == "!~":
            parts = [f"({column} IS NOT NULL AND NOT words_match({column}, ?))" for column in columns]
        else:
            parts = [f"words_match({column}, ?)" for column in columns]
        return _Condition(f"({' OR '.join(parts)})", [operand.text] * len(columns))


_COMMENTS = "(SELECT group_concat(body, ' ') FROM comment WHERE comment.issue = issue.id)"
_TEXT_COLUMNS = {
    "summary": ("summary",),
    "description": ("description",),
    "comment": (_COMMENTS,),
    "text": ("summary", "description", _COMMENTS),
    "cf[10100]": ("business_unit",),
    "business unit": ("business_unit",),
}
_DATES = {"created": "created", "createddate": "created", "updated": "updated", "updateddate": "updated"}
_KEY_CLAUSES = ("key", "issuekey", "issue", "id")
_USERS = ("assignee", "reporter", "creator")

_Maker = Callable[[Search, Comparison], _Condition]
_REFERENCE = _EQUALITY | _PRESENCE

_CLAUSES: dict[str, tuple[frozenset[str], _Maker]] = {
    "project": (_REFERENCE, Search._project),
    "status": (_REFERENCE, Search._status),
    "statuscategory": (_REFERENCE, Search._status_category),
    "issuetype": (_REFERENCE, Search._issue_type),
    "type": (_REFERENCE, Search._issue_type),
    "priority": (_REFERENCE, Search._priority),
    "resolution": (_REFERENCE, Search._resolution),
    "labels": (_REFERENCE, Search._labels),
    **dict.fromkeys(_USERS, (_REFERENCE, Search._user)),
    **dict.fromkeys(_KEY_CLAUSES, (_REFERENCE | _ORDERING, Search._key)),
    **dict.fromkeys(_DATES, (_REFERENCE | _ORDERING, Search._date)),
    **dict.fromkeys(_TEXT_COLUMNS, (_TEXT | _PRESENCE, Search._words)),
    "text": (_TEXT, Search._words),
}

_SORT_COLUMNS: dict[str, tuple[str, ...]] = {
    **{name: (column,) for name, column in _DATES.items()},
    **dict.fromkeys(("key", "issuekey", "issue"), ("project", "number")),
    **{name: (name,) for name in ("id", "project", "status", "issuetype", "priority", "summary", "resolution")},
    **{name: (name,) for name in _USERS},
}
