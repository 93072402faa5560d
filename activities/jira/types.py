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
    """One line of a ticket's description: a name, a value, and a link where there is one.

    An empty value is shown as a gap, never left out: the reader must see what nobody provided.
    """

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
    comment: str = ""


class Finding(BaseModel):
    """One test that the person who decides must look at.

    Attributes:
        word: the verdict: `FAIL`, `ERROR` or `NOT EVALUATED`.
        test: what was tested, for example `Largest characteristic stability index (CSI)`.
        subject: the feature or group that it is about; empty where it is about the whole model.
        reason: what led to the verdict.
        consequence: what it means for the decision.
    """

    word: str
    test: str
    subject: str = ""
    reason: str = ""
    consequence: str = ""


class AttemptLine(BaseModel):
    """One attempt at the Standard Risk Tests that failed before this ticket."""

    attempt: int
    job_id: str
    error: str = ""


class TicketContent(BaseModel):
    """What the people who decide need to know; it becomes Jira's wiki markup in `activities.jira.texts`.

    Attributes:
        facts: what identifies the model and the run.
        description: what the model is for, in its owner's words.
        processing: what is known of the processing of personal data (GDPR Article 35(7)(a)).
        risks: what is known of the risks to people (GDPR Article 35(7)(c)).
        data_assets: one line per data asset.
        decided_on: what exactly is decided upon: the failed job, or what would go into production.
        summary: the result of all tests in one phrase.
        verdicts: how many tests have which verdict, for example `{"PASS": 9, "FAIL": 1}`.
        notices: what the reader must know about how the verdicts came about, in whole sentences.
        findings: the first tests that need attention.
        more_findings: how many more there are in the document.
        error: what the failed test job said; shown as it is.
        attempt: which attempt at the Standard Risk Tests this is about, counted from 1.
        max_attempts: how many attempts the run was given.
        changes: what is different from the attempt before, one sentence each.
        earlier_attempts: those that failed before.
        requested_by: who asked for the implementation, as Jira names them.
        four_eyes: whether that person is kept from deciding.
    """

    model_name: str
    model_id: str
    facts: list[Fact] = Field(default_factory=list)
    description: str = ""
    processing: list[Fact] = Field(default_factory=list)
    risks: list[Fact] = Field(default_factory=list)
    data_assets: list[str] = Field(default_factory=list)
    prerequisites: list[PrerequisiteLine] = Field(default_factory=list)
    decided_on: list[Fact] = Field(default_factory=list)
    decisions: list[DecisionLine] = Field(default_factory=list)
    summary: str = ""
    verdicts: dict[str, int] = Field(default_factory=dict)
    notices: list[str] = Field(default_factory=list)
    findings: list[Finding] = Field(default_factory=list)
    more_findings: int = 0
    error: str = ""
    attempt: int | None = None
    max_attempts: int | None = None
    changes: list[str] = Field(default_factory=list)
    earlier_attempts: list[AttemptLine] = Field(default_factory=list)
    requested_by: str = ""
    four_eyes: bool = False


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

    The comment is written once per `change_id`; a ticket that has left the refused status is not moved, nor is any
    without `move_back`.
    """

    run: RunIdentity
    ticket: TicketReference
    change_id: str
    back_to: str
    reason: str
    move_back: bool = True


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
