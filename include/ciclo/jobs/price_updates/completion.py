"""The end of an execution: invoices to the new price, then state, prices, next execution and estimates in one commit.

The one rule: an execution counts as settled only when everything that follows from it is done. Whatever breaks before
leaves it unsettled, periods wait, and doing it again is harmless: every value that is sent is absolute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl, cents
from ciclo.domain.pricing import Price, gross_value, next_execution
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.record import store_invoices
from ciclo.jobs.price_updates.invoices import Brought, bring_to_price
from ciclo.jobs.price_updates.standing import Due, Prices, Standing
from ciclo.jobs.rules.prices import next_revision
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.repositories import Change, ExecutionState
from ciclo.ledger.tables import Payload, Period, PriceUpdateExecution

NOT_SENT = (PeriodState.PLANNED, PeriodState.WAITING)
UNDER_WAY = (PeriodState.SUBMITTING, PeriodState.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Completion:
    """An execution whose prices the vendor shows: what is left is to bring everything else in line."""

    standing: Standing
    due: Due
    execution: PriceUpdateExecution
    target: ExecutionState
    source: str
    """`price update`, or `vendor` where its own readjustment is adopted."""
    evidence: Payload
    reason: str
    values: Mapping[str, Any]
    """Further columns of the execution to record: factor, policy, hash."""

    @property
    def new_prices(self) -> Prices:
        """Unit values from the execution date on, by service id."""
        return {entry["service_id"]: Decimal(entry["new"]) for entry in self.evidence["prices"]}

    def history_after(self) -> list[Price]:
        """Return the rule's prices with those of the execution."""
        day = self.due.execution_date
        return [*self.standing.history, *(Price(key or None, day, new) for key, new in self.new_prices.items())]


def periods_from(ctx: JobContext, rule_id: int, day: date) -> list[Period]:
    """Return the rule's periods from a day on."""
    return ctx.periods.of_rules([rule_id], DateRange(day, date.max))


def complete(ctx: JobContext, work: Completion) -> Brought | None:
    """Bring invoices to the new price, then record the execution and all that follows from it. Commits.

    Returns:
        The invoices that were brought to the new price; None where another run was faster, and nothing was recorded.

    Raises:
        InvoicesPending: an invoice could not be changed now; nothing was recorded.
        AuthenticationError: the token is not accepted; nothing was recorded.
    """
    periods = periods_from(ctx, work.standing.rule.rule_id, work.due.execution_date)
    ctx.session.commit()  # no transaction stays open while requests are under way
    issued = [period for period in periods if period.state == PeriodState.ISSUED]
    brought = bring_to_price(ctx, work.standing, issued, work.history_after())
    failpoint("update.repriced")
    if not _record(ctx, work, brought, ctx.clock()):
        ctx.session.rollback()
        return None
    _refresh_estimates(ctx, work)
    failpoint("update.recording")
    ctx.session.commit()
    failpoint("update.recorded")
    return brought


def _record(ctx: JobContext, work: Completion, brought: Brought, now: datetime) -> bool:
    evidence = dict(work.evidence)
    evidence["warnings"] = [*evidence.get("warnings", ()), *brought.warnings]
    if brought.entries:
        evidence["invoices"] = brought.entries
    if not ctx.executions.change(
        work.execution, work.target, reason=work.reason, at=now, evidence=evidence, **work.values
    ):
        return False
    # an update that a person scheduled anew, or that ended meanwhile, keeps its new date
    ctx.scheduled_updates.move(
        work.due.scheduled.scheduled_update_id, expected=work.due.execution_date, to=_following(work)
    )
    ctx.prices.add([_price_row(ctx, work, key, new, now) for key, new in work.new_prices.items()])
    work.standing.rule.payload = work.standing.remote.payload
    _store_invoices(ctx, work, brought, now)
    return True


def _following(work: Completion) -> date | None:
    """Return the execution after this one; None if the rule ends before it."""
    following = next_execution(domain_update(work.due.scheduled), work.due.execution_date)
    end_date = work.standing.rule.end_date
    return None if end_date is not None and following > end_date else following


def _price_row(ctx: JobContext, work: Completion, service_id: int, new: Decimal, now: datetime) -> dict[str, Any]:
    day = work.due.execution_date
    return {
        "organization_id": ctx.organization_id,
        "rule_id": work.standing.rule.rule_id,
        "service_id": service_id,
        "effective_from": day,
        "revision": next_revision(work.standing.prices, service_id, day),
        "unit_value": new,
        "source": work.source,
        "execution_id": work.execution.id,
        "created_at": now,
    }


def _store_invoices(ctx: JobContext, work: Completion, brought: Brought, now: datetime) -> None:
    store_invoices(ctx, [invoice for _, invoice in brought.invoices], {}, now)
    changes = []
    for period, invoice in brought.invoices:
        gross = cents(invoice.gross_value)
        if period.gross_value != gross:
            was = brl(period.gross_value) if period.gross_value is not None else "unknown"
            reason = f"{was} to {brl(gross)} by the price update of {work.due.execution_date}"
            changes.append(Change(invoice.id, str(invoice.state), str(invoice.state), reason))
            period.gross_value = gross
    ctx.session.flush()
    ctx.audit.record("invoice", changes, now)


def _refresh_estimates(ctx: JobContext, work: Completion) -> None:
    """Say of periods that are not sent yet what they will amount to, and let go of those that wait for nothing more."""
    after = work.history_after()
    for period in periods_from(ctx, work.standing.rule.rule_id, work.due.execution_date):
        if period.state in NOT_SENT:
            period.gross_value = _estimate(work.standing, period, after)
    ctx.session.flush()


def _estimate(standing: Standing, period: Period, prices: list[Price]) -> Decimal | None:
    try:
        return gross_value(standing.terms_of(period.rule_version).priced_services, prices, period.issue_date)
    except DomainError:
        return period.gross_value
