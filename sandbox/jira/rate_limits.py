"""What a throttled client is told beside 429 and `Retry-After`, by either edition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.jira.edition import Edition

BURST_REASON = "jira-burst-based"
BURST_LIMIT = 100


def rate_limit_headers(edition: Edition) -> dict[str, str]:
    """The headers of an answer to one request too many.

    Cloud's are those of its limit on bursts, 100 requests a second for each method and path, the only one that
    clients with an API token meet (https://developer.atlassian.com/cloud/jira/platform/rate-limiting/). Data Center's
    are those of its token bucket for each user.
    """
    limit = {"X-RateLimit-Limit": str(BURST_LIMIT), "X-RateLimit-Remaining": "0"}
    if edition is Edition.DATA_CENTER:
        return {**limit, "X-RateLimit-Interval-Seconds": "1", "X-RateLimit-FillRate": str(BURST_LIMIT)}
    reset = datetime.now(UTC) + timedelta(seconds=1)
    return {
        **limit,
        "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": BURST_REASON,
    }
