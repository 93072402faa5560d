"""Who is let in, and with what."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.processes import ServerProcess
from tests.sandbox.modelop.client import GERMAN_CREDIT, ModelManage, sandbox_process


def log_in(server: ServerProcess, username: str, password: str) -> httpx.Response:
    return httpx.post(f"{server.url}/gocli/token", data={"username": username, "password": password})


def test_a_call_without_a_token_is_refused_in_the_error_envelope(server: ServerProcess) -> None:
    response = httpx.get(f"{server.url}/model-manage/api/storedModels")
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    body = response.json()
    assert set(body) == {"timestamp", "status", "error", "message", "path"}
    assert (body["status"], body["error"], body["path"]) == (401, "Unauthorized", "/model-manage/api/storedModels")


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Basic c3ZjLW1sYzp4", "sandbox-modelop-token"])
def test_a_wrong_token_is_refused(server: ServerProcess, header: str) -> None:
    response = httpx.get(f"{server.url}/model-manage/api/jobs", headers={"Authorization": header})
    assert response.status_code == 401


def test_user_and_password_give_a_token_that_works(server: ServerProcess) -> None:
    tokens = log_in(server, "svc-mlc", "svc-mlc-password").json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    with ModelManage(server.url, tokens["access_token"]) as client:
        notification = client.create(
            "notifications", {"notificationType": "PROCESS_NOTIFICATION", "severity": "INFO", "message": "hello"}
        )
    assert notification["createdBy"] == "svc-mlc"


def test_a_refresh_token_gives_a_new_token_but_is_none_itself(server: ServerProcess) -> None:
    refresh_token = log_in(server, "svc-mlc", "svc-mlc-password").json()["refresh_token"]
    with ModelManage(server.url, refresh_token) as client:
        assert client.get("/jobs").status_code == 401
    renewed = httpx.post(f"{server.url}/gocli/token", data={"refresh_token": refresh_token}).json()
    with ModelManage(server.url, renewed["access_token"]) as client:
        assert client.get("/jobs").status_code == 200


@pytest.mark.parametrize(
    ("username", "password"), [("svc-mlc", "wrong"), ("nobody", "svc-mlc-password"), ("viewer", "svc-mlc-password")]
)
def test_wrong_credentials_are_refused(server: ServerProcess, username: str, password: str) -> None:
    response = log_in(server, username, password)
    assert response.status_code == 401
    assert "username and password" in response.json()["message"]


def test_a_login_without_a_password_names_the_missing_field(server: ServerProcess) -> None:
    response = httpx.post(f"{server.url}/gocli/token", data={"username": "svc-mlc"})
    assert response.status_code == 400
    assert "password" in response.json()["message"]


def test_the_viewer_may_read_but_not_write(server: ServerProcess) -> None:
    token = log_in(server, "viewer", "viewer-password").json()["access_token"]
    with ModelManage(server.url, token) as client:
        assert client.fetch("storedModels", GERMAN_CREDIT)["version"] == 0
        refused = [
            client.post("/deployableModels", json={"storedModel": {"id": GERMAN_CREDIT}}),
            client.patch(f"/storedModels/{GERMAN_CREDIT}", json={"group": "other"}),
            client.delete("/notifications/6e5a1f0c-7d3b-4c52-9a41-000000000000"),
        ]
    assert [response.status_code for response in refused] == [403, 403, 403]


def test_client_credentials_give_a_token_with_the_scope(server: ServerProcess) -> None:
    form = {"grant_type": "client_credentials", "scope": "modelop_client"}
    by_header = httpx.post(f"{server.url}/oauth2/token", data=form, auth=("internal-client", "internal-client-secret"))
    in_form = httpx.post(
        f"{server.url}/oauth2/token",
        data={**form, "client_id": "internal-client", "client_secret": "internal-client-secret"},
    )
    for response in (by_header, in_form):
        assert response.json()["scope"] == "modelop_client"
        with ModelManage(server.url, response.json()["access_token"]) as client:
            assert client.get("/storedModels").status_code == 200


@pytest.mark.parametrize(
    ("form", "secret", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, "wrong", 401, "invalid_client"),
        ({"grant_type": "password"}, "internal-client-secret", 400, "unsupported_grant_type"),
        (
            {"grant_type": "client_credentials", "scope": "everything"},
            "internal-client-secret",
            400,
            "invalid_scope",
        ),
    ],
)
def test_oauth_errors_are_those_of_the_standard(
    server: ServerProcess, form: dict[str, str], secret: str, status: int, error: str
) -> None:
    response = httpx.post(f"{server.url}/oauth2/token", data=form, auth=("internal-client", secret))
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_token_expires_and_another_static_token_can_be_chosen(tmp_path: Path, seeded: Callable[[Path], Path]) -> None:
    options = ("--token-lifetime", "0.5", "--token", "other-token")
    with sandbox_process(seeded(tmp_path / "data"), tmp_path / "log", *options) as server:
        token = log_in(server, "svc-mlc", "svc-mlc-password").json()["access_token"]
        with ModelManage(server.url, token) as client:
            assert client.get("/jobs").status_code == 200
            time.sleep(0.7)
            expired = client.get("/jobs")
        assert (expired.status_code, "expired" in expired.json()["message"]) == (401, True)
        with ModelManage(server.url, "other-token") as client:
            assert client.get("/jobs").status_code == 200
        with ModelManage(server.url, "sandbox-modelop-token") as client:
            assert client.get("/jobs").status_code == 401
