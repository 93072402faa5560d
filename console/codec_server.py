"""The codec server: shows encrypted payloads to those who may read them, in the Temporal Web UI and its command line.

The protocol is Temporal's remote codec: `POST /decode` and `POST /encode`, a JSON object with `payloads` in and out,
bytes as base64. The command line sends a token; a browser signs in on this server's own page and then sends a cookie.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.api.common.v1 import Payload, Payloads

from console.faults import ConsoleFault
from console.web_server import serve
from worker.encryption import KEYS_VARIABLE, DecryptionError, KeyRing
from worker.settings import load_codec_server_settings, load_encryption_settings

# A page of a history holds at most 4 MB, which base64 makes a third longer; the rest is room.
MAX_BODY_BYTES = 16 * 1024 * 1024
# Anybody may send a form.
MAX_FORM_BYTES = 4096
BODY_SECONDS = 10.0
SESSION_SECONDS = 8 * 60 * 60
COOKIE = "mlc-codec-session"

_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,255}")
_PREFLIGHT_SECONDS = "600"
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Codec server</title></head><body>
<h1>Codec server</h1><p>{said}</p><form method="post" action="session">
<label>Access token <input name="token" type="password" autocomplete="off" required></label> <button>Sign in</button>
</form><p>Then let the Temporal Web UI include cross-origin credentials.</p></body></html>"""

logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is answered with this status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Access:
    """Who may read: callers with one of the tokens, and browsers that were signed in with one."""

    def __init__(self, tokens: Sequence[SecretStr], origins: Sequence[str]) -> None:
        """Takes the tokens, and the origins whose pages may use a browser's session."""
        self._tokens = [token.get_secret_value().encode() for token in tokens]
        self._origins = frozenset(origins)

    def admits(self, request: Request) -> bool:
        """Whether the request carries a token, or a session and comes from a page of ours."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._known(token.strip()):
            return True
        # A browser sends the cookie for whatever page asks; a page's own origin it does not let it choose.
        return request.headers.get("origin") in self._origins and self._signed_in(request.cookies.get(COOKIE, ""))

    def session(self, token: str) -> str | None:
        """The value of a session cookie, or None for a token that is none of ours."""
        if not self._known(token):
            return None
        expiry = str(int(time.time()) + SESSION_SECONDS)
        return f"{expiry}.{_signature(token.encode(), expiry)}"

    def _known(self, offered: str) -> bool:
        # Every token is compared, so that the time of an answer does not tell which of them came near.
        matches = [hmac.compare_digest(token, offered.encode(errors="replace")) for token in self._tokens]
        return any(matches)

    def _signed_in(self, cookie: str) -> bool:
        expiry, _, signature = cookie.partition(".")
        if not (expiry.isascii() and expiry.isdecimal() and len(expiry) < 16) or int(expiry) < time.time():
            return False
        offered = signature.encode(errors="replace")
        matches = [hmac.compare_digest(_signature(token, expiry).encode(), offered) for token in self._tokens]
        return any(matches)


class CodecServer:
    """Handlers of the routes; `create_app` puts them together."""

    def __init__(self, ring: KeyRing, access: Access) -> None:
        """Takes the keys, and who may have them used."""
        self._ring = ring
        self._access = access

    async def encode(self, request: Request) -> Response:
        """`POST /encode`: encrypts under the active key, for what is started or signalled from the Web UI."""
        return await self._answer(request, "encoded", self._ring.encrypt)

    async def decode(self, request: Request) -> Response:
        """`POST /decode`: decrypts; what was never encrypted comes back as it is."""
        return await self._answer(request, "decoded", self._ring.decrypt)

    async def healthz(self, request: Request) -> Response:
        """`GET /healthz`: this process answers."""
        return JSONResponse({"status": "ok"})

    async def page(self, request: Request) -> Response:
        """`GET /`: where a browser signs in."""
        return _page("Sign in to read payloads in the Temporal Web UI of this browser.")

    async def sign_in(self, request: Request) -> Response:
        """`POST /session`: exchanges a token for a cookie that ends by itself."""
        try:
            form = parse_qs((await _read_body(request, MAX_FORM_BYTES)).decode("latin-1"), max_num_fields=4)
        except (_Refused, ValueError):
            return _page("That was no token.", status=400)
        session = self._access.session(form.get("token", [""])[0].strip())
        if session is None:
            logger.warning("sign-in refused: unknown token")
            return _page("This token is not accepted.", status=401)
        answer = RedirectResponse("signed-in", status_code=303)
        answer.set_cookie(
            COOKIE,
            session,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def signed_in(self, request: Request) -> Response:
        """`GET /signed-in`: says that it worked, or that the browser keeps no cookie."""
        kept = COOKIE in request.cookies
        return _page("You are signed in for eight hours." if kept else "The browser did not keep the session.")

    async def _answer(self, request: Request, done: str, convert: Callable[[Payload], Payload]) -> Response:
        try:
            if not self._access.admits(request):
                raise _Refused(401, "unauthorized: a bearer token, or a browser's session, of this codec server")
            payloads = _payloads(await _read_body(request))
            converted = [convert(payload) for payload in payloads]
        except _Refused as refused:
            return _refusal(request, refused)
        except DecryptionError as error:
            return _refusal(request, _Refused(400, str(error)))
        logger.info("%s %d payloads of namespace %s", done, len(converted), _namespace(request))
        return JSONResponse({"payloads": [MessageToDict(payload) for payload in converted]})


class CrossOrigin:
    """Lets the pages of the given origins call, and no others: those get no header that would let them.

    Starlette's own middleware tells every origin which methods and headers it would take.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """Takes what it stands before, and the origins such as `http://127.0.0.1:8233`."""
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a browser's preliminary question, and marks the answers to everything else."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        granted = self._granted(headers.get("origin", ""))

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**granted, "Vary": "Origin", "Cache-Control": "no-store"})
            await send(message)

        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(status_code=204 if granted else 403)(scope, receive, marked)
            return
        await self._app(scope, receive, marked)

    def _granted(self, origin: str) -> Mapping[str, str]:
        if origin not in self._origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Namespace",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }


def create_app(ring: KeyRing, *, tokens: Sequence[SecretStr], origins: Sequence[str]) -> Starlette:
    """Builds the codec server as an ASGI application.

    Args:
        ring: the keys.
        tokens: whoever sends one of them may read everything that the keys open.
        origins: scheme, host and port under which the Web UI is opened.

    Raises:
        ConsoleFault: there is no key or no token.
    """
    if not ring.ciphers:
        raise ConsoleFault(f"the codec server has no keys: set {KEYS_VARIABLE} as it is set for the worker")
    if not tokens:
        raise ConsoleFault(
            "the codec server would decrypt for everybody: set MLC_CODEC_SERVER__TOKENS to a list of access tokens; "
            "`openssl rand -hex 32` makes one"
        )
    server = CodecServer(ring, Access(tokens, origins))
    # The command line puts the namespace into the path where the endpoint is given with {namespace}.
    codec = [
        Route(f"{prefix}/{verb}", handler, methods=["POST"])
        for prefix in ("", "/{namespace}")
        for verb, handler in (("encode", server.encode), ("decode", server.decode))
    ]
    return Starlette(
        routes=[
            *codec,
            Route("/", server.page, methods=["GET"]),
            Route("/session", server.sign_in, methods=["POST"]),
            Route("/signed-in", server.signed_in, methods=["GET"]),
            Route("/healthz", server.healthz, methods=["GET"]),
        ],
        middleware=[Middleware(CrossOrigin, origins=origins)],
    )


async def run_codec_server(*, host: str | None = None, port: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        host: address to listen on, instead of that of the settings.
        port: port to listen on, instead of that of the settings.

    Raises:
        SettingsError: a setting of the codec server or of the encryption is wrong.
        ConsoleFault: there is no key or no token, or the address cannot be listened on.
    """
    settings, ring = load_codec_server_settings(), load_encryption_settings().key_ring()
    app = create_app(ring, tokens=settings.tokens, origins=settings.origins)
    if not settings.origins:
        logger.warning("MLC_CODEC_SERVER__ORIGINS is empty: the command line may read, no Web UI may")
    await serve(
        app,
        host=host or settings.host,
        port=port or settings.port,
        what="the codec server",
        path="/decode",
        remedy="give --host and --port, or set MLC_CODEC_SERVER__HOST and MLC_CODEC_SERVER__PORT, to one that is free",
    )


async def _read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body, of which never more than the allowed size is held."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _Refused(413, f"the body is larger than {limit:,} bytes")
    except TimeoutError as error:
        raise _Refused(408, "the body did not arrive in time") from error
    except ClientDisconnect as error:
        raise _Refused(400, "the sender hung up") from error
    return bytes(body)


def _payloads(body: bytes) -> Sequence[Payload]:
    try:
        given = json.loads(body)
        listed = given.get("payloads", [])
        # Protobuf's parser takes a text for a message without known fields.
        if not all(isinstance(each, dict) for each in listed):
            raise TypeError("a payload is a JSON object")
        return ParseDict({"payloads": listed}, Payloads(), ignore_unknown_fields=True).payloads
    # What the parsers say quotes the body.
    except (AttributeError, TypeError, ParseError, ValueError, RecursionError):
        raise _Refused(
            400, 'the body should be JSON: {"payloads": [{"metadata": {…}, "data": "…"}]}, in base64'
        ) from None


def _signature(token: bytes, expiry: str) -> str:
    return hmac.new(token, f"{COOKIE}.{expiry}".encode(), hashlib.sha256).hexdigest()


def _namespace(request: Request) -> str:
    """For the log: what the caller says, unless it is no name."""
    named = request.headers.get("x-namespace") or request.path_params.get("namespace", "")
    return named if _NAMESPACE.fullmatch(named) else "(none given)"


def _refusal(request: Request, refused: _Refused) -> Response:
    logger.warning("refused for namespace %s: %s (%d)", _namespace(request), refused.reason, refused.status)
    headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else None
    return JSONResponse({"message": refused.reason}, status_code=refused.status, headers=headers)


def _page(said: str, status: int = 200) -> Response:
    policy = {"Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'"}
    return HTMLResponse(_PAGE.format(said=said), status_code=status, headers=policy)
