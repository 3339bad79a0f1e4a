"""Ahead of the issue date: what is made earlier for single rules, and what has changed since about what was made ahead.

An invoice that is made ahead is priced as of its planned date. If its rule's price or quantities change up to that
day, it is brought to them while it is `to_emit` and nobody has edited it; absolute values are sent, so that sending
them again is harmless. Other terms that change, a service more, say, or when it is due, are a finding, unless the
vendor has carried them into it. If nothing calls for it any more it is shown for deletion: a person deletes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from ciclo.billimatic import ApiError, concerns_all
from ciclo.billimatic.models import Invoice, InvoiceState
from ciclo.domain.adjustments import Bill
from ciclo.domain.corrections import ChangedByHand
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Reason, ReasonKind
from ciclo.jobs.adjustments.correct import fields_of, what_lacks
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.record import store_invoices
from ciclo.jobs.periods.coverage import within
from ciclo.jobs.periods.expand import read_due
from ciclo.jobs.periods.plan import plan_periods
from ciclo.jobs.rules.snapshot import RuleSnapshot, RuleSnapshots
from ciclo.jobs.rules.store import terms_changed
from ciclo.ledger.repositories import ACTIVE, Disagreement, Scope
from ciclo.ledger.tables import Contract, Period


def scopes_ahead(ctx: JobContext, scope: Scope, *, day: date) -> list[Scope]:
    """Return what rules with lead days of their own have due beyond a scope, as scopes of their own. Commits.

    Their contracts are read and their periods planned, if anything is to come.

    Args:
        ctx: the run.
        scope: what the run is about without them.
        day: the run's day in São Paulo.
    """
    settings = ctx.adjustments.settings()
    by_lead: dict[int, list[int]] = {}
    for rule_id, row in settings.items():
        if row.lead_days is not None and day + timedelta(days=row.lead_days) > scope.window.last_day:
            by_lead.setdefault(row.lead_days, []).append(rule_id)
    found = []
    for lead_days, rule_ids in sorted(by_lead.items()):
        days = DateRange.days(scope.window.end, day + timedelta(days=lead_days))
        coming = _coming(ctx, rule_ids, days, scope)
        ctx.session.commit()
        if not coming:
            continue
        read = read_due(ctx, sorted({contract_id for contract_id, _ in coming}), today=ctx.today).read
        plan_periods(ctx, read, days)
        rules = tuple(sorted(rule_id for contract_id, rule_id in coming if contract_id in read))
        if rules:
            found.append(Scope(days, tuple(sorted(read)), scope.shard, scope.shards, rule_ids=rules))
    return found


def _coming(ctx: JobContext, rule_ids: Sequence[int], days: DateRange, scope: Scope) -> list[tuple[int, int]]:
    """Return contract and rule of those that issue in these days and have no invoice of all of them."""
    issued = {
        (period.rule_id, period.issue_date) for period in ctx.periods.of_rules(rule_ids, days) if period.invoice_id
    }
    coming = []
    for snapshot in RuleSnapshots(ctx, rule_ids, kept=len(rule_ids)):
        rule = snapshot.rule
        mine = rule.gone_at is None and scope.holds(rule.contract_id)
        if mine and any(each.key not in issued for each in snapshot.periods(days)):
            coming.append((rule.contract_id, rule.rule_id))
    return coming


@dataclass(slots=True)
class AheadOutcome:
    """What became of invoices that were made ahead, by number."""

    corrected: int = 0
    left_out: int = 0
    """Changed in what cannot be corrected, or edited by a person: findings say so."""
    to_be_deleted: int = 0

    def counts(self) -> dict[str, int]:
        """Return it as counts."""
        return {name: getattr(self, name) for name in ("corrected", "left_out", "to_be_deleted")}


def follow_ahead(ctx: JobContext, scope: Scope, options: IssueOptions) -> AheadOutcome:
    """Bring invoices of days to come to their rules' terms of now, and show those that nothing calls for. Commits.

    Of the scope its contracts and shard count. Contracts with such an invoice are read first, once a run.

    Raises:
        ApiError: the token is not accepted, or the vendor wants a pause.
    """
    options.require_lease(ctx.api)
    outcome = AheadOutcome()
    periods = ctx.periods.issued_ahead(ctx.today, scope)
    ctx.session.commit()
    read = read_due(ctx, sorted({each.contract_id for each in periods}), today=ctx.today).read if periods else ()
    periods = ctx.periods.some([each.id for each in periods])
    contracts = {each.contract_id: each for each in ctx.contracts.some({each.contract_id for each in periods})}
    pauses = ctx.readings.pauses(contracts)
    snapshots = RuleSnapshots(ctx, {each.rule_id for each in periods}, kept=len(periods) + 1)
    ctx.session.commit()
    seen: list[Disagreement] = []
    changed: list[Disagreement] = []
    called_for: set[int] = set()
    for period in periods:
        contract, snapshot = contracts[period.contract_id], snapshots[period.rule_id]
        if contract.contract_id in read and _is_called_for(
            snapshot, contract, period, pauses.get(contract.contract_id, ())
        ):
            called_for.add(period.invoice_id or 0)
            lagging = _follow(ctx, period, snapshot, outcome)
            changed += [lagging] if lagging is not None else []
        elif contract.contract_id in read or contract.state != ACTIVE or contract.gone_at is not None:
            seen.append(_to_be_deleted(period))
    outcome.to_be_deleted = len(seen)
    ctx.findings.settle(changed, examined={}, kinds=(), at=ctx.clock())
    _settle(ctx, scope, seen, called_for)
    return outcome


def _is_called_for(snapshot: RuleSnapshot, contract: Contract, period: Period, pauses: Sequence[DateRange]) -> bool:
    if contract.state != ACTIVE or contract.gone_at is not None or snapshot.rule.gone_at is not None:
        return False
    day = DateRange.days(period.issue_date, period.issue_date)
    planned = snapshot.periods_by_newest_terms(day)
    return any(each.issue_date == period.issue_date for each in planned) and not within(period.issue_date, pauses)


def _follow(ctx: JobContext, period: Period, snapshot: RuleSnapshot, outcome: AheadOutcome) -> Disagreement | None:
    """Bring an invoice to its rule's terms of now; return the finding about those that it cannot be brought to."""
    used, newest = snapshot.adjustments_in(period), snapshot.versions[-1][0]
    try:
        made_at = snapshot.history(known_by=period.changed_at)
        was = snapshot.bill(period.issue_date, used, terms=snapshot.terms_of(period), prices=made_at)
        wanted = snapshot.bill(period.issue_date, used, terms=snapshot.newest)
    except DomainError:
        outcome.left_out += 1
        return None
    wish = _wish(period, snapshot, wanted)
    is_repriced = _values(was) != _values(wanted)
    if not is_repriced and wish.accrual_month is None and wish.due_dates is None:
        return None
    changed = None if period.rule_version == newest.version else _terms_changed(period, snapshot)
    try:
        invoice = ctx.api.invoice(period.contract_id, period.invoice_id or 0)
        if invoice.state != InvoiceState.TO_EMIT:
            return None
        if not wish.is_met_by(invoice) and (change := fields_of(invoice, what_lacks(invoice, [was], wanted))):
            invoice = ctx.api.update_invoice(period.contract_id, invoice.id, change)
    except ChangedByHand:
        outcome.left_out += 1
        return changed
    except ApiError as error:
        if concerns_all(error):
            raise
        outcome.left_out += 1  # the next run reads it anew: what is sent are absolute values
        return None
    store_invoices(ctx, [invoice], {}, ctx.clock())
    is_met = wish.is_met_by(invoice)
    if is_met or is_repriced:
        if is_met:  # the vendor has carried over what Ciclo does not correct
            period.accrual_month = wish.accrual_month or period.accrual_month
        facts = {"was": str(was.total), "now": str(cents(invoice.gross_value))}
        reason = Reason(ReasonKind.CORRECTED_AHEAD, facts)
        ctx.periods.corrected(period, cents(invoice.gross_value), newest.version, reason=reason, at=ctx.clock())
        outcome.corrected += 1
    ctx.session.commit()
    return None if is_met else changed


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a rule's terms of now want of an invoice; month and days only where they are not those it was made by."""

    gross_value: Decimal
    accrual_month: date | None
    due_dates: tuple[date, ...] | None

    def is_met_by(self, invoice: Invoice) -> bool:
        days = tuple(sorted(line.due_date for line in invoice.receivables if line.due_date))
        return (
            cents(invoice.gross_value) == self.gross_value
            and self.accrual_month in (None, invoice.accrual_date)
            and self.due_dates in (None, days)
        )


def _wish(period: Period, snapshot: RuleSnapshot, wanted: Bill) -> _Wish:
    day = DateRange.days(period.issue_date, period.issue_date)
    now = next(snapshot.periods_by_newest_terms(day))
    return _Wish(
        gross_value=wanted.total,
        accrual_month=now.accrual_month if now.accrual_month != period.accrual_month else None,
        due_dates=now.due_dates if now.due_dates != snapshot.invoice(period).due_dates else None,
    )


def _terms_changed(period: Period, snapshot: RuleSnapshot) -> Disagreement:
    versions = [version for version, _ in snapshot.versions]
    was = next((each for each in versions if each.version == period.rule_version), versions[0])
    return terms_changed(period, versions, last_seen=was.last_seen_at or was.seen_at, first_seen=versions[-1].seen_at)


def _values(bill: Bill) -> list[object]:
    return [bill.flat, *((line.key, line.units, line.unit_value) for line in bill.lines)]


def _to_be_deleted(period: Period) -> Disagreement:
    return Disagreement.of_period(
        FindingKind.TO_BE_DELETED,
        ("invoice", period.invoice_id or 0),
        period.identity,
        facts={"invoice_id": period.invoice_id, "amount": str(period.gross_value)},
        expected="no invoice",
        found=f"invoice {period.invoice_id}",
        amount=period.gross_value,
    )


def _settle(ctx: JobContext, scope: Scope, seen: Sequence[Disagreement], called_for: set[int]) -> None:
    """Open and keep what is to be deleted; close it for what is gone or cancelled by now, or called for again."""
    standing = {
        each.subject_id
        for each in ctx.findings.open_of_kind(FindingKind.TO_BE_DELETED).values()
        if (each.contract_id or 0) % scope.shards == scope.shard
    }
    known = ctx.reconciliation.invoices(standing)
    over = {number for number, row in known.items() if row.gone_at is not None or row.state == InvoiceState.CANCELLED}
    examined = (standing & (over | called_for)) | {each.subject_id for each in seen}
    if examined:
        kinds = (FindingKind.TO_BE_DELETED,)
        ctx.findings.settle(seen, examined={"invoice": examined}, kinds=kinds, at=ctx.clock())
    ctx.session.commit()
