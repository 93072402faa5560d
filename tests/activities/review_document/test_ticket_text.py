"""The comment that announces a review document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.review_document.limits.verdict_types import Verdict, Word
from activities.review_document.ticket_text import document_comment
from activities.review_document.types import ReviewDocument
from sandbox.jira.wiki import render_wiki


def document(**more: Any) -> ReviewDocument:
    known = {
        "filename": "Model-Review-German_Credit-1a2b3c4d.docx",
        "sha256": "1a" * 32,
        "content_sha256": "9f" * 32,
        "size": 1,
        "attachment_id": "1",
        "attached_at": datetime(2026, 3, 5, tzinfo=UTC),
        "verdicts": {"PASS": 6, "FAIL": 1},
    }
    return ReviewDocument.model_validate({**known, **more})


def verdict(test: str, subject: str = "", reason: str = "0.3 against 0.2") -> Verdict:
    return Verdict(
        threshold_id="t",
        category="c",
        family="Data drift",
        test=test,
        feature_or_group=subject,
        word=Word.FAIL,
        reason=reason,
        consequence="c",
    )


def test_it_names_the_file_the_counts_the_findings_and_both_hashes() -> None:
    html = str(render_wiki(document_comment(document(), "Needs attention: 1 test failed", [verdict("CSI", "age")])))
    assert "The review document is attached: Model-Review-German_Credit-1a2b3c4d.docx. Please read it" in html
    assert "<p>Needs attention: 1 test failed (6 PASS, 1 FAIL).</p>" in html
    assert "<ul><li><strong>FAIL</strong> CSI, age: 0.3 against 0.2</li></ul>" in html
    assert f"<code>{'1a' * 32}</code>" in html and f"<code>{'9f' * 32}</code>" in html
    assert "template" not in html


def test_it_says_how_many_findings_it_leaves_out() -> None:
    comment = document_comment(document(), "Needs attention", [verdict(f"Test {n}") for n in range(13)])
    assert comment.count("*FAIL*") == 10
    assert "\n* 3 more in the document\n" in comment


def test_a_document_without_verdicts_has_no_empty_lists() -> None:
    comment = document_comment(document(verdicts={}), "No test gave a verdict", [])
    assert "No test gave a verdict.\n" in comment
    assert "* " not in comment and "\n\n\n" not in comment


def test_what_is_wrong_with_the_document_stands_on_the_ticket() -> None:
    comment = document_comment(
        document(notices=["The template x.docx could not be used."], unresolved=["auc.[x]", "{code}"]), "Passed", []
    )
    html = str(render_wiki(comment))
    assert "<li>The template x.docx could not be used.</li>" in html
    assert "The template asks for what the results do not hold:<" in html
    assert "<li>auc.[x]</li><li>{code}</li>" in html


def test_foreign_text_stays_text() -> None:
    hostile = "{code}*x* [a|http://e] | h1. y"
    comment = document_comment(document(), hostile, [verdict(hostile, hostile, hostile)])
    html = str(render_wiki(comment))
    assert (html.count("<strong>"), html.count("<pre>"), html.count("<h1>")) == (1, 0, 0)
