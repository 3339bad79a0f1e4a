"""What a visitor is told when something is wrong: one sentence on what happened, one on what to do.

The one rule: no page shows a stack trace, a query, a URL of a database or anything a stranger should not read.
"""

import logging
from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from ciclo.console.rendering import EmptyLedger, UnknownOrganization, render_message
from ciclo.domain.errors import DomainError, IllegalTransition
from ciclo.ledger.actions import NoSuchFigure, NoSuchRow, NotPossible, UnusableNote
from ciclo.ledger.database import LedgerNotMigratedError, LedgerUrlError

log = logging.getLogger(__name__)
_TITLES = {
    400: "That cannot be read",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed",
    413: "Too large",
    415: "That cannot be read",
}


def add_error_pages(app: FastAPI) -> None:
    """Give every failure a page."""
    handlers: dict[type[Exception], Callable[[Request, Exception], Response]] = {
        HTTPException: _http,
        RequestValidationError: _invalid,
        UnknownOrganization: _unknown_organization,
        EmptyLedger: _empty,
        LedgerNotMigratedError: _not_migrated,
        LedgerUrlError: _unreachable,
        DBAPIError: _unreachable,
        NoSuchRow: _missing,
        UnusableNote: _unusable,
        NoSuchFigure: _unusable,
        IllegalTransition: _conflict,
        NotPossible: _conflict,
        DomainError: _unusable,
    }
    for failure, handler in handlers.items():
        app.add_exception_handler(failure, handler)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    if status == 401:  # a stranger gets a sentence, not even the names of our files
        return PlainTextResponse("Not signed in.", status, getattr(error, "headers", None))
    response = render_message(request, status, _TITLES.get(status, "That did not work"), detail)
    headers = getattr(error, "headers", None)
    response.headers.update(headers or {})
    return response


def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems[:5])
    return render_message(request, 422, "The address holds a value that cannot be used", text)


def _unknown_organization(request: Request, _error: Exception) -> Response:
    return render_message(request, 404, "Not found", "The ledger knows no such organization.")


def _empty(request: Request, _error: Exception) -> Response:
    message = (
        "The ledger is ready and empty. Its first periods come with the first run of the Dag expand_invoice_rules."
    )
    return render_message(request, 200, "Nothing has been billed yet", message)


def _not_migrated(request: Request, error: Exception) -> Response:
    return render_message(request, 503, "The ledger is not ready", str(error), command="ciclo db upgrade")


def _unreachable(request: Request, error: Exception) -> Response:
    log.error("the ledger does not answer: %s", type(error).__name__)
    message = "The ledger's database does not answer. Billing itself may be unaffected; reload this page in a moment."
    response = render_message(request, 503, "The ledger cannot be read", message)
    response.headers["Retry-After"] = "10"
    return response


def _missing(request: Request, error: Exception) -> Response:
    return render_message(request, 404, "Not found", str(error))


def _unusable(request: Request, error: Exception) -> Response:
    return render_message(request, 422, "That cannot be used", str(error))


def _conflict(request: Request, error: Exception) -> Response:
    return render_message(
        request, 409, "Not possible any more", f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}."
    )
