"""The process's business in Jira: opening, reading, commenting and closing tickets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.identity import RunIdentity
from activities.jira import reading, texts
from activities.jira.adapter import JiraAdapter
from activities.jira.answers import Issue
from activities.jira.settings import JiraSettings
from activities.jira.types import (
    ClosedTickets,
    CloseTicketRequest,
    CommentRequest,
    Gate,
    SupersedeRequest,
    Ticket,
    TicketReading,
    TicketReference,
    TicketRequest,
)
from activities.links import Links

LABEL = "sagemaker-mlc"
PROPERTY = "sagemaker-mlc"

# More rounds than any run can have; all of a run's possible labels are computed to tell its tickets from others'.
MAX_ROUNDS = 200


class _Found(BaseModel):
    """The heartbeat of `open_ticket`: the ticket that this or an earlier attempt has in hand."""

    key: str
    issue_id: str


class JiraActivities:
    """What a run asks of Jira; every activity may be repeated without doing anything twice."""

    def __init__(self, adapter: JiraAdapter, settings: JiraSettings, links: Links) -> None:
        self._jira = adapter
        self._settings = settings
        self._links = links

    @activity.defn(name="open_ticket")
    async def open_ticket(self, request: TicketRequest) -> Ticket:
        """Opens the ticket of one round of one gate, or finds the one that stands there already.

        Raises:
            ApplicationError: with a type of `OutsideError`. A repeated attempt may wait for `ambiguous_wait` before
                it searches, so give the activity that much more time than its calls need.
        """
        label = _label(request.run, request.gate, request.round)
        known = _heartbeat(activity.info().heartbeat_details)
        found = known or await self._search(request, label)
        ticket = found or await self._create(request, label)
        if known is None:
            # The first heartbeat leaves at once; a later one could be held back and die with the worker.
            activity.heartbeat(ticket.model_dump())
        if found:
            ticket = await self._as_it_is_now(found)
        await self._link(ticket, label)
        return Ticket(
            key=ticket.key,
            issue_id=ticket.issue_id,
            url=self._jira.browse_url(ticket.key),
            adopted=found is not None,
        )

    @activity.defn(name="read_ticket")
    async def read_ticket(self, reference: TicketReference) -> TicketReading:
        """Reads a ticket and the decision that its present status stands for.

        Raises:
            ApplicationError: of type `NotFound` and not retried if the ticket is gone or invisible, which is never
                a decision.
        """
        issue = await self._get(reference)
        return reading.read(issue, self._settings, self._jira.browse_url(issue.key))

    @activity.defn(name="comment_ticket")
    async def comment_ticket(self, request: CommentRequest) -> None:
        """Comments a ticket once per purpose."""
        await self._comment(request.run, request.ticket.issue_id, request.purpose, request.text)

    @activity.defn(name="close_ticket")
    async def close_ticket(self, request: CloseTicketRequest) -> None:
        """Says why and moves the ticket to the closing status; one that is final or gone is left alone."""
        await self._close(request.run, request.ticket, "close", texts.closing(request.reason))

    @activity.defn(name="supersede_tickets")
    async def supersede_tickets(self, request: SupersedeRequest) -> ClosedTickets:
        """Closes the tickets that earlier runs of the same workflow id, terminated by somebody, left open."""
        own = {_label(request.run, gate, number) for gate in Gate for number in range(1, MAX_ROUNDS + 1)}
        closed: list[str] = []
        for issue in await self._jira.search_by_label(request.run.workflow_id):
            if reading.is_final(issue, self._settings) or not own.isdisjoint(issue.fields.labels):
                continue
            ticket = TicketReference(issue_id=issue.id, key=issue.key)
            if await self._close(request.run, ticket, "superseded", texts.SUPERSEDED):
                closed.append(issue.key)
        return ClosedTickets(keys=closed)

    async def _search(self, request: TicketRequest, label: str) -> _Found | None:
        """The ticket with this label; None without asking if nothing can have been created yet."""
        attempt = activity.info().attempt
        if request.never_asked and attempt == 1:
            return None
        if attempt > 1:
            await self._until_index_is_trusted()
        issues = await self._jira.search_by_label(label)
        if len(issues) > 1:
            activity.logger.warning(
                "several tickets carry %s: %s is used, the others are duplicates", label, _keys(issues)
            )
        return _Found(key=issues[0].key, issue_id=issues[0].id) if issues else None

    async def _until_index_is_trusted(self) -> None:
        # The attempt before this one may have been killed right after its request, which leaves no error to learn
        # from. When it began is not known here; this attempt was scheduled later, so waiting from then is safe.
        elapsed = datetime.now(UTC) - activity.info().current_attempt_scheduled_time
        await asyncio.sleep(max(0.0, (self._settings.ambiguous_wait - elapsed).total_seconds()))

    async def _create(self, request: TicketRequest, label: str) -> _Found:
        created = await self._jira.create(
            self._fields(request, label),
            {PROPERTY: {"workflowId": request.run.workflow_id, "gate": request.gate.value, "round": request.round}},
        )
        return _Found(key=created.key, issue_id=created.id)

    def _fields(self, request: TicketRequest, label: str) -> dict[str, Any]:
        gate = self._settings.gates.of(request.gate)
        fields: dict[str, Any] = {
            **gate.fields,
            "project": {"key": gate.project or self._settings.project},
            "issuetype": {"name": gate.issue_type or self._settings.issue_type},
            "summary": texts.summary(request.gate, request.content),
            "description": texts.description(request.gate, request.content, self._settings, run_url=self._run_url()),
            "labels": [LABEL, request.run.workflow_id, label],
        }
        if gate.assignee:
            fields["assignee"] = {"name": gate.assignee}
        if gate.priority:
            fields["priority"] = {"name": gate.priority}
        return fields

    async def _as_it_is_now(self, found: _Found) -> _Found:
        issue = await self._get(TicketReference(issue_id=found.issue_id, key=found.key))
        return _Found(key=issue.key, issue_id=issue.id)

    async def _link(self, ticket: _Found, label: str) -> None:
        url = self._run_url()
        if url and not await self._jira.link(
            ticket.issue_id, global_id=label, url=url, title="Implementation run in Temporal"
        ):
            activity.logger.info("ticket %s has no remote link: Jira does not allow it", ticket.key)

    async def _get(self, reference: TicketReference) -> Issue:
        try:
            return await self._jira.get(reference.issue_id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            raise ApplicationError(
                f"Jira shows no ticket {reference.key} (id {reference.issue_id}): it was deleted, or the service "
                "account may not see it any more (restore it or give back the permission, then resume)",
                type=OutsideError.NOT_FOUND,
                non_retryable=True,
            ) from None

    async def _close(self, run: RunIdentity, ticket: TicketReference, purpose: str, text: str) -> bool:
        """Comments and closes an open ticket; False if there was nothing to close."""
        try:
            issue = await self._get(ticket)
            if reading.is_final(issue, self._settings):
                return False
            await self._comment(run, issue.id, purpose, text)
            await self._jira.transition(issue.id, self._settings.close_status)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            activity.logger.info("ticket %s is gone, nothing to close", ticket.key)
            return False
        return True

    async def _comment(self, run: RunIdentity, issue_id: str, purpose: str, text: str) -> None:
        await self._jira.comment(issue_id, mark=run.mark("comment", purpose, issue_id), text=text)

    def _run_url(self) -> str:
        info = activity.info()
        if info.workflow_id is None or info.workflow_run_id is None:
            return ""
        return self._links.run(info.namespace, info.workflow_id, info.workflow_run_id)


def _label(run: RunIdentity, gate: Gate, number: int) -> str:
    return f"mlc-{run.mark(gate, number)}"


def _heartbeat(details: Sequence[Any]) -> _Found | None:
    try:
        return _Found.model_validate(details[0]) if details else None
    except ValidationError:
        return None


def _keys(issues: Sequence[Issue]) -> str:
    return ", ".join(issue.key for issue in issues)
