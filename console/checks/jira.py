"""Jira's prerequisites: that it answers, and that each gate's ticket can be opened, read by people, and decided.

Every call only reads, and none needs an administrator's right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError, unexpected
from activities.jira.answers import Status as JiraStatus
from activities.jira.answers import Transitions, User
from activities.jira.connection import Edition, JiraConnection, get, post
from activities.jira.settings import GateSettings, JiraSettings
from activities.jira.types import Gate
from console.checks.examination import Check, Row, Section, failed, ok, skipped, warning

LABEL = "sagemaker-mlc"
FIELDS_OF_OURS = {"project", "issuetype", "summary", "description", "labels"}
FILLED_BY_JIRA = {"reporter"}
"""Where nobody is given, Jira takes whoever asks, although Data Center calls the field mandatory without a default."""

SMALLEST_UPLOAD = 2 * 1024 * 1024
"""Room for a review document of a model with hundreds of features."""

NEEDED = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS", "TRANSITION_ISSUES")
EXTRAS = ("EDIT_ISSUES", "LINK_ISSUES")
"""Without these a ticket lacks its link to the run, and nothing else."""

VARIABLES = {Gate.PIA: "PIA", Gate.TEST_FAILURE: "TEST_FAILURE", Gate.RESULTS: "RESULTS", Gate.PRODUCTION: "PRODUCTION"}
"""What the settings call a gate."""

_PAGE_SIZE = 100
_NEWEST_ISSUES = 20


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
    return Section(
        first=Check("Jira", checks.sign_in),
        others=[Check("Jira attachments", checks.attachments), *(_project_section(checks, key) for key in projects)],
    )


def _project_section(checks: JiraChecks, key: str) -> Section:
    kinds = dict.fromkeys(kind for kind in checks.kinds.values() if kind.project == key)
    return Section(
        first=Check(f"Jira project {key}", partial(checks.project, key)),
        others=[
            Check(f"Jira permissions in {key}", partial(checks.permissions, key)),
            *(_kind_section(checks, kind) for kind in kinds),
        ],
    )


def _kind_section(checks: JiraChecks, kind: Kind) -> Section:
    gates = [gate for gate, of_gate in checks.kinds.items() if of_gate == kind]
    return Section(
        first=Check(f"Jira issue type {kind}", partial(checks.issue_type, kind)),
        others=[
            *(Check(f"Jira ticket of {gate}", partial(checks.ticket, gate)) for gate in gates),
            Check(f"Jira statuses of {kind}", partial(checks.statuses, kind)),
            Check(f"Jira moves of {kind}", partial(checks.moves, kind)),
        ],
    )


class JiraChecks:
    """Looks at one Jira as the service account sees it."""

    def __init__(self, connection: JiraConnection, settings: JiraSettings) -> None:
        self._connection = connection
        self._settings = settings
        self.kinds = {gate: self._kind(gate) for gate in Gate}
        self._type_ids: dict[Kind, str] = {}

    async def sign_in(self) -> list[Row]:
        """It answers, and takes our credentials."""
        edition = await self._connection.edition()
        info = await self._get("serverInfo")
        me = User.model_validate(await self._get("myself"))
        if not me.account_id:
            raise unexpected("Jira", "GET myself", "it names no account")
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
        return [ok(name, str(found["name"]))]

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
        if not answer["enabled"]:
            return [failed(name, "attachments are switched off", "switch them on in Jira's system settings")]
        limit = int(answer.get("uploadLimit") or 0)
        if 0 < limit < SMALLEST_UPLOAD:
            found = f"on, up to {limit:,} bytes: review documents may be larger"
            return [warning(name, found, f"raise the limit to {SMALLEST_UPLOAD:,} bytes or more")]
        return [ok(name, f"on, up to {limit:,} bytes")]

    async def issue_type(self, kind: Kind) -> list[Row]:
        """The service account can create issues of this type."""
        name = f"Jira issue type {kind}"
        offered = await self._pages(f"issue/createmeta/{quote(kind.project, safe='')}/issuetypes")
        # A sub-task needs a parent, which a ticket of ours has not.
        ids = {str(each.get("name")): str(each["id"]) for each in offered if not each.get("subtask")}
        if kind.issue_type not in ids:
            found = f"the service account cannot create {kind}; it can create: {', '.join(ids) or 'nothing'}"
            return [
                failed(name, found, "correct MLC_JIRA__ISSUE_TYPE (or …GATES__…__ISSUE_TYPE), or grant Create Issues")
            ]
        self._type_ids[kind] = ids[kind.issue_type]
        return [ok(name, "can be created")]

    async def ticket(self, gate: Gate) -> list[Row]:
        """A ticket of a gate can be opened: every mandatory field is given, and every field of ours is there."""
        kind = self.kinds[gate]
        path = f"issue/createmeta/{quote(kind.project, safe='')}/issuetypes/{quote(self._type_ids[kind], safe='')}"
        return [self._screen_row(gate, await self._pages(path))]

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
        """From the status of an open ticket, every verdict is one move away.

        Workflows tell their moves only for an issue; where there is none that is open there is nothing to look at.
        """
        name = f"Jira moves of {kind}"
        issue = await self._open_issue(kind)
        if issue is None:
            return [skipped(name, f"there is no open {kind} to look at", "look again when the first ticket is open")]
        answer = Transitions.model_validate(await self._get(f"issue/{quote(issue['key'], safe='')}/transitions"))
        reachable = {transition.to.name.casefold() for transition in answer.transitions}
        settings = self._settings
        ways = (settings.done_statuses, settings.rejected_statuses, [settings.close_status])
        ends = dict.fromkeys(" or ".join(names) for names in ways)
        shut = dict.fromkeys(
            " or ".join(names) for names in ways if not any(each.strip().casefold() in reachable for each in names)
        )
        where = f"{issue['key']} ({issue['fields']['status']['name']})"
        if shut:
            found = f"{where} cannot be moved by the service account to {', '.join(shut)}"
            remedy = "add the transition to the workflow, or see that its conditions let those move it who decide"
            return [warning(name, found, remedy)]
        return [ok(name, f"{where} can be moved to {', '.join(ends)}")]

    async def _open_issue(self, kind: Kind) -> Mapping[str, Any] | None:
        """The newest open ticket of ours, or else whatever else of its kind is open."""
        ours = f"labels = {_quoted(LABEL)} AND "
        of_kind = f"project = {_quoted(kind.project)} AND issuetype = {_quoted(kind.issue_type)}"
        path = "search/jql" if await self._connection.edition() is Edition.CLOUD else "search"
        for jql in (ours + of_kind, of_kind):
            body = {"jql": f"{jql} ORDER BY created DESC", "fields": ["status"], "maxResults": _NEWEST_ISSUES}
            answer = await self._connection.call(f"POST {path}", partial(post, path=path, body=body))
            for issue in answer["issues"]:
                # A category has another name in every language, so that a search cannot name it.
                if JiraStatus.model_validate(issue["fields"]["status"]).category.key != "done":
                    found: Mapping[str, Any] = issue
                    return found
        return None

    def _screen_row(self, gate: Gate, fields: Sequence[Mapping[str, Any]]) -> Row:
        name, kind, settings = f"Jira ticket of {gate}", self.kinds[gate], self._settings.gates.of(gate)
        ours = FIELDS_OF_OURS | settings.fields.keys() | set(_optional(settings))
        required = [each for each in fields if each.get("required") and not each.get("hasDefaultValue")]
        given = ours | FILLED_BY_JIRA
        missing = [f"{each['fieldId']} ({each.get('name')})" for each in required if each["fieldId"] not in given]
        if missing:
            remedy = f"give them with MLC_JIRA__GATES__{VARIABLES[gate]}__FIELDS, or make them optional in Jira"
            return failed(name, f"{kind} requires fields that are not given: {', '.join(missing)}", remedy)
        absent = sorted(ours - {each["fieldId"] for each in fields})
        if absent:
            found = f"not on the create screen of {kind}: {', '.join(absent)}"
            return failed(name, found, "add them to that screen in Jira")
        return ok(name, f"{kind}, all {len(required)} required fields are given")

    async def _pages(self, path: str) -> list[dict[str, Any]]:
        """All entries of a list of create metadata, whose name differs between the editions."""
        entries: list[dict[str, Any]] = []
        while True:
            page = await self._get(path, startAt=len(entries), maxResults=_PAGE_SIZE)
            lists = [page[each] for each in ("values", "issueTypes", "fields", "results") if each in page]
            if not lists:
                raise unexpected("Jira", f"GET {path}", "there is no list in it")
            found: list[Any] = lists[0]
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


def _quoted(text: str) -> str:
    """A text as JQL takes it, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def _optional(gate: GateSettings) -> Iterator[str]:
    if gate.assignee:
        yield "assignee"
    if gate.priority:
        yield "priority"
