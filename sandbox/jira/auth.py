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

from sandbox.jira.errors import JiraRefusal
from sandbox.jira.people import PEOPLE, Person, find_person

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


def _basic(credentials: str) -> Person | None:
    try:
        name, separator, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    person = find_person(name)
    if person is None or not separator or not person.password:
        return None
    return person if hmac.compare_digest(person.password.encode(), password.encode()) else None


def _bearer(token: str) -> Person | None:
    given = token.strip().encode()
    return next((p for p in PEOPLE if p.token and hmac.compare_digest(p.token.encode(), given)), None)


def authenticated(request: Request, base_url: str) -> Person | None:
    """The account whose credentials a request carries, None without any.

    Raises:
        Unauthenticated: there are credentials and they are wrong.
    """
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, credentials = header.partition(" ")
    readers = {"basic": _basic, "bearer": _bearer}
    reader = readers.get(scheme.lower())
    person = reader(credentials.strip()) if reader else None
    if person is None:
        raise Unauthenticated(base_url, failed=True)
    return person


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
        if content and hmac.compare_digest(self._sign("session", content).encode(), given.encode()):
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
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())
