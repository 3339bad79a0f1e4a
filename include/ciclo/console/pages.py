"""Pages: what every view starts from, templates, URLs that carry the organization along, tables, and what went wrong.

Everything that came from outside is escaped by the templates; nothing is ever marked safe. A table's state is in its
URL and nowhere else, so that every view can be shared and reloaded. No page shows a stack trace, a query or the URL of
a database: one sentence on what happened, one on what to do.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from ciclo.console.database import SessionDep
from ciclo.console.formats import (
    FILTERS,
    accrual_words,
    adjustment_words,
    bucket_words,
    counted,
    due_words,
    mark,
    months_count,
    percent,
    recurrence_words,
)
from ciclo.console.languages import choices, html_language
from ciclo.console.security import CSRF_FIELD, SEEN_FIELD, Viewer, ViewerDep, remember_browser, seen_mark, seen_of
from ciclo.domain.calendar import SAO_PAULO, holidays_in
from ciclo.domain.errors import DomainError, IllegalTransition
from ciclo.domain.price_index import PriceIndex, index_label
from ciclo.domain.wording import instruction_words, kind_words, said, state_words
from ciclo.ledger.actions import NoSuchFigure, NoSuchRow, NotPossible, UnusableNote
from ciclo.ledger.errors import LedgerNotMigratedError, LedgerUnavailableError, LedgerUrlError
from ciclo.ledger.letters import LetterTemplateError
from ciclo.ledger.queries.documents import documents_of
from ciclo.ledger.queries.months import waiting_for_a_person
from ciclo.ledger.queries.paging import LARGEST_PAGE, Page, PageRequest
from ciclo.ledger.queries.search import OrganizationName, organizations
from ciclo.locale import N_, _, ngettext, pgettext

HERE = Path(__file__).parent
MOUNTED_AT = "/billing"
TABS = (
    ("month", N_("Month"), "/"),
    ("periods", N_("Periods"), "/periods"),
    ("receivables", N_("Receivables"), "/receivables"),
    ("price_updates", N_("Price updates"), "/price-updates"),
    ("attention", N_("Attention"), "/attention"),
    ("contracts", N_("Contracts"), "/contracts"),
    ("closings", N_("Closed months"), "/months"),
    ("forecast", N_("Forecast"), "/forecast"),
)


class EmptyLedger(Exception):
    """The ledger holds no organization yet."""


class UnknownOrganization(Exception):
    """The ledger does not know the organization that was asked for."""


class Links:
    """URLs of a request's pages: below where the app is mounted, and of Airflow's own pages above it."""

    def __init__(self, request: Request, organization_id: int | None = None) -> None:
        self._root: str = request.scope.get("root_path", "").rstrip("/")
        self._organization_id = organization_id

    def url(self, path: str, **query: Any) -> str:
        """Return the URL of a page of ours; parameters that are None, empty or false are left out."""
        given = {"org": self._organization_id, **query}
        kept = {
            name: _plain(value) for name, value in given.items() if not (value is None or value is False or value == "")
        }
        return f"{self._root}{path}{'?' if kept else ''}{urlencode(kept)}"

    def airflow(self, path: str) -> str | None:
        """Return the URL of a page of Airflow's; None where the console runs by itself."""
        if not self._root.endswith(MOUNTED_AT):
            return None
        return f"{self._root.removesuffix(MOUNTED_AT)}{path}"

    def run(self, dag_id: str | None, run_id: str | None, task_id: str | None, map_index: int | None) -> str | None:
        """Return the URL of a Dag run, or of its task instance, in Airflow."""
        if not dag_id or not run_id:
            return None
        path = f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"
        if task_id:
            path += f"/tasks/{quote(task_id, safe='')}"
            path += f"/mapped/{map_index}" if map_index is not None and map_index >= 0 else ""
        return self.airflow(path)


@dataclass(frozen=True, slots=True)
class View:
    """What every view starts from: the request, a session, the organization, who looks, and when."""

    request: Request
    session: Session
    organization: OrganizationName
    organizations: tuple[OrganizationName, ...]
    viewer: Viewer
    now: datetime

    @property
    def organization_id(self) -> int:
        """The organization that is looked at."""
        return self.organization.organization_id

    @property
    def today(self) -> date:
        """Today in São Paulo."""
        return self.now.astimezone(SAO_PAULO).date()

    @property
    def own_holidays(self) -> frozenset[date]:
        """The company's own holidays, read anew.

        Raises:
            InvalidHolidays: a line of their file is no date.
            OSError: the file cannot be read.
        """
        return holidays_in(self.request.app.state.holidays_file)

    @property
    def known_on(self) -> date:
        """As of when it is known what was received: the last reconciled day, today if there was none yet."""
        return self.organization.reconciled_on or self.today

    @property
    def links(self) -> Links:
        """URLs that keep to the organization; the ledger's first needs no mention."""
        default = self.organization == self.organizations[0]
        return Links(self.request, None if default else self.organization_id)

    @property
    def partial(self) -> bool:
        """Whether a script asked for a part of a page, not for a whole one."""
        return self.request.headers.get("hx-request") == "true"


OrganizationParam = Annotated[int | None, Query(alias="org", ge=1, le=2**63 - 1)]


def view(request: Request, session: SessionDep, viewer: ViewerDep, org: OrganizationParam = None) -> View:
    """Return the request's view of one organization: the one asked for, or the ledger's first.

    Raises:
        EmptyLedger: there is none.
        UnknownOrganization: there is no such one.
    """
    known = organizations(session)
    if not known:
        raise EmptyLedger
    chosen = next((one for one in known if org in {None, one.organization_id}), None)
    if chosen is None:
        raise UnknownOrganization
    return View(request, session, chosen, known, viewer, request.app.state.clock())


ViewDep = Annotated[View, Depends(view)]


def static_version() -> str:
    """Return a hash of the static files: a new version gets a new URL."""
    digest = sha256()
    for path in sorted((HERE / "static").rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def environment() -> Environment:
    """Make the template environment; where `vendor_page` is set in it, invoices are linked to their pages there."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(_, ngettext, newstyle=True, pgettext=pgettext)  # type: ignore[attr-defined]
    made.filters |= FILTERS | {"said": said, "kind_words": kind_words, "instruction_words": instruction_words}
    made.globals |= {
        "mark": mark,
        "percent": percent,
        "index_label": index_label,
        "due_words": due_words,
        "recurrence_words": recurrence_words,
        "accrual_words": accrual_words,
        "adjustment_words": adjustment_words,
        "state_words": state_words,
        "bucket_words": bucket_words,
        "months_count": months_count,
        "tabs": TABS,
        "indices": tuple(PriceIndex),
        "csrf_field": CSRF_FIELD,
        "seen_field": SEEN_FIELD,
        "seen_mark": seen_mark,
        "seen_of": seen_of,
        "html_language": html_language,
        "version": static_version(),
        "vendor_page": None,
    }
    return made


def render(view: View, template: str, *, tab: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Answer with a page; a template whose name begins with `_` is a part of one."""
    common: dict[str, Any] = {
        "view": view,
        "viewer": view.viewer,
        "links": view.links,
        "url": view.links.url,
        "tab": tab,
        "now": view.now,
        "today": view.today,
        "bare": False,
        "languages": choices(view.request),
        "problem_of_setting": view.request.app.state.problem if view.viewer.may_act else None,
        "documents_of": partial(documents_of, view.session, view.organization_id),
    }
    if not template.startswith("_"):
        common["waiting"] = waiting_for_a_person(view.session, view.organization_id)
    page: Environment = view.request.app.state.templates
    response = HTMLResponse(page.get_template(template).render(common | context), status)
    response.headers["Cache-Control"] = "no-store"
    remember_browser(view.request, response)
    return response


def render_message(request: Request, status: int, title: str, message: str, **context: Any) -> HTMLResponse:
    """Answer with a page, or a part of one, that says what is wrong and what to do; it needs no ledger."""
    part = request.headers.get("hx-request") == "true"
    template = request.app.state.templates.get_template("_message.html" if part else "message.html")
    values: Mapping[str, Any] = {"url": Links(request).url, "title": title, "message": message, "command": None}
    response = HTMLResponse(template.render({**values, **context}), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _plain(value: Any) -> str:
    if value is True:
        return "1"
    return value.isoformat() if isinstance(value, date) else str(value)


SIZES = (25, 50, 100, LARGEST_PAGE)


def page_request(
    page: Annotated[int, Query(ge=1, le=10_000_000)] = 1,
    size: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = SIZES[0],
    sort: Annotated[str, Query(max_length=30, pattern="^[a-z_]*$")] = "",
    desc: Annotated[bool, Query()] = False,  # noqa: FBT002 - a query parameter
) -> PageRequest:
    """Read which page of a table is wanted."""
    return PageRequest(page, size, sort, desc)


def wants_file(file_format: Annotated[Literal["html", "csv"], Query(alias="format")] = "html") -> bool:
    """Whether the whole table is wanted as a CSV file."""
    return file_format == "csv"


AsFile = Annotated[bool, Depends(wants_file)]
PageDep = Annotated[PageRequest, Depends(page_request)]


@dataclass(frozen=True, slots=True)
class Table:
    """A page of rows with the URLs around it."""

    page: Page[Any]
    path: str
    filters: Mapping[str, Any]
    links: Links
    what: str
    """What a row is, in the singular: a noun of `formats.counted`."""
    exports: bool = True

    def sort_url(self, key: str) -> str:
        """URL that sorts by a column; a second click turns it around."""
        request = self.page.request
        turned = request.sort == key and not request.descending
        return self._url(replace(request, number=1, sort=key, descending=turned))

    def aria_sort(self, key: str) -> str:
        """Value of `aria-sort` for a column."""
        if self.page.request.sort != key:
            return "none"
        return "descending" if self.page.request.descending else "ascending"

    def page_url(self, number: int) -> str:
        """URL of another page."""
        return self._url(replace(self.page.request, number=number))

    def size_url(self, size: int) -> str:
        """URL of the first page with another number of rows."""
        return self._url(replace(self.page.request, number=1, size=size))

    def filter_url(self, **changes: Any) -> str:
        """URL of the first page with other filters."""
        return self._url(replace(self.page.request, number=1), **changes)

    @property
    def counted(self) -> str:
        """How many rows there are, in words."""
        rows = counted(self.page.total, self.what)
        return _("more than {rows}").format(rows=rows) if self.page.longer else rows

    @property
    def csv_url(self) -> str:
        """URL of the whole table as a file, in the order shown."""
        return self._url(replace(self.page.request, number=1, size=SIZES[0]), format="csv")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of rows to choose from."""
        return SIZES

    def _url(self, request: PageRequest, **more: Any) -> str:
        return self.links.url(
            self.path,
            **{**self.filters, **more},
            sort=request.sort,
            desc=request.descending,
            page=request.number if request.number > 1 else None,
            size=request.size if request.size != SIZES[0] else None,
        )


def table(
    view: View, page: Page[Any], path: str, what: str, filters: Mapping[str, Any] | None = None, *, exports: bool = True
) -> Table:
    """Put a page of rows among its URLs."""
    return Table(page, path, filters or {}, view.links, what, exports)


log = logging.getLogger(__name__)
_TITLES = {
    400: N_("That cannot be read"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not allowed"),
    413: N_("Too large"),
    415: N_("That cannot be read"),
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
        LedgerUnavailableError: _unreachable,
        DBAPIError: _unreachable,
        NoSuchRow: _missing,
        UnusableNote: _unusable,
        NoSuchFigure: _unusable,
        IllegalTransition: _conflict,
        NotPossible: _conflict,
        LetterTemplateError: _conflict,
        DomainError: _unusable,
    }
    for failure, handler in handlers.items():
        app.add_exception_handler(failure, handler)


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    if status == 401:  # a stranger gets a sentence, not even the names of our files
        return PlainTextResponse(_("Not signed in."), status, getattr(error, "headers", None))
    response = render_message(
        request, status, _(_TITLES.get(status, N_("That did not work"))), _(detail) if detail else ""
    )
    headers = getattr(error, "headers", None)
    response.headers.update(headers or {})
    return response


def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in problems[:5])
    return render_message(request, 422, _("The address holds a value that cannot be used"), text)


def _unknown_organization(request: Request, _error: Exception) -> Response:
    return render_message(request, 404, _("Not found"), _("The ledger knows no such organization."))


def _empty(request: Request, _error: Exception) -> Response:
    message = _(
        "The ledger is ready and empty. Its first periods come with the first run of the Dag expand_invoice_rules."
    )
    return render_message(request, 200, _("Nothing has been billed yet"), message)


def _not_migrated(request: Request, error: Exception) -> Response:
    return render_message(request, 503, _("The ledger is not ready"), str(error), command="ciclo db upgrade")


def _unreachable(request: Request, error: Exception) -> Response:
    log.error("the ledger does not answer: %s", type(error).__name__)
    message = _(
        "The ledger's database does not answer. Billing itself may be unaffected; reload this page in a moment."
    )
    response = render_message(request, 503, _("The ledger cannot be read"), message)
    response.headers["Retry-After"] = "10"
    return response


def _missing(request: Request, error: Exception) -> Response:
    return render_message(request, 404, _("Not found"), str(error))


def _unusable(request: Request, error: Exception) -> Response:
    return render_message(request, 422, _("That cannot be used"), str(error))


def _conflict(request: Request, error: Exception) -> Response:
    said = str(error)
    return render_message(request, 409, _("Not possible any more"), f"{said[:1].upper()}{said[1:].rstrip('.')}.")
