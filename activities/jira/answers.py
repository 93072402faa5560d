"""The parts of Jira's answers that the process reads, as REST v2 of Data Center and of Cloud spell them."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from pydantic import AliasChoices, AwareDatetime, BaseModel, Field, TypeAdapter

_Entry = TypeVar("_Entry")


class Page(BaseModel, Generic[_Entry]):
    """Some of the entries of a list, and how many there are; only some lists say whether a page is the last."""

    entries: list[_Entry] = Field(default_factory=list, validation_alias=AliasChoices("values", "comments"))
    total: int = 0
    is_last: bool | None = Field(default=None, validation_alias="isLast")


class User(BaseModel):
    """A person: `accountId` on Cloud; `name`, which may be changed, and `key` on Data Center.

    Cloud shows an e-mail address only where the person allows it.
    """

    account_id: str = Field(default="", validation_alias=AliasChoices("accountId", "name"))
    key: str = ""
    email: str | None = Field(default=None, validation_alias="emailAddress")
    display_name: str = Field(default="", validation_alias="displayName")


class Group(BaseModel):
    """A group of people."""

    name: str


class Groups(BaseModel):
    """Somebody's groups; `size` is right even where Jira does not list them."""

    size: int = 0
    items: list[Group] = Field(default_factory=list)


class UserWithGroups(BaseModel):
    """A person with the groups they are in (Data Center)."""

    groups: Groups


class StatusCategory(BaseModel):
    """`key` is the same in every language: new, indeterminate, done or undefined."""

    key: str = ""


class Status(BaseModel):
    """A status; ids are stable, names are what administrators make of them."""

    id: str
    name: str
    category: StatusCategory = Field(default_factory=StatusCategory, validation_alias="statusCategory")


STATUSES = TypeAdapter(list[Status])


class ChangeItem(BaseModel):
    """One field that changed; `from_id` and `to` are ids of values, `from_name` is what the old one was called then."""

    field: str
    from_id: str | None = Field(default=None, validation_alias="from")
    from_name: str | None = Field(default=None, validation_alias="fromString")
    to: str | None = None


class Change(BaseModel):
    """One entry of the changelog: what one person changed at one moment. Deleted users leave no author."""

    id: int
    author: User | None = None
    created: AwareDatetime
    items: list[ChangeItem] = Field(default_factory=list)


class Changelog(BaseModel):
    """Entries in no order that could be relied upon; `total` tells whether they are all."""

    histories: list[Change] = Field(default_factory=list)
    total: int = 0


class Comment(BaseModel):
    """A comment; one with `visibility` was written for a role or group only."""

    id: int
    author: User | None = None
    body: str = ""
    created: AwareDatetime
    visibility: dict[str, str] | None = None


class File(BaseModel):
    """An attachment; `content` is the address of its bytes. A list spells the id as text, the file itself as number."""

    id: str = Field(coerce_numbers_to_str=True)
    filename: str
    size: int
    created: AwareDatetime
    content: str


# Jira takes several files in one request and answers with a list; the process sends one.
UPLOADED = TypeAdapter(Annotated[list[File], Field(min_length=1, max_length=1)])


class Fields(BaseModel):
    """The fields that are asked for; a search leaves some of them out."""

    status: Status
    labels: list[str] = Field(default_factory=list)
    attachment: list[File] = Field(default_factory=list)
    comment: Page[Comment] = Field(default_factory=Page[Comment])
    updated: str = ""


class Issue(BaseModel):
    """A ticket as Jira has it now."""

    id: str
    key: str
    fields: Fields
    changelog: Changelog = Field(default_factory=Changelog)


class FoundIssues(BaseModel):
    """Issues that were found."""

    issues: list[Issue]


class SearchPage(FoundIssues):
    """Some of the issues that a query finds, and how many there are (Data Center)."""

    total: int


class TokenPage(FoundIssues):
    """Some of the issues that a query finds, and what to ask for the next page with (Cloud)."""

    next_page_token: str | None = Field(default=None, validation_alias="nextPageToken")
    is_last: bool = Field(default=False, validation_alias="isLast")


class CreatedIssue(BaseModel):
    """What Jira says about an issue it just created."""

    id: str
    key: str


class Attachments(BaseModel):
    """The attachments of one issue."""

    class _Fields(BaseModel):
        attachment: list[File]

    fields: _Fields


class Transition(BaseModel):
    """A move that the service account may make now. Its name is not the name of the status it leads to."""

    id: str
    to: Status


class Transitions(BaseModel):
    """All moves from the present status."""

    transitions: list[Transition]


class ServerInfo(BaseModel):
    """Which Jira answers; `deploymentType` is absent before Jira 7."""

    deployment_type: str = Field(default="Server", validation_alias="deploymentType")
