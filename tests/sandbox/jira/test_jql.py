"""The JQL subset: what it finds, and in which words it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.jira.jql import Comparison, JqlError, Junction, parse
from tests.sandbox.jira.conftest import StartSandbox, client


@pytest.fixture(scope="module")
def filled(start_sandbox: StartSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A sandbox with four known issues: GOV-1 Done, GOV-2 Rejected, GOV-3 To Do, OPS-1 To Do."""
    with start_sandbox(tmp_path_factory.mktemp("jql") / "data") as server, client(server.url, "svc-mlc") as service:
        _create(service, "GOV", "Privacy of the credit model", labels=["mlc-a", "Shared"])
        _create(service, "GOV", "Review of the credit scoring", labels=["mlc-b", "shared"], assignee={"name": "vera"})
        _create(service, "GOV", "Something else", description="about credit cards")
        _create(service, "OPS", "Operations", labels=["mlc-a"])
        service.post("/issue/GOV-1/transitions", json={"transition": {"id": "31"}})
        service.post("/issue/GOV-2/transitions", json={"transition": {"id": "41"}})
        service.post("/issue/GOV-3/comment", json={"body": "unicorn"})
        yield service


def _create(service: httpx.Client, project: str, summary: str, **fields: Any) -> None:
    given = {"project": {"key": project}, "issuetype": {"name": "Task"}, "summary": summary, **fields}
    assert service.post("/issue", json={"fields": given}).status_code == 201


def _keys(service: httpx.Client, jql: str) -> list[str]:
    answer = service.get("/search", params={"jql": jql})
    assert answer.status_code == 200, answer.text
    return [issue["key"] for issue in answer.json()["issues"]]


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("", {"GOV-1", "GOV-2", "GOV-3", "OPS-1"}),
        ("project = GOV", {"GOV-1", "GOV-2", "GOV-3"}),
        ('project = "Model Operations"', {"OPS-1"}),
        ("project = gov AND labels = mlc-a", {"GOV-1"}),
        ('labels = "SHARED"', {"GOV-1", "GOV-2"}),
        ("labels in (mlc-a, mlc-b)", {"GOV-1", "GOV-2", "OPS-1"}),
        ("labels != mlc-a", {"GOV-2"}),
        ("labels not in (mlc-a, mlc-b)", set()),
        ("NOT labels = mlc-a", {"GOV-2"}),
        ("labels is EMPTY", {"GOV-3"}),
        ("labels is not empty and project = OPS", {"OPS-1"}),
        ("labels = nobody-uses-this", set()),
        ("status = Done OR status = Rejected", {"GOV-1", "GOV-2"}),
        ("statusCategory = Done", {"GOV-1", "GOV-2"}),
        ("statusCategory != done", {"GOV-3", "OPS-1"}),
        ("status in (10000)", {"GOV-3", "OPS-1"}),
        ("resolution = Unresolved", {"GOV-3", "OPS-1"}),
        ('resolution is not EMPTY AND resolution != "Won\'t Do"', {"GOV-1"}),
        ("assignee = vera", {"GOV-2"}),
        ("assignee != vera", set()),
        ("assignee is EMPTY", {"GOV-1", "GOV-3", "OPS-1"}),
        ("assignee in (EMPTY, vera)", {"GOV-1", "GOV-2", "GOV-3", "OPS-1"}),
        ("reporter = currentUser()", {"GOV-1", "GOV-2", "GOV-3", "OPS-1"}),
        ("creator = paul", set()),
        ("key = gov-2", {"GOV-2"}),
        ("key in (GOV-1, OPS-1)", {"GOV-1", "OPS-1"}),
        ("issuekey >= GOV-2", {"GOV-2", "GOV-3"}),
        ("id = 10000", {"GOV-1"}),
        ("summary ~ credit", {"GOV-1", "GOV-2"}),
        ('summary ~ "credit model"', {"GOV-1"}),
        ('summary ~ "scor*"', {"GOV-2"}),
        ("summary !~ credit", {"GOV-3", "OPS-1"}),
        ("text ~ credit", {"GOV-1", "GOV-2", "GOV-3"}),
        ("text ~ unicorn", {"GOV-3"}),
        ("created >= -1d AND updated <= now()", {"GOV-1", "GOV-2", "GOV-3", "OPS-1"}),
        ("created < '2020-01-01'", set()),
        ('created > "2020/01/31 10:00"', {"GOV-1", "GOV-2", "GOV-3", "OPS-1"}),
        ("created > 1w", set()),
        ("issuetype = Bug", set()),
        ("NOT (project = OPS OR status = Done)", {"GOV-2", "GOV-3"}),
        ("project = OPS OR project = GOV AND status = Done", {"OPS-1", "GOV-1"}),
        ("(project = OPS OR project = GOV) AND status = Done", {"GOV-1"}),
        ("!(project = OPS) && labels = mlc-b || key = OPS-1", {"GOV-2", "OPS-1"}),
    ],
)
def test_a_query_finds(filled: httpx.Client, jql: str, expected: set[str]) -> None:
    assert set(_keys(filled, jql)) == expected


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = GOV ORDER BY key", ["GOV-1", "GOV-2", "GOV-3"]),
        ("project = GOV ORDER BY created", ["GOV-3", "GOV-2", "GOV-1"]),
        ("project = GOV ORDER BY created ASC", ["GOV-1", "GOV-2", "GOV-3"]),
        ("ORDER BY project DESC, key ASC", ["OPS-1", "GOV-1", "GOV-2", "GOV-3"]),
        ("project = GOV", ["GOV-3", "GOV-2", "GOV-1"]),
    ],
)
def test_matches_come_in_the_wanted_order(filled: httpx.Client, jql: str, expected: list[str]) -> None:
    assert _keys(filled, jql) == expected


@pytest.mark.parametrize(
    ("jql", "words"),
    [
        ("colour = red", "Field 'colour' does not exist or you do not have permission to view it."),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status in (Done, Finished)", "The value 'Finished' does not exist for the field 'status'."),
        ("key = GOV-99", "An issue with key 'GOV-99' does not exist for field 'key'."),
        ("id = 99", "A value with ID '99' does not exist for the field 'id'."),
        ("assignee = nobody", "The value 'nobody' does not exist for the field 'assignee'."),
        ("summary = credit", "The operator '=' is not supported by the 'summary' field."),
        ("project ~ GOV", "The operator '~' is not supported by the 'project' field."),
        ("project > GOV", "The operator '>' is not supported by the 'project' field."),
        ("created > yesterday", "Date value 'yesterday' for field 'created' is invalid."),
        ("created > EMPTY", "does not support searching for EMPTY"),
        ("project is GOV", "supports only EMPTY or NULL, not 'GOV'"),
        ("assignee = somebody()", "Unable to find JQL function 'somebody()'."),
        ("project", "Expecting operator but the query ended. The valid operators are '='"),
        ("project GOV", "Expecting operator but got 'GOV'."),
        ("project = GOV status = Done", "Expecting either 'OR' or 'AND' but got 'status'. (line 1, character 15)"),
        ("project =", "Expecting either a value, list or function before the end of the query."),
        ("project = AND", "Expecting either a value, list or function but got 'AND'."),
        ("(project = GOV", "Expecting ')' before the end of the query."),
        ("project in GOV", "Expecting '(' after the operator 'IN'."),
        ("project in (GOV", "Expecting ')' or ','"),
        ("labels = a@b", "The character '@' is a reserved JQL character."),
        ('labels = "a', "has not been completed"),
        ("project = GOV ORDER key", "Expecting 'BY' but got 'key'."),
        ("project = GOV ORDER BY colour", "Not able to sort using field 'colour'."),
        ("(" * 5000 + "project = GOV", "nested too deeply"),
    ],
)
def test_a_wrong_query_is_refused_in_jiras_words(filled: httpx.Client, jql: str, words: str) -> None:
    answer = filled.post("/search", json={"jql": jql})
    assert answer.status_code == 400
    assert words in answer.json()["errorMessages"][0]


@pytest.mark.parametrize("no", [False, "false", "False", "FALSE"])
def test_without_validation_unknown_values_are_warnings(filled: httpx.Client, no: object) -> None:
    jql = "key in (GOV-1, GOV-99) OR project = NOPE"
    found = filled.post("/search", json={"jql": jql, "validateQuery": no}).json()
    assert [issue["key"] for issue in found["issues"]] == ["GOV-1"]
    assert len(found["warningMessages"]) == 2
    # A field nobody knows, or text that is not JQL, stays an error.
    for wrong in ("colour = red", "project ="):
        assert filled.post("/search", json={"jql": wrong, "validateQuery": no}).status_code == 400


@pytest.mark.parametrize("yes", [True, "True", "true"])
def test_validation_is_understood_however_it_is_written(filled: httpx.Client, yes: object) -> None:
    assert filled.get("/search", params={"jql": "key = GOV-99", "validateQuery": str(yes)}).status_code == 400
    assert filled.post("/search", json={"jql": "key = GOV-99", "validateQuery": yes}).status_code == 400


def test_pages_cover_every_match_once(filled: httpx.Client) -> None:
    seen: list[str] = []
    while True:
        params: dict[str, Any] = {"jql": "ORDER BY key", "startAt": len(seen), "maxResults": 3, "fields": "status"}
        page = filled.get("/search", params=params).json()
        assert page["total"] == 4
        if not page["issues"]:
            break
        seen += [issue["key"] for issue in page["issues"]]
        assert all(set(issue["fields"]) == {"status"} for issue in page["issues"])
    assert seen == ["GOV-1", "GOV-2", "GOV-3", "OPS-1"]
    assert filled.get("/search", params={"maxResults": 0}).json()["total"] == 4


def test_a_page_that_is_no_number_is_refused(filled: httpx.Client) -> None:
    for wrong in ("ten", "9" * 30):
        answer = filled.get("/search", params={"startAt": wrong})
        assert (answer.status_code, "'startAt' must be a whole number" in answer.text) == (400, True)


def test_a_search_leaves_out_comments_and_attachments_unless_asked(filled: httpx.Client) -> None:
    (issue,) = filled.get("/search", params={"jql": "key = GOV-3"}).json()["issues"]
    assert not {"comment", "attachment"} & set(issue["fields"])
    (issue,) = filled.post("/search", json={"jql": "key = GOV-3", "fields": ["*all"]}).json()["issues"]
    assert issue["fields"]["comment"]["total"] == 1


def test_a_search_body_with_an_unknown_property_is_refused(filled: httpx.Client) -> None:
    answer = filled.post("/search", json={"jql": "", "properties": None})
    assert (answer.status_code, answer.json()["errorMessages"]) == (
        400,
        ['Unrecognized field "properties", not marked as ignorable'],
    )


def test_not_is_pushed_down_to_the_comparisons() -> None:
    clause = parse("not (a = 1 or not b in (2, 3))").clause
    assert isinstance(clause, Junction)
    assert clause.connective == "and"
    first, second = clause.clauses
    assert isinstance(first, Comparison) and (first.field, first.operator) == ("a", "!=")
    assert isinstance(second, Comparison) and (second.field, second.operator) == ("b", "in")


def test_quoted_words_are_values_and_never_keywords() -> None:
    clause = parse('labels in ("and", \'it\\\'s\', "a \\"b\\"")').clause
    assert isinstance(clause, Comparison)
    assert [operand.text for operand in clause.operands] == ["and", "it's", 'a "b"']


def test_an_error_names_line_and_character() -> None:
    with pytest.raises(JqlError, match=r"line 2, character 3"):
        parse("project = GOV\n  nonsense")
