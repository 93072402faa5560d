"""Connections that end without an answer, or in the middle of one: the client cannot tell whether the work was done."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from jira import JIRA

from tests.sandbox.faults.sites import JiraSite, Site


@pytest.mark.parametrize(("when", "times_done", "worked"), [("before", 0, None), ("after", 1, 201)])
def test_a_cut_connection_gives_no_answer(site: Site, when: str, times_done: int, worked: int | None) -> None:
    work = site.work()
    with site.fault("cut", when=when, times=1) as fault:
        with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected without sending a response"):
            site.ask(work)
        assert site.done(work) == times_done
        shown = site.shown(fault)
        assert (shown["matched"], shown["applied"]) == (1, 1)
        assert [(strike["path"], strike["worked"]) for strike in shown["strikes"]] == [(site.path, worked)]
        # The next attempt finds a sandbox in good health.
        assert site.ask(work).status_code == 201
    assert site.done(work) == times_done + 1


@pytest.mark.parametrize(("when", "times_done"), [("before", 0), ("after", 1)])
def test_a_reset_connection_is_an_error_of_the_network(site: Site, when: str, times_done: int) -> None:
    work = site.work()
    with site.fault("cut", when=when, reset=True), pytest.raises(httpx.ReadError):
        site.ask(work)
    assert site.done(work) == times_done


def test_a_truncated_answer_ends_in_the_middle_of_its_body(site: Site) -> None:
    work = site.work()
    with (
        site.fault("truncate") as fault,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"),
    ):
        site.ask(work)
    assert site.done(work) == 1
    assert site.client.get(fault).status_code == 404


def test_half_of_a_truncated_body_arrives(site: Site) -> None:
    arrived = b""
    whole = site.client.get("/nowhere")
    with (
        site.fault("truncate", method="GET", path="/nowhere"),
        pytest.raises(httpx.RemoteProtocolError),
        site.client.stream("GET", whole.url) as response,
    ):
        for part in response.iter_raw():
            arrived += part
    assert response.headers["content-length"] == str(len(whole.content))
    # The bodies differ in the time they tell.
    assert (len(arrived), arrived[:10]) == (len(whole.content) // 2, whole.content[:10])


def test_an_answer_without_a_body_is_lost_whole_when_truncated(jira_site: JiraSite) -> None:
    key = jira_site.ask(jira_site.work()).json()["key"]
    with (
        jira_site.fault("truncate", path="/rest/api/*/issue/*/transitions") as fault,
        pytest.raises(httpx.RemoteProtocolError, match="without sending a response"),
    ):
        jira_site.client.post(f"/rest/api/2/issue/{key}/transitions", json={"transition": {"id": "31"}})
    assert jira_site.client.get(f"/rest/api/2/issue/{key}").json()["fields"]["status"]["name"] == "Done"
    assert jira_site.client.get(fault).status_code == 404


def test_a_large_request_is_taken_whole_before_the_cut(site: Site) -> None:
    # Closing with unread bytes would be a reset, which strikes a client while it is still sending.
    head = f"POST {site.path} HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 8000000\r\n\r\n"
    with site.fault("cut"), socket.create_connection(("127.0.0.1", httpx.URL(site.url).port or 0), 5) as connection:
        connection.sendall(head.encode() + bytes(8_000_000))
        assert connection.recv(1) == b""


def test_the_server_does_not_take_a_cut_for_an_error_of_its_own(jira_site: JiraSite) -> None:
    effects: list[dict[str, Any]] = [{"effect": "cut"}, {"effect": "cut", "reset": True}, {"effect": "truncate"}]
    for effect in effects:
        with jira_site.fault(**effect), pytest.raises(httpx.TransportError):
            jira_site.ask(jira_site.work())
    assert "ASGI" not in jira_site.log.read_text()


@pytest.fixture(scope="module")
def package(jira_site: JiraSite) -> Iterator[JIRA]:
    """The `jira` package as the service account; it repeats nothing by itself."""
    client = JIRA(jira_site.url, token_auth="sandbox-jira-token", max_retries=0, timeout=(2, 5))
    yield client
    client.close()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("when", "times_done"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("reset", [False, True])
def test_the_jira_package_sees_a_connection_that_broke(
    jira_site: JiraSite, package: JIRA, when: str, times_done: int, reset: bool
) -> None:
    work = jira_site.work()
    words = "reset by peer" if reset else "Remote end closed connection without response"
    with (
        jira_site.fault("cut", when=when, reset=reset),
        pytest.raises(requests.exceptions.ConnectionError, match=words),
    ):
        package.create_issue(fields=work.body["fields"], prefetch=False)
    found: Any = package.search_issues(f"labels = {work.mark}")
    assert len(found) == times_done


def test_the_jira_package_sees_an_answer_that_ends_early(jira_site: JiraSite, package: JIRA) -> None:
    work = jira_site.work()
    with jira_site.fault("truncate"), pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        package.create_issue(fields=work.body["fields"], prefetch=False)
    assert jira_site.done(work) == 1


def test_the_jira_package_loses_the_answer_to_an_upload(jira_site: JiraSite, package: JIRA) -> None:
    key = jira_site.ask(jira_site.work()).json()["key"]
    with (
        jira_site.fault("cut", when="after", path="/rest/api/2/issue/*/attachments"),
        pytest.raises(requests.exceptions.ConnectionError),
    ):
        package.add_attachment(key, io.BytesIO(b"PK"), filename="review.docx")
    assert [entry.filename for entry in package.issue(key).fields.attachment] == ["review.docx"]
