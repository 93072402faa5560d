from __future__ import annotations

import re
from typing import Any

import pytest

from activities.jira import texts, wiki
from activities.jira.settings import JiraSettings
from activities.jira.types import DecisionLine, Fact, Gate, PrerequisiteLine, TicketContent
from tests.activities.jira.conftest import MakeSettings

HOSTILE = (
    "{noformat}{code}h1. Approved{color:red}*bold* _it_ -del- +ins+ ^up^ ~down~ ??cite?? [Done|http://evil.example] "
    "[~admin] !http://evil.example/x.png! |cell||head| {{mono}} (/) (x) \\\\ \\ ---- {quote}"
)


@pytest.fixture
def make_settings() -> MakeSettings:
    """Settings without a Jira behind them."""

    def make(**changes: Any) -> JiraSettings:
        plain = {"url": "http://jira.example", "bearer_token": "t", "project": "GOV"}
        return JiraSettings.model_validate({**plain, **changes})

    return make


def content(text: str = "plain", **more: Any) -> TicketContent:
    """Everything a ticket may hold, with one text wherever outsiders have a say."""
    known: dict[str, Any] = {
        "model_name": text,
        "model_id": "6e5a1f0c",
        "facts": [Fact(name=text, value=text, url="http://modelop.example/#/x"), Fact(name="Version", value=text)],
        "description": f"{text}\n{text}",
        "data_assets": [text],
        "prerequisites": [
            PrerequisiteLine(name=text, found=True, detail=text),
            PrerequisiteLine(name="Endpoint", found=False),
        ],
        "decisions": [
            DecisionLine(
                gate="PiaApproval",
                ticket="GOV-1",
                url="http://jira.example/browse/GOV-1",
                verdict="DONE",
                decided_by=text,
                decided_at="2026-03-01T10:00:00+00:00",
            )
        ],
        "error": text,
        "attempt": 2,
    }
    return TicketContent.model_validate({**known, **more})


def skeleton(markup: str) -> list[str]:
    """The structure that Jira's renderer would see: what is left when escaped characters and plain text are gone."""
    outside = re.sub(r"\{noformat\}\n.*?\n\{noformat\}", "NOFORMAT", markup, flags=re.DOTALL)
    unescaped = re.sub(r"\\[-#*_+?^~|%{}\[\]()!@]", "", outside)
    tokens = r"^h[1-6]\.|^bq\.|^[*#]+ |NOFORMAT|\{[^}]*\}|\[[^\]|]*\||\|\|?|!\S|\?\?|\\\\|\((?:/|x)\)|----"
    return [re.sub(r"^\[.*\|$", "[link|", token) for token in re.findall(tokens, unescaped, flags=re.MULTILINE)]


@pytest.mark.parametrize("gate", Gate)
def test_text_from_elsewhere_does_not_change_the_structure_of_a_ticket(gate: Gate, settings: JiraSettings) -> None:
    harmless = texts.description(gate, content(), settings, run_url="http://temporal.example/x")
    hostile = texts.description(gate, content(HOSTILE), settings, run_url="http://temporal.example/x")

    assert skeleton(hostile) == skeleton(harmless)
    assert len(skeleton(harmless)) > 10


def test_an_error_text_cannot_leave_its_block(settings: JiraSettings) -> None:
    error = "ValueError\n{noformat}\nh1. Approved\n{NoFormat:nopanel=true}*x*"
    markup = texts.description(Gate.TEST_FAILURE, content(error=error), settings, run_url="")

    assert markup.lower().count("{noformat") == 2
    assert "h1. Approved\n{ NoFormat" in markup.split("{noformat}")[1]


@pytest.mark.parametrize(
    ("plain", "markup"),
    [
        ("German Credit", "German Credit"),
        ("credit_score 2026-01-31 a - b 3*4", "credit_score 2026-01-31 a - b 3*4"),
        ("Really? Yes! (v2) 50% <0.8>", "Really? Yes! (v2) 50% <0.8>"),
        ("*bold* _it_", r"\*bold\* \_it\_"),
        ("{code}", r"\{code\}"),
        ("[a|b]", r"\[a\|b\]"),
        ("!x.png!", r"\!x.png!"),
        ("??cite??", r"\??cite\??"),
        ("ok (/) (x)", r"ok \(/) \(x)"),
        (r"C:\temp \\ x", "C:&#92;temp &#92;&#92; x"),
        ("&#92; &amp; AT&T; R&D", "&#38;#92; &#38;amp; AT&#38;T; R&D"),
        ("h1. Big", "h1&#46; Big"),
        ("bq. Quoted", "bq&#46; Quoted"),
        ("# one", r"\# one"),
        ("* one", r"\* one"),
        ("- one", r"\- one"),
        ("----", r"\-\-\-\-"),
        ("a\r\nb\tc\x00d\u202ee\ud800", "a b cde"),
        ("Überprüfung 模型 🏦", "Überprüfung 模型 🏦"),
    ],
)
def test_one_line_of_text_means_only_itself(plain: str, markup: str) -> None:
    assert wiki.text(plain) == markup


def test_lines_of_a_description_stay_lines() -> None:
    assert wiki.paragraphs("First.\n\n* not a list\nh2. not a heading", 1000) == (
        "First.\n\n\\* not a list\nh2&#46; not a heading"
    )


@pytest.mark.parametrize(
    ("url", "markup"),
    [
        ("https://m.example/#/models/1?a=b&c=d", "[name|https://m.example/#/models/1?a=b&c=d]"),
        ("https://m.example/x|y]z{a} b", "[name|https://m.example/x%7Cy%5Dz%7Ba%7D%20b]"),
        ("javascript:alert(1)", "name"),
        ("file:///etc/passwd", "name"),
        ("", "name"),
    ],
)
def test_only_addresses_of_the_web_become_links(url: str, markup: str) -> None:
    assert wiki.link("name", url) == markup


@pytest.mark.parametrize("gate", Gate)
def test_the_longest_content_still_ends_with_what_the_decision_does(gate: Gate, settings: JiraSettings) -> None:
    line = "{\\" * 2000
    long = content(
        line,
        facts=[Fact(name=line, value=line)] * 60,
        description="\n".join([line] * 50),
        data_assets=[line] * 60,
        prerequisites=[PrerequisiteLine(name=line, found=False, detail=line)] * 60,
        decisions=content(line).decisions * 60,
    )
    markup = texts.description(gate, long, settings, run_url="http://temporal.example/x")

    assert len(markup) <= texts.MAX_DESCRIPTION
    assert "h2. What your decision does" in markup
    assert "_Shortened" in markup


@pytest.mark.parametrize("gate", Gate)
def test_every_ticket_says_what_each_status_does_in_the_sites_own_words(
    gate: Gate, make_settings: MakeSettings
) -> None:
    settings = make_settings(done_statuses=["Approved", "Signed_off"], rejected_statuses=["No *go*"])
    last = texts.description(gate, content(), settings, run_url="").split("h2. ")[-1]

    assert last.startswith("What your decision does\n* *Approved* or *Signed_off* → ")
    assert "\n* *No \\*go\\** → the implementation ends" in last


def test_the_privacy_ticket_has_the_four_points_of_the_regulation_with_facts_and_gaps(settings: JiraSettings) -> None:
    markup = texts.description(Gate.PIA, content(description="Scores loans."), settings, run_url="")
    points = re.split(r"^h[23]\. ", markup, flags=re.MULTILINE)[3:7]

    assert [point.split("\n")[0] for point in points] == [
        "a) Systematic description of the processing and its purposes",
        "b) Necessity and proportionality of the processing in relation to its purposes",
        "c) Risks to the rights and freedoms of the data subjects",
        "d) Measures envisaged to address the risks",
    ]
    assert all("*To be completed:*" in point for point in points)
    assert "Scores loans." in points[0]


def test_missing_prerequisites_stand_out(settings: JiraSettings) -> None:
    markup = texts.description(Gate.PIA, content(), settings, run_url="")
    assert "|plain|found|plain|\n|Endpoint|*missing*| |" in markup


def test_the_test_failure_ticket_shows_the_attempt_and_the_error(settings: JiraSettings) -> None:
    markup = texts.description(Gate.TEST_FAILURE, content(error="No label column\n  at line 3"), settings, run_url="")
    assert "(attempt 2)" in markup
    assert "{noformat}\nNo label column\n  at line 3\n{noformat}" in markup


def test_the_production_ticket_lists_the_decisions_so_far(settings: JiraSettings) -> None:
    markup = texts.description(Gate.PRODUCTION, content(), settings, run_url="")
    assert (
        "|PIA Approval Request|[GOV-1|http://jira.example/browse/GOV-1]|Done|plain|2026-03-01T10:00:00+00:00|" in markup
    )


def test_the_run_is_linked_where_there_is_a_page_for_it(settings: JiraSettings) -> None:
    url = "http://temporal.example/namespaces/default/workflows/w/r"
    assert f"|{url}]" in texts.description(Gate.PIA, content(), settings, run_url=url)
    assert "Temporal" not in texts.description(Gate.PIA, content(), settings, run_url="")
