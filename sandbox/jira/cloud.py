"""What Jira Cloud writes differently from Data Center: people, attachments, histories, create screens, webhooks."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from sandbox.jira.people import Person, person_by_key
from sandbox.jira.representation import TIME_ZONE, Representation, jira_time, value_page
from sandbox.jira.scheme import Field, IssueType, Project, Transition
from sandbox.jira.store import Attachment, ChangeItem, Comment, Issue, Webhook, now

VERSION = "1001.0.0-SNAPSHOT"
RECENT_CHANGES = 100

# Changelog names of fields that differ from the field's id.
_FIELD_IDS = {"Attachment": "attachment", "Key": "issuekey", "Business unit": "customfield_10100"}
_USER_FIELDS = frozenset({"assignee", "reporter"})
_NO_FIELD = frozenset({"RemoteIssueLink"})


def group_id(name: str) -> str:
    """The identifier Cloud gives a group beside its name, which may change."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"group:{name}"))


class CloudRepresentation(Representation):
    """Writes sandbox objects as Cloud's JSON."""

    def server_info(self) -> dict[str, Any]:
        """The site itself; every Cloud site is of version 1001."""
        return {
            "baseUrl": self.base_url,
            "displayUrl": self.base_url,
            "version": VERSION,
            "versionNumbers": [1001, 0, 0],
            "deploymentType": "Cloud",
            "buildNumber": 100300,
            "buildDate": "2026-01-15T00:00:00.000+0000",
            "serverTime": jira_time(now()),
            "scmInfo": "sandbox",
            "serverTitle": "Jira (sandbox)",
        }

    def user(self, person: Person) -> dict[str, Any]:
        """An account as others see it: without `name` and `key`, and with the e-mail address kept private."""
        return {
            "self": f"{self._api}/user?{urlencode({'accountId': person.account_id})}",
            "accountId": person.account_id,
            "accountType": person.account_type,
            "avatarUrls": self._avatars(person),
            "displayName": person.display_name,
            "active": True,
            "timeZone": TIME_ZONE,
        }

    def myself(self, person: Person, expand: Collection[str]) -> dict[str, Any]:
        """The account of the caller, who may know their own e-mail address."""
        return {**self.user_with_groups(person, expand), "emailAddress": person.email}

    def user_with_groups(self, person: Person, expand: Collection[str]) -> dict[str, Any]:
        """An account as `user` returns it; group names only on `expand=groups`."""
        described = super().user_with_groups(person, expand)
        del described["deleted"]
        return described

    def group(self, name: str) -> dict[str, Any]:
        """A group's name, identifier and link."""
        identifier = group_id(name)
        return {"name": name, "groupId": identifier, "self": f"{self._api}/group?{urlencode({'groupId': identifier})}"}

    def project(self, project: Project) -> dict[str, Any]:
        """A project as it appears inside an issue."""
        return {**super().project(project), "simplified": False}

    def project_in_full(self, project: Project, lead: Person) -> dict[str, Any]:
        """A project as `project/{key}` returns it; `classic` is what Cloud calls company-managed."""
        described = super().project_in_full(project, lead)
        return {**described, "style": "classic", "isPrivate": False, "properties": {}}

    def issue_type(self, issue_type: IssueType) -> dict[str, Any]:
        """An issue type; ordinary ones are on level 0 of Cloud's hierarchy."""
        return {**super().issue_type(issue_type), "hierarchyLevel": 0}

    def field(self, field: Field) -> dict[str, Any]:
        """A field as `GET field` lists it."""
        return {**super().field(field), "key": field.id}

    def create_page(self, name: str, values: list[dict[str, Any]], start_at: int, max_results: int) -> dict[str, Any]:
        """A page of what can be created, whose list has a name of its own."""
        page = value_page(values, start_at, max_results)
        return {
            "maxResults": page["maxResults"],
            "startAt": page["startAt"],
            "total": page["total"],
            name: page["values"],
        }

    def create_field(self, field: Field, project: Project, issue_type: IssueType) -> dict[str, Any]:
        """A field as the create screen of an issue type describes it."""
        return {**super().create_field(field, project, issue_type), "key": field.id}

    def transition(self, transition: Transition, expand: Collection[str]) -> dict[str, Any]:
        """A transition with what Cloud says about its kind."""
        kind = {
            "hasScreen": False,
            "isGlobal": False,
            "isInitial": False,
            "isAvailable": True,
            "isConditional": False,
            "looped": False,
        }
        return {**super().transition(transition, expand), **kind}

    def attachment(self, attachment: Attachment) -> dict[str, Any]:
        """A file's description; its bytes are behind REST."""
        return {
            **super().attachment(attachment),
            "content": f"{self._api}/attachment/content/{attachment.id}",
        }

    def attachment_alone(self, attachment: Attachment) -> dict[str, Any]:
        """A file's description as `attachment/{id}` returns it, where the id is a number."""
        return {**self.attachment(attachment), "id": attachment.id}

    def comment(self, comment: Comment, rendered: bool = False) -> dict[str, Any]:
        """A comment; `rendered` adds its HTML."""
        return {**super().comment(comment, rendered), "jsdPublic": True}

    def change_item(self, item: ChangeItem) -> dict[str, Any]:
        """One changed field with its id; people are named by account id."""
        described = super().change_item(item)
        if item.field in _USER_FIELDS:
            described |= {"from": _account_id(item.from_value), "to": _account_id(item.to_value)}
        if item.field not in _NO_FIELD:
            described["fieldId"] = _FIELD_IDS.get(item.field, item.field)
        return described

    def changelog(self, issue: Issue) -> dict[str, Any]:
        """The most recent part of the history, newest first; `issue/{key}/changelog` has all of it."""
        changes = self._store.changes(issue.id)
        recent = [self.change(change) for change in reversed(changes[-RECENT_CHANGES:])]
        return {"startAt": 0, "maxResults": len(recent), "total": len(changes), "histories": recent}

    def webhook(self, webhook: Webhook) -> dict[str, Any]:
        """A registered webhook; the secret never leaves the server again."""
        return {
            "name": webhook.name,
            "url": webhook.url,
            "excludeBody": False,
            "filters": {"issue-related-events-section": webhook.jql},
            "events": list(webhook.events),
            "enabled": webhook.active,
            "isSigned": webhook.secret is not None,
            "self": f"{self.base_url}/rest/webhooks/1.0/webhook/{webhook.id}",
            "lastUpdated": round(webhook.created.timestamp() * 1000),
        }


def _account_id(key: str | None) -> str | None:
    person = person_by_key(key) if key else None
    return person.account_id if person else key
