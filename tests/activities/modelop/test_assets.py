"""Which asset steers a review, and how its bytes are had."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.modelop.assets import (
    MAX_ASSET_BYTES,
    UnreadableAsset,
    decision_table_asset,
    filename,
    template_asset,
)
from activities.modelop.client import ModelOpClient
from sandbox.modelop.seed import CUSTOMER_LIMITS_FILE, CUSTOMER_TEMPLATE, CUSTOMER_TEMPLATE_FILE, GERMAN_CREDIT
from tests.activities.modelop.scripted_server import Reply, ScriptedServer

CONTENT = b"<definitions/>"
RIGHT_HASH = {"hashType": "SHA-256", "hexString": hashlib.sha256(CONTENT).hexdigest()}
WRONG_HASH = {"hashType": "SHA-256", "hexString": "ab" * 32}


def asset(name: str, role: str = "TEST_RESULT_COMPARATOR", **fields: Any) -> dict[str, Any]:
    return {"filename": name, "assetRole": role, **fields}


def model(*assets: dict[str, Any]) -> dict[str, Any]:
    return {"modelAssets": list(assets)}


def embedded(content: bytes = CONTENT, **fields: Any) -> dict[str, Any]:
    return asset("limits.dmn", fileContent=base64.b64encode(content).decode(), **fields)


def linked(url: str, **fields: Any) -> dict[str, Any]:
    return asset("limits.dmn", fileUrl=url, **fields)


@pytest.mark.parametrize("name", ["ModelReviewDocument.docx", "Bank-MODELREVIEWDOCUMENT_v2.DOCX"])
def test_a_template_is_found_by_role_and_name_in_any_case(name: str) -> None:
    assert template_asset(model(asset("x.dmn"), asset(name, "MODEL_DOCUMENTATION"))) is not None


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("ModelReviewDocument.docx", "README_FILE"),
        ("ModelReviewDocument.md", "MODEL_DOCUMENTATION"),
        ("Validation report.docx", "MODEL_DOCUMENTATION"),
        ("", "MODEL_DOCUMENTATION"),
    ],
)
def test_another_document_of_the_model_is_no_template(name: str, role: str) -> None:
    assert template_asset(model(asset(name, role))) is None


def test_of_several_the_newest_counts_whatever_their_order() -> None:
    old = asset("b.dmn", createdDate="2026-01-01T00:00:00Z", assetId="9")
    new = asset("a.dmn", createdDate="2026-02-01T00:00:00Z", assetId="1")
    undated = asset("c.dmn", assetId="99")
    for assets in ((old, new, undated), (undated, new, old)):
        assert decision_table_asset(model(*assets)) is new


def test_of_several_made_at_once_the_greatest_id_counts() -> None:
    twins = [asset("a.dmn", createdDate="2026-01-01T00:00:00Z", assetId=name) for name in ("a1", "b2")]
    assert decision_table_asset(model(*twins)) is decision_table_asset(model(*reversed(twins))) is twins[1]


def test_a_comparator_by_another_name_counts_only_where_no_dmn_file_is() -> None:
    other, table = asset("limits.xml", createdDate="2026-03-01T00:00:00Z"), asset("limits.dmn")
    assert decision_table_asset(model(other)) is other
    assert decision_table_asset(model(other, table)) is table


@pytest.mark.parametrize("broken", [{}, {"modelAssets": None}, {"modelAssets": [None, 3, "x", {"assetRole": []}]}])
def test_a_model_without_readable_assets_has_neither(broken: dict[str, Any]) -> None:
    assert (decision_table_asset(broken), template_asset(broken)) == (None, None)


def test_a_file_name_is_one_short_line() -> None:
    assert filename(asset("a\nb\x00" + "c" * 500)).startswith("a b ccc")
    assert len(filename(asset("c" * 500))) == 120
    assert filename({}) == "file without a name"


async def test_the_seeded_customer_brings_files_that_can_be_read(client: ModelOpClient) -> None:
    customer = await client.get_model(CUSTOMER_TEMPLATE)
    template, table = template_asset(customer), decision_table_asset(customer)
    assert template is not None and table is not None
    assert (filename(template), filename(table)) == (CUSTOMER_TEMPLATE_FILE, CUSTOMER_LIMITS_FILE)
    assert (await client.read_asset(template)).startswith(b"PK")
    assert b"decisionTable" in await client.read_asset(table)
    german = await client.get_model(GERMAN_CREDIT)
    assert (template_asset(german), decision_table_asset(german)) == (None, None)


async def test_embedded_content_needs_no_request_and_is_compared_with_its_hash(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(500))
    for content in (embedded(), embedded(contentHash=RIGHT_HASH), asset("x.dmn", fileContentString=CONTENT.decode())):
        assert await scripted_client.read_asset(content) == CONTENT
    with pytest.raises(UnreadableAsset, match=f"recorded in ModelOp Center is {'ab' * 32}"):
        await scripted_client.read_asset(embedded(contentHash=WRONG_HASH))
    assert scripted.received == []


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (asset("x.dmn"), "neither embedded content nor an address"),
        (asset("x.dmn", fileContent="%%%"), "not base64"),
        (asset("x.dmn", fileContent="A" * (MAX_ASSET_BYTES * 4 // 3 + 8)), "larger than 20 MB"),
        (asset("x.dmn", fileContentString="é" * MAX_ASSET_BYTES), "larger than 20 MB"),
        (linked("s3://bucket/limits.dmn?X-Amz-Signature=secret"), "kept at s3://bucket, and"),
        (linked("https://files.example/limits.dmn?sig=secret"), "kept at https://files.example, and"),
        (linked("//files.example/limits.dmn"), "files are read from ModelOp Center only"),
        (linked("file:///etc/passwd"), "files are read from ModelOp Center only"),
        (linked("http://[broken"), "not a URL|an address that is none"),
    ],
)
async def test_what_cannot_be_read_says_why_and_reveals_no_signature(
    scripted: ScriptedServer, scripted_client: ModelOpClient, broken: dict[str, Any], reason: str
) -> None:
    scripted.script(Reply(200, CONTENT))
    with pytest.raises(UnreadableAsset, match=reason) as caught:
        await scripted_client.read_asset(broken)
    assert "secret" not in str(caught.value)
    assert scripted.received == []


async def test_the_token_never_goes_to_another_port_or_user_of_the_same_host(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    async with ScriptedServer() as other:
        other.script(Reply(200, CONTENT))
        host = scripted.url.removeprefix("http://")
        for url in (f"{other.url}/limits.dmn", f"http://{host}@{other.url[7:]}/x", f"http://someone@{host}/limits.dmn"):
            with pytest.raises(UnreadableAsset, match="from ModelOp Center only"):
                await scripted_client.read_asset(linked(url))
        assert other.received == []


async def test_a_file_on_the_host_of_modelop_center_is_read_with_the_token_and_compared(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(200, CONTENT))
    url = f"{scripted.url}/assets/limits.dmn?version=3"
    assert await scripted_client.read_asset(linked(url, contentHash=RIGHT_HASH)) == CONTENT
    assert await scripted_client.read_asset(linked("/assets/limits.dmn?version=3")) == CONTENT
    for request in scripted.received:
        assert (request.path, request.query) == ("/assets/limits.dmn", {"version": "3"})
        assert request.headers["authorization"].startswith("Bearer ")
    with pytest.raises(UnreadableAsset, match="SHA-256"):
        await scripted_client.read_asset(linked(url, contentHash=WRONG_HASH))


@pytest.mark.parametrize(
    "reply", [Reply(404), Reply(403), Reply(302, headers={"Location": "http://127.0.0.1:1/x"}), Reply(410)]
)
async def test_a_file_that_is_not_there_is_not_asked_for_again(
    scripted: ScriptedServer, scripted_client: ModelOpClient, reply: Reply
) -> None:
    scripted.script(reply)
    with pytest.raises(UnreadableAsset, match=f"answered {reply.status}"):
        await scripted_client.read_asset(linked(f"{scripted.url}/assets/limits.dmn"))


@pytest.mark.parametrize("reply", [Reply(503), Reply(401), Reply(429), Reply(cut=True)])
async def test_a_server_that_is_down_or_refuses_the_account_is_no_property_of_the_file(
    scripted: ScriptedServer, scripted_client: ModelOpClient, reply: Reply
) -> None:
    scripted.script(reply)
    with pytest.raises(ApplicationError):
        await scripted_client.read_asset(linked(f"{scripted.url}/assets/limits.dmn"))


async def test_a_linked_file_that_is_too_large_is_not_read_to_its_end(
    scripted: ScriptedServer, scripted_client: ModelOpClient
) -> None:
    scripted.script(Reply(200, b"x" * (MAX_ASSET_BYTES + 1)))
    with pytest.raises(UnreadableAsset, match="larger than 20 MB"):
        await scripted_client.read_asset(linked(f"{scripted.url}/assets/limits.dmn"))
