"""What the review ticket says about its document, in Jira's wiki markup: enough to know where to look."""

from __future__ import annotations

from collections.abc import Sequence

from activities.jira import wiki
from activities.review_document.limits.verdict_types import Verdict
from activities.review_document.masking import masked
from activities.review_document.types import ReviewDocument

MAX_FINDINGS = 10
MAX_LISTED = 10


def document_comment(document: ReviewDocument, overall: str, findings: Sequence[Verdict]) -> str:
    """The comment that announces the document: what it says in short, what is wrong with it, and its hashes.

    Args:
        document: the attached file.
        overall: the result of all tests in one phrase.
        findings: the verdicts that need attention; at most 10 are listed.
    """
    counts = ", ".join(f"{count} {word}" for word, count in document.verdicts.items())
    parts = [
        f"The review document is attached: {wiki.text(document.filename)}. Please read it before you decide.",
        f"{wiki.text(overall)} ({wiki.text(counts)})." if counts else f"{wiki.text(overall)}.",
        _listed([_finding(finding) for finding in findings], MAX_FINDINGS),
        _listed([wiki.text(masked(notice, wiki.MAX_INLINE)) for notice in document.notices], MAX_LISTED),
        _without_value(document.unresolved),
        f"SHA-256 of the file: {{{{{document.sha256}}}}}\nSHA-256 of its content: {{{{{document.content_sha256}}}}}",
    ]
    return "\n\n".join(part for part in parts if part)


def _finding(verdict: Verdict) -> str:
    about = f", {verdict.feature_or_group}" if verdict.feature_or_group else ""
    return f"{wiki.strong(verdict.word)} {wiki.text(f'{verdict.test}{about}: {verdict.reason}')}"


def _without_value(places: Sequence[str]) -> str:
    if not places:
        return ""
    named = [wiki.text(place, 100) for place in places]
    return f"The template asks for what the results do not hold:\n{_listed(named, MAX_LISTED)}"


def _listed(lines: Sequence[str], most: int) -> str:
    more = [f"{len(lines) - most} more in the document"] if len(lines) > most else []
    return "\n".join(f"* {line}" for line in [*lines[:most], *more])
