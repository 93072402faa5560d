"""The process's business in Jira: opening, reading, commenting and closing tickets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.identity import RunIdentity
from activities.jira import approval, progress, reading, texts
from activities.jira.adapter import MAX_BULK, MAX_RECONCILED, JiraAdapter
from activities.jira.answers import Change, Issue, Status, Transition
from activities.jira.failures import UnclearCreationError
from activities.jira.progress import FailedAttempt, FoundTicket
from activities.jira.settings import JiraSettings
from activities.jira.statuses import Statuses, same_name
from activities.jira.types import (
    ClosedTickets,
    CloseTicketRequest,
    CommentRequest,
    DuplicateSearchRequest,
    Gate,
    ReadTicketRequest,
    RefuseDecisionRequest,
    Sighting,
    Sightings,
    SightingsRequest,
    SupersedeRequest,
    Ticket,
    TicketReading,
    TicketReference,
    TicketRequest,
    WithdrawTicketRequest,
)
from activities.links import Links

LABEL = "sagemaker-mlc"
PROPERTY = "sagemaker-mlc"
LABEL_PREFIX = "mlc-"

# More rounds than any run can have; all of a run's possible labels are computed to tell its tickets from others'.
MAX_ROUNDS = 200

# Until Jira tells its statuses, their names serve: no reason to ask again with every ticket that is read.
SECONDS_UNTIL_STATUSES_ARE_ASKED_AGAIN = 600.0

# With these, Jira refuses the caller and not the call: asking for each ticket on its own would only add to it.
_REFUSES_THE_CALLER = (OutsideError.RATE_LIMITED, OutsideError.UNAUTHORIZED)
_ANSWERS_NOTHING = (OutsideError.UNREACHABLE, *_REFUSES_THE_CALLER)


class JiraActivities:
    """What a run asks of Jira; every activity may be repeated without doing anything twice."""

    def __init__(self, adapter: JiraAdapter, settings: JiraSettings, links: Links) -> None:
        self._jira = adapter
        self._settings = settings
        self._statuses = Statuses(settings)
        self._ask_statuses_at = 0.0
        self._links = links

    @activity.defn(name="open_ticket")
    async def open_ticket(self, request: TicketRequest) -> Ticket:
        """Opens the ticket of one round of one gate, or finds the one that stands there already.

        Raises:
            ApplicationError: with a type of `OutsideError`. Unless nobody can have asked before, an attempt may wait
                for `ambiguous_wait` before it believes that there is no ticket yet, so give the activity that much
                more time than its calls need.
        """
        label = _label(request.run, request.gate, request.round)
        known = progress.found_before()
        ticket, adopted = (known, True) if known else await self._find_or_create(request, label)
        if known is None:
            # The first heartbeat leaves at once; a later one could be held back and die with the worker.
            activity.heartbeat(ticket.model_dump())
        if adopted:
            ticket = await self._as_it_is_now(ticket)
        await self._link(ticket, label)
        return Ticket(key=ticket.key, issue_id=ticket.issue_id, url=self._jira.browse_url(ticket.key), adopted=adopted)

    @activity.defn(name="read_ticket")
    async def read_ticket(self, request: ReadTicketRequest) -> TicketReading:
        """Reads a ticket, the decision that its present status stands for, and whether that person may decide.

        Raises:
            ApplicationError: of type `NotFound` and not retried if the ticket is gone or invisible, which is never
                a decision; of type `Forbidden` and not retried if Jira does not tell who may decide, which is never
                a permission.
        """
        await self._know_statuses()
        issue = await self._get(request)
        read = reading.read(issue, self._statuses, self._jira.browse_url(issue.key))
        if read.decision:
            person = reading.decider(issue)
            read.decision.refused_because = await approval.refusal(request, person, self._jira, self._settings)
        return read

    @activity.defn(name="refuse_decision")
    async def refuse_decision(self, request: RefuseDecisionRequest) -> None:
        """Says once that a decision does not count, and moves the ticket back if it still stands as it was decided."""
        issue = await self._get(request.ticket)
        refused = self._standing_change(issue, request.change_id)
        back = await self._way_back(issue, refused, request.back_to) if refused and request.move_back else None
        text = texts.refusal(request.reason, back_to=request.back_to if refused else "", by_us=back is not None)
        await self._comment(request.run, issue.id, f"refuse-{request.change_id}", text)
        if back:
            await self._move_back(issue, back, request.change_id)

    @activity.defn(name="sight_tickets")
    async def sight_tickets(self, request: SightingsRequest) -> Sightings:
        """Reads how many tickets stand, a hundred per call.

        A ticket that cannot be read at this moment is left out, because nothing is known about it.

        Raises:
            ApplicationError: Jira answers nobody at all (unreachable, limited, credentials refused).
        """
        seen: list[Sighting] = []
        if request.keys:
            await self._know_statuses()
        for keys in _batches(list(dict.fromkeys(request.keys)), MAX_BULK):
            seen += await self._sight(keys)
            activity.heartbeat()
        return Sightings(tickets=seen)

    @activity.defn(name="comment_ticket")
    async def comment_ticket(self, request: CommentRequest) -> None:
        """Comments a ticket once per purpose."""
        await self._comment(request.run, request.ticket.issue_id, request.purpose, request.text)

    @activity.defn(name="close_ticket")
    async def close_ticket(self, request: CloseTicketRequest) -> None:
        """Says why and moves the ticket to the closing status; one that is final or gone is left alone."""
        await self._close(request.run, request.ticket, "close", texts.closing(request.reason))

    @activity.defn(name="close_duplicate_tickets")
    async def close_duplicate_tickets(self, request: DuplicateSearchRequest) -> ClosedTickets:
        """Comments and closes every other ticket with a label of one that is waited on; a decided one is commented.

        A duplicate that cannot be closed is logged and left for the next time.
        """
        closed: list[str] = []
        for labels in _batches(sorted(request.waiting), MAX_RECONCILED):
            known = [request.waiting[label] for label in labels]
            issues = await self._jira.search_by_labels(labels, known=known)
            for label in labels:
                closed += await self._close_others(label, request.waiting[label], issues, set(request.waiting.values()))
        return ClosedTickets(keys=closed)

    @activity.defn(name="supersede_tickets")
    async def supersede_tickets(self, request: SupersedeRequest) -> ClosedTickets:
        """Closes the tickets that earlier runs of the same workflow id, terminated by somebody, left open."""
        await self._know_statuses()
        own = {_label(request.run, gate, number) for gate in Gate for number in range(1, MAX_ROUNDS + 1)}
        closed: list[str] = []
        for issue in await self._jira.search_by_labels([request.run.workflow_id]):
            ours = any(label.startswith(LABEL_PREFIX) for label in issue.fields.labels)
            if not ours or not own.isdisjoint(issue.fields.labels) or self._statuses.is_final(issue.fields.status):
                continue
            ticket = TicketReference(issue_id=issue.id, key=issue.key)
            if await self._close(request.run, ticket, "superseded", texts.SUPERSEDED):
                closed.append(issue.key)
        return ClosedTickets(keys=closed)

    @activity.defn(name="withdraw_ticket")
    async def withdraw_ticket(self, request: WithdrawTicketRequest) -> ClosedTickets:
        """Closes whatever ticket an opening that was given up may have left; nothing there is fine.

        Waits until the search can be trusted before it believes that there is none.
        """
        label = _label(request.run, request.gate, request.round)
        if await self._search(label, activity.info().scheduled_time) is None:
            return ClosedTickets(keys=[])
        closed = []
        for issue in await self._jira.search_by_labels([label]):
            ticket = TicketReference(issue_id=issue.id, key=issue.key)
            if await self._close(request.run, ticket, "withdrawn", texts.closing(request.reason)):
                closed.append(issue.key)
        return ClosedTickets(keys=closed)

    async def _know_statuses(self) -> None:
        """Learns the ids of the configured statuses, so that one that is renamed later still means what it did."""
        if self._statuses.are_learnt or time.monotonic() < self._ask_statuses_at:
            return
        try:
            statuses = await self._jira.statuses()
        except ApplicationError as error:
            if error.type in _ANSWERS_NOTHING:
                raise
            activity.logger.warning("statuses are told by their names only: %s", error.message)
        else:
            if self._statuses.learn(statuses):
                return
            activity.logger.warning(
                "Jira has no status for one of the verdicts, so no ticket can get it; set MLC_JIRA__DONE_STATUSES and "
                "MLC_JIRA__REJECTED_STATUSES to some of: %s",
                ", ".join(sorted({status.name for status in statuses})),
            )
        self._ask_statuses_at = time.monotonic() + SECONDS_UNTIL_STATUSES_ARE_ASKED_AGAIN

    async def _find_or_create(self, request: TicketRequest, label: str) -> tuple[FoundTicket, bool]:
        """The ticket, and whether it stood there already; a failure tells the next attempt what it may have left."""
        unclear_since = progress.unclear_since(never_asked=request.never_asked)
        try:
            found = await self._search(label, unclear_since) if unclear_since else None
            return (found, True) if found else (await self._create(request, label), False)
        except ApplicationError as error:
            if isinstance(error, UnclearCreationError):
                unclear_since = datetime.now(UTC)
            failed = FailedAttempt(attempt=activity.info().attempt, unclear_since=unclear_since)
            activity.heartbeat(failed.model_dump(mode="json"))
            raise

    async def _search(self, label: str, unclear_since: datetime) -> FoundTicket | None:
        """The ticket with this label; that there is none is believed once the index can be trusted."""
        found = await self._first_with(label)
        wait = progress.remaining(self._settings.ambiguous_wait, unclear_since, datetime.now(UTC))
        if found or not wait:
            return found
        await asyncio.sleep(wait)
        return await self._first_with(label)

    async def _first_with(self, label: str) -> FoundTicket | None:
        issues = await self._jira.search_by_labels([label])
        if len(issues) > 1:
            activity.logger.warning(
                "several tickets carry %s: %s is used, the others are duplicates", label, _keys(issues)
            )
        return FoundTicket(key=issues[0].key, issue_id=issues[0].id) if issues else None

    async def _create(self, request: TicketRequest, label: str) -> FoundTicket:
        created = await self._jira.create(
            await self._fields(request, label),
            {PROPERTY: {"workflowId": request.run.workflow_id, "gate": request.gate.value, "round": request.round}},
        )
        return FoundTicket(key=created.key, issue_id=created.id)

    async def _fields(self, request: TicketRequest, label: str) -> dict[str, Any]:
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
            fields["assignee"] = await self._jira.user_reference(gate.assignee)
        if gate.priority:
            fields["priority"] = {"name": gate.priority}
        return fields

    async def _as_it_is_now(self, found: FoundTicket) -> FoundTicket:
        issue = await self._get(TicketReference(issue_id=found.issue_id, key=found.key))
        return FoundTicket(key=issue.key, issue_id=issue.id)

    async def _link(self, ticket: FoundTicket, label: str) -> None:
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
            if self._statuses.is_final(issue.fields.status):
                return False
            await self._comment(run, issue.id, purpose, text)
            await self._move_to_closed(issue.id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            activity.logger.info("ticket %s is gone, nothing to close", ticket.key)
            return False
        return True

    async def _move_to_closed(self, issue_id: str) -> bool:
        """Moves a ticket to the closing status; False if it is final, also if somebody makes it final meanwhile."""
        issue = await self._jira.get(issue_id)
        if self._statuses.is_final(issue.fields.status):
            return False
        try:
            moves = await self._jira.transitions(issue_id)
            move = _move_to(moves, self._statuses.closes)
            if move is None:
                raise _no_move(issue, self._settings.close_status, moves)
            await self._jira.transition(issue_id, move.id)
        except ApplicationError as error:
            if error.type != OutsideError.REFUSED:
                raise
            if not self._statuses.is_final((await self._jira.get(issue_id)).fields.status):
                raise
            return False
        return True

    async def _close_others(self, label: str, waited_on: str, issues: Sequence[Issue], kept: set[str]) -> list[str]:
        """Closes the tickets with a label but the one that is waited on; returns the keys of those it closed."""
        others = [issue for issue in issues if label in issue.fields.labels and issue.id not in kept]
        if not others:
            return []
        closed: list[str] = []
        try:
            original = await self._jira.get_standing(waited_on)
            for issue in others:
                if await self._close_duplicate(issue, label, original):
                    closed.append(issue.key)
                activity.heartbeat()
        except ApplicationError as error:
            activity.logger.warning("duplicates %s of ticket %s are left: %s", _keys(others), waited_on, error.message)
        return closed

    async def _close_duplicate(self, issue: Issue, label: str, original: Issue) -> bool:
        text = texts.duplicate(original.key, self._jira.browse_url(original.key))
        await self._jira.comment(issue.id, mark=label.removeprefix(LABEL_PREFIX), text=text)
        return not self._statuses.is_final(issue.fields.status) and await self._move_to_closed(issue.id)

    def _standing_change(self, issue: Issue, change_id: str) -> Change | None:
        """The change that decided a ticket, if the ticket was not moved since; else None."""
        newest = reading.newest_move(issue)
        return newest if newest and str(newest.id) == change_id else None

    async def _way_back(self, issue: Issue, refused: Change, back_to: str) -> Transition | None:
        """The move to the status before the refused change; its id finds it also after it was renamed."""
        item = reading.status_item(refused)
        moves = await self._jira.transitions(issue.id)
        by_id = _move_to(moves, lambda to: item is not None and to.id == item.from_id)
        return by_id or _move_to(moves, lambda to: same_name(to.name, back_to))

    async def _move_back(self, issue: Issue, back: Transition, change_id: str) -> None:
        now = await self._jira.get(issue.id)
        if not self._standing_change(now, change_id):
            return
        try:
            await self._jira.transition(issue.id, back.id)
        except ApplicationError as error:
            # The comment asks people to reopen it; somebody may have moved it in this very moment.
            if error.type not in (OutsideError.REFUSED, OutsideError.FORBIDDEN):
                raise
            activity.logger.warning("ticket %s could not be moved back: %s", issue.key, error.message)

    async def _sight(self, keys: Sequence[str]) -> list[Sighting]:
        """How up to a hundred tickets stand; those that the one call does not tell are read one by one."""
        by_key = {issue.key: issue for issue in await self._standings(keys)}
        seen = [reading.sighting(key, by_key[key], self._statuses) for key in keys if key in by_key]
        for key in (key for key in keys if key not in by_key):
            try:
                seen.append(await self._sight_one(key))
            except ApplicationError as error:
                answers_nothing = error.type in _ANSWERS_NOTHING
                if answers_nothing and not seen:
                    raise
                activity.logger.warning("ticket %s is left out: %s", key, error.message)
                if answers_nothing:
                    return seen
            # A hundred slow answers last longer than the sweep may be silent.
            activity.heartbeat()
        return seen

    async def _standings(self, keys: Sequence[str]) -> list[Issue]:
        try:
            return await self._jira.get_standings(keys)
        except ApplicationError as error:
            if error.type in _REFUSES_THE_CALLER:
                raise
            activity.logger.warning("%d tickets are read one by one: %s", len(keys), error.message)
            return []

    async def _sight_one(self, key: str) -> Sighting:
        try:
            return reading.sighting(key, await self._jira.get_standing(key), self._statuses)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            return Sighting(key=key, missing=True)

    async def _comment(self, run: RunIdentity, issue_id: str, purpose: str, text: str) -> None:
        await self._jira.comment(issue_id, mark=run.mark("comment", purpose, issue_id), text=text)

    def _run_url(self) -> str:
        info = activity.info()
        if info.workflow_id is None or info.workflow_run_id is None:
            return ""
        return self._links.run(info.namespace, info.workflow_id, info.workflow_run_id)


def _label(run: RunIdentity, gate: Gate, number: int) -> str:
    return f"{LABEL_PREFIX}{run.mark(gate, number)}"


def _batches(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _move_to(moves: Sequence[Transition], fits: Callable[[Status], bool]) -> Transition | None:
    return next((move for move in moves if fits(move.to)), None)


def _no_move(issue: Issue, status: str, moves: Sequence[Transition]) -> ApplicationError:
    choices = ", ".join(f'"{move.to.name}"' for move in moves) or "none"
    return ApplicationError(
        f'ticket {issue.key} cannot be moved from "{issue.fields.status.name}" to "{status}": the service account may '
        f"move it to {choices} (add the transition to the project's workflow, or move the ticket by hand)",
        type=OutsideError.REFUSED,
        non_retryable=True,
    )


def _keys(issues: Sequence[Issue]) -> str:
    return ", ".join(issue.key for issue in issues)
