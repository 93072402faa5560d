"""Reads a customer's limits from a decision table: a DMN file as Camunda Modeler writes it.

A file may hold several decisions; those with an output called `passes` are read, in the file's order. A rule that
cannot be evaluated is kept and says why, so that it can be shown and never counts as a verdict.
"""

from __future__ import annotations

import hashlib
import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TypeVar

from lxml import etree

from activities.review_document.formatting import clean, label
from activities.review_document.limits.conditions import Condition, parse_condition
from activities.review_document.limits.decision_rules import Cell, Input, Rule, Values
from activities.review_document.limits.thresholds import Interval, standard_thresholds
from activities.review_document.limits.unary_tests import (
    DOUBLE_QUOTED,
    MAX_CHARACTERS,
    SINGLE_QUOTED,
    Literal,
    NotEvaluable,
    UnaryTests,
    Unmeasured,
    parse_unary_tests,
    string_literal,
)

MAX_BYTES = 20 * 1024 * 1024
MAX_DECISIONS = 100
MAX_NAME_CHARACTERS = 500
P = TypeVar("P", UnaryTests, Condition)

_DMN = re.compile(r"https?://www\.omg\.org/spec/DMN/\d{8}")
_OUTPUTS = ("passes", "reason", "category", "action")


class UnreadableDecisionTable(ValueError):
    """The file is no decision table of ours to read; the text says what, where, and how to mend it."""


class HitPolicy(StrEnum):
    """What becomes of several rules that match; the policies that are evaluated."""

    UNIQUE = "UNIQUE"
    FIRST = "FIRST"
    COLLECT = "COLLECT"


@dataclass(frozen=True)
class Decided:
    """What a decision made of a result.

    Attributes:
        hits: rules that match and count.
        undecided: rules that might match, each with the reason why that is not known.
        problem: why no rule of the decision counts, or why none counts beyond these; else empty.
    """

    hits: list[Rule] = field(default_factory=list)
    undecided: list[tuple[Rule, str]] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class Decision:
    """One decision table of the file.

    Attributes:
        hit_policy: as written in the file.
        problem: why the whole table is not evaluated; else empty.
    """

    name: str
    hit_policy: str
    inputs: tuple[Input, ...]
    rules: tuple[Rule, ...]
    problem: str = ""

    def decide(self, values: Values) -> Decided:
        """Applies the rules by the hit policy."""
        if self.problem:
            return Decided(problem=self.problem)
        if self.hit_policy == HitPolicy.FIRST:
            return self._first(values)
        decided = Decided()
        for rule in self.rules:
            matches = rule.matches(values)
            if matches:
                decided.hits.append(rule)
            elif matches is None:
                decided.undecided.append((rule, rule.why_undecided(values)))
        return _unique(decided) if self.hit_policy == HitPolicy.UNIQUE else decided

    def passed_over(self, hits: Sequence[Rule]) -> Sequence[Rule] | None:
        """With hit policy FIRST, the rules that did not match before the one that did; else None."""
        return self.rules[: hits[0].number - 1] if self.hit_policy == HitPolicy.FIRST and hits else None

    def _first(self, values: Values) -> Decided:
        for rule in self.rules:
            matches = rule.matches(values)
            if matches:
                return Decided([rule], problem=f"hit policy FIRST: rule {rule.number} matches, no later one counts")
            if matches is None:
                reason = rule.why_undecided(values)
                return Decided(undecided=[(rule, reason)], problem=f"hit policy FIRST: {reason}; no later one counts")
        return Decided()

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """The columns' headings by the names of their values."""
        return {column.name: column.label for column in self.inputs}

    @cached_property
    def limits(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """What the rules that pass ask of a value, in words, by category and name."""
        found: dict[tuple[str, str], dict[str, None]] = {}
        for rule in self.rules:
            for cell in rule.cells if rule.passes else ():
                for name in cell.names:
                    found.setdefault((rule.category, name), {})[cell.limit(name)] = None
        return {key: tuple(texts) for key, texts in found.items()}


@dataclass(frozen=True)
class DecisionTable:
    """The decisions of one file.

    Attributes:
        sha256: of the file, in hexadecimal.
        decisions: those with an output called `passes`, in the file's order.
    """

    filename: str
    sha256: str
    decisions: tuple[Decision, ...]

    @classmethod
    def read(cls, content: bytes, *, filename: str) -> DecisionTable:
        """Reads a DMN file of version 1.1 to 1.5. Entities and document types are refused, the network is not used.

        Args:
            content: the file.
            filename: for messages and documents.

        Raises:
            UnreadableDecisionTable: the file is not what it should be.
        """
        name = label(filename) or "decision table"
        root = _root(content, name)
        decisions = tuple(_Reader(root, name).decisions())
        return cls(filename=name, sha256=hashlib.sha256(content).hexdigest(), decisions=decisions)

    @property
    def name(self) -> str:
        """The decisions' names."""
        return clean(", ".join(decision.name for decision in self.decisions), 200)

    @property
    def title(self) -> str:
        """Name and file."""
        return f"{self.name} ({self.filename})"

    def passing(self, metric: str) -> Interval | None:
        """The range of a PASS, for limit lines; None unless the rules that pass state exactly one range."""
        found = {
            cell.range_of(metric)
            for decision in self.decisions
            for rule in decision.rules
            for cell in (rule.cells if rule.passes else ())
            if metric in cell.names
        }
        return found.pop() if len(found) == 1 else None


@dataclass(frozen=True)
class UnusableLimits:
    """Stands for a decision table that could not be read: with it, no number is judged."""

    filename: str
    reason: str

    @property
    def title(self) -> str:
        """The file, and that it was not used."""
        return f"{label(self.filename)} (cannot be used)"

    def passing(self, metric: str) -> Interval | None:
        """There is none."""
        return None


def _unique(decided: Decided) -> Decided:
    """The outcome if it is certain that no second rule matches."""
    if len(decided.hits) > 1:
        numbers = ", ".join(str(rule.number) for rule in decided.hits[:10])
        more = f" and {len(decided.hits) - 10:,} more" if len(decided.hits) > 10 else ""
        return Decided(problem=f"hit policy UNIQUE allows one rule to match, but these do: {numbers}{more}")
    if decided.hits and decided.undecided:
        hit, reason = decided.hits[0].number, decided.undecided[0][1]
        return Decided(problem=f"hit policy UNIQUE: rule {hit} matches, perhaps not as the only one, because {reason}")
    return decided


def _root(content: bytes, filename: str) -> etree._Element:
    if len(content) > MAX_BYTES:
        raise UnreadableDecisionTable(
            f"{filename} has {len(content):,} bytes, a decision table may have {MAX_BYTES:,} (split or shorten it)"
        )
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableDecisionTable(
            f"{filename} is not readable as XML: {clean(str(error), 200)} (save the decision as DMN again, for example "
            "with Camunda Modeler)"
        ) from error
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableDecisionTable(
            f"{filename} declares a document type or entities, which is not accepted (remove the <!DOCTYPE …> part)"
        )
    namespace, name = etree.QName(root).namespace or "", etree.QName(root).localname
    if name != "definitions" or not _DMN.match(namespace):
        raise UnreadableDecisionTable(
            f'{filename} is no DMN file: it starts with "{label(name)}" of the namespace "{label(namespace)}" instead '
            'of "definitions" of "https://www.omg.org/spec/DMN/…" (export the decision as DMN 1.1 to 1.5)'
        )
    return root


class _Reader:
    """Walks the elements of one file."""

    def __init__(self, root: etree._Element, filename: str) -> None:
        self._root = root
        self._filename = filename
        self._namespace = etree.QName(root).namespace
        self._language = root.get("expressionLanguage", "")
        # Large tables repeat their cells; a cache that outlived the file would keep its texts.
        self._parsed = lru_cache(maxsize=None)(_parsed)

    def decisions(self) -> Iterator[Decision]:
        found = [*self._named_tables()]
        judging = [(decision, table) for decision, table in found if "passes" in self._columns(table)]
        if not judging:
            seen = ", ".join(sorted({label(name) for _, table in found for name in self._columns(table)}))
            raise UnreadableDecisionTable(
                f'{self._filename} holds no decision table with an output named "passes" (outputs found: '
                f"{clean(seen, 200) or 'none'}; name one output passes, and others reason, category and action)"
            )
        if len(judging) > MAX_DECISIONS:
            raise UnreadableDecisionTable(
                f"{self._filename} holds {len(judging):,} decision tables, at most {MAX_DECISIONS} are read (split it)"
            )
        for decision, table in judging:
            yield self._decision(decision, table)

    def _named_tables(self) -> Iterator[tuple[etree._Element, etree._Element]]:
        for decision in self._children(self._root, "decision"):
            for table in self._children(decision, "decisionTable"):
                yield decision, table

    def _children(self, element: etree._Element, name: str) -> list[etree._Element]:
        return list(element.iterchildren(f"{{{self._namespace}}}{name}"))

    def _text(self, element: etree._Element) -> str:
        texts = self._children(element, "text")
        if len(texts) == 1 and not len(texts[0]):
            return (texts[0].text or "").strip()
        # A cell that is read as empty matches everything, so that no text in it may be overlooked.
        return "".join(element.itertext()).strip()

    def _columns(self, table: etree._Element) -> dict[str, int]:
        """Position of every output, by its name and by its label, in lower case."""
        columns: dict[str, int] = {}
        for key in ("name", "label"):
            for position, output in enumerate(self._children(table, "output")):
                if name := (output.get(key) or "").strip().casefold():
                    columns.setdefault(name, position)
        return columns

    def _decision(self, decision: etree._Element, table: etree._Element) -> Decision:
        name = label(decision.get("name") or decision.get("id")) or "Decision"
        if [output.get("name") for output in self._children(table, "output")].count("passes") > 1:
            raise UnreadableDecisionTable(
                f'the decision "{name}" in {self._filename} has more than one output named "passes" (keep one)'
            )
        policy = (table.get("hitPolicy") or HitPolicy.UNIQUE).strip().upper()
        inputs = self._inputs(decision, table)
        rules = self._children(table, "rule")
        if not rules:
            raise UnreadableDecisionTable(f'the decision "{name}" in {self._filename} has no rules (add at least one)')
        columns, width = self._columns(table), len(self._children(table, "output"))
        read = tuple(
            self._rule(rule, number, name, inputs, columns, width) for number, rule in enumerate(rules, start=1)
        )
        return Decision(
            name,
            label(policy),
            tuple(column for column, _ in inputs),
            read,
            _policy_problem(policy, table.get("aggregation")),
        )

    def _inputs(self, decision: etree._Element, table: etree._Element) -> list[tuple[Input, Mapping[str, Input]]]:
        """The columns, each with the names that mean another key of `testResults`, or none, in its conditions."""
        computed = {name: Input(name, label(name), _COMPUTED) for name in self._computed(decision)}
        inputs: list[tuple[Input, Mapping[str, Input]]] = []
        for position, element in enumerate(self._children(table, "input"), start=1):
            expression = "".join(self._text(e) for e in self._children(element, "inputExpression"))
            variable = _input_variable(element)
            heading = (element.get("label") or "").strip()
            # An engine binds the expression's value to the variable; the variable alone names a value of its own.
            name = _unwrapped(expression) or variable or heading
            problem = computed[name].problem if name in computed else _name_problem(name)
            column = Input(name, label(heading or name) or f"input {position}", problem)
            # The variable is known to the cells of its own column only.
            own = {variable: column} if variable not in ("", name) else {}
            inputs.append((column, ChainMap(own, computed)))
        return inputs

    def _computed(self, decision: etree._Element) -> set[str]:
        """Names of the values that other decisions of the file would hand to this one."""
        required = {
            reference.get("href", "").lstrip("#")
            for requirement in self._children(decision, "informationRequirement")
            for reference in self._children(requirement, "requiredDecision")
        }
        others = [other for other in self._children(self._root, "decision") if other.get("id") in required]
        tables = [table for other in others for table in self._children(other, "decisionTable")]
        variables = [variable for other in others for variable in self._children(other, "variable")]
        outputs = [output for table in tables for output in self._children(table, "output")]
        return {name for e in (*others, *variables, *outputs) for name in (e.get("name"), e.get("id")) if name}

    def _rule(
        self,
        element: etree._Element,
        number: int,
        decision: str,
        inputs: Sequence[tuple[Input, Mapping[str, Input]]],
        columns: Mapping[str, int],
        width: int,
    ) -> Rule:
        conditions, results = self._children(element, "inputEntry"), self._children(element, "outputEntry")
        for entries, expected, kind in ((conditions, len(inputs), "input"), (results, width, "output")):
            if len(entries) != expected:
                raise UnreadableDecisionTable(
                    f'rule {number} of the decision "{decision}" in {self._filename} (line {element.sourceline}) has '
                    f"{len(entries)} {kind} entries for {expected} {kind} columns (save the table again in its editor)"
                )
        cells = tuple(
            Cell(column, text, *self._parsed(text, entry.get("expressionLanguage", self._language)), aliases)
            for (column, aliases), entry in zip(inputs, conditions, strict=True)
            if (text := self._text(entry)) not in ("", "-")
        )
        outputs = {name: self._text(results[columns[name]]) for name in _OUTPUTS if name in columns}
        passes, problem = _outcome(outputs["passes"])
        return Rule(
            number=number,
            cells=cells,
            passes=passes,
            problem=problem,
            reason=_words(outputs.get("reason", "")),
            category=label(_words(outputs.get("category", ""))) or _category(cells) or decision,
            action=_words(outputs.get("action", "")),
        )


_COMPUTED = "the input comes from another decision, which is not evaluated"
_NAME = re.compile(r"[^\W\d]\w*(?:[ .-]\w+)*")


def _input_variable(element: etree._Element) -> str:
    """The variable that Camunda binds the input's value to; its namespace differs between versions."""
    return next((str(v).strip() for k, v in element.attrib.items() if etree.QName(k).localname == "inputVariable"), "")


def _name_problem(name: str) -> str:
    plain = len(name) <= MAX_NAME_CHARACTERS and _NAME.fullmatch(name)
    return "" if plain else "the input is an expression, not a name"


def _unwrapped(expression: str) -> str:
    if len(expression) > MAX_NAME_CHARACTERS:
        return expression
    wrapped = re.fullmatch(r"[$#]\{\s*([^{}]*?)\s*\}", expression)
    return wrapped[1] if wrapped else expression


def _policy_problem(policy: str, aggregation: str | None) -> str:
    if policy not in list(HitPolicy):
        return f'the hit policy "{label(policy)}" is not evaluated (only {", ".join(HitPolicy)} are)'
    if policy == HitPolicy.COLLECT and aggregation:
        return f'the aggregation "{label(aggregation)}" of the hit policy COLLECT is not evaluated'
    return ""


def _category(cells: tuple[Cell, ...]) -> str:
    """What ModelOp Center's own table calls the test of the first number in the conditions; empty if it has none."""
    known = (standard_thresholds().judging(name) for cell in cells for name in cell.names)
    return next((threshold.category for threshold in known if threshold), "")


def _parsed(text: str, language: str) -> tuple[UnaryTests | Condition | None, str]:
    """The test, or None and the reason why there is none."""
    language = language.strip().casefold()
    if language == "juel":
        return _attempt(parse_condition, text)
    if language and "feel" not in language:
        return None, f'the expression language "{label(language)}" is not evaluated'
    tests, problem = _attempt(parse_unary_tests, text)
    if tests is not None:
        return tests, ""
    # Editors leave the language out, and authors write conditions into such cells all the same.
    condition, _ = _attempt(parse_condition, text)
    return condition, "" if condition is not None else problem


def _attempt(parse: Callable[[str], P], text: str) -> tuple[P | None, str]:
    try:
        return parse(text), ""
    except NotEvaluable as error:
        return None, str(error)


def _outcome(text: str) -> tuple[bool | None, str]:
    """What `passes` says, and why it says nothing."""
    literal = _literal(text)
    word = literal.strip().casefold() if isinstance(literal, str) else literal
    if word in _TRUE or word in _FALSE:
        return word in _TRUE, ""
    if word is None or word == "":
        return None, ""
    return None, f'its output "passes" is "{clean(text, 60)}", neither true nor false'


_TRUE: tuple[Literal, ...] = (True, "true", "pass")
_FALSE: tuple[Literal, ...] = (False, "false", "fail")


def _words(text: str) -> str:
    """The text of an output entry; an expression is shown as it is written."""
    literal = _literal(text)
    return clean(literal) if isinstance(literal, str) else clean(text) if literal is not None else ""


def _literal(text: str) -> Literal | Unmeasured:
    """The literal that an output entry holds; `Unmeasured` for an expression."""
    if len(text) > MAX_CHARACTERS:
        return Unmeasured.VALUE
    if re.fullmatch(f"{DOUBLE_QUOTED}|{SINGLE_QUOTED}", text, flags=re.DOTALL):
        try:
            return string_literal(text)
        except NotEvaluable:
            return text[1:-1]
    words: dict[str, Literal] = {"": None, "-": None, "null": None, "true": True, "false": False}
    return words.get(text.casefold(), Unmeasured.VALUE)
