"""Pages for people: the board, a ticket, the webhook log.

Visitors say whom they act as and are believed; the pages say so. Forms are tied to the visitor's session, so that
another site cannot send them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

from sandbox.jira import scheme
from sandbox.jira.auth import COOKIE, Session
from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.fields import read_comment_body
from sandbox.jira.people import PEOPLE, find_person
from sandbox.jira.rest.request import Api
from sandbox.jira.scheme import Project, Status, Transition
from sandbox.jira.store import ChangeItem, Issue, now
from sandbox.jira.wiki import render_wiki

NOTICES = {
    "choose-person": "Choose who you are first: at the top of the page, under “I am”.",
    "unavailable": "That move is not available any more: the ticket has been moved in the meantime.",
    "empty-comment": "The comment was empty and has not been added.",
}
CARDS_PER_COLUMN = 200
DELIVERIES_SHOWN = 100

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; style-src-attr 'unsafe-inline'; script-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Card:
    """A ticket on the board: what it asks for (`kind`), about what (`title`), and where it may go."""

    issue: Issue
    kind: str
    title: str
    attachments: int
    moves: tuple[Transition, ...]


@dataclass(frozen=True)
class Column:
    """A status with its tickets, of which only the newest are shown; `total` counts all."""

    status: Status
    cards: list[Card]
    total: int


def split_summary(summary: str) -> tuple[str, str]:
    """Kind and subject of a ticket whose summary reads `kind: subject`; no kind if it does not."""
    kind, separator, title = summary.partition(": ")
    return (kind, title) if separator and len(kind) <= 40 else ("", summary)


def age(moment: datetime) -> str:
    """How long ago something was, in one unit."""
    seconds = (now() - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def file_size(size: int) -> str:
    """A number of bytes for people."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.0f} KB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"


def described_change(item: ChangeItem) -> str:
    """One changed field as the second half of a sentence about who changed it."""
    before, after = item.from_string or "nothing", item.to_string or "nothing"
    if item.field == "status":
        return f"moved it from {before} to {after}"
    if item.field == "Attachment":
        return f"attached {after}" if item.to_string else f"removed the attachment {before}"
    if item.field == "RemoteIssueLink":
        return "added a link"
    if item.field == "description":
        return "changed the description"
    name = item.field[0].upper() + item.field[1:]
    return f"changed {name} from {before} to {after}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "age": age,
        "file_size": file_size,
        "wiki": render_wiki,
        "described": described_change,
        "utc": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
    }
    environment.globals |= {
        "people": [person for person in PEOPLE if person.on_board],
        "projects": scheme.PROJECTS,
    }
    return environment


_TEMPLATES = _environment()


def error_page(status: int, message: str) -> HTMLResponse:
    """A page that says what went wrong and leads back to the board."""
    html = _TEMPLATES.get_template("error.html").render(status=status, message=message)
    return HTMLResponse(html, status_code=status, headers=_HEADERS)


class Pages:
    """Gathers what the pages show, and renders them for a visitor."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._store = api.store

    def page(self, request: Request, template: str, **context: Any) -> HTMLResponse:
        """A whole page; gives the visitor a session if they have none."""
        session = self._api.sessions.read(request)
        response = self._render(
            template,
            session,
            notice=NOTICES.get(request.query_params.get("notice", "")),
            return_to=request.url.path,
            **context,
        )
        self.keep_session(response, session)
        return response

    def fragment(self, request: Request, template: str, **context: Any) -> HTMLResponse:
        """A part of a page, for the live refresh."""
        return self._render(template, self._api.sessions.read(request), **context)

    def _render(self, template: str, session: Session, **context: Any) -> HTMLResponse:
        token = self._api.sessions.form_token(session)
        html = _TEMPLATES.get_template(template).render(me=session.person, form_token=token, **context)
        version = hashlib.sha256(html.encode()).hexdigest()[:16]
        return HTMLResponse(html, headers={**_HEADERS, "X-Content-Version": version})

    def keep_session(self, response: Response, session: Session) -> None:
        """Sends the session's cookie."""
        response.set_cookie(COOKIE, self._api.sessions.cookie(session), httponly=True, samesite="lax")

    def project(self, key: str) -> Project:
        """The project of a board.

        Raises:
            JiraRefusal: 404.
        """
        project = scheme.find_project(key)
        if project is None:
            raise JiraRefusal(404, [f"There is no project {key}."])
        return project

    def columns(self, project: Project) -> list[Column]:
        """The board of a project, one column per status."""
        return [self._column(project, status) for status in self._store.statuses]

    def _column(self, project: Project, status: Status) -> Column:
        issues, total = self._store.select_issues(
            "project = ? AND status = ?", [project.id, status.id], "updated DESC, id DESC", CARDS_PER_COLUMN, 0
        )
        return Column(status, [self._card(issue) for issue in issues], total)

    def _card(self, issue: Issue) -> Card:
        kind, title = split_summary(issue.summary)
        attachments = len(self._store.attachments(issue.id))
        return Card(issue, kind, title, attachments, self._store.available_transitions(issue.status))

    def ticket(self, issue: Issue) -> dict[str, Any]:
        """Everything a ticket page shows."""
        return {
            "card": self._card(issue),
            "issue": issue,
            "attachments": self._store.attachments(issue.id),
            "links": [link.content["object"] for link in self._store.remote_links(issue.id)],
            "comments": self._store.comments(issue.id),
            "changes": list(reversed(self._store.changes(issue.id))),
        }


def _with_notice(path: str, notice: str) -> RedirectResponse:
    return RedirectResponse(f"{path}?{urlencode({'notice': notice})}", status_code=303)


def _own_path(path: str, default: str) -> str:
    """A path of this server to go back to; never a way to another site."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else default


def board_routes(api: Api) -> APIRouter:
    """The routes of the pages and of their forms."""
    router = APIRouter()
    pages = Pages(api)
    tracker, store = api.tracker, api.store

    @router.get("/")
    async def home() -> Response:
        return RedirectResponse(f"/board/{scheme.PROJECTS[0].key}", status_code=303)

    @router.get("/board/{key}")
    async def board(request: Request, key: str) -> Response:
        project = pages.project(key)
        return pages.page(request, "board.html", project=project, columns=pages.columns(project))

    @router.get("/board/{key}/columns")
    async def board_columns(request: Request, key: str) -> Response:
        project = pages.project(key)
        return pages.fragment(
            request,
            "columns.html",
            project=project,
            columns=pages.columns(project),
            return_to=f"/board/{project.key}",
        )

    @router.get("/browse/{key}")
    async def ticket(request: Request, key: str) -> Response:
        issue = tracker.issue(key)
        if issue.key != key:
            return RedirectResponse(f"/browse/{issue.key}", status_code=303)
        return pages.page(request, "ticket.html", project=issue.project, **pages.ticket(issue))

    @router.get("/browse/{key}/body")
    async def ticket_body(request: Request, key: str) -> Response:
        issue = tracker.issue(key)
        return pages.fragment(request, "ticket_body.html", return_to=f"/browse/{issue.key}", **pages.ticket(issue))

    @router.get("/browse/{key}/details")
    async def ticket_details(request: Request, key: str) -> Response:
        return pages.fragment(request, "ticket_details.html", **pages.ticket(tracker.issue(key)))

    @router.get("/webhooks")
    async def webhooks(request: Request) -> Response:
        return pages.page(
            request,
            "webhooks.html",
            webhooks=store.webhooks(),
            deliveries=store.deliveries(DELIVERIES_SHOWN),
            tries_again=tracker.edition is Edition.CLOUD,
        )

    @router.get("/webhooks/deliveries")
    async def deliveries(request: Request) -> Response:
        return pages.fragment(request, "deliveries.html", deliveries=store.deliveries(DELIVERIES_SHOWN))

    async def submitted(request: Request) -> tuple[Session, dict[str, str]]:
        form = {name: str(value) for name, value in (await request.form()).items()}
        session = api.sessions.read(request)
        if not api.sessions.is_form_token(session, form.get("form_token", "")):
            raise JiraRefusal(403, ["This form is out of date. Go back, reload the page, and try again."])
        return session, form

    @router.post("/session")
    async def choose_person(request: Request) -> Response:
        session, form = await submitted(request)
        person = find_person(form.get("person"))
        if person and not person.on_board:
            raise JiraRefusal(403, [f"{person.display_name} is not a person; it cannot use the board."])
        response = RedirectResponse(_own_path(form.get("return_to", ""), "/"), status_code=303)
        pages.keep_session(response, Session(session.id, person))
        return response

    @router.post("/browse/{key}/transition")
    async def move_along(request: Request, key: str) -> Response:
        session, form = await submitted(request)
        issue = tracker.issue(key)
        back = _own_path(form.get("return_to", ""), f"/browse/{issue.key}")
        if session.person is None:
            return _with_notice(back, "choose-person")
        try:
            tracker.transition(issue, form.get("transition", ""), session.person)
        except JiraRefusal:
            return _with_notice(back, "unavailable")
        return RedirectResponse(back, status_code=303)

    @router.post("/browse/{key}/comment")
    async def add_comment(request: Request, key: str) -> Response:
        session, form = await submitted(request)
        issue = tracker.issue(key)
        back = f"/browse/{issue.key}"
        if session.person is None:
            return _with_notice(back, "choose-person")
        try:
            text = read_comment_body(form.get("body", "").replace("\r\n", "\n").strip())
        except JiraRefusal:
            return _with_notice(back, "empty-comment")
        tracker.comment(issue, text, session.person)
        return RedirectResponse(f"{back}#comments", status_code=303)

    @router.post("/browse/{key}/move")
    async def move_to_project(request: Request, key: str) -> Response:
        session, form = await submitted(request)
        issue = tracker.issue(key)
        if session.person is None:
            return _with_notice(f"/browse/{issue.key}", "choose-person")
        moved = tracker.move(issue, pages.project(form.get("project", "")), session.person)
        return RedirectResponse(f"/browse/{moved.key}", status_code=303)

    return router
