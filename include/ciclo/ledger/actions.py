"""What a person may do to the ledger. Console, CLI and rehearsals call these; the caller commits.

Every action locks its row, checks the change, and adds an audit entry with the person's name and note in the same
transaction. Clicking twice is harmless: the second answer says who was first.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain import contract_terms
from ciclo.domain.calendar import first_of_month
from ciclo.domain.continuity import Basis, months_from
from ciclo.domain.contract_terms import said_of_term
from ciclo.domain.errors import IllegalTransition, InvalidWindow
from ciclo.domain.receivables import InvoiceState
from ciclo.domain.states import (
    IN_PRICES,
    TRANSITIONS,
    ExecutionState,
    Fact,
    PeriodState,
    Reason,
    ReasonKind,
)
from ciclo.domain.wording import state_words
from ciclo.ledger.database import insert_new
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.queries.what_if import by_window
from ciclo.ledger.repositories import Actor, AuditRepository, Change, ExecutionRepository, PeriodRepository
from ciclo.ledger.repositories.prices import domain_term
from ciclo.ledger.tables import (
    AuditEntry,
    Contract,
    ContractTerm,
    Finding,
    Invoice,
    NotItsOwn,
    Period,
    PriceUpdateExecution,
)
from ciclo.locale import N_, _

LONGEST_NOTE = 1000
LONGEST_WINDOW = 120


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """What an action came to: `changed` is false if there was nothing left to do; `message` is a sentence."""

    changed: bool
    message: str


Action = Callable[..., ActionOutcome]
"""(session, organization_id, row_id, *, person, note, at) → outcome."""


class NoSuchRow(LedgerError):
    """The organization has no such period, finding or price update."""

    def __init__(self, what: str, row_id: object) -> None:
        text = _("There is no {what} {id} in this organization.")
        super().__init__(text.format(what=state_words(what), id=row_id))


class UnusableNote(LedgerError):
    """The note that goes with an action is missing or too long."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


class NoSuchFigure(LedgerError):
    """A price update shows no figure of the basis that was asked for."""

    def __init__(self, basis: str, shown: Collection[str]) -> None:
        text = _("The update shows no figure by {basis}; choose {shown}.")
        super().__init__(text.format(basis=basis, shown=", ".join(shown) or _("none")))


class NotPossible(LedgerError):
    """The row is in the right state, but what it is about is not as the action needs it."""


# -- periods ---------------------------------------------------------------------------------------------------------


def release_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put a parked period back to `planned`: the next run of issue_invoices takes it again.

    Its reason then tells what it was parked for, so that nothing parks it for the same again without new facts.

    Raises:
        UnusableNote: the note is empty or longer than `LONGEST_NOTE`.
        NoSuchRow: the organization has no such period.
        IllegalTransition: the period is in a state that cannot be released.
    """
    facts: dict[str, Fact] = {"person": person, "note": usable_note(note)}
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _somebody_was_first(session, period, N_("released"), PeriodState.PLANNED, [PeriodState.PARKED])
    if period.reason is not None:
        facts |= {"parked_for": period.reason.kind.value}
        facts |= {name: fact for name, fact in period.reason.facts.items() if name == "invoice_ids"}
    reason = Reason(ReasonKind.RELEASED, facts)
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Released: the next run of issue_invoices will take it."))


def cancel_period(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give a parked or planned period up: it will never be invoiced, unless a person plans it again.

    Raises:
        UnusableNote, NoSuchRow, IllegalTransition: as `release_period`.
    """
    reason = Reason(ReasonKind.CANCELLED, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state not in (PeriodState.PARKED, PeriodState.PLANNED):
        return _somebody_was_first(session, period, N_("cancelled"), PeriodState.CANCELLED, tuple(PeriodState))
    PeriodRepository(session, organization_id, Actor(person=person)).cancel([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Cancelled: it will not be invoiced."))


def plan_again(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Put a cancelled period back to `planned`, whoever cancelled it.

    Raises:
        UnusableNote, NoSuchRow, IllegalTransition: as `release_period`.
    """
    reason = Reason(ReasonKind.PLANNED_AGAIN, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.CANCELLED:
        return _somebody_was_first(session, period, N_("planned again"), PeriodState.PLANNED, [PeriodState.CANCELLED])
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Planned again: a run that covers its issue date takes it."))


def bill_again(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Plan a second invoice for an issued period whose invoice is cancelled or deleted at the vendor.

    The next invoice carries a reference of its own (`…:2`); the old one stays in the ledger without a period.

    Raises:
        UnusableNote, NoSuchRow, IllegalTransition: as `release_period`.
        NotPossible: the period's invoice is alive, as far as the ledger knows.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.ISSUED:
        return _somebody_was_first(session, period, N_("billed again"), PeriodState.PLANNED, [PeriodState.ISSUED])
    invoice = session.get(Invoice, (organization_id, period.invoice_id), populate_existing=True)
    if invoice is not None and invoice.gone_at is None and invoice.state != InvoiceState.CANCELLED:
        raise NotPossible(
            _(
                "Invoice {id} is {state} at the vendor: cancel it there, let reconcile_receivables see it, then bill "
                "again."
            ).format(id=invoice.invoice_id, state=state_words(invoice.state))
        )
    facts: dict[str, Fact] = {"person": person, "note": text, "invoice_id": period.invoice_id}
    PeriodRepository(session, organization_id, Actor(person=person)).bill_again(
        period, reason=Reason(ReasonKind.BILLED_AGAIN, facts), at=at
    )
    return ActionOutcome(changed=True, message=_("Planned again: its next invoice has a reference of its own."))


def settle_now(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """End the grace period of a period in doubt, so that the next run settles it whatever it finds.

    Only for a person who knows that the vendor is not still working on the request: the grace period is what keeps a
    late commit from being billed twice.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        IllegalTransition: the period is not, and never was, in doubt.
    """
    reason = Reason(ReasonKind.SETTLED_NOW, {"person": person, "note": usable_note(note)})
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.IN_DOUBT:
        return _somebody_was_first(session, period, N_("settled"), PeriodState.IN_DOUBT, tuple(PeriodState))
    if period.doubt_until is not None and period.doubt_until <= at:
        return ActionOutcome(changed=False, message=_("Its grace period is over already: the next run settles it."))
    period.doubt_until = at
    session.flush()
    change = Change(period.id, PeriodState.IN_DOUBT, PeriodState.IN_DOUBT, reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("period", [change], at)
    return ActionOutcome(changed=True, message=_("Its grace period ends now: the next run settles it."))


def not_its_own(
    session: Session, organization_id: int, period_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Say that the invoices a period was parked for are not its own, and plan it again.

    No matching takes one of these invoices for the period's rule any more.

    Raises:
        UnusableNote, NoSuchRow, IllegalTransition: as `release_period`.
        NotPossible: the period was not parked for certain invoices.
    """
    text = usable_note(note)
    period = locked_period(session, organization_id, period_id)
    if period.state != PeriodState.PARKED:
        return _somebody_was_first(session, period, N_("released"), PeriodState.PLANNED, [PeriodState.PARKED])
    invoice_ids = _invoices_in(period.reason)
    if not invoice_ids:
        raise NotPossible(_("This period was not parked for an invoice that may be its own."))
    for invoice_id in invoice_ids:
        _remember_not_its_own(session, period, invoice_id, person=person, note=text, at=at)
    facts: dict[str, Fact] = {"person": person, "note": text, "invoice_ids": invoice_ids}
    reason = Reason(ReasonKind.NOT_ITS_OWN, facts)
    PeriodRepository(session, organization_id, Actor(person=person)).replan([period], reason=reason, at=at)
    return ActionOutcome(changed=True, message=_("Remembered: the next run of issue_invoices will take the period."))


# -- findings --------------------------------------------------------------------------------------------------------


def acknowledge_finding(
    session: Session, organization_id: int, finding_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Say that a person has seen a finding and what is done about it; it closes when the disagreement is gone.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
    """
    text = usable_note(note)
    query = select(Finding).where(Finding.organization_id == organization_id, Finding.id == finding_id)
    finding = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if finding is None:
        raise NoSuchRow("finding", finding_id)
    if finding.acknowledged_at is not None:
        text = _("Already acknowledged by {who}: {note}")
        who = finding.acknowledged_by or _("somebody")
        return ActionOutcome(changed=False, message=text.format(who=who, note=finding.note))
    finding.acknowledged_by, finding.acknowledged_at, finding.note = person, at, text
    session.flush()
    reason = Reason(ReasonKind.ACKNOWLEDGED, {"person": person, "note": text})
    change = Change(finding.id, "open", "acknowledged", reason)
    AuditRepository(session, organization_id, Actor(person=person)).record("finding", [change], at)
    return ActionOutcome(changed=True, message=_("Acknowledged."))


# -- price updates ---------------------------------------------------------------------------------------------------


def apply_update(  # noqa: PLR0913 - what a person chooses
    session: Session,
    organization_id: int,
    execution_id: int,
    *,
    person: str,
    note: str,
    at: datetime,
    basis: str | None = None,
    first_month: str | None = None,
    last_month: str | None = None,
) -> ActionOutcome:
    """Let a price update that waits for a person be applied by the next run; where it shows figures, by one of them.

    Args:
        session: the ledger; the caller commits.
        organization_id: the organization.
        execution_id: the update's execution.
        person: who decides.
        note: why.
        at: when.
        basis: which of its figures, or `window` for months of the person's own; by default the one it offers first.
        first_month: the first month of that window, `YYYY-MM`.
        last_month: the last one, included.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        NoSuchFigure: it shows no figure of that basis.
        InvalidWindow: the months cannot be used.
        MissingIndexValue: one of them has no value.
        IllegalTransition: it is in a state in which nothing can be decided about it.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    evidence = execution.evidence or {}
    figures = {figure["basis"]: figure for figure in evidence.get("figures", ())}
    wanted = basis or evidence.get("offered_first")
    if execution.state == ExecutionState.CANCELLED:  # only what called it off can call for it again
        raise IllegalTransition("price update", ExecutionState.CANCELLED, ExecutionState.PLANNED, [])
    decided_before = (ExecutionState.PLANNED, ExecutionState.SUBMITTING, *IN_PRICES)
    if execution.state in decided_before and execution.approved_by is not None:
        return ActionOutcome(changed=False, message=_("Already decided by {who}.").format(who=execution.approved_by))
    decided: dict[str, Any] = {}
    if wanted == Basis.WINDOW and execution.proposal_hash is not None:
        months = _window_of(first_month, last_month)
        decided = {
            "months": [f"{months[0]:%Y-%m}", f"{months[-1]:%Y-%m}"],
            "prices": {str(key): str(value) for key, value in by_window(session, execution, months).items()},
        }
    elif wanted is not None and wanted not in figures:
        raise NoSuchFigure(wanted, figures)
    elif wanted is not None:
        decided = {"prices": {str(price["service_id"]): price["new"] for price in figures[wanted]["prices"]}}
    reason = Reason(ReasonKind.APPLY_ASKED, {"person": person, "note": text, "basis": wanted})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    if execution.state == ExecutionState.PROPOSED and wanted is None:
        if execution.approved_at is not None:
            return ActionOutcome(
                changed=False, message=_("Already decided by {who}.").format(who=execution.approved_by)
            )
        executions.approve(execution, person=person, at=at, reason=reason)
        return ActionOutcome(changed=True, message=_("Approved: the next run of apply_price_updates applies it."))
    columns: dict[str, Any] = {}
    if decided:
        decision = {"basis": wanted, "person": person, "note": text, "at": at.isoformat(), **decided}
        columns = {"approved_by": person, "approved_at": at, "evidence": {**evidence, "decision": decision}}
        columns["proposal_hash"] = figures[wanted]["hash"] if wanted in figures else execution.proposal_hash
    executions.change(execution, ExecutionState.PLANNED, reason=reason, at=at, **columns)
    prices = ", ".join(decided.get("prices", {}).values())
    said = _("The next run of apply_price_updates applies it.")
    return ActionOutcome(changed=True, message=f"{said} {prices}".rstrip())


def _window_of(first_month: str | None, last_month: str | None) -> tuple[date, ...]:
    """Read the months of a window, first and last included.

    Raises:
        InvalidWindow: one is no month, or the last comes before the first, or they are more than ten years apart.
    """
    try:
        first, last = (date.fromisoformat(f"{month or ''}-01") for month in (first_month, last_month))
    except ValueError:
        raise InvalidWindow(first_month, last_month) from None
    months = months_from(first, last)
    if not 0 < len(months) <= LONGEST_WINDOW:
        raise InvalidWindow(first_month, last_month)
    return months


def skip_update(
    session: Session, organization_id: int, execution_id: int, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give one execution of a price update up: prices stay, its months count as used, the next one follows.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        IllegalTransition: it is on its way to the vendor, or in the prices already.
    """
    text = usable_note(note)
    execution = _locked_execution(session, organization_id, execution_id)
    if execution.state == ExecutionState.CANCELLED:
        return ActionOutcome(changed=False, message=_("It is given up already."))
    evidence = {**(execution.evidence or {}), "skipped": {"person": person, "note": text, "at": at.isoformat()}}
    reason = Reason(ReasonKind.SKIPPED, {"person": person, "note": text})
    executions = ExecutionRepository(session, organization_id, Actor(person=person))
    executions.change(execution, ExecutionState.CANCELLED, reason=reason, at=at, evidence=evidence)
    return ActionOutcome(changed=True, message=_("Skipped: the price stays, the next execution follows."))


# -- terms of a contract ---------------------------------------------------------------------------------------------


def agree_term(
    session: Session,
    organization_id: int,
    contract_id: int,
    term: contract_terms.ContractTerm,
    *,
    note: str,
    at: datetime,
) -> int:
    """Enter a term of a contract in its author's name; return its number.

    Raises:
        UnusableNote: the note is empty or longer than `LONGEST_NOTE`.
        NoSuchRow: the organization has no such contract.
    """
    text = usable_note(note)
    if session.get(Contract, (organization_id, contract_id)) is None:
        raise NoSuchRow("contract", contract_id)
    row = ContractTerm(
        organization_id=organization_id,
        contract_id=contract_id,
        rule_id=term.rule_id,
        kind=term.kind.value,
        percent=term.percent,
        price_index=term.index.value if term.index else None,
        day=term.day,
        clause=term.clause,
        effective_from=term.effective_from,
        effective_to=term.effective_to,
        person=term.author,
        note=text,
        created_at=at,
    )
    session.add(row)
    session.flush()
    reason = Reason(ReasonKind.TERM_AGREED, {"person": term.author, "term": said_of_term(term), "note": text})
    trail = AuditRepository(session, organization_id, Actor(person=term.author))
    trail.record("term", [Change(row.id, None, "agreed", reason)], at)
    return row.id


def end_term(
    session: Session, organization_id: int, term_id: int, last_day: date, *, person: str, note: str, at: datetime
) -> ActionOutcome:
    """Give a term its last day; executions up to it keep to the term.

    Raises:
        UnusableNote, NoSuchRow: as `release_period`.
        InvalidTerm: it begins after that day.
    """
    text = usable_note(note)
    query = select(ContractTerm).where(ContractTerm.organization_id == organization_id, ContractTerm.id == term_id)
    row = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if row is None:
        raise NoSuchRow("term", term_id)
    if row.effective_to == last_day:
        return ActionOutcome(changed=False, message=_("It ends on that day already."))
    term = replace(domain_term(row), effective_to=last_day)
    row.effective_to = last_day
    session.flush()
    facts: dict[str, Fact] = {"person": person, "term": said_of_term(term), "last_day": last_day.isoformat()}
    reason = Reason(ReasonKind.TERM_ENDED, facts | {"note": text})
    trail = AuditRepository(session, organization_id, Actor(person=person))
    trail.record("term", [Change(term_id, "agreed", "ended", reason)], at)
    return ActionOutcome(changed=True, message=_("Ended: later executions go without it."))


# -- by what it is about ---------------------------------------------------------------------------------------------

PERIOD_ACTIONS: dict[str, Action] = {
    "release": release_period,
    "cancel": cancel_period,
    "plan_again": plan_again,
    "bill_again": bill_again,
    "settle_now": settle_now,
    "not_its_own": not_its_own,
}
EXECUTION_ACTIONS: dict[str, Action] = {"apply": apply_update, "skip": skip_update}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What a person names a matter by: a rule and a date (issue or execution date), or an invoice."""

    rule_id: int | None = None
    issue_date: date | None = None
    invoice_id: int | None = None

    def __str__(self) -> str:
        if self.invoice_id is not None:
            return f"invoice {self.invoice_id}"
        return f"rule {self.rule_id}, {self.issue_date or 'any date'}"


def act_on(
    session: Session, organization_id: int, action: str, matter: Matter, *, person: str, note: str, at: datetime
) -> list[ActionOutcome]:
    """Carry out an action on everything open that it is about.

    Args:
        session: the caller commits.
        organization_id: whose ledger.
        action: a key of `PERIOD_ACTIONS` or `EXECUTION_ACTIONS`, or `acknowledge`.
        matter: what it is about.
        person: who acts.
        note: why.
        at: when.

    Raises:
        NoSuchRow: nothing fits.
        UnusableNote, IllegalTransition, NotPossible: as the actions say.
    """
    if action == "acknowledge":
        act, rows = acknowledge_finding, _findings_about(session, organization_id, matter)
    elif action in EXECUTION_ACTIONS:
        act, rows = EXECUTION_ACTIONS[action], _executions_about(session, organization_id, matter)
    elif action in PERIOD_ACTIONS:
        act, rows = PERIOD_ACTIONS[action], _periods_about(session, organization_id, matter)
    else:
        raise NoSuchRow("action", action)
    if not rows:
        raise NoSuchRow(f"matter to {action.replace('_', ' ')}:", matter)
    return [act(session, organization_id, row_id, person=person, note=note, at=at) for row_id in rows]


def _periods_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    query = select(Period).where(Period.organization_id == organization_id).order_by(Period.issue_date, Period.id)
    if matter.invoice_id is None:
        query = query.where(Period.rule_id == matter.rule_id)
        if matter.issue_date is not None:
            query = query.where(Period.issue_date == matter.issue_date)
        return [period.id for period in session.scalars(query)]
    own = session.scalars(query.where(Period.invoice_id == matter.invoice_id))
    parked = session.scalars(query.where(Period.state == PeriodState.PARKED))
    named = (period for period in parked if matter.invoice_id in _invoices_in(period.reason))
    return [*(period.id for period in own), *(period.id for period in named)]


def _executions_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    table = PriceUpdateExecution
    query = select(table.id).where(table.organization_id == organization_id, table.rule_id == matter.rule_id)
    if matter.issue_date is not None:
        query = query.where(table.execution_date == matter.issue_date)
    return list(session.scalars(query.order_by(table.id)))


def _findings_about(session: Session, organization_id: int, matter: Matter) -> list[int]:
    period_ids = _periods_about(session, organization_id, matter)
    invoice_ids = {matter.invoice_id} - {None}
    if matter.invoice_id is None:
        own = select(Period.invoice_id).where(Period.id.in_(period_ids), Period.invoice_id.is_not(None))
        invoice_ids = set(session.scalars(own))

    def is_about(finding: Finding) -> bool:
        match finding.subject:
            case "invoice":
                return finding.subject_id in invoice_ids
            case "period":
                return finding.subject_id in period_ids
            case "rule" if finding.subject_id == matter.rule_id:
                month = matter.issue_date and first_of_month(matter.issue_date)
                return month in (None, finding.billing_month)
            case _:
                same_rule = matter.rule_id is not None and finding.facts.get("rule_id") == matter.rule_id
                day = matter.issue_date and matter.issue_date.isoformat()
                return finding.facts.get("invoice_id") in invoice_ids or (
                    same_rule and day in (None, finding.facts.get("issue_date"))
                )

    open_ones = select(Finding).where(Finding.organization_id == organization_id, Finding.closed_at.is_(None))
    return [finding.id for finding in session.scalars(open_ones.order_by(Finding.id)) if is_about(finding)]


def decide(session: Session, action: Action, period_id: int, *, person: str, note: str, at: datetime) -> ActionOutcome:
    """Carry out a person's decision about a period, of whatever organization, and commit it.

    Raises:
        NoSuchRow: there is no such period.
        UnusableNote, IllegalTransition: as the action says.
    """
    organization_id = session.scalar(select(Period.organization_id).where(Period.id == period_id))
    if organization_id is None:
        raise NoSuchRow("period", period_id)
    outcome = action(session, organization_id, period_id, person=person, note=note, at=at)
    session.commit()
    return outcome


# -- what they share -------------------------------------------------------------------------------------------------


def usable_note(note: str) -> str:
    """Return a note fit for the audit trail, in one line.

    Raises:
        UnusableNote: it is empty or longer than `LONGEST_NOTE`.
    """
    text = " ".join(note.split())
    if not text:
        raise UnusableNote(_("The note must say why."))
    if len(text) > LONGEST_NOTE:
        raise UnusableNote(_("The note is longer than {most} characters.").format(most=LONGEST_NOTE))
    if not text.isprintable():
        raise UnusableNote(_("The note holds characters that cannot be printed."))
    return text


def locked_period(session: Session, organization_id: int, period_id: int) -> Period:
    """Return a period as it is now, for nobody else to change until the transaction ends.

    Raises:
        NoSuchRow: the organization has no such period.
    """
    query = select(Period).where(Period.organization_id == organization_id, Period.id == period_id)
    period = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if period is None:
        raise NoSuchRow("period", period_id)
    return period


def _locked_execution(session: Session, organization_id: int, execution_id: int) -> PriceUpdateExecution:
    table = PriceUpdateExecution
    query = select(table).where(table.organization_id == organization_id, table.id == execution_id)
    execution = session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if execution is None:
        raise NoSuchRow("price update", execution_id)
    return execution


def _invoices_in(reason: Reason | None) -> Sequence[int]:
    """Return the invoices that a reason names as perhaps the period's own."""
    ids = reason.facts.get("invoice_ids") if reason is not None else None
    return [int(each) for each in ids] if isinstance(ids, list | tuple) else []


def _remember_not_its_own(
    session: Session, period: Period, invoice_id: int, *, person: str, note: str, at: datetime
) -> None:
    row = {
        "organization_id": period.organization_id,
        "invoice_id": invoice_id,
        "rule_id": period.rule_id,
        "person": person,
        "note": note,
        "at": at,
    }
    session.execute(insert_new(session, NotItsOwn), [row])


def _somebody_was_first(
    session: Session, period: Period, done: str, target: PeriodState, sources: Collection[PeriodState]
) -> ActionOutcome:
    """Answer an action on a period that has moved on, if what was asked for did happen; else refuse it.

    Raises:
        IllegalTransition: it never did.
    """
    query = select(AuditEntry.person).where(
        AuditEntry.organization_id == period.organization_id,
        AuditEntry.subject == "period",
        AuditEntry.subject_id == period.id,
        AuditEntry.to_state == target.value,
        AuditEntry.from_state.in_([source.value for source in sources]),
    )
    entry = session.execute(query.order_by(AuditEntry.id.desc()).limit(1)).one_or_none()
    if entry is None:
        raise IllegalTransition("period", period.state, target, TRANSITIONS[PeriodState(period.state)])
    text = (
        _("It was already {done} by {who}; the period is {state} now.")
        if entry.person
        else _("It was already {done}; the period is {state} now.")
    )
    said = text.format(done=_(done), who=entry.person, state=state_words(period.state))
    return ActionOutcome(changed=False, message=said)
