"""The codec server as a process: who may have payloads decrypted, from which pages, and what it never says."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from tests.mlc_process import MLC, environment
from tests.processes import ServerProcess, free_port, server_process
from tests.temporal_servers import TEMPORAL, dev_server
from tests.worker.keys import new_key, ring
from worker.data_converter import encrypting_data_converter
from workflows.contract import TASK_QUEUE

KEY, OTHER = new_key(), new_key()
RING = ring("k1", k1=KEY)
TOKENS = ["first-token-0123456789", "second-token-0123456789"]
UI = "http://127.0.0.1:8233"
ELSEWHERE = "http://evil.example"
BEARER = {"Authorization": f"Bearer {TOKENS[1]}", "X-Namespace": "risk"}
CORS = "access-control-"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"the model is called Panther"')
SETTINGS = {
    "MLC_ENV_FILE": "",
    "MLC_ENCRYPTION__KEYS": json.dumps({"k1": KEY}),
    "MLC_ENCRYPTION__ACTIVE_KEY": "k1",
    "MLC_CODEC_SERVER__TOKENS": json.dumps(TOKENS),
    "MLC_CODEC_SERVER__ORIGINS": json.dumps([UI]),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    port, log = free_port(), tmp_path_factory.mktemp("codec") / "codec-server.log"
    command = ["-m", "console", "codec-server", "--port", str(port)]
    with server_process(command, port=port, log=log, env=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield client


def body(*payloads: Payload) -> dict[str, Any]:
    return {"payloads": [MessageToDict(payload) for payload in payloads]}


def read(answer: httpx.Response) -> list[Payload]:
    assert answer.status_code == 200, answer.text
    return [ParseDict(payload, Payload()) for payload in answer.json()["payloads"]]


def granted(answer: httpx.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith(CORS)]


@pytest.mark.parametrize("path", ["/decode", "/risk/decode"])
def test_payloads_are_decrypted_in_their_order_and_clear_ones_left_as_they_are(http: httpx.Client, path: str) -> None:
    other = Payload(metadata={"encoding": b"binary/null"})
    answer = http.post(path, json=body(RING.encrypt(PLAIN), other, RING.encrypt(other)), headers=BEARER)
    assert read(answer) == [PLAIN, other, other]
    assert answer.headers["cache-control"] == "no-store"


def test_what_the_web_ui_sends_is_encrypted_under_the_active_key(http: httpx.Client) -> None:
    (sealed,) = read(http.post("/encode", json=body(PLAIN), headers=BEARER))
    assert RING.decrypt(sealed) == PLAIN and sealed.metadata["encoding"] == b"binary/encrypted"


def test_no_payloads_are_no_payloads(http: httpx.Client) -> None:
    assert http.post("/decode", content="{}", headers=BEARER).json() == {"payloads": []}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKENS[0]},
        {"Authorization": f"Basic {TOKENS[0]}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKENS[0]}x"},
        {"Authorization": f"Bearer {TOKENS[0][:-1]}"},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": "mlc-codec-session=99999999999.00"},
        {"Cookie": f"mlc-codec-session={'9' * 400}.00", "Origin": UI},
        {"Cookie": "mlc-codec-session=\xb2.00", "Origin": UI},
    ],
)
@pytest.mark.parametrize("path", ["/decode", "/encode"])
def test_without_one_of_the_tokens_nothing_is_read(http: httpx.Client, path: str, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = http.post(path, json=body(RING.encrypt(PLAIN)), headers=raw)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert set(answer.json()) == {"message"}


def test_the_web_ui_may_ask_and_may_read_refusals(http: httpx.Client) -> None:
    asked = {"Origin": UI, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    preflight = http.options("/decode", headers=asked)
    assert preflight.status_code == 204 and preflight.headers["access-control-allow-origin"] == UI
    assert preflight.headers["access-control-allow-headers"] == "Authorization, Content-Type, X-Namespace"
    for headers, status in ((BEARER, 200), ({}, 401)):
        answer = http.post("/decode", json=body(PLAIN), headers={**headers, "Origin": UI})
        assert answer.status_code == status and answer.headers["access-control-allow-origin"] == UI
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", f"{UI}.evil.example", "http://127.0.0.1", f"{UI}/", "*"])
def test_other_pages_get_no_header_that_lets_them_read(http: httpx.Client, origin: str) -> None:
    preflight = http.options("/decode", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 403 and not granted(preflight)
    assert not granted(http.post("/decode", json=body(PLAIN), headers={**BEARER, "Origin": origin}))


def test_a_browser_signs_in_with_a_token_and_only_pages_of_the_web_ui_may_use_its_session(http: httpx.Client) -> None:
    with httpx.Client(base_url=http.base_url) as browser:
        assert "Sign in" in browser.get("/").text
        wrong = browser.post("/session", data={"token": "not-one-of-the-tokens"})
        assert wrong.status_code == 401 and not browser.cookies
        signed_in = browser.post("/session", data={"token": TOKENS[0]})
        assert signed_in.status_code == 303
        cookie = signed_in.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKENS[0] not in cookie
        assert "You are signed in" in browser.get("/signed-in").text
        answer = browser.post("/decode", json=body(RING.encrypt(PLAIN)), headers={"Origin": UI})
        assert read(answer) == [PLAIN] and answer.headers["access-control-allow-credentials"] == "true"
        for origin in ({"Origin": ELSEWHERE}, {"Origin": "null"}, {}):
            assert browser.post("/decode", json=body(PLAIN), headers=origin).status_code == 401


def test_a_payload_under_another_key_is_refused_with_its_id_and_the_variable(http: httpx.Client) -> None:
    foreign = ring("k9", k9=OTHER).encrypt(PLAIN)
    answer = http.post("/decode", json=body(PLAIN, foreign), headers=BEARER)
    assert answer.status_code == 400
    assert "under key k9, which MLC_ENCRYPTION__KEYS does not hold here" in answer.json()["message"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Panther",
        b"\xff\xfe\x00",
        b"[1]",
        b'"Panther"',
        b'{"payloads": {}}',
        b'{"payloads": ["Panther"]}',
        b'{"payloads": [{"data": 1}]}',
        b'{"payloads": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_none_is_refused_and_not_repeated(http: httpx.Client, content: bytes) -> None:
    answer = http.post("/decode", content=content, headers=BEARER)
    assert answer.status_code == 400 and "the body should be JSON" in answer.json()["message"]
    assert "Panther" not in answer.text


def test_damaged_ciphertext_is_refused(http: httpx.Client) -> None:
    sealed = RING.encrypt(PLAIN)
    sealed.data = sealed.data[:-1]
    assert http.post("/decode", json=body(sealed), headers=BEARER).status_code == 400


def test_a_body_that_is_too_large_is_refused_declared_or_not(server: ServerProcess, http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 1024 * 1024

    assert http.post("/decode", content=chunks(), headers=BEARER).status_code == 413
    assert http.post("/session", content=b"token=" + b"x" * 5000).status_code == 400
    assert http.get("/healthz").json() == {"status": "ok"}


def test_other_paths_and_methods_are_none_of_its_business(http: httpx.Client) -> None:
    assert http.get("/decode", headers=BEARER).status_code == 405
    assert http.post("/download", headers=BEARER).status_code == 404


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("MLC_CODEC_SERVER__TOKENS", "would decrypt for everybody: set MLC_CODEC_SERVER__TOKENS"),
        ("MLC_ENCRYPTION__KEYS", "MLC_ENCRYPTION__ACTIVE_KEY: names a key, but MLC_ENCRYPTION__KEYS holds none"),
    ],
)
def test_it_does_not_start_without_tokens_or_keys(missing: str, said: str) -> None:
    settings = {name: value for name, value in SETTINGS.items() if name != missing}
    ended = run("codec-server", "--port", str(free_port()), **settings)
    assert ended.returncode == 1 and said in ended.stderr and "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_said_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("codec-server", "--port", str(taken.getsockname()[1]), **SETTINGS)
    assert ended.returncode == 1
    assert "the codec server cannot listen on 127.0.0.1" in ended.stderr and "MLC_CODEC_SERVER__PORT" in ended.stderr


async def test_temporals_own_command_line_reads_a_history_through_it(server: ServerProcess) -> None:
    async with dev_server() as temporal:
        service = temporal.client.service_client
        client = Client(service, data_converter=encrypting_data_converter(RING))
        await client.start_workflow("Unserved", "it is called Panther", id="w", task_queue=TASK_QUEUE)
        address = ("--address", service.config.target_host)
        sealed = await temporal_cli("workflow", "show", "--workflow-id", "w", "--output", "json", *address)
        codec = ("--codec-endpoint", server.url, "--codec-auth", f"Bearer {TOKENS[0]}")
        opened = await temporal_cli("workflow", "show", "--workflow-id", "w", "--output", "json", *address, *codec)
    readable = base64.b64encode(b'"it is called Panther"').decode()
    assert readable not in sealed and readable in opened


def test_nothing_of_all_this_is_in_its_log_and_it_ends_in_order(server: ServerProcess, http: httpx.Client) -> None:
    http.post("/decode", json=body(PLAIN), headers={**BEARER, "X-Namespace": "x\t2026 ERROR forged"})
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    log = server.log.read_text()
    assert "of namespace risk" in log and "refused for namespace" in log
    assert not [word for word in ("Panther", *TOKENS, KEY, "forged", "Traceback") if word in log]


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MLC, *arguments], env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )


async def temporal_cli(*arguments: str) -> str:
    """What Temporal's own command prints."""
    process = await asyncio.create_subprocess_exec(
        str(TEMPORAL), *arguments, "--disable-config-file", stdout=PIPE, stderr=PIPE
    )
    printed, complaints = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, complaints.decode()
    return printed.decode()
