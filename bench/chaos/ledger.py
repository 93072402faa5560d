"""What Jira and ModelOp Center hold, read from the sandboxes' own databases while they run and after."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.jira import scheme
from workflows.contract import Gate, workflow_id

SERVICE_ACCOUNT = "svc-mlc"
RUN_LABEL = "mlc-"
TITLES = {
    Gate.PIA: "PIA Approval Request",
    Gate.TEST_FAILURE: "Test Failure",
    Gate.RESULTS: "Model Review",
    Gate.PRODUCTION: "Production Approval",
}
_GATES = {title: gate for gate, title in TITLES.items()}
_STATUSES = {status.id: status for status in scheme.STATUSES}
_ENDED = "MODEL_NOTIFICATION"
_REJECTED_DOCUMENT = "was rejected by"

Entity = dict[str, Any]


@dataclass(frozen=True)
class Move:
    """One change of a ticket's status: who, from which status, to which."""

    author: str
    origin: str
    target: str


@dataclass(frozen=True)
class TicketRecord:
    """A ticket as the database has it; `label` names the run, the gate and the round."""

    id: int
    key: str
    gate: Gate
    label: str
    status: str
    attachments: int
    moves: tuple[Move, ...]
    comments: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether it still asks somebody for a decision."""
        return self.status not in (scheme.DONE.name, scheme.REJECTED.name)

    @property
    def decided(self) -> bool:
        """Whether a person, and not the process, moved it to where it stands."""
        return not self.is_open and bool(self.moves) and self.moves[-1].author != SERVICE_ACCOUNT

    @property
    def refusals(self) -> int:
        """How often the process took back a decision."""
        decided = (scheme.DONE.name, scheme.REJECTED.name)
        return sum(move.author == SERVICE_ACCOUNT and move.origin in decided for move in self.moves)

    @property
    def doubled_comments(self) -> int:
        """Comments of the process that say again what one of them has said."""
        marks = Counter(text.rstrip().splitlines()[-1] for text in self.comments)
        return sum(count - 1 for count in marks.values())


class Ledger:
    """Reads both databases; writes nothing.

    Args:
        jira: the Jira sandbox's database file.
        modelop: the ModelOp Center sandbox's database file.
    """

    def __init__(self, jira: Path, modelop: Path) -> None:
        self._jira = jira
        self._modelop = modelop

    def tickets(self, model_id: str) -> Sequence[TicketRecord]:
        """All tickets that carry the workflow id of a model, oldest first."""
        query = (
            "SELECT i.id, i.key, i.summary, i.status FROM issue i JOIN label l ON l.issue = i.id "
            "WHERE l.name = ? ORDER BY i.id"
        )
        with _reading(self._jira) as database:
            return [_ticket(database, *row) for row in database.execute(query, (workflow_id(model_id),)).fetchall()]

    def has_gone_on(self, ticket: str) -> bool:
        """Whether ModelOp Center shows the notification of this ticket as closed."""
        query = (
            "SELECT count(*) FROM entity WHERE collection = 'notifications' "
            "AND json_extract(body, '$.assignment.issueId') = ? AND NOT json_extract(body, '$.open')"
        )
        with _reading(self._modelop) as database:
            return bool(database.execute(query, (ticket,)).fetchone()[0])

    def deliveries(self) -> int:
        """How many webhooks the Jira sandbox has sent or meant to send."""
        with _reading(self._jira) as database:
            return int(database.execute("SELECT count(*) FROM delivery").fetchone()[0])

    def found(self, model_id: str) -> Counter[str]:
        """What exists for one model, in the words of `Script.expected`, and what must not exist at all."""
        tickets = self.tickets(model_id)
        snapshots = self._entities("deployableModels", "storedModel.id", model_id)
        notifications = self._entities("notifications", "storedModelId", model_id)
        firsts = {ticket.label: ticket for ticket in reversed(tickets)}
        return Counter(
            {
                **{f"tickets: {gate}": _deciding(tickets, gate) for gate in Gate},
                "attachments": sum(ticket.attachments for ticket in tickets),
                "snapshots": len(snapshots),
                "jobs": len(self._entities("jobs", "referenceModel.storedModel.id", model_id)),
                "results": len(self._entities("modelTestResults", "storedModelId", model_id)),
                "documents": sum(len(snapshot["modelDocuments"]) for snapshot in snapshots),
                "deployed markers": len(self._entities("deployedModels", "deployableModel.storedModel.id", model_id)),
                "snapshots deployed": sum(snapshot["state"] == "DEPLOYED" for snapshot in snapshots),
                **_by_purpose(notifications),
                "decisions refused": sum(ticket.refusals for ticket in tickets),
                "tickets open": sum(ticket.is_open for ticket in tickets),
                "notifications open": sum(bool(notification["open"]) for notification in notifications),
                "comments doubled": sum(ticket.doubled_comments for ticket in tickets),
                "duplicate tickets": len(tickets) - len(firsts),
                "duplicate tickets that decided": sum(
                    ticket.decided for ticket in tickets if firsts[ticket.label].id != ticket.id
                ),
            }
        )

    def _entities(self, collection: str, path: str, value: str) -> list[Entity]:
        query = "SELECT body FROM entity WHERE collection = ? AND json_extract(body, ?) = ? ORDER BY sequence"
        with _reading(self._modelop) as database:
            return [json.loads(body) for (body,) in database.execute(query, (collection, f"$.{path}", value))]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        yield database


def _ticket(database: sqlite3.Connection, id: int, key: str, summary: str, status: str) -> TicketRecord:
    labels = [name for (name,) in database.execute("SELECT name FROM label WHERE issue = ?", (id,))]
    comments = database.execute(
        "SELECT body FROM comment WHERE issue = ? AND author = ? ORDER BY id", (id, SERVICE_ACCOUNT)
    )
    attachments = database.execute("SELECT count(*) FROM attachment WHERE issue = ?", (id,)).fetchone()[0]
    return TicketRecord(
        id=id,
        key=key,
        gate=_GATES[summary.partition(":")[0]],
        label=next(name for name in labels if name.startswith(RUN_LABEL)),
        status=_STATUSES[status].name,
        attachments=attachments,
        moves=tuple(_moves(database, id)),
        comments=tuple(body for (body,) in comments),
    )


def _moves(database: sqlite3.Connection, issue: int) -> Iterator[Move]:
    for author, items in database.execute("SELECT author, items FROM change WHERE issue = ? ORDER BY id", (issue,)):
        for field, _, origin, _, target, _ in json.loads(items):
            if field == "status":
                yield Move(author, origin, target)


def _deciding(tickets: Sequence[TicketRecord], gate: Gate) -> int:
    return sum(ticket.gate is gate and ticket.decided for ticket in tickets)


def _by_purpose(notifications: Sequence[Entity]) -> dict[str, int]:
    """Counts every notification under exactly one purpose, so that an unforeseen one is a mismatch."""
    counts = Counter({f"notifications: {purpose}": 0 for purpose in ("tickets", "rejected document", "the end")})
    for notification in notifications:
        if notification.get("assignment"):
            purpose = "tickets"
        elif notification["notificationType"] == _ENDED:
            purpose = "the end"
        elif _REJECTED_DOCUMENT in notification["message"]:
            purpose = "rejected document"
        else:
            purpose = "others"
        counts[f"notifications: {purpose}"] += 1
    return dict(counts)
