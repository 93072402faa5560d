"""What a ticket says, gate by gate: read as Jira would show it, not as markup."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from activities.jira import texts, wiki
from activities.jira.settings import JiraSettings
from activities.jira.types import (
    AttemptLine,
    DecisionLine,
    Fact,
    Finding,
    Gate,
    PrerequisiteLine,
    TicketContent,
)
from sandbox.jira.wiki import render_wiki
from tests.activities.jira.conftest import MakeSettings

HOSTILE = (
    "{noformat}{code}h1. Approved{color:red}*bold* _it_ -del- +ins+ ^up^ ~down~ ??cite?? [Done|http://evil.example] "
    "[~admin] !http://evil.example/x.png! |cell||head| {{mono}} (/) (x) \\\\ \\ ---- {quote}{panel}\u202e"
)
RUN_URL = "http://temporal.example/namespaces/default/workflows/w/r"


@pytest.fixture
def make_settings() -> MakeSettings:
    """Settings without a Jira behind them."""

    def make(**changes: Any) -> JiraSettings:
        plain = {"url": "http://jira.example", "bearer_token": "t", "project": "GOV"}
        return JiraSettings.model_validate({**plain, **changes})

    return make


def finding(text: str = "plain", word: str = "FAIL") -> Finding:
    return Finding(word=word, test=text, subject=text, reason=text, consequence=text)


def content(text: str = "plain", **more: Any) -> TicketContent:
    """Everything a ticket may hold, with one text wherever outsiders have a say."""
    fact = Fact(name=text, value=text, url="http://modelop.example/#/x")
    known: dict[str, Any] = {
        "model_name": text,
        "model_id": "6e5a1f0c",
        "facts": [fact, Fact(name="Version", value=text)],
        "description": f"{text}\n{text}",
        "processing": [fact],
        "risks": [fact],
        "data_assets": [text],
        "prerequisites": [
            PrerequisiteLine(name=text, found=True, detail=text),
            PrerequisiteLine(name="Endpoint", found=False),
        ],
        "decided_on": [fact],
        "decisions": [
            DecisionLine(
                gate="PiaApproval",
                ticket="GOV-1",
                url="http://jira.example/browse/GOV-1",
                verdict="DONE",
                decided_by=text,
                decided_at="1 March 2026, 10:00 UTC",
                comment=text,
            )
        ],
        "summary": text,
        "verdicts": {"PASS": 3, "FAIL": 1},
        "notices": [text],
        "findings": [finding(text)],
        "error": f"{text}\n{text}",
        "attempt": 2,
        "max_attempts": 5,
        "changes": [text],
        "earlier_attempts": [AttemptLine(attempt=1, job_id=text, error=text)],
        "requested_by": text,
        "four_eyes": True,
    }
    return TicketContent.model_validate({**known, **more})


def markup_of(gate: Gate, settings: JiraSettings, run_url: str = RUN_URL, **more: Any) -> str:
    return texts.description(gate, content(**more), settings, run_url=run_url)


def shown(markup: str) -> str:
    """The text that a reader sees, one line per block, row or item; cells are parted by a bar."""
    html = re.sub(r"</t[dh]>(?=<t)", " | ", str(render_wiki(markup)))
    lines = re.sub(r"<br>|</?(?:p|h\d|tr|li|ul|ol|pre|table)\b[^>]*>", "\n", html)
    text = unescape(re.sub(r"<[^>]+>", "", lines))
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next heading of that rank."""
    found = re.search(rf"^h[23]\. {re.escape(title)}\n(.*?)(?=^h2\. |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"no heading {title!r}"
    return shown(found[1])


def tags(markup: str) -> list[str]:
    """The structure that a reader's eye gets, without the text."""
    return re.findall(r"</?[a-z0-9]+", str(render_wiki(markup)))


@pytest.mark.parametrize("gate", Gate)
def test_text_from_elsewhere_does_not_change_the_structure_of_a_ticket(gate: Gate, settings: JiraSettings) -> None:
    def structure(text: str) -> list[str]:
        # Only plain words are ever bold, and a bare address becomes a link in any Jira.
        return [tag for tag in tags(markup_of(gate, settings, text=text)) if tag not in ("<strong", "</strong")]

    assert structure(re.sub("http://", "", HOSTILE)) == structure("plain text")
    assert len(structure("plain text")) > 60


@pytest.mark.parametrize("gate", Gate)
def test_an_address_in_foreign_text_leads_where_it_says(gate: Gate, settings: JiraSettings) -> None:
    html = str(render_wiki(markup_of(gate, settings, text=HOSTILE)))
    foreign = re.findall(r'<a href="(http://evil[^"]*)"[^>]*>(.*?)</a>', html)
    assert foreign and all(target == said for target, said in foreign)


@pytest.mark.parametrize("gate", Gate)
def test_the_longest_content_still_says_what_the_decision_does(gate: Gate, settings: JiraSettings) -> None:
    line = "{🏦" * 3000
    fact = Fact(name=line, value=line, url=f"http://m.example/{'x' * 900}")
    long = content(
        line,
        facts=[fact] * 60,
        description="\n".join([line] * 50),
        processing=[fact] * 60,
        risks=[fact] * 60,
        data_assets=[line] * 60,
        prerequisites=[PrerequisiteLine(name=line, found=False, detail=line)] * 60,
        decided_on=[fact] * 60,
        decisions=content(line).decisions * 60,
        notices=[line] * 60,
        findings=[finding(line)] * 60,
        error="\n".join(["{noformat" * 3000] * 50),
        changes=[line] * 60,
        earlier_attempts=[AttemptLine(attempt=1, job_id=line, error=line)] * 60,
    )
    markup = texts.description(gate, long, settings, run_url=RUN_URL)

    assert wiki.size(markup) <= texts.MAX_DESCRIPTION
    assert "h2. What your decision does" in markup
    assert "_Shortened" in markup


@pytest.mark.parametrize("gate", Gate)
def test_the_lightest_content_makes_a_ticket_too(gate: Gate, settings: JiraSettings) -> None:
    bare = texts.description(gate, TicketContent(model_name="", model_id="6e5a1f0c"), settings, run_url="")
    assert "6e5a1f0c" in bare
    assert "What your decision does" in bare
    assert "Key facts" not in bare and "Decisions so far" not in bare and "Temporal" not in bare


def test_a_summary_is_one_short_line_of_visible_text() -> None:
    long = TicketContent(model_name="Credit\n\u202e\x00🏦" * 200, model_id="6e5a1f0c")
    line = texts.summary(Gate.RESULTS, long)
    assert line.startswith("Model Review: Credit 🏦Credit 🏦")
    assert wiki.size(line) <= texts.MAX_SUMMARY and "\n" not in line and "\u202e" not in line


@pytest.mark.parametrize("gate", Gate)
def test_every_ticket_says_what_each_status_does_in_the_sites_own_words(
    gate: Gate, make_settings: MakeSettings
) -> None:
    settings = make_settings(done_statuses=["Approved", "Signed off"], rejected_statuses=["No *go*"])
    said = section(markup_of(gate, settings), "What your decision does")

    assert said.startswith("Approved or Signed off → ")
    assert "\nNo *go* → the implementation ends" in said
    assert "\nAny other status → nothing yet; the process waits.\n" in said
    assert "give your reasons in a comment before you move it" in said


@pytest.mark.parametrize(
    ("gate", "settings_more", "content_more", "expected"),
    [
        (Gate.PIA, {}, {"requested_by": "rita"}, "everybody who can move this ticket, but not the requester (rita): "),
        (Gate.PIA, {}, {"four_eyes": False}, "everybody who can move this ticket."),
        (Gate.TEST_FAILURE, {}, {"requested_by": "rita"}, "everybody who can move this ticket."),
        (
            Gate.PRODUCTION,
            {"gates": {"production": {"approvers": ["aaron", "model-risk", "[~x]"]}}},
            {"requested_by": "rita"},
            "only aaron, model-risk or [~x], but not the requester (rita): another person has to decide.",
        ),
    ],
)
def test_a_ticket_says_who_may_decide(
    gate: Gate,
    settings_more: dict[str, Any],
    content_more: dict[str, Any],
    expected: str,
    make_settings: MakeSettings,
) -> None:
    said = section(markup_of(gate, make_settings(**settings_more), **content_more), "What your decision does")
    assert f"\nWho may decide: {expected}" in said


def test_the_privacy_ticket_has_the_four_points_of_the_regulation_with_facts_and_gaps(settings: JiraSettings) -> None:
    markup = markup_of(
        Gate.PIA,
        settings,
        description="Scores loans.",
        processing=[Fact(name="Use case", value=""), Fact(name="Methodology", value="Classification")],
        risks=[Fact(name="Risk tier", value="Tier 2")],
        data_assets=["BASELINE_DATA: baseline.csv, 61,234 bytes"],
    )
    points = re.split(r"^h[23]\. ", markup, flags=re.MULTILINE)[2:6]

    # Regulation (EU) 2016/679, Article 35(7)(a) to (d).
    assert [point.split("\n")[0] for point in points] == [
        "(a) Systematic description of the envisaged processing operations and the purposes of the processing",
        "(b) Assessment of the necessity and proportionality of the processing operations in relation to the purposes",
        "(c) Assessment of the risks to the rights and freedoms of data subjects",
        "(d) Measures envisaged to address the risks",
    ]
    assert all("*To be completed:*" in point for point in points)
    described = shown(points[0])
    assert "Purpose, as registered: Scores loans." in described
    assert "Use case: not provided\nMethodology: Classification" in described
    assert "BASELINE_DATA: baseline.csv, 61,234 bytes" in described
    assert "Risk tier: Tier 2" in shown(points[2])


def test_what_nobody_provided_is_a_visible_gap(settings: JiraSettings) -> None:
    said = shown(markup_of(Gate.PIA, settings, description=" \n", data_assets=[], facts=[Fact(name="Use", value="")]))
    assert "To be completed: the purpose; ModelOp Center has no description." in said
    assert "To be completed: the data; no data assets are registered with the model." in said
    assert "Use | not provided" in said


def test_missing_prerequisites_stand_out_and_what_they_mean_is_said(settings: JiraSettings) -> None:
    lines = [
        PrerequisiteLine(name="Baseline", found=True, detail="baseline.csv"),
        PrerequisiteLine(name="Comparator", found=False, detail="add it"),
    ]
    markup = markup_of(Gate.PIA, settings, prerequisites=lines)
    said = section(markup, "Prerequisites")
    assert "Baseline | found\nbaseline.csv\nComparator | missing\nadd it" in said
    assert "*missing*" in markup
    assert "does not prevent this decision" in said
    assert "does not prevent" not in markup_of(Gate.PIA, settings, prerequisites=lines[:1])


def test_the_test_failure_ticket_starts_with_the_error_and_its_attempt(settings: JiraSettings) -> None:
    said = shown(
        markup_of(
            Gate.TEST_FAILURE,
            settings,
            error="Traceback\n  at line 3\nValueError: no label column",
            decided_on=[Fact(name="Job", value="job-2", url="http://modelop.example/#/jobs/job-2")],
            changes=["The job failed with the same error again."],
            earlier_attempts=[AttemptLine(attempt=1, job_id="job-1", error="Traceback\n  at line 3")],
        )
    ).split("\n")
    assert said[0].startswith("The Standard Risk Tests of plain failed (attempt 2 of 5).")
    assert said[1:6] == [
        "What the test job said",
        "In its last line: ValueError: no label column",
        "Traceback",
        "at line 3",
        "ValueError: no label column",
    ]
    assert said[6:11] == [
        "Job: job-2",
        "What changed since the last attempt",
        "The job failed with the same error again.",
        "Earlier attempts",
        "Attempt 1, job job-1: Traceback at line 3",
    ]


def test_a_job_without_a_word_is_no_empty_block(settings: JiraSettings) -> None:
    assert "The job gave no reason." in markup_of(Gate.TEST_FAILURE, settings, error=" \x1b[0m\n")
    assert "{noformat}" not in markup_of(Gate.TEST_FAILURE, settings, error="")


@pytest.mark.parametrize(
    ("attempt", "said", "used_up"),
    [(4, "(attempt 4 of 5)", False), (5, "(attempt 5 of 5)", True), (6, "(attempt 6)", True)],
)
def test_the_last_attempt_that_was_planned_is_announced(
    attempt: int, said: str, used_up: bool, settings: JiraSettings
) -> None:
    markup = markup_of(Gate.TEST_FAILURE, settings, attempt=attempt)
    assert said in markup
    assert ("All attempts that were planned are used up" in markup) == used_up


def test_the_review_ticket_starts_with_the_decision_summary(settings: JiraSettings) -> None:
    findings = [
        Finding(
            word="FAIL",
            test="Smallest disparity",
            subject="age_group <=25",
            reason="0.77 against a limit of at least 0.8",
            consequence="Unequal treatment must be ruled out.",
        ),
        Finding(word="NOT EVALUATED", test="Rule 7", reason="the expression is not understood"),
    ]
    markup = markup_of(
        Gate.RESULTS,
        settings,
        summary="Needs attention: 1 test failed",
        verdicts={"PASS": 9, "FAIL": 1, "NOT EVALUATED": 4},
        notices=["The decision table limits.dmn could not be used."],
        findings=findings,
        more_findings=3,
    )
    said = shown(markup).split("\n")
    assert said[0] == "Needs attention: 1 test failed"
    assert "9 PASS, 1 FAIL, 4 NOT EVALUATED" in said[1]
    assert said[2:12] == [
        "The decision table limits.dmn could not be used.",
        "Finding | Why, and what it means",
        "FAIL",
        "Smallest disparity",
        "age_group <=25 | 0.77 against a limit of at least 0.8",
        "Unequal treatment must be ruled out.",
        "NOT EVALUATED",
        "Rule 7 | the expression is not understood",
        "And 3 more in the document.",
        "What is asked",
    ]
    assert markup.index("What is asked") < markup.index("What your decision does") < markup.index("Key facts")


def test_findings_that_have_no_room_are_counted(settings: JiraSettings) -> None:
    long = [Finding(word="FAIL", test=f"Test {n}", reason="x" * 300, consequence="y" * 300) for n in range(40)]
    markup = markup_of(Gate.RESULTS, settings, findings=long, more_findings=2)
    listed = markup.count("|*FAIL*")
    assert 10 <= listed <= texts.MAX_FINDINGS
    assert f"And {42 - listed} more in the document." in markup


def test_without_findings_there_is_no_table_of_them(settings: JiraSettings) -> None:
    markup = markup_of(Gate.RESULTS, settings, summary="No findings: every applicable test passed", findings=[])
    assert shown(markup).startswith("No findings: every applicable test passed\n")
    assert "||Finding||" not in markup and "more in the document" not in markup


def test_the_production_ticket_names_what_goes_into_production_and_who_decided_before(settings: JiraSettings) -> None:
    markup = markup_of(
        Gate.PRODUCTION,
        settings,
        decided_on=[Fact(name="Snapshot", value="Credit_v2", url="http://modelop.example/#/s")],
    )
    assert section(markup, "What goes into production") == "Snapshot | Credit_v2"
    assert "[Credit_v2|http://modelop.example/#/s]" in markup
    assert section(markup, "Decisions so far") == (
        "PIA Approval Request: Done by plain, 1 March 2026, 10:00 UTC (GOV-1)\n“plain”"
    )
    assert markup.index("Decisions so far") < markup.index("What your decision does")


@pytest.mark.parametrize("gate", Gate)
def test_the_run_is_linked_where_there_is_a_page_for_it(gate: Gate, settings: JiraSettings) -> None:
    assert f"||This run|[open in Temporal|{RUN_URL}]|" in markup_of(gate, settings)
    assert "Temporal" not in markup_of(gate, settings, run_url="")


def test_a_comment_that_closes_a_ticket_says_why_and_that_nothing_is_left_to_do() -> None:
    assert shown(texts.closing("aborted: {panel}model withdrawn")) == (
        "Aborted: {panel}model withdrawn\n"
        "The process closes this ticket: nothing is left to decide here, and moving it has no effect."
    )


@pytest.mark.parametrize(
    ("back_to", "by_us", "expected"),
    [
        ("To Do", True, "The process moves the ticket back to To Do"),
        ("[~x]", False, "The process does not move the ticket back to [~x]: please reopen it yourself"),
        ("", False, ""),
    ],
)
def test_a_refusal_says_why_and_how_the_ticket_can_be_decided_anew(back_to: str, by_us: bool, expected: str) -> None:
    said = shown(texts.refusal("who asked cannot approve.", back_to=back_to, by_us=by_us))
    assert said.startswith("This decision does not count: who asked cannot approve.")
    assert expected in said and ("decided anew" in said) == bool(back_to)


def test_a_duplicate_points_to_the_ticket_that_is_waited_on() -> None:
    comment = texts.duplicate("GOV-1", "http://jira.example/browse/GOV-1")
    assert "[GOV-1|http://jira.example/browse/GOV-1]" in comment and "please decide there" in comment


def test_personal_data_that_a_job_quotes_stay_out_of_the_ticket(settings: JiraSettings) -> None:
    quoted = "Traceback\nValueError: could not convert 'jane@bank.example' in row 7"
    markup = markup_of(
        Gate.TEST_FAILURE,
        settings,
        error=quoted,
        earlier_attempts=[AttemptLine(attempt=1, job_id="job-1", error="no number: +49 170 1234567")],
    )
    assert "bank.example" not in markup and "1234567" not in markup
    assert "could not convert '[e-mail address]' in row 7\n{noformat}" in markup
    review = markup_of(Gate.RESULTS, settings, summary="s", notices=["The table of max@bank.example cannot be used."])
    assert "bank.example" not in review and "e-mail address" in review


def test_hundreds_of_approvers_leave_room_for_the_ticket(make_settings: MakeSettings) -> None:
    approvers = [f"{'x' * 300}-{place}" for place in range(500)]
    settings = make_settings(gates={"pia": {"approvers": approvers}})
    markup = markup_of(Gate.PIA, settings)
    assert wiki.size(markup) <= texts.MAX_DESCRIPTION
    assert "or one of 480 more" in markup
