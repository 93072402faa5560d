"""Whether a bundle is what was exported, byte for byte, and what was changed if it is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from console.evidence.bundle import HISTORY, MANIFEST, SUMS, Bundle, PartRecord, field_digests, sums
from console.evidence.checks import Check, Status, failed, named, passed
from console.evidence.histories import event_chain


def integrity(bundle: Bundle, expected_id: str = "") -> list[Check]:
    """Compares every byte with the manifest, and the manifest with itself.

    Args:
        expected_id: the bundle's id as it was noted at the export; empty if it is not known.
    """
    recorded = {record.name: record for record in bundle.manifest.parts}
    found = [*_table_of_contents(bundle, expected_id), *(_part(record, bundle) for record in recorded.values())]
    found += [failed(name, f"{MANIFEST} does not list it") for name in bundle.parts if name not in recorded]
    if not bundle.is_as_written and all(check.status is Status.OK for check in found):
        found.append(failed("zip file", "it was changed outside its parts: names, times, order or trailing bytes"))
    return found


def _table_of_contents(bundle: Bundle, expected_id: str) -> Iterator[Check]:
    if expected_id and expected_id != bundle.bundle_id:
        yield failed(MANIFEST, f"this is bundle {bundle.bundle_id}, not the one that was exported as {expected_id}")
    elif bundle.sums is None:
        yield failed(SUMS, "it is missing")
    elif bundle.sums != _sums_by_manifest(bundle):
        yield from _unlike_sums(bundle)
    else:
        anchored = ", the one that was exported" if expected_id else ""
        yield passed(MANIFEST, f"bundle {bundle.bundle_id}{anchored}")


def _sums_by_manifest(bundle: Bundle) -> bytes:
    """What the list of sums should say, whatever has become of the parts."""
    return sums({MANIFEST: bundle.bundle_id} | {record.name: record.sha256 for record in bundle.manifest.parts})


def _unlike_sums(bundle: Bundle) -> Iterator[Check]:
    """Manifest and sums disagree; the zip file's own checksums may tell which of the two was changed."""
    changed = [name for name in (MANIFEST, SUMS) if name in bundle.damaged]
    for name in changed or [MANIFEST]:
        other = SUMS if name == MANIFEST else MANIFEST
        yield failed(name, f"it was changed: it does not fit {other}{'' if changed else ', unless that was changed'}")


def _part(record: PartRecord, bundle: Bundle) -> Check:
    content = bundle.parts.get(record.name)
    if content is None:
        return failed(record.name, "it is missing")
    if hashlib.sha256(content).hexdigest() == record.sha256:
        return passed(record.name, f"{record.size:,} bytes, SHA-256 {record.sha256}")
    size = f" ({record.size:,} bytes then, {len(content):,} now)" if len(content) != record.size else ""
    return failed(record.name, f"it was changed{_where(record, content, bundle.manifest.events)}{size}")


def _where(record: PartRecord, content: bytes, events: list[str]) -> str:
    """The place of a change in a JSON part, as far as its digests tell."""
    if not record.name.endswith(".json"):
        return ""
    try:
        places = altered_events(content, events) if record.name == HISTORY else _altered_fields(record, content)
    except json.JSONDecodeError as error:
        return f" at line {error.lineno}, column {error.colno}, where it is no JSON any more"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ", and is not readable any more"
    return f" at {named(places)}" if places else " in its layout only"


def altered_events(content: bytes, listed: list[str]) -> list[str]:
    """The first event that is not the one whose digest is listed, or that there are more or fewer of them.

    Raises:
        ValueError, KeyError, TypeError: the content is no history.
    """
    now = event_chain(content)
    for number, (then, digest) in enumerate(zip(listed, now, strict=False), start=1):
        if then != digest:
            kind = str(json.loads(content)["events"][number - 1].get("eventType", ""))[:60]
            return [f"event {number} ({kind.removeprefix('EVENT_TYPE_').replace('_', ' ').lower()})"]
    return [] if len(now) == len(listed) else [f"its end: {len(now)} events instead of {len(listed)}"]


def _altered_fields(record: PartRecord, content: bytes) -> list[str]:
    now = field_digests(content)
    return [place for place in {**record.fields, **now} if record.fields.get(place) != now.get(place)]
