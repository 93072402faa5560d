from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from activities.jira.types import Gate
from worker.settings import (
    SettingsError,
    load_codec_server_settings,
    load_encryption_settings,
    load_log_settings,
    load_relay_settings,
    load_settings,
    load_worker_settings,
)

WHOLE = {
    "MLC_MODELOP__URL": "https://modelop.example",
    "MLC_MODELOP__TOKEN": "modelop-secret",
    "MLC_JIRA__URL": "https://jira.example",
    "MLC_JIRA__USERNAME": "svc-mlc",
    "MLC_JIRA__TOKEN": "jira-secret",
    "MLC_JIRA__PROJECT": "GOV",
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLC_ENV_FILE", "")


def set_all(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    for name, value in {**WHOLE, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def faults(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> list[str]:
    set_all(monkeypatch, **changes)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    return str(raised.value).splitlines()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_defaults_are_the_documented_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch)
    settings = load_settings()
    assert settings.jira.done_statuses == ["Done"] and settings.jira.rejected_statuses == ["Rejected"]
    assert settings.jira.ambiguous_wait == timedelta(seconds=60)
    assert settings.modelop.ambiguous_wait == timedelta(seconds=30)
    assert settings.modelop.risk_tests_name == "Standard Risk Tests"
    assert settings.worker.retry_attempts == 65
    assert settings.worker.blocked_retry == timedelta(hours=1)


def test_values_of_every_kind_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        MLC_MODELOP__JOB_POLL="PT0.5S",
        MLC_JIRA__DONE_STATUSES='["Done", "Erledigt"]',
        MLC_JIRA__GATES__PIA__PROJECT="PRIV",
        MLC_JIRA__GATES__TEST_FAILURE__FIELDS='{"customfield_10010": {"value": "High"}}',
        MLC_RELAY__SECRETS='["old", "new"]',
    )
    settings = load_settings()
    assert settings.modelop.job_poll == timedelta(seconds=0.5)
    assert settings.jira.done_statuses == ["Done", "Erledigt"]
    assert settings.jira.gates.of(Gate.PIA).project == "PRIV"
    assert settings.jira.gates.of(Gate.TEST_FAILURE).fields == {"customfield_10010": {"value": "High"}}
    assert [s.get_secret_value() for s in settings.relay.secrets] == ["old", "new"]


def test_an_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env_file = tmp_path / "site.env"
    env_file.write_text("".join(f"{k}={v}\n" for k, v in WHOLE.items()))
    monkeypatch.setenv("MLC_ENV_FILE", str(env_file))
    monkeypatch.setenv("MLC_JIRA__PROJECT", "RISK")
    assert load_settings().jira.project == "RISK"
    assert str(load_settings().jira.url) == "https://jira.example/"


def test_everything_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, **dict.fromkeys(WHOLE)) == [
        "MLC_MODELOP__URL: is missing",
        "MLC_JIRA__URL: is missing",
        "MLC_JIRA__PROJECT: is missing",
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"MLC_JIRA__URL": "jira"}, "MLC_JIRA__URL: Input should be a valid URL"),
        ({"MLC_MODELOP__JOB_POLL": "soon"}, "MLC_MODELOP__JOB_POLL: Input should be a valid timedelta"),
        ({"MLC_MODELOP__JOB_POLL": "PT0S"}, "MLC_MODELOP__JOB_POLL: Input should be greater than or equal to"),
        (
            {"MLC_MODELOP__AMBIGUOUS_WAIT": "PT11M"},
            "MLC_MODELOP__AMBIGUOUS_WAIT: Input should be less than or equal to",
        ),
        ({"MLC_WORKER__RETRY_ATTEMPTS": "many"}, "MLC_WORKER__RETRY_ATTEMPTS: Input should be a valid integer"),
        ({"MLC_RELAY__PORT": "99999"}, "MLC_RELAY__PORT: Input should be less than or equal to 65535"),
        (
            {"MLC_JIRA__DONE_STATUSES": "Done"},
            'MLC_JIRA__DONE_STATUSES: should be JSON, for example ["first", "second"]',
        ),
        ({"MLC_JIRA__TOKEN": None}, "MLC_JIRA: give exactly one of USERNAME+TOKEN | BEARER_TOKEN, whole"),
        ({"MLC_JIRA__BEARER_TOKEN": "x"}, "MLC_JIRA: give exactly one of USERNAME+TOKEN | BEARER_TOKEN, whole"),
        ({"MLC_MODELOP__TOKEN": None}, "MLC_MODELOP: give exactly one of TOKEN"),
        ({"MLC_MODELOP__USERNAME": "u"}, "MLC_MODELOP: give exactly one of TOKEN"),
        ({"MLC_JIRA__REJECTED_STATUSES": '["done"]'}, "MLC_JIRA: DONE_STATUSES and REJECTED_STATUSES must not share"),
        ({"MLC_JIRA__CLOSE_STATUS": "done"}, "MLC_JIRA: CLOSE_STATUS must not be one of DONE_STATUSES, as done is"),
        ({"MLC_JIRA__URL": "https://jira.example/?os_authType=basic"}, "MLC_JIRA__URL: must end before any ? or #"),
        ({"MLC_JIRA__PROJECT": " "}, "MLC_JIRA__PROJECT: String should have at least 1 character"),
        ({"MLC_JIRA__GATES__PIA__APPROVERS": '[""]'}, "MLC_JIRA__GATES__PIA__APPROVERS"),
        ({"MLC_MODELOP__RISK_TESTS_NAME": ""}, "MLC_MODELOP__RISK_TESTS_NAME: String should have at least 1"),
        ({"MLC_MODELOP__JOB_TIMEOUT": "PT1S"}, "MLC_MODELOP: JOB_POLL must not be longer than JOB_TIMEOUT"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], expected: str
) -> None:
    (line,) = faults(monkeypatch, **changes)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("MLC_JIRA__REJECTED_STATUS", "MLC_JIRA__REJECTED_STATUSES"),
        ("MLC_JIRA__GATES__PRODUCTIONS__ASSIGNEE", "MLC_JIRA__GATES__PRODUCTION__ASSIGNEE"),
        ("MLC_JIRA__GATES__PIA__ASIGNEE", "MLC_JIRA__GATES__PIA__ASSIGNEE"),
        ("MLC_JIRRA__URL", "MLC_JIRA__URL"),
        ("MLC_JIRA_PROJECT", "MLC_JIRA__PROJECT"),
        ("MLC_RELAY__SECRET", "MLC_RELAY__SECRETS"),
        ("MLC_SAGEMAKER__REGIONS", "MLC_SAGEMAKER__REGION"),
        ("MLC_WORKER__RETRY_ATTEMPT", "MLC_WORKER__RETRY_ATTEMPTS"),
        ("mlc_modelop__webb_url", "MLC_MODELOP__WEB_URL"),
    ],
)
def test_an_unknown_setting_is_one_warning_with_the_nearest_right_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, nearest: str
) -> None:
    set_all(monkeypatch, **{name: "s3cr3t"})
    load_settings()
    assert warnings(caplog) == [f"{name}: there is no such setting; did you mean {nearest}?"]


def test_what_is_missing_and_what_was_written_in_its_place_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults(monkeypatch, MLC_JIRA__PROJECT=None, MLC_JIRA__PROJEKT="GOV") == [
        "MLC_JIRA__PROJEKT: there is no such setting; did you mean MLC_JIRA__PROJECT?",
        "MLC_JIRA__PROJECT: is missing",
    ]


def test_an_unknown_setting_in_an_env_file_is_warned_of_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    env_file = tmp_path / "site.env"
    env_file.write_text("MLC_UNHEARD__OF=1\nOTHER__NAME=1\nMLC_WORKER__RETRY_ATTEMPT=2\n")
    set_all(monkeypatch, MLC_ENV_FILE=str(env_file))
    assert load_settings().worker.retry_attempts == 65
    assert warnings(caplog) == [
        "MLC_UNHEARD__OF: there is no such setting",
        "MLC_WORKER__RETRY_ATTEMPT: there is no such setting; did you mean MLC_WORKER__RETRY_ATTEMPTS?",
    ]


def test_a_section_given_as_json_is_read_and_holds_no_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, MLC_WORKER='{"retry_attempts": 4}')
    assert load_settings().worker.retry_attempts == 4
    assert faults(monkeypatch, MLC_WORKER='{"retries": 4}') == [
        "MLC_WORKER__RETRIES: there is no such setting; did you mean MLC_WORKER__RETRY_ATTEMPTS?",
    ]


def test_one_field_of_an_object_may_have_a_variable_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_all(monkeypatch, MLC_JIRA__GATES__PIA__FIELDS__customfield_1="High")
    assert load_settings().jira.gates.of(Gate.PIA).fields == {"customfield_1": "High"}
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.env", None, "there is no file"),
        (".", None, "there is no file"),
        ("latin.env", "MLC_JIRA__PROJECT=Gr\u00fcn".encode("latin-1"), "cannot be read: it is not UTF-8"),
    ],
)
def test_an_env_file_that_is_named_and_cannot_be_read_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content:
        (tmp_path / name).write_bytes(content)
    (line,) = faults(monkeypatch, MLC_ENV_FILE=str(tmp_path / name))
    assert line.startswith("MLC_ENV_FILE: ") and str(tmp_path) in line and said in line


def test_without_a_name_a_missing_env_file_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_all(monkeypatch, MLC_ENV_FILE=None)
    monkeypatch.chdir(tmp_path)
    assert load_settings().jira.project == "GOV"


def test_variables_that_an_orchestrator_makes_from_service_names_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_all(monkeypatch, MLC_RELAY_SERVICE_HOST="10.0.0.1", MLC_RELAY_PORT_8085_TCP="tcp://10.0.0.1:8085")
    assert load_settings().relay.port == 8085


@pytest.mark.parametrize(
    "name",
    [
        "MODELOP__URL",
        "MODELOP__WEB_URL",
        "MODELOP__TOKEN_URL",
        "JIRA__URL",
        "JIRA__SITE_URL",
        "WORKER__TEMPORAL_UI_URL",
    ],
)
@pytest.mark.parametrize("user", ["svc:s3cr3t@", "s3cr3t@", ":s3cr3t@"])
def test_an_address_with_credentials_in_it_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, user: str) -> None:
    lines = faults(monkeypatch, **{f"MLC_{name}": f"https://{user}host.example/path"})
    assert lines == [f"MLC_{name}: must not hold a user or a password before the host; they have settings of their own"]


def test_faults_never_quote_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = faults(monkeypatch, MLC_JIRA__URL="s3cr3t-in-the-wrong-place", MLC_MODELOP__USERNAME="s3cr3t-too")
    assert len(lines) == 2
    assert "s3cr3t" not in "".join(lines)


def test_the_relay_needs_no_other_systems_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, **dict.fromkeys(WHOLE), MLC_RELAY__SECRETS='["s"]', MLC_RELAY__PORT="9000")
    assert load_relay_settings().port == 9000


@pytest.mark.parametrize("load", [load_relay_settings, load_worker_settings, load_codec_server_settings])
def test_every_process_warns_once_of_unknown_settings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, load: Callable[[], object]
) -> None:
    set_all(monkeypatch, MLC_RELAY__SECRET='["s"]', MLC_RELAYS__PORT="9000")
    load_log_settings()
    load_encryption_settings()
    load()
    assert warnings(caplog) == [
        "MLC_RELAYS__PORT: there is no such setting; did you mean MLC_RELAY__PORT?",
        "MLC_RELAY__SECRET: there is no such setting; did you mean MLC_RELAY__SECRETS?",
    ]
