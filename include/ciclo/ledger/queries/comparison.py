"""An invoice against the one before it, from what the ledger knows: terms, prices, adjustments, what was billed.

The one before is the last that its rule billed earlier and that is alive; for a rule's first one, the last of a rule of
the same contract that bills the same; for an invoice that belongs to no period, the contract's last.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import Select, and_, case, select
from sqlalchemy.orm import Session

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.comparison import ComparedInvoice, Comparison, PriceStep, compare
from ciclo.domain.due_dates import due_dates
from ciclo.domain.errors import DomainError
from ciclo.domain.receivables import InvoiceState
from ciclo.ledger.queries.price_updates import PricePoint, evidence_months, prices_of
from ciclo.ledger.repositories import Actor, AdjustmentRepository, ContractRepository, PriceRepository, UseState
from ciclo.ledger.repositories.contracts import Version
from ciclo.ledger.repositories.prices import history
from ciclo.ledger.tables import Invoice, Period, PriceUpdateExecution, Receivable, Rule
from ciclo.ledger.terms import RuleTerms

LOOKED_AT = 12
"""Earlier invoices of a contract among which a rule's predecessor is looked for."""
READJUSTS = ("price update", "vendor")
"""Sources of a price that are readjustments."""

Billed = tuple[Invoice, Period | None, str | None]
"""An invoice, its period, the title of its rule."""
Versions = Mapping[int, Sequence[Version]]


def comparison_of(session: Session, organization_id: int, invoice_id: int) -> Comparison | None:
    """Return why an invoice is different from the one before it, in eight statements; None if there is no such one."""
    found = session.execute(_billed(organization_id).where(Invoice.invoice_id == invoice_id)).one_or_none()
    if found is None:
        return None
    invoice: Billed = (found[0], found[1], found[2])
    earlier = _earlier(session, organization_id, invoice)
    rule_ids = {each[1].rule_id for each in (invoice, *earlier) if each[1] is not None}
    versions = ContractRepository(session, organization_id).versions(rule_ids)
    former = next((each for each in earlier if _goes_on(invoice, each, versions)), None)
    compared = _compared(session, organization_id, [invoice, *([former] if former is not None else [])], versions)
    now, period = compared[0], invoice[1]
    if former is None:
        return compare(None, now, {})
    if period is None or former[1] is None:
        return compare(compared[1], now, {})
    steps = _steps(session, organization_id, period.rule_id, former[1].issue_date, period.issue_date)
    terms, former_terms = (_terms(each, versions) for each in (period, former[1]))
    usual = None
    if terms is not None and former_terms is not None and terms.charge != former_terms.charge:
        usual = due_dates(former_terms.charge, period.issue_date)[0]
    return compare(compared[1], now, steps, usual)


def _billed(organization_id: int) -> Select[Invoice, Period, str]:
    return (
        select(Invoice, Period, Rule.title)
        .outerjoin(Period, Period.id == Invoice.period_id)
        .outerjoin(Rule, and_(Rule.organization_id == Period.organization_id, Rule.rule_id == Period.rule_id))
        .where(Invoice.organization_id == organization_id)
    )


def _earlier(session: Session, organization_id: int, billed: Billed) -> list[Billed]:
    """Return invoices before one that it may be compared with, the likeliest first."""
    invoice, period, _title = billed
    query = _billed(organization_id).where(
        Invoice.contract_id == invoice.contract_id,
        Invoice.invoice_id != invoice.invoice_id,
        Invoice.gone_at.is_(None),
        Invoice.state != InvoiceState.CANCELLED.value,
    )
    if period is None:
        newest = Invoice.planned_date.desc(), Invoice.invoice_id.desc()
        query = query.where(Invoice.planned_date <= invoice.planned_date).order_by(*newest).limit(1)
    else:
        own_first = case((Period.rule_id == period.rule_id, 0), else_=1), Period.issue_date.desc(), Period.id.desc()
        query = query.where(Period.issue_date < period.issue_date).order_by(*own_first).limit(LOOKED_AT)
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def _goes_on(billed: Billed, earlier: Billed, versions: Versions) -> bool:
    """Whether an earlier invoice of the contract billed the same: by the same rule, or by one that is alike."""
    period, former = billed[1], earlier[1]
    if period is None or former is None or period.rule_id == former.rule_id:
        return True
    terms, former_terms = _terms(period, versions), _terms(former, versions)
    if terms is None or former_terms is None:
        return False
    mine = terms.of_rule(period.rule_id, title=billed[2], customer=None)
    return mine.bills_the_same(former_terms.of_rule(former.rule_id, title=earlier[2], customer=None))


def _terms(period: Period, versions: Versions) -> RuleTerms | None:
    """Return the terms that a period was planned under; None where the ledger has none of its rule."""
    known = versions.get(period.rule_id, [])
    mine = next((each for each in known if each.version == period.rule_version), known[-1] if known else None)
    return RuleTerms.read(mine.terms) if mine is not None else None


def _compared(
    session: Session, organization_id: int, invoices: Sequence[Billed], versions: Versions
) -> list[ComparedInvoice]:
    """Return some invoices with what their periods say of them, in three statements."""
    rule_ids = {each[1].rule_id for each in invoices if each[1] is not None}
    prices = PriceRepository(session, organization_id).histories(rule_ids)
    known = AdjustmentRepository(session, organization_id, Actor()).of_rules(rule_ids)
    query = select(Receivable.invoice_id, Receivable.due_date).where(
        Receivable.organization_id == organization_id,
        Receivable.invoice_id.in_([each[0].invoice_id for each in invoices]),
        Receivable.gone_at.is_(None),
    )
    due: dict[int, list[date]] = {}
    for number, due_date in session.execute(query.order_by(Receivable.due_date)):
        due.setdefault(number, []).append(due_date)
    compared = []
    for invoice, period, _title in invoices:
        terms, bill = (_terms(period, versions) if period is not None else None), None
        if terms is not None and period is not None:
            try:
                bill = terms.bill(history(prices.get(period.rule_id, [])), period.issue_date)
            except DomainError:
                bill = None  # what it should be cannot be told: its amount is all that is compared
        used = [
            each.adjustment
            for each in (known.get(period.rule_id, []) if period is not None else ())
            if period is not None and each.uses.get((period.id, period.reference_sequence)) is UseState.USED
        ]
        compared.append(
            ComparedInvoice(
                invoice_id=invoice.invoice_id,
                contract_id=invoice.contract_id,
                issue_date=invoice.issue_date,
                planned_date=period.issue_date if period is not None else invoice.planned_date,
                gross_value=invoice.gross_value,
                due_dates=tuple(due.get(invoice.invoice_id, ())),
                planned_due_date=period.first_due_date if period is not None else None,
                rule_id=period.rule_id if period is not None else None,
                accrual_month=period.accrual_month if period is not None else None,
                bill=bill,
                adjustments=tuple(each for each in used if each.kind is not AdjustmentKind.SKIP),
                covered=terms.covered(period.issue_date) if terms is not None and period is not None else None,
            )
        )
    return compared


def _steps(
    session: Session, organization_id: int, rule_id: int, after: date, until: date
) -> dict[int, list[PriceStep]]:
    """Return by service the prices of a rule that began after a day, up to another one."""
    points = [point for point in prices_of(session, organization_id, rule_id) if after < point.effective_from <= until]
    executions = {point.execution_id for point in points if point.execution_id is not None}
    query = select(PriceUpdateExecution).where(
        PriceUpdateExecution.organization_id == organization_id, PriceUpdateExecution.id.in_(executions)
    )
    rows = {row.id: row for row in session.scalars(query)} if executions else {}
    steps: dict[int, list[PriceStep]] = {}
    for point in points:
        steps.setdefault(point.service_id, []).append(_step(point, rows.get(point.execution_id or 0)))
    return steps


def _step(point: PricePoint, execution: PriceUpdateExecution | None) -> PriceStep:
    if execution is None or point.source not in READJUSTS:
        return PriceStep(effective_from=point.effective_from, unit_value=point.unit_value)
    months = evidence_months(execution.evidence or {})
    return PriceStep(
        effective_from=point.effective_from,
        unit_value=point.unit_value,
        execution_id=execution.id,
        index=execution.price_index,
        months=(f"{months[0]:%Y-%m}", f"{months[-1]:%Y-%m}") if months else (),
    )
