"""SQLite storage of issues and everything that hangs on them.

Times are stored as whole milliseconds since 1970 (UTC) and handed out as aware datetimes. All access is from one
thread, the server's event loop, which is what makes a read inside a handler see a consistent state.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.jira import scheme
from sandbox.jira.people import Person, find_person
from sandbox.jira.scheme import IssueType, Priority, Project, Resolution, Status, Transition

FIRST_ISSUE_ID = 10000

_TABLES = f"""
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS project_counter (project TEXT PRIMARY KEY, last_number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS issue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL UNIQUE COLLATE NOCASE,
    issuetype TEXT NOT NULL, status TEXT NOT NULL, resolution TEXT, priority TEXT NOT NULL,
    summary TEXT NOT NULL, description TEXT, business_unit TEXT,
    assignee TEXT, reporter TEXT NOT NULL, creator TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, resolved INTEGER
);
CREATE INDEX IF NOT EXISTS issue_project ON issue (project, status);
CREATE TABLE IF NOT EXISTS former_key (
    key TEXT PRIMARY KEY COLLATE NOCASE, issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS hidden (
    issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE, person TEXT NOT NULL, PRIMARY KEY (issue, person)
);
CREATE TABLE IF NOT EXISTS status_name (status TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS label (
    issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE, name TEXT NOT NULL, PRIMARY KEY (issue, name)
);
CREATE INDEX IF NOT EXISTS label_name ON label (name COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS attachment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE,
    filename TEXT NOT NULL, mime_type TEXT NOT NULL, size INTEGER NOT NULL, author TEXT NOT NULL,
    created INTEGER NOT NULL, content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS attachment_issue ON attachment (issue);
CREATE TABLE IF NOT EXISTS comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE,
    body TEXT NOT NULL, author TEXT NOT NULL, created INTEGER NOT NULL,
    update_author TEXT NOT NULL, updated INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS comment_issue ON comment (issue);
CREATE TABLE IF NOT EXISTS remote_link (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE,
    global_id TEXT, content TEXT NOT NULL, UNIQUE (issue, global_id)
);
CREATE TABLE IF NOT EXISTS property (
    issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (issue, key)
);
CREATE TABLE IF NOT EXISTS change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, issue INTEGER NOT NULL REFERENCES issue ON DELETE CASCADE,
    author TEXT NOT NULL, created INTEGER NOT NULL, items TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS change_issue ON change (issue);
CREATE TABLE IF NOT EXISTS webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
    jql TEXT NOT NULL, secret TEXT, active INTEGER NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, webhook TEXT NOT NULL, url TEXT NOT NULL,
    event TEXT NOT NULL, issue TEXT NOT NULL, status INTEGER, error TEXT, milliseconds INTEGER NOT NULL
);
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'issue', {FIRST_ISSUE_ID - 1} WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'issue');
"""

_COLUMNS = "id, project, key, issuetype, status, resolution, priority, summary, description, business_unit, assignee, \
reporter, creator, created, updated, resolved"

_RESOLUTIONS = {resolution.id: resolution for resolution in scheme.RESOLUTIONS}
_PRIORITIES = {priority.id: priority for priority in scheme.PRIORITIES}
_ISSUE_TYPES = {issue_type.id: issue_type for issue_type in scheme.ISSUE_TYPES}
_PROJECTS = {project.id: project for project in scheme.PROJECTS}


@dataclass(frozen=True)
class Issue:
    """One issue as it is now."""

    id: int
    project: Project
    key: str
    issuetype: IssueType
    status: Status
    resolution: Resolution | None
    priority: Priority
    summary: str
    description: str | None
    business_unit: str | None
    assignee: Person | None
    reporter: Person
    creator: Person
    created: datetime
    updated: datetime
    resolved: datetime | None
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Attachment:
    """A file on an issue, without its bytes; `size` is in bytes."""

    id: int
    issue_id: int
    filename: str
    mime_type: str
    size: int
    author: Person
    created: datetime


@dataclass(frozen=True)
class Comment:
    """A comment in wiki markup."""

    id: int
    issue_id: int
    body: str
    author: Person
    created: datetime
    update_author: Person
    updated: datetime


@dataclass(frozen=True)
class RemoteLink:
    """A link to something outside Jira; `content` is the JSON it was made with."""

    id: int
    global_id: str | None
    content: dict[str, Any]


@dataclass(frozen=True)
class ChangeItem:
    """One changed field. `*_value` are identifiers, `*_string` what people read; see Jira's changelog."""

    field: str
    from_value: str | None
    from_string: str | None
    to_value: str | None
    to_string: str | None
    custom: bool = False


@dataclass(frozen=True)
class Change:
    """What one person changed in one go."""

    id: int
    author: Person
    created: datetime
    items: tuple[ChangeItem, ...]


@dataclass(frozen=True)
class Webhook:
    """A registered webhook; `jql` empty matches every issue, `secret` None sends no signature."""

    id: int
    name: str
    url: str
    events: tuple[str, ...]
    jql: str
    secret: str | None
    active: bool
    created: datetime


@dataclass(frozen=True)
class Delivery:
    """An attempt to deliver a webhook: the answer's status, or the error that prevented one."""

    at: datetime
    webhook: str
    url: str
    event: str
    issue: str
    status: int | None
    error: str | None
    milliseconds: int


def now() -> datetime:
    """The present, cut to milliseconds as Jira shows it."""
    return _from_milliseconds(_to_milliseconds(datetime.now(UTC)))


def _to_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _from_milliseconds(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)


def _person(name: str) -> Person:
    person = find_person(name)
    # Data made by a version that knew more people must stay readable.
    return person or Person(name, name, name, password="", on_board=False)


def _stored(value: object) -> object:
    """A value of a dataclass above as SQLite keeps it."""
    if isinstance(value, Person):
        return value.name
    if isinstance(value, datetime):
        return _to_milliseconds(value)
    return getattr(value, "id", value)


def words_match(text: str | None, query: str) -> bool:
    """Whether every word of a text query occurs in a text as a word; `word*` matches a beginning."""
    words = [word.lower() for word in re.findall(r"\w+", text or "")]
    for wanted in re.findall(r"\w+\*?", query.lower()):
        if wanted.endswith("*"):
            if not any(word.startswith(wanted[:-1]) for word in words):
                return False
        elif wanted not in words:
            return False
    return True


class Store:
    """The database of one sandbox.

    Args:
        path: the database file; it and its folder are made when missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.create_function("words_match", 2, words_match, deterministic=True)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;")
        self._db.executescript(_TABLES)
        self._db.executemany(
            "INSERT OR IGNORE INTO project_counter VALUES (?, 0)", [(project.id,) for project in scheme.PROJECTS]
        )
        names = {row["status"]: row["name"] for row in self._db.execute("SELECT status, name FROM status_name")}
        self._statuses = {s.id: replace(s, name=names.get(s.id, s.name)) for s in scheme.STATUSES}

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def setting(self, name: str, default: str) -> str:
        """A stored setting; the default is stored when there is none yet."""
        self._db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (name, default))
        row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row["value"])

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The workflow's statuses under the names they have now."""
        return tuple(self._statuses.values())

    def rename_status(self, status: Status, name: str) -> None:
        """Gives a status another name; its id stays, and so does what histories already say."""
        self._db.execute("INSERT OR REPLACE INTO status_name VALUES (?, ?)", (status.id, name))
        self._statuses[status.id] = replace(status, name=name)

    def available_transitions(self, status: Status) -> tuple[Transition, ...]:
        """The moves the workflow allows from a status."""
        allowed = scheme.available_transitions(status)
        return tuple(replace(transition, to=self._statuses[transition.to.id]) for transition in allowed)

    def insert_issue(self, project: Project, values: Mapping[str, object], labels: Sequence[str]) -> int:
        """Stores a new issue under the project's next key and returns its id."""
        number, key = self._next_key(project)
        columns = {"project": project.id, "number": number, "key": key}
        columns |= {column: _stored(value) for column, value in values.items()}
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        cursor = self._db.execute(f"INSERT INTO issue ({names}) VALUES ({marks})", list(columns.values()))
        issue_id = int(cursor.lastrowid or 0)
        self._replace_labels(issue_id, labels)
        return issue_id

    def _next_key(self, project: Project) -> tuple[int, str]:
        row = self._db.execute(
            "UPDATE project_counter SET last_number = last_number + 1 WHERE project = ? RETURNING last_number",
            (project.id,),
        ).fetchone()
        return row["last_number"], f"{project.key}-{row['last_number']}"

    def update_issue(self, issue_id: int, values: Mapping[str, Any]) -> None:
        """Overwrites columns of an issue; `labels`, if given, replaces them all."""
        columns = {name: _stored(value) for name, value in values.items() if name != "labels"}
        if columns:
            assignments = ", ".join(f"{name} = ?" for name in columns)
            self._db.execute(f"UPDATE issue SET {assignments} WHERE id = ?", [*columns.values(), issue_id])
        if "labels" in values:
            self._replace_labels(issue_id, values["labels"])

    def _replace_labels(self, issue_id: int, labels: Sequence[str]) -> None:
        self._db.execute("DELETE FROM label WHERE issue = ?", (issue_id,))
        self._db.executemany("INSERT OR IGNORE INTO label VALUES (?, ?)", [(issue_id, name) for name in labels])

    def move_issue(self, issue: Issue, project: Project) -> None:
        """Gives an issue the next key of another project; its former key keeps finding it."""
        number, key = self._next_key(project)
        self._db.execute("INSERT INTO former_key VALUES (?, ?)", (issue.key, issue.id))
        self.update_issue(issue.id, {"project": project, "number": number, "key": key})

    def hide_issue(self, issue_id: int, person: Person, *, hidden: bool) -> None:
        """Makes an issue invisible to one account, or visible again."""
        self._db.execute("DELETE FROM hidden WHERE issue = ? AND person = ?", (issue_id, person.name))
        if hidden:
            self._db.execute("INSERT INTO hidden VALUES (?, ?)", (issue_id, person.name))

    def is_hidden(self, issue_id: int, person: Person) -> bool:
        """Whether an account may not see an issue."""
        row = self._db.execute("SELECT 1 FROM hidden WHERE issue = ? AND person = ?", (issue_id, person.name))
        return row.fetchone() is not None

    def delete_issue(self, issue_id: int) -> None:
        """Removes an issue and everything on it."""
        self._db.execute("DELETE FROM issue WHERE id = ?", (issue_id,))

    def find_issue(self, id_or_key: str) -> Issue | None:
        """The issue with this numeric id, key in any case, or former key."""
        if id_or_key.isascii() and id_or_key.isdigit():
            condition, argument = "id = ?", id_or_key
        else:
            condition = "key = ?1 OR id = (SELECT issue FROM former_key WHERE key = ?1)"
            argument = id_or_key
        row = self._db.execute(f"SELECT {_COLUMNS} FROM issue WHERE {condition}", (argument,)).fetchone()
        return self._issue(row) if row else None

    def select_issues(
        self, condition: str, arguments: Sequence[object], order: str, limit: int, offset: int
    ) -> tuple[list[Issue], int]:
        """A page of the issues that meet an SQL condition, and how many meet it in all."""
        total = self._db.execute(f"SELECT count(*) FROM issue WHERE {condition}", arguments).fetchone()[0]
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM issue WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?",
            [*arguments, limit, offset],
        )
        return [self._issue(row) for row in rows.fetchall()], int(total)

    def _issue(self, row: sqlite3.Row) -> Issue:
        labels = self._db.execute("SELECT name FROM label WHERE issue = ? ORDER BY name", (row["id"],))
        return Issue(
            id=row["id"],
            project=_PROJECTS[row["project"]],
            key=row["key"],
            issuetype=_ISSUE_TYPES[row["issuetype"]],
            status=self._statuses[row["status"]],
            resolution=_RESOLUTIONS.get(row["resolution"]),
            priority=_PRIORITIES[row["priority"]],
            summary=row["summary"],
            description=row["description"],
            business_unit=row["business_unit"],
            assignee=_person(row["assignee"]) if row["assignee"] else None,
            reporter=_person(row["reporter"]),
            creator=_person(row["creator"]),
            created=_from_milliseconds(row["created"]),
            updated=_from_milliseconds(row["updated"]),
            resolved=_from_milliseconds(row["resolved"]) if row["resolved"] is not None else None,
            labels=tuple(label["name"] for label in labels),
        )

    def insert_change(self, issue_id: int, author: Person, at: datetime, items: Sequence[ChangeItem]) -> Change:
        """Adds an entry to an issue's history."""
        rows = [[i.field, i.from_value, i.from_string, i.to_value, i.to_string, i.custom] for i in items]
        cursor = self._db.execute(
            "INSERT INTO change (issue, author, created, items) VALUES (?, ?, ?, ?)",
            (issue_id, author.name, _to_milliseconds(at), json.dumps(rows)),
        )
        return Change(int(cursor.lastrowid or 0), author, at, tuple(items))

    def changes(self, issue_id: int) -> list[Change]:
        """An issue's history, oldest first."""
        rows = self._db.execute("SELECT * FROM change WHERE issue = ? ORDER BY id", (issue_id,))
        return [
            Change(
                row["id"],
                _person(row["author"]),
                _from_milliseconds(row["created"]),
                tuple(ChangeItem(*item) for item in json.loads(row["items"])),
            )
            for row in rows
        ]

    def insert_attachment(
        self, issue_id: int, filename: str, mime_type: str, content: bytes, author: Person, at: datetime
    ) -> Attachment:
        """Stores a file."""
        cursor = self._db.execute(
            "INSERT INTO attachment (issue, filename, mime_type, size, author, created, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (issue_id, filename, mime_type, len(content), author.name, _to_milliseconds(at), content),
        )
        return Attachment(int(cursor.lastrowid or 0), issue_id, filename, mime_type, len(content), author, at)

    def attachments(self, issue_id: int) -> list[Attachment]:
        """The files of an issue, oldest first."""
        rows = self._db.execute(
            "SELECT id, issue, filename, mime_type, size, author, created FROM attachment WHERE issue = ? ORDER BY id",
            (issue_id,),
        )
        return [_attachment(row) for row in rows]

    def find_attachment(self, attachment_id: int) -> Attachment | None:
        """A file by its id."""
        row = self._db.execute(
            "SELECT id, issue, filename, mime_type, size, author, created FROM attachment WHERE id = ?",
            (attachment_id,),
        ).fetchone()
        return _attachment(row) if row else None

    def attachment_content(self, attachment_id: int) -> bytes:
        """The bytes of a file.

        Raises:
            KeyError: there is no such file.
        """
        row = self._db.execute("SELECT content FROM attachment WHERE id = ?", (attachment_id,)).fetchone()
        if row is None:
            raise KeyError(attachment_id)
        return bytes(row["content"])

    def delete_attachment(self, attachment_id: int) -> None:
        """Removes a file."""
        self._db.execute("DELETE FROM attachment WHERE id = ?", (attachment_id,))

    def insert_comment(self, issue_id: int, body: str, author: Person, at: datetime) -> Comment:
        """Stores a comment."""
        moment = _to_milliseconds(at)
        cursor = self._db.execute(
            "INSERT INTO comment (issue, body, author, created, update_author, updated) VALUES (?, ?, ?, ?, ?, ?)",
            (issue_id, body, author.name, moment, author.name, moment),
        )
        return Comment(int(cursor.lastrowid or 0), issue_id, body, author, at, author, at)

    def comments(self, issue_id: int) -> list[Comment]:
        """The comments of an issue, oldest first."""
        rows = self._db.execute("SELECT * FROM comment WHERE issue = ? ORDER BY id", (issue_id,))
        return [
            Comment(
                row["id"],
                row["issue"],
                row["body"],
                _person(row["author"]),
                _from_milliseconds(row["created"]),
                _person(row["update_author"]),
                _from_milliseconds(row["updated"]),
            )
            for row in rows
        ]

    def update_comment(self, comment_id: int, body: str, author: Person, at: datetime) -> None:
        """Overwrites a comment's text."""
        self._db.execute(
            "UPDATE comment SET body = ?, update_author = ?, updated = ? WHERE id = ?",
            (body, author.name, _to_milliseconds(at), comment_id),
        )

    def delete_comment(self, comment_id: int) -> None:
        """Removes a comment."""
        self._db.execute("DELETE FROM comment WHERE id = ?", (comment_id,))

    def put_remote_link(self, issue_id: int, global_id: str | None, content: Mapping[str, Any]) -> tuple[int, bool]:
        """Stores a link, replacing the issue's link of the same global id; returns its id and whether it is new."""
        text = json.dumps(content)
        if global_id is not None:
            row = self._db.execute(
                "UPDATE remote_link SET content = ? WHERE issue = ? AND global_id = ? RETURNING id",
                (text, issue_id, global_id),
            ).fetchone()
            if row:
                return int(row["id"]), False
        cursor = self._db.execute(
            "INSERT INTO remote_link (issue, global_id, content) VALUES (?, ?, ?)", (issue_id, global_id, text)
        )
        return int(cursor.lastrowid or 0), True

    def remote_links(self, issue_id: int) -> list[RemoteLink]:
        """The links of an issue, oldest first."""
        rows = self._db.execute("SELECT * FROM remote_link WHERE issue = ? ORDER BY id", (issue_id,))
        return [RemoteLink(row["id"], row["global_id"], json.loads(row["content"])) for row in rows]

    def delete_remote_link(self, link_id: int) -> None:
        """Removes a link."""
        self._db.execute("DELETE FROM remote_link WHERE id = ?", (link_id,))

    def put_property(self, issue_id: int, key: str, value: object) -> bool:
        """Stores a property and returns whether it is new."""
        new = key not in self.properties(issue_id)
        self._db.execute("INSERT OR REPLACE INTO property VALUES (?, ?, ?)", (issue_id, key, json.dumps(value)))
        return new

    def properties(self, issue_id: int) -> dict[str, Any]:
        """The properties of an issue by key."""
        rows = self._db.execute("SELECT key, value FROM property WHERE issue = ? ORDER BY key", (issue_id,))
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def delete_property(self, issue_id: int, key: str) -> None:
        """Removes a property."""
        self._db.execute("DELETE FROM property WHERE issue = ? AND key = ?", (issue_id, key))

    def insert_webhook(
        self, name: str, url: str, events: Sequence[str], jql: str, secret: str | None, active: bool
    ) -> int:
        """Registers a webhook and returns its id."""
        cursor = self._db.execute(
            "INSERT INTO webhook (name, url, events, jql, secret, active, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, url, json.dumps(list(events)), jql, secret, active, _to_milliseconds(now())),
        )
        return int(cursor.lastrowid or 0)

    def webhooks(self) -> list[Webhook]:
        """The registered webhooks, oldest first."""
        return [
            Webhook(
                row["id"],
                row["name"],
                row["url"],
                tuple(json.loads(row["events"])),
                row["jql"],
                row["secret"],
                bool(row["active"]),
                _from_milliseconds(row["created"]),
            )
            for row in self._db.execute("SELECT * FROM webhook ORDER BY id")
        ]

    def delete_webhook(self, webhook_id: int) -> None:
        """Removes a webhook."""
        self._db.execute("DELETE FROM webhook WHERE id = ?", (webhook_id,))

    def insert_delivery(self, delivery: Delivery) -> None:
        """Adds a line to the delivery log."""
        self._db.execute(
            "INSERT INTO delivery (at, webhook, url, event, issue, status, error, milliseconds)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _to_milliseconds(delivery.at),
                delivery.webhook,
                delivery.url,
                delivery.event,
                delivery.issue,
                delivery.status,
                delivery.error,
                delivery.milliseconds,
            ),
        )

    def deliveries(self, limit: int) -> list[Delivery]:
        """The last lines of the delivery log, newest first."""
        rows = self._db.execute("SELECT * FROM delivery ORDER BY id DESC LIMIT ?", (limit,))
        return [
            Delivery(
                _from_milliseconds(row["at"]),
                row["webhook"],
                row["url"],
                row["event"],
                row["issue"],
                row["status"],
                row["error"],
                row["milliseconds"],
            )
            for row in rows
        ]


def _attachment(row: sqlite3.Row) -> Attachment:
    return Attachment(
        row["id"],
        row["issue"],
        row["filename"],
        row["mime_type"],
        row["size"],
        _person(row["author"]),
        _from_milliseconds(row["created"]),
    )
