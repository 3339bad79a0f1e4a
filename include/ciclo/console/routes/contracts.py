"""Contracts and rules: lists and pages; a rule's page previews its next twelve periods."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from ciclo.console.formats import Column, csv_response
from ciclo.console.pages import AsFile, PageDep, View, ViewDep, render, table
from ciclo.console.routes.parameters import RowId, TextParam
from ciclo.console.routes.price_updates import price_charts
from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import law_warning
from ciclo.domain.wording import state_words
from ciclo.ledger.actions import NoSuchRow
from ciclo.ledger.queries.adjustments import adjusted_totals
from ciclo.ledger.queries.contracts import (
    ComingPeriod,
    RulePage,
    coming_periods,
    contract_listing,
    contract_page,
    rule_page,
)
from ciclo.ledger.queries.periods import PeriodFilter, period_listing
from ciclo.ledger.repositories import ACTIVE
from ciclo.ledger.terms import RuleTerms
from ciclo.locale import N_

router = APIRouter()
ContractState = Annotated[
    Literal["active", "inactive"] | None, BeforeValidator(lambda value: value or None), Query(alias="state")
]
COLUMNS = (
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Name"), lambda row: row.name),
    Column(N_("Customer"), lambda row: row.customer_id),
    Column(N_("State"), lambda row: state_words(row.state)),
    Column(N_("Rules"), lambda row: row.rules),
    Column(N_("No longer at the vendor since"), lambda row: row.gone_at),
)


@router.get("/contracts")
def list_contracts(
    view: ViewDep, request: PageDep, as_file: AsFile, state: ContractState = None, q: TextParam = ""
) -> Response:
    """List contracts, as a page or as a file."""
    listing = contract_listing(view.organization_id, text=q.strip(), state=state)
    if as_file:
        return csv_response("contracts", COLUMNS, listing.every(view.session, request))
    filters: dict[str, Any] = {"state": state, "q": q}
    contracts = table(view, listing.page(view.session, request), "/contracts", "contract", filters)
    return render(view, "contracts.html", tab="contracts", table=contracts, filters=filters)


@router.get("/contracts/{contract_id}")
def show_contract(view: ViewDep, request: PageDep, contract_id: RowId) -> HTMLResponse:
    """Show one contract: its rules, and its periods a page at a time."""
    found = contract_page(view.session, view.organization_id, contract_id)
    if found is None:
        raise NoSuchRow("contract", contract_id)
    listing = period_listing(view.session, view.organization_id, PeriodFilter(contract_id=contract_id))
    periods = table(view, listing.page(view.session, request), f"/contracts/{contract_id}", "period", exports=False)
    return render(view, "contract.html", tab="contracts", found=found, table=periods)


@router.get("/rules/{rule_id}")
def show_rule(view: ViewDep, request: PageDep, rule_id: RowId) -> HTMLResponse:
    """Show one rule: its terms, prices, updates, the next twelve periods, and those it has."""
    found = rule_page(view.session, view.organization_id, rule_id)
    if found is None:
        raise NoSuchRow("rule", rule_id)
    listing = period_listing(view.session, view.organization_id, PeriodFilter(rule_id=rule_id))
    return render(
        view,
        "rule.html",
        tab="contracts",
        found=found,
        table=table(view, listing.page(view.session, request), f"/rules/{rule_id}", "period", exports=False),
        charts=price_charts(found.prices, view.today),
        warnings={update.scheduled_update_id: law_warning(update.month_quantity) for update in found.updates},
        **_coming(view, found),
    )


def _coming(view: View, found: RulePage) -> dict[str, Any]:
    """Read the rule's newest terms and preview them; a rule that cannot be read says why."""
    terms: RuleTerms | None = None
    periods: tuple[ComingPeriod, ...] = ()
    try:
        terms = RuleTerms.read(found.versions[-1].terms) if found.versions else None
        ended = found.rule.gone_at is not None or found.contract_state != ACTIVE
        if terms is not None and not ended:
            periods = coming_periods(
                terms, found.prices, found.updates, after=view.today, own_holidays=view.own_holidays
            )
    except (DomainError, LookupError, OSError, TypeError, ValueError) as error:
        return {"terms": None, "coming": (), "adjusted": {}, "problem": str(error)}
    days = [period.priced.issue_date for period in periods]
    rule_id = found.rule.rule_id
    adjusted = adjusted_totals(view.session, view.organization_id, rule_id, terms, days) if terms is not None else {}
    return {"terms": terms, "coming": periods, "adjusted": adjusted, "problem": None}
