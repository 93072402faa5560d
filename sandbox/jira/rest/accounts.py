"""Routes about people and groups: by name on Data Center, by account id on Cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request

from sandbox.jira.cloud import group_id
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import GROUPS, PEOPLE, Person, find_person, members_of, person_by_account_id, person_by_key
from sandbox.jira.representation import value_page
from sandbox.jira.rest.request import Api, listed


def name_account_routes(api: Api) -> APIRouter:
    """People and groups of Data Center."""
    router = APIRouter()
    caller = Depends(api.caller)
    represent = api.represent

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
        # A lone full stop is Data Center's way to ask for everybody.
        everybody = wanted in (".", "")
        found = _matching(lambda person: everybody or wanted in _words(person))
        return [represent.user(person) for person in found[startAt : startAt + maxResults]]

    @router.get("/group/member")
    async def group_members(
        groupname: str = "", startAt: int = 0, maxResults: int = 50, person: Person = caller
    ) -> dict[str, Any]:
        if not groupname:
            raise JiraRefusal(400, ["The name of the group must not be empty."])
        if not person.is_administrator:
            raise JiraRefusal(403, ["Only administrators can list the members of a group."])
        return _members(api, {"groupname": groupname}, _existing_group(groupname), startAt, maxResults)

    return router


def id_account_routes(api: Api) -> APIRouter:
    """People and groups of Cloud. Everybody here may browse users and groups, which is Cloud's default."""
    router = APIRouter()
    caller = Depends(api.caller)
    represent = api.represent

    def _account(account_id: str | None) -> Person:
        if not account_id:
            raise JiraRefusal(400, ["The query parameter 'accountId' must be provided."])
        person = person_by_account_id(account_id)
        if person is None:
            raise JiraRefusal(404, ["Specified user does not exist or you do not have required permissions"])
        return person

    @router.get("/user", dependencies=[caller])
    async def user(request: Request, accountId: str | None = None) -> dict[str, Any]:
        return represent.user_with_groups(_account(accountId), listed(request, "expand"))

    @router.get("/user/groups", dependencies=[caller])
    async def user_groups(accountId: str | None = None) -> list[dict[str, Any]]:
        return [represent.group(name) for name in _account(accountId).all_groups]

    @router.get("/user/bulk", dependencies=[caller])
    async def users(request: Request, startAt: int = 0, maxResults: int = 10) -> dict[str, Any]:
        wanted = request.query_params.getlist("accountId")
        if not wanted:
            raise JiraRefusal(400, ["At least one 'accountId' must be provided."])
        # Who does not exist is left out without a word.
        found = _matching(lambda person: person.account_id in wanted)
        page = value_page([represent.user(person) for person in found], startAt, maxResults)
        return {"self": str(request.url), **page}

    @router.get("/user/search", dependencies=[caller])
    @router.get("/user/assignable/search", dependencies=[caller])
    async def search_users(
        query: str | None = None, accountId: str | None = None, startAt: int = 0, maxResults: int = 50
    ) -> list[dict[str, Any]]:
        if (query is None) == (accountId is None):
            raise JiraRefusal(400, ["Either 'query' or 'accountId' must be provided, and not both."])
        wanted = (query or "").lower()
        found = _matching(lambda person: person.account_id == accountId if accountId else wanted in _words(person))
        return [represent.user(person) for person in found[startAt : startAt + maxResults]]

    @router.get("/group/member", dependencies=[caller])
    async def group_members(
        groupname: str | None = None, groupId: str | None = None, startAt: int = 0, maxResults: int = 50
    ) -> dict[str, Any]:
        if (groupname is None) == (groupId is None):
            raise JiraRefusal(400, ["Either 'groupname' or 'groupId' must be provided, and not both."])
        by_id = next((name for name in GROUPS if group_id(name) == groupId), None)
        name = _existing_group(groupname or by_id or str(groupId))
        return _members(api, {"groupId": group_id(name)}, name, startAt, min(maxResults, 50))

    return router


def _matching(wanted: Callable[[Person], bool]) -> list[Person]:
    return [person for person in sorted(PEOPLE, key=lambda person: person.name) if wanted(person)]


def _words(person: Person) -> str:
    return f"{person.name} {person.display_name} {person.email}".lower()


def _existing_group(name: str) -> str:
    if name not in GROUPS:
        raise JiraRefusal(404, [f"The group named '{name}' does not exist."])
    return name


def _members(api: Api, named: dict[str, str], group: str, start_at: int, max_results: int) -> dict[str, Any]:
    members = [api.represent.user(member) for member in members_of(group)]
    address = f"{api.represent.base_url}/rest/api/2/group/member?{urlencode(named)}"
    return {"self": address, **value_page(members, start_at, max_results)}
