"""Who exists in the sandbox: people, the service account, the administrator, and their groups.

The credentials are published in the README and protect nothing; they exist so that a client's authentication and
the author of every change are real.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.jira.edition import Edition

PRIVACY_OFFICERS = "privacy-officers"
MODEL_RISK = "model-risk"
PRODUCTION_APPROVERS = "production-approvers"
ADMINISTRATORS = "jira-administrators"
USERS = "jira-software-users"

GROUPS = (ADMINISTRATORS, USERS, MODEL_RISK, PRIVACY_OFFICERS, PRODUCTION_APPROVERS)


@dataclass(frozen=True)
class Person:
    """An account.

    Attributes:
        name: what a person signs in with, and what REST calls `name`.
        key: the immutable identifier Data Center gives an account; it is not the name.
        display_name: what pages and changelogs show.
        password: for HTTP Basic on Data Center.
        groups: group names beside `jira-software-users`, which everybody is in.
        token: personal access token for HTTP Bearer on Data Center, if the account has one.
        on_board: whether a visitor of the board page can act as this account.
        account_type: what Cloud calls the kind of account: `atlassian` for people, `app` for automations.
    """

    name: str
    key: str
    display_name: str
    password: str
    groups: tuple[str, ...] = ()
    token: str | None = None
    on_board: bool = True
    account_type: str = "atlassian"

    @property
    def account_id(self) -> str:
        """What Cloud knows the account by; it has neither `name` nor `key` there."""
        return f"5b10ac8d82e05b22cc7{self.key[-5:]}"

    @property
    def api_token(self) -> str:
        """What the account signs in with on Cloud, together with its e-mail address."""
        return self.token or f"{self.name}-api-token"

    @property
    def email(self) -> str:
        """The account's e-mail address, in a domain that cannot exist."""
        return f"{self.name}@sandbox.invalid"

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Every group of the account, sorted."""
        return tuple(sorted((USERS, *self.groups)))

    @property
    def is_administrator(self) -> bool:
        """Whether the account may manage webhooks and list groups."""
        return ADMINISTRATORS in self.groups


PEOPLE = (
    Person("rita", "JIRAUSER10101", "Rita Requester", "rita-password"),
    Person("paul", "JIRAUSER10102", "Paul Privacy (privacy officer)", "paul-password", (PRIVACY_OFFICERS,)),
    Person("vera", "JIRAUSER10103", "Vera Reviewer (model risk)", "vera-password", (MODEL_RISK,)),
    Person("aaron", "JIRAUSER10104", "Aaron Approver (production)", "aaron-password", (PRODUCTION_APPROVERS,)),
    Person(
        "svc-mlc",
        "JIRAUSER10100",
        "Model life cycle (service account)",
        "svc-mlc-password",
        token="sandbox-jira-token",
        on_board=False,
    ),
    Person(
        "automation",
        "JIRAUSER10001",
        "Automation for Jira",
        "automation-password",
        on_board=False,
        account_type="app",
    ),
    Person("admin", "JIRAUSER10000", "Jira Administrator", "admin-password", (ADMINISTRATORS,), on_board=False),
)

_BY_NAME = {person.name: person for person in PEOPLE}
_BY_KEY = {person.key: person for person in PEOPLE}
_BY_ACCOUNT_ID = {person.account_id: person for person in PEOPLE}


def find_person(name: str | None) -> Person | None:
    """The account with this user name in any case, or None."""
    return _BY_NAME.get(name.lower()) if name else None


def person_by_key(key: str) -> Person | None:
    """The account with this immutable key, or None."""
    return _BY_KEY.get(key)


def person_by_account_id(account_id: str) -> Person | None:
    """The account with this Cloud account id, or None."""
    return _BY_ACCOUNT_ID.get(account_id)


def person_by_email(email: str) -> Person | None:
    """The account with this e-mail address in any case, or None."""
    return next((person for person in PEOPLE if person.email == email.lower()), None)


def find_account(reference: str, edition: Edition) -> Person | None:
    """Whom a client means by a text: an account id on Cloud, a user name or a key on Data Center."""
    if edition is Edition.CLOUD:
        return person_by_account_id(reference)
    return find_person(reference) or person_by_key(reference)


def members_of(group: str) -> tuple[Person, ...]:
    """The accounts in a group, by name; empty for a group that does not exist."""
    return tuple(sorted((p for p in PEOPLE if group in p.all_groups), key=lambda person: person.name))
