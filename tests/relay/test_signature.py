"""Only Jira may speak to the relay."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from relay.app import create_app
from relay.signature import SignatureCheck, UnsignedRelayError
from tests.relay.conftest import OLD_SECRET, SECRET, post, sign, signals, waiting_run, webhook

BODY = b"Hello World!"
# Published by Atlassian for the secret and the body above.
PUBLISHED = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"


def check(*secrets: str) -> SignatureCheck:
    return SignatureCheck([SecretStr(secret) for secret in secrets])


def test_atlassians_published_vector_is_accepted() -> None:
    assert check(SECRET).accepts(BODY, PUBLISHED)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_any_of_several_secrets_is_accepted(position: int) -> None:
    secrets = ["first", "second"]
    secrets.insert(position, SECRET)
    assert check(*secrets).accepts(BODY, PUBLISHED)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha256",
        PUBLISHED[:-1],
        PUBLISHED[:-1] + "0",
        PUBLISHED.removeprefix("sha256="),
        PUBLISHED.replace("sha256", "sha1"),
        PUBLISHED.replace("sha256", "none"),
        PUBLISHED.replace("sha256", ""),
        "sha256=\u00e9\ud800",
    ],
)
def test_any_other_signature_is_refused(header: str | None) -> None:
    assert not check(SECRET).accepts(BODY, header)


def test_a_secret_that_was_left_out_opens_nothing_any_more() -> None:
    assert check(SECRET, "new").accepts(BODY, PUBLISHED)
    assert not check("new").accepts(BODY, PUBLISHED)


def test_one_changed_byte_breaks_the_signature() -> None:
    assert not check(SECRET).accepts(b"Hello World?", PUBLISHED)


@pytest.mark.parametrize("secrets", [[], [""], ["good", ""], ["  "]])
async def test_a_relay_without_a_usable_secret_refuses_to_start(temporal: Client, secrets: list[str]) -> None:
    with pytest.raises(UnsignedRelayError, match="MLC_RELAY__SECRETS"):
        create_app(client=temporal, secrets=[SecretStr(secret) for secret in secrets])


@pytest.mark.parametrize("header", ["", "sha256=" + "0" * 64, sign(b"something else"), "sha512=" + "0" * 128])
async def test_a_wrong_signature_gets_401_without_saying_why(temporal: Client, relay_url: str, header: str) -> None:
    run = await waiting_run(temporal)
    answer = await post(relay_url, webhook("GOV-1", run.id), headers={"X-Hub-Signature": header})
    assert answer.status_code == 401
    assert answer.json() == {"result": "refused", "reason": "unauthorized"}
    assert await signals(temporal, run) == []


async def test_the_secret_before_a_change_still_works(temporal: Client, relay_url: str) -> None:
    run = await waiting_run(temporal)
    answer = await post(relay_url, webhook("GOV-1", run.id), secret=OLD_SECRET)
    assert answer.json() == {"result": "signalled", "workflow_ids": [run.id]}
