"""Renders the review document: a pure function from a review to the bytes of a .docx file."""

from __future__ import annotations

from activities.review_document.review import Review
from activities.review_document.standard_layout.layout import ReviewLayout
from activities.review_document.standard_layout.sections import write_sections, write_title


def render(review: Review, base: bytes | None = None) -> bytes:
    """The finished file; the same review yields the same bytes in any process with the same locked packages.

    Args:
        review: what is printed.
        base: a .docx whose styles, page, headers and footers are used instead of ours.

    Raises:
        UnusableBaseTemplate: the base lacks what the document needs.
        ValueError, RecursionError: the test results cannot be written as JSON.
    """
    layout = ReviewLayout(base)
    write_title(layout, review)
    write_sections(layout, review)
    return layout.save(
        title=f"Model review: {review.model_name}",
        running_title=f"Model review: {review.model_name}",
        dated=review.stored_at,
    )
