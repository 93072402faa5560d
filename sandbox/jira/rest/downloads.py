"""Attachment bytes and avatars, which live outside `/rest`."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from sandbox.jira.auth import Session, Unauthenticated, authenticated
from sandbox.jira.people import Person, person_by_key
from sandbox.jira.rest.content import find_attachment
from sandbox.jira.rest.request import Api


def download_routes(api: Api) -> APIRouter:
    """Attachment bytes and avatars, which live outside `/rest`."""
    router = APIRouter()

    def visitor(request: Request) -> Person | None:
        person = authenticated(request, api.represent.base_url)
        session: Session = api.sessions.read(request)
        return person or session.person

    @router.get("/secure/attachment/{attachment_id}/{filename:path}")
    async def download(request: Request, attachment_id: str, filename: str) -> Response:
        person = visitor(request)
        wants_page = "text/html" in request.headers.get("accept", "")
        if person is None and not wants_page:
            raise Unauthenticated(api.represent.base_url, failed=False)
        attachment = find_attachment(api.store, attachment_id)
        if person is None:
            issue = api.tracker.issue(str(attachment.issue_id))
            return RedirectResponse(f"/browse/{issue.key}?notice=choose-person", status_code=303)
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
