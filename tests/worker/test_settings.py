from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from activities.jira.types import Gate
from worker.settings import SettingsError, load_relay_settings, load_settings

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
def test_an_unknown_setting_is_one_line_with_the_nearest_right_name(
    monkeypatch: pytest.MonkeyPatch, name: str, nearest: str
) -> None:
    assert faults(monkeypatch, **{name: "x"}) == [f"{name}: there is no such setting; did you mean {nearest}?"]


def test_an_unknown_setting_in_an_env_file_or_in_json_is_named_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env_file = tmp_path / "site.env"
    env_file.write_text("MLC_UNHEARD__OF=1\nOTHER__NAME=1\n")
    monkeypatch.setenv("MLC_ENV_FILE", str(env_file))
    assert faults(monkeypatch, MLC_WORKER='{"retries": 4}') == [
        "MLC_UNHEARD__OF: there is no such setting",
        "MLC_WORKER__RETRIES: there is no such setting; did you mean MLC_WORKER__RETRY_ATTEMPTS?",
    ]


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


def test_the_relay_names_unknown_settings_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, MLC_RELAY__SECRET='["s"]', MLC_RELAYS__PORT="9000")
    with pytest.raises(SettingsError) as raised:
        load_relay_settings()
    assert str(raised.value).splitlines() == [
        "MLC_RELAYS__PORT: there is no such setting; did you mean MLC_RELAY__PORT?",
        "MLC_RELAY__SECRET: there is no such setting; did you mean MLC_RELAY__SECRETS?",
    ]
