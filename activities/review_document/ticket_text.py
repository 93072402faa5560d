"""What the review ticket says about its document, in Jira's wiki markup: enough to decide where to look on a phone."""

from __future__ import annotations

from collections.abc import Sequence

from activities.jira import wiki
from activities.review_document.types import ReviewDocument
from activities.review_document.verdicts import Verdict

MAX_FINDINGS = 20


def document_comment(document: ReviewDocument, overall: str, findings: Sequence[Verdict]) -> str:
    """The comment that announces the document: its name and hashes, the counts, and every FAIL and ERROR in short.

    Args:
        document: the attached file.
        overall: the result of all tests in one phrase.
        findings: the verdicts that need attention; at most 20 are listed.
    """
    counts = ", ".join(f"{count} {word}" for word, count in document.verdicts.items())
    lines = [
        f"h3. {wiki.text(overall)}",
        f"Attached: *{wiki.text(document.filename)}*. Please read it before you decide.",
        f"Verdicts: {wiki.text(counts)}",
    ]
    if findings:
        lines += [
            "",
            *wiki.table(["Verdict", "Test", "Value", "Limit", "What it means"], map(_row, findings[:MAX_FINDINGS])),
        ]
    if len(findings) > MAX_FINDINGS:
        lines.append(f"{len(findings) - MAX_FINDINGS} more are in the document.")
    lines += [
        "",
        f"SHA-256 of the file: {{{{{document.sha256}}}}}",
        f"SHA-256 of its content: {{{{{document.content_sha256}}}}}",
    ]
    return "\n".join(lines)


def _row(verdict: Verdict) -> list[str]:
    about = f", {verdict.feature_or_group}" if verdict.feature_or_group else ""
    return [
        f"*{verdict.word}*",
        wiki.text(f"{verdict.family}: {verdict.test}{about}"),
        wiki.text(verdict.value_text),
        wiki.text(verdict.limit),
        wiki.text(verdict.consequence),
    ]
