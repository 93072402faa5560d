"""Timeouts and retries of every outside call, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig

with workflow.unsafe.imports_passed_through():
    from activities.process_settings import ProcessSettings

# Above Jira's own HTTP time-out of 10 s with room for the few requests of one activity, so that an attempt normally
# ends by itself and is never repeated while it still runs.
CALL_TIMEOUT = timedelta(seconds=30)

# ModelOp Center has no search by our marks: an activity may read many pages before it finds its object or can be
# sure that there is none. It heartbeats with every page.
LOOK_UP_TIMEOUT = timedelta(minutes=5)

# One request to ModelOp Center may take 25 s and may need a new token before it; a page or a poll is two at most.
HEARTBEAT_TIMEOUT = timedelta(seconds=90)

# Rendering heartbeats every two seconds; a worker that dies meanwhile is noticed after this long.
RENDERING_HEARTBEAT_TIMEOUT = timedelta(seconds=30)

# The largest documents take seconds; the rest is room for a slow Jira to take the upload.
DOCUMENT_TIMEOUT = timedelta(minutes=5)

# Following ends by JOB_TIMEOUT itself with a clear error; this only catches a follower that forgot the time.
JOB_TIMEOUT_SLACK = timedelta(hours=1)

# One request for the configuration and one for each model that it names, each of which may take 20 s at most.
READ_ENDPOINT_TIMEOUT = timedelta(minutes=2)

# A blocked run's own tries slow down to one a day: what is still down by then needs a person, not a hammer.
LONGEST_BLOCKED_RETRY = timedelta(hours=24)

# Aborting and cancelling must end even when Jira or ModelOp Center are down at that moment. One attempt has half of it:
# what a killed worker began is left to another, which needs time as well.
CLEAN_UP_TIMEOUT = timedelta(minutes=2)


def _patient(attempts: int) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=attempts,
    )


def summarised(policy: ActivityConfig, summary: str) -> ActivityConfig:
    """The policy together with the line that the Web UI shows for the activity."""
    return {**policy, "summary": summary}


# The call touches nothing outside the worker, so it can only fail with the worker; it never gives up.
LOCAL: ActivityConfig = {"start_to_close_timeout": timedelta(seconds=10)}

# Told once ModelOp Center can be reached, however long that takes; the run itself does not wait for it.
BACKGROUND: ActivityConfig = {
    "start_to_close_timeout": LOOK_UP_TIMEOUT,
    "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    "retry_policy": _patient(0),
}

# A sweep that fails is not tried for long: the next one comes in minutes and finds the same.
SWEEP: ActivityConfig = {
    "start_to_close_timeout": timedelta(minutes=10),
    "schedule_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(minutes=1),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3),
}

Policy = Callable[[ProcessSettings], ActivityConfig]
"""Timeouts and retries of one kind of call, under the settings that a run has read."""


def jira(settings: ProcessSettings) -> ActivityConfig:
    """A few requests to Jira.

    Attempts are counted instead of bounding the whole time: that clock would run on while no worker is up.
    Cancellation waits for the attempt under way, so that what it makes is known when the run cleans up.
    """
    return {
        "start_to_close_timeout": CALL_TIMEOUT,
        "retry_policy": _patient(settings.retry_attempts),
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }


def modelop(settings: ProcessSettings) -> ActivityConfig:
    """A look-up in ModelOp Center and, mostly, a change."""
    return {
        **jira(settings),
        "start_to_close_timeout": LOOK_UP_TIMEOUT,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT,
    }


def open_ticket(settings: ProcessSettings) -> ActivityConfig:
    """Opening a ticket: a repeated attempt waits `AMBIGUOUS_WAIT` before it searches for what the last one made."""
    return {**jira(settings), "start_to_close_timeout": CALL_TIMEOUT + settings.ambiguous_wait}


def sagemaker(settings: ProcessSettings) -> ActivityConfig:
    """Reading an endpoint configuration; only reads, so cancelling need not wait for it."""
    return {"start_to_close_timeout": READ_ENDPOINT_TIMEOUT, "retry_policy": _patient(settings.retry_attempts)}


def document(settings: ProcessSettings) -> ActivityConfig:
    """Rendering and moving the review document."""
    return {
        **jira(settings),
        "start_to_close_timeout": DOCUMENT_TIMEOUT,
        "heartbeat_timeout": RENDERING_HEARTBEAT_TIMEOUT,
    }


def follow_job(settings: ProcessSettings) -> ActivityConfig:
    """Following a test job to its end; only reads, so cancelling need not wait for it."""
    return {
        **modelop(settings),
        "start_to_close_timeout": settings.job_timeout + JOB_TIMEOUT_SLACK,
        "cancellation_type": ActivityCancellationType.TRY_CANCEL,
    }


def blocked_retry(settings: ProcessSettings, tries: int) -> timedelta:
    """The pause before a blocked run's next try by itself: doubled with every try, up to a day."""
    return min(settings.blocked_retry * (1 << min(tries, 20)), LONGEST_BLOCKED_RETRY)


def clean_up(settings: ProcessSettings) -> ActivityConfig:
    """One effect of the clean-up after abort or cancel."""
    return {
        "start_to_close_timeout": CLEAN_UP_TIMEOUT / 2,
        "schedule_to_close_timeout": CLEAN_UP_TIMEOUT,
        "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)),
    }


def withdraw_ticket(settings: ProcessSettings) -> ActivityConfig:
    """Closing a ticket whose opening has no known end: the search is trusted only after `AMBIGUOUS_WAIT`."""
    return {
        **clean_up(settings),
        "start_to_close_timeout": CALL_TIMEOUT + settings.ambiguous_wait,
        "schedule_to_close_timeout": CLEAN_UP_TIMEOUT + settings.ambiguous_wait,
    }
