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
    data_assets: list[str] = Field(default_factory=list, description="one line per data asset")
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


class ReadTicketRequest(TicketReference):
    """Asks for a ticket and for who may decide it.

    With `four_eyes`, neither the requester nor our own account may decide; the approvers of `gate`, where they are
    configured, are the only ones who may.
    """

    gate: Gate | None = None
    four_eyes: bool = False
    requested_by: str | None = None


class TicketDecision(BaseModel):
    """The status change that put a ticket into its present Done or Rejected status, read from its changelog."""

    change_id: str
    verdict: Verdict
    decided_by: str = Field(description="accountId (Cloud) or user name (Data Center)")
    decided_by_name: str = ""
    decided_at: datetime
    comment: str = Field(default="", description="the decider's last comment, shortened")
    previous_status: str = Field(default="", description="name of the status it came from, to move it back to")
    refused_because: str = Field(default="", description="why this person may not decide; empty if they may")


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


class RefuseDecisionRequest(BaseModel):
    """Asks to say on a ticket that a decision does not count, and to move it back where a transition exists.

    The comment is written once per `change_id`; a ticket that has left the refused status is not moved.
    """

    run: RunIdentity
    ticket: TicketReference
    change_id: str
    back_to: str
    reason: str


class SightingsRequest(BaseModel):
    """Asks how many tickets stand, by key, in as few calls as possible."""

    keys: list[str]


class Sighting(BaseModel):
    """How one ticket stands. `key` is the one asked for; a ticket that was moved has another `present_key`.

    A missing ticket is deleted or invisible to the service account; the two cannot be told apart.
    """

    key: str
    present_key: str = ""
    issue_id: str = ""
    status_id: str = ""
    updated: str = Field(default="", description="as Jira writes it; compared, never parsed")
    verdict: Verdict | None = None
    missing: bool = False
    labels: list[str] = Field(default_factory=list)


class Sightings(BaseModel):
    """The answer to `SightingsRequest`, one entry per key."""

    tickets: list[Sighting]


class DuplicateSearchRequest(BaseModel):
    """Asks to close tickets that carry a `mlc-<24 hex>` label which belongs to a ticket that a run waits on.

    `waiting` maps each label to the id of the issue that the run waits on; every other open issue with that label is
    commented and closed.
    """

    waiting: dict[str, str]


class WithdrawTicketRequest(BaseModel):
    """Asks to close the ticket of one round of one gate, whose opening was given up without a known end."""

    run: RunIdentity
    gate: Gate
    round: int
    reason: str


class SupersedeRequest(BaseModel):
    """Asks to close what earlier runs of the same workflow id left open."""

    run: RunIdentity


class ClosedTickets(BaseModel):
    """Keys of the tickets that were closed."""

    keys: list[str]
