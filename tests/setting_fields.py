"""Every variable that sets something, read from the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from worker.settings import Settings


def fields_of(shape: type[BaseModel], prefix: str = "MLC_") -> Iterator[tuple[str, FieldInfo]]:
    """The variables of a shape of settings, and the field that each of them sets."""
    for name, field in shape.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from fields_of(inner, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper(), field


FIELDS = dict(fields_of(Settings))
