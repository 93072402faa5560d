"""Routes about the site itself: server, projects, fields, permissions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from sandbox.jira import scheme
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import PEOPLE, Person
from sandbox.jira.rest.request import Api, listed
from sandbox.jira.scheme import IssueType, Project

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
    """Routes about the site itself: server, projects, fields, configuration, permissions."""
    router = APIRouter()
    caller = Depends(api.caller)
    represent = api.represent

    @router.get("/serverInfo")
    async def server_info(request: Request) -> dict[str, Any]:
        api.authentication.identify(request)
        return represent.server_info()

    @router.get("/myself")
    async def myself(request: Request, person: Person = caller) -> dict[str, Any]:
        return represent.myself(person, listed(request, "expand"))

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
        statuses = [represent.status(status) for status in api.store.statuses]
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
        return represent.create_page("issueTypes", values, startAt, maxResults)

    @router.get("/issue/createmeta/{key}/issuetypes/{type_id}", dependencies=[caller])
    async def create_fields(key: str, type_id: str, startAt: int = 0, maxResults: int = 50) -> dict[str, Any]:
        project = _create_project(key)
        kind: IssueType | None = next((kind for kind in scheme.ISSUE_TYPES if kind.id == type_id), None)
        if kind is None:
            raise JiraRefusal(400, [f"Issue type '{type_id}' doesn't exist in project '{key}'."])
        shown = [field for field in scheme.FIELDS if field.on_create_screen]
        values = [represent.create_field(field, project, kind) for field in shown]
        return represent.create_page("fields", values, startAt, maxResults)

    @router.get("/field", dependencies=[caller])
    async def all_fields() -> list[dict[str, Any]]:
        return [represent.field(field) for field in scheme.FIELDS]

    @router.get("/status", dependencies=[caller])
    async def statuses() -> list[dict[str, Any]]:
        return [represent.status(status) for status in api.store.statuses]

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
            api.tracker.issue(issue, person)
        wanted = _wanted_permissions(request) if api.tracker.edition is Edition.CLOUD else list(PERMISSIONS)
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
                if key in wanted
            }
        }

    return router


def _wanted_permissions(request: Request) -> list[str]:
    """The permissions that a request asks about: Cloud does not answer about all of them at once."""
    wanted = listed(request, "permissions")
    if not wanted:
        raise JiraRefusal(400, ["The 'permissions' query parameter is required."])
    unknown = [key for key in wanted if key not in PERMISSIONS]
    if unknown:
        raise JiraRefusal(400, [f"Unrecognized permission key: {key}" for key in unknown])
    return wanted
