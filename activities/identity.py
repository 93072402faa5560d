"""Who an outside object belongs to: one run of one implementation.

Every object that the process creates elsewhere carries a mark made from this identity, so that an attempt that
follows a crash finds the object instead of making a second one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import BaseModel

MARK_LENGTH = 24


class RunIdentity(BaseModel):
    """One run of the process, as outside systems know it.

    `run_id` is Temporal's *first execution* run id: a reset in the Web UI changes the run id but not this one, so
    a reset run finds what it made before.
    """

    workflow_id: str
    run_id: str
    started_at: datetime

    def mark(self, *parts: str | int) -> str:
        """24 hexadecimal digits that name one effect of this run, for example `mark("PiaApproval", 1)`.

        They are the start of the SHA-256 over workflow id, run id and the parts, joined by line feeds.
        """
        text = "\n".join([self.workflow_id, self.run_id, *(str(part) for part in parts)])
        return hashlib.sha256(text.encode()).hexdigest()[:MARK_LENGTH]
