"""Attachment bytes and avatars, which live outside `/rest`."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from sandbox.jira.auth import Session, Unauthenticated
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person, person_by_key
from sandbox.jira.rest.content import find_attachment
from sandbox.jira.rest.request import Api, flag
from sandbox.jira.store import Attachment


def download_routes(api: Api) -> APIRouter:
    """Attachment bytes and avatars, which live outside `/rest`."""
    router = APIRouter()

    def visitor(request: Request) -> Person | None:
        person = api.authentication.identify(request)
        session: Session = api.sessions.read(request)
        return person or session.person

    @router.get("/secure/attachment/{attachment_id}/{filename:path}")
    async def download(request: Request, attachment_id: str, filename: str) -> Response:
        person = visitor(request)
        wants_page = "text/html" in request.headers.get("accept", "")
        if person is None and not wants_page:
            raise Unauthenticated(api.represent.base_url, failed=False)
        attachment = find_attachment(api, attachment_id, person)
        if person is None:
            issue = api.tracker.issue(str(attachment.issue_id))
            return RedirectResponse(f"/browse/{issue.key}?notice=choose-person", status_code=303)
        return _file(api, attachment)

    @router.get("/secure/useravatar")
    async def avatar(ownerId: str = "", size: int = 48) -> Response:
        person = person_by_key(ownerId)
        initial = person.display_name[0] if person else "?"
        hue = sum(ownerId.encode()) * 37 % 360
        pixels = min(max(size, 16), 128)
        picture = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{pixels}" height="{pixels}" viewBox="0 0 48 48">'
            f'<circle cx="24" cy="24" r="24" fill="hsl({hue} 45% 40%)"/><text x="24" y="31" font-size="22"'
            f' font-family="sans-serif" fill="#fff" text-anchor="middle">{initial}</text></svg>'
        )
        return Response(picture, media_type="image/svg+xml")

    return router


def media_routes(api: Api) -> APIRouter:
    """How Cloud hands out bytes: REST leads to a media link that opens without signing in, or sends them itself."""
    router = APIRouter()

    @router.get("/rest/api/2/attachment/content/{attachment_id}")
    async def content(attachment_id: str, redirect: str = "true", person: Person = Depends(api.caller)) -> Response:
        attachment = find_attachment(api, attachment_id, person)
        if not flag(redirect, default=True):
            return _file(api, attachment)
        token = api.sessions.download_token(attachment.id)
        link = f"{api.represent.base_url}/media/{attachment.id}/{quote(attachment.filename)}?token={token}"
        return RedirectResponse(link, status_code=303)

    @router.get("/media/{attachment_id}/{filename:path}")
    async def media(attachment_id: str, filename: str, token: str = "") -> Response:
        attachment = find_attachment(api, attachment_id, None)
        if not api.sessions.is_download_token(attachment.id, token):
            raise JiraRefusal(403, ["This link does not open the file."])
        return _file(api, attachment)

    return router


def _file(api: Api, attachment: Attachment) -> Response:
    return Response(
        api.store.attachment_content(attachment.id),
        media_type=attachment.mime_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(attachment.filename)}",
            # An uploaded page must never run with the board's cookie.
            "Content-Security-Policy": "sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )
