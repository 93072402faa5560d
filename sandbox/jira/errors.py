"""How the sandbox refuses: one exception that becomes Jira's error body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.jira.edition import Edition


class JiraRefusal(Exception):
    """A request is refused.

    Attributes:
        status: HTTP status.
        messages: what is wrong with the request as a whole.
        errors: what is wrong with single fields, by field id.
        headers: extra response headers.
    """

    def __init__(
        self,
        status: int,
        messages: Sequence[str] = (),
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.messages = list(messages)
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})
        super().__init__("; ".join([*self.messages, *self.errors.values()]))

    def body(self) -> dict[str, Any]:
        """Jira's error collection."""
        return {"errorMessages": self.messages, "errors": self.errors}


ISSUE_MISSING = {
    Edition.DATA_CENTER: "Issue Does Not Exist",
    Edition.CLOUD: "Issue does not exist or you do not have permission to see it.",
}


def issue_missing(edition: Edition) -> JiraRefusal:
    """The answer for an issue that is not there; Jira gives the same one for an issue one may not see."""
    return JiraRefusal(404, [ISSUE_MISSING[edition]])
