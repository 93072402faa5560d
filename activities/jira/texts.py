"""What a ticket says: one line for lists and boards, and a description that a reviewer needs nothing beside.

The privacy ticket follows the four points that Article 35(7) of the GDPR asks an assessment to contain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from activities.jira import wiki
from activities.jira.settings import JiraSettings
from activities.jira.types import TITLES, DecisionLine, Fact, Gate, PrerequisiteLine, TicketContent

MAX_SUMMARY = 255
MAX_DESCRIPTION = 30_000  # Jira's own limit is 32,767 characters

# Budgets in characters; together they stay below MAX_DESCRIPTION, so that how to decide is never what is cut off.
MAX_FREE_TEXT = 3_000
MAX_ERROR = 6_000
MAX_SECTION = 5_000

_SHORTENED = "_Shortened; the rest is in ModelOp Center._"


def summary(gate: Gate, content: TicketContent) -> str:
    """The ticket's one line: what is asked, and of which model; plain text of at most 255 characters."""
    name = " ".join(wiki.visible(content.model_name).split()) or content.model_id
    return wiki.shortened(f"{TITLES[gate]}: {name}", MAX_SUMMARY)


def description(gate: Gate, content: TicketContent, settings: JiraSettings, *, run_url: str) -> str:
    """The ticket's description in wiki markup, at most `MAX_DESCRIPTION` characters.

    Args:
        gate: decides which sections there are.
        content: what is known; nothing in it is trusted to be free of markup.
        settings: names the statuses by which people decide.
        run_url: the run's page in Temporal; empty if there is none.
    """
    run = [Fact(name="This run", value="open in Temporal", url=run_url)] if run_url else []
    known = content.model_copy(update={"facts": [*content.facts, *run]})
    sections = [*_BODIES[gate](known), _what_your_decision_does(gate, settings)]
    return "\n\n".join(section for section in sections if section)


def closing(reason: str) -> str:
    """The comment on a ticket that the process closes itself, in wiki markup."""
    said = wiki.paragraphs(reason, MAX_FREE_TEXT)
    return f"{said}\n\nThe process closes this ticket. Moving it decides nothing any more."


SUPERSEDED = "Superseded by a newer run for the same model, which opens tickets of its own."


def refusal(reason: str, *, back_to: str, by_us: bool) -> str:
    """The comment on a decision that does not count, in wiki markup.

    Args:
        reason: why it does not.
        back_to: the status the ticket had before; empty if it has another one by now.
        by_us: whether the process can move the ticket back.
    """
    said = f"This decision does not count: {wiki.paragraphs(reason, MAX_FREE_TEXT)}."
    if not back_to:
        return said
    status = f"*{wiki.text(back_to)}*"
    if by_us:
        return (
            f"{said}\n\nThe process moves this ticket back to {status}; should it stay where it is, please reopen it."
        )
    return (
        f"{said}\n\nThe process cannot move this ticket back to {status}: please reopen it yourself, so that it can be "
        "decided."
    )


def duplicate(key: str, url: str) -> str:
    """The comment on a second ticket for the same question, in wiki markup; names the one that is waited on."""
    return f"A duplicate of {wiki.link(key, url)}, which is the one to decide. This ticket decides nothing."


def _privacy(content: TicketContent) -> list[str]:
    name = _name(content)
    return [
        f"*{name}* is registered as a SageMaker model on its way into production. Before it is tested, please decide "
        "whether its privacy impact assessment stands (GDPR, Article 35).",
        "What ModelOp Center knows is filled in below. Please add what is marked as a gap, here or in a comment, "
        "before you decide.",
        *_model(content),
        "h2. Privacy impact assessment (GDPR, Article 35(7))",
        "h3. a) Systematic description of the processing and its purposes",
        wiki.paragraphs(content.description, MAX_FREE_TEXT) or _gap("ModelOp Center has no description of the model."),
        _data(content.data_assets),
        _gap("Whose data is processed, where it comes from, for which purpose and in whose interest, who sees it."),
        "h3. b) Necessity and proportionality of the processing in relation to its purposes",
        _gap("The legal basis, why each category of data is needed, how long it is kept."),
        "h3. c) Risks to the rights and freedoms of the data subjects",
        "The Standard Risk Tests come after this decision. They measure performance, drift, stability and, where a "
        "protected attribute is declared, bias; their results are decided upon in a ticket of their own.",
        _gap("What can go wrong for the people concerned, how likely and how severe that is."),
        "h3. d) Measures envisaged to address the risks",
        "The model is frozen before it is tested, and what was tested is what goes into production. Each step needs a "
        "person's decision, and decisions, test results and the review document are kept with the model.",
        _gap("Safeguards and security measures, human review of single decisions, how people can object."),
        *_prerequisites(content.prerequisites),
    ]


def _test_failure(content: TicketContent) -> list[str]:
    attempt = f" (attempt {content.attempt})" if content.attempt is not None else ""
    return [
        f"The Standard Risk Tests of *{_name(content)}* failed{attempt}. There are no results to review until they "
        "run to their end.",
        "h2. What the test job said",
        wiki.preformatted(
            content.error or "The job gave no reason. Its page in ModelOp Center may say more.", MAX_ERROR
        ),
        "h2. How to mend it",
        "# Find the cause in the text above and on the job's page.\n"
        "# Correct the model, its schema or its data assets in ModelOp Center, or the test's own set-up.\n"
        "# Then move this ticket. The model is read again, so what you corrected is what is tested.",
        *_model(content),
        *_decisions(content.decisions),
    ]


def _review(content: TicketContent) -> list[str]:
    return [
        f"The Standard Risk Tests of *{_name(content)}* have run. Please review their results.",
        "h2. What is attached",
        "The review document (.docx) is generated from the stored test results and attached to this ticket moments "
        "after it was opened; a comment names the file and its SHA-256. It shows every test with its value, limit and "
        "verdict, the monitors that failed to run, the data that was used, and what the results do not tell.",
        "h2. What is asked",
        "* Do the results support using the model for its purpose?\n"
        "* Is every failed test or monitor understood and acceptable?\n"
        "* Are the limitations named in the document acceptable in use?",
        "Please wait for the document: a decision dated before it was attached does not count.",
        *_model(content),
        *_about(content),
        *_decisions(content.decisions),
    ]


def _production(content: TicketContent) -> list[str]:
    return [
        f"*{_name(content)}* has been assessed, tested and reviewed. Please decide whether this snapshot goes into "
        "production.",
        *_decisions(content.decisions),
        *_model(content),
        *_about(content),
    ]


_BODIES: dict[Gate, Callable[[TicketContent], list[str]]] = {
    Gate.PIA: _privacy,
    Gate.TEST_FAILURE: _test_failure,
    Gate.RESULTS: _review,
    Gate.PRODUCTION: _production,
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


def _what_your_decision_does(gate: Gate, settings: JiraSettings) -> str:
    return (
        "h2. What your decision does\n"
        f"* {_statuses(settings.done_statuses)} → {_DONE[gate]}\n"
        f"* {_statuses(settings.rejected_statuses)} → {_REJECTED[gate]} A new run can be started later.\n\n"
        "Whoever moves the ticket is recorded as the one who decided, with the time and their last comment here: "
        "please give your reasons in a comment before you move it. Any other status means that it is still open."
    )


def _statuses(names: Sequence[str]) -> str:
    return " or ".join(f"*{wiki.text(name)}*" for name in names)


def _name(content: TicketContent) -> str:
    return wiki.text(content.model_name) or wiki.text(content.model_id)


def _model(content: TicketContent) -> list[str]:
    rows = [(wiki.text(f.name, 100), wiki.link(f.value, f.url) if f.url else wiki.text(f.value)) for f in content.facts]
    return _tabled("Key facts", ("What", "Value"), rows)


def _about(content: TicketContent) -> list[str]:
    if not content.description.strip():
        return []
    return ["h2. What the model is for", wiki.paragraphs(content.description, MAX_FREE_TEXT)]


def _data(lines: Sequence[str]) -> str:
    if not lines:
        return _gap("No data assets are registered with the model.")
    return _bounded(["Data assets registered with the model:", *(f"* {wiki.text(line)}" for line in lines)])


def _prerequisites(lines: Sequence[PrerequisiteLine]) -> list[str]:
    rows = [(wiki.text(p.name), "found" if p.found else "*missing*", wiki.text(p.detail)) for p in lines]
    section = _tabled("Prerequisites", ("What the process needs", "State", "Detail"), rows)
    if all(line.found for line in lines):
        return section
    return [
        *section,
        "What is missing does not prevent this decision; the process stops, and says so, at the step that needs it.",
    ]


def _decisions(lines: Sequence[DecisionLine]) -> list[str]:
    rows = [
        (
            wiki.text(_TITLE_OF.get(d.gate, d.gate)),
            wiki.link(d.ticket, d.url) if d.url else wiki.text(d.ticket),
            wiki.text(d.verdict.capitalize()),
            wiki.text(d.decided_by),
            wiki.text(d.decided_at),
        )
        for d in lines
    ]
    return _tabled("Decisions so far", ("Decision", "Ticket", "Verdict", "By", "At"), rows)


_TITLE_OF = {gate.value: title for gate, title in TITLES.items()}


def _tabled(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"h2. {title}", _bounded(wiki.table(heads, rows))] if rows else []


def _gap(what: str) -> str:
    return f"{{color:#b35900}}*To be completed:*{{color}} {what}"


def _bounded(lines: Sequence[str]) -> str:
    """As many whole lines as a section may have; cutting inside a line could leave markup open."""
    kept: list[str] = []
    room = MAX_SECTION
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join(kept) + f"\n\n{_SHORTENED}"
        kept.append(line)
    return "\n".join(kept)
