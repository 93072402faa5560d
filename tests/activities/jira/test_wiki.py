"""Text from elsewhere stays text, whatever it holds."""

from __future__ import annotations

import random
import time
from html import unescape

import pytest

from activities.jira import wiki
from sandbox.jira.wiki import render_wiki

HOSTILE_PIECES = [
    *("{noformat}", "{code}", "{color:red}", "{panel}", "{quote}", "{{", "}}", "{toc}", "[", "]", "|", "||", "\\"),
    *("*", "_", "-", "+", "^", "~", "??", "!", "(", ")", "(y)", "(/)", "(*r)", ":)", ":D", ";)", "h1. ", "bq. ", "# "),
    *("* ", "- ", "----", "&#8238;", "&amp;", "[~admin]", "[^a.txt]", "!x.png!", "[x|javascript:y]", "\\\\", "<b>"),
    *("a", "b c", " ", "é", "🏦", "@x", "1", ".", ",", "%", "$", "\t", "'", '"'),
]


@pytest.mark.parametrize(
    ("plain", "markup"),
    [
        ("German Credit", "German Credit"),
        ("credit_score 2026-01-31 a - b 3*4", "credit_score 2026-01-31 a - b 3*4"),
        ("Really? Yes! (v2) 50% <0.8> R&D", "Really? Yes! (v2) 50% <0.8> R&D"),
        ("*bold* _it_", r"\*bold\* \_it\_"),
        ("{code}", r"\{code\}"),
        ("[~admin] [1]", r"\[\~admin\] \[1\]"),
        ("??cite??", r"\??cite\??"),
        ("ok (/) (x) :) :-(", r"ok \(/) \(x) :\) :\-\("),
        ("# one", r"\# one"),
        ("* one", r"\* one"),
        ("-", r"\-"),
        ("----", r"\-\-\-\-"),
        ("a\r\nb\tc\x00d\u202ee\ud800\u200bf\ufeff", "a b cdef"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("Überprüfung 模型 🏦", "Überprüfung 模型 🏦"),
    ],
)
def test_one_line_of_text_means_only_itself(plain: str, markup: str) -> None:
    assert wiki.text(plain) == markup


@pytest.mark.parametrize(
    ("plain", "markup"),
    [
        ("a|b", "a│b"),
        (r"C:\temp \\ x", "C:∖temp ∖∖ x"),
        ("[0, 0.8)", "⁅0, 0.8)"),
        ("!x.png! Yes!", "ǃx.png! Yesǃ"),
        ("h1. Big", "h1․ Big"),
        ("bq. Quoted", "bq․ Quoted"),
        ("&#8238;x &lt;", "& #8238;x & lt;"),
        ("a:D", "a∶D"),
    ],
)
def test_what_the_two_editions_escape_differently_becomes_a_lookalike(plain: str, markup: str) -> None:
    assert wiki.text(plain) == markup


@pytest.mark.parametrize("seed", range(20))
def test_no_mixture_of_markup_leaves_its_cell_or_becomes_markup(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        hostile = "".join(dice.choices(HOSTILE_PIECES, k=8))
        cell = wiki.text(hostile)
        table = "\n".join(wiki.table(("A", "B"), [(cell, wiki.link(hostile, "http://m.example/1")), (cell, "end")]))
        rendered = str(render_wiki(f"{table}\n\n* {cell}\n\nAfter."))

        tags = ["table", "tr", "td", "ul", "li", "p", "a"]
        assert [rendered.count(f"<{tag}>") + rendered.count(f"<{tag} ") for tag in tags] == [1, 3, 4, 1, 1, 1, 1]
        assert not any(f"<{tag}" in rendered for tag in ("strong", "em", "h1", "code", "pre", "span", "br", "hr"))
        assert unescape(rendered).count("After.") == 1


def test_bold_is_only_what_needs_no_escape() -> None:
    assert wiki.strong("German Credit (v2) 3") == "*German Credit (v2) 3*"
    # On Cloud these would be read as markup a second time.
    assert wiki.strong("{panel}x") == r"\{panel\}x"
    assert wiki.strong("a*b* c") == r"a*b\* c"
    assert wiki.strong("") == ""


def test_lines_of_a_description_stay_lines() -> None:
    assert wiki.paragraphs("First.\n\n\n\n* not a list\nh2. not a heading", 1000) == (
        "First.\n\n\\* not a list\nh2․ not a heading"
    )


@pytest.mark.parametrize("value", ["{" * 5000, "🏦" * 5000, "{🏦" * 5000, "x" * 5000, "{\n" * 5000])
def test_paragraphs_never_take_more_room_than_they_are_given(value: str) -> None:
    markup = wiki.paragraphs(value, 1000)
    assert 400 <= wiki.size(markup) <= 1000
    assert markup.endswith("…")


def test_an_emoji_counts_twice_and_is_never_cut_in_half() -> None:
    assert wiki.size("a🏦") == 3
    assert wiki.shortened("🏦🏦🏦", 6) == "🏦🏦🏦"
    assert wiki.shortened("🏦🏦🏦", 5) == "🏦🏦…"
    assert wiki.shortened("🏦🏦🏦", 4) == "🏦…"


def test_preformatted_text_cannot_close_its_block() -> None:
    markup = wiki.preformatted("ValueError\n{noformat}\nh1. Approved\n{NoFormat:nopanel=true}*x*", 1000)
    assert markup.lower().count("{noformat") == 2
    assert "h1. Approved\n{ NoFormat" in markup


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


def test_brackets_in_the_name_of_a_link_become_round() -> None:
    assert wiki.link("a [v2] b", "http://m.example") == "[a (v2) b|http://m.example]"


@pytest.mark.parametrize("value", ["\x1b[" * 5_000_000, "{" * 10_000_000, "\u202e" * 10_000_000, "\n" * 10_000_000])
def test_many_megabytes_are_cut_before_they_cost_anything(value: str) -> None:
    started = time.process_time()
    for markup in (wiki.text(value), wiki.paragraphs(value, 3000), wiki.preformatted(value, 3000)):
        assert "…" in markup and wiki.size(markup) <= 3000 + len("{noformat}") * 3
    assert time.process_time() - started < 1.0
