"""Administration of webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.jql import JqlError, parse
from sandbox.jira.people import Person
from sandbox.jira.rest.request import Api, flag, json_object
from sandbox.jira.webhooks import EVENTS


def webhook_routes(api: Api) -> APIRouter:
    """Administration of webhooks; only for the administrator, as on a real site."""
    router = APIRouter()
    store, represent = api.store, api.represent
    collection, read = _DIALECTS[api.tracker.edition]

    def administrator(person: Person = Depends(api.caller)) -> Person:
        if not person.is_administrator:
            raise JiraRefusal(403, ["You do not have permission to manage webhooks; only administrators have."])
        return person

    admin = Depends(administrator)

    @router.get(collection, dependencies=[admin])
    async def webhooks() -> list[dict[str, Any]]:
        return [represent.webhook(webhook) for webhook in store.webhooks()]

    @router.get(f"{collection}/{{webhook_id}}", dependencies=[admin])
    async def get_webhook(webhook_id: str) -> dict[str, Any]:
        for webhook in store.webhooks():
            if str(webhook.id) == webhook_id:
                return represent.webhook(webhook)
        raise JiraRefusal(404, [f"There is no webhook with id '{webhook_id}'."])

    @router.post(collection, status_code=201, dependencies=[admin])
    async def create_webhook(request: Request) -> dict[str, Any]:
        body = await json_object(request)
        url, events = _receiver(body)
        jql, secret, active = read(body)
        webhook_id = store.insert_webhook(str(body.get("name") or url), url, events, jql, secret, active)
        return await get_webhook(str(webhook_id))

    @router.delete(f"{collection}/{{webhook_id}}", status_code=204, dependencies=[admin])
    async def delete_webhook(webhook_id: str) -> Response:
        await get_webhook(webhook_id)
        store.delete_webhook(int(webhook_id))
        return Response(status_code=204)

    return router


def _receiver(body: Mapping[str, Any]) -> tuple[str, list[str]]:
    """URL and events of a registration."""
    url = body.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise JiraRefusal(400, errors={"url": "'url' must be an absolute http or https URL."})
    events = body.get("events")
    if not isinstance(events, list) or not events or not set(events) <= set(EVENTS):
        raise JiraRefusal(400, errors={"events": f"'events' must be a list out of {', '.join(EVENTS)}."})
    return url, [str(event) for event in events]


def _data_center_options(body: Mapping[str, Any]) -> tuple[str, str | None, bool]:
    """JQL filter, secret and activity of a registration on Data Center.

    Its documentation names `FILTERS` and `EXCLUDE_BODY` of the configuration, but not the member that holds the
    secret; `SECRET` in any case is assumed.
    """
    configuration = {name.lower(): value for name, value in _object(body, "configuration").items()}
    jql = _filter(configuration.get("filters"), "configuration")
    secret = configuration.get("secret")
    return jql, str(secret) if secret else None, flag(body.get("active"), default=True)


def _cloud_options(body: Mapping[str, Any]) -> tuple[str, str | None, bool]:
    """JQL filter, secret and activity of a registration on Cloud."""
    jql = _filter(_object(body, "filters").get("issue-related-events-section"), "filters")
    secret = body.get("secret")
    return jql, str(secret) if secret else None, flag(body.get("enabled"), default=True)


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, Mapping):
        raise JiraRefusal(400, errors={name: f"'{name}' must be an object."})
    return {str(key): entry for key, entry in value.items()}


def _filter(value: object, name: str) -> str:
    jql = str(value or "")
    try:
        parse(jql)
    except JqlError as problem:
        raise JiraRefusal(400, errors={name: str(problem)}) from None
    return jql


# Cloud kept the path and the shape that Data Center had up to version 9.
_DIALECTS = {
    Edition.DATA_CENTER: ("/rest/jira-webhook/1.0/webhooks", _data_center_options),
    Edition.CLOUD: ("/rest/webhooks/1.0/webhook", _cloud_options),
}
