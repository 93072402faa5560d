from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira.adapter import JiraAdapter
from activities.jira.settings import JiraSettings
from tests.activities.jira.conftest import ON_CLOUD, ON_ONE_EDITION, MakeSettings
from tests.activities.jira.faulty_proxy import Fault, FaultyProxy
from tests.activities.jira.people import Person

SERVER_INFO = "GET .*/serverInfo"


@pytest.fixture
async def make_adapter() -> AsyncIterator[Callable[[JiraSettings], JiraAdapter]]:
    adapters: list[JiraAdapter] = []

    def make(settings: JiraSettings) -> JiraAdapter:
        adapters.append(JiraAdapter(settings))
        return adapters[-1]

    yield make
    for adapter in adapters:
        await adapter.aclose()


async def test_nothing_is_sent_before_the_first_call(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    assert proxy.requests == []
    await adapter.search_by_labels(["nobody-has-this"])
    assert proxy.count(SERVER_INFO) == 1


async def test_a_jira_that_is_away_at_first_is_used_once_it_is_back(adapter: JiraAdapter, proxy: FaultyProxy) -> None:
    proxy.faults.append(Fault(SERVER_INFO))
    with pytest.raises(ApplicationError) as failure:
        await adapter.search_by_labels(["nobody-has-this"])

    assert (failure.value.type, failure.value.non_retryable) == ("Unreachable", False)
    assert "GET serverInfo" in failure.value.message
    assert await adapter.search_by_labels(["nobody-has-this"]) == []


@ON_ONE_EDITION
async def test_a_personal_access_token_signs_in(
    make_settings: MakeSettings, make_adapter: Callable[[JiraSettings], JiraAdapter], paul: Person
) -> None:
    adapter = make_adapter(make_settings(username=None, token=None, bearer_token="sandbox-jira-token"))
    issue = paul.create()

    assert (await adapter.get(issue["id"])).key == issue["key"]


async def test_wrong_credentials_are_final_and_not_shown(
    make_settings: MakeSettings, make_adapter: Callable[[JiraSettings], JiraAdapter]
) -> None:
    with pytest.raises(ApplicationError) as failure:
        await make_adapter(make_settings(token="wrong")).search_by_labels(["anything"])

    assert (failure.value.type, failure.value.non_retryable) == ("Unauthorized", True)
    assert "credentials" in failure.value.message and "wrong" not in failure.value.message


@ON_ONE_EDITION
async def test_a_wrong_personal_access_token_is_final_and_not_shown(
    make_settings: MakeSettings, make_adapter: Callable[[JiraSettings], JiraAdapter]
) -> None:
    settings = make_settings(username=None, token=None, bearer_token="wrong")
    with pytest.raises(ApplicationError) as failure:
        await make_adapter(settings).search_by_labels(["anything"])

    assert (failure.value.type, failure.value.non_retryable) == ("Unauthorized", True)
    assert "wrong" not in failure.value.message


@pytest.mark.parametrize("status", [200, 404])
async def test_an_answer_for_passers_by_is_not_taken_for_the_truth(
    adapter: JiraAdapter, proxy: FaultyProxy, status: int
) -> None:
    headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED", "Content-Type": "application/json"}
    proxy.faults.append(
        Fault("POST .*/search(/jql)?", status=status, headers=headers, body='{"issues": [], "total": 0}')
    )
    with pytest.raises(ApplicationError) as failure:
        await adapter.search_by_labels(["anything"])

    assert (failure.value.type, failure.value.non_retryable) == ("Unauthorized", True)


async def test_many_calls_at_once_do_not_mix_up_their_answers(adapter: JiraAdapter, paul: Person) -> None:
    issues = [paul.create() for _ in range(5)] * 6
    answers = await asyncio.gather(*(adapter.get(issue["id"]) for issue in issues))

    assert [answer.key for answer in answers] == [issue["key"] for issue in issues]


async def test_closing_waits_for_the_calls_under_way(settings: JiraSettings, proxy: FaultyProxy, paul: Person) -> None:
    adapter, issue = JiraAdapter(settings), paul.create()
    await adapter.get(issue["id"])
    proxy.faults.append(Fault("GET .*/issue/.*", status=404, delay=0.5))
    under_way = asyncio.create_task(adapter.get(issue["id"]))
    await asyncio.sleep(0.2)
    await adapter.aclose()

    with pytest.raises(ApplicationError) as failure:
        await under_way
    assert failure.value.type == "NotFound"


async def test_a_label_with_quotes_stays_one_label(adapter: JiraAdapter, paul: Person) -> None:
    issue = paul.create(labels=['a"b\\c'])

    assert [found.key for found in await adapter.search_by_labels(['a"b\\c'])] == [issue["key"]]
    assert await adapter.search_by_labels(['x" OR project = "GOV']) == []


@ON_CLOUD
async def test_known_tickets_are_found_before_the_index_has_them(
    adapter: JiraAdapter, paul: Person, search_trails_behind: Callable[[float], None]
) -> None:
    search_trails_behind(60)
    issue = paul.create(labels=["not-indexed"])

    assert await adapter.search_by_labels(["not-indexed"]) == []
    (found,) = await adapter.search_by_labels(["not-indexed"], known=[issue["id"]])
    assert found.key == issue["key"]


async def test_labels_are_searched_for_together(adapter: JiraAdapter, paul: Person) -> None:
    keys = [paul.create(labels=[label, "both"])["key"] for label in ("together-1", "together-2")]

    found = await adapter.search_by_labels(["together-1", "together-2", "both"])
    assert [issue.key for issue in found] == keys


async def test_a_search_reads_all_pages_and_sorts_by_id(adapter: JiraAdapter, paul: Person) -> None:
    keys = [paul.create(labels=["page-test"])["key"] for _ in range(101)]

    assert [issue.key for issue in await adapter.search_by_labels(["page-test"])] == keys
