"""The worker as it runs in production, or, for the proof that chaos would notice, one with a planted defect."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from activities.jira.activities import JiraActivities
from activities.jira.types import Attachment, TicketReference
from activities.modelop.activities import ModelOpActivities
from activities.review_document.activities import ReviewDocumentActivities
from bench.chaos.parts import DEFECT_VARIABLE
from worker.main import run_worker

NO_LOOK_BEFORE_CREATE = "no-look-before-create"
DEFECTS = (NO_LOOK_BEFORE_CREATE,)


def main() -> None:
    """Works until it is stopped or killed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with ExitStack() as defects:
        if os.environ.get(DEFECT_VARIABLE) == NO_LOOK_BEFORE_CREATE:
            _never_look(defects)
        asyncio.run(run_worker())


def _never_look(defects: ExitStack) -> None:
    """Creates tickets, attachments, snapshots, jobs, results, markers and notifications without looking first."""

    async def nothing(self: object, *arguments: Any) -> None:
        return None

    async def attached(
        self: ReviewDocumentActivities, ticket: TicketReference, filename: str, content: bytes
    ) -> Attachment:
        return await self._jira.attach(ticket.issue_id, filename, content)

    defects.enter_context(patch.object(ModelOpActivities, "_ours", nothing))
    defects.enter_context(patch.object(JiraActivities, "_first_with", nothing))
    defects.enter_context(patch.object(ReviewDocumentActivities, "_attached_once", attached))


if __name__ == "__main__":
    main()
