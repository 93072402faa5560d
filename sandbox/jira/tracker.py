"""What people do to issues: every change is stored with its history first, and announced afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.jira import scheme
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal, issue_missing
from sandbox.jira.people import Person
from sandbox.jira.scheme import Project, Resolution, Status, Transition
from sandbox.jira.store import Attachment, Change, ChangeItem, Comment, Issue, Store, now

CREATED = "jira:issue_created"
UPDATED = "jira:issue_updated"
DELETED = "jira:issue_deleted"


@dataclass(frozen=True)
class IssueEvent:
    """Something that happened to an issue.

    Attributes:
        name: `jira:issue_created`, `jira:issue_updated` or `jira:issue_deleted`.
        type_name: Jira's finer event type, such as `issue_generic` for a transition.
        issue: the issue afterwards; of a deleted one, as it was.
        actor: who did it.
        at: when.
        change: the history entry, for updates that made one.
        comment: the comment that came with it, if any.
    """

    name: str
    type_name: str
    issue: Issue
    actor: Person
    at: datetime
    change: Change | None = None
    comment: Comment | None = None


Listener = Callable[[IssueEvent], None]


def _described(value: object) -> tuple[str | None, str | None]:
    """A field value as a changelog shows it: its identifier, and what people read."""
    if isinstance(value, Person):
        return value.key, value.display_name
    if isinstance(value, tuple):
        return "", " ".join(value)
    if value is None or isinstance(value, str):
        return None, value
    return str(getattr(value, "id", "")) or None, str(getattr(value, "name", value))


_CHANGELOG_NAMES = {"business_unit": "Business unit"}


def _differences(issue: Issue, values: Mapping[str, object]) -> list[ChangeItem]:
    items = []
    for attribute, after in values.items():
        before = getattr(issue, attribute)
        if before != after:
            name = _CHANGELOG_NAMES.get(attribute, attribute)
            custom = attribute in _CHANGELOG_NAMES
            items.append(ChangeItem(name, *_described(before), *_described(after), custom=custom))
    return items


class Tracker:
    """The operations of the sandbox, used by its REST API and by its board page alike.

    Args:
        store: where everything is kept.
        announce: called after a change is stored; must neither block nor raise.
        edition: in whose words a missing issue is reported.
    """

    def __init__(self, store: Store, announce: Listener, edition: Edition = Edition.DATA_CENTER) -> None:
        self.store = store
        self.edition = edition
        self._announce = announce

    def issue(self, id_or_key: str, viewer: Person | None = None) -> Issue:
        """The issue with this id, key or former key.

        Args:
            id_or_key: names the issue.
            viewer: who must be allowed to see it; None sees everything.

        Raises:
            JiraRefusal: 404.
        """
        issue = self.store.find_issue(id_or_key)
        if issue is None or (viewer and self.store.is_hidden(issue.id, viewer)):
            raise issue_missing(self.edition)
        return issue

    def create(self, values: Mapping[str, Any], properties: Mapping[str, object], actor: Person) -> Issue:
        """Makes an issue from the values of `fields.read_new_issue`."""
        at = now()
        columns: dict[str, object] = {"reporter": actor, "priority": scheme.DEFAULT_PRIORITY}
        columns |= {name: value for name, value in values.items() if name not in ("project", "labels")}
        columns |= {"status": scheme.TO_DO, "creator": actor, "created": at, "updated": at}
        with self.store.transaction():
            issue_id = self.store.insert_issue(values["project"], columns, values.get("labels", ()))
            for key, value in properties.items():
                self.store.put_property(issue_id, key, value)
        issue = self.issue(str(issue_id))
        self._announce(IssueEvent(CREATED, "issue_created", issue, actor, at))
        return issue

    def edit(self, issue: Issue, values: Mapping[str, Any], actor: Person, comments: Sequence[str] = ()) -> None:
        """Changes fields, and adds comments with the same stroke; nothing happens where nothing differs."""
        type_name = "issue_assigned" if set(values) == {"assignee"} else "issue_updated"
        self._apply(issue, values, actor, type_name, comments)

    def transition(
        self,
        issue: Issue,
        transition_id: str,
        actor: Person,
        values: Mapping[str, Any] | None = None,
        comments: Sequence[str] = (),
    ) -> Transition:
        """Moves an issue along its workflow and sets or clears its resolution.

        Raises:
            JiraRefusal: 400 if the workflow does not offer that move from where the issue is.
        """
        for transition in self.store.available_transitions(issue.status):
            if transition.id == transition_id:
                break
        else:
            raise JiraRefusal(
                400,
                [
                    f"It seems that you have tried to perform a workflow operation ({transition_id}) that is not valid"
                    f" for the current state of this issue {issue.key}."
                ],
            )
        given = dict(values or {})
        resolution = self._resolution(transition.to, given.pop("resolution", None))
        resolved = now() if resolution else None
        changed = given | {"resolution": resolution, "status": transition.to}
        self._apply(issue, changed, actor, "issue_generic", comments, extra={"resolved": resolved})
        return transition

    @staticmethod
    def _resolution(status: Status, chosen: Resolution | None) -> Resolution | None:
        on_entry = scheme.RESOLUTION_ON_ENTRY.get(status.id)
        return (chosen or on_entry) if on_entry else None

    def _apply(
        self,
        issue: Issue,
        values: Mapping[str, Any],
        actor: Person,
        type_name: str,
        comments: Sequence[str] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        items = _differences(issue, values)
        if not items and not comments:
            return
        at = now()
        with self.store.transaction():
            self.store.update_issue(issue.id, {**values, **(extra or {}), "updated": at})
            change = self.store.insert_change(issue.id, actor, at, items) if items else None
            added = [self.store.insert_comment(issue.id, body, actor, at) for body in comments]
        self._updated(issue.id, actor, at, type_name, change, added[0] if added else None)
        for comment in added[1:]:
            self._updated(issue.id, actor, at, "issue_commented", None, comment)

    def _updated(
        self,
        issue_id: int,
        actor: Person,
        at: datetime,
        type_name: str,
        change: Change | None = None,
        comment: Comment | None = None,
    ) -> None:
        self._announce(IssueEvent(UPDATED, type_name, self.issue(str(issue_id)), actor, at, change, comment))

    def move(self, issue: Issue, project: Project, actor: Person) -> Issue:
        """Moves an issue to another project: it keeps its id and gets a new key."""
        if project == issue.project:
            return issue
        at = now()
        with self.store.transaction():
            self.store.move_issue(issue, project)
            moved = self.issue(str(issue.id))
            items = [
                ChangeItem("project", issue.project.id, issue.project.name, project.id, project.name),
                ChangeItem("Key", None, issue.key, None, moved.key),
            ]
            change = self.store.insert_change(issue.id, actor, at, items)
            self.store.update_issue(issue.id, {"updated": at})
        self._updated(issue.id, actor, at, "issue_moved", change)
        return self.issue(str(issue.id))

    def delete(self, issue: Issue, actor: Person) -> None:
        """Removes an issue; the announcement carries it as it was."""
        # Announced first, because the payload shows attachments and comments that are about to go;
        # deliveries leave the queue only after the handler that called this has returned.
        self._announce(IssueEvent(DELETED, "issue_deleted", issue, actor, now()))
        with self.store.transaction():
            self.store.delete_issue(issue.id)

    def attach(self, issue: Issue, filename: str, mime_type: str, content: bytes, actor: Person) -> Attachment:
        """Puts a file on an issue. Jira keeps duplicates, and so does this."""
        at = now()
        with self.store.transaction():
            attachment = self.store.insert_attachment(issue.id, filename, mime_type, content, actor, at)
            item = ChangeItem("Attachment", None, None, str(attachment.id), filename)
            change = self.store.insert_change(issue.id, actor, at, [item])
            self.store.update_issue(issue.id, {"updated": at})
        self._updated(issue.id, actor, at, "issue_updated", change)
        return attachment

    def remove_attachment(self, attachment: Attachment, actor: Person) -> None:
        """Takes a file off its issue."""
        at = now()
        item = ChangeItem("Attachment", str(attachment.id), attachment.filename, None, None)
        with self.store.transaction():
            self.store.delete_attachment(attachment.id)
            change = self.store.insert_change(attachment.issue_id, actor, at, [item])
            self.store.update_issue(attachment.issue_id, {"updated": at})
        self._updated(attachment.issue_id, actor, at, "issue_updated", change)

    def comment(self, issue: Issue, body: str, actor: Person) -> Comment:
        """Adds a comment."""
        at = now()
        with self.store.transaction():
            comment = self.store.insert_comment(issue.id, body, actor, at)
            self.store.update_issue(issue.id, {"updated": at})
        self._updated(issue.id, actor, at, "issue_commented", comment=comment)
        return comment

    def find_comment(self, issue: Issue, comment_id: str) -> Comment:
        """A comment of an issue.

        Raises:
            JiraRefusal: 404.
        """
        for comment in self.store.comments(issue.id):
            if str(comment.id) == comment_id:
                return comment
        raise JiraRefusal(404, [f"Can not find a comment for the id: {comment_id}."])

    def edit_comment(self, issue: Issue, comment: Comment, body: str, actor: Person) -> Comment:
        """Overwrites a comment."""
        at = now()
        with self.store.transaction():
            self.store.update_comment(comment.id, body, actor, at)
            self.store.update_issue(issue.id, {"updated": at})
        edited = self.find_comment(issue, str(comment.id))
        self._updated(issue.id, actor, at, "issue_comment_edited", comment=edited)
        return edited

    def remove_comment(self, issue: Issue, comment: Comment, actor: Person) -> None:
        """Deletes a comment."""
        at = now()
        with self.store.transaction():
            self.store.delete_comment(comment.id)
            self.store.update_issue(issue.id, {"updated": at})
        self._updated(issue.id, actor, at, "issue_comment_deleted")

    def link(self, issue: Issue, content: Mapping[str, Any], actor: Person) -> tuple[int, bool]:
        """Adds a remote link, or overwrites the one with the same `globalId`.

        Returns:
            The link's id, and whether it is new.
        """
        at = now()
        title = content["object"]["title"]
        with self.store.transaction():
            link_id, new = self.store.put_remote_link(issue.id, content.get("globalId"), content)
            if new:
                text = f'This issue links to "{title} (Web Link)"'
                item = ChangeItem("RemoteIssueLink", None, None, str(link_id), text)
                self.store.insert_change(issue.id, actor, at, [item])
        return link_id, new
