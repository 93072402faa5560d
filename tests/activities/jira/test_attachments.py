from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira import adapter as adapter_module
from activities.jira.adapter import JiraAdapter
from tests.activities.jira.conftest import ON_CLOUD, ON_ONE_EDITION
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person
from tests.processes import free_port


@pytest.fixture
def issue_id(paul: Person) -> str:
    created: str = paul.create()["id"]
    return created


@pytest.mark.parametrize("size", [1, 300_000])
@pytest.mark.parametrize(
    "name", ["Model-Review-german-credit-1a2b3c4d.docx", "Prüfbericht 模型 🏦.docx", "n" * 195 + ".docx"]
)
async def test_what_is_attached_is_downloaded_byte_for_byte(
    adapter: JiraAdapter, issue_id: str, name: str, size: int
) -> None:
    content = os.urandom(size)
    attached = await adapter.attach(issue_id, name, content)

    assert (attached.filename, attached.size) == (name, size)
    assert abs(attached.created - datetime.now(UTC)) < timedelta(seconds=10)
    assert await adapter.list_attachments(issue_id) == [attached]
    assert await adapter.download(attached.attachment_id) == content


async def test_of_two_files_with_one_name_each_is_fetched_by_its_id(adapter: JiraAdapter, issue_id: str) -> None:
    first = await adapter.attach(issue_id, "review.docx", b"the one that was reviewed")
    second = await adapter.attach(issue_id, "review.docx", b"another one")

    assert [a.attachment_id for a in await adapter.list_attachments(issue_id)] == [
        first.attachment_id,
        second.attachment_id,
    ]
    assert await adapter.download(first.attachment_id) == b"the one that was reviewed"


async def test_a_lost_answer_to_an_upload_is_retryable_and_the_file_is_listed(
    adapter: JiraAdapter, issue_id: str, proxy: FaultyProxy
) -> None:
    proxy.faults.append(Fault("POST .*/attachments", after_work=True))
    with pytest.raises(ApplicationError) as failure:
        await adapter.attach(issue_id, "review.docx", b"x")

    assert (failure.value.type, failure.value.non_retryable) == ("Unreachable", False)
    # Until then Jira may still be storing what it was sent.
    assert failure.value.next_retry_delay == timedelta(seconds=0.4)
    assert proxy.count("POST .*/attachments") == 1
    assert len(await adapter.list_attachments(issue_id)) == 1


async def test_a_file_above_the_upload_limit_is_refused_for_good(adapter: JiraAdapter, issue_id: str) -> None:
    with pytest.raises(ApplicationError) as failure:
        await adapter.attach(issue_id, "review.docx", bytes(10 * 1024 * 1024 + 1))

    assert (failure.value.type, failure.value.non_retryable) == ("Refused", True)
    assert "413" in failure.value.message


async def test_a_download_larger_than_allowed_is_not_read_to_its_end(
    adapter: JiraAdapter, issue_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = await adapter.attach(issue_id, "review.docx", bytes(200_000))
    monkeypatch.setattr(adapter_module, "MAX_DOWNLOAD_BYTES", 100_000)
    with pytest.raises(ApplicationError) as failure:
        await adapter.download(attached.attachment_id)

    assert failure.value.non_retryable
    assert "100,000" in failure.value.message


async def test_an_attachment_that_is_gone_is_not_found(adapter: JiraAdapter) -> None:
    with pytest.raises(ApplicationError) as failure:
        await adapter.download("999999")

    assert (failure.value.type, failure.value.non_retryable) == ("NotFound", True)


@ON_ONE_EDITION
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
async def test_credentials_are_never_sent_to_an_address_that_is_not_configured(
    adapter: JiraAdapter, proxy: FaultyProxy, host: str
) -> None:
    elsewhere = f"http://{host}:{free_port()}/secure/attachment/7/review.docx"
    body = (
        f'{{"id": 7, "filename": "review.docx", "size": 1, "created": "2026-01-01T10:00:00.000+0000", '
        f'"content": "{elsewhere}"}}'
    )
    proxy.faults.append(Fault("GET .*/attachment/7", status=200, body=body))
    with pytest.raises(ApplicationError) as failure:
        await adapter.download("7")

    assert failure.value.non_retryable
    assert host in failure.value.message and "SITE_URL" in failure.value.message


@ON_ONE_EDITION
async def test_a_download_does_not_follow_a_redirect(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    body = (
        '{"id": 8, "filename": "review.docx", "size": 1, "created": "2026-01-01T10:00:00.000+0000", '
        f'"content": "{proxy.url}/secure/attachment/8/review.docx"}}'
    )
    redirect = Fault("GET /secure/.*", status=302, headers={"Location": f"{proxy.url}/elsewhere"})
    proxy.faults += [Fault("GET .*/attachment/8", status=200, body=body), redirect]
    with pytest.raises(ApplicationError) as failure:
        await adapter.download("8")

    assert failure.value.type == "UnexpectedAnswer"
    assert proxy.count("GET /elsewhere") == 0


@ON_CLOUD
async def test_a_download_from_cloud_does_not_follow_a_redirect_either(
    adapter: JiraAdapter, issue_id: str, proxy: FaultyProxy
) -> None:
    attached = await adapter.attach(issue_id, "review.docx", b"x")
    redirect = Fault("GET .*/attachment/content/.*", status=303, headers={"Location": f"{proxy.url}/elsewhere"})
    proxy.faults.append(redirect)
    with pytest.raises(ApplicationError) as failure:
        await adapter.download(attached.attachment_id)

    assert failure.value.type == "UnexpectedAnswer"
    assert proxy.count("GET /elsewhere") == 0


@ON_ONE_EDITION
async def test_a_login_page_instead_of_the_file_is_noticed_by_its_size(
    adapter: JiraAdapter, issue_id: str, proxy: FaultyProxy
) -> None:
    body = (
        '{"id": 9, "filename": "review.docx", "size": 4711, "created": "2026-01-01T10:00:00.000+0000", '
        f'"content": "{proxy.url}/secure/attachment/9/review.docx"}}'
    )
    proxy.faults += [
        Fault("GET .*/attachment/9", status=200, body=body),
        Fault("GET /secure/.*", status=200, headers={"Content-Type": "text/html"}, body="<h1>Sign in</h1>"),
    ]
    with pytest.raises(ApplicationError) as failure:
        await adapter.download("9")

    assert failure.value.type == "UnexpectedAnswer"
    assert "4,711" in failure.value.message


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", "[]", "{}", '[{"id": "1"}]', "[1]"])
async def test_an_answer_to_an_upload_that_makes_no_sense_is_an_error(
    adapter: JiraAdapter, issue_id: str, proxy: FaultyProxy, body: str
) -> None:
    proxy.faults.append(Fault("POST .*/attachments", status=200, body=body))
    with pytest.raises(ApplicationError) as failure:
        await adapter.attach(issue_id, "review.docx", b"x")

    assert (failure.value.type, failure.value.non_retryable) == ("UnexpectedAnswer", False)
