"""Every setting, wrong in every way that it can be; and the one switch that leaves certificates unchecked."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import SecretStr

from tests.setting_fields import FIELDS
from tests.tls import Authority
from worker.settings import SettingsError, load_settings

WHOLE = {
    "MLC_MODELOP__URL": "https://modelop.example",
    "MLC_MODELOP__TOKEN": "modelop-secret",
    "MLC_JIRA__URL": "https://jira.example",
    "MLC_JIRA__BEARER_TOKEN": "jira-secret",
    "MLC_JIRA__PROJECT": "GOV",
}
# What of the settings takes any text at all.
FREE_TEXT = (str, SecretStr)
UNFIT = {
    timedelta: "soon",
    int: "many",
    float: "many",
    bool: "perhaps",
    Path: "\0",
    list: "not JSON",
    dict: "not JSON",
}


ALL = {name: field.annotation for name, field in FIELDS.items()}


def plain(kind: Any) -> Any:
    """The type without "or None", without constraints and without what its list or object holds."""
    if get_origin(kind) is Annotated:
        return plain(get_args(kind)[0])
    inner = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) in (list, dict):
        return get_origin(kind)
    return plain(inner[0]) if inner and len(inner) < len(get_args(kind)) else kind


def unfit(kind: Any) -> str | None:
    """A value that no setting of this type takes."""
    kind = plain(kind)
    if isinstance(kind, type) and issubclass(kind, FREE_TEXT):
        return None
    return next((text for fit, text in UNFIT.items() if kind is fit), "::neither an address nor a choice::")


TYPED = sorted(name for name, kind in ALL.items() if unfit(kind))


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_ENV_FILE", "")
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)


def faults() -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return str(refused.value).splitlines()


def test_there_are_settings_of_every_kind_to_be_wrong() -> None:
    assert len(ALL) >= 60 and len(TYPED) >= 30
    assert {"MLC_INSECURE_TLS", "MLC_JIRA__CA_FILE", "MLC_MODELOP__PROXY", "MLC_RELAY__MAX_PER_SECOND"} <= ALL.keys()


@pytest.mark.parametrize("name", [name for name in TYPED if plain(ALL[name]) is not Path])
def test_a_value_of_the_wrong_kind_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = unfit(ALL[name])
    assert value
    monkeypatch.setenv(name, value)
    (line,) = faults()
    assert line.startswith(f"{name}: ") and value not in line


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("slip", ["dropped", "doubled", "appended"])
def test_a_name_with_a_slip_is_told_of_with_a_right_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, slip: str
) -> None:
    wrong = {"dropped": name[:-1], "doubled": name[:-2] + name[-2] + name[-2:], "appended": f"{name}S"}[slip]
    if wrong in ALL:
        return
    monkeypatch.setenv(wrong, "s3cr3t")
    if name.startswith("MLC_ENCRYPTION__") or name.endswith("__APPROVERS"):
        (line,) = faults()
    else:
        load_settings()
        (line,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    said, _, nearest = line.partition("; did you mean ")
    assert said == f"{wrong}: there is no such setting"
    assert nearest.removesuffix("?") in ALL


@pytest.mark.parametrize("name", ["MLC_ENCRYPTION__SECRET_OF_THE_WORKERS", "MLC_DECISIONS__APPROVERS"])
def test_a_protection_under_a_name_that_is_like_no_other_stops_the_start_too(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert faults() == [f"{name}: there is no such setting"]


@pytest.mark.parametrize(
    "slip",
    [
        "MLC_ENCRYPTION__KEY",
        "MLC_ENCRYPTON__KEYS",
        "MLC_ENCRYPTION_KEYS",
        "MLC_JIRA__GATES__PRODUCTION__APROVERS",
        "MLC_JIRA__GATES__PRODUCTIONS__APPROVERS",
        "MLC_JIRA__GATE__PIA__APPROVERS",
    ],
)
def test_a_slip_that_would_take_a_protection_away_unnoticed_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, slip: str
) -> None:
    monkeypatch.setenv(slip, "[]")
    (line,) = faults()
    assert line.startswith(f"{slip}: there is no such setting; did you mean MLC_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLC_RELAY__MAX_PER_SECOND", "0"),
        ("MLC_RELAY__MAX_PER_SECOND", "-1"),
        ("MLC_RELAY__MAX_PER_SECOND", "nan"),
        ("MLC_RELAY__MAX_PER_SECOND", "inf"),
        ("MLC_RELAY__PORT", "0"),
        ("MLC_WORKER__RETRY_ATTEMPTS", "0"),
        ("MLC_WORKER__GRACEFUL_SHUTDOWN", "-PT1S"),
        ("MLC_JIRA__PROJECT", ""),
        ("MLC_JIRA__DONE_STATUSES", "[]"),
        # More than Temporal can count: every workflow task would fail.
        ("MLC_WORKER__RETRY_ATTEMPTS", str(2**31)),
        ("MLC_WORKER__SWEEP_INTERVAL", "P2D"),
        ("MLC_WORKER__BLOCKED_RETRY", "P2D"),
        ("MLC_WORKER__GRACEFUL_SHUTDOWN", "P2D"),
        ("MLC_WORKER__CONNECT_PATIENCE", "P2D"),
        # To listen on an empty address is to listen on all of them.
        *((name, host) for name in ALL if name.endswith("HOST") for host in ("", " ")),
    ],
)
def test_a_value_out_of_range_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = faults()
    assert (
        line.startswith(f"{name}: Input should be ")
        or line.startswith(f"{name}: String should have at least")
        or line.startswith(f"{name}: List should have at least")
    )


def test_certificates_are_checked_unless_one_switch_says_otherwise_and_it_is_loud_each_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_settings()
    assert (settings.jira.verify, settings.modelop.verify) == (True, True)
    assert caplog.records == []
    monkeypatch.setenv("MLC_INSECURE_TLS", "true")
    for start in (1, 2):
        settings = load_settings()
        assert (settings.jira.verify, settings.modelop.verify) == (False, False)
        said = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(said) == start and all("MLC_INSECURE_TLS is on" in record.getMessage() for record in said)


@pytest.mark.parametrize("value", ["", "2", "no certificates", "None"])
def test_no_slip_of_the_switch_turns_the_checks_off(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MLC_INSECURE_TLS", value)
    (line,) = faults()
    assert line.startswith("MLC_INSECURE_TLS: ")


@pytest.mark.parametrize("name", ["MLC_JIRA__VERIFY", "MLC_JIRA__CHECKS_CERTIFICATES", "MLC_MODELOP__INSECURE_TLS"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_no_setting_of_one_system_turns_the_checks_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.jira.verify, settings.modelop.verify) == (True, True)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{name}: there is no such setting")


@pytest.mark.parametrize("value", ["not JSON", "", "[" * 100_000])
@pytest.mark.parametrize("name", ["MLC_WORKER", "MLC_JIRA__GATES", "MLC_JIRA__GATES__PIA", "MLC_RELAY__SECRETS"])
def test_what_should_be_json_and_is_not_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = faults()
    assert line.startswith((f"{name}: should be JSON, for example ", f"{name}: Input should be a valid "))


def test_the_switch_contradicts_an_authority_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLC_INSECURE_TLS", "true")
    monkeypatch.setenv("MLC_JIRA__CA_FILE", str(Authority(tmp_path).certificate))
    assert faults() == ["MLC_INSECURE_TLS: contradicts MLC_JIRA__CA_FILE, which says whom to trust"]


@pytest.mark.parametrize("name", ["MLC_JIRA__CA_FILE", "MLC_MODELOP__CA_FILE"])
def test_an_authority_that_cannot_be_read_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "missing.pem"))
    (line,) = faults()
    assert line == f"{name}: cannot be read: No such file or directory"


def test_a_proxy_with_credentials_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_JIRA__PROXY", "ftp://user:s3cr3t@proxy.example")
    (line,) = faults()
    assert line.startswith("MLC_JIRA__PROXY: should be the address of a proxy") and "s3cr3t" not in line
    monkeypatch.setenv("MLC_JIRA__PROXY", "http://user:s3cr3t@proxy.example")
    settings = load_settings()
    assert "s3cr3t" not in repr(settings)
    assert settings.jira.proxy_for("https://jira.example") == "http://user:s3cr3t@proxy.example"


def test_credentials_that_would_travel_in_the_open_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLC_JIRA__URL", "http://jira.example")
    monkeypatch.setenv("MLC_MODELOP__URL", "http://127.0.0.1:8090")
    load_settings()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.getMessage().startswith("MLC_JIRA__URL is http")


@pytest.mark.parametrize("proxy", ["socks5://user:s3cr3t@proxy.example", "http://[", "ftp://proxy.example"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert faults() == ["HTTPS_PROXY: should be the address of an http proxy; or name one in PROXY"]
    monkeypatch.setenv("MLC_JIRA__PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("MLC_MODELOP__PROXY", "http://proxy.example:3128")
    assert load_settings().jira.proxy_for("https://jira.example") == "http://proxy.example:3128"


def test_the_way_to_the_token_service_is_checked_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example")
    monkeypatch.setenv("MLC_JIRA__PROXY", "http://proxy.example:3128")
    monkeypatch.delenv("MLC_MODELOP__TOKEN")
    monkeypatch.setenv("MLC_MODELOP__URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("MLC_MODELOP__TOKEN_URL", "https://login.example/token")
    monkeypatch.setenv("MLC_MODELOP__CLIENT_ID", "mlc")
    monkeypatch.setenv("MLC_MODELOP__CLIENT_SECRET", "s3cr3t")
    assert faults() == ["HTTPS_PROXY: should be the address of an http proxy; or name one in PROXY"]
