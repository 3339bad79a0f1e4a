"""Which language a page is in: what the reader chose, else Airflow's, else the browser's, else English.

A choice is a link with `?lang=`; a cookie keeps it. What Airflow's own pages are in is known to the browser alone:
`theme.js` puts it into a cookie of its own, and shows the page again where that makes a difference.
"""

from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ciclo.locale import ENGLISH, LANGUAGES, closest, language, speaking

CHOICE = "lang"
CHOSEN_COOKIE = "ciclo_language"
AIRFLOW_COOKIE = "ciclo_airflow_language"
NAMES = {"en": "English", "pt_BR": "Português"}
_A_YEAR = 365 * 24 * 3600


class ReadersLanguage:
    """Puts each request into its reader's language, and remembers a choice."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        chosen = closest(request.query_params.get(CHOICE))
        if chosen and request.method == "GET":
            await _remember(request, chosen)(scope, receive, send)
            return

        async def with_language(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Language", html_language())
                headers.add_vary_header("Accept-Language, Cookie")
            await send(message)

        with speaking(wanted(request)):
            await self._app(scope, receive, with_language)


def wanted(request: Request) -> str:
    """Return the language of a request's reader."""
    asked = (
        request.cookies.get(CHOSEN_COOKIE),
        request.cookies.get(AIRFLOW_COOKIE),
        request.headers.get("accept-language"),
    )
    return next((known for each in asked if (known := closest(each))), ENGLISH)


def choices(request: Request) -> list[tuple[str, str, str]]:
    """Return the other languages: name, code as HTML writes it, and URL of the same page in it."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != CHOICE]
    return [
        (NAMES[each], each.replace("_", "-"), f"{request.url.path}?{urlencode([*kept, (CHOICE, each)])}")
        for each in LANGUAGES
        if each != language()
    ]


def html_language() -> str:
    """Return the language of here and now as HTML writes it: `pt-BR`."""
    return language().replace("_", "-")


def _remember(request: Request, chosen: str) -> RedirectResponse:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != CHOICE]
    response = RedirectResponse(f"{request.url.path}{'?' if kept else ''}{urlencode(kept)}", 303)
    response.headers["Cache-Control"] = "no-store"
    path, secure = request.scope.get("root_path") or "/", request.url.scheme == "https"
    response.set_cookie(CHOSEN_COOKIE, chosen, _A_YEAR, path=path, secure=secure, httponly=True, samesite="lax")
    return response
