"""What if: the coming readjustments with another index, cap or date beside what they come to as it is. Only reads."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, ViewDep, render
from ciclo.console.routes.parameters import DayParam, IndexParam, OptionalId, TextParam
from ciclo.domain.errors import DomainError
from ciclo.domain.money import parse_typed, total
from ciclo.domain.price_index import WindowPolicy, index_label
from ciclo.domain.wording import month_words
from ciclo.ledger.queries.what_if import Assumption, Figure, WhatIf, what_if
from ciclo.locale import N_, _

router = APIRouter(prefix="/price-updates/what-if")
SHOWN = 200
"""Rows of the table; the file has them all."""

PolicyParam = Annotated[WindowPolicy, BeforeValidator(lambda value: value or WindowPolicy.PUBLISHED), Query()]

COLUMNS = (
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Rule"), lambda row: row.rule_id),
    Column(N_("Rule title"), lambda row: row.rule_title),
    Column(N_("Scheduled update"), lambda row: row.scheduled_update_id),
    Column(N_("Service"), lambda row: row.service_id),
    Column(N_("Execution date"), lambda row: row.execution_date),
    Column(N_("Price now"), lambda row: row.old),
    Column(N_("As it is"), lambda row: row.as_it_is.new if row.as_it_is else None),
    Column(N_("Index"), lambda row: index_label(row.assumed.index) if row.assumed else None),
    Column(N_("Under the assumption"), lambda row: row.assumed.new if row.assumed else None),
    Column(N_("A year's billing"), lambda row: row.a_year),
    Column(N_("Why not"), lambda row: row.why_not),
)


@dataclass(frozen=True, slots=True)
class WhatIfQuery:
    """What is to be different, as it stands in the page's address."""

    index: IndexParam = None
    replaces: IndexParam = None
    cap: TextParam = ""
    on: DayParam = None
    update: OptionalId = None
    policy: PolicyParam = WindowPolicy.PUBLISHED

    @property
    def says_something(self) -> bool:
        """Whether anything is assumed."""
        return bool(self.index or self.cap.strip() or self.on)


@router.get("")
def show_what_if(view: ViewDep, as_file: AsFile, query: Annotated[WhatIfQuery, Depends()]) -> Response:
    """Show what the coming readjustments would come to, as a page or as a file."""
    lines: tuple[WhatIf, ...] = ()
    problem = ""
    if query.says_something:
        try:
            lines = _lines(view.session, view.organization_id, view.today, query)
        except DomainError as error:
            problem = str(error)
    if as_file and not problem:
        return csv_response("what-if", COLUMNS, lines)
    given = {name: getattr(query, name) for name in query.__slots__}
    return render(
        view,
        "what_if.html",
        tab="price_updates",
        status=422 if problem else 200,
        asked=query,
        given={**given, "policy": None if query.policy is WindowPolicy.PUBLISHED else query.policy.value},
        lines=lines[:SHOWN],
        count=len(lines),
        shown=SHOWN,
        total=total(line.a_year for line in lines),
        policies=tuple(policy.value for policy in WindowPolicy),
        months_of=months_of,
        problem=problem,
    )


def _lines(session: Any, organization_id: int, today: date, query: WhatIfQuery) -> tuple[WhatIf, ...]:
    cap: Decimal | None = parse_typed(query.cap, _("Cap, per cent a year")) if query.cap.strip() else None
    return what_if(
        session,
        organization_id,
        Assumption(index=query.index, replaces=query.replaces, cap=cap, execution_date=query.on),
        today=today,
        policy=query.policy,
        scheduled_update_ids=(query.update,) if query.update is not None else (),
    )


def months_of(figure: Figure) -> str:
    """Return the first and the last month that a figure counts."""
    return f"{month_words(figure.months[0])} - {month_words(figure.months[-1])}" if figure.months else "-"
