"""Settling: what became of the executions whose PUT got no answer, by reading the rule.

The one rule: the new unit values there, it is applied; the old ones after the grace period, it never arrived and is
planned again; anything else is for a person. The vendor is read after `now` is taken, so that whatever was there by
then is seen.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ciclo.billimatic import NotFoundError
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.money import brl
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.completion import Completion, complete
from ciclo.jobs.price_updates.invoices import InvoicesPending
from ciclo.jobs.price_updates.options import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.standing import Due, Prices, standing_of
from ciclo.jobs.price_updates.waiting import release_periods
from ciclo.jobs.rules.prices import current_prices
from ciclo.jobs.rules.sync import Problem
from ciclo.ledger.repositories import ExecutionState, Scope
from ciclo.ledger.repositories.executions import IN_FLIGHT
from ciclo.ledger.tables import PriceUpdateExecution


@dataclass(frozen=True, slots=True)
class UpdatesOpen:
    """What a later run has to settle."""

    executions: int
    ready_at: datetime | None
    """When the last grace period or lease of them is over."""

    def __bool__(self) -> bool:
        return bool(self.executions)


def settle_updates(ctx: JobContext, scope: Scope, options: UpdateOptions) -> UpdateOutcome:
    """Find out what became of the executions in doubt, and of claims whose lease has run out. Commits.

    Raises:
        ApiError: the vendor's rules cannot be read now; what was settled so far is recorded.
    """
    now = ctx.clock()
    outcome = UpdateOutcome()
    rows = ctx.executions.unanswered(scope, now)
    for execution in rows:
        if execution.state == ExecutionState.SUBMITTING:
            _abandon(ctx, execution, options.grace, now)
    ctx.session.commit()
    failpoint("update.abandoned")
    rules = {contract_id: _rules(ctx, contract_id) for contract_id in {row.contract_id for row in rows}}
    failpoint("update.looked")
    for execution in rows:
        _settle_one(ctx, execution, rules[execution.contract_id].get(execution.rule_id), outcome, now)
        ctx.session.commit()
    if rows:
        release_periods(ctx, tuple(sorted(rules)))
    return outcome


def updates_open(ctx: JobContext, scope: Scope) -> UpdatesOpen:
    """Return what of the scope is on its way or in doubt, and when it can be settled."""
    rows = ctx.executions.in_state(*IN_FLIGHT, scope=scope)
    ends = [end for row in rows if (end := row.doubt_until or row.lease_until) is not None]
    return UpdatesOpen(len(rows), max(ends, default=None))


def _abandon(ctx: JobContext, execution: PriceUpdateExecution, grace: timedelta, now: datetime) -> None:
    """Take a claim from a run that is gone: its PUT may have been sent until the lease ended."""
    until = (execution.lease_until or now) + grace
    reason = f"claimed by {execution.owner}, which never came back"
    ctx.executions.change(execution, ExecutionState.IN_DOUBT, reason=reason, at=now, doubt_until=until)


def _rules(ctx: JobContext, contract_id: int) -> dict[int, InvoiceRule]:
    try:
        return {rule.id: rule for rule in ctx.api.invoice_rules(contract_id)}
    except NotFoundError:
        return {}


def _settle_one(
    ctx: JobContext,
    execution: PriceUpdateExecution,
    remote: InvoiceRule | None,
    outcome: UpdateOutcome,
    now: datetime,
) -> None:
    if remote is None:
        reason = "the rule is no longer at the vendor"
        outcome.cancelled += ctx.executions.change(execution, ExecutionState.CANCELLED, reason=reason, at=now)
        ctx.scheduled_updates.move(execution.scheduled_update_id, expected=execution.execution_date, to=None)
        return
    evidence = execution.evidence or {}
    shown = current_prices(remote)
    sent, seen = _read(evidence.get("sent"), shown), _read(evidence.get("seen"), shown)
    if sent and all(shown[key] == value for key, value in sent.items()):
        _finish(ctx, execution, remote, outcome, now)
    elif not sent or any(shown[key] != value for key, value in seen.items()):
        _park(ctx, execution, sent, seen, shown, outcome, now)
    elif execution.doubt_until is not None and now < execution.doubt_until:
        outcome.in_doubt += 1
    else:
        reason = "the vendor shows the price before after the grace period: planned again"
        outcome.replanned += ctx.executions.change(execution, ExecutionState.PLANNED, reason=reason, at=now)


def _read(written: dict[str, str] | None, shown: Prices) -> Prices:
    """Read unit values from the evidence, of the services that the rule still has."""
    return {int(key): Decimal(value) for key, value in (written or {}).items() if int(key) in shown}


def _finish(
    ctx: JobContext, execution: PriceUpdateExecution, remote: InvoiceRule, outcome: UpdateOutcome, now: datetime
) -> None:
    standing = standing_of(ctx, execution.rule_id)
    scheduled = ctx.scheduled_updates.get(execution.scheduled_update_id)
    current = ctx.executions.get(execution.id)
    if standing is None or scheduled is None or current is None:
        raise LookupError(f"execution {execution.id} has no rule or update in the ledger")
    if current.state != ExecutionState.IN_DOUBT:
        return  # another run was faster
    standing.remote = remote
    work = Completion(
        standing=standing,
        due=Due(scheduled, current.execution_date),
        execution=current,
        target=ExecutionState.APPLIED,
        source="price update",
        evidence=current.evidence or {},
        reason="the vendor shows the new price",
        values={},
    )
    try:
        brought = complete(ctx, work)
    except InvoicesPending as error:
        current.reason, current.doubt_until = str(error), now
        outcome.in_doubt += 1
        return
    if brought is not None:
        outcome.applied += 1
        outcome.invoices += len(brought.entries)
        outcome.problems += [Problem(current.contract_id, current.rule_id, text) for text in brought.warnings]


def _park(
    ctx: JobContext,
    execution: PriceUpdateExecution,
    sent: Prices,
    seen: Prices,
    shown: Prices,
    outcome: UpdateOutcome,
    now: datetime,
) -> None:
    reason = (
        f"contract {execution.contract_id}, rule {execution.rule_id}, update of {execution.execution_date}: the vendor "
        f"shows {_listed(shown, sent)}, neither the price before ({_listed(seen, sent)}) nor the new one "
        f"({_listed(sent, sent)})"
    )
    outcome.parked += ctx.executions.change(execution, ExecutionState.PARKED, reason=reason, at=now)
    outcome.problems.append(Problem(execution.contract_id, execution.rule_id, reason))


def _listed(prices: Prices, keys: Prices) -> str:
    return ", ".join(brl(prices[key]) for key in keys if key in prices)
