"""A verdict: what was found about one test, in one word, with the number and the reason."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Word(StrEnum):
    """A verdict as it is printed. NOT EVALUATED: there is a number, or a rule, that nothing could be concluded from."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    NOT_EVALUATED = "NOT EVALUATED"
    NOT_APPLICABLE = "NOT APPLICABLE"
    INFORMATION = "INFORMATION"


class Verdict(BaseModel):
    """One row of the test summary.

    Attributes:
        threshold_id: the row of the standard table that names this test; empty where none does. The limit need not be
            that row's.
        category: name of the row in ModelOp Center's decision table.
        feature_or_group: what the value belongs to; empty where it belongs to the whole model.
        value: the judged number; None where there is none.
        value_text: the number as it is printed.
        limit: the range of a PASS in words; empty where nothing is judged.
        reason: what led to the word.
        consequence: what a FAIL, an ERROR or a NOT EVALUATED means for the decision; else empty.
    """

    model_config = ConfigDict(frozen=True)

    threshold_id: str
    category: str
    family: str
    test: str
    feature_or_group: str = ""
    value: float | None = None
    value_text: str = "–"
    limit: str = ""
    word: Word
    reason: str
    consequence: str = ""


NOT_RUN = "This test has no usable result; what it would have shown is unknown."
NOT_JUDGED = "No limit was applied; whoever decides must judge this test by its number."
