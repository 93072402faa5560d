"""What a ticket says: one line for lists and boards, and a description that a reviewer needs nothing beside.

Each description goes from what is asked, over what decides it, to what a decision does, and ends with the facts that
can be looked up. It is read on phones: tables have few columns, and what matters stands first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from activities.jira import wiki
from activities.jira.settings import JiraSettings
from activities.jira.types import (
    TITLES,
    AttemptLine,
    DecisionLine,
    Fact,
    Finding,
    Gate,
    PrerequisiteLine,
    TicketContent,
)
from activities.review_document.masking import without_personal_data

MAX_SUMMARY = 255
MAX_DESCRIPTION = 31_000
"""Jira takes 32,767 UTF-16 units; the rest is for what a site's own tools add."""

# Budgets in units of markup. The sections of any one ticket stay below MAX_DESCRIPTION together, so that what a
# decision does is never what is cut off.
MAX_FREE_TEXT = 3_000
MAX_ERROR = 6_000
MAX_SECTION = 4_000
MAX_FINDINGS_SECTION = 12_000

MAX_FINDINGS = 25
MAX_APPROVERS, MAX_APPROVER = 20, 80
MAX_QUOTE = 300
MAX_EARLIER_ERROR = 200
SHORTENED = "_Shortened; the rest is in ModelOp Center._"

# Article 35(7) of the GDPR, points (a) to (d): what an assessment contains at least.
PROCESSING = "(a) Systematic description of the envisaged processing operations and the purposes of the processing"
NECESSITY = (
    "(b) Assessment of the necessity and proportionality of the processing operations in relation to the purposes"
)
RISKS = "(c) Assessment of the risks to the rights and freedoms of data subjects"
MEASURES = "(d) Measures envisaged to address the risks"


def summary(gate: Gate, content: TicketContent) -> str:
    """The ticket's one line: what is asked, and of which model; plain text of at most 255 UTF-16 units."""
    name = " ".join(wiki.visible(content.model_name).split()) or content.model_id
    return wiki.shortened(f"{TITLES[gate]}: {name}", MAX_SUMMARY)


def description(gate: Gate, content: TicketContent, settings: JiraSettings, *, run_url: str) -> str:
    """The ticket's description in wiki markup, at most `MAX_DESCRIPTION` UTF-16 units.

    Args:
        gate: decides which sections there are.
        content: what is known; nothing in it is trusted to be free of markup.
        settings: names the statuses by which people decide, and who may.
        run_url: the run's page in Temporal; empty if there is none.
    """
    run = [Fact(name="This run", value="open in Temporal", url=run_url)] if run_url else []
    known = content.model_copy(update={"facts": [*content.facts, *run]})
    sections = [
        *_BODIES[gate](known),
        *_what_your_decision_does(gate, known, settings),
        *_facts("Key facts", known.facts),
        *_BACKGROUND[gate](known),
    ]
    return "\n\n".join(section for section in sections if section)


def closing(reason: str) -> str:
    """The comment on a ticket that the process closes itself, in wiki markup."""
    said = wiki.paragraphs(reason, MAX_FREE_TEXT)
    return (
        f"{said[:1].upper()}{said[1:]}\n\n"
        "The process closes this ticket: nothing is left to decide here, and moving it has no effect."
    )


SUPERSEDED = (
    "Superseded: a newer run for the same model has taken over and asks in tickets of its own. Please decide there.\n\n"
    "The process closes this ticket; moving it has no effect."
)


def refusal(reason: str, *, back_to: str, by_us: bool) -> str:
    """The comment on a decision that does not count, in wiki markup.

    Args:
        reason: why it does not.
        back_to: the status the ticket had before; empty if it has another one by now.
        by_us: whether the process moves the ticket back.
    """
    said = f"This decision does not count: {wiki.paragraphs(reason, MAX_FREE_TEXT).rstrip('.')}."
    if not back_to:
        return said
    status = wiki.strong(back_to)
    if by_us:
        return (
            f"{said}\n\nThe process moves the ticket back to {status}, where it can be decided anew. Should it stay "
            "where it is, please reopen it."
        )
    return (
        f"{said}\n\nThe process does not move the ticket back to {status}: please reopen it yourself, so that it can "
        "be decided anew."
    )


def duplicate(key: str, url: str) -> str:
    """The comment on a second ticket for the same question, in wiki markup; names the one that is waited on."""
    return f"The same question is asked in {wiki.link(key, url)}: please decide there. This ticket decides nothing."


def _privacy(content: TicketContent) -> list[str]:
    return [
        f"{_name(content)} is a SageMaker model on its way into production. Nothing has been frozen or tested yet: "
        "first, please decide whether its privacy impact assessment stands.",
        f"What ModelOp Center knows is filled in. {_gap('marks what it does not know.')} Please add that in a comment "
        "before you decide.",
        "h2. Privacy impact assessment (GDPR, Article 35(7))",
        f"h3. {PROCESSING}",
        _purpose(content),
        *_listed(content.processing),
        _data(content.data_assets),
        _gap(
            "whose data is processed and where it comes from, who sees it, and, where applicable, the legitimate "
            "interest pursued by the controller."
        ),
        f"h3. {NECESSITY}",
        _gap("the legal basis, why each category of data is needed, how long it is kept."),
        f"h3. {RISKS}",
        *_listed(content.risks),
        "The Standard Risk Tests run after this decision: performance, drift, stability and, where a protected class "
        "is declared, bias. Their results are decided upon in a ticket of their own.",
        _gap("what can go wrong for the people concerned, how likely and how severe that is."),
        f"h3. {MEASURES}",
        "* The model is frozen before it is tested, and only what was tested can go into production.\n"
        "* Each step needs a person's decision. Decisions, test results and the review document are kept with the "
        "model.",
        _gap("safeguards, security measures, human review of single decisions, how people can object."),
        *_prerequisites(content.prerequisites),
    ]


def _test_failure(content: TicketContent) -> list[str]:
    return [
        f"The Standard Risk Tests of {_name(content)} failed{_attempt(content)}. There are no results to review until "
        "they run to their end.",
        "h2. What the test job said",
        *_error(content.error),
        *_listed(content.decided_on),
        *_since_the_last_attempt(content),
        "h2. How to mend it",
        "# Find the cause in the text above and on the job's page.\n"
        "# Correct the model, its schema or its data assets in ModelOp Center, or the test's own set-up.\n"
        "# Then move this ticket. The model is read again: what you corrected is what is tested.",
        _used_up(content),
    ]


def _review(content: TicketContent) -> list[str]:
    return [
        *_outcome(content),
        "h2. What is asked",
        "* Do the results support using the model for its purpose?\n"
        "* Is every finding understood and acceptable?\n"
        "* Are the limitations named in the document acceptable in use?",
        "The review document (.docx) shows every test with its value, limit and verdict. It is attached moments after "
        "this ticket was opened; a comment names the file. Please wait for it: a decision dated before it was "
        "attached does not count.",
    ]


def _production(content: TicketContent) -> list[str]:
    return [
        f"{_name(content)} has been assessed, tested and reviewed. Please decide whether it goes into production: "
        "exactly this snapshot, on the strength of exactly this document.",
        *_facts("What goes into production", content.decided_on),
        *_decisions(content.decisions),
    ]


_BODIES: dict[Gate, Callable[[TicketContent], list[str]]] = {
    Gate.PIA: _privacy,
    Gate.TEST_FAILURE: _test_failure,
    Gate.RESULTS: _review,
    Gate.PRODUCTION: _production,
}


def _about_and_decisions(content: TicketContent) -> list[str]:
    return [*_about(content), *_decisions(content.decisions)]


_BACKGROUND: dict[Gate, Callable[[TicketContent], list[str]]] = {
    # Its own text says what the model is for.
    Gate.PIA: lambda content: [],
    Gate.TEST_FAILURE: lambda content: _decisions(content.decisions),
    Gate.RESULTS: _about_and_decisions,
    Gate.PRODUCTION: lambda content: _about(content),
}

_DONE = {
    Gate.PIA: "the model is frozen as a snapshot in ModelOp Center and the Standard Risk Tests run on it.",
    Gate.TEST_FAILURE: "you mended the cause, and the Standard Risk Tests run again. This attempt stays on record.",
    Gate.RESULTS: "the attached document, exactly as it is now, is added to the snapshot in ModelOp Center, and the "
    "approval for production is asked for.",
    Gate.PRODUCTION: "snapshot and document are checked to be the ones that were approved, then the snapshot is "
    "marked as Deployed in Production. All decisions and the document's hash are recorded with it.",
}
_REJECTED = {
    Gate.PIA: "the implementation ends. Nothing is frozen, tested or deployed.",
    Gate.TEST_FAILURE: "the implementation ends. The failed attempts stay on record.",
    Gate.RESULTS: "the implementation ends, and ModelOp Center shows an error notification. Nothing is deployed.",
    Gate.PRODUCTION: "the implementation ends. The snapshot is not marked as deployed.",
}


def _what_your_decision_does(gate: Gate, content: TicketContent, settings: JiraSettings) -> list[str]:
    return [
        "h2. What your decision does",
        f"* {_statuses(settings.done_statuses)} → {_DONE[gate]}\n"
        f"* {_statuses(settings.rejected_statuses)} → {_REJECTED[gate]} A new run can be started later.\n"
        "* Any other status → nothing yet; the process waits.",
        f"*Who may decide:* {_who_may_decide(gate, content, settings)}",
        "Whoever moves the ticket is recorded, with the time and their last comment: please give your reasons in a "
        "comment before you move it.",
    ]


def _who_may_decide(gate: Gate, content: TicketContent, settings: JiraSettings) -> str:
    approvers = settings.gates.of(gate).approvers
    named = [wiki.text(approver, MAX_APPROVER) for approver in approvers[:MAX_APPROVERS]]
    named += [f"one of {len(approvers) - MAX_APPROVERS} more"] if len(approvers) > MAX_APPROVERS else []
    may = f"only {_one_of(named)}" if named else "everybody who can move this ticket"
    # Whoever asked for the implementation may well mend its data and have the tests run again.
    if not content.four_eyes or gate is Gate.TEST_FAILURE:
        return f"{may}."
    asked = f" ({wiki.text(content.requested_by)})" if content.requested_by else ""
    return f"{may}, but not the requester{asked}: another person has to decide."


def _statuses(names: Sequence[str]) -> str:
    return _one_of([wiki.strong(name) for name in names])


def _one_of(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _name(content: TicketContent) -> str:
    return wiki.strong(content.model_name) or wiki.text(content.model_id)


def _attempt(content: TicketContent) -> str:
    number, allowed = content.attempt, content.max_attempts
    if number is None:
        return ""
    return f" (attempt {number} of {allowed})" if allowed and number <= allowed else f" (attempt {number})"


def _used_up(content: TicketContent) -> str:
    if content.attempt is None or content.max_attempts is None or content.attempt < content.max_attempts:
        return ""
    return (
        "All attempts that were planned are used up: to run the tests again, the process waits for an operator, who "
        "resumes it for one more."
    )


def _outcome(content: TicketContent) -> list[str]:
    """The results in the order of a decision: in one phrase, in numbers, and what needs attention."""
    name = _name(content)
    if not content.summary:
        return [f"The Standard Risk Tests of {name} have run. Please review their results."]
    counts = ", ".join(f"{count} {wiki.text(word)}" for word, count in content.verdicts.items())
    return [
        f"h2. {wiki.text(content.summary)}",
        f"The Standard Risk Tests of {name} have run: {counts or 'no verdicts'}. Please review their results.",
        _bounded([f"* {wiki.text(_masked(notice, wiki.MAX_INLINE))}" for notice in content.notices]),
        *_findings(content),
    ]


def _findings(content: TicketContent) -> list[str]:
    if not content.findings:
        return []
    table = wiki.table(("Finding", "Why, and what it means"), map(_finding, content.findings[:MAX_FINDINGS]))
    shown = _fitting(table, MAX_FINDINGS_SECTION)
    more = content.more_findings + len(content.findings) - len(shown[1:])
    return ["\n".join(shown), f"And {more} more in the document." if more else ""]


def _finding(finding: Finding) -> tuple[str, str]:
    what = [wiki.strong(finding.word), wiki.text(finding.test), wiki.text(finding.subject)]
    meaning = [wiki.text(finding.reason), wiki.text(finding.consequence)]
    return wiki.BREAK.join(filter(None, what)), wiki.BREAK.join(filter(None, meaning))


def _error(error: str) -> list[str]:
    error = _masked(error, MAX_ERROR)
    lines = error.strip().splitlines()
    if not lines:
        return ["The job gave no reason. Its page in ModelOp Center may say more."]
    # On a phone long lines run out of the block, and the last one is where programs name the cause.
    last = [f"In its last line: {wiki.text(lines[-1])}"] if len(lines) > 1 else []
    return [*last, wiki.preformatted(error, MAX_ERROR)]


def _masked(said: str, limit: int) -> str:
    """What a program said, without the personal data of the rows that it quotes; many megabytes are cut before."""
    return without_personal_data(wiki.visible(said[: limit * 8]))


def _since_the_last_attempt(content: TicketContent) -> list[str]:
    changes = [f"* {wiki.text(change)}" for change in content.changes]
    earlier = [_earlier(attempt) for attempt in content.earlier_attempts]
    return _section("What changed since the last attempt", changes) + _section("Earlier attempts", earlier)


def _earlier(attempt: AttemptLine) -> str:
    said = wiki.text(_masked(attempt.error, MAX_EARLIER_ERROR), MAX_EARLIER_ERROR) or "no reason given"
    return f"* Attempt {attempt.attempt}, job {wiki.text(attempt.job_id)}: {said}"


def _purpose(content: TicketContent) -> str:
    said = wiki.paragraphs(content.description, MAX_FREE_TEXT)
    return f"*Purpose, as registered:* {said}" if said else _gap("the purpose; ModelOp Center has no description.")


def _about(content: TicketContent) -> list[str]:
    said = wiki.paragraphs(content.description, MAX_FREE_TEXT)
    return ["h2. What the model is for", said] if said else []


def _data(lines: Sequence[str]) -> str:
    if not lines:
        return _gap("the data; no data assets are registered with the model.")
    return _bounded(["*Data assets registered with the model:*", *(f"* {wiki.text(line)}" for line in lines)])


def _prerequisites(lines: Sequence[PrerequisiteLine]) -> list[str]:
    rows = [(wiki.text(line.name), _found(line)) for line in lines]
    missing = [line for line in lines if not line.found]
    return [
        *_section("Prerequisites", wiki.record(rows)),
        "What is missing does not prevent this decision; the process stops, and says so, at the step that needs it."
        if missing
        else "",
    ]


def _found(line: PrerequisiteLine) -> str:
    return wiki.BREAK.join(filter(None, ["found" if line.found else "*missing*", wiki.text(line.detail)]))


def _decisions(lines: Sequence[DecisionLine]) -> list[str]:
    return _section("Decisions so far", [_decision(line) for line in lines])


def _decision(line: DecisionLine) -> str:
    ticket = wiki.link(line.ticket, line.url) if line.url else wiki.text(line.ticket)
    said = (
        f"* {wiki.text(_TITLE_OF.get(line.gate, line.gate))}: {wiki.strong(line.verdict.capitalize())} by "
        f"{wiki.text(line.decided_by)}, {wiki.text(line.decided_at)} ({ticket})"
    )
    comment = wiki.text(line.comment, MAX_QUOTE)
    return f"{said}\n** “{comment}”" if comment else said


_TITLE_OF = {gate.value: title for gate, title in TITLES.items()}


def _facts(title: str, facts: Sequence[Fact]) -> list[str]:
    return _section(title, wiki.record((wiki.text(fact.name, 100), _value(fact)) for fact in facts))


def _listed(facts: Sequence[Fact]) -> list[str]:
    lines = [f"* {wiki.text(fact.name, 100)}: {_value(fact)}" for fact in facts]
    return [_bounded(lines)] if lines else []


def _value(fact: Fact) -> str:
    if not fact.value.strip():
        return "{color:#b35900}*not provided*{color}"
    return wiki.link(fact.value, fact.url) if fact.url else wiki.text(fact.value)


def _gap(what: str) -> str:
    return f"{{color:#b35900}}*To be completed:*{{color}} {what}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"h2. {title}", _bounded(lines)] if lines else []


def _bounded(lines: Sequence[str]) -> str:
    """As many whole lines as a section may have; cutting inside a line could leave markup open."""
    kept = _fitting(lines, MAX_SECTION)
    said = "\n".join(kept)
    return said if len(kept) == len(lines) else f"{said}\n\n{SHORTENED}"


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        room -= wiki.size(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept
