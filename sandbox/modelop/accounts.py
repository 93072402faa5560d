"""Who may use the sandbox. These accounts are fixed and public; they protect nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    """A person or service that may call the REST interface."""

    username: str
    password: str
    may_write: bool


SERVICE_ACCOUNT = Account("svc-mlc", "svc-mlc-password", may_write=True)
VIEWER = Account("viewer", "viewer-password", may_write=False)
ACCOUNTS = {account.username: account for account in (SERVICE_ACCOUNT, VIEWER)}

STATIC_TOKEN = "sandbox-modelop-token"
"""A bearer token that never expires and acts as `SERVICE_ACCOUNT`."""

OAUTH_CLIENT_ID = "internal-client"
OAUTH_CLIENT_SECRET = "internal-client-secret"
OAUTH_SCOPE = "modelop_client"
"""Client credentials for `POST /oauth2/token`; the client acts as `SERVICE_ACCOUNT`."""
