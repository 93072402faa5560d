"""Renders the review document: a pure function from a review to the bytes of a .docx file."""

from __future__ import annotations

from activities.review_document.layout import ReviewLayout
from activities.review_document.review import Review
from activities.review_document.sections import SECTIONS, write_title


def render(review: Review) -> bytes:
    """The finished file; the same review yields the same bytes in any process with the same locked packages.

    Raises:
        ValueError, RecursionError: the test results cannot be written as JSON.
    """
    layout = ReviewLayout()
    write_title(layout, review)
    for section in SECTIONS:
        appendix = "Appendix " if section.number.isalpha() else ""
        heading = f"{appendix}{section.number}  {section.title}"
        layout.heading(1, heading, anchor=section.anchor, new_page=section.new_page)
        section.write(layout, review)
    return layout.save(
        title=f"Model review: {review.model_name}",
        running_title=f"Model review: {review.model_name}",
        dated=review.stored_at,
    )
