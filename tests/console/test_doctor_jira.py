"""The doctor's look at Jira: both editions, and what an administrator may have left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from activities.jira.connection import JiraConnection
from activities.jira.settings import JiraSettings
from console.checks.examination import Row, Status, examine
from console.checks.jira import jira_section
from sandbox.jira.people import Person, find_person
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply
from tests.processes import free_port, server_process

LABEL = "sagemaker-mlc"


@pytest.fixture(scope="module", params=["datacenter", "cloud"])
def jira(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JiraSettings]:
    """A sandbox of each edition in turn, as the service account signs in there."""
    port, data = free_port(), tmp_path_factory.mktemp(request.param)
    edition = ["--edition", "cloud"] if request.param == "cloud" else []
    command = ["-m", "sandbox.jira", "--port", str(port), "--data", str(data), *edition]
    with server_process(command, port=port, log=data.with_suffix(".log")) as server:
        yield settings_for(server.url, cloud=request.param == "cloud")


@pytest.fixture
async def altered(jira: JiraSettings) -> AsyncIterator[Altered]:
    """The same Jira, some of whose answers are replaced on their way."""
    async with ScriptedServer() as server, httpx.AsyncClient(base_url=str(jira.url), trust_env=False) as behind:
        altered = Altered(server, behind)
        server.answer = altered.answer
        yield altered


class Altered:
    """Answers as the Jira behind it does, except where a path has an answer of its own."""

    def __init__(self, server: ScriptedServer, behind: httpx.AsyncClient) -> None:
        self._server = server
        self._behind = behind
        self.instead: dict[str, Any] = {}

    async def answer(self, received: Received) -> Reply:
        """The replaced answer, or that of the Jira behind."""
        for path, value in self.instead.items():
            if received.path.endswith(path):
                return value if isinstance(value, Reply) else json_reply(value)
        passed_on = {
            name: value for name, value in received.headers.items() if name in ("authorization", "content-type")
        }
        answer = await self._behind.request(
            received.method, received.path, params=received.query, headers=passed_on, content=received.body
        )
        return Reply(answer.status_code, answer.content, {"Content-Type": "application/json"})

    async def rows(self, jira: JiraSettings) -> dict[str, Row]:
        """What the doctor finds in the altered Jira."""
        return await look(jira.model_copy(update={"url": self._server.url}))


def settings_for(url: str, *, cloud: bool, **more: Any) -> JiraSettings:
    account = service_account()
    name, token = (account.email, account.api_token) if cloud else (account.name, account.password)
    return JiraSettings.model_validate({"url": url, "username": name, "token": token, "project": "GOV", **more})


def service_account() -> Person:
    account = find_person("svc-mlc")
    assert account
    return account


async def open_issue(jira: JiraSettings, *, labels: list[str]) -> str:
    """Creates an issue as the service account, and returns its key."""
    token = jira.token.get_secret_value() if jira.token else ""
    async with httpx.AsyncClient(base_url=str(jira.url), auth=(jira.username or "", token), trust_env=False) as http:
        fields = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Review", "labels": labels}
        created = await http.post("/rest/api/2/issue", json={"fields": fields})
        assert created.status_code == 201, created.text
        return str(created.json()["key"])


async def look(settings: JiraSettings) -> dict[str, Row]:
    """What the doctor finds in a Jira."""
    connection = JiraConnection(settings)
    try:
        return {row.name: row for row in await examine([jira_section(connection, settings)])}
    finally:
        await connection.aclose()


async def test_both_editions_have_everything(jira: JiraSettings) -> None:
    rows = await look(jira)
    assert {row.status for name, row in rows.items() if "moves" not in name} == {Status.OK}, rows
    assert "signed in as Model life cycle" in rows["Jira"].found


async def test_from_an_open_ticket_every_verdict_must_be_one_move_away(jira: JiraSettings) -> None:
    row = (await look(jira))["Jira moves of Task in GOV"]
    assert row.status is Status.SKIPPED and "no open Task in GOV" in row.found
    somebodys = await open_issue(jira, labels=[])
    row = (await look(jira))["Jira moves of Task in GOV"]
    assert (row.status, row.found) == (Status.OK, f"{somebodys} (To Do) can be moved to Done, Rejected")
    ours = await open_issue(jira, labels=[LABEL])
    await open_issue(jira, labels=[])
    unreachable = jira.model_copy(update={"done_statuses": ["Approved"]})
    row = (await look(unreachable))["Jira moves of Task in GOV"]
    assert row.status is Status.WARNING
    assert row.found == f"{ours} (To Do) cannot be moved by the service account to Approved"


async def test_an_issue_type_that_is_not_there_skips_what_depends_on_it(jira: JiraSettings) -> None:
    rows = await look(jira.model_copy(update={"issue_type": 'No "such" type'}))
    row = rows['Jira issue type No "such" type in GOV']
    assert row.status is Status.FAILED and "it can create: Task" in row.found and "MLC_JIRA__ISSUE_TYPE" in row.remedy
    dependent = [row for name, row in rows.items() if name.startswith(("Jira ticket", "Jira statuses", "Jira moves"))]
    assert len(dependent) == 6 and {row.status for row in dependent} == {Status.SKIPPED}
    assert rows["Jira permissions in GOV"].status is rows["Jira attachments"].status is Status.OK


async def test_a_sub_task_cannot_be_a_ticket(altered: Altered, jira: JiraSettings) -> None:
    altered.instead = {"/issuetypes": {"total": 1, "values": [{"id": "1", "name": "Task", "subtask": True}]}}
    row = (await altered.rows(jira))["Jira issue type Task in GOV"]
    assert row.status is Status.FAILED and row.found.endswith("it can create: nothing")


async def test_a_reporter_is_filled_in_by_jira(altered: Altered, jira: JiraSettings) -> None:
    ours = ["project", "issuetype", "summary", "description", "labels"]
    fields = [{"fieldId": each, "name": each, "required": each != "labels"} for each in [*ours, "reporter"]]
    types = [{"id": "7", "name": "Task"}]
    altered.instead = {"/issuetypes": {"values": types, "total": 1}, "/issuetypes/7": {"values": fields, "total": 6}}
    assert (await altered.rows(jira))["Jira ticket of PiaApproval"].status is Status.OK


async def test_an_answer_without_an_account_is_nobody_who_signed_in(altered: Altered, jira: JiraSettings) -> None:
    altered.instead = {"/myself": {"anything": 1}}
    rows = await altered.rows(jira)
    assert rows["Jira"].status is Status.FAILED and "names no account" in rows["Jira"].found
    assert rows["Jira project GOV"].status is Status.SKIPPED


async def test_attachments_that_are_switched_off_or_small_are_found(altered: Altered, jira: JiraSettings) -> None:
    altered.instead = {"/attachment/meta": {"enabled": False, "uploadLimit": 0}}
    assert (await altered.rows(jira))["Jira attachments"].status is Status.FAILED
    altered.instead = {"/attachment/meta": {"enabled": True, "uploadLimit": 1000}}
    row = (await altered.rows(jira))["Jira attachments"]
    assert row.status is Status.WARNING and "1,000 bytes" in row.found


async def test_permissions_that_are_not_granted_are_named(altered: Altered, jira: JiraSettings) -> None:
    held = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "EDIT_ISSUES", "LINK_ISSUES")
    permissions = {key: {"havePermission": True} for key in held} | {"CREATE_ATTACHMENTS": {"havePermission": False}}
    altered.instead = {"/mypermissions": {"permissions": permissions}}
    row = (await altered.rows(jira))["Jira permissions in GOV"]
    assert (row.status, row.found) == (Status.FAILED, "not granted: CREATE_ATTACHMENTS, TRANSITION_ISSUES")


async def test_what_only_decorates_a_ticket_is_a_warning(altered: Altered, jira: JiraSettings) -> None:
    needed = ("BROWSE_PROJECTS", "CREATE_ISSUES", "ADD_COMMENTS", "CREATE_ATTACHMENTS", "TRANSITION_ISSUES")
    altered.instead = {"/mypermissions": {"permissions": {key: {"havePermission": True} for key in needed}}}
    row = (await altered.rows(jira))["Jira permissions in GOV"]
    assert row.status is Status.WARNING and "EDIT_ISSUES, LINK_ISSUES" in row.found


async def test_an_archived_project_is_found(altered: Altered, jira: JiraSettings) -> None:
    altered.instead = {"/project/GOV": {"key": "GOV", "name": "Model Governance", "archived": True}}
    assert (await altered.rows(jira))["Jira project GOV"].found == "the project is archived"


async def test_a_status_outside_the_category_done_is_a_warning(altered: Altered, jira: JiraSettings) -> None:
    kept = [
        {"id": "1", "name": "Done", "statusCategory": {"key": "done"}},
        {"id": "2", "name": "Rejected", "statusCategory": {"key": "indeterminate"}},
    ]
    altered.instead = {"/project/GOV/statuses": [{"id": "10100", "name": "Task", "statuses": kept}]}
    row = (await altered.rows(jira))["Jira statuses of Task in GOV"]
    assert row.status is Status.WARNING and row.found.endswith(": Rejected")


@pytest.mark.parametrize("nonsense", [Reply(200, b"<html>sign in"), json_reply([]), json_reply({}), json_reply(7)])
async def test_nonsense_is_a_failed_row_of_its_own_check(altered: Altered, jira: JiraSettings, nonsense: Reply) -> None:
    altered.instead = {"/project/GOV/statuses": nonsense, "/attachment/meta": nonsense}
    rows = await altered.rows(jira)
    assert rows["Jira statuses of Task in GOV"].status is Status.FAILED
    assert rows["Jira attachments"].status is Status.FAILED
    assert rows["Jira project GOV"].status is Status.OK
