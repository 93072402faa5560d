"""What crosses the border between the process and Jira."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from activities.identity import RunIdentity


class Gate(StrEnum):
    """The four places where people decide; the values are part of the public contract."""

    PIA = "PiaApproval"
    TEST_FAILURE = "TestFailure"
    RESULTS = "ResultsApproval"
    PRODUCTION = "ProductionApproval"


TITLES = {
    Gate.PIA: "PIA Approval Request",
    Gate.TEST_FAILURE: "Test Failure",
    Gate.RESULTS: "Model Review",
    Gate.PRODUCTION: "Production Approval",
}


class Verdict(StrEnum):
    """What a ticket's final status means; the values are part of the public contract."""

    DONE = "DONE"
    REJECTED = "REJECTED"


class Fact(BaseModel):
    """One line of a ticket's description: a name, a value, and a link where there is one."""

    name: str
    value: str
    url: str = ""


class PrerequisiteLine(BaseModel):
    """One prerequisite of the process and whether it was found."""

    name: str
    found: bool
    detail: str = ""


class DecisionLine(BaseModel):
    """One decision that was taken before this ticket."""

    gate: str
    ticket: str
    url: str
    verdict: str
    decided_by: str
    decided_at: str


class TicketContent(BaseModel):
    """What the people who decide need to know; the adapter turns it into Jira's wiki markup.

    `prerequisites` and `decisions` are shown as tables, `error` as preformatted text.
    """

    model_name: str
    model_id: str
    facts: list[Fact] = Field(default_factory=list)
    description: str = ""
    personal_data_roles: list[str] = Field(default_factory=list, description="asset lines for the privacy headings")
    prerequisites: list[PrerequisiteLine] = Field(default_factory=list)
    decisions: list[DecisionLine] = Field(default_factory=list)
    error: str = ""
    attempt: int | None = None


class TicketRequest(BaseModel):
    """Asks for the ticket of one round of one gate; asking again yields the same one.

    `never_asked` is true when the history proves that this step was not scheduled before, so that no search is needed.
    """

    run: RunIdentity
    gate: Gate
    round: int
    content: TicketContent
    never_asked: bool = False


class Ticket(BaseModel):
    """An open ticket. `adopted` is true when it stood there already, so that it may carry a decision by now."""

    key: str
    issue_id: str
    url: str
    adopted: bool = False


class TicketReference(BaseModel):
    """Names a ticket by its id, which a move to another project does not change."""

    issue_id: str
    key: str


class TicketDecision(BaseModel):
    """The status change that put a ticket into its present Done or Rejected status, read from its changelog."""

    change_id: str
    verdict: Verdict
    decided_by: str = Field(description="accountId (Cloud) or user name (Data Center)")
    decided_by_name: str = ""
    decided_at: datetime
    comment: str = Field(default="", description="the decider's last comment, shortened")


class TicketReading(BaseModel):
    """A ticket as Jira has it now. `decision` is None while its status is neither Done nor Rejected."""

    key: str
    issue_id: str
    url: str
    status: str
    decision: TicketDecision | None = None


class Attachment(BaseModel):
    """A file on a ticket. `size` is in bytes; `created` is when Jira stored it."""

    attachment_id: str
    filename: str
    size: int
    created: datetime


class CommentRequest(BaseModel):
    """Asks for one comment; the same `purpose` on the same ticket yields the same one. `text` is wiki markup."""

    run: RunIdentity
    ticket: TicketReference
    purpose: str
    text: str


class CloseTicketRequest(BaseModel):
    """Asks to comment an open ticket and move it to the configured closing status."""

    run: RunIdentity
    ticket: TicketReference
    reason: str


class SupersedeRequest(BaseModel):
    """Asks to close what earlier runs of the same workflow id left open."""

    run: RunIdentity


class ClosedTickets(BaseModel):
    """Keys of the tickets that were closed."""

    keys: list[str]
