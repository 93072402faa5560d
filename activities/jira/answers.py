"""The parts of Jira's answers that the process reads, as REST v2 of Data Center spells them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, AwareDatetime, BaseModel, Field, TypeAdapter


class User(BaseModel):
    """A person: `accountId` on Cloud, `name` on Data Center."""

    account_id: str = Field(default="", validation_alias=AliasChoices("accountId", "name"))
    display_name: str = Field(default="", validation_alias="displayName")


class StatusCategory(BaseModel):
    """`key` is the same in every language: new, indeterminate, done or undefined."""

    key: str = ""


class Status(BaseModel):
    """A status; ids are stable, names are what administrators make of them."""

    id: str
    name: str
    category: StatusCategory = Field(default_factory=StatusCategory, validation_alias="statusCategory")


class ChangeItem(BaseModel):
    """One field that changed; `to` is the id of the new value."""

    field: str
    to: str | None = None


class Change(BaseModel):
    """One entry of the changelog: what one person changed at one moment. Deleted users leave no author."""

    id: int
    author: User | None = None
    created: AwareDatetime
    items: list[ChangeItem] = Field(default_factory=list)


class Changelog(BaseModel):
    """Entries in no order that could be relied upon."""

    histories: list[Change] = Field(default_factory=list)


class Comment(BaseModel):
    """A comment; one with `visibility` was written for a role or group only."""

    id: int
    author: User | None = None
    body: str = ""
    created: AwareDatetime
    visibility: dict[str, str] | None = None


class CommentPage(BaseModel):
    """Some of an issue's comments, and how many there are."""

    comments: list[Comment] = Field(default_factory=list)
    total: int = 0


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
    comment: CommentPage = Field(default_factory=CommentPage)


class Issue(BaseModel):
    """A ticket as Jira has it now."""

    id: str
    key: str
    fields: Fields
    changelog: Changelog = Field(default_factory=Changelog)


class SearchPage(BaseModel):
    """Some of the issues that a query finds, and how many there are."""

    issues: list[Issue]
    total: int


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
