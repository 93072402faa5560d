"""Administration of webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sandbox.jira.errors import JiraRefusal
from sandbox.jira.jql import JqlError, parse
from sandbox.jira.people import Person
from sandbox.jira.rest.request import Api, flag, json_object
from sandbox.jira.webhooks import EVENTS


def webhook_routes(api: Api) -> APIRouter:
    """Administration of webhooks; only for the administrator, as on a real site."""
    router = APIRouter()
    store, represent = api.store, api.represent

    def administrator(person: Person = Depends(api.caller)) -> Person:
        if not person.is_administrator:
            raise JiraRefusal(403, ["You do not have permission to manage webhooks; only administrators have."])
        return person

    admin = Depends(administrator)

    @router.get("/webhooks", dependencies=[admin])
    async def webhooks() -> list[dict[str, Any]]:
        return [represent.webhook(webhook) for webhook in store.webhooks()]

    @router.get("/webhooks/{webhook_id}", dependencies=[admin])
    async def get_webhook(webhook_id: str) -> dict[str, Any]:
        for webhook in store.webhooks():
            if str(webhook.id) == webhook_id:
                return represent.webhook(webhook)
        raise JiraRefusal(404, [f"There is no webhook with id '{webhook_id}'."])

    @router.post("/webhooks", status_code=201, dependencies=[admin])
    async def create_webhook(request: Request) -> dict[str, Any]:
        body = await json_object(request)
        url, events, jql, secret = _webhook(body)
        active = flag(body.get("active"), default=True)
        webhook_id = store.insert_webhook(str(body.get("name") or url), url, events, jql, secret, active)
        return await get_webhook(str(webhook_id))

    @router.delete("/webhooks/{webhook_id}", status_code=204, dependencies=[admin])
    async def delete_webhook(webhook_id: str) -> Response:
        await get_webhook(webhook_id)
        store.delete_webhook(int(webhook_id))
        return Response(status_code=204)

    return router


def _webhook(body: Mapping[str, Any]) -> tuple[str, list[str], str, str | None]:
    """URL, events, JQL filter and secret of a registration.

    Data Center's documentation names `FILTERS` and `EXCLUDE_BODY` of the configuration, but not the member that
    holds the secret; `SECRET` in any case is assumed.
    """
    url = body.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise JiraRefusal(400, errors={"url": "'url' must be an absolute http or https URL."})
    events = body.get("events")
    if not isinstance(events, list) or not events or not set(events) <= set(EVENTS):
        raise JiraRefusal(400, errors={"events": f"'events' must be a list out of {', '.join(EVENTS)}."})
    raw = body.get("configuration") or {}
    if not isinstance(raw, Mapping):
        raise JiraRefusal(400, errors={"configuration": "'configuration' must be an object."})
    configuration = {str(name).lower(): value for name, value in raw.items()}
    jql = str(configuration.get("filters") or "")
    try:
        parse(jql)
    except JqlError as problem:
        raise JiraRefusal(400, errors={"configuration": str(problem)}) from None
    secret = configuration.get("secret")
    return url, [str(event) for event in events], jql, str(secret) if secret else None
