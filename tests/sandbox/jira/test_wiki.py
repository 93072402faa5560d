"""Wiki markup becomes harmless HTML."""

from __future__ import annotations

import time

import pytest

from sandbox.jira.wiki import render_wiki


def _link(url: str, text: str) -> str:
    return f'<a href="{url}" rel="noopener noreferrer" target="_blank">{text}</a>'


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("h2. Title", "<h2>Title</h2>"),
        ("a *bold* and _italic_ word", "<p>a <strong>bold</strong> and <em>italic</em> word</p>"),
        ("2*3*4 and snake_case_name", "<p>2*3*4 and snake_case_name</p>"),
        ("{{code *x*}}", "<p><code>code *x*</code></p>"),
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        ("* a\n** b\n* c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("# a\n#* b\n# c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        (
            "||A||B||\n|1|2|",
            '<table><tr><th scope="col">A</th><th scope="col">B</th></tr><tr><td>1</td><td>2</td></tr></table>',
        ),
        ("||A|1|", '<table><tr><th scope="row">A</th><td>1</td></tr></table>'),
        ("|a||", "<table><tr><td>a</td></tr></table>"),
        ("|[x|http://h/]|2|", f"<table><tr><td>{_link('http://h/', 'x')}</td><td>2</td></tr></table>"),
        ("see [the run|http://h/a?b=1&c=2]", f"<p>see {_link('http://h/a?b=1&amp;c=2', 'the run')}</p>"),
        ("[http://h/]", f"<p>{_link('http://h/', 'http://h/')}</p>"),
        ("at https://h/x.", f"<p>at {_link('https://h/x', 'https://h/x')}.</p>"),
        ("{noformat}\n*as is* <b>\n{noformat}", "<pre>*as is* &lt;b&gt;</pre>"),
        ("{code:python}\nx = 1\n{code}", "<pre>x = 1</pre>"),
        ("{quote}said{quote}", "<blockquote><p>said</p></blockquote>"),
        ("{color:red}hot{color}", '<p><span style="color:red">hot</span></p>'),
        ("above\n----\nbelow", "<p>above</p><hr><p>below</p>"),
        (r"\*not bold\*", "<p>*not bold*</p>"),
        (r"\[x\|http://h\] \{\{y\}\}", f"<p>[x|{_link('http://h', 'http://h')}] {{{{y}}}}</p>"),
        (r"*a \* b* {{c\_d&#92;}}", "<p><strong>a * b</strong> <code>c_d\\</code></p>"),
        (r"one\\two", "<p>one<br>two</p>"),
        ("h1&#46; no heading", "<p>h1. no heading</p>"),
        (
            r"|a \| b|[c \] d|http://h/]|",
            f"<table><tr><td>a | b</td><td>{_link('http://h/', 'c ] d')}</td></tr></table>",
        ),
        ("{noformat} never closed", "<p>{noformat} never closed</p>"),
        ("", ""),
    ],
)
def test_markup_is_rendered(markup: str, html: str) -> None:
    assert render_wiki(markup) == html


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[click|javascript:alert(1)]", "<p>[click|javascript:alert(1)]</p>"),
        (
            '[x|http://h/"onmouseover="alert(1)]',
            f"<p>{_link('http://h/&quot;onmouseover=&quot;alert(1)', 'x')}</p>",
        ),
        ("{color:red;background:url(//h)}x{color}", "<p>x</p>"),
        ("[<b>|http://h/]", f"<p>{_link('http://h/', '&lt;b&gt;')}</p>"),
    ],
)
def test_nothing_of_the_text_becomes_html(markup: str, html: str) -> None:
    assert render_wiki(markup) == html


@pytest.mark.parametrize(
    "pattern", ["*a ", "_a ", "{{", "[a|", "{color:red}", "{quote}", "|", "|a[", "\\", "* ", "http://"]
)
def test_unclosed_markup_costs_no_more_than_its_length(pattern: str) -> None:
    started = time.process_time()
    assert render_wiki(pattern * (32_000 // len(pattern)))
    assert time.process_time() - started < 1.0
