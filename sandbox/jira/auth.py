"""Who is calling: HTTP Basic and Bearer for clients, a signed cookie for visitors of the board."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

from sandbox.jira.edition import Edition
from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import PEOPLE, Person, find_person, person_by_email

COOKIE = "jira-sandbox-session"


class Unauthenticated(JiraRefusal):
    """401, with the body Jira uses for it."""

    def __init__(self, base_url: str, *, failed: bool) -> None:
        reason = "AUTHENTICATED_FAILED" if failed else "OUT"
        realm = quote(base_url, safe="")
        super().__init__(
            401,
            ["Client must be authenticated to access this resource."],
            headers={"WWW-Authenticate": f'OAuth realm="{realm}"', "X-Seraph-LoginReason": reason},
        )

    def body(self) -> dict[str, object]:
        """Jira's authentication error, which is no error collection."""
        return {"message": self.messages[0], "status-code": 401}


class BearerRefused(JiraRefusal):
    """403: a Cloud site takes a bearer token for that of an installed app, and cannot read any other."""

    def __init__(self) -> None:
        super().__init__(403, ["The bearer token is no session token of an installed app."])

    def body(self) -> dict[str, object]:
        """Cloud's gateway answers with a body of its own."""
        return {"error": self.messages[0]}


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


class Authentication:
    """Reads the credentials of a request as one edition of Jira takes them.

    Data Center takes a user name with its password, or a personal access token as bearer; Cloud takes an e-mail
    address with an API token.

    Args:
        base_url: named in refusals.
        edition: whose rules apply.
    """

    def __init__(self, base_url: str, edition: Edition) -> None:
        self._base_url = base_url
        self._edition = edition

    def identify(self, request: Request) -> Person | None:
        """The account whose credentials a request carries, None without any.

        Raises:
            Unauthenticated: there are credentials and they are wrong.
            BearerRefused: a bearer token on Cloud.
        """
        header = request.headers.get("authorization")
        if header is None:
            return None
        scheme, _, credentials = header.partition(" ")
        readers = {"basic": self._basic, "bearer": self._bearer}
        reader = readers.get(scheme.lower())
        person = reader(credentials.strip()) if reader else None
        if person is None:
            raise Unauthenticated(self._base_url, failed=True)
        return person

    def require(self, request: Request) -> Person:
        """The account whose credentials a request carries.

        Raises:
            Unauthenticated: no credentials, or wrong ones.
            BearerRefused: a bearer token on Cloud.
        """
        person = self.identify(request)
        if person is None:
            raise Unauthenticated(self._base_url, failed=False)
        return person

    def _basic(self, credentials: str) -> Person | None:
        try:
            name, separator, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        cloud = self._edition is Edition.CLOUD
        person = person_by_email(name) if cloud else find_person(name)
        if person is None or not separator:
            return None
        return person if _same(person.api_token if cloud else person.password, secret) else None

    def _bearer(self, token: str) -> Person | None:
        if self._edition is Edition.CLOUD:
            raise BearerRefused
        return next((person for person in PEOPLE if person.token and _same(person.token, token)), None)


@dataclass(frozen=True)
class Session:
    """A board visitor: a random id, and whom they act as, if they said so."""

    id: str
    person: Person | None = None


class Sessions:
    """Keeps board sessions in signed cookies, so that they outlive a restart without being stored.

    Args:
        secret: signing key.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).hexdigest()

    def read(self, request: Request) -> Session:
        """The session of a request; a new one if it has none, or a forged one."""
        value = request.cookies.get(COOKIE, "")
        content, _, given = value.rpartition(".")
        if content and _same(self._sign("session", content), given):
            session_id, _, name = content.partition(".")
            return Session(session_id, find_person(name))
        return Session(secrets.token_hex(16))

    def cookie(self, session: Session) -> str:
        """The cookie value of a session."""
        content = f"{session.id}.{session.person.name if session.person else ''}"
        return f"{content}.{self._sign('session', content)}"

    def form_token(self, session: Session) -> str:
        """What a form of this session must carry, so that no other site can send it."""
        return self._sign("form", session.id)

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether a form was made for this session."""
        return _same(self.form_token(session), token)

    def download_token(self, attachment_id: int) -> str:
        """What opens the bytes of an attachment without signing in, as Cloud's media links do."""
        return self._sign("download", str(attachment_id))

    def is_download_token(self, attachment_id: int, token: str) -> bool:
        """Whether a token opens this attachment."""
        return _same(self.download_token(attachment_id), token)
