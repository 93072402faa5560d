"""Whether the person who decided a ticket may decide it: four-eyes approval, and the approvers of a gate."""

from __future__ import annotations

from collections.abc import Sequence

from activities.jira.adapter import JiraAdapter
from activities.jira.answers import User
from activities.jira.settings import JiraSettings
from activities.jira.statuses import same_name
from activities.jira.types import Gate, ReadTicketRequest

NOBODY_KNOWN = "Jira does not tell who decided"


async def refusal(request: ReadTicketRequest, person: User | None, jira: JiraAdapter, settings: JiraSettings) -> str:
    """Why somebody's decision does not count; empty if it does.

    Args:
        request: the gate, and whether four eyes are asked for.
        person: who decided, from the changelog.
        jira: asked who we are, and who is in which group.
        settings: names the approvers of each gate.

    Raises:
        ApplicationError: what must be known to answer cannot be read; never taken for a permission.
    """
    if person is None:
        return NOBODY_KNOWN
    reason = await _breaks_four_eyes(request, person, jira) if _four_eyes_apply(request) else ""
    approvers = settings.gates.of(request.gate).approvers if request.gate else []
    if reason or not approvers or await _is_approver(person, approvers, jira):
        return reason
    return f"only {', '.join(approvers)} may decide this ticket"


def _four_eyes_apply(request: ReadTicketRequest) -> bool:
    # Whoever asked for the implementation may well mend its data and have the tests run again.
    return request.four_eyes and request.gate is not Gate.TEST_FAILURE


async def _breaks_four_eyes(request: ReadTicketRequest, person: User, jira: JiraAdapter) -> str:
    if request.requested_by and any(same_name(request.requested_by, name) for name in _names(person)):
        return "who asked for the implementation cannot approve it, another person has to decide"
    ours = await jira.myself()
    if ours.account_id and same_name(ours.account_id, person.account_id):
        return "it was taken with the account of the process itself, a person has to decide"
    return ""


async def _is_approver(person: User, approvers: Sequence[str], jira: JiraAdapter) -> bool:
    # Not by e-mail address: on Data Center people can change their own.
    names = [name for name in (person.account_id, person.key) if name]
    if any(same_name(approver, name) for approver in approvers for name in names):
        return True
    return await jira.is_in_any(person, approvers)


def _names(person: User) -> list[str]:
    """Everything by which a request may have named this person."""
    return [name for name in (person.account_id, person.key, person.email) if name]
