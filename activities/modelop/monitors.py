"""Tells monitors that failed to run from monitors that do not apply to a model.

The Standard Risk Tests report both as free text in `executionErrors`: a monitor that is only defined for regression
raises on every classifier. A notification for each of those would teach people to ignore notifications.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum

from activities.errors import plain
from activities.modelop.types import MonitorProblem

MAX_TEXTS = 500
MAX_TEXT_CHARACTERS = 2000
MAX_PROBLEMS = 30
MAX_MESSAGE_CHARACTERS = 240
"""Both lists together stay below 40 KB in any script; the whole texts stay with the result in ModelOp Center."""


class Monitor(StrEnum):
    """The monitors that the Standard Risk Tests are made of, in the order in which they run."""

    MODEL_FIELDS = "model_fields"
    PERFORMANCE = "performance"
    BIAS = "bias"
    DATA_DRIFT = "data_drift"
    CONCEPT_DRIFT = "concept_drift"
    STABILITY = "stability"
    BREUSCH_PAGAN = "breusch_pagan"
    LINEARITY = "linearity"
    LJUNG_BOX = "ljung_box"
    MULTICOLLINEARITY = "multicollinearity"
    DURBIN_WATSON = "durbin_watson"
    ENGLE_LM = "engle_lm"
    ANDERSON_DARLING = "anderson_darling"
    CRAMER_VON_MISES = "cramer_von_mises"
    KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
    PII = "pii"


class _Scope(Enum):
    ALWAYS = "always"
    REGRESSION = "regression models only"
    CLASSIFICATION = "classification models only"
    TEXT_SCORE = "models with a text score only"


@dataclass(frozen=True)
class _Rule:
    """How a monitor is recognised in text that went through `_words`, and to which models it applies."""

    monitor: Monitor
    pattern: re.Pattern[str]
    scope: _Scope = _Scope.ALWAYS


def _rule(monitor: Monitor, pattern: str, scope: _Scope = _Scope.ALWAYS) -> _Rule:
    return _Rule(monitor, re.compile(rf"\b(?:{pattern})\b"), scope)


# Kolmogorov-Smirnov names three monitors: with "drift" next to it, it is one of the two drift monitors.
_RULES = (
    _rule(Monitor.MODEL_FIELDS, r"(?:extract )?model fields?"),
    _rule(Monitor.PERFORMANCE, r"performance|(?:classification|regression) metrics"),
    _rule(Monitor.BIAS, r"bias|aequitas|group metrics", _Scope.CLASSIFICATION),
    _rule(Monitor.CONCEPT_DRIFT, r"concept ?drift"),
    _rule(Monitor.DATA_DRIFT, r"(?:data ?)?drift"),
    _rule(Monitor.STABILITY, r"stability|psi|csi"),
    _rule(Monitor.BREUSCH_PAGAN, r"breusch ?pagan", _Scope.REGRESSION),
    _rule(Monitor.LINEARITY, r"linearity|pearson"),
    _rule(Monitor.LJUNG_BOX, r"ljung ?box", _Scope.REGRESSION),
    _rule(Monitor.MULTICOLLINEARITY, r"mul(?:ti|it) ?col+inearity|vif|variance inflation factors?"),
    _rule(Monitor.DURBIN_WATSON, r"durbin ?watson|dw statistic|autocorrelation"),
    _rule(Monitor.ENGLE_LM, r"engles?(?: s)?(?: lm| lagrange multiplier)?", _Scope.REGRESSION),
    _rule(Monitor.ANDERSON_DARLING, r"anderson ?darling"),
    _rule(Monitor.CRAMER_VON_MISES, r"cram ?e?r ?von ?mises"),
    _rule(Monitor.KOLMOGOROV_SMIRNOV, r"kolmogorov ?smirnov(?!(?: \w+){0,2} drift)"),
    _rule(Monitor.PII, r"pii|personally identifiable information", _Scope.TEXT_SCORE),
)


def classify(
    execution_errors: Iterable[str], methodology: str, *, score_is_text: bool | None = None
) -> tuple[list[MonitorProblem], list[MonitorProblem]]:
    """Sorts execution errors into monitors that failed and monitors that are not applicable.

    Args:
        execution_errors: the texts as the Standard Risk Tests report them.
        methodology: `modelMetaData.modelMethodology` of the tested model. A model is a regression if this contains
            "regression" in any case, which is the rule by which the tests choose their own metrics.
        score_is_text: whether the score column holds text; None if the schema does not say, then the wording of the
            error decides.

    Returns:
        Failed monitors and not applicable ones, each in the order of appearance and with one entry per monitor. A
        text that names no known monitor is a failure of its own, with an empty `monitor`. Texts and lists are bounded.
    """
    failed: list[MonitorProblem] = []
    not_applicable: list[MonitorProblem] = []
    for text in itertools.islice(execution_errors, MAX_TEXTS):
        text = text[:MAX_TEXT_CHARACTERS]
        rule = _recognise(text)
        applicable = rule is None or _is_applicable(rule.scope, text, methodology, score_is_text)
        problem = MonitorProblem(
            monitor=rule.monitor.value if rule else "", message=plain(text, MAX_MESSAGE_CHARACTERS)
        )
        _add(failed if applicable else not_applicable, problem)
    return failed[:MAX_PROBLEMS], not_applicable[:MAX_PROBLEMS]


def _recognise(text: str) -> _Rule | None:
    """The monitor that is named first: it comes before the cause, which may name columns of any name."""
    words = _words(text)
    found = [(match.start(), -len(match[0]), rule) for rule in _RULES if (match := rule.pattern.search(words))]
    return min(found, key=lambda hit: hit[:2])[2] if found else None


def _words(text: str) -> str:
    """Lower-case words separated by single spaces, whether they were joined by case, hyphen or underscore."""
    unaccented = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unaccented)
    return " ".join(re.findall(r"[a-z0-9]+", spaced.lower()))


def _is_applicable(scope: _Scope, text: str, methodology: str, score_is_text: bool | None) -> bool:
    regression = "regression" in methodology.casefold()
    if scope is _Scope.REGRESSION:
        return regression
    if scope is _Scope.CLASSIFICATION:
        return not regression
    if scope is _Scope.TEXT_SCORE:
        return score_is_text if score_is_text is not None else not _speaks_of_score_type(text)
    return True


def _speaks_of_score_type(text: str) -> bool:
    words = _words(text)
    return re.search(r"\b(?:strings?|text|not applicable|skipped|skipping)\b", words) is not None


def _add(problems: list[MonitorProblem], problem: MonitorProblem) -> None:
    """Adds a problem; more about a monitor that is already there joins its message."""
    for position, known in enumerate(problems):
        if known.monitor != problem.monitor:
            continue
        if problem.message in known.message:
            return
        if problem.monitor:
            joined = plain(f"{known.message}; {problem.message}", MAX_MESSAGE_CHARACTERS)
            problems[position] = MonitorProblem(monitor=known.monitor, message=joined)
            return
    problems.append(problem)
