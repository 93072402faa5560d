"""What a bundle says of itself to a reader who has nothing but the bundle."""

from __future__ import annotations

_TEXT = """\
Evidence of one SageMaker model implementation

This file holds what one run of the workflow SagemakerModelImplementation left behind: who approved what, when and
on which document, on the way of a model to production. Nothing in it needs the software that wrote it.

  manifest.json      what the run was, and the SHA-256 of every other file; its own SHA-256 is the bundle's id
  sha256sums.txt     the SHA-256 of every file
  history.json       every event of the run, as Temporal recorded it (the JSON form of temporal.api.history.v1.History)
  result.json        how the run ended: outcome, decisions, document, test runs
  status.json        where the run stood at the export, with the time of each stage
  document.docx      the review document, in the very bytes that people decided on
  test-result.json   the stored result of the Standard Risk Tests, as ModelOp Center held it

Files that do not apply, or that could not be had, are not here; manifest.json says why under "missing".

To check by hand
  1. sha256sum --check sha256sums.txt
  2. sha256sum manifest.json       must be the bundle's id that was noted when the bundle was exported
  3. history.json: every "data" is the base64 of JSON. The answers of the activity read_ticket hold the decisions as
     Jira showed them; those of prepare_review_document and archive_review_document hold the document's SHA-256.
  4. The SHA-256 of document.docx is also written into the snapshot in ModelOp Center (metaData.custom.mlc) and, with
     its first eight digits, into the document's name on the Jira ticket.

To check by program: mlc verify BUNDLE --bundle-id ID
"""


def readme() -> bytes:
    """The text, the same in every bundle."""
    return _TEXT.encode()
