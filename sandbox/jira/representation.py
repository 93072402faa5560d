"""The JSON shapes of Jira's REST API v2, as Data Center writes them; `cloud.py` has what Cloud writes differently."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.jira import scheme
from sandbox.jira.people import Person
from sandbox.jira.scheme import Field, IssueType, Priority, Project, Resolution, Status, Transition
from sandbox.jira.store import Attachment, Change, ChangeItem, Comment, Issue, RemoteLink, Store, Webhook, now
from sandbox.jira.wiki import render_wiki

VERSION = "10.3.24"
TIME_ZONE = "Etc/UTC"
NAVIGABLE = frozenset(field.id for field in scheme.FIELDS if field.navigable) - {"issuekey"}
ALL = frozenset(field.id for field in scheme.FIELDS) - {"issuekey"}


def jira_time(moment: datetime) -> str:
    """A moment as Jira writes it: `2026-01-31T10:00:00.000+0000`."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"


def selected_fields(requested: Sequence[str], default: str) -> frozenset[str]:
    """The field ids that a `fields` parameter selects.

    Args:
        requested: names, `*all`, `*navigable`, or a name with `-` in front to leave it out.
        default: what an empty request means.
    """
    names = [name.strip() for entry in requested for name in entry.split(",") if name.strip()]
    chosen: set[str] = set()
    # A request of exclusions alone starts from the default set.
    for name in names if any(not name.startswith("-") for name in names) else [default, *names]:
        if name == "*all":
            chosen |= ALL
        elif name == "*navigable":
            chosen |= NAVIGABLE
        elif name.startswith("-"):
            chosen.discard(name[1:])
        else:
            chosen.add(name)
    return frozenset(chosen & ALL)


def value_page(values: Sequence[Any], start_at: int, max_results: int) -> dict[str, Any]:
    """A page of a list, in the form that most lists of both editions have."""
    start_at, max_results = max(start_at, 0), max(max_results, 0)
    page = list(values[start_at : start_at + max_results])
    return {
        "maxResults": max_results,
        "startAt": start_at,
        "total": len(values),
        "isLast": start_at + len(page) >= len(values),
        "values": page,
    }


class Representation:
    """Writes sandbox objects as Data Center's JSON.

    Args:
        base_url: what absolute links start with, without a slash at the end.
        store: read for what hangs on an issue.
    """

    def __init__(self, base_url: str, store: Store) -> None:
        self.base_url = base_url
        self._api = f"{base_url}/rest/api/2"
        self._store = store

    def server_info(self) -> dict[str, Any]:
        """The site itself."""
        return {
            "baseUrl": self.base_url,
            "version": VERSION,
            "versionNumbers": [int(part) for part in VERSION.split(".")],
            "deploymentType": "Server",
            "buildNumber": 10030024,
            "buildDate": "2026-01-15T00:00:00.000+0000",
            "databaseBuildNumber": 10030024,
            "serverTime": jira_time(now()),
            "scmInfo": "sandbox",
            "serverTitle": "Jira (sandbox)",
        }

    def user(self, person: Person) -> dict[str, Any]:
        """An account; Data Center has `name` and `key`, and no `accountId`."""
        return {
            "self": f"{self._api}/user?{urlencode({'username': person.name})}",
            "name": person.name,
            "key": person.key,
            "emailAddress": person.email,
            "avatarUrls": self._avatars(person),
            "displayName": person.display_name,
            "active": True,
            "timeZone": TIME_ZONE,
        }

    def myself(self, person: Person, expand: Collection[str]) -> dict[str, Any]:
        """The account of the caller."""
        return self.user_with_groups(person, expand)

    def _avatars(self, person: Person) -> dict[str, str]:
        path = f"{self.base_url}/secure/useravatar?ownerId={quote(person.key)}"
        return {f"{size}x{size}": f"{path}&size={size}" for size in (16, 24, 32, 48)}

    def user_with_groups(self, person: Person, expand: Collection[str]) -> dict[str, Any]:
        """An account as `user` returns it; group names only on `expand=groups`."""
        groups: dict[str, Any] = {"size": len(person.all_groups), "items": []}
        if "groups" in expand:
            groups["items"] = [self.group(name) for name in person.all_groups]
        return {
            **self.user(person),
            "deleted": False,
            "locale": "en_US",
            "groups": groups,
            "applicationRoles": {"size": 1, "items": []},
            "expand": "groups,applicationRoles",
        }

    def group(self, name: str) -> dict[str, Any]:
        """A group's name and link."""
        return {"name": name, "self": f"{self._api}/group?{urlencode({'groupname': name})}"}

    def project(self, project: Project) -> dict[str, Any]:
        """A project as it appears inside an issue."""
        return {
            "self": f"{self._api}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "business",
            "avatarUrls": {"48x48": self._icon()},
        }

    def project_in_full(self, project: Project, lead: Person) -> dict[str, Any]:
        """A project as `project/{key}` returns it."""
        return {
            **self.project(project),
            "expand": "description,lead,url,projectKeys",
            "description": project.description,
            "lead": self.user(lead),
            "components": [],
            "issueTypes": [self.issue_type(issue_type) for issue_type in scheme.ISSUE_TYPES],
            "assigneeType": "UNASSIGNED",
            "versions": [],
            "roles": {},
            "archived": False,
        }

    def _icon(self) -> str:
        return f"{self.base_url}/static/icon.svg"

    def issue_type(self, issue_type: IssueType) -> dict[str, Any]:
        """An issue type."""
        return {
            "self": f"{self._api}/issuetype/{issue_type.id}",
            "id": issue_type.id,
            "description": issue_type.description,
            "iconUrl": self._icon(),
            "name": issue_type.name,
            "subtask": False,
        }

    def status(self, status: Status) -> dict[str, Any]:
        """A status with its category."""
        category = status.category
        return {
            "self": f"{self._api}/status/{status.id}",
            "description": status.description,
            "iconUrl": self._icon(),
            "name": status.name,
            "id": status.id,
            "statusCategory": {
                "self": f"{self._api}/statuscategory/{category.id}",
                "id": category.id,
                "key": category.key,
                "colorName": category.color_name,
                "name": category.name,
            },
        }

    def resolution(self, resolution: Resolution) -> dict[str, Any]:
        """A resolution."""
        return {
            "self": f"{self._api}/resolution/{resolution.id}",
            "id": resolution.id,
            "description": resolution.description,
            "name": resolution.name,
        }

    def priority(self, priority: Priority) -> dict[str, Any]:
        """A priority."""
        return {
            "self": f"{self._api}/priority/{priority.id}",
            "iconUrl": self._icon(),
            "name": priority.name,
            "id": priority.id,
        }

    def field(self, field: Field) -> dict[str, Any]:
        """A field as `GET field` lists it."""
        return {
            "id": field.id,
            "name": field.name,
            "custom": field.custom,
            "orderable": field.on_create_screen,
            "navigable": field.navigable,
            "searchable": bool(field.clauses),
            "clauseNames": list(field.clauses),
            "schema": self.schema(field),
        }

    def schema(self, field: Field) -> dict[str, Any]:
        """A field's type."""
        schema: dict[str, Any] = {"type": field.type}
        if field.items:
            schema["items"] = field.items
        if field.custom:
            schema["custom"] = "com.atlassian.jira.plugin.system.customfieldtypes:textfield"
            schema["customId"] = int(field.id.removeprefix("customfield_"))
        else:
            schema["system"] = field.id
        return schema

    def create_page(self, name: str, values: list[dict[str, Any]], start_at: int, max_results: int) -> dict[str, Any]:
        """A page of what can be created.

        Args:
            name: what Cloud calls the list; Data Center calls every list `values`.
            values: the whole list.
            start_at: index of the page's first element.
            max_results: size of the page.
        """
        return value_page(values, start_at, max_results)

    def create_field(self, field: Field, project: Project, issue_type: IssueType) -> dict[str, Any]:
        """A field as the create screen of an issue type describes it."""
        described: dict[str, Any] = {
            "required": field.id in scheme.REQUIRED_EVERYWHERE or issue_type.id in field.required_for,
            "schema": self.schema(field),
            "name": field.name,
            "fieldId": field.id,
            "hasDefaultValue": field.id in ("priority", "reporter"),
            "operations": ["add", "set", "remove"] if field.type == "array" else ["set"],
        }
        allowed: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "project": lambda: [self.project(project)],
            "issuetype": lambda: [self.issue_type(issue_type)],
            "priority": lambda: [self.priority(priority) for priority in scheme.PRIORITIES],
        }
        if field.id in allowed:
            described["allowedValues"] = allowed[field.id]()
        return described

    def transition(self, transition: Transition, expand: Collection[str]) -> dict[str, Any]:
        """A transition; its screen's fields only on `expand=transitions.fields`."""
        described: dict[str, Any] = {
            "id": transition.id,
            "name": transition.name,
            "opsbarSequence": 10,
            "to": self.status(transition.to),
        }
        if "transitions.fields" in expand:
            described["fields"] = {}
        return described

    def attachment(self, attachment: Attachment) -> dict[str, Any]:
        """A file's description; `content` is where its bytes are."""
        return {
            "self": f"{self._api}/attachment/{attachment.id}",
            "id": str(attachment.id),
            "filename": attachment.filename,
            "author": self.user(attachment.author),
            "created": jira_time(attachment.created),
            "size": attachment.size,
            "mimeType": attachment.mime_type,
            "content": f"{self.base_url}/secure/attachment/{attachment.id}/{quote(attachment.filename)}",
        }

    def attachment_alone(self, attachment: Attachment) -> dict[str, Any]:
        """A file's description as `attachment/{id}` returns it."""
        return self.attachment(attachment)

    def comment(self, comment: Comment, rendered: bool = False) -> dict[str, Any]:
        """A comment; `rendered` adds its HTML."""
        described = {
            "self": f"{self._api}/issue/{comment.issue_id}/comment/{comment.id}",
            "id": str(comment.id),
            "author": self.user(comment.author),
            "body": comment.body,
            "updateAuthor": self.user(comment.update_author),
            "created": jira_time(comment.created),
            "updated": jira_time(comment.updated),
        }
        return described | ({"renderedBody": str(render_wiki(comment.body))} if rendered else {})

    def remote_link(self, issue: Issue, link: RemoteLink) -> dict[str, Any]:
        """A link to something outside Jira."""
        described = {
            "id": link.id,
            "self": f"{self._api}/issue/{issue.key}/remotelink/{link.id}",
            "application": link.content.get("application") or {},
            "object": {"icon": {}, "status": {"icon": {}}, **link.content["object"]},
        }
        if link.global_id is not None:
            described["globalId"] = link.global_id
        if link.content.get("relationship"):
            described["relationship"] = link.content["relationship"]
        return described

    def change_item(self, item: ChangeItem) -> dict[str, Any]:
        """One changed field."""
        return {
            "field": item.field,
            "fieldtype": "custom" if item.custom else "jira",
            "from": item.from_value,
            "fromString": item.from_string,
            "to": item.to_value,
            "toString": item.to_string,
        }

    def change(self, change: Change) -> dict[str, Any]:
        """One entry of an issue's history."""
        return {
            "id": str(change.id),
            "author": self.user(change.author),
            "created": jira_time(change.created),
            "items": [self.change_item(item) for item in change.items],
        }

    def changelog(self, issue: Issue) -> dict[str, Any]:
        """The whole history, oldest first: Data Center does not page it."""
        histories = [self.change(change) for change in self._store.changes(issue.id)]
        return {"startAt": 0, "maxResults": len(histories), "total": len(histories), "histories": histories}

    def fields(self, issue: Issue, selection: Collection[str] = ALL) -> dict[str, Any]:
        """The selected fields of an issue."""
        makers: dict[str, Callable[[], object]] = {
            "project": lambda: self.project(issue.project),
            "issuetype": lambda: self.issue_type(issue.issuetype),
            "summary": lambda: issue.summary,
            "description": lambda: issue.description,
            "status": lambda: self.status(issue.status),
            "resolution": lambda: self.resolution(issue.resolution) if issue.resolution else None,
            "resolutiondate": lambda: jira_time(issue.resolved) if issue.resolved else None,
            "priority": lambda: self.priority(issue.priority),
            "labels": lambda: list(issue.labels),
            "assignee": lambda: self.user(issue.assignee) if issue.assignee else None,
            "reporter": lambda: self.user(issue.reporter),
            "creator": lambda: self.user(issue.creator),
            "created": lambda: jira_time(issue.created),
            "updated": lambda: jira_time(issue.updated),
            "attachment": lambda: [self.attachment(entry) for entry in self._store.attachments(issue.id)],
            "comment": lambda: self.comments(issue),
            "customfield_10100": lambda: issue.business_unit,
        }
        return {name: make() for name, make in makers.items() if name in selection}

    def comments(self, issue: Issue) -> dict[str, Any]:
        """All comments of an issue, as the field `comment` holds them."""
        comments = [self.comment(comment) for comment in self._store.comments(issue.id)]
        return {"comments": comments, "maxResults": len(comments), "total": len(comments), "startAt": 0}

    def issue_reference(self, issue: Issue) -> dict[str, Any]:
        """What `POST issue` answers."""
        return {"id": str(issue.id), "key": issue.key, "self": f"{self._api}/issue/{issue.id}"}

    def issue(
        self,
        issue: Issue,
        selection: Collection[str] = ALL,
        expand: Collection[str] = (),
        properties: Collection[str] = (),
    ) -> dict[str, Any]:
        """An issue with the selected fields.

        Args:
            issue: the issue.
            selection: field ids.
            expand: any of `changelog`, `transitions`, `renderedFields`, `names`, `schema`.
            properties: keys of the issue properties to include; `*all` for every one.
        """
        described: dict[str, Any] = {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
            **self.issue_reference(issue),
            "fields": self.fields(issue, selection),
        }
        if properties:
            stored = self._store.properties(issue.id)
            described["properties"] = {
                key: value for key, value in stored.items() if key in properties or "*all" in properties
            }
        if "changelog" in expand:
            described["changelog"] = self.changelog(issue)
        if "transitions" in expand:
            available = self._store.available_transitions(issue.status)
            described["transitions"] = [self.transition(transition, expand) for transition in available]
        if "renderedFields" in expand:
            described["renderedFields"] = self._rendered_fields(issue, selection)
        if "names" in expand:
            described["names"] = {field.id: field.name for field in scheme.FIELDS if field.id in selection}
        if "schema" in expand:
            described["schema"] = {field.id: self.schema(field) for field in scheme.FIELDS if field.id in selection}
        return described

    def _rendered_fields(self, issue: Issue, selection: Collection[str]) -> dict[str, Any]:
        rendered: dict[str, Any] = dict.fromkeys(selection)
        if "description" in selection:
            rendered["description"] = str(render_wiki(issue.description or ""))
        if "comment" in selection:
            comments = [self.comment(entry, rendered=True) for entry in self._store.comments(issue.id)]
            bodies = [{**comment, "body": comment["renderedBody"]} for comment in comments]
            rendered["comment"] = {**self.comments(issue), "comments": bodies}
        return rendered

    def webhook(self, webhook: Webhook) -> dict[str, Any]:
        """A registered webhook; the secret never leaves the server again."""
        return {
            "id": webhook.id,
            "name": webhook.name,
            "createdDate": round(webhook.created.timestamp() * 1000),
            "url": webhook.url,
            "events": list(webhook.events),
            "configuration": {"FILTERS": webhook.jql, "EXCLUDE_BODY": "false"},
            "active": webhook.active,
            "isSigned": webhook.secret is not None,
            "scopeType": "global",
            "sslVerificationRequired": True,
            "self": f"{self.base_url}/rest/jira-webhook/1.0/webhooks/{webhook.id}",
        }
