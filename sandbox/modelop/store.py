"""Where entities and tokens live: one SQLite file, every entity a JSON document with a version."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.modelop.errors import timestamp

Entity = dict[str, Any]
"""One entity as the interface shows it, `_links` aside."""

SYSTEM = "SYSTEM"
"""The author of changes that no caller made."""

MANAGED_FIELDS = ("id", "version", "createdDate", "createdBy", "lastModifiedDate", "lastModifiedBy")
"""Fields that only the server sets."""

_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entity (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (collection, id)
);
CREATE TABLE IF NOT EXISTS token (
    token TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    kind TEXT NOT NULL,
    expires REAL NOT NULL
);
"""


@dataclass(frozen=True)
class Page:
    """One page of a collection.

    Attributes:
        items: the entities of this page, in order.
        number: zero-based number of this page.
        size: the largest number of entities on a page.
        total: entities in the whole collection.
    """

    items: list[Entity]
    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages the collection has."""
        return -(-self.total // self.size)


@dataclass(frozen=True)
class TokenRecord:
    """What an issued token stands for. `expires` is in seconds since the epoch; `kind` is `access` or `refresh`."""

    username: str
    kind: str
    expires: float


def canonical_id(text: str) -> str:
    """A UUID in lower case with hyphens; any other text unchanged, so that it is simply not found."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return text


class Store:
    """Entities by collection and id.

    All calls come from the server's event loop and take milliseconds, so each read-change-write is atomic without a
    lock.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the file; the store must not be used afterwards."""
        self._database.close()

    def is_empty(self) -> bool:
        """True until the first entity is added."""
        return self._database.execute("SELECT 1 FROM entity LIMIT 1").fetchone() is None

    def add(self, collection: str, fields: Entity, *, by: str, entity_id: str | None = None) -> Entity:
        """Adds an entity with a new id (or `entity_id`), version 0 and its dates, and returns it."""
        now = timestamp(datetime.now(UTC))
        entity = {
            **fields,
            "id": entity_id or str(uuid.uuid4()),
            "group": fields.get("group") or "modelop",
            "version": 0,
            "createdDate": now,
            "lastModifiedDate": now,
            "createdBy": by,
            "lastModifiedBy": by,
        }
        self._database.execute(
            "INSERT INTO entity (collection, id, body) VALUES (?, ?, ?)",
            (collection, entity["id"], _dump(entity)),
        )
        return entity

    def save(self, collection: str, entity: Entity, *, by: str) -> Entity:
        """Replaces an entity's fields, counts its version up, and returns it as stored."""
        saved = {
            **entity,
            "version": int(entity["version"]) + 1,
            "lastModifiedDate": timestamp(datetime.now(UTC)),
            "lastModifiedBy": by,
        }
        self._database.execute(
            "UPDATE entity SET body = ? WHERE collection = ? AND id = ?",
            (_dump(saved), collection, saved["id"]),
        )
        return saved

    def get(self, collection: str, entity_id: str) -> Entity | None:
        """The entity, or None; a UUID is found however it is written."""
        row = self._database.execute(
            "SELECT body FROM entity WHERE collection = ? AND id = ?", (collection, canonical_id(entity_id))
        ).fetchone()
        return None if row is None else _load(row[0])

    def delete(self, collection: str, entity_id: str) -> None:
        """Removes an entity; removing one that is not there changes nothing."""
        self._database.execute(
            "DELETE FROM entity WHERE collection = ? AND id = ?", (collection, canonical_id(entity_id))
        )

    def page(
        self,
        collection: str,
        *,
        number: int = 0,
        size: int = 20,
        sort: str | None = None,
        descending: bool = False,
    ) -> Page:
        """A page of a collection, sorted by a dotted field path; ties stay in the order of creation.

        Raises:
            ValueError: `sort` is not a dotted field path.
        """
        direction = "DESC" if descending else "ASC"
        order = f"sequence {direction}"
        if sort is not None:
            if not _FIELD_PATH.fullmatch(sort):
                raise ValueError(f"{sort!r} is not a field path such as modelMetaData.name")
            order = f"json_extract(body, '$.{sort}') {direction}, {order}"
        rows = self._database.execute(
            f"SELECT body FROM entity WHERE collection = ? ORDER BY {order} LIMIT ? OFFSET ?",
            (collection, size, number * size),
        )
        items = [_load(row[0]) for row in rows]
        total = self._database.execute("SELECT count(*) FROM entity WHERE collection = ?", (collection,))
        return Page(items, number, size, total.fetchone()[0])

    def find(self, collection: str, path: str, value: str) -> list[Entity]:
        """Entities whose field at a dotted path equals `value`, newest first."""
        rows = self._database.execute(
            "SELECT body FROM entity WHERE collection = ? AND json_extract(body, ?) = ? ORDER BY sequence DESC",
            (collection, f"$.{path}", value),
        )
        return [_load(row[0]) for row in rows]

    def count_by(self, collection: str, path: str, *, where_true: str | None = None) -> dict[str, int]:
        """How many entities there are for each value at a dotted path, only those whose field `where_true` is true."""
        condition = "" if where_true is None else "AND json_extract(body, :condition)"
        rows = self._database.execute(
            "SELECT json_extract(body, :path), count(*) FROM entity "
            f"WHERE collection = :collection {condition} GROUP BY 1",
            {"collection": collection, "path": f"$.{path}", "condition": f"$.{where_true}"},
        )
        return dict(rows.fetchall())

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is kept together, or not at all."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add_token(self, token: str, record: TokenRecord) -> None:
        """Remembers an issued token, and forgets those that expired before this moment."""
        self._database.execute("DELETE FROM token WHERE expires < ?", (datetime.now(UTC).timestamp(),))
        self._database.execute(
            "INSERT INTO token (token, username, kind, expires) VALUES (?, ?, ?, ?)",
            (token, record.username, record.kind, record.expires),
        )

    def token(self, token: str) -> TokenRecord | None:
        """What a token stands for, whether or not it has expired, or None."""
        row = self._database.execute("SELECT username, kind, expires FROM token WHERE token = ?", (token,)).fetchone()
        return None if row is None else TokenRecord(*row)


def _dump(entity: Entity) -> str:
    return json.dumps(entity, ensure_ascii=False, allow_nan=False)


def _load(body: str) -> Entity:
    entity: Entity = json.loads(body)
    return entity
