"""Bearer tokens: checked on every call of the REST interface, issued for passwords and client credentials."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from sandbox.modelop.accounts import (
    ACCOUNTS,
    OAUTH_CLIENT_ID,
    OAUTH_CLIENT_SECRET,
    OAUTH_SCOPE,
    SERVICE_ACCOUNT,
    Account,
)
from sandbox.modelop.errors import ApiError
from sandbox.modelop.store import Store, TokenRecord

REFRESH_LIFETIME = 24 * 3600.0
"""Seconds for which a refresh token may be used."""


class Authority:
    """Issues and checks bearer tokens.

    Args:
        store: keeps issued tokens, so that they outlive a restart.
        static_token: a token that never expires and acts as the service account.
        token_lifetime: seconds for which an access token is good.
    """

    def __init__(self, store: Store, *, static_token: str, token_lifetime: float) -> None:
        self._store = store
        self._static_token = static_token
        self._token_lifetime = token_lifetime

    def account_of(self, request: Request) -> Account:
        """Who makes this request.

        Raises:
            ApiError: 401, no token, an unknown or an expired one; 403, a write by someone who may only read.
        """
        account = self._account_of_token(_bearer_token(request))
        if request.method not in ("GET", "HEAD") and not account.may_write:
            raise ApiError(403, f"User {account.username!r} may only read; use an account that may write.")
        return account

    def password_grant(self, username: str, password: str) -> dict[str, Any]:
        """Tokens for a user and password.

        Raises:
            ApiError: 401, there is no such user or the password is wrong.
        """
        account = ACCOUNTS.get(username)
        if account is None or not _same(account.password, password):
            raise ApiError(401, "Bad credentials: check the fields username and password.")
        return self._issue(account.username, with_refresh=True)

    def refresh_grant(self, refresh_token: str) -> dict[str, Any]:
        """Fresh tokens for a refresh token.

        Raises:
            ApiError: 401, the refresh token is unknown or expired.
        """
        record = self._store.token(refresh_token)
        if record is None or record.kind != "refresh" or record.expires < time.time():
            raise ApiError(401, "The refresh token is unknown or expired: log in with username and password.")
        return self._issue(record.username, with_refresh=True)

    def client_grant(self) -> dict[str, Any]:
        """An access token for the OAuth2 client."""
        return {**self._issue(SERVICE_ACCOUNT.username, with_refresh=False), "scope": OAUTH_SCOPE}

    def _account_of_token(self, token: str) -> Account:
        if _same(token, self._static_token):
            return SERVICE_ACCOUNT
        record = self._store.token(token)
        if record is None or record.kind != "access":
            raise _unauthorized("The bearer token is not known.")
        if record.expires < time.time():
            raise _unauthorized("The bearer token has expired; ask for a new one.")
        return ACCOUNTS[record.username]

    def _issue(self, username: str, *, with_refresh: bool) -> dict[str, Any]:
        now = time.time()
        access = secrets.token_urlsafe(32)
        self._store.add_token(access, TokenRecord(username, "access", now + self._token_lifetime))
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": int(self._token_lifetime)}
        if with_refresh:
            refresh = secrets.token_urlsafe(32)
            self._store.add_token(refresh, TokenRecord(username, "refresh", now + REFRESH_LIFETIME))
            answer["refresh_token"] = refresh
        return answer


def token_routes(authority: Authority) -> APIRouter:
    """The two places where tokens are had: `POST /gocli/token` and `POST /oauth2/token`."""
    router = APIRouter()

    @router.post("/gocli/token")
    async def log_in(request: Request) -> dict[str, Any]:
        form = await _form(request)
        if form.get("refresh_token"):
            return authority.refresh_grant(str(form["refresh_token"]))
        for field in ("username", "password"):
            if not form.get(field):
                raise ApiError(400, f"The form field {field} is missing.")
        return authority.password_grant(str(form["username"]), str(form["password"]))

    @router.post("/oauth2/token")
    async def client_credentials(request: Request) -> JSONResponse:
        form = await _form(request)
        client_id, client_secret = _client_credentials(request, form)
        if not (_same(client_id, OAUTH_CLIENT_ID) and _same(client_secret, OAUTH_CLIENT_SECRET)):
            return _oauth_error(401, "invalid_client", "The client id or the client secret is wrong.")
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "grant_type must be client_credentials.")
        if OAUTH_SCOPE not in str(form.get("scope", OAUTH_SCOPE)).split():
            return _oauth_error(400, "invalid_scope", f"The scope must be {OAUTH_SCOPE}.")
        return JSONResponse(authority.client_grant(), headers={"Cache-Control": "no-store"})

    return router


def _bearer_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorized("Send the header 'Authorization: Bearer <token>'.")
    return token.strip()


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, message, {"WWW-Authenticate": 'Bearer realm="modelop"'})


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


async def _form(request: Request) -> FormData:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise ApiError(415, "Send the fields as application/x-www-form-urlencoded.")
    return await request.form()


def _client_credentials(request: Request, form: FormData) -> tuple[str, str]:
    """Client id and secret from the Basic header or from the form (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client_id, secret
    return str(form.get("client_id", "")), str(form.get("client_secret", ""))


def _oauth_error(status: int, error: str, description: str) -> JSONResponse:
    """An error as OAuth2 clients expect it (RFC 6749, section 5.2)."""
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
