"""Routes about what hangs on an issue: attachments, comments, remote links, properties."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from sandbox.jira import fields
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import Person
from sandbox.jira.rest.request import Api, json_body, json_object, listed, number
from sandbox.jira.store import Attachment, Issue

PROPERTY_LIMIT = 32_768


def content_routes(api: Api) -> APIRouter:
    """Routes about what hangs on an issue: attachments, comments, remote links, properties."""
    router = APIRouter()
    caller = Depends(api.caller)
    tracker, represent, store = api.tracker, api.represent, api.store

    @router.get("/attachment/meta", dependencies=[caller])
    async def attachment_meta() -> dict[str, Any]:
        return {"enabled": True, "uploadLimit": api.upload_limit}

    @router.get("/attachment/{attachment_id}")
    async def get_attachment(attachment_id: str, person: Person = caller) -> dict[str, Any]:
        return represent.attachment_alone(find_attachment(api, attachment_id, person))

    @router.delete("/attachment/{attachment_id}", status_code=204)
    async def delete_attachment(attachment_id: str, person: Person = caller) -> Response:
        tracker.remove_attachment(find_attachment(api, attachment_id, person), person)
        return Response(status_code=204)

    @router.post("/issue/{id_or_key}/attachments")
    async def attach(request: Request, id_or_key: str, person: Person = caller) -> list[dict[str, Any]]:
        if request.headers.get("x-atlassian-token", "").lower() not in ("no-check", "nocheck"):
            raise JiraRefusal(403, ["XSRF check failed"])
        uploads = await _uploads(request, api.upload_limit)
        issue = tracker.issue(id_or_key, person)
        return [
            represent.attachment(tracker.attach(issue, name, mime_type, content, person))
            for name, mime_type, content in uploads
        ]

    @router.get("/issue/{id_or_key}/comment")
    async def get_comments(
        request: Request, id_or_key: str, orderBy: str = "created", person: Person = caller
    ) -> dict[str, Any]:
        issue = tracker.issue(id_or_key, person)
        comments = store.comments(issue.id)
        if orderBy.startswith("-"):
            comments.reverse()
        start_at = number(request.query_params.get("startAt"), "startAt", 0)
        max_results = number(request.query_params.get("maxResults"), "maxResults", 1048576)
        rendered = "renderedBody" in listed(request, "expand")
        page = comments[start_at : start_at + max_results]
        return {
            "startAt": start_at,
            "maxResults": max_results,
            "total": len(comments),
            "comments": [represent.comment(comment, rendered) for comment in page],
        }

    @router.post("/issue/{id_or_key}/comment", status_code=201)
    async def add_comment(request: Request, id_or_key: str, person: Person = caller) -> dict[str, Any]:
        text = fields.read_comment_body((await json_object(request)).get("body"))
        issue = tracker.issue(id_or_key, person)
        return represent.comment(tracker.comment(issue, text, person))

    @router.get("/issue/{id_or_key}/comment/{comment_id}")
    async def get_comment(id_or_key: str, comment_id: str, person: Person = caller) -> dict[str, Any]:
        return represent.comment(tracker.find_comment(tracker.issue(id_or_key, person), comment_id))

    @router.put("/issue/{id_or_key}/comment/{comment_id}")
    async def edit_comment(
        request: Request, id_or_key: str, comment_id: str, person: Person = caller
    ) -> dict[str, Any]:
        text = fields.read_comment_body((await json_object(request)).get("body"))
        issue = tracker.issue(id_or_key, person)
        comment = tracker.find_comment(issue, comment_id)
        return represent.comment(tracker.edit_comment(issue, comment, text, person))

    @router.delete("/issue/{id_or_key}/comment/{comment_id}", status_code=204)
    async def delete_comment(id_or_key: str, comment_id: str, person: Person = caller) -> Response:
        issue = tracker.issue(id_or_key, person)
        tracker.remove_comment(issue, tracker.find_comment(issue, comment_id), person)
        return Response(status_code=204)

    @router.get("/issue/{id_or_key}/remotelink")
    async def get_remote_links(id_or_key: str, globalId: str | None = None, person: Person = caller) -> Any:
        issue = tracker.issue(id_or_key, person)
        links = store.remote_links(issue.id)
        if globalId is None:
            return [represent.remote_link(issue, link) for link in links]
        for link in links:
            if link.global_id == globalId:
                return represent.remote_link(issue, link)
        raise JiraRefusal(404, [f"A remote issue link with global id '{globalId}' does not exist."])

    @router.post("/issue/{id_or_key}/remotelink")
    async def put_remote_link(request: Request, id_or_key: str, person: Person = caller) -> JSONResponse:
        body = await json_object(request)
        issue = tracker.issue(id_or_key, person)
        _check_remote_link(body)
        link_id, new = tracker.link(issue, body, person)
        own = f"{represent.base_url}/rest/api/2/issue/{issue.key}/remotelink/{link_id}"
        return JSONResponse({"id": link_id, "self": own}, status_code=201 if new else 200)

    @router.get("/issue/{id_or_key}/remotelink/{link_id}")
    async def get_remote_link(id_or_key: str, link_id: str, person: Person = caller) -> dict[str, Any]:
        issue = tracker.issue(id_or_key, person)
        for link in store.remote_links(issue.id):
            if str(link.id) == link_id:
                return represent.remote_link(issue, link)
        raise JiraRefusal(404, [f"A remote issue link with id '{link_id}' does not exist."])

    @router.delete("/issue/{id_or_key}/remotelink/{link_id}", status_code=204)
    async def delete_remote_link(id_or_key: str, link_id: str, person: Person = caller) -> Response:
        await get_remote_link(id_or_key, link_id, person)
        store.delete_remote_link(int(link_id))
        return Response(status_code=204)

    @router.get("/issue/{id_or_key}/properties")
    async def get_properties(id_or_key: str, person: Person = caller) -> dict[str, Any]:
        issue = tracker.issue(id_or_key, person)
        return {"keys": [_property_key(issue, key) for key in store.properties(issue.id)]}

    def _property_key(issue: Issue, key: str) -> dict[str, str]:
        own = f"{represent.base_url}/rest/api/2/issue/{issue.id}/properties/{quote(key, safe='')}"
        return {"self": own, "key": key}

    @router.get("/issue/{id_or_key}/properties/{key}")
    async def get_property(id_or_key: str, key: str, person: Person = caller) -> dict[str, Any]:
        properties = store.properties(tracker.issue(id_or_key, person).id)
        if key not in properties:
            raise JiraRefusal(404, [f"The property '{key}' does not exist."])
        return {"key": key, "value": properties[key]}

    @router.put("/issue/{id_or_key}/properties/{key}")
    async def put_property(request: Request, id_or_key: str, key: str, person: Person = caller) -> Response:
        value = await json_body(request)
        if len(key) > 255 or len(await request.body()) > PROPERTY_LIMIT:
            raise JiraRefusal(
                400, [f"A property key has at most 255 characters, its value at most {PROPERTY_LIMIT} bytes."]
            )
        new = store.put_property(tracker.issue(id_or_key, person).id, key, value)
        return Response(status_code=201 if new else 200)

    @router.delete("/issue/{id_or_key}/properties/{key}", status_code=204)
    async def delete_property(id_or_key: str, key: str, person: Person = caller) -> Response:
        await get_property(id_or_key, key, person)
        store.delete_property(tracker.issue(id_or_key, person).id, key)
        return Response(status_code=204)

    return router


def find_attachment(api: Api, attachment_id: str, viewer: Person | None) -> Attachment:
    """An attachment by the id in a URL, if the viewer may see its issue; None may see every issue.

    Raises:
        JiraRefusal: 404.
    """
    readable = attachment_id.isascii() and attachment_id.isdigit() and len(attachment_id) < 19
    found = api.store.find_attachment(int(attachment_id)) if readable else None
    if found is None or (viewer and api.store.is_hidden(found.issue_id, viewer)):
        raise JiraRefusal(404, [f"The attachment with id '{attachment_id}' does not exist"])
    return found


async def _uploads(request: Request, limit: int) -> list[tuple[str, str, bytes]]:
    """Name, MIME type and bytes of every part called `file`."""
    declared = number(request.headers.get("content-length"), "Content-Length", 0)
    # The multipart frame around the file is small; a request beyond this cannot hold an allowed file.
    if declared > limit + 64 * 1024:
        raise _too_large("attachment", limit)
    try:
        form = await request.form()
    except (MultiPartException, AssertionError) as problem:
        raise JiraRefusal(400, [f"The request is not valid multipart/form-data: {problem}"]) from None
    uploads = []
    for part in form.getlist("file"):
        if not isinstance(part, UploadFile) or not part.filename:
            # Jira breaks on a part without a file name, and clients have met it doing so.
            raise JiraRefusal(500, ["Internal server error: the part 'file' has no file name."])
        content = await part.read()
        if len(content) > limit:
            raise _too_large(part.filename, limit)
        name = part.filename.replace("\\", "/").rpartition("/")[2]
        mime_type = part.content_type or "application/octet-stream"
        if mime_type == "application/octet-stream":
            mime_type = mimetypes.guess_type(name)[0] or mime_type
        uploads.append((name, mime_type, content))
    return uploads


def _too_large(filename: str, limit: int) -> JiraRefusal:
    return JiraRefusal(413, [f"The file '{filename}' exceeds its maximum permitted size of {limit} bytes."])


def _check_remote_link(body: Mapping[str, Any]) -> None:
    target = body.get("object")
    errors = {}
    for name in ("title", "url"):
        if not isinstance(target, Mapping) or not isinstance(target.get(name), str) or not target[name]:
            errors[name] = f"'{name}' is required."
    global_id = body.get("globalId")
    if global_id is not None and (not isinstance(global_id, str) or not 0 < len(global_id) <= 255):
        errors["globalId"] = "'globalId' must be a text of 1 to 255 characters."
    if errors:
        raise JiraRefusal(400, errors=errors)
