"""Who is looking, what they may do, whether a form comes from a page of ours, and the headers of every answer.

The console decides nothing about identity; whoever mounts it injects that. A form is taken only with a token signed for
this user and this browser's cookie (a signed double submit), and only from our own origin. Nothing is loaded from
elsewhere, and nobody else may frame the console.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, cast
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ciclo.locale import _

CSRF_COOKIE = "ciclo_csrf"
CSRF_FIELD = "csrf"
SEEN_FIELD = "seen"
LARGEST_BODY = 16 * 1024
_FORM = "application/x-www-form-urlencoded"
_NONCE_BYTES = 32
_NONCE_LENGTH = 43


def seen_mark(*facts: object) -> str:
    """Return the mark of what a form shows a person to decide about: another one, once that has changed."""
    return sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def seen_of(row: Any, evidence: Mapping[str, Any] | None = None) -> str:
    """Return the mark of a period, of an execution with its evidence, or of a finding."""
    facts = [getattr(row, name, None) for name in ("state", "expected", "found", "amount")]
    reason, figures = getattr(row, "reason", None), evidence or {}
    return seen_mark(*facts, reason and reason.fact, figures.get("figures"), figures.get("late"))


@dataclass(frozen=True, slots=True)
class User:
    """Whoever is signed in: `id` never changes, `name` goes into the audit trail."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user as this request sees them, with the browser's CSRF nonce and the token that goes with it."""

    user: User
    may_act: bool
    nonce: str
    token: str


class TokenSigner:
    """Signs CSRF tokens with the deployment's secret, so that any of its API servers can check them."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"ciclo console csrf", "sha256")

    def sign(self, nonce: str, user_id: str) -> str:
        """Return the token for a browser's nonce and a user."""
        return hmac.new(self._key, f"{nonce}\0{user_id}".encode(), "sha256").hexdigest()


def remember_viewer(request: Request, user: User, *, may_act: bool, signer: TokenSigner) -> None:
    """Keep who is looking on the request; make a nonce for a browser that has none."""
    nonce = request.cookies.get(CSRF_COOKIE, "")
    if len(nonce) != _NONCE_LENGTH or not nonce.isascii():
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
    request.state.viewer = Viewer(user, may_act, nonce, signer.sign(nonce, user.id))


def viewer(request: Request) -> Viewer:
    """Return who is looking; the app's own dependency has put it there."""
    return cast("Viewer", request.state.viewer)


ViewerDep = Annotated[Viewer, Depends(viewer)]


def remember_browser(request: Request, response: Response) -> None:
    """Give the browser its nonce: unreadable for scripts, never sent from another site."""
    looking = viewer(request)
    if request.cookies.get(CSRF_COOKIE) != looking.nonce:
        path = request.scope.get("root_path") or "/"
        secure = request.url.scheme == "https"
        response.set_cookie(CSRF_COOKIE, looking.nonce, path=path, secure=secure, httponly=True, samesite="strict")


async def checked_form(request: Request, looking: ViewerDep) -> Mapping[str, str]:
    """Return the fields of a form that this viewer may send.

    Raises:
        HTTPException: 403 (no permission, not our form), 413 (too large), 415 or 400 (not a form).
    """
    if not looking.may_act:
        raise HTTPException(403, _("You may look, but not act: acting needs permission to trigger issue_invoices."))
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, _("This form was not sent by the console."))
    fields = _fields(await _body(request), request.headers.get("content-type", ""))
    if not hmac.compare_digest(fields.get(CSRF_FIELD, "").encode(), looking.token.encode()):
        raise HTTPException(
            403, _("This form has expired or was not sent by the console. Reload the page, then try again.")
        )
    return fields


FormDep = Annotated[Mapping[str, str], Depends(checked_form)]


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, _("The form is larger than {size} KiB.").format(size=LARGEST_BODY // 1024))
    return bytes(body)


def _fields(body: bytes, content_type: str) -> dict[str, str]:
    if content_type.partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415, _("Send a form as {kind}.").format(kind=_FORM))
    try:
        parsed = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise HTTPException(400, _("The form cannot be read.")) from error
    return {name: values[-1] for name, values in parsed.items()}


_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}


class SecurityHeaders:
    """Adds the headers to every answer of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
