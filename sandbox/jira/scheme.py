"""What an administrator would configure in Jira: projects, issue types, fields and the workflow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StatusCategory:
    """One of Jira's fixed status categories; `key` is stable, `name` is translated on a real site."""

    id: int
    key: str
    name: str
    color_name: str


@dataclass(frozen=True)
class Status:
    """A column of the board."""

    id: str
    name: str
    description: str
    category: StatusCategory


@dataclass(frozen=True)
class Resolution:
    """Why an issue is closed. Not a verdict: it is what the workflow happens to set."""

    id: str
    name: str
    description: str


@dataclass(frozen=True)
class Transition:
    """A move people may make, from any of `sources` (status ids) to status `to`."""

    id: str
    name: str
    to: Status
    sources: frozenset[str]


@dataclass(frozen=True)
class IssueType:
    """A kind of issue."""

    id: str
    name: str
    description: str


@dataclass(frozen=True)
class Priority:
    """How urgent an issue is."""

    id: str
    name: str
    description: str
    color: str


@dataclass(frozen=True)
class Project:
    """A project; its key is the first part of its issues' keys."""

    id: str
    key: str
    name: str
    description: str


@dataclass(frozen=True)
class Field:
    """An issue field as `GET field` and the create screen describe it.

    Attributes:
        id: name of the field in REST.
        name: name on pages and in the changelog.
        type: Jira's schema type.
        items: schema type of the elements when `type` is `array`.
        clauses: names under which JQL knows the field; empty if JQL does not.
        navigable: whether a search returns it without being asked to.
        on_create_screen: whether a client may set it when creating an issue.
        on_edit_screen: whether a client may change it.
        required_for: ids of the issue types whose create screen insists on it.
    """

    id: str
    name: str
    type: str
    items: str | None = None
    clauses: tuple[str, ...] = ()
    navigable: bool = True
    on_create_screen: bool = False
    on_edit_screen: bool = False
    required_for: frozenset[str] = frozenset()

    @property
    def custom(self) -> bool:
        """Whether an administrator added the field."""
        return self.id.startswith("customfield_")


NEW = StatusCategory(2, "new", "To Do", "default")
INDETERMINATE = StatusCategory(4, "indeterminate", "In Progress", "inprogress")
COMPLETE = StatusCategory(3, "done", "Done", "success")

TO_DO = Status("10000", "To Do", "Waits for somebody to look at it.", NEW)
IN_REVIEW = Status("10001", "In Review", "Somebody is reading it.", INDETERMINATE)
DONE = Status("10002", "Done", "Agreed to.", COMPLETE)
REJECTED = Status("10003", "Rejected", "Refused.", COMPLETE)
STATUSES = (TO_DO, IN_REVIEW, DONE, REJECTED)

RESOLUTION_DONE = Resolution("10000", "Done", "Work has been completed on this issue.")
RESOLUTION_WONT_DO = Resolution("10001", "Won't Do", "This issue won't be actioned.")
RESOLUTIONS = (RESOLUTION_DONE, RESOLUTION_WONT_DO)

# The workflow's post-functions: entering one of these statuses sets the resolution, entering any other clears it.
RESOLUTION_ON_ENTRY = {DONE.id: RESOLUTION_DONE, REJECTED.id: RESOLUTION_WONT_DO}

_OPEN = frozenset({TO_DO.id, IN_REVIEW.id})
TRANSITIONS = (
    Transition("11", "To Do", TO_DO, frozenset({IN_REVIEW.id})),
    Transition("21", "In Review", IN_REVIEW, frozenset({TO_DO.id})),
    Transition("31", "Done", DONE, _OPEN),
    Transition("41", "Rejected", REJECTED, _OPEN),
    Transition("51", "Reopen", TO_DO, frozenset({DONE.id, REJECTED.id})),
)

TASK = IssueType("10100", "Task", "A task that needs to be done.")
STORY = IssueType("10101", "Story", "Functionality or a feature expressed as a user goal.")
BUG = IssueType("10102", "Bug", "A problem or error.")
ISSUE_TYPES = (TASK, STORY, BUG)

PRIORITIES = (
    Priority("1", "Highest", "This problem will block progress.", "#d04437"),
    Priority("2", "High", "Serious problem that could block progress.", "#f15c75"),
    Priority("3", "Medium", "Has the potential to affect progress.", "#f79232"),
    Priority("4", "Low", "Minor problem or easily worked around.", "#707070"),
    Priority("5", "Lowest", "Trivial problem with little or no impact on progress.", "#999999"),
)
DEFAULT_PRIORITY = PRIORITIES[2]

PROJECTS = (
    Project("10200", "GOV", "Model Governance", "Approvals on the way of a model into production."),
    Project("10201", "OPS", "Model Operations", "A second project, so that issues can be moved."),
)

FIELDS = (
    Field("project", "Project", "project", clauses=("project",), on_create_screen=True),
    Field("issuetype", "Issue Type", "issuetype", clauses=("issuetype", "type"), on_create_screen=True),
    Field("issuekey", "Key", "string", clauses=("id", "issue", "issuekey", "key")),
    Field("summary", "Summary", "string", clauses=("summary",), on_create_screen=True, on_edit_screen=True),
    Field("description", "Description", "string", clauses=("description",), on_create_screen=True, on_edit_screen=True),
    Field("status", "Status", "status", clauses=("status",)),
    Field("resolution", "Resolution", "resolution", clauses=("resolution",)),
    Field("resolutiondate", "Resolved", "datetime"),
    Field("priority", "Priority", "priority", clauses=("priority",), on_create_screen=True, on_edit_screen=True),
    Field("labels", "Labels", "array", "string", clauses=("labels",), on_create_screen=True, on_edit_screen=True),
    Field("assignee", "Assignee", "user", clauses=("assignee",), on_create_screen=True, on_edit_screen=True),
    Field("reporter", "Reporter", "user", clauses=("reporter",), on_create_screen=True, on_edit_screen=True),
    Field("creator", "Creator", "user", clauses=("creator",)),
    Field("created", "Created", "datetime", clauses=("created", "createdDate")),
    Field("updated", "Updated", "datetime", clauses=("updated", "updatedDate")),
    Field("attachment", "Attachment", "array", "attachment", navigable=False, on_create_screen=True),
    Field("comment", "Comment", "comments-page", clauses=("comment",), navigable=False),
    Field(
        "customfield_10100",
        "Business unit",
        "string",
        clauses=("cf[10100]", "Business unit"),
        on_create_screen=True,
        on_edit_screen=True,
        # One issue type with a mandatory custom field, because many real create screens have one.
        required_for=frozenset({STORY.id}),
    ),
)
REQUIRED_EVERYWHERE = frozenset({"project", "issuetype", "summary"})


def available_transitions(status: Status) -> tuple[Transition, ...]:
    """The moves the workflow allows from a status."""
    return tuple(transition for transition in TRANSITIONS if status.id in transition.sources)


def find_project(key_or_id: str) -> Project | None:
    """The project with this key (in any case) or numeric id, or None."""
    wanted = key_or_id.upper()
    return next((project for project in PROJECTS if wanted in (project.key, project.id)), None)
