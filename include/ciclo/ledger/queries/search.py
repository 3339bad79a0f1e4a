"""Finding one's way: the organizations of the ledger, and contracts, rules, periods and invoices by what is typed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import CTE, and_, func, select, text
from sqlalchemy.orm import Session

from ciclo.ledger.queries.paging import by_text, contains, first_letters, found_in, has_more
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
FEW = 20_000
"""Contracts or rules that are looked up by their numbers; where a text finds more, all are asked for it."""
ASKED = 1_000
"""Names, whichever, that say whether many have a text."""
WALKED = 5_000
"""Names among which the first are looked for that contain a text that many do."""
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
    contracts = _first_called(session, organization_id, Contract.contract_id, Contract.name, wanted)
    rules = _first_called(session, organization_id, Rule.rule_id, Rule.title, wanted)
    named = select(Contract.contract_id, Contract.name).where(Contract.organization_id == organization_id)
    named = named.where(Contract.contract_id.in_(contracts)).order_by(Contract.name, Contract.contract_id)
    titled = _rules(organization_id).where(Rule.rule_id.in_(rules)).order_by(Rule.title, Rule.rule_id)
    return (
        *(Hit("contract", *row) for row in session.execute(named)),
        *(Hit("rule", *row) for row in session.execute(titled)),
    )


def _first_called(session: Session, organization_id: int, key: Any, name: Any, wanted: str) -> Sequence[int]:
    """Return the keys of the first `MOST` by their names that contain a text.

    Where many do, they are probably among the first of all names; if not, the first of some that contain it do.
    """
    if _are_many(session, organization_id, key, name, wanted):
        names = select(key.label("key"), name.label("name"), first_letters(name).label("letters"))
        names = names.where(key.class_.organization_id == organization_id).limit(WALKED)
        for some in (names.order_by(*by_text(name), key), names):
            columns = some.subquery().c
            first = select(columns.key).where(contains(columns.name, wanted))
            found = session.scalars(first.order_by(columns.letters, columns.name, columns.key).limit(MOST)).all()
            if len(found) == MOST:
                return found
    called = _called(organization_id, key, name, wanted)
    with _by_parts_alone(session):
        return session.scalars(select(called.c.key).order_by(called.c.name, called.c.key).limit(MOST)).all()


def few_called(session: Session, organization_id: int, key: Any, name: Any, wanted: str) -> Sequence[int] | None:
    """Return the keys of those whose name contains a text; None if they are many."""
    if _are_many(session, organization_id, key, name, wanted):
        return None
    called = _called(organization_id, key, name, wanted)
    with _by_parts_alone(session):
        found = session.scalars(select(called.c.key).limit(FEW + 1)).all()
    return found if len(found) <= FEW else None


def _are_many(session: Session, organization_id: int, key: Any, name: Any, wanted: str) -> bool:
    """Whether one in fifty of more than `FEW` names contains a text: to look them up by an index would take longest."""
    if not _has_parts(session):
        return False
    names = select(name.label("name")).where(key.class_.organization_id == organization_id)
    some = names.limit(ASKED).subquery()
    found = session.scalars(select(func.count()).where(contains(some.c.name, wanted))).one()
    return found > ASKED // 50 and has_more(session, names, FEW)


@contextmanager
def _by_parts_alone(session: Session) -> Iterator[None]:
    """Let PostgreSQL take no row for itself: it would ask each again for its parts, longer than for the text."""
    if not _has_parts(session):
        yield
        return
    with session.begin_nested() as settings:
        for setting in ("enable_seqscan = off", "enable_indexscan = off", "work_mem = '64MB'"):
            session.execute(text(f"SET LOCAL {setting}"))
        yield
        settings.rollback()


def _has_parts(session: Session) -> bool:
    """Whether the ledger has an index of the parts of names."""
    return session.get_bind().dialect.name == "postgresql"


def _called(organization_id: int, key: Any, name: Any, wanted: str) -> CTE:
    """Select those whose name contains a text by themselves: how many are wanted of them changes no plan."""
    query = select(key.label("key"), name.label("name"))
    mine = key.class_.organization_id == organization_id
    return query.where(mine, found_in(name, wanted)).cte("called").prefix_with("MATERIALIZED")


def _rules(organization_id: int) -> Any:
    return (
        select(Rule.rule_id, Rule.title, Contract.name)
        .outerjoin(
            Contract,
            and_(Contract.organization_id == Rule.organization_id, Contract.contract_id == Rule.contract_id),
        )
        .where(Rule.organization_id == organization_id)
    )
