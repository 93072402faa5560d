"""How previews and verifications look on a terminal. Colours repeat what words say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from activities.review_document.formatting import printable
from console.document_verification import Likeness, ReviewRecord, Verification
from workflows.contract import Verdict as Decided

if TYPE_CHECKING:
    # Judging loads numerical packages, and no other command should wait for that.
    from activities.review_document.limits.verdict_types import Verdict
    from console.document_preview import Preview, Source

APPROVED_STYLE = "bold green"
REFUSED_STYLE = "bold red"
WORD_STYLES = {
    "PASS": "green",
    "FAIL": "bold red",
    "ERROR": "bold magenta",
    "NOT EVALUATED": "bold yellow",
    "NOT APPLICABLE": "dim",
    "INFORMATION": "cyan",
}
MAX_TEXT = 300
MAX_UNRESOLVED = 50
MAX_ROWS = 200


def preview_view(preview: Preview, written_to: str) -> Group:
    """Verdicts, what needs attention, the limits and template used, and tokens that resolve to nothing."""
    parts: list[Text | Table] = [_verdict_table(preview.verdicts), Text(), _counts(preview), Text()]
    if preview.findings:
        parts += [_findings_table(preview.findings), Text()]
    sources = [("Limits", _source(preview.limits))]
    sources.append(("Template", _source(preview.template) if preview.template else "none: the standard document"))
    sources += [("Notice", notice) for notice in preview.notices]
    if preview.template:
        sources.append(("Unresolved", _unresolved(preview.unresolved)))
    sources += [
        ("Written to", f"{written_to} ({preview.size:,} bytes)"),
        ("SHA-256", preview.sha256),
        ("Content", preview.content_sha256),
    ]
    return Group(*parts, _facts(sources))


def _verdict_table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Test", overflow="fold")
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Limit")
    for verdict in verdicts[:MAX_ROWS]:
        table.add_row(_word(verdict), Text(_subject(verdict)), Text(verdict.value_text), Text(verdict.limit))
    _say_left_out(table, len(verdicts))
    return table


def _findings_table(findings: Sequence[Verdict]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for verdict in findings[:MAX_ROWS]:
        meaning = " ".join(filter(None, [verdict.consequence, f"({verdict.reason})"]))
        table.add_row(_word(verdict), Text.assemble((_subject(verdict), "bold"), "\n", _cut(meaning)))
    _say_left_out(table, len(findings))
    return table


def _say_left_out(table: Table, rows: int) -> None:
    if rows > MAX_ROWS:
        table.add_row("", Text(f"… and {rows - MAX_ROWS:,} more; all are in the document and in --json", style="dim"))


def _counts(preview: Preview) -> Text:
    counts = [Text(f"{count} {word}", style=WORD_STYLES.get(word, "")) for word, count in preview.counts.items()]
    return Text.assemble((f"{preview.overall}.", "bold"), "\n", Text(", ").join(counts))


def _word(verdict: Verdict) -> Text:
    return Text(verdict.word.value, style=WORD_STYLES.get(verdict.word.value, ""))


def _subject(verdict: Verdict) -> str:
    subject = f"{verdict.family}: {verdict.test}"
    return _cut(f"{subject}, {verdict.feature_or_group}" if verdict.feature_or_group else subject)


def _source(source: Source) -> str:
    return f"{source.title}, {source.origin}" + (f"; SHA-256 {source.sha256}" if source.sha256 else "")


def _unresolved(tokens: list[str]) -> str:
    if not tokens:
        return "no token"
    more = f"\n… and {len(tokens) - MAX_UNRESOLVED:,} more" if len(tokens) > MAX_UNRESOLVED else ""
    return "\n".join(_cut(token) for token in tokens[:MAX_UNRESOLVED]) + more


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def verification_view(checked: Verification) -> Group:
    """The answer in one sentence, both pairs of hashes, and who decided."""
    record = checked.record
    document = record.document
    hashes = Table.grid(padding=(0, 2, 0, 0))
    hashes.add_column(no_wrap=True)
    hashes.add_column(overflow="fold")
    for name, of_file, of_run in (
        ("SHA-256", checked.sha256, document.sha256),
        ("Content", checked.content_sha256, document.content_sha256),
    ):
        hashes.add_row(Text(f"{name}, file"), Text(of_file or "no Word file that can be opened"))
        hashes.add_row(Text(f"{name}, run"), Text(of_run or "not recorded"))
    return Group(
        Text(printable(_answer(checked)), style=APPROVED_STYLE if checked.approved else REFUSED_STYLE),
        Text(),
        hashes,
        Text(),
        _facts(
            [
                ("Document", document.filename),
                ("Decision", _decision(record)),
                ("Comment", record.decision.comment if record.decision else ""),
                ("Stage", record.stage.value),
                ("Run", f"{record.workflow_id}, {record.run_id}"),
            ]
        ),
    )


def _answer(checked: Verification) -> str:
    if checked.approved:
        return f"Yes: {checked.file} is the approved document, byte for byte."
    if checked.likeness is Likeness.SAME_CONTENT:
        return (
            f"No: {checked.file} is not the same bytes. What is inside is what the run wrote; only the archive around "
            "it was packed anew. Take the original from the ticket or the snapshot."
        )
    if checked.likeness is Likeness.DIFFERENT:
        return f"No: {checked.file} is not the document of this run; its content differs."
    decision = checked.record.decision
    if decision is None:
        return f"Not yet: {checked.file} is the document of this run, byte for byte, but nobody has decided on it."
    return f"No: {checked.file} is the document of this run, byte for byte, but it was rejected."


def _decision(record: ReviewRecord) -> str:
    decision = record.decision
    if decision is None:
        return f"none yet; {record.ticket} asks for it" if record.ticket else "none"
    verdict = "accepted" if decision.verdict is Decided.DONE else "rejected"
    person = decision.decided_by
    if decision.decided_by_name:
        person = f"{decision.decided_by_name} ({decision.decided_by})"
    at = decision.decided_at.astimezone(UTC)
    return f"{verdict} by {person} on {decision.ticket}, {at:%Y-%m-%d %H:%M} UTC"


def _facts(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in rows:
        if value:
            table.add_row(Text(name), Text(printable(value)))
    return table
