"""What the doctor and an export know of an installation whose settings are not all usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.checks.installation import find_installation

USABLE = {
    "MLC_ENV_FILE": "",
    "TEMPORAL_ADDRESS": "127.0.0.1:9",
    "MLC_MODELOP__URL": "https://modelop.example",
    "MLC_MODELOP__TOKEN": "modelop-secret",
    "MLC_JIRA__URL": "https://jira.example",
    "MLC_JIRA__BEARER_TOKEN": "jira-secret",
    "MLC_JIRA__PROJECT": "GOV",
}


@pytest.fixture(autouse=True)
def usable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in USABLE.items():
        monkeypatch.setenv(name, value)


def test_a_name_that_is_only_warned_of_does_not_make_its_system_unusable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLC_MODELOP__URL", "nonsense")
    monkeypatch.setenv("MLC_JIRA__SITEURL", "https://jira.example")
    found = find_installation(tmp_path)
    assert found.modelop is None and found.jira is not None and found.jira.project == "GOV"
    assert [fault.partition(":")[0] for fault in found.faults] == ["MLC_JIRA__SITEURL", "MLC_MODELOP__URL"]


def test_a_value_that_nests_too_deeply_is_a_fault_of_its_own_system_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLC_JIRA__DONE_STATUSES", "[" * 100_000)
    found = find_installation(tmp_path)
    assert found.jira is None and found.modelop is not None
    assert [fault.partition(":")[0] for fault in found.faults] == ["MLC_JIRA__DONE_STATUSES"]


def test_an_env_file_that_is_not_there_is_a_fault_among_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TEMPORAL_ADDRESS")
    monkeypatch.setenv("MLC_ENV_FILE", str(tmp_path / "missing.env"))
    (fault,) = find_installation(tmp_path).faults
    assert fault.startswith("MLC_ENV_FILE: there is no file")
