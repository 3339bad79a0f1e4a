"""What waits for a person: periods parked or in doubt, and findings, with reason, age and amount at risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Text, and_, cast, func, null, or_, select
from sqlalchemy.orm import Session

from ciclo.domain.findings import STOPS_CLOSING
from ciclo.domain.money import ZERO, brl, total
from ciclo.domain.states import PeriodState
from ciclo.domain.wording import said, said_of_finding
from ciclo.ledger.queries.months import NEEDS_A_PERSON, UPDATE_NEEDS_A_PERSON
from ciclo.ledger.queries.paging import Listing, contains, not_at_rest
from ciclo.ledger.queries.periods import PeriodFilter, PeriodRow, period_listing
from ciclo.ledger.queries.trail import TrailEntry, trail_of
from ciclo.ledger.repositories.findings import bears_on
from ciclo.ledger.tables import Contract, Finding, Payload, Period, PriceUpdateExecution
from ciclo.locale import _, ngettext


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings: open or closed, acknowledged or not, of a contract, a month, a text."""

    closed: bool = False
    acknowledged: bool | None = False
    contract_id: int | None = None
    billing_month: date | None = None
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A disagreement between ledger and vendor; `amount` is BRL at risk."""

    id: int
    kind: str
    subject: str
    subject_id: int
    contract_id: int | None
    contract_name: str | None
    billing_month: date | None
    facts: Payload
    expected: str | None
    found: str | None
    amount: Decimal | None
    opened_at: datetime
    closed_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None

    @property
    def message(self) -> str:
        """The finding in a sentence."""
        return said_of_finding(self.kind, self.facts)


@dataclass(frozen=True, slots=True)
class KindCount:
    """How many things stopped for a reason, or disagree in a way. BRL at risk, as far as it is known."""

    kind: str
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class FindingPage:
    """A finding with its trail, and the period that it is about, if it is about one."""

    finding: FindingRow
    period_id: int | None
    trail: tuple[TrailEntry, ...]


_COLUMNS: tuple[Any, ...] = (
    Finding.id,
    Finding.kind,
    Finding.subject,
    Finding.subject_id,
    Finding.contract_id,
    Contract.name,
    Finding.billing_month,
    Finding.facts,
    Finding.expected,
    Finding.found,
    Finding.amount,
    Finding.opened_at,
    Finding.closed_at,
    Finding.acknowledged_by,
    Finding.acknowledged_at,
    Finding.note,
)
_OF_CONTRACT = and_(Contract.organization_id == Finding.organization_id, Contract.contract_id == Finding.contract_id)


def stopped_periods(
    session: Session, organization_id: int, *, state: str | None = None, kind: str = "", text: str = ""
) -> Listing[PeriodRow]:
    """Return the periods that wait for a person, oldest issue date first."""
    states = (state,) if state in NEEDS_A_PERSON else NEEDS_A_PERSON
    wanted = PeriodFilter(states=states, reason_kind=kind, text=text)
    return period_listing(session, organization_id, wanted, oldest_first=True)


def stopped_periods_by_kind(session: Session, organization_id: int) -> tuple[KindCount, ...]:
    """Count the periods that wait for a person by the kind of their reason."""
    mine = Period.organization_id == organization_id, Period.state.in_(NEEDS_A_PERSON), not_at_rest()
    return _by_kind(session, Period.reason_kind, Period.gross_value, mine)


def stopped_updates_by_kind(session: Session, organization_id: int) -> tuple[KindCount, ...]:
    """Count the price updates that wait for a person by the kind of their reason."""
    table = PriceUpdateExecution
    mine = table.organization_id == organization_id, table.state.in_(UPDATE_NEEDS_A_PERSON)
    return _by_kind(session, table.reason_kind, None, mine)


def findings_by_kind(session: Session, organization_id: int, wanted: FindingFilter) -> tuple[KindCount, ...]:
    """Count findings by their kind."""
    return _by_kind(session, Finding.kind, Finding.amount, _conditions(organization_id, wanted))


def _by_kind(session: Session, kind: Any, amount: Any, conditions: Sequence[Any]) -> tuple[KindCount, ...]:
    total = func.sum(amount) if amount is not None else null()
    query = select(kind.label("kind"), func.count().label("number"), total.label("amount")).where(*conditions)
    rows = session.execute(query.group_by(kind).order_by(func.count().desc(), kind))
    return tuple(KindCount(row.kind, row.number, row.amount or ZERO) for row in rows if row.kind is not None)


def finding_listing(organization_id: int, wanted: FindingFilter) -> Listing[FindingRow]:
    """Return findings, oldest first, as a list to page or export."""
    rows = select(*_COLUMNS).outerjoin(Contract, _OF_CONTRACT).where(*_conditions(organization_id, wanted))
    sorts: dict[str, Any] = {
        "opened": Finding.opened_at,
        "kind": Finding.kind,
        "contract": Contract.name,
        "amount": Finding.amount,
        "month": Finding.billing_month,
    }
    return Listing(lean=rows, rows=rows, build=FindingRow, sorts=sorts, key=(Finding.id,))


def findings_against_closing(session: Session, organization_id: int, month: date, limit: int) -> tuple[FindingRow, ...]:
    """Return up to `limit` open findings that keep a month from being closed, oldest first."""
    query = select(*_COLUMNS).outerjoin(Contract, _OF_CONTRACT)
    query = query.where(
        *_conditions(organization_id, FindingFilter()),
        Finding.kind.in_(sorted(STOPS_CLOSING)),
        bears_on(month),
    )
    return tuple(FindingRow(*row) for row in session.execute(query.order_by(Finding.id).limit(limit)))


def finding_page(session: Session, organization_id: int, finding_id: int) -> FindingPage | None:
    """Return one finding with its trail, or None if there is no such finding."""
    query = select(*_COLUMNS).outerjoin(Contract, _OF_CONTRACT)
    query = query.where(Finding.organization_id == organization_id, Finding.id == finding_id)
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    finding = FindingRow(*found)
    period_id = _period_of(session, organization_id, finding)
    return FindingPage(finding, period_id, trail_of(session, organization_id, "finding", finding_id))


def _period_of(session: Session, organization_id: int, finding: FindingRow) -> int | None:
    if finding.subject == "period":
        return finding.subject_id
    rule_id, day = (finding.facts.get(name) for name in ("rule_id", "issue_date"))
    if rule_id is None or day is None:
        return None
    mine = Period.organization_id == organization_id, Period.rule_id == rule_id
    return session.scalar(select(Period.id).where(*mine, Period.issue_date == date.fromisoformat(str(day))))


def _conditions(organization_id: int, wanted: FindingFilter) -> list[Any]:
    closed = Finding.closed_at.is_not(None) if wanted.closed else Finding.closed_at.is_(None)
    conditions: list[Any] = [Finding.organization_id == organization_id, closed]
    if wanted.acknowledged is not None:
        seen = Finding.acknowledged_at
        conditions.append(seen.is_not(None) if wanted.acknowledged else seen.is_(None))
    if wanted.kind:
        conditions.append(Finding.kind == wanted.kind)
    if wanted.contract_id is not None:
        conditions.append(Finding.contract_id == wanted.contract_id)
    if wanted.billing_month is not None:
        conditions.append(Finding.billing_month == wanted.billing_month)
    if wanted.text:
        conditions.append(or_(contains(Contract.name, wanted.text), contains(cast(Finding.facts, Text), wanted.text)))
    return conditions


@dataclass(frozen=True, slots=True)
class ParkedPeriod:
    """A period that stopped for a person. `amount` is BRL at risk, None where the price is not known."""

    period_id: int
    organization_id: int
    contract_id: int
    contract: str
    rule_id: int
    issue_date: date
    amount: Decimal | None
    parked_at: datetime
    reason: str

    def days(self, now: datetime) -> int:
        """Whole days since it was parked."""
        return (now - self.parked_at).days

    def line(self, now: datetime) -> str:
        """Say it in a line."""
        amount = brl(self.amount) if self.amount is not None else _("unknown")
        place = _("{contract}, rule {id}, {day}").format(contract=self.contract, id=self.rule_id, day=self.issue_date)
        days = self.days(now)
        age = ngettext("{count} day", "{count} days", days).format(count=f"{days:>4}")
        return f"{self.period_id:>8}  {age}  {amount:>16}  {place}: {self.reason}"

    def document(self, now: datetime) -> dict[str, Any]:
        """Return it as JSON values, money as a decimal string."""
        return {
            "period": self.period_id,
            "organization_id": self.organization_id,
            "contract_id": self.contract_id,
            "contract": self.contract,
            "rule_id": self.rule_id,
            "issue_date": self.issue_date.isoformat(),
            "days": self.days(now),
            "amount": str(self.amount) if self.amount is not None else None,
            "reason": self.reason,
        }


def parked_periods(session: Session, organization_id: int | None = None) -> list[ParkedPeriod]:
    """Return the parked periods, of one organization or of all, oldest issue date first."""
    same = and_(Period.organization_id == Contract.organization_id, Period.contract_id == Contract.contract_id)
    query = select(Period, Contract.name).outerjoin(Contract, same).where(Period.state == PeriodState.PARKED.value)
    if organization_id is not None:
        query = query.where(Period.organization_id == organization_id)
    rows = session.execute(query.order_by(Period.issue_date, Period.id))
    return [_parked(row.Period, row.name) for row in rows]


def at_risk(periods: Sequence[ParkedPeriod]) -> Decimal:
    """Return what parked periods amount to, in BRL, as far as it is known."""
    return total(period.amount for period in periods)


def _parked(period: Period, contract: str | None) -> ParkedPeriod:
    return ParkedPeriod(
        period_id=period.id,
        organization_id=period.organization_id,
        contract_id=period.contract_id,
        contract=contract or _("contract {}").format(period.contract_id),
        rule_id=period.rule_id,
        issue_date=period.issue_date,
        amount=period.gross_value,
        parked_at=period.changed_at,
        reason=said(period.reason, _("no reason given")),
    )
