"""Finding one's way: the organizations of the ledger, and contracts, rules, periods and invoices by what is typed."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from ciclo.ledger.queries.paging import by_text, contains
from ciclo.ledger.queries.periods import rules_called
from ciclo.ledger.tables import Contract, Invoice, Organization, Period, Rule
from ciclo.locale import _


@dataclass(frozen=True, slots=True)
class OrganizationName:
    """An organization by id; the name is the vendor's, or its id where none is known."""

    organization_id: int
    name: str
    reconciled_on: date | None
    """The last day whose whole reconciliation ended well."""


def organizations(session: Session) -> tuple[OrganizationName, ...]:
    """Return every organization of the ledger, by id."""
    columns = Organization.organization_id, Organization.name, Organization.reconciled_on
    return tuple(
        OrganizationName(key, name or _("Organization {number}").format(number=key), day)
        for key, name, day in session.execute(select(*columns).order_by(Organization.organization_id))
    )


def newest_issue_date(session: Session, organization_id: int, up_to: date) -> date | None:
    """Return the last issue date on or before a day, else the first after it, or None if nothing was ever planned."""
    mine = Period.organization_id == organization_id
    before = session.scalar(select(func.max(Period.issue_date)).where(mine, Period.issue_date <= up_to))
    return before or session.scalar(select(func.min(Period.issue_date)).where(mine))


MOST = 20
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: `kind` is contract, rule, invoice or period; `id` is its own."""

    kind: str
    id: int
    title: str
    contract_name: str | None = None
    issue_date: date | None = None
    period_id: int | None = None
    contract_id: int | None = None
    """Of an invoice."""


def search(session: Session, organization_id: int, wanted: str) -> tuple[Hit, ...]:
    """Return at most `MOST` hits of a kind."""
    wanted = wanted.strip()
    if not wanted:
        return ()
    if wanted.isdecimal() and wanted.isascii() and int(wanted) <= LARGEST_ID:
        return (*_by_id(session, organization_id, int(wanted)), *_by_text(session, organization_id, wanted))
    return _by_text(session, organization_id, wanted)


def _by_id(session: Session, organization_id: int, number: int) -> tuple[Hit, ...]:
    contract = select(Contract.contract_id, Contract.name).where(
        Contract.organization_id == organization_id, Contract.contract_id == number
    )
    rule = _rules(organization_id).where(Rule.rule_id == number)
    invoice = select(
        Invoice.invoice_id, Invoice.description, Invoice.issue_date, Invoice.period_id, Invoice.contract_id
    ).where(Invoice.organization_id == organization_id, Invoice.invoice_id == number)
    period = select(Period.id, Period.issue_date).where(Period.organization_id == organization_id, Period.id == number)
    return (
        *(Hit("contract", *row) for row in session.execute(contract)),
        *(Hit("rule", *row) for row in session.execute(rule)),
        *(
            Hit("invoice", key, text or _("Invoice {number}").format(number=key), None, day, of_period, of_contract)
            for key, text, day, of_period, of_contract in session.execute(invoice)
        ),
        *(
            Hit("period", key, _("Period {number}").format(number=key), None, day, key)
            for key, day in session.execute(period)
        ),
    )


def _by_text(session: Session, organization_id: int, wanted: str) -> tuple[Hit, ...]:
    contracts = (
        select(Contract.contract_id, Contract.name)
        .where(Contract.organization_id == organization_id, contains(Contract.name, wanted))
        .order_by(*by_text(Contract.name), Contract.contract_id)
        .limit(MOST)
    )
    in_order = Rule.title, Rule.rule_id
    first = rules_called(organization_id, wanted).order_by(*in_order).limit(MOST)
    rules = _rules(organization_id).where(Rule.rule_id.in_(first)).order_by(*in_order)
    return (
        *(Hit("contract", *row) for row in session.execute(contracts)),
        *(Hit("rule", *row) for row in session.execute(rules)),
    )


def _rules(organization_id: int) -> Any:
    return (
        select(Rule.rule_id, Rule.title, Contract.name)
        .outerjoin(
            Contract,
            and_(Contract.organization_id == Rule.organization_id, Contract.contract_id == Rule.contract_id),
        )
        .where(Rule.organization_id == organization_id)
    )
