"""Starting, stopping, starting again."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sandbox.jira.__main__ import main
from sandbox.jira.app import SandboxSettings, create_app
from tests.sandbox.jira.conftest import StartSandbox, client, new_issue


def test_a_restart_keeps_everything(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    with start_sandbox(tmp_path / "data") as server, client(server.url, "svc-mlc") as service:
        key = new_issue(service, labels=["kept"])
        service.post(f"/issue/{key}/comment", json={"body": "kept"})
        service.put(f"/issue/{key}/properties/mlc", json={"kept": True})
        service.post(
            f"/issue/{key}/remotelink",
            json={"globalId": "kept", "object": {"url": "http://127.0.0.1", "title": "kept"}},
        )
        service.post(
            f"/issue/{key}/attachments",
            files={"file": ("kept.bin", bytes(range(256)))},
            headers={"X-Atlassian-Token": "no-check"},
        )
        service.post(f"/issue/{key}/transitions", json={"transition": {"id": "31"}})
        path = f"/issue/{key}?expand=changelog&properties=mlc"
        before = service.get(path).text.replace(server.url, "")
    assert server.process.returncode == 0

    with start_sandbox(tmp_path / "data") as again, client(again.url, "svc-mlc") as service:
        assert service.get(path).text.replace(again.url, "") == before
        (attachment,) = service.get(path).json()["fields"]["attachment"]
        assert service.get(attachment["content"]).content == bytes(range(256))
        assert service.get(f"/issue/{key}/remotelink").json()[0]["globalId"] == "kept"
        assert new_issue(service) != key


async def test_the_base_url_is_what_links_start_with(tmp_path: Path) -> None:
    app = create_app(SandboxSettings(tmp_path, "https://jira.example.org/"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://inside:8081") as inside:
        info = (await inside.get("/rest/api/2/serverInfo")).json()
        me = (await inside.get("/rest/api/2/myself", auth=("paul", "paul-password"))).json()
    assert info["baseUrl"] == "https://jira.example.org"
    assert me["self"] == "https://jira.example.org/rest/api/2/user?username=paul"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--webhook-secret", "s"], "--webhook-secret needs --webhook-url"),
        (["--webhook-url", "127.0.0.1:8085"], "--webhook-url must be an absolute http or https URL"),
        (["--port", "many"], "invalid int value"),
        (["--edition", "server"], "invalid choice: 'server'"),
        (["--webhook-retry-seconds", "1"], "--webhook-retry-seconds needs --edition cloud"),
        (["--edition", "cloud", "--webhook-retry-seconds", "0"], "must be between 0 and 3600"),
    ],
)
def test_wrong_options_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data", str(tmp_path), *options])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["--data", str(tmp_path / "file" / "data")]) == 1
    assert "cannot keep data there" in capsys.readouterr().err
