"""Jira's prerequisites: that it answers, and that each gate's ticket can be opened, read by people, and decided.

Every call only reads, and none needs an administrator's right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.jira.answers import Status as JiraStatus
from activities.jira.answers import Transitions, User
from activities.jira.connection import Edition, JiraConnection, get, post
from activities.jira.settings import GateSettings, JiraSettings
from activities.jira.types import Gate
from console.checks.examination import Check, Row, Section, failed, ok, skipped, warning

LABEL = "sagemaker-mlc"
FIELDS_OF_OURS = {"project", "issuetype", "summary", "description", "labels"}
SMALLEST_UPLOAD = 2 * 1024 * 1024
"""Room for a review document of a model with hundreds of features."""

NEEDED = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS", "TRANSITION_ISSUES")
EXTRAS = ("EDIT_ISSUES", "LINK_ISSUES")
"""Without these a ticket lacks its link to the run, and nothing else."""

_PAGE_SIZE = 100
_NEWEST_TICKETS = 20


@dataclass(frozen=True)
class Kind:
    """What a gate's ticket is in Jira: an issue type of a project."""

    project: str
    issue_type: str

    def __str__(self) -> str:
        return f"{self.issue_type} in {self.project}"


def jira_section(connection: JiraConnection, settings: JiraSettings) -> Section:
    """All checks on Jira."""
    checks = JiraChecks(connection, settings)
    projects = dict.fromkeys(kind.project for kind in checks.kinds.values())
    kinds = dict.fromkeys(checks.kinds.values())
    return Section(
        first=Check("Jira", checks.sign_in),
        others=[
            *(Check(f"Jira project {key}", partial(checks.project, key)) for key in projects),
            *(Check(f"Jira permissions in {key}", partial(checks.permissions, key)) for key in projects),
            Check("Jira attachments", checks.attachments),
            *(Check(f"Jira ticket of {gate}", partial(checks.ticket, gate)) for gate in checks.kinds),
            *(Check(f"Jira statuses of {kind}", partial(checks.statuses, kind)) for kind in kinds),
            *(Check(f"Jira moves of {kind}", partial(checks.moves, kind)) for kind in kinds),
        ],
    )


class JiraChecks:
    """Looks at one Jira as the service account sees it."""

    def __init__(self, connection: JiraConnection, settings: JiraSettings) -> None:
        self._connection = connection
        self._settings = settings
        self.kinds = {gate: self._kind(gate) for gate in Gate}

    async def sign_in(self) -> list[Row]:
        """It answers, and takes our credentials."""
        edition = await self._connection.edition()
        info = await self._get("serverInfo")
        me = User.model_validate(await self._get("myself"))
        return [ok("Jira", f"{edition} {info.get('version', '')}, signed in as {me.display_name} ({me.account_id})")]

    async def project(self, key: str) -> list[Row]:
        """The project is there, and is in use."""
        name = f"Jira project {key}"
        try:
            found = await self._get(f"project/{quote(key, safe='')}")
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            remedy = "correct MLC_JIRA__PROJECT (or …GATES__…__PROJECT), or give the service account Browse Projects"
            return [failed(name, "there is no such project, or the service account may not see it", remedy)]
        if found.get("archived"):
            return [failed(name, "the project is archived", "restore it, or name another one")]
        return [ok(name, str(found.get("name", key)))]

    async def permissions(self, key: str) -> list[Row]:
        """The service account may do what the process does."""
        name = f"Jira permissions in {key}"
        needed = [*NEEDED, *(["ASSIGN_ISSUES"] if self._assigns_in(key) else [])]
        asked = ",".join([*needed, *EXTRAS])
        answer = await self._get("mypermissions", projectKey=key, permissions=asked)
        held = {each for each, described in answer["permissions"].items() if described.get("havePermission")}
        missing = [permission for permission in needed if permission not in held]
        left_out = [permission for permission in EXTRAS if permission not in held]
        if missing:
            return [failed(name, f"not granted: {', '.join(missing)}", "grant them in the project's permission scheme")]
        if left_out:
            remedy = "grant them, or accept that tickets do not link to their run"
            return [warning(name, f"not granted, and not required: {', '.join(left_out)}", remedy)]
        return [ok(name, "browse, create, comment, attach, transition, edit, link")]

    async def attachments(self) -> list[Row]:
        """Documents can be attached, and are not too large."""
        name = "Jira attachments"
        answer = await self._get("attachment/meta")
        if not answer.get("enabled"):
            return [failed(name, "attachments are switched off", "switch them on in Jira's system settings")]
        limit = int(answer.get("uploadLimit") or 0)
        if 0 < limit < SMALLEST_UPLOAD:
            found = f"on, up to {limit:,} bytes: review documents may be larger"
            return [warning(name, found, f"raise the limit to {SMALLEST_UPLOAD:,} bytes or more")]
        return [ok(name, f"on, up to {limit:,} bytes")]

    async def ticket(self, gate: Gate) -> list[Row]:
        """A ticket of a gate can be opened: its issue type is there, and every mandatory field is given."""
        name, kind = f"Jira ticket of {gate}", self.kinds[gate]
        offered = await self._pages(f"issue/createmeta/{quote(kind.project, safe='')}/issuetypes")
        type_id = next((each["id"] for each in offered if each.get("name") == kind.issue_type), None)
        if type_id is None:
            names = ", ".join(str(each.get("name")) for each in offered) or "none"
            found = f"the service account cannot create {kind}; it can create: {names}"
            return [failed(name, found, "correct MLC_JIRA__ISSUE_TYPE, or grant Create Issues")]
        fields = await self._pages(f"issue/createmeta/{quote(kind.project, safe='')}/issuetypes/{type_id}")
        return [self._screen_row(name, kind, fields, self._settings.gates.of(gate))]

    async def statuses(self, kind: Kind) -> list[Row]:
        """Every configured status is in the workflow of the issue type."""
        name = f"Jira statuses of {kind}"
        listed = await self._get(f"project/{quote(kind.project, safe='')}/statuses")
        raw: list[Any] = next((each["statuses"] for each in listed if each.get("name") == kind.issue_type), [])
        statuses = {status.name.casefold(): status for status in map(JiraStatus.model_validate, raw)}
        settings = self._settings
        wanted = [*settings.done_statuses, *settings.rejected_statuses, settings.close_status]
        missing = [each for each in dict.fromkeys(wanted) if each.strip().casefold() not in statuses]
        if missing:
            there = ", ".join(status.name for status in statuses.values()) or "none"
            remedy = (
                "add them to the project's workflow, or correct MLC_JIRA__DONE_STATUSES, …REJECTED_…, …CLOSE_STATUS"
            )
            return [failed(name, f"not in the workflow: {', '.join(missing)}; there are: {there}", remedy)]
        open_ended = [
            each for each in dict.fromkeys(wanted) if statuses[each.strip().casefold()].category.key != "done"
        ]
        if open_ended:
            found = f"not of the category Done, so Jira shows such tickets as open: {', '.join(open_ended)}"
            return [warning(name, found, "change the category of the status in Jira")]
        return [ok(name, ", ".join(dict.fromkeys(wanted)))]

    async def moves(self, kind: Kind) -> list[Row]:
        """From the status of an open ticket of ours, every verdict is one move away.

        Workflows tell their moves only for an issue; before the first ticket there is none to look at.
        """
        name = f"Jira moves of {kind}"
        key = await self._open_ticket(kind)
        if key is None:
            return [skipped(name, "no open ticket to look at yet")]
        answer = Transitions.model_validate(await self._get(f"issue/{key}/transitions"))
        reachable = {transition.to.name.casefold() for transition in answer.transitions}
        settings = self._settings
        ways = {"yes": settings.done_statuses, "no": settings.rejected_statuses, "close": [settings.close_status]}
        blocked = [
            " or ".join(names) for names in ways.values() if not any(n.strip().casefold() in reachable for n in names)
        ]
        if blocked:
            found = f"{key} cannot be moved by the service account to {', '.join(dict.fromkeys(blocked))}"
            return [warning(name, found, "add the transition, or check its conditions for those who decide")]
        ends = dict.fromkeys(" or ".join(names) for names in ways.values())
        return [ok(name, f"{key} can be moved to {', '.join(ends)}")]

    async def _open_ticket(self, kind: Kind) -> str | None:
        jql = f'labels = "{LABEL}" AND project = "{kind.project}" ORDER BY created DESC'
        path = "search/jql" if await self._connection.edition() is Edition.CLOUD else "search"
        body = {"jql": jql, "fields": ["status", "issuetype"], "maxResults": _NEWEST_TICKETS}
        answer = await self._connection.call(f"POST {path}", lambda client: post(client, path, body))
        for issue in answer["issues"]:
            fields = issue["fields"]
            of_kind = fields.get("issuetype", {}).get("name", kind.issue_type) == kind.issue_type
            if of_kind and JiraStatus.model_validate(fields["status"]).category.key != "done":
                return str(issue["key"])
        return None

    def _screen_row(self, name: str, kind: Kind, fields: Sequence[Mapping[str, Any]], gate: GateSettings) -> Row:
        ours = FIELDS_OF_OURS | gate.fields.keys() | set(_optional(gate))
        required = [each for each in fields if each.get("required") and not each.get("hasDefaultValue")]
        missing = [f"{each['fieldId']} ({each.get('name')})" for each in required if each["fieldId"] not in ours]
        if missing:
            remedy = "give them with MLC_JIRA__GATES__<GATE>__FIELDS, or make them optional"
            return failed(name, f"{kind} requires fields that are not given: {', '.join(missing)}", remedy)
        shown = {each["fieldId"] for each in fields}
        absent = sorted(each for each in ours if each not in shown)
        if absent:
            return failed(name, f"not on the create screen of {kind}: {', '.join(absent)}", "add them to that screen")
        return ok(name, f"{kind}, all {len(required)} required fields are given")

    async def _pages(self, path: str) -> list[dict[str, Any]]:
        """All entries of a list of create metadata, whose name differs between the editions."""
        entries: list[dict[str, Any]] = []
        while True:
            page = await self._get(path, startAt=len(entries), maxResults=_PAGE_SIZE)
            found: list[Any] = next(
                (page[each] for each in ("values", "issueTypes", "fields", "results") if each in page), []
            )
            entries += found
            if not found or len(entries) >= page.get("total", 0):
                return entries

    async def _get(self, path: str, **params: str | int) -> Any:
        return await self._connection.call(f"GET {path}", lambda client: get(client, path, **params))

    def _kind(self, gate: Gate) -> Kind:
        own = self._settings.gates.of(gate)
        return Kind(own.project or self._settings.project, own.issue_type or self._settings.issue_type)

    def _assigns_in(self, project: str) -> bool:
        gates = [gate for gate, kind in self.kinds.items() if kind.project == project]
        return any(self._settings.gates.of(gate).assignee for gate in gates)


def _optional(gate: GateSettings) -> Iterator[str]:
    if gate.assignee:
        yield "assignee"
    if gate.priority:
        yield "priority"
