"""Adjustments for reading: lists, those of a period, and what a period bills without and with them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import AdjustmentKind, Bill
from ciclo.domain.errors import DomainError
from ciclo.domain.money import ZERO
from ciclo.domain.pricing import Price
from ciclo.domain.recurrence import DateRange
from ciclo.ledger.queries.paging import Listing
from ciclo.ledger.repositories import (
    COMPLEMENT,
    Actor,
    AdjustmentRepository,
    ContractRepository,
    PriceRepository,
    UseState,
)
from ciclo.ledger.repositories.prices import history
from ciclo.ledger.tables import Adjustment, AdjustmentUse, Period
from ciclo.ledger.terms import RuleTerms


@dataclass(frozen=True, slots=True)
class AdjustmentFilter:
    """What a list of adjustments is narrowed to; everything left out means all. `days` are planned dates."""

    contract_id: int | None = None
    rule_id: int | None = None
    days: DateRange | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """One difference from a rule; values as `ciclo.domain.adjustments.Adjustment` explains them, BRL."""

    id: int
    contract_id: int
    rule_id: int | None
    kind: str
    from_date: date
    to_date: date | None
    once: bool
    service: str | None
    quantity: Decimal | None
    unit_value: Decimal | None
    amount: Decimal | None
    percent: Decimal | None
    first_day: date | None
    last_day: date | None
    description: str | None
    origin: str
    note: str
    person: str
    created_at: datetime
    state: str
    invoice_id: int | None
    """The newest invoice that has it."""


DIFFERENCE = "difference"
"""Where a line comes from that bills an earlier invoice's difference; its key begins with that period's id."""

DIFFERENCES = (DIFFERENCE, COMPLEMENT)

COLUMNS: tuple[Any, ...] = (
    Adjustment.id,
    Adjustment.contract_id,
    Adjustment.rule_id,
    Adjustment.kind,
    Adjustment.from_date,
    Adjustment.to_date,
    Adjustment.once,
    Adjustment.service,
    Adjustment.quantity,
    Adjustment.unit_value,
    Adjustment.amount,
    Adjustment.percent,
    Adjustment.first_day,
    Adjustment.last_day,
    Adjustment.description,
    Adjustment.origin,
    Adjustment.note,
    Adjustment.person,
    Adjustment.created_at,
    Adjustment.state,
    select(func.max(AdjustmentUse.invoice_id))
    .where(AdjustmentUse.adjustment_id == Adjustment.id, AdjustmentUse.state == UseState.USED)
    .correlate(Adjustment)
    .scalar_subquery(),
)
SORTS: dict[str, Any] = {"created": Adjustment.id, "from": Adjustment.from_date, "contract": Adjustment.contract_id}


def adjustment_listing(organization_id: int, wanted: AdjustmentFilter) -> Listing[AdjustmentRow]:
    """Return the organization's adjustments that match, the newest first, as a list to page or export."""
    conditions = _conditions(organization_id, wanted)
    return Listing(
        lean=select(Adjustment.id).where(*conditions),
        rows=select(*COLUMNS),
        conditions=conditions,
        build=AdjustmentRow,
        sorts=SORTS,
        key=(Adjustment.id,),
        descending=True,
    )


def adjustments_of_period(session: Session, organization_id: int, period: Any) -> tuple[AdjustmentRow, ...]:
    """Return what is for a period's planned date and is not withdrawn, and what bills its difference, in one statement.

    Args:
        session: the ledger.
        organization_id: whose.
        period: its row, or whatever else has contract, rule and issue date.
    """
    conditions = [
        Adjustment.organization_id == organization_id,
        Adjustment.contract_id == period.contract_id,
        Adjustment.state != "withdrawn",
        or_(
            and_(
                # a pause of a whole contract; what else names no rule is billed by an invoice of its own
                or_(
                    and_(Adjustment.rule_id.is_(None), Adjustment.kind == AdjustmentKind.SKIP),
                    Adjustment.rule_id == period.rule_id,
                ),
                *_for_days(DateRange.days(period.issue_date, period.issue_date)),
            ),
            and_(Adjustment.origin.in_(DIFFERENCES), Adjustment.key.startswith(f"{period.id}:")),
        ),
    ]
    rows = session.execute(select(*COLUMNS).where(*conditions).order_by(Adjustment.id))
    return tuple(AdjustmentRow(*row) for row in rows)


def _conditions(organization_id: int, wanted: AdjustmentFilter) -> list[ColumnElement[bool]]:
    conditions = [Adjustment.organization_id == organization_id]
    if wanted.contract_id is not None:
        conditions.append(Adjustment.contract_id == wanted.contract_id)
    if wanted.rule_id is not None:
        conditions.append(Adjustment.rule_id == wanted.rule_id)
    if wanted.state is not None:
        conditions.append(Adjustment.state == wanted.state)
    if wanted.days is not None:
        conditions += _for_days(wanted.days)
    return conditions


def _for_days(days: DateRange) -> list[ColumnElement[bool]]:
    return [Adjustment.from_date < days.end, or_(Adjustment.to_date.is_(None), Adjustment.to_date >= days.start)]


# -- what a period bills -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BillOfPeriod:
    """What a period bills by its rule, and with its adjustments; None, and why, where that cannot be told."""

    rule: Bill | None
    adjusted: Bill | None
    problem: str = ""
    skipped: bool = False
    """Whether it is not billed at all."""


def bill_of(session: Session, organization_id: int, period: Period, *, used_only: bool = False) -> BillOfPeriod:
    """Return what a period bills at the prices known now.

    Args:
        session: the ledger.
        organization_id: whose.
        period: the period.
        used_only: count only the adjustments that are in its present invoice.
    """
    repository = AdjustmentRepository(session, organization_id, Actor())
    known = repository.of_rules([period.rule_id]).get(period.rule_id, [])
    use = period.id, period.reference_sequence
    some = [
        each.adjustment
        for each in known
        if (each.uses.get(use) is UseState.USED if used_only else each.is_for(period.issue_date, period.id))
    ]
    try:
        terms, prices = terms_and_prices(session, organization_id, period)
        rule = terms.bill(prices, period.issue_date)
    except (DomainError, LookupError) as error:
        return BillOfPeriod(None, None, str(error))
    skips = repository.skips([period.contract_id])[period.contract_id]
    skipped = any(each.is_for(period.issue_date) and each.rule_id in (None, period.rule_id) for each in skips)
    try:
        billed = [each for each in some if each.kind is not AdjustmentKind.SKIP]
        return BillOfPeriod(rule, terms.bill(prices, period.issue_date, billed), skipped=skipped)
    except DomainError as error:
        return BillOfPeriod(rule, None, str(error), skipped)


def terms_and_prices(session: Session, organization_id: int, period: Period) -> tuple[RuleTerms, list[Price]]:
    """Return the terms that a period was planned under, and its rule's prices.

    Raises:
        LookupError: the ledger has no terms of its rule.
    """
    versions = ContractRepository(session, organization_id).versions([period.rule_id]).get(period.rule_id, [])
    if not versions:
        raise LookupError(period.rule_id)
    mine = next((each for each in versions if each.version == period.rule_version), versions[-1])
    rows = PriceRepository(session, organization_id).histories([period.rule_id]).get(period.rule_id, [])
    return RuleTerms.read(mine.terms), history(rows)


def adjusted_totals(
    session: Session, organization_id: int, rule_id: int, terms: RuleTerms, days: Iterable[date]
) -> dict[date, Decimal | None]:
    """Return what the adjusted ones among some planned dates of a rule bill, BRL; None where that cannot be told."""
    known = AdjustmentRepository(session, organization_id, Actor()).of_rules([rule_id]).get(rule_id, [])
    rows = PriceRepository(session, organization_id).histories([rule_id]).get(rule_id, []) if known else []
    prices = history(rows)
    totals: dict[date, Decimal | None] = {}
    for day in days:
        some = [each.adjustment for each in known if each.is_for(day)]
        if any(each.kind is AdjustmentKind.SKIP for each in some):
            totals[day] = ZERO
        elif some:
            try:
                totals[day] = terms.bill(prices, day, some).total
            except DomainError:
                totals[day] = None
    return totals
