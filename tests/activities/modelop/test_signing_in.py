"""The three ways to sign in, and how tokens are renewed."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs

import pytest
from temporalio.exceptions import ApplicationError

from activities.modelop import auth
from activities.modelop.client import ModelOpClient
from sandbox.modelop.accounts import OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, SERVICE_ACCOUNT, VIEWER
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.conftest import settings_for
from tests.activities.modelop.scripted_server import Reply, ScriptedServer, json_reply

MODEL = json_reply({"id": "m1"})
REFUSED = json_reply({"message": "expired"}, 401)


def with_password(url: str, **changes: Any) -> ModelOpClient:
    account = {"username": SERVICE_ACCOUNT.username, "password": SERVICE_ACCOUNT.password}
    return ModelOpClient(settings_for(url, token=None, **{**account, **changes}))


def with_credentials(url: str, token_url: str, secret: str) -> ModelOpClient:
    oauth = {"token_url": token_url, "client_id": OAUTH_CLIENT_ID, "client_secret": secret}
    return ModelOpClient(settings_for(url, token=None, **oauth))


async def test_user_and_password_sign_in_to_the_sandbox(sandbox_url: str) -> None:
    client = with_password(sandbox_url)
    assert (await client.get_model(GERMAN_CREDIT))["id"] == GERMAN_CREDIT
    await client.aclose()


async def test_client_credentials_sign_in_to_the_sandbox(sandbox_url: str) -> None:
    client = with_credentials(sandbox_url, f"{sandbox_url}/oauth2/token", OAUTH_CLIENT_SECRET)
    assert (await client.get_model(GERMAN_CREDIT))["id"] == GERMAN_CREDIT
    await client.aclose()


@pytest.mark.parametrize("way", ["password", "client secret", "token"])
async def test_wrong_credentials_are_final_and_stay_out_of_the_error(sandbox_url: str, way: str) -> None:
    wrong = "wr0ng-secret"
    client = {
        "password": lambda: with_password(sandbox_url, password=wrong),
        "client secret": lambda: with_credentials(sandbox_url, f"{sandbox_url}/oauth2/token", wrong),
        "token": lambda: ModelOpClient(settings_for(sandbox_url, token=wrong)),
    }[way]()
    with pytest.raises(ApplicationError, match="check the configured credentials") as caught:
        await client.get_model(GERMAN_CREDIT)
    await client.aclose()
    assert (caught.value.type, caught.value.non_retryable) == ("Unauthorized", True)
    assert wrong not in str(caught.value)


async def test_an_account_that_may_only_read_gets_a_final_error_on_writing(sandbox_url: str) -> None:
    client = with_password(sandbox_url, username=VIEWER.username, password=VIEWER.password)
    with pytest.raises(ApplicationError) as caught:
        await client.patch(f"storedModels/{GERMAN_CREDIT}", {"modelMetaData": {"modelRisk": "Tier 1"}})
    await client.aclose()
    assert (caught.value.type, caught.value.non_retryable) == ("Forbidden", True)


async def test_client_credentials_ask_for_our_scope_with_encoded_basic_authentication(scripted: ScriptedServer) -> None:
    client = with_credentials(scripted.url, f"{scripted.url}/issue", "p:ss w%rd")
    scripted.script(json_reply({"access_token": "fresh", "expires_in": "3600"}), MODEL)
    await client.get_model("m1")
    await client.aclose()
    asked, read = scripted.received
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["modelop_client"]}
    pair = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == f"{OAUTH_CLIENT_ID}:p%3Ass+w%25rd"
    assert read.headers["authorization"] == "Bearer fresh"


@pytest.mark.parametrize("body", [b"eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl\n", b'"eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"'])
async def test_a_token_endpoint_may_answer_the_bare_token(scripted: ScriptedServer, body: bytes) -> None:
    client = with_password(scripted.url)
    scripted.script(Reply(200, body), MODEL)
    await client.get_model("m1")
    await client.aclose()
    assert scripted.received[0].path == "/gocli/token"
    assert scripted.received[1].headers["authorization"] == "Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "body", [b"<html>sign in</html>", b"{}", b'{"access_token": 7}', b'{"access_token": "a\\nb"}', b""]
)
async def test_a_token_answer_without_a_usable_token_is_an_error(scripted: ScriptedServer, body: bytes) -> None:
    client = with_password(scripted.url)
    scripted.script(Reply(200, body))
    with pytest.raises(ApplicationError) as caught:
        await client.get_model("m1")
    await client.aclose()
    assert caught.value.type in ("UnexpectedAnswer", "Unauthorized")
    assert len(scripted.received) == 1


@pytest.mark.parametrize("lifetime", [10**400, "soon", None, {}, "nan", -5])
async def test_a_lifetime_that_is_none_does_not_keep_the_token_from_use(
    scripted: ScriptedServer, lifetime: object
) -> None:
    client = with_password(scripted.url)
    scripted.script(json_reply({"access_token": "fresh", "expires_in": lifetime}), MODEL)
    assert await client.get_model("m1") == {"id": "m1"}
    await client.aclose()


async def test_a_refused_token_is_replaced_once_and_the_call_repeated(scripted: ScriptedServer) -> None:
    client = with_password(scripted.url)
    scripted.script(json_reply({"access_token": "old"}), REFUSED, json_reply({"access_token": "new"}), MODEL)
    assert await client.get_model("m1") == {"id": "m1"}
    await client.aclose()
    bearers = [request.headers.get("authorization") for request in scripted.received]
    assert bearers == [None, "Bearer old", None, "Bearer new"]


async def test_a_second_refusal_is_final(scripted: ScriptedServer) -> None:
    client = with_password(scripted.url)
    scripted.script(json_reply({"access_token": "old"}), REFUSED, json_reply({"access_token": "new"}), REFUSED)
    with pytest.raises(ApplicationError) as caught:
        await client.get_model("m1")
    await client.aclose()
    assert (caught.value.type, caught.value.non_retryable) == ("Unauthorized", True)
    assert len(scripted.received) == 4


async def test_a_refused_static_token_is_not_sent_again(scripted: ScriptedServer) -> None:
    client = ModelOpClient(settings_for(scripted.url))
    scripted.script(REFUSED)
    with pytest.raises(ApplicationError):
        await client.get_model("m1")
    await client.aclose()
    assert len(scripted.received) == 1


async def test_a_token_is_kept_while_it_lives_and_renewed_before_it_ends(scripted: ScriptedServer) -> None:
    client = with_password(scripted.url)
    short = json_reply({"access_token": "short", "expires_in": 0.5})
    scripted.script(short, MODEL, MODEL, json_reply({"access_token": "next", "expires_in": 3600}), MODEL)
    await client.get_model("m1")
    await client.get_model("m1")
    await asyncio.sleep(0.42)
    await client.get_model("m1")
    await client.aclose()
    bearers = [request.headers.get("authorization") for request in scripted.received]
    assert bearers == [None, "Bearer short", "Bearer short", None, "Bearer next"]


async def test_many_calls_at_once_fetch_one_token(scripted: ScriptedServer) -> None:
    client = with_password(scripted.url)
    scripted.script(json_reply({"access_token": "one", "expires_in": 3600}), MODEL)
    await asyncio.gather(*(client.get_model("m1") for _ in range(20)))
    await client.aclose()
    assert [request.path for request in scripted.received].count("/gocli/token") == 1


async def test_a_failed_fetch_is_shared_and_the_next_call_tries_again() -> None:
    outcomes: list[Exception | auth.IssuedToken] = [
        ApplicationError("down", type="Unavailable"),
        auth.IssuedToken("good", 3600),
    ]

    async def fetch() -> auth.IssuedToken:
        await asyncio.sleep(0.01)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    tokens = auth.RenewedToken(fetch)
    failures = await asyncio.gather(tokens.current(), tokens.current(), return_exceptions=True)
    assert [str(failure) for failure in failures] == ["Unavailable: down"] * 2
    assert await tokens.current() == "good"


async def test_a_caller_that_is_cancelled_does_not_end_the_fetch_of_the_others() -> None:
    async def fetch() -> auth.IssuedToken:
        await asyncio.sleep(0.05)
        return auth.IssuedToken("good", None)

    tokens = auth.RenewedToken(fetch)
    impatient, patient = asyncio.create_task(tokens.current()), asyncio.create_task(tokens.current())
    await asyncio.sleep(0.01)
    impatient.cancel()
    assert await patient == "good"
    assert impatient.cancelled()
