"""Reads a finished document back."""

from __future__ import annotations

import io

import docx
from docx.document import Document
from docx.oxml.ns import qn


def opened(content: bytes) -> Document:
    """The document as python-docx reads it."""
    return docx.Document(io.BytesIO(content))


def text_of(content: bytes) -> str:
    """All text of the body, one line per paragraph, tables included."""
    paragraphs = opened(content).element.body.iter(qn("w:p"))
    lines = ("".join(run.text or "" for run in paragraph.iter(qn("w:t"))) for paragraph in paragraphs)
    return "\n".join(lines).replace("\u00a0", " ")
