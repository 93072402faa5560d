"""When Jira Cloud tries a webhook again.

https://developer.atlassian.com/cloud/jira/platform/webhooks/: up to five times, each 5 to 15 minutes after the attempt
before, and only where another attempt may help. After half an hour of failures, deliveries of that webhook get a single
attempt each until one succeeds. The proportions are kept here and the length of the intervals is a setting.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

MOST_RETRIES = 5
RETRIED_STATUSES = frozenset({408, 409, 425, 429})
LONGEST_TO_SHORTEST = 15 / 5
PATIENCE_TO_SHORTEST = 30 / 5


@dataclass
class RetrySchedule:
    """Decides about further attempts.

    Attributes:
        shortest: seconds until the next attempt at least, where Cloud waits five minutes; at most three times as many.
    """

    shortest: float
    _failing_since: dict[str, float] = field(default_factory=dict)

    def delay(self, webhook: str, retries: int, status: int | None) -> float | None:
        """Seconds until the next attempt, or None if the last one was final.

        Args:
            webhook: which one was sent; its failures are remembered.
            retries: how many times this delivery was already tried again.
            status: the receiver's answer, None if there was none.
        """
        if status is not None and status < 300:
            self._failing_since.pop(webhook, None)
            return None
        if status is not None and status < 500 and status not in RETRIED_STATUSES:
            return None
        now = time.monotonic()
        failing_for = now - self._failing_since.setdefault(webhook, now)
        given_up = retries == 0 and failing_for > self.shortest * PATIENCE_TO_SHORTEST
        if given_up or retries >= MOST_RETRIES:
            return None
        return random.uniform(self.shortest, self.shortest * LONGEST_TO_SHORTEST)
