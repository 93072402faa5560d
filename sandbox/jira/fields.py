"""Reads the `fields` and `update` of a request the way Jira's screens do, and names what is wrong by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.jira import scheme
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person, find_account
from sandbox.jira.scheme import IssueType, Priority, Project, Resolution

SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767
LABEL_LIMIT = 255

# REST names of custom fields and the attribute of an issue that holds them.
ATTRIBUTES = {"customfield_10100": "business_unit"}

_NOT_ON_SCREEN = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."


def _summary(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("You must specify a summary of the issue.")
    if "\n" in value or "\r" in value:
        raise ValueError("The summary is invalid because it contains newline characters.")
    if len(value) > SUMMARY_LIMIT:
        raise ValueError(f"Summary must be less than {SUMMARY_LIMIT} characters.")
    return value


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("Operation value must be a string")
    if len(value) > TEXT_LIMIT:
        raise ValueError(f"The entered text is too long. It exceeds the allowed limit of {TEXT_LIMIT:,} characters.")
    return value


def _label(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("The label must be a non-empty string.")
    if any(character.isspace() for character in value):
        raise ValueError(f"The label '{value}' contains spaces which is invalid.")
    if len(value) > LABEL_LIMIT:
        raise ValueError(f"The label '{value}' exceeds the maximum length of {LABEL_LIMIT} characters.")
    return value


def _labels(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("data was not an array")
    return tuple(sorted({_label(label) for label in value}))


# How a field names a person; an edition does not know the property of the other.
USER_PROPERTY = {Edition.DATA_CENTER: "name", Edition.CLOUD: "accountId"}


def _user(value: object, edition: Edition) -> Person | None:
    if value is None:
        return None
    name = USER_PROPERTY[edition]
    if not isinstance(value, Mapping) or name not in value:
        raise ValueError(f"expected an object with the property '{name}'")
    if value[name] in (None, ""):
        return None
    person = find_account(str(value[name]), edition)
    if person is None:
        raise ValueError(f"User '{value[name]}' does not exist.")
    return person


def _reporter(value: object, edition: Edition) -> Person:
    person = _user(value, edition)
    if person is None:
        raise ValueError("Reporter is required.")
    return person


def _reference(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("expected Object containing a 'name' or 'id' property")
    return value


def _priority(value: object) -> Priority:
    if value is None:
        return scheme.DEFAULT_PRIORITY
    wanted = _reference(value)
    for priority in scheme.PRIORITIES:
        if priority.id == str(wanted.get("id")) or priority.name == wanted.get("name"):
            return priority
    raise ValueError("The priority selected is invalid.")


def _resolution(value: object) -> Resolution:
    wanted = _reference(value)
    for resolution in scheme.RESOLUTIONS:
        if resolution.id == str(wanted.get("id")) or resolution.name == wanted.get("name"):
            return resolution
    raise ValueError("The resolution selected is invalid.")


def _project(value: object) -> Project:
    wanted = value if isinstance(value, Mapping) else {}
    project = scheme.find_project(str(wanted.get("id") or wanted.get("key") or ""))
    if project is None:
        raise ValueError("valid project is required")
    return project


def _issue_type(value: object) -> IssueType:
    wanted = value if isinstance(value, Mapping) else {}
    for issue_type in scheme.ISSUE_TYPES:
        if issue_type.id == str(wanted.get("id")) or issue_type.name == wanted.get("name"):
            return issue_type
    raise ValueError("valid issue type is required")


_READERS: Mapping[str, Callable[[object], object]] = {
    "project": _project,
    "issuetype": _issue_type,
    "summary": _summary,
    "description": _text,
    "labels": _labels,
    "priority": _priority,
    "resolution": _resolution,
    "customfield_10100": _text,
}

_USER_READERS: Mapping[str, Callable[[object, Edition], object]] = {"assignee": _user, "reporter": _reporter}

# The create screen also shows attachments, which come in a request of their own.
CREATE_SCREEN = frozenset(field.id for field in scheme.FIELDS if field.on_create_screen) & (
    _READERS.keys() | _USER_READERS.keys()
)
EDIT_SCREEN = frozenset(field.id for field in scheme.FIELDS if field.on_edit_screen)
TRANSITION_SCREEN = frozenset({"resolution", "assignee"})


def read_fields(raw: object, screen: frozenset[str], edition: Edition) -> dict[str, Any]:
    """Turns REST field values into attribute values of an issue.

    Args:
        raw: the `fields` of a request; None counts as empty.
        screen: the field ids that may be set here.
        edition: how people are named.

    Returns:
        New values by attribute name of `store.Issue`.

    Raises:
        JiraRefusal: 400 with one message per wrong field.
    """
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise JiraRefusal(400, ["'fields' must be an object."])
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for key, value in raw.items():
        name = str(key)
        if name not in screen:
            errors[name] = _NOT_ON_SCREEN.format(name)
            continue
        try:
            values[ATTRIBUTES.get(name, name)] = _read(name, value, edition)
        except ValueError as problem:
            errors[name] = str(problem)
    if errors:
        raise JiraRefusal(400, errors=errors)
    return values


def _read(name: str, value: object, edition: Edition) -> object:
    if name in _USER_READERS:
        return _USER_READERS[name](value, edition)
    return _READERS[name](value)


def read_new_issue(raw: object, edition: Edition) -> dict[str, Any]:
    """Like `read_fields` for the create screen, which also insists on its required fields."""
    given = raw if isinstance(raw, Mapping) else {}
    missing = {
        "project": "project is required",
        "issuetype": "issue type is required",
        "summary": "You must specify a summary of the issue.",
    }
    errors = {name: message for name, message in missing.items() if not given.get(name)}
    try:
        accepted = {name: value for name, value in given.items() if name not in errors}
        values = read_fields(accepted, CREATE_SCREEN, edition)
    except JiraRefusal as refusal:
        raise JiraRefusal(400, refusal.messages, errors | refusal.errors) from None
    issue_type: IssueType | None = values.get("issuetype")
    for field in scheme.FIELDS:
        if issue_type and issue_type.id in field.required_for and not values.get(ATTRIBUTES.get(field.id, field.id)):
            errors[field.id] = f"{field.name} is required."
    if errors:
        raise JiraRefusal(400, errors=errors)
    return values


def read_label_operations(raw: object, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Applies `update.labels`, a list of `add`, `remove` and `set` operations.

    Raises:
        JiraRefusal: 400 if an operation or a label is not valid.
    """
    result = set(labels)
    try:
        for verb, value in _operations(raw):
            if verb == "add":
                result.add(_label(value))
            elif verb == "remove":
                result.discard(str(value))
            elif verb == "set":
                result = set(_labels(value))
            else:
                raise ValueError(f"operation '{verb}' is not supported")
    except ValueError as problem:
        raise JiraRefusal(400, errors={"labels": str(problem)}) from None
    return tuple(sorted(result))


def read_new_comments(raw: object) -> list[str]:
    """The texts of `update.comment`, a list of `add` operations.

    Raises:
        JiraRefusal: 400 if an operation is not an `add` with a body.
    """
    try:
        return [_added_comment(verb, value) for verb, value in _operations(raw)]
    except ValueError as problem:
        raise JiraRefusal(400, errors={"comment": str(problem)}) from None


def read_comment_body(body: object) -> str:
    """The text of a comment.

    Raises:
        JiraRefusal: 400 if it is empty or too long.
    """
    try:
        text = _text(body)
    except ValueError as problem:
        raise JiraRefusal(400, errors={"comment": str(problem)}) from None
    if not text or not text.strip():
        raise JiraRefusal(400, errors={"comment": "Comment body can not be empty!"})
    return text


def _added_comment(verb: str, value: object) -> str:
    if verb != "add" or not isinstance(value, Mapping):
        raise ValueError("only the operation 'add' with a 'body' is supported")
    return read_comment_body(value.get("body"))


def _operations(raw: object) -> list[tuple[str, object]]:
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(entry, Mapping) for entry in raw):
        raise ValueError("expected an array of operations")
    return [(str(verb), value) for entry in raw for verb, value in entry.items()]
