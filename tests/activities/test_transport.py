"""Whose certificates count, through which proxy calls go, and how much of an answer is read: against real servers."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
from temporalio.exceptions import ApplicationError

from activities.jira import connection
from activities.jira.adapter import JiraAdapter
from activities.jira.settings import JiraSettings
from activities.modelop import auth
from activities.modelop.client import ModelOpClient
from activities.modelop.settings import ModelOpSettings
from activities.transport import TransportSettings
from tests.activities.modelop.scripted_server import Received, Reply, ScriptedServer, json_reply
from tests.tls import Authority, ForwardProxy, forward_proxy, tls_in_front_of

SECRET = "s3cr3t-t0ken"
PERSON = {"name": "svc-mlc", "key": "svc-mlc", "displayName": "Service", "active": True}
SYSTEMS = ["jira", "modelop"]
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Caller(Protocol):
    """One call to a system, with the settings of its connection changed."""

    async def __call__(self, url: str, **settings: Any) -> Any: ...


async def _ask_jira(url: str, **settings: Any) -> Any:
    plain = {"url": url, "bearer_token": SECRET, "project": "GOV"}
    jira = JiraAdapter(JiraSettings.model_validate({**plain, **settings}))
    try:
        return (await jira.myself()).account_id
    finally:
        await jira.aclose()


async def _ask_modelop(url: str, **settings: Any) -> Any:
    modelop = ModelOpClient(ModelOpSettings.model_validate({"url": url, "token": SECRET, **settings}))
    try:
        return (await modelop.get_model("svc-mlc"))["id"]
    finally:
        await modelop.aclose()


@pytest.fixture(params=SYSTEMS)
def ask(request: pytest.FixtureRequest) -> Caller:
    return {"jira": _ask_jira, "modelop": _ask_modelop}[request.param]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *(name.upper() for name in PROXY_VARIABLES), *TRUST_VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Answers as Jira and as ModelOp Center."""

    async def answer(request: Received) -> Reply:
        if request.path.endswith("/serverInfo"):
            return json_reply({"deploymentType": "Server", "version": "10.3.0"})
        return json_reply({**PERSON, "id": "svc-mlc"})

    async with ScriptedServer() as scripted:
        scripted.answer = answer
        yield scripted


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(server: ScriptedServer, authority: Authority) -> Iterator[str]:
    """The server behind TLS, with a certificate that only `authority` vouches for."""
    with tls_in_front_of(port_of(server), authority.issue("127.0.0.1")) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture
def far_away(server: ScriptedServer, authority: Authority) -> Iterator[ForwardProxy]:
    """A proxy behind which `far.test` is the server; no name service knows that host."""
    with ExitStack() as stack:
        port = stack.enter_context(tls_in_front_of(port_of(server), authority.issue("far.test")))
        yield stack.enter_context(forward_proxy(lambda _: port))


def port_of(server: ScriptedServer) -> int:
    port = urlsplit(server.url).port
    assert port
    return port


async def failure_of(call: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await call
    assert SECRET not in caught.value.message
    return caught.value


async def test_a_private_authority_counts_only_where_it_is_configured(
    ask: Caller, secure: str, authority: Authority, server: ScriptedServer
) -> None:
    refused = await failure_of(ask(secure))
    assert (refused.type, refused.non_retryable) == ("Unreachable", False)
    assert "certificate is not accepted" in refused.message and "CA_FILE" in refused.message
    assert server.received == []
    assert await ask(secure, ca_file=authority.certificate) == "svc-mlc"


async def test_a_certificate_for_another_host_is_refused(
    ask: Caller, server: ScriptedServer, authority: Authority
) -> None:
    with tls_in_front_of(port_of(server), authority.issue("other.test")) as port:
        refused = await failure_of(ask(f"https://127.0.0.1:{port}", ca_file=authority.certificate))
    assert "certificate is not accepted" in refused.message
    assert server.received == []


async def test_a_certificate_of_another_authority_is_refused(
    ask: Caller, secure: str, tmp_path: Path, server: ScriptedServer
) -> None:
    stranger = Authority(tmp_path, "Another Authority")
    await failure_of(ask(secure, ca_file=stranger.certificate))
    assert server.received == []


@pytest.mark.parametrize("variable", TRUST_VARIABLES)
async def test_no_variable_of_a_library_changes_whom_we_trust(
    ask: Caller, secure: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, str(authority.certificate))
    await failure_of(ask(secure))
    monkeypatch.setenv(variable, str(Authority(tmp_path, "Another Authority").certificate))
    assert await ask(secure, ca_file=authority.certificate) == "svc-mlc"


async def test_passwords_of_a_netrc_file_are_not_used(
    ask: Caller, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    await ask(server.url)
    assert {request.headers["authorization"] for request in server.received} == {f"Bearer {SECRET}"}


async def test_the_configured_proxy_is_asked_with_its_own_credentials(
    ask: Caller, far_away: ForwardProxy, authority: Authority
) -> None:
    proxy = far_away.url.replace("://", "://user:pass@")
    assert await ask("https://far.test", proxy=proxy, ca_file=authority.certificate) == "svc-mlc"
    assert set(far_away.tunnels) == {"far.test:443"}
    assert {line.partition(": ")[2] for line in far_away.credentials} == {"Basic dXNlcjpwYXNz"}


async def test_behind_a_proxy_certificates_are_checked_all_the_same(
    ask: Caller, far_away: ForwardProxy, server: ScriptedServer
) -> None:
    refused = await failure_of(ask("https://far.test", proxy=far_away.url))
    assert "certificate is not accepted" in refused.message
    assert server.received == []


async def test_the_proxy_of_the_environment_is_asked_alike(
    ask: Caller, far_away: ForwardProxy, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", far_away.url)
    assert await ask("https://far.test", ca_file=authority.certificate) == "svc-mlc"
    assert set(far_away.tunnels) == {"far.test:443"}


async def test_the_proxy_of_the_environment_is_passed_by_for_this_machine(
    ask: Caller, far_away: ForwardProxy, secure: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", far_away.url)
    assert await ask(secure, ca_file=authority.certificate) == "svc-mlc"
    assert far_away.tunnels == []


@pytest.mark.parametrize(
    ("no_proxy", "address", "direct"),
    [
        ("jira.test", "https://jira.test/", True),
        (".corp.test", "https://jira.corp.test/", True),
        ("*", "https://jira.test/", True),
        ("corp.test:8443", "https://corp.test:8443/", True),
        ("corp.test", "https://othercorp.test/", False),
        ("", "https://localhost:8443/", True),
        ("", "https://[::1]:8443/", True),
    ],
)
def test_what_no_proxy_names_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, address: str, direct: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert TransportSettings().proxy_for(address) == (None if direct else "http://proxy.test:3128")


async def test_a_redirect_to_another_host_takes_nothing_along(ask: Caller, server: ScriptedServer) -> None:
    async with ScriptedServer() as elsewhere:
        elsewhere.script(json_reply(PERSON))

        async def away(request: Received) -> Reply:
            return Reply(307, b"", {"Location": f"{elsewhere.url}{request.path}"})

        server.answer = away
        refused = await failure_of(ask(server.url))
        assert refused.type == "UnexpectedAnswer"
        assert elsewhere.received == []


async def test_a_token_service_that_redirects_gets_the_secret_once(server: ScriptedServer) -> None:
    async with ScriptedServer() as elsewhere:
        elsewhere.script(json_reply({"access_token": "x" * 20}))
        server.answer = None
        server.script(Reply(308, b"", {"Location": f"{elsewhere.url}/token"}))
        oauth = {"token": None, "token_url": f"{server.url}/token", "client_id": "mlc", "client_secret": SECRET}
        refused = await failure_of(_ask_modelop(server.url, **oauth))
        assert refused.type == "UnexpectedAnswer"
        assert (len(server.received), elsewhere.received) == (1, [])


async def test_an_answer_of_jira_is_not_read_beyond_its_limit(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 1 << 20)
    server.answer = None
    server.script(Reply(200, b'{"deploymentType": "' + b"x" * (2 << 20) + b'"}', {"Content-Type": "application/json"}))
    refused = await failure_of(_ask_jira(server.url))
    assert refused.type == "UnexpectedAnswer" and "more than 1 MB" in refused.message


async def test_an_error_page_of_jira_is_not_read_beyond_its_limit(server: ScriptedServer) -> None:
    server.answer = None
    server.script(Reply(503, b"<p>away</p>" * 1_000_000, {"Content-Type": "text/html"}))
    refused = await failure_of(_ask_jira(server.url))
    assert refused.type == "Unavailable" and len(refused.message) < 200


async def test_an_answer_of_jira_that_comes_drop_by_drop_is_given_up(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TOTAL_SECONDS", 0.3)
    server.answer = None
    server.script(Reply(200, b" " * 200, {"Transfer-Encoding": "identity"}, pause=0.05))
    assert (await failure_of(_ask_jira(server.url))).type == "Unreachable"


async def test_a_compressed_answer_is_counted_as_it_unpacks(ask: Caller, server: ScriptedServer) -> None:
    bomb = gzip.compress(b" " * (100 << 20), compresslevel=1)
    server.answer = None
    server.script(Reply(200, bomb, {"Content-Encoding": "gzip", "Content-Type": "application/json"}))
    refused = await failure_of(ask(server.url))
    assert refused.type == "UnexpectedAnswer" and "more than" in refused.message


async def test_an_answer_for_a_token_is_not_read_beyond_its_limit(server: ScriptedServer) -> None:
    server.answer = None
    server.script(json_reply({"access_token": "x" * (auth.MAX_TOKEN_BYTES + 1)}))
    account = {"token": None, "username": "svc-mlc", "password": SECRET}
    refused = await failure_of(_ask_modelop(server.url, **account))
    assert refused.type == "UnexpectedAnswer" and "more than 1 MB" in refused.message


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ca_file", "{here}/missing.pem", "cannot be read: No such file"),
        ("ca_file", "{here}", "cannot be read"),
        ("ca_file", "{here}/garbage.pem", "no certificate in PEM"),
        ("proxy", "proxy.example.com", "http://proxy.example.com:3128"),
        ("proxy", "socks5://user:s3cr3t-t0ken@proxy.example.com", "http://proxy.example.com:3128"),
    ],
)
def test_a_transport_that_cannot_work_is_refused_at_start(tmp_path: Path, setting: str, value: str, said: str) -> None:
    (tmp_path / "garbage.pem").write_text("no certificate")
    with pytest.raises(ValueError, match=said) as refused:
        TransportSettings.model_validate({setting: value.format(here=tmp_path)})
    assert SECRET not in str(refused.value)
