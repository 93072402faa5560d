"""The page that a person in a hurry reads: what is asked, the counts, and every finding with its consequence."""

from __future__ import annotations

from collections.abc import Sequence

from activities.review_document.conclusion import unjudged_families
from activities.review_document.formatting import counted
from activities.review_document.limits.verdict_types import Verdict, Word
from activities.review_document.limits.verdicts import count_by_word, families
from activities.review_document.review import Review
from activities.review_document.standard_layout.families import verdict_text
from activities.review_document.standard_layout.layout import Align, Column, Inline, ReviewLayout, Table, Text, Tone

MAX_EXPLAINED = 8
"""Up to so many findings are listed with their numbers; more of them would not fit on one page."""

MAX_FAMILIES = 15

_ALWAYS_COUNTED = (Word.PASS, Word.FAIL, Word.ERROR)
_NOT_JUDGED = "Nobody has judged this value; the person who decides must look at it."


def write_decision_summary(layout: ReviewLayout, review: Review) -> None:
    """What is asked, the counts, and every finding."""
    layout.paragraph(
        [
            Text("What is asked. ", Tone.STRONG),
            "Decide in the Jira ticket that this document is attached to; it names the statuses by which you do. To ",
            Text("accept", Tone.STRONG),
            " the results passes the model on to the production approval; to ",
            Text("reject", Tone.STRONG),
            " them ends the implementation. The test verdicts inform the decision; they do not make it.",
        ]
    )
    layout.table(_counts_table(review.verdicts))
    unjudged = [family.name for family in unjudged_families(review)]
    if unjudged:
        layout.paragraph(f"The table of limits has no rule for: {', '.join(unjudged)}.", "Note")
    if review.findings:
        layout.table(_findings_table(review.findings))
    else:
        judged = counted(count_by_word(review.verdicts).get(Word.PASS, 0), "verdict")
        layout.paragraph(f"There is no FAIL and no ERROR: {judged} within the limits.")


def _counts_table(verdicts: Sequence[Verdict]) -> Table:
    totals = count_by_word(verdicts)
    words = [word for word in Word if word in _ALWAYS_COUNTED or totals.get(word)]
    columns = [Column("Family", 0.26), *(Column(_heading(word), 0.13, Align.NUMBER) for word in words)]
    names = [family.name for family in families(verdicts)]
    rows = [_counts_row(name, [v for v in verdicts if v.family == name], words) for name in names]
    if len(rows) > MAX_FAMILIES + 1:
        left = [v for v in verdicts if v.family in names[MAX_FAMILIES:]]
        rows = [*rows[:MAX_FAMILIES], _counts_row(f"{len(rows) - MAX_FAMILIES} more families", left, words)]
    rows.append([Text("All", Tone.STRONG), *(Text(str(totals.get(word, 0)), Tone.STRONG) for word in words)])
    return Table("Verdicts per family", "One row per family with the number of verdicts by word.", columns, rows)


def _counts_row(name: str, verdicts: Sequence[Verdict], words: Sequence[Word]) -> Sequence[Inline]:
    counts = count_by_word(verdicts)
    return [name, *(_count(word, counts.get(word, 0)) for word in words)]


def _heading(word: Word) -> str:
    return word.value if word in _ALWAYS_COUNTED else word.value.capitalize()


def _count(word: Word, count: int) -> Inline:
    return Text(str(count), verdict_text(word).tone) if count else Text("–", Tone.OTHER)


def _findings_table(findings: Sequence[Verdict]) -> Table:
    explained = len(findings) <= MAX_EXPLAINED
    rows: list[Sequence[Inline]] = [
        [verdict_text(v.word), _test_with_subject(v), _meaning(v, explained)] for v in findings
    ]
    columns = [Column("Verdict", 0.14), Column("Test", 0.3), Column("What it means for the decision", 0.56)]
    description = "One row per test that failed, has no result or was not evaluated, with its consequence."
    words = [word.value for word in Word if any(v.word is word for v in findings)]
    listed = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return Table(f"Every {listed}", description, columns, rows)


def _meaning(verdict: Verdict, explained: bool) -> Inline:
    consequence = verdict.consequence or _NOT_JUDGED
    return [consequence, " ", Text(f"({verdict.reason})", Tone.OTHER)] if explained else consequence


def _test_with_subject(verdict: Verdict) -> str:
    return f"{verdict.family}: {verdict.test}" + (f", {verdict.feature_or_group}" if verdict.feature_or_group else "")
