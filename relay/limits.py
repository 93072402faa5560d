"""How many deliveries a relay takes in a second: what comes faster is asked to come again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

DEFAULT_PER_SECOND = 100
BURST_SECONDS = 4
"""A bulk change in Jira sends its webhooks at once; so many seconds' worth are taken before the rate counts."""


class TokenBucket:
    """Lets a number of events through per second, and some more after a quiet time.

    One per process: senders cannot be told apart behind a gateway, and what is bounded is the work of this process
    and what it asks of Temporal.

    Args:
        per_second: events per second in the long run, more than zero.
        clock: seconds that never go back.
    """

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._size = max(per_second * BURST_SECONDS, 1.0)
        self._tokens = self._size
        self._clock = clock
        self._counted_at = clock()

    def take(self) -> int:
        """Takes one event in.

        Returns:
            0 if it was; else after how many whole seconds one more would be.
        """
        now = self._clock()
        self._tokens = min(self._size, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._tokens < 1.0:
            return max(math.ceil((1.0 - self._tokens) / self._rate), 1)
        self._tokens -= 1.0
        return 0
