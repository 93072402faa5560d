"""Settings of the review document."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

MAX_BASE_TEMPLATE_BYTES = 20 * 1024 * 1024


class DocumentSettings(BaseModel, extra="forbid"):
    """How our own layout of the review document looks."""

    base_template: Path | None = Field(
        default=None, description="a .docx whose styles, page, headers and footers are used instead of ours"
    )

    @field_validator("base_template", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("base_template")
    @classmethod
    def _can_be_read(cls, value: Path | None) -> Path | None:
        if value is not None:
            read_base_template(value)
        return value


def read_base_template(path: Path) -> bytes:
    """The bytes of a base template.

    Raises:
        ValueError: there is no such file, or it is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BASE_TEMPLATE_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"cannot be read: {reason}; give the path of a .docx") from None
    if len(content) > MAX_BASE_TEMPLATE_BYTES:
        raise ValueError(f"is larger than {MAX_BASE_TEMPLATE_BYTES >> 20} MB; give a .docx without pictures")
    return content
