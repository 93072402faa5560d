"""What is wrong with the variables that settings are read from: one line each, which names the variable.

Never a value: it may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import TypeGuard, get_origin

from pydantic import BaseModel, ValidationError

PREFIX = "MLC_"
LEVEL = "__"
ENV_FILE_VARIABLE = "MLC_ENV_FILE"

# Who misspells one of these would run without what it protects, and nothing else would fail.
_GUARDS = ("MLC_ENCRYPTION__", "__APPROVERS")


class VariableNames:
    """The names of all variables of a shape of settings, and of those that are like them."""

    def __init__(self, shape: type[BaseModel]) -> None:
        self._shape = shape
        self._names = [ENV_FILE_VARIABLE, *(PREFIX + name.upper() for name in _names_in(shape))]

    def is_known(self, variable: str) -> bool:
        """Whether a variable is a setting, a section as a whole, a part of a JSON object, or not ours at all."""
        if not variable.upper().startswith(PREFIX) or variable.upper() == ENV_FILE_VARIABLE:
            return True
        levels = _levels(variable)
        if _type_at(self._shape, levels) is not None:
            return True
        return any(get_origin(_type_at(self._shape, levels[:depth])) is dict for depth in range(1, len(levels)))

    def strangers(self, given: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
        """A line for each variable that looks like a setting and is none, and whether it must stop the start.

        Without two underscores only a near miss counts: orchestrators add variables made from the names of services.
        """
        for variable in sorted(given):
            if self.is_known(variable) or (LEVEL not in variable and not self._nearest(variable, likeness=0.9)):
                continue
            meant = (variable.upper(), self._nearest(variable))
            yield self.no_such_setting(variable), any(guard in name for guard in _GUARDS for name in meant)

    def no_such_setting(self, variable: str) -> str:
        """That there is none of this name, and which is meant."""
        nearest = self._nearest(variable)
        return f"{variable}: there is no such setting" + (f"; did you mean {nearest}?" if nearest else "")

    def unreadable(self, given: Mapping[str, str]) -> list[str]:
        """A line for each variable that should hold JSON and does not; pydantic-settings names only its section."""
        lines = []
        for variable, value in sorted(given.items()):
            kind = _type_at(self._shape, _levels(variable)) if variable.upper().startswith(PREFIX) else None
            holds_list = get_origin(kind) is list
            if (holds_list or get_origin(kind) is dict or _is_section(kind)) and not _is_json(value):
                example = '["first", "second"]' if holds_list else '{"name": "value"}'
                lines.append(f"{variable}: should be JSON, for example {example}")
        return lines

    def invalid(self, error: ValidationError) -> list[str]:
        """A line for each fault that pydantic found."""
        lines = []
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            message = fault["msg"].removeprefix("Value error, ")
            variable = PREFIX + LEVEL.join(str(part).upper() for part in fault["loc"])
            if not fault["loc"]:
                # A contradiction between sections names its variables itself.
                lines.append(message)
            elif fault["type"] == "extra_forbidden":
                lines.append(self.no_such_setting(variable))
            else:
                lines.append(f"{variable}: {'is missing' if fault['type'] == 'missing' else message}")
        return lines

    def _nearest(self, variable: str, likeness: float = 0.75) -> str:
        return next(iter(difflib.get_close_matches(variable.upper(), self._names, n=1, cutoff=likeness)), "")


def _levels(variable: str) -> list[str]:
    return variable.upper().removeprefix(PREFIX).lower().split(LEVEL)


def _names_in(shape: type[BaseModel]) -> Iterator[str]:
    for name, field in shape.model_fields.items():
        inner = field.annotation
        if _is_section(inner):
            yield from (f"{name}{LEVEL}{rest}" for rest in _names_in(inner))
        else:
            yield name


def _type_at(shape: type[BaseModel], levels: list[str]) -> object:
    """What a variable of these levels holds; None if there is no such variable."""
    field = shape.model_fields.get(levels[0])
    if field is None or len(levels) == 1:
        return field.annotation if field else None
    return _type_at(field.annotation, levels[1:]) if _is_section(field.annotation) else None


def _is_section(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
