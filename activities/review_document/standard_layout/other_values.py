"""What the rest of a result holds: findings of personal data by kind, and values that no family of tests knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from activities.review_document.formatting import count, finite, number
from activities.review_document.limits.thresholds import standard_thresholds
from activities.review_document.masking import MASKED, is_personal_data, kind_of_personal_data, masked
from activities.review_document.results import METRICS, entries


def personal_data(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a scan for personal data has counted. Nothing that it quotes is printed."""
    return [
        (kind, found)
        for key in results
        for entry in entries(results, key)
        if _about_personal_data(key, entry)
        for name, item in _named_values(entry)
        for kind, found in _kinds(name, item)
    ]


def _kinds(name: Any, item: Any) -> Iterator[tuple[str, str]]:
    """How many findings of each kind; a list of findings is counted, since each of them quotes a person."""
    if isinstance(item, list):
        kinds = Counter(kind_of_personal_data(f.get("entity_type")) for f in item if isinstance(f, Mapping))
        yield from ((kind, count(found)) for kind, found in kinds.most_common())
    else:
        known = finite(item)
        yield kind_of_personal_data(name), MASKED if known is None else number(known) if known % 1 else count(known)


def _about_personal_data(key: str, entry: Mapping[str, Any]) -> bool:
    return "entity_type" in entry or is_personal_data(
        key, *(entry.get(name) for name in ("test_name", "test_category", "test_type", "test_id"))
    )


def _named_values(entry: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    values = entry.get("values", entry)
    yield from values.items() if isinstance(values, Mapping) else [("values", values)]


def other_results(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Numbers and texts of families that this document does not know, as path and value."""
    found: list[tuple[str, str]] = []
    for key, value in results.items():
        if key in _known_keys() or key.endswith(("_CSI", "_PSI")) or key.startswith(_EXTREMES):
            continue
        if any(True for _ in entries(results, key)):
            found += _other_entries(key, results)
        else:
            quoted = is_personal_data(key) and isinstance(value, str)
            found.append((masked(key, 80), MASKED if quoted else _plain(value)))
    return found


def _other_entries(key: str, results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for position, entry in enumerate(entries(results, key), start=1):
        if not _about_personal_data(key, entry):
            path = f"{masked(key, 80)} / {masked(entry.get('test_name'), 80) or f'entry {position}'}"
            for name, item in _named_values(entry):
                yield f"{path} / {masked(name, 80)}", _plain(item)


def _plain(value: Any) -> str:
    if isinstance(value, list | Mapping):
        return "1 entry" if len(value) == 1 else f"{len(value):,} entries"
    known = finite(value)
    return number(known) if known is not None else masked(value, 80) or "–"


@cache
def _known_keys() -> frozenset[str]:
    return frozenset(
        {
            *(threshold.metric for threshold in standard_thresholds().thresholds),
            *(key for key, _ in METRICS),
            *("performance", "bias", "data_drift", "concept_drift", "stability", "linearity", "multicollinearity"),
            *("normality", "autocorrelation", "homoscedasticity", "charts", "confusion_matrix"),
            *("executionErrors", "executionErrorsCount"),
            *("modelUseCategory", "modelOrganization", "modelRisk", "modelMethodology"),
        }
    )


# Smallest and largest values per family: their features are in the family's own table.
_EXTREMES = ("CSI_", "Bias_", "DataDrift_", "ConceptDrift_", "Linearity_", "Multicollinearity_", "Homoscedasticity_")
