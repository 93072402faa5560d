"""Bounds that must fit together, whatever their numbers are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.process_settings import ProcessSettings
from workflows import policies

SETTINGS = ProcessSettings(
    retry_attempts=65,
    blocked_retry=timedelta(hours=1),
    job_timeout=timedelta(hours=24),
    ambiguous_wait=timedelta(seconds=60),
    code_version="test",
)


@pytest.mark.parametrize("policy", [policies.clean_up, policies.withdraw_ticket])
def test_another_worker_has_time_to_clean_up_what_a_killed_one_began(policy: policies.Policy) -> None:
    chosen = policy(SETTINGS)
    attempt, whole = chosen["start_to_close_timeout"], chosen["schedule_to_close_timeout"]
    assert attempt and whole and 2 * attempt <= whole


def test_a_blocked_runs_own_tries_slow_down_to_one_a_day() -> None:
    pauses = [policies.blocked_retry(SETTINGS, tries) for tries in (0, 1, 2, 4, 5, 10_000)]
    assert pauses == [timedelta(hours=hours) for hours in (1, 2, 4, 16, 24, 24)]
