"""What of a test result a template may print: personal data and small groups are withheld before any token is filled.

A token reaches every corner of a result, so nothing of this is left to the care of the template's author.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from activities.review_document.disclosure import SMALLEST_SHOWN_GROUP, WITHHELD, too_small, withheld_groups
from activities.review_document.formatting import MAX_NAME, finite, label
from activities.review_document.masking import MASKED, is_personal_data, kind_of_personal_data, masked

FEWER = f"< {SMALLEST_SHOWN_GROUP}"
NO_VERDICT = "no verdict"
TOO_DEEP = "(nested too deeply to print)"
MAX_DEPTH = 40
MAX_TEXT = 5000

# Texts that tell what was tested or which kind of data was found; every other text in a finding may be the data itself.
_TELLING = frozenset(
    {
        *("entity_type", "type", "metric", "test_id", "test_name", "test_type", "test_category"),
        *("title", "x_axis_label", "y_axis_label"),
    }
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ][\d:.]{1,15}(?:Z|[+-][\d:]{1,6})?)?")
_TEST_NAMES = ("test_name", "test_category", "test_type", "test_id")
_SIZES = ("group_size", "count", "n")
_SAMPLES = (("train_count", "train_percent"), ("eval_count", "eval_percent"))
# What monitors write where they have no result; it must not pass for a number.
_NO_RESULT = {"r2_score": (-99.0, 99.0)}
_NO_RESULT_OTHERWISE = (-99.0,)


def presentable(result: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a `modelTestResult` that may be printed.

    - Texts in findings of personal data (an object with `entity_type`, or anything of a test that looks for it) are
      replaced by "masked", except those that name the kind of data or the test, and dates and kinds of data in graph
      objects. Numbers stay. In all other texts of a result, addresses, card and phone numbers are replaced.
    - Figures about fewer than 10 people of a protected class, and rows of a stability table with fewer than 10 rows of
      data, are replaced by "withheld", their count by "< 10".
    - A monitor's "no result" (-99; for `r2_score` also 99) says so, and so does a rule without a verdict (`passes` is
      null).
    """
    shown = dict(result)
    results, rules = result.get("testResults"), result.get("dmnRuleResults")
    if isinstance(results, Mapping):
        shown["testResults"] = _test_results(results)
    if isinstance(rules, list):
        shown["dmnRuleResults"] = [_with_verdict(rule) for rule in rules]
    return shown


def _test_results(results: Mapping[str, Any]) -> dict[str, Any]:
    small = withheld_groups(results)
    copier = _Copier(frozenset((group.attribute, group.group) for group in small))
    shown = {key: _said(key, value) for key, value in copier.copy(results, _Told.ALL).items()}
    named = {name for group in small for name in group.names}
    for key, value in results.items():
        # The smallest and the largest disparity say in a field of their own which group they are about.
        if key.endswith("Feature") and isinstance(value, str) and value in named:
            shown[key.removesuffix("Feature")] = WITHHELD
    return shown


def _said(key: str, value: Any) -> Any:
    known = finite(value)
    return f"no result ({known:g})" if known in _NO_RESULT.get(key, _NO_RESULT_OTHERWISE) else value


def _with_verdict(rule: Any) -> Any:
    unjudged = isinstance(rule, Mapping) and "passes" in rule and rule["passes"] is None
    return {**rule, "passes": NO_VERDICT} if unjudged else rule


class _Told(Enum):
    """How much the texts of a value may tell."""

    ALL = "all"
    KINDS = "dates and kinds of data"
    NOTHING = "nothing"


@dataclass(frozen=True)
class _Copier:
    """Copies values without what must not be printed; `small` are groups by protected class and name."""

    small: frozenset[tuple[str, str]]
    _judged: dict[str, bool] = field(default_factory=dict)

    def copy(self, value: Any, told: _Told, depth: int = 0) -> Any:
        if isinstance(value, str):
            return _text(value, told)
        if not isinstance(value, Mapping | list):
            return value
        if depth > MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, list):
            return [self.copy(entry, told, depth + 1) for entry in value]
        return self._object(value, told, depth)

    def _object(self, value: Mapping[str, Any], told: _Told, depth: int) -> dict[str, Any]:
        if told is _Told.ALL and self._is_finding(value):
            told = _Told.NOTHING
        if told is _Told.NOTHING and _is_graph(value):
            told = _Told.KINDS
        shown = {key: self.copy(item, self._told(key, item, told), depth + 1) for key, item in value.items()}
        return _without_small_sample(shown, value) if "bucket" in value else self._without_small_group(shown, value)

    def _told(self, key: str, item: Any, told: _Told) -> _Told:
        if key in _TELLING and isinstance(item, str):
            return _Told.ALL
        return _Told.NOTHING if told is _Told.ALL and self._is_personal(key) else told

    def _is_finding(self, value: Mapping[str, Any]) -> bool:
        named = [value[name] for name in _TEST_NAMES if name in value]
        return "entity_type" in value or (bool(named) and is_personal_data(*named))

    def _is_personal(self, key: str) -> bool:
        # The same few names stand in thousands of objects.
        if key not in self._judged:
            self._judged[key] = is_personal_data(key)
        return self._judged[key]

    def _without_small_group(self, shown: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        if not ("attribute_value" in row or "predicted_positive" in row):
            return shown
        attribute, group = label(row.get("attribute_name")), masked(row.get("attribute_value"), MAX_NAME)
        named = any(group == known and attribute in ("", of) for of, known in self.small)
        if named or any(too_small(finite(row.get(key))) for key in _SIZES):
            return {key: _withheld(key, item) for key, item in shown.items()}
        return shown


def _text(text: str, told: _Told) -> str:
    if told is _Told.NOTHING:
        return MASKED
    if told is _Told.KINDS:
        return text if _DATE.fullmatch(text) else kind_of_personal_data(text)
    # Most texts are names; the expressions that mask are for those that may hold an address or a number.
    suspect = "@" in text or "://" in text or any(c.isdigit() for c in text[: MAX_TEXT * 8])
    return masked(text, MAX_TEXT) if suspect else text


def _is_graph(value: Mapping[str, Any]) -> bool:
    return "data" in value and "title" in value


def _without_small_sample(shown: dict[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """A bucket of a stability table. From a share or a contribution a withheld count could be worked out."""
    for count, share in _SAMPLES:
        if too_small(finite(row.get(count))):
            shown |= {count: FEWER, share: WITHHELD, "psi_calc": WITHHELD}
    return shown


def _withheld(key: str, item: Any) -> Any:
    if isinstance(item, bool) or not isinstance(item, int | float):
        return item
    return FEWER if key in _SIZES else WITHHELD
