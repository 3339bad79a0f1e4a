"""A billing month: what was expected, what became of it, what came in, what waits for a person; its closings.

Beside it the figures for probes and monitoring, over all organizations.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, insert, select, text, true, tuple_, union_all
from sqlalchemy.orm import Session

from ciclo.domain.calendar import add_days
from ciclo.domain.money import ZERO
from ciclo.domain.receivables import ReceivableState
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.ledger.queries.nfses import NfseFilter, nfse_counts
from ciclo.ledger.queries.paging import Listing, not_at_rest
from ciclo.ledger.tables import (
    Finding,
    MonthClosing,
    MonthProgress,
    Payload,
    Period,
    PeriodMark,
    PeriodSum,
    PriceUpdateExecution,
    ReceivableSum,
)

NEEDS_A_PERSON = (PeriodState.PARKED.value, PeriodState.IN_DOUBT.value)
UPDATE_NEEDS_A_PERSON = ("parked", "in_doubt", "proposed")


@dataclass(frozen=True, slots=True)
class Share:
    """A number of things and what they amount to, in BRL."""

    count: int = 0
    amount: Decimal = ZERO

    def __add__(self, other: "Share") -> "Share":
        return Share(self.count + other.count, self.amount + other.amount)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a person, of every month: periods by state, price updates, open findings."""

    parked: Share
    in_doubt: Share
    updates: int
    findings: Share

    @property
    def total(self) -> int:
        """How many things wait."""
        return self.parked.count + self.in_doubt.count + self.updates + self.findings.count

    @property
    def at_risk(self) -> Decimal:
        """BRL of what waits: periods that are stopped, and what findings are about."""
        return self.parked.amount + self.in_doubt.amount + self.findings.amount


@dataclass(frozen=True, slots=True)
class DayShare:
    """What one issue date of the month holds: expected in all, issued of it."""

    day: date
    expected: Share
    issued: Share


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The newest attempt to close a month, without its report."""

    closed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MonthGlance:
    """A billing month: its periods by state (every state is there) and by day, and the receivables of its invoices."""

    month: DateRange
    states: dict[PeriodState, Share]
    days: tuple[DayShare, ...]
    receivables: dict[ReceivableState, Share]
    tried: LastAttempt | None
    """The newest attempt to close it; None if there was none."""
    progress: MonthProgress | None
    """How far it is proved; None before its first proof."""
    nfses: dict[NfseFilter, int]
    """Its invoices by their tax documents."""

    @property
    def closed(self) -> bool | None:
        """Whether its newest closing proved it; None if it was never tried."""
        return self.tried.closed if self.tried else None

    @property
    def expected(self) -> Share:
        """Every period that was not cancelled."""
        return sum((share for state, share in self.states.items() if state != PeriodState.CANCELLED), Share())


def month_glance(session: Session, organization_id: int, month: DateRange) -> MonthGlance:
    """Read a month in six statements."""
    query = (
        select(Period.issue_date, Period.state, func.count(), func.sum(Period.gross_value))
        .where(
            Period.organization_id == organization_id,
            Period.issue_date >= month.start,
            Period.issue_date < month.end,
        )
        .group_by(Period.issue_date, Period.state)
        .order_by(Period.issue_date)
    )
    states = {state: Share() for state in PeriodState}
    days: dict[date, DayShare] = {}
    for day, state, count, amount in session.execute(query):
        share = Share(count, amount or ZERO)
        states[PeriodState(state)] += share
        if state != PeriodState.CANCELLED:
            of_day = days.get(day, DayShare(day, Share(), Share()))
            issued = of_day.issued + share if state == PeriodState.ISSUED else of_day.issued
            days[day] = DayShare(day, of_day.expected + share, issued)
    receivables = _receivables(session, organization_id, month)
    attempt = session.execute(
        select(MonthClosing.closed, MonthClosing.created_at)
        .where(MonthClosing.organization_id == organization_id, MonthClosing.billing_month == month.start)
        .order_by(MonthClosing.id.desc())
        .limit(1)
    ).first()
    tried = LastAttempt(*attempt) if attempt else None
    progress = session.get(MonthProgress, (organization_id, month.start))
    nfses = nfse_counts(session, organization_id, month)
    return MonthGlance(month, states, tuple(days.values()), receivables, tried, progress, nfses)


def waiting_for_a_person(session: Session, organization_id: int) -> Waiting:
    """Count what waits for a person in three statements, each over an index of what is open."""
    query = (
        select(Period.state, func.count(), func.sum(Period.gross_value))
        .where(Period.organization_id == organization_id, Period.state.in_(NEEDS_A_PERSON), not_at_rest())
        .group_by(Period.state)
    )
    shares = {state: Share(count, amount or ZERO) for state, count, amount in session.execute(query)}
    updates = select(func.count()).where(
        PriceUpdateExecution.organization_id == organization_id,
        PriceUpdateExecution.state.in_(UPDATE_NEEDS_A_PERSON),
    )
    findings = select(func.count(), func.sum(Finding.amount)).where(
        Finding.organization_id == organization_id, Finding.closed_at.is_(None), Finding.acknowledged_at.is_(None)
    )
    count, amount = session.execute(findings).one()
    return Waiting(
        parked=shares.get("parked", Share()),
        in_doubt=shares.get("in_doubt", Share()),
        updates=session.scalar(updates) or 0,
        findings=Share(count, amount or ZERO),
    )


def _receivables(session: Session, organization_id: int, month: DateRange) -> dict[ReceivableState, Share]:
    """Receivables of the invoices issued in the month, by state."""
    query = (
        select(ReceivableSum.state, func.sum(ReceivableSum.receivables), func.sum(ReceivableSum.gross_value))
        .where(
            ReceivableSum.organization_id == organization_id,
            ReceivableSum.issue_date >= month.start,
            ReceivableSum.issue_date < month.end,
        )
        .group_by(ReceivableSum.state)
        .having(func.sum(ReceivableSum.receivables) > 0)
    )
    shares = {state: Share() for state in ReceivableState}
    for state, count, amount in session.execute(query):
        shares[ReceivableState(state)] = Share(int(count), amount)
    return shares


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One attempt to close a month, with its report."""

    id: int
    billing_month: date
    closed: bool
    run_id: str | None
    created_at: datetime
    report: Payload


_COLUMNS: tuple[Any, ...] = (
    MonthClosing.id,
    MonthClosing.billing_month,
    MonthClosing.closed,
    MonthClosing.run_id,
    MonthClosing.created_at,
    MonthClosing.report,
)


def closing_listing(organization_id: int) -> Listing[ClosingRow]:
    """Return the newest attempt of each month, newest month first."""
    newest = (
        select(func.max(MonthClosing.id))
        .where(MonthClosing.organization_id == organization_id)
        .group_by(MonthClosing.billing_month)
    )
    rows = select(*_COLUMNS).where(MonthClosing.id.in_(newest))
    sorts: dict[str, Any] = {"month": MonthClosing.billing_month, "at": MonthClosing.created_at}
    return Listing(lean=rows, rows=rows, build=ClosingRow, sorts=sorts, key=(MonthClosing.id,), descending=True)


def closings_of(session: Session, organization_id: int, month: date) -> tuple[ClosingRow, ...]:
    """Return every attempt to close a month, newest first."""
    query = (
        select(*_COLUMNS)
        .where(MonthClosing.organization_id == organization_id, MonthClosing.billing_month == month)
        .order_by(MonthClosing.id.desc())
    )
    return tuple(ClosingRow(*row) for row in session.execute(query))


UPDATES_UNDER_WAY = ("waiting", "proposed", "submitting", "in_doubt", "parked")


@dataclass(frozen=True, slots=True)
class StateMeasure:
    """Periods of an organization in a state. BRL."""

    organization_id: int
    state: str
    periods: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Days of an organization, up to yesterday, that no daily proof calls complete: 0 while the proof holds."""

    organization_id: int
    days: int


@dataclass(frozen=True, slots=True)
class Measures:
    """What a monitoring system asks the ledger."""

    states: tuple[StateMeasure, ...]
    overdue: int
    """Planned periods whose issue date is over: no run has taken them up."""
    oldest_doubt: datetime | None
    price_updates: dict[str, int]
    """Executions of price updates by state, where they are not at rest."""
    open_findings: int
    incomplete: tuple[Incomplete, ...]
    """Of every organization that was ever proved."""


def read_a_period(session: Session) -> None:
    """Read any period, of however many: whether the ledger can be read.

    Raises:
        sqlalchemy.exc.DBAPIError: it cannot.
    """
    session.scalar(select(Period.id).limit(1))


def measures(session: Session, today: date) -> Measures:
    """Read the figures in a few statements; `today` is the day in São Paulo."""
    doubt = select(func.min(Period.changed_at)).where(Period.state == PeriodState.IN_DOUBT.value, not_at_rest())
    overdue = select(func.count()).where(
        Period.state == PeriodState.PLANNED.value, Period.issue_date < today, not_at_rest()
    )
    findings = select(func.count()).select_from(Finding).where(Finding.closed_at.is_(None))
    updates = (
        select(PriceUpdateExecution.state, func.count())
        .where(PriceUpdateExecution.state.in_(UPDATES_UNDER_WAY))
        .group_by(PriceUpdateExecution.state)
    )
    under_way = dict.fromkeys(UPDATES_UNDER_WAY, 0)
    for state, count in session.execute(updates):
        under_way[state] = count
    return Measures(
        _states(session),
        session.scalar(overdue) or 0,
        session.scalar(doubt),
        under_way,
        session.scalar(findings) or 0,
        _incomplete(session, today),
    )


def add_up_periods(session: Session) -> None:
    """Add up anew the periods of the days that changed, unless somebody else does; the caller commits.

    Marks go before their days are counted: a change that is committed in between leaves a mark that stays.
    """
    if session.get_bind().dialect.name != "postgresql" or not session.scalar(_ALONE):
        return
    gone = delete(PeriodMark).returning(PeriodMark.organization_id, PeriodMark.issue_date)
    for organization_id, day in sorted({(row[0], row[1]) for row in session.execute(gone)}):
        session.execute(
            delete(PeriodSum).where(PeriodSum.organization_id == organization_id, PeriodSum.issue_date == day)
        )
        counted_anew = select(Period.organization_id, Period.issue_date, *_BY_STATE).where(
            Period.organization_id == organization_id, Period.issue_date == day
        )
        anew = counted_anew.group_by(Period.organization_id, Period.issue_date, Period.state)
        session.execute(insert(PeriodSum).from_select(["organization_id", "issue_date", *_SUMS], anew))


_ALONE = text(
    "SELECT current_setting('transaction_read_only') = 'off'"
    " AND pg_try_advisory_xact_lock('period_sums'::regclass::oid::bigint << 31)"
)
_SUMS = ("state", "periods", "gross_value")
_BY_STATE: tuple[Any, ...] = (
    Period.state,
    func.count().label("periods"),
    func.coalesce(func.sum(Period.gross_value), 0).label("gross_value"),
)


def _added_up(session: Session) -> tuple[StateMeasure, ...]:
    """Read the states from sums, and those of days with a mark from their periods: one statement, one moment."""
    marked = select(PeriodMark.organization_id, PeriodMark.issue_date).distinct().cte("marked")
    is_marked = select(marked.c.issue_date).where(
        marked.c.organization_id == PeriodSum.organization_id, marked.c.issue_date == PeriodSum.issue_date
    )
    sums = select(PeriodSum.organization_id, PeriodSum.state, PeriodSum.periods, PeriodSum.gross_value)
    of_day = select(*_BY_STATE).where(
        Period.organization_id == marked.c.organization_id, Period.issue_date == marked.c.issue_date
    )
    day = of_day.group_by(Period.state).lateral("day")
    anew = select(marked.c.organization_id, *(day.c[name] for name in _SUMS)).join(day, true())
    parts = union_all(sums.where(~is_marked.exists()), anew).subquery()
    key = parts.c.organization_id, parts.c.state
    query = select(*key, func.sum(parts.c.periods), func.sum(parts.c.gross_value)).group_by(*key).order_by(*key)
    return tuple(StateMeasure(row[0], row[1], int(row[2]), row[3]) for row in session.execute(query))


def _states(session: Session) -> tuple[StateMeasure, ...]:
    """Read the states, by organization."""
    if session.get_bind().dialect.name == "postgresql":
        return _added_up(session)
    mine = select(Period.organization_id, Period.state, func.count(), func.sum(Period.gross_value))
    at_rest = (PeriodState.CANCELLED.value, PeriodState.ISSUED.value)
    # SQLite would sort every period to group them by more than one state
    parts = [mine.where(not_at_rest()), *(mine.where(Period.state == state) for state in at_rest)]
    rows = [row for part in parts for row in session.execute(part.group_by(Period.organization_id, Period.state))]
    return tuple(StateMeasure(*row[:3], row[3] or ZERO) for row in sorted(rows, key=lambda row: (row[0], row[1])))


def _incomplete(session: Session, today: date) -> tuple[Incomplete, ...]:
    """Count the days since the newest proofs' last complete ones; a proof that nobody makes any more counts as well."""
    newest = select(MonthProgress.organization_id, func.max(MonthProgress.billing_month))
    query = (
        select(MonthProgress.organization_id, MonthProgress.billing_month, MonthProgress.complete_until)
        .where(
            tuple_(MonthProgress.organization_id, MonthProgress.billing_month).in_(
                newest.group_by(MonthProgress.organization_id)
            )
        )
        .order_by(MonthProgress.organization_id)
    )
    yesterday = add_days(today, -1)
    return tuple(
        Incomplete(organization, max(0, (yesterday - (until or add_days(month, -1))).days))
        for organization, month, until in session.execute(query)
    )
