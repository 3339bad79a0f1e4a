"""The end of an execution: invoices to the new price, then state, prices, next execution and estimates in one commit.

An execution counts as settled only when everything that follows from it is done. Whatever breaks before leaves it
unsettled, periods wait, and doing it again is harmless: every value that is sent is absolute.

What became of an execution whose PUT got no answer is found by reading the rule: the new unit values there, it is
applied; the old ones after the grace period, it never arrived and is planned again; anything else is for a person. The
vendor is read after `now` is taken, so that whatever was there by then is seen.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ciclo.billimatic import ApiError, NotFoundError
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.calendar import first_of_month
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import cents
from ciclo.domain.pricing import Price, gross_value
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import ExecutionState, Fact, PeriodState, Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.record import store_invoices
from ciclo.jobs.price_updates.outcome import UpdateOptions, UpdateOutcome
from ciclo.jobs.price_updates.reprice import Brought, InvoicesPending, bring_to_price
from ciclo.jobs.price_updates.updated_rule import Due, Prices, UpdatedRule, updated_rule
from ciclo.jobs.rules.ask import Alone, answers_about
from ciclo.jobs.rules.prices import current_prices, next_revision
from ciclo.jobs.rules.schedules import following_execution
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.repositories import Change, Disagreement, Scope
from ciclo.ledger.tables import Payload, Period, PriceUpdateExecution

NOT_SENT = (PeriodState.PLANNED, PeriodState.WAITING)
UNDER_WAY = (PeriodState.SUBMITTING, PeriodState.IN_DOUBT)

_Rules = dict[int, InvoiceRule]


@dataclass(frozen=True, slots=True)
class Completion:
    """An execution whose prices the vendor shows: what is left is to bring everything else in line."""

    rule: UpdatedRule
    due: Due
    execution: PriceUpdateExecution
    target: ExecutionState
    source: str
    """`price update`, or `vendor` where its own readjustment is adopted."""
    evidence: Payload
    reason: Reason
    values: Mapping[str, Any]
    """Further columns of the execution to record: factor, policy, hash."""

    @property
    def new_prices(self) -> Prices:
        """Unit values from the execution date on, by service id."""
        return {entry["service_id"]: Decimal(entry["new"]) for entry in self.evidence["prices"]}

    def history_after(self) -> list[Price]:
        """Return the rule's prices with those of the execution."""
        day = self.due.execution_date
        return [*self.rule.terms.history(), *(Price(key, day, new) for key, new in self.new_prices.items())]

    def history_seen(self) -> list[Price]:
        """Return the rule's prices with those that the vendor showed before it was sent anything."""
        day, seen = self.due.execution_date, self.evidence.get("seen") or {}
        return [*self.rule.terms.history(), *(Price(int(key), day, Decimal(value)) for key, value in seen.items())]


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
    day, kept = work.due.execution_date, work.evidence.get("kept", ())
    brought = bring_to_price(ctx, work.rule, day, work.history_seen(), work.history_after(), kept)
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
    evidence["warnings"] = [*evidence.get("warnings", ()), *(each.fact for each in brought.warnings)]
    if brought.entries:
        evidence["invoices"] = brought.entries
    if brought.set_back:
        evidence["set_back"] = brought.set_back
    if brought.late:
        evidence["late"] = brought.late
    if not ctx.executions.change(
        work.execution, work.target, reason=work.reason, at=now, evidence=evidence, **work.values
    ):
        return False
    following = following_execution(work.due.scheduled, work.due.execution_date)
    end_date = work.rule.terms.rule.end_date
    is_over = end_date is not None and following is not None and following > end_date  # the rule ends before it
    # an update that a person scheduled anew, or that ended meanwhile, keeps its new date
    ctx.scheduled_updates.move(
        work.due.scheduled.scheduled_update_id,
        expected=work.due.execution_date,
        to=None if is_over else following,
    )
    ctx.prices.add([_price_row(ctx, work, key, new, now) for key, new in work.new_prices.items()])
    work.rule.terms.rule.payload = work.rule.remote.payload
    _store_invoices(ctx, work, brought, now)
    own = (_vendors_own(work), _came_late(work, brought))
    seen = [*brought.findings, *(each for each in own if each is not None)]
    ctx.findings.settle(seen, examined={}, kinds=(), at=now)
    return True


def _vendors_own(work: Completion) -> Disagreement | None:
    """Return the finding about the vendor's own readjustment; None where it is what ours would have been."""
    evidence = work.evidence
    if work.target is not ExecutionState.ADOPTED or "decision" in evidence:
        return None  # what a person has decided about is no finding any more
    differences = [Decimal(value) for value in evidence["vendor"]["difference"].values()]
    if len(differences) == len(evidence["prices"]) and not any(differences):
        return None
    found = [entry["new"] for entry in evidence["prices"]]
    expected = [entry["ours"] for entry in evidence["prices"] if "ours" in entry]
    facts: dict[str, Fact] = {
        "contract_id": work.rule.contract_id,
        "rule_id": work.rule.rule_id,
        "execution_date": work.due.execution_date.isoformat(),
        "expected": expected,
        "found": found,
        "difference": [str(value) for value in differences],
    }
    return Disagreement(
        kind=FindingKind.VENDOR_FACTOR_DIFFERS,
        subject="execution",
        subject_id=work.execution.id,
        contract_id=work.rule.contract_id,
        billing_month=first_of_month(work.due.execution_date),
        facts=facts,
        expected=", ".join(expected) or None,
        found=", ".join(found),
        amount=sum(map(abs, differences), Decimal(0)),
    )


def _came_late(work: Completion, brought: Brought) -> Disagreement | None:
    """Return the finding about invoices that were issued at the old price before the update was applied."""
    if not brought.late:
        return None
    amount = sum((Decimal(entry["new"]) - Decimal(entry["old"]) for entry in brought.late), Decimal(0))
    facts: dict[str, Fact] = {
        "contract_id": work.rule.contract_id,
        "rule_id": work.rule.rule_id,
        "execution_date": work.due.execution_date.isoformat(),
        "invoice_ids": [entry["invoice_id"] for entry in brought.late],
        "amount": str(amount),
    }
    return Disagreement(
        kind=FindingKind.READJUSTED_LATE,
        subject="execution",
        subject_id=work.execution.id,
        contract_id=work.rule.contract_id,
        billing_month=first_of_month(work.due.execution_date),
        facts=facts,
        amount=abs(amount),
    )


def _price_row(ctx: JobContext, work: Completion, service_id: int, new: Decimal, now: datetime) -> dict[str, Any]:
    day = work.due.execution_date
    return {
        "organization_id": ctx.organization_id,
        "rule_id": work.rule.rule_id,
        "service_id": service_id,
        "effective_from": day,
        "revision": next_revision(work.rule.terms.prices, service_id, day),
        "unit_value": new,
        "source": work.source,
        "execution_id": work.execution.id,
        "created_at": now,
    }


def _store_invoices(ctx: JobContext, work: Completion, brought: Brought, now: datetime) -> None:
    adopted = [(period, invoice) for period, invoice in brought.invoices if period and period.invoice_id == invoice.id]
    store_invoices(ctx, [invoice for _, invoice in adopted], {}, now)
    changes = []
    for period, invoice in adopted:
        gross = cents(invoice.gross_value)
        if period.gross_value != gross:
            old = str(period.gross_value) if period.gross_value is not None else None
            day = work.due.execution_date.isoformat()
            reason = Reason(ReasonKind.REPRICED, {"old": old, "new": str(gross), "execution_date": day})
            changes.append(Change(invoice.id, str(invoice.state), str(invoice.state), reason))
            period.gross_value = gross
    ctx.session.flush()
    ctx.audit.record("invoice", changes, now)


def _refresh_estimates(ctx: JobContext, work: Completion) -> None:
    """Say of periods that are not sent yet what they will amount to, and let go of those that wait for nothing more."""
    after = work.history_after()
    for period in periods_from(ctx, work.rule.rule_id, work.due.execution_date):
        if period.state in NOT_SENT:
            with suppress(DomainError):  # then what was said before stands
                services = work.rule.terms.terms_of(period).priced_services
                period.gross_value = gross_value(services, after, period.issue_date)
    ctx.session.flush()


# -- what got no answer ------------------------------------------------------------------------------------------------


def settle_updates(ctx: JobContext, scope: Scope, options: UpdateOptions) -> UpdateOutcome:
    """Find out what became of the executions in doubt, and of claims whose lease has run out. Commits.

    What the vendor does not answer about stays in doubt, and keeps nothing else from being settled.

    Raises:
        ApiError: the token is refused, the API does not answer, or asks for a pause; what was settled so far is
            recorded.
    """
    now = ctx.clock()
    outcome, rows = UpdateOutcome(), ctx.executions.unanswered(scope, now)
    alone = Alone(ctx.api, ctx.session, rows)
    for execution in rows:
        if execution.state == ExecutionState.SUBMITTING:
            # its run is gone; the PUT may have been sent until the lease ended
            until = (execution.lease_until or now) + options.grace
            reason = Reason(ReasonKind.CLAIM_EXPIRED, {"owner": execution.owner})
            ctx.executions.change(execution, ExecutionState.IN_DOUBT, reason=reason, at=now, doubt_until=until)
    ctx.session.commit()
    failpoint("update.abandoned")
    wanted: dict[int, set[int]] = {}
    for row in rows:
        wanted.setdefault(row.contract_id, set()).add(row.rule_id)
    rules = _rules(ctx, wanted)
    failpoint("update.looked")
    for execution in rows:
        answered = rules[execution.contract_id]
        if isinstance(answered, ApiError):
            outcome.problems.append(Problem(execution.contract_id, execution.rule_id, str(answered)))
        elif answered is not None:
            with alone:
                _settle_one(ctx, execution, answered.get(execution.rule_id), outcome, now)
                ctx.session.commit()
                continue
            outcome.problems.append(Problem(execution.contract_id, execution.rule_id, str(alone.failures[-1])))
        outcome.in_doubt += 1
    if rows:
        release_periods(ctx, tuple(sorted(rules)))
    return outcome


def _rules(ctx: JobContext, wanted: Mapping[int, Collection[int]]) -> dict[int, _Rules | ApiError | None]:
    """Return contracts' rules; None where all that are known are gone at once: one answer does not prove that.

    Where one of those wanted is missing, the vendor is asked once more. A contract that is no longer there has none.
    """
    known = {rule.contract_id for rule in ctx.contracts.rules_of(wanted) if rule.gone_at is None}
    ctx.session.commit()

    def ask(contract_id: int) -> _Rules:
        answered: _Rules = {}
        for _ in range(2):
            answered = {rule.id: rule for rule in ctx.api.invoice_rules(contract_id).whole()}
            if answered.keys() >= set(wanted[contract_id]):
                break
        return answered

    rules: dict[int, _Rules | ApiError | None] = {}
    for contract_id, answer in answers_about(ctx.api, ask, wanted):
        if isinstance(answer, NotFoundError):
            rules[contract_id] = {}
        else:
            rules[contract_id] = answer or (None if contract_id in known else {})
    return rules


def _settle_one(
    ctx: JobContext,
    execution: PriceUpdateExecution,
    remote: InvoiceRule | None,
    outcome: UpdateOutcome,
    now: datetime,
) -> None:
    if remote is None:
        reason = Reason(ReasonKind.RULE_GONE, {"rule_id": execution.rule_id})
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
        reason = Reason(ReasonKind.PRICE_NOT_THERE)
        outcome.replanned += ctx.executions.change(execution, ExecutionState.PLANNED, reason=reason, at=now)


def _read(written: dict[str, str] | None, shown: Prices) -> Prices:
    """Read unit values from the evidence, of the services that the rule still has."""
    return {int(key): Decimal(value) for key, value in (written or {}).items() if int(key) in shown}


def _finish(
    ctx: JobContext, execution: PriceUpdateExecution, remote: InvoiceRule, outcome: UpdateOutcome, now: datetime
) -> None:
    rule = updated_rule(ctx, execution.rule_id)
    scheduled = ctx.scheduled_updates.get(execution.scheduled_update_id)
    current = ctx.executions.get(execution.id)
    if rule is None or scheduled is None or current is None:
        raise LookupError(f"execution {execution.id} has no rule or update in the ledger")
    if current.state != ExecutionState.IN_DOUBT:
        return  # another run was faster
    work = Completion(
        rule=replace(rule, remote=remote),
        due=Due(scheduled, current.execution_date),
        execution=current,
        target=ExecutionState.APPLIED,
        source="price update",
        evidence=current.evidence or {},
        reason=Reason(ReasonKind.PRICE_THERE),
        values={},
    )
    try:
        brought = complete(ctx, work)
    except InvoicesPending as error:
        facts: dict[str, Fact] = {"invoice_id": error.invoice_id, "error": error.fact}
        current.reason, current.doubt_until = rule.reason(ReasonKind.INVOICES_PENDING, work.due, **facts), now
        outcome.in_doubt += 1
        return
    if brought is not None:
        outcome.applied += 1
        outcome.invoices += len(brought.entries)
        outcome.problems += [Problem(current.contract_id, current.rule_id, str(text)) for text in brought.warnings]


def _park(
    ctx: JobContext,
    execution: PriceUpdateExecution,
    sent: Prices,
    seen: Prices,
    shown: Prices,
    outcome: UpdateOutcome,
    now: datetime,
) -> None:
    facts: dict[str, Fact] = {
        "contract_id": execution.contract_id,
        "rule_id": execution.rule_id,
        "execution_date": execution.execution_date.isoformat(),
    }
    for name, prices in (("shown", shown), ("before", seen), ("sent", sent)):
        facts[name] = [str(prices[key]) for key in sent if key in prices]
    reason = Reason(ReasonKind.PRICE_UNEXPECTED, facts)
    outcome.parked += ctx.executions.change(execution, ExecutionState.PARKED, reason=reason, at=now)
    outcome.problems.append(Problem(execution.contract_id, execution.rule_id, said(reason)))


# -- the rule's periods -----------------------------------------------------------------------------------------------


def hold_periods(ctx: JobContext, rule: UpdatedRule, due: Due, execution: PriceUpdateExecution) -> None:
    """Let the rule's periods from an unsettled execution on wait, and say for which update. Commits."""
    reason, now = waiting_reason(due, execution), ctx.clock()
    periods = periods_from(ctx, rule.rule_id, due.execution_date)
    ctx.periods.wait([p for p in periods if p.state == PeriodState.PLANNED], reason=reason, at=now)
    for period in periods:
        if period.state == PeriodState.WAITING:
            period.reason = reason
    ctx.session.commit()


def waiting_reason(due: Due, execution: PriceUpdateExecution) -> Reason:
    """Return which update a period waits for, and in what state that is."""
    facts: dict[str, Fact] = {
        "execution_date": due.execution_date.isoformat(),
        "price_index": due.scheduled.price_index,
        "state": execution.state,
    }
    return Reason(ReasonKind.UPDATE_UNSETTLED, facts)


def release_periods(ctx: JobContext, contract_ids: tuple[int, ...]) -> None:
    """Put back to `planned` the contracts' periods whose price updates are settled by now. Commits."""
    scope = Scope(DateRange(date.min, date.max), contract_ids)
    free = ctx.periods.free_again(scope)
    ctx.periods.replan(free, reason=Reason(ReasonKind.UPDATE_SETTLED), at=ctx.clock())
    ctx.session.commit()
