"""Pages: the template environment, what every page needs to know, and URLs that carry the organization along.

The one rule: everything that came from outside is escaped by the templates; nothing is ever marked safe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.orm import Session

from ciclo.console.access import CSRF_FIELD, Viewer, ViewerDep, remember_browser
from ciclo.console.database import SessionDep
from ciclo.console.formats import FILTERS, SAO_PAULO, due_words, index_label, percent
from ciclo.console.marks import MARKS, mark
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.wording import kind_words, said
from ciclo.ledger.queries.months import waiting_for_a_person
from ciclo.ledger.queries.search import OrganizationName, organizations

HERE = Path(__file__).parent
MOUNTED_AT = "/billing"
TABS = (
    ("month", "Month", "/"),
    ("periods", "Periods", "/periods"),
    ("receivables", "Receivables", "/receivables"),
    ("price_updates", "Price updates", "/price-updates"),
    ("attention", "Attention", "/attention"),
    ("contracts", "Contracts", "/contracts"),
    ("closings", "Closed months", "/months"),
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
    """Make the template environment."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS | {"said": said, "kind_words": kind_words}
    made.globals |= {
        "mark": mark,
        "marks": MARKS,
        "percent": percent,
        "index_label": index_label,
        "due_words": due_words,
        "tabs": TABS,
        "indices": tuple(PriceIndex),
        "csrf_field": CSRF_FIELD,
        "version": static_version(),
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
