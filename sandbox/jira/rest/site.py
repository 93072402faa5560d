"""Routes about the site itself: server, people, projects, fields, permissions."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request

from sandbox.jira import scheme
from sandbox.jira.auth import authenticated
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import GROUPS, PEOPLE, Person, find_person, members_of, person_by_key
from sandbox.jira.representation import jira_time
from sandbox.jira.rest.request import Api, listed
from sandbox.jira.scheme import IssueType, Project
from sandbox.jira.store import now

VERSION = "10.3.24"

PERMISSIONS = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "EDIT_ISSUES": "Edit Issues",
    "DELETE_ISSUES": "Delete Issues",
    "ASSIGN_ISSUES": "Assign Issues",
    "TRANSITION_ISSUES": "Transition Issues",
    "MOVE_ISSUES": "Move Issues",
    "LINK_ISSUES": "Link Issues",
    "ADD_COMMENTS": "Add Comments",
    "CREATE_ATTACHMENTS": "Create Attachments",
    "DELETE_ALL_ATTACHMENTS": "Delete All Attachments",
    "ADMINISTER": "Jira Administrators",
}


def site_routes(api: Api) -> APIRouter:
    """Routes about the site itself: server, people, projects, fields, configuration."""
    router = APIRouter()
    caller = Depends(api.caller)
    represent = api.represent

    @router.get("/serverInfo")
    async def server_info(request: Request) -> dict[str, Any]:
        authenticated(request, represent.base_url)
        return {
            "baseUrl": represent.base_url,
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

    @router.get("/myself")
    async def myself(request: Request, person: Person = caller) -> dict[str, Any]:
        return represent.user_with_groups(person, listed(request, "expand"))

    @router.get("/user", dependencies=[caller])
    async def user(request: Request, username: str | None = None, key: str | None = None) -> dict[str, Any]:
        if not username and not key:
            raise JiraRefusal(400, ["Either the 'username' or the 'key' query parameter must be provided."])
        person = find_person(username) if username else person_by_key(str(key))
        if person is None:
            raise JiraRefusal(404, [f"The user named '{username or key}' does not exist"])
        return represent.user_with_groups(person, listed(request, "expand"))

    @router.get("/user/search", dependencies=[caller])
    @router.get("/user/assignable/search", dependencies=[caller])
    async def search_users(username: str = "", startAt: int = 0, maxResults: int = 50) -> list[dict[str, Any]]:
        wanted = username.lower().strip()
        found = [
            represent.user(person)
            for person in sorted(PEOPLE, key=lambda person: person.name)
            # A lone full stop is Data Center's way to ask for everybody.
            if wanted in (".", "") or wanted in f"{person.name} {person.display_name} {person.email}".lower()
        ]
        return found[startAt : startAt + maxResults]

    @router.get("/group/member")
    async def group_members(
        groupname: str = "", startAt: int = 0, maxResults: int = 50, person: Person = caller
    ) -> dict[str, Any]:
        if not groupname:
            raise JiraRefusal(400, ["The name of the group must not be empty."])
        if not person.is_administrator:
            raise JiraRefusal(403, ["Only administrators can list the members of a group."])
        if groupname not in GROUPS:
            raise JiraRefusal(404, [f"The group named '{groupname}' does not exist."])
        members = members_of(groupname)
        page = members[startAt : startAt + maxResults]
        return {
            "self": f"{represent.base_url}/rest/api/2/group/member?groupname={quote(groupname)}",
            "maxResults": maxResults,
            "startAt": startAt,
            "total": len(members),
            "isLast": startAt + len(page) >= len(members),
            "values": [represent.user(member) for member in page],
        }

    @router.get("/project", dependencies=[caller])
    async def projects() -> list[dict[str, Any]]:
        return [represent.project(project) for project in scheme.PROJECTS]

    def _project(key: str) -> Project:
        project = scheme.find_project(key)
        if project is None:
            raise JiraRefusal(404, [f"No project could be found with key '{key}'."])
        return project

    @router.get("/project/{key}", dependencies=[caller])
    async def project(key: str) -> dict[str, Any]:
        return represent.project_in_full(_project(key), PEOPLE[-1])

    @router.get("/project/{key}/statuses", dependencies=[caller])
    async def project_statuses(key: str) -> list[dict[str, Any]]:
        _project(key)
        statuses = [represent.status(status) for status in scheme.STATUSES]
        kinds = [represent.issue_type(kind) for kind in scheme.ISSUE_TYPES]
        # This resource names its issue types only, without description and icon.
        return [
            {**{name: kind[name] for name in ("self", "id", "name", "subtask")}, "statuses": statuses} for kind in kinds
        ]

    def _create_project(key: str) -> Project:
        project = scheme.find_project(key)
        if project is None:
            raise JiraRefusal(400, [f"Project '{key}' doesn't exist or you do not have permission to view it."])
        return project

    @router.get("/issue/createmeta/{key}/issuetypes", dependencies=[caller])
    async def create_issue_types(key: str, startAt: int = 0, maxResults: int = 50) -> dict[str, Any]:
        _create_project(key)
        values = [represent.issue_type(kind) for kind in scheme.ISSUE_TYPES]
        return _page(values, startAt, maxResults)

    @router.get("/issue/createmeta/{key}/issuetypes/{type_id}", dependencies=[caller])
    async def create_fields(key: str, type_id: str, startAt: int = 0, maxResults: int = 50) -> dict[str, Any]:
        project = _create_project(key)
        kind: IssueType | None = next((kind for kind in scheme.ISSUE_TYPES if kind.id == type_id), None)
        if kind is None:
            raise JiraRefusal(400, [f"Issue type '{type_id}' doesn't exist in project '{key}'."])
        shown = [field for field in scheme.FIELDS if field.on_create_screen]
        values = [represent.create_field(field, project, kind) for field in shown]
        return _page(values, startAt, maxResults)

    @router.get("/field", dependencies=[caller])
    async def all_fields() -> list[dict[str, Any]]:
        return [represent.field(field) for field in scheme.FIELDS]

    @router.get("/status", dependencies=[caller])
    async def statuses() -> list[dict[str, Any]]:
        return [represent.status(status) for status in scheme.STATUSES]

    @router.get("/priority", dependencies=[caller])
    async def priorities() -> list[dict[str, Any]]:
        return [represent.priority(priority) for priority in scheme.PRIORITIES]

    @router.get("/resolution", dependencies=[caller])
    async def resolutions() -> list[dict[str, Any]]:
        return [represent.resolution(resolution) for resolution in scheme.RESOLUTIONS]

    @router.get("/issuetype", dependencies=[caller])
    async def issue_types() -> list[dict[str, Any]]:
        return [represent.issue_type(kind) for kind in scheme.ISSUE_TYPES]

    @router.get("/configuration", dependencies=[caller])
    async def configuration() -> dict[str, Any]:
        return {
            "votingEnabled": False,
            "watchingEnabled": False,
            "unassignedIssuesAllowed": True,
            "subTasksEnabled": False,
            "issueLinkingEnabled": True,
            "timeTrackingEnabled": False,
            "attachmentsEnabled": True,
        }

    @router.get("/mypermissions")
    async def my_permissions(request: Request, person: Person = caller) -> dict[str, Any]:
        query = request.query_params
        if key := query.get("projectKey") or query.get("projectId"):
            _project(key)
        if issue := query.get("issueKey") or query.get("issueId"):
            api.tracker.issue(issue)
        return {
            "permissions": {
                key: {
                    "id": str(index),
                    "key": key,
                    "name": name,
                    "type": "GLOBAL" if key == "ADMINISTER" else "PROJECT",
                    "description": name,
                    "havePermission": key != "ADMINISTER" or person.is_administrator,
                }
                for index, (key, name) in enumerate(PERMISSIONS.items(), start=10)
            }
        }

    return router


def _page(values: list[dict[str, Any]], start_at: int, max_results: int) -> dict[str, Any]:
    start_at, max_results = max(start_at, 0), max(max_results, 0)
    page = values[start_at : start_at + max_results]
    return {
        "maxResults": max_results,
        "startAt": start_at,
        "total": len(values),
        "isLast": start_at + len(page) >= len(values),
        "values": page,
    }
