"""What one delivery of Jira's webhook says: the ticket, whose implementation it is, and what seems to have happened.

Shapes: Atlassian, "Webhooks" (Cloud) and "Managing webhooks" (Data Center). Everything but the ticket's key is
optional, because editions, apps and automation rules leave fields out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workflows.contract import WORKFLOW_ID_PREFIX, TicketStatusChanged

EVENTS = frozenset({"jira:issue_updated", "jira:issue_deleted"})
# A decision, or a move to another project.
TELLING_FIELDS = frozenset({"status", "project", "Key"})
COMMENTING = frozenset({"issue_commented", "issue_comment_edited", "issue_comment_deleted"})
MAX_WORKFLOWS = 10

_TICKET_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}-[0-9]{1,18}")


class MalformedDelivery(ValueError):
    """Signed, yet not a webhook of Jira; the message says what is wrong with it."""


@dataclass(frozen=True)
class Delivery:
    """One delivery: its event, the hint for the workflow, and the workflow ids among the ticket's labels."""

    event: str
    hint: TicketStatusChanged
    workflow_ids: tuple[str, ...]
    changed: frozenset[str] = frozenset()
    only_comments: bool = False

    @property
    def wanted(self) -> bool:
        """Whether this kind of event can matter to an implementation.

        A changelog is not required. Where there is one that speaks of other fields only, such as the attachment that
        we added ourselves, or where Jira names a comment as the cause, reading the ticket would show nothing new.
        """
        if self.event not in EVENTS or self.only_comments:
            return False
        return not self.changed or not self.changed.isdisjoint(TELLING_FIELDS)


def read_delivery(body: bytes | bytearray, *, event_id: str) -> Delivery:
    """Reads the body of a webhook.

    Args:
        body: the raw body; its signature has been checked.
        event_id: what identifies this delivery; it goes into the hint.

    Raises:
        MalformedDelivery: not JSON, not an object, or an event about a ticket without a readable key.
    """
    payload = _parse(body)
    event = _text(payload.get("webhookEvent")) or ""
    issue = _object(payload.get("issue"))
    key = _text(issue.get("key")) or ""
    if event in EVENTS and not _TICKET_KEY.fullmatch(key):
        raise MalformedDelivery("issue.key is missing or is not a Jira key")
    fields = _object(issue.get("fields"))
    hint = TicketStatusChanged(
        issue_key=key,
        issue_id=_text(issue.get("id")),
        status=_status(payload, fields),
        actor=_actor(payload),
        event_id=event_id,
        occurred_at=_moment(payload.get("timestamp")),
    )
    return Delivery(
        event=event,
        hint=hint,
        workflow_ids=_workflow_ids(fields.get("labels")),
        changed=_changed(payload),
        # A comment that is written while the ticket is moved comes with a changelog.
        only_comments=_text(payload.get("issue_event_type_name")) in COMMENTING and not payload.get("changelog"),
    )


def _parse(body: bytes | bytearray) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    # A few kilobytes of "[" exhaust the parser's stack, which is not a ValueError.
    except (ValueError, RecursionError) as error:
        raise MalformedDelivery(f"not JSON ({type(error).__name__})") from error
    if not isinstance(payload, dict):
        raise MalformedDelivery("JSON, but not an object")
    return payload


def _workflow_ids(labels: Any) -> tuple[str, ...]:
    """Workflow ids among the labels; Jira keeps the case in which a person typed a label."""
    texts = [label.lower() for label in labels if isinstance(label, str)] if isinstance(labels, list) else []
    return tuple(dict.fromkeys(text for text in texts if text.startswith(WORKFLOW_ID_PREFIX)))[:MAX_WORKFLOWS]


def _changed(payload: dict[str, Any]) -> frozenset[str]:
    """Names of the changed fields; nothing when the changelog is missing or not wholly readable."""
    items = _object(payload.get("changelog")).get("items")
    fields = [_object(item).get("field") for item in items] if isinstance(items, list) else []
    names = [field for field in fields if isinstance(field, str)]
    return frozenset(names) if len(names) == len(fields) else frozenset()


def _status(payload: dict[str, Any], fields: dict[str, Any]) -> str | None:
    items = _object(payload.get("changelog")).get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("field") == "status":
            return _text(item.get("toString"))
    return _text(_object(fields.get("status")).get("name"))


def _actor(payload: dict[str, Any]) -> str | None:
    """Cloud names people by accountId, Data Center by name."""
    user = _object(payload.get("user"))
    return next((text for part in ("accountId", "name", "key") if (text := _text(user.get(part)))), None)


def _moment(timestamp: Any) -> str | None:
    """Epoch milliseconds as ISO 8601, or None when they are no plausible date."""
    if not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """Non-empty text of a sane length that survives UTF-8 (JSON may hold lone surrogates), else None."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value.encode(errors="replace").decode()[:255]
