"""Writes the review document: a customer's template filled in, or else our own layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activities.modelop.rest import without_links
from activities.review_document.customer_template.fill import UnreadableTemplate, fill_template
from activities.review_document.limits.verdicts import rule_results
from activities.review_document.masking import without_credentials
from activities.review_document.review import Review
from activities.review_document.selection import Template, unusable_template
from activities.review_document.standard_layout.render import render

# They change after the snapshot was taken, by our own hands among others: the document would not be the same again.
_NOT_FROZEN = ("_links", "modelDocuments", "state", "version")
_CONTENTS = ("fileContent", "fileContentString")
_AT_FIRST = {"lastModifiedDate": "createdDate", "lastModifiedBy": "createdBy"}


@dataclass(frozen=True)
class WrittenDocument:
    """A finished document and how it came about.

    Attributes:
        content: the bytes of the .docx file.
        template: the template that was filled; None for our own layout.
        unresolved: places of the template that nothing was found for.
        notices: problems that a reader must see, in whole sentences; the document begins with them.
    """

    content: bytes
    template: Template | None = None
    unresolved: Sequence[str] = ()
    notices: Sequence[str] = ()


def write(review: Review, template: Template | None = None, base: bytes | None = None) -> WrittenDocument:
    """The document as a customer's template has it or, without one that can be filled, in our own layout.

    Args:
        review: what is printed.
        template: the customer's template.
        base: a .docx whose styles, page, headers and footers our own layout uses instead of ours.

    Raises:
        UnusableBaseTemplate: the base lacks what our layout needs.
        ValueError, RecursionError: the test results cannot be written as JSON.
    """
    if template is not None:
        try:
            filled = fill_template(
                template.content,
                template_sources(review),
                dated=review.stored_at,
                title=f"Model review: {review.model_name}",
                notices=review.notices,
            )
        except UnreadableTemplate as error:
            notice = unusable_template(template.filename, template.origin, str(error))
            review = replace(review, notices=[*review.notices, notice])
        else:
            return WrittenDocument(filled.content, template, filled.unresolved, review.notices)
    return WrittenDocument(render(review, base), notices=review.notices)


def template_sources(review: Review) -> dict[str, Mapping[str, Any]]:
    """What the places of a template are looked up in.

    The snapshot is shown as it was taken, and the rule results are the verdicts of this review, whatever was kept
    beside the result before.
    """
    model = _without_contents(review.stored_model)
    return {
        "storedModel": model,
        "deployableModel": {**_as_taken(review.snapshot), "storedModel": model},
        "modelTestResult": {
            **without_links(dict(review.result)),
            "testResults": review.test_results,
            "dmnRuleResults": rule_results(review.verdicts),
        },
    }


def _as_taken(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot without what was written to it later; it was last modified when it was taken."""
    taken = {name: value for name, value in snapshot.items() if name not in _NOT_FROZEN}
    taken |= {last: taken[first] for last, first in _AT_FIRST.items() if first in taken}
    meta = taken.get("metaData")
    custom = meta.get("custom") if isinstance(meta, dict) else None
    if isinstance(meta, dict) and isinstance(custom, dict):
        taken["metaData"] = {**meta, "custom": {name: value for name, value in custom.items() if name != "mlc"}}
    return taken


def _without_contents(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model without the bytes of its assets, and their addresses without credentials: a place may list assets."""
    assets = model.get("modelAssets")
    if not isinstance(assets, list):
        return dict(model)
    return {**model, "modelAssets": [_described(asset) if isinstance(asset, dict) else asset for asset in assets]}


def _described(asset: Mapping[str, Any]) -> dict[str, Any]:
    described = {name: value for name, value in asset.items() if name not in _CONTENTS}
    if isinstance(address := described.get("fileUrl"), str):
        described["fileUrl"] = without_credentials(address)
    return described
