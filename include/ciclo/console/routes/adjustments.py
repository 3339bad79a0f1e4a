"""Adjustments: lists, and the form of a period's own with a preview of its invoice; proposals and differences of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator
from sqlalchemy.orm import Session

from ciclo.console.database import LedgerDep
from ciclo.console.formats import Column, adjustment_words, csv_response
from ciclo.console.pages import AsFile, PageDep, View, ViewDep, render, table
from ciclo.console.routes.actions import PerformDep, SeenNow
from ciclo.console.routes.parameters import MonthParam, OptionalId, RowId, UnreadableField
from ciclo.console.security import SEEN_FIELD, FormDep, seen_mark
from ciclo.domain.adjustments import AdjustmentKind, kinds_with
from ciclo.domain.errors import DomainError
from ciclo.domain.money import parse_typed
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import key_words, state_words
from ciclo.ledger.actions import (
    ActionOutcome,
    AdjustmentsRefused,
    NewAdjustment,
    NoSuchRow,
    add_adjustments,
    bill_complement,
    bill_difference,
    difference,
    final_invoice,
    proposal,
    prorate_period,
    usable_note,
    withdraw_adjustment,
)
from ciclo.ledger.queries.adjustments import AdjustmentFilter, BillOfPeriod, adjustment_listing, bill_of
from ciclo.ledger.queries.periods import period_page
from ciclo.ledger.repositories import Actor, AdjustmentRepository, PeriodRepository
from ciclo.ledger.tables import Period
from ciclo.locale import N_, _

router = APIRouter()

STATES = ("open", "used", "withdrawn")
AdjustmentStateParam = Annotated[
    Literal["open", "used", "withdrawn"] | None, BeforeValidator(lambda value: value or None), Query(alias="state")
]
COLUMNS = (
    Column(N_("Adjustment"), lambda row: row.id),
    Column(N_("Contract"), lambda row: row.contract_id),
    Column(N_("Rule"), lambda row: row.rule_id),
    Column(N_("Kind"), lambda row: adjustment_words(row.kind)),
    Column(N_("From"), lambda row: row.from_date),
    Column(N_("To"), lambda row: row.to_date),
    Column(N_("Service"), lambda row: row.service),
    Column(N_("Units"), lambda row: row.quantity),
    Column(N_("Unit value (BRL)"), lambda row: row.unit_value),
    Column(N_("Amount (BRL)"), lambda row: row.amount),
    Column(N_("Per cent"), lambda row: row.percent),
    Column(N_("First day"), lambda row: row.first_day),
    Column(N_("Last day"), lambda row: row.last_day),
    Column(N_("Description"), lambda row: row.description),
    Column(N_("State"), lambda row: state_words(row.state)),
    Column(N_("Invoice"), lambda row: row.invoice_id),
    Column(N_("Note"), lambda row: row.note),
    Column(N_("By"), lambda row: row.person),
    Column(N_("Changed"), lambda row: row.created_at),
)
NUMBERS = ("quantity", "unit_value", "amount", "percent")
DAYS = ("first_day", "last_day")
TEXTS = ("service", "description")


@router.get("/adjustments")
def list_adjustments(
    view: ViewDep,
    request: PageDep,
    as_file: AsFile,
    contract: OptionalId = None,
    month: MonthParam = None,
    state: AdjustmentStateParam = None,
) -> Response:
    """List what differs from the rules, of a contract or a month of planned dates, as a page or as a file."""
    days = DateRange.month_of(month) if month is not None else None
    listing = adjustment_listing(view.organization_id, AdjustmentFilter(contract, days=days, state=state))
    if as_file:
        return csv_response("adjustments", COLUMNS, listing.every(view.session, request))
    filters = {"contract": contract, "month": month and f"{month:%Y-%m}", "state": state}
    found = table(view, listing.page(view.session, request), "/adjustments", "adjustment", filters)
    return render(view, "adjustments.html", tab="periods", table=found, filters=filters, states=STATES)


@router.get("/periods/{period_id}/adjust")
def show_form(view: ViewDep, period_id: RowId) -> HTMLResponse:
    """Show what differs for a period, what it bills, what Ciclo proposes, and a form for more."""
    return _page(view, period_id, {})


@router.post("/periods/{period_id}/adjust")
def adjust(view: ViewDep, fields: FormDep, ledger: LedgerDep, period_id: RowId) -> HTMLResponse:
    """Preview the period's invoice with one adjustment more, or add it; what cannot be is said beside the form."""
    saves = fields.get("do") == "add"
    with ledger.writing() as session:
        period = _period(session, view.organization_id, period_id)
        before = bill_of(session, view.organization_id, period)
        try:
            new = _new(period, fields)
            note = usable_note(fields.get("note", "")) if saves else fields.get("note", "")
            added = NewAdjustment(**new, note=note)
            if seen := fields.get(SEEN_FIELD, ""):  # said once more beside what is there by now, it counts once more
                added = replace(added, key=seen_mark(added.said(), seen))
            came = add_adjustments(
                session,
                view.organization_id,
                [added],
                origin="console",
                person=view.viewer.user.name,
                at=view.now,
            )
        except AdjustmentsRefused as refused:
            first = refused.errors[0]
            return _page(view, period_id, fields, problem=f"{key_words(first.field)}: {first.reason}", status=422)
        except DomainError as error:
            return _page(view, period_id, fields, problem=str(error), status=422)
        after = bill_of(session, view.organization_id, _period(session, view.organization_id, period_id))
        if not saves:
            session.rollback()
            return _page(view, period_id, fields, before=before, after=after)
        session.commit()
    view.session.rollback()  # what follows must see what was just committed
    said = _("Added.") if came.ids else _("It was added before: nothing was added.")
    return _page(view, period_id, {}, outcome=ActionOutcome(changed=bool(came.ids), message=said))


@router.post("/periods/{period_id}/prorate")
def accept_part_month(view: ViewDep, perform: PerformDep, period_id: RowId) -> HTMLResponse:
    """Bill a period for the days that Ciclo proposes."""

    def seen(session: Session) -> str:
        proposed = proposal(session, view.organization_id, _period(session, view.organization_id, period_id))
        return seen_mark(proposed and proposed.prorated)

    outcome = perform(prorate_period, period_id, seen)
    view.session.rollback()
    return _page(view, period_id, {}, outcome=outcome)


@router.post("/periods/{period_id}/difference")
def take_difference_on(view: ViewDep, perform: PerformDep, period_id: RowId) -> HTMLResponse:
    """Bill the difference of a period's invoice with the next one."""
    outcome = perform(bill_difference, period_id, _difference_now(view, period_id))
    view.session.rollback()
    return _page(view, period_id, {}, outcome=outcome)


@router.post("/periods/{period_id}/complement")
def bill_difference_by_itself(view: ViewDep, perform: PerformDep, fields: FormDep, period_id: RowId) -> HTMLResponse:
    """Bill the difference of a period's invoice, or the amount that a person says, by an invoice of its own."""
    typed = fields.get("amount", "").strip()
    amount = parse_typed(typed, key_words("amount")) if typed else None
    outcome = perform(bill_complement, period_id, None if typed else _difference_now(view, period_id), amount=amount)
    view.session.rollback()
    return _page(view, period_id, {}, outcome=outcome)


@router.post("/adjustments/{adjustment_id}/withdraw")
def withdraw(view: ViewDep, perform: PerformDep, fields: FormDep, adjustment_id: RowId) -> HTMLResponse:
    """Take an adjustment back that is in no invoice, and show the period from which that was done."""
    outcome = perform(withdraw_adjustment, adjustment_id)
    view.session.rollback()
    period_id = fields.get("period", "")
    return _page(view, int(period_id) if period_id.isdecimal() else 0, {}, outcome=outcome)


def _difference_now(view: View, period_id: int) -> SeenNow:
    def seen(session: Session) -> str:
        found = difference(session, view.organization_id, _period(session, view.organization_id, period_id))
        return seen_mark(found and found.amount)

    return seen


def _page(
    view: View,
    period_id: int,
    fields: Mapping[str, str],
    *,
    problem: str = "",
    status: int = 200,
    before: BillOfPeriod | None = None,
    after: BillOfPeriod | None = None,
    outcome: ActionOutcome | None = None,
) -> HTMLResponse:
    found = period_page(view.session, view.organization_id, period_id)
    if found is None:
        raise NoSuchRow("period", period_id)
    row = _period(view.session, view.organization_id, period_id)
    return render(
        view,
        "adjust.html",
        tab="periods",
        status=status,
        found=found,
        fields=fields,
        newest_adjustment=AdjustmentRepository(view.session, view.organization_id, Actor()).newest(row.contract_id),
        kinds=[kind.value for kind in AdjustmentKind],
        kinds_with=kinds_with,
        problem=problem,
        bill=bill_of(view.session, view.organization_id, row),
        before=before,
        after=after,
        proposed=proposal(view.session, view.organization_id, row),
        difference=difference(view.session, view.organization_id, row),
        is_final=final_invoice(view.session, view.organization_id, row) is not None,
        outcome=outcome,
    )


def _period(session: Session, organization_id: int, period_id: int) -> Period:
    found = PeriodRepository(session, organization_id, Actor()).some([period_id])
    if not found:
        raise NoSuchRow("period", period_id)
    return found[0]


def _new(period: Period, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the form's adjustment, of the period's own planned date.

    Raises:
        UnreadableField: naming the field.
    """
    given: dict[str, Any] = {"rule_id": period.rule_id, "period": period.issue_date}
    for name in ("kind", *NUMBERS, *DAYS, *TEXTS):
        text = fields.get(name, "").replace("\0", "").strip()
        if not text:
            continue
        try:
            given[name] = _read(name, text)
        except ValueError:
            raise UnreadableField.holding(text) from None
    if "kind" not in given:
        raise UnreadableField(_("Choose what differs."))
    return given


def _read(name: str, text: str) -> AdjustmentKind | Decimal | date | str:
    if name == "kind":
        return AdjustmentKind(text)
    if name in NUMBERS:
        return parse_typed(text, key_words(name))
    return date.fromisoformat(text) if name in DAYS else text
