"""A backfill under control: a plan with amounts, ceilings, a person's approval, and nothing but that plan carried out.

What was approved is what is applied. The plan's hash is of every rule, day and amount in it; it is computed again from
the prices in force before anything is sent, and a period at another amount is not billed. The first plan of an
organization is always approved by a person, who arms it thereby.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from ciclo.domain.calendar import add_days
from ciclo.domain.money import brl, total
from ciclo.domain.states import PeriodState, Reason, ReasonKind, period_facts
from ciclo.domain.wording import month_words, named, said
from ciclo.jobs.context import JobContext, arm, is_armed
from ciclo.jobs.issuing.invoice_request import InvoiceRequest, InvoiceRequests, Unbillable
from ciclo.jobs.periods.plan import cancel_open
from ciclo.ledger.actions import skip_periods
from ciclo.ledger.repositories import NewPlan, PlanEntry, Scope
from ciclo.ledger.rows import in_parts
from ciclo.ledger.tables import BillingPlan, Period
from ciclo.locale import _

LINES_SHOWN = 200
"""Invoices that a plan's text lists before it only counts them."""

_Hashed = tuple[Period, Decimal | None, str]
"""What a plan says of a period: its amount, and what happens to it."""


class BackfillPolicy(StrEnum):
    """What a backfill does with the periods that were missed."""

    EACH = "each"
    """Every missed period becomes an invoice."""
    CURRENT_ONLY = "current_only"
    """Of each rule the newest period that is due; older ones that were missed are given up, for good.

    Days to come were not missed: nothing of them is given up, and nothing is given up for them.
    """
    DRY_RUN = "dry_run"
    """A plan with amounts; nothing is sent, nothing is planned."""


class PlanNotApprovedError(Exception):
    """A plan above the ceilings that nobody has approved."""

    def __init__(self, plan_id: int) -> None:
        text = _("plan {plan_id} is above the ceilings and nobody has approved it: nothing was sent")
        super().__init__(text.format(plan_id=plan_id))


class PlanChangedError(Exception):
    """What would be billed now is not what was planned and approved."""

    def __init__(self, plan_id: int, differences: Sequence[str]) -> None:
        shown = "; ".join(differences[:10])
        text = _("plan {plan_id} is no longer what would be billed, nothing was sent: {what}. Run the backfill again")
        super().__init__(text.format(plan_id=plan_id, what=shown))


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Above which a person decides; None is no ceiling. BRL."""

    max_invoices: int | None = None
    max_total: Decimal | None = None

    def exceeded_by(self, invoices: int, total: Decimal) -> str | None:
        """Return which ceiling a plan passes, in words; None if it passes none."""
        passed = []
        if self.max_invoices is not None and invoices > self.max_invoices:
            passed.append(f"{invoices} invoices are more than {self.max_invoices}")
        if self.max_total is not None and total > self.max_total:
            passed.append(f"{brl(total)} is more than {brl(self.max_total)}")
        return " and ".join(passed) or None


@dataclass(slots=True)
class PlanDraft:
    """What a backfill would do now."""

    scope: Scope
    policy: BackfillPolicy
    billed: list[InvoiceRequest] = field(default_factory=list)
    unbillable: list[Unbillable] = field(default_factory=list)
    """Periods that would be parked: their invoice cannot be written."""
    left_out: list[Period] = field(default_factory=list)
    held: int = 0
    """Periods that wait for a price update, or for quantities, and are not in the plan."""

    @property
    def total(self) -> Decimal:
        """BRL of all invoices."""
        return total(request.gross_value for request in self.billed)

    @property
    def plan_hash(self) -> str:
        """What two equal plans share: policy, window, and every rule, day and amount."""
        billed: list[_Hashed] = [(request.period, request.gross_value, "bill") for request in self.billed]
        parked: list[_Hashed] = [(entry.period, None, "park") for entry in self.unbillable]
        left_out: list[_Hashed] = [(period, None, "leave out") for period in self.left_out]
        return _hash(self.policy, self.scope, [*billed, *parked, *left_out])

    def lines(self) -> list[str]:
        """Return the plan as lines for a log."""
        invoices = [
            f"  {request.period.issue_date}  contract {request.period.contract_id}  rule {request.period.rule_id}"
            f"  {brl(request.gross_value)}"
            for request in self.billed[:LINES_SHOWN]
        ]
        more = len(self.billed) - LINES_SHOWN
        if more > 0:
            invoices.append(f"  … and {more} more")
        parked = [f"  would be parked: {said(entry.reason)}" for entry in self.unbillable]
        left_out = [
            f"  left out: {period.issue_date}  contract {period.contract_id}  rule {period.rule_id}"
            for period in self.left_out[:LINES_SHOWN]
        ]
        return [*invoices, *parked, *left_out, self.summary()]

    def summary(self) -> str:
        """Return the plan in a line."""
        return (
            f"{len(self.billed)} invoices, {brl(self.total)}; {len(self.unbillable)} would be parked, "
            f"{len(self.left_out)} are left out, {self.held} wait for a price update or for quantities"
        )

    def months(self) -> list[tuple[str, int, Decimal]]:
        """Return invoices and BRL by month of issue, for a person to approve."""
        months: dict[str, list[Decimal]] = {}
        for request in self.billed:
            months.setdefault(month_words(request.period.issue_date), []).append(request.gross_value)
        return [(month, len(values), total(values)) for month, values in months.items()]


def draft_plan(ctx: JobContext, scope: Scope, policy: BackfillPolicy) -> PlanDraft:
    """Return what a backfill would bill now: planned periods, and waiting ones that need wait no longer. Flushes.

    What is not to be billed, by a `skip`, is given up first.
    """
    skip_periods(ctx.session, ctx.organization_id, ctx.actor, scope, at=ctx.clock())
    held = {period.id for period in ctx.periods.held_back(scope)}
    free = [*ctx.periods.in_state(PeriodState.PLANNED, scope=scope), *ctx.periods.free_again(scope)]
    periods = sorted((p for p in free if p.id not in held), key=lambda p: (p.issue_date, p.contract_id, p.id))
    draft = PlanDraft(scope, policy, held=len(held))
    if policy is BackfillPolicy.CURRENT_ONLY:
        draft.left_out = _superseded(ctx, scope)
        given_up = {period.id for period in draft.left_out}
        periods = [period for period in periods if period.id not in given_up]
    requests = InvoiceRequests(ctx, periods)
    for entry in map(requests.write, periods):
        if isinstance(entry, InvoiceRequest):
            draft.billed.append(entry)
        else:
            draft.unbillable.append(entry)
    return draft


def _superseded(ctx: JobContext, scope: Scope) -> list[Period]:
    """Return the missed periods of each rule that are older than the newest one in the range that is due."""
    alive = [state for state in PeriodState if state is not PeriodState.CANCELLED]
    newest: dict[int, date] = {}
    periods = [p for p in ctx.periods.in_state(*alive, scope=scope) if p.issue_date <= ctx.today]
    for period in periods:
        newest[period.rule_id] = max(period.issue_date, newest.get(period.rule_id, period.issue_date))
    missed = (PeriodState.PLANNED, PeriodState.WAITING)
    return [p for p in periods if p.state in missed and p.issue_date < newest[p.rule_id]]


def why_ask(ctx: JobContext, draft: PlanDraft, ceilings: Ceilings, *, lead_days: int = 0) -> str | None:
    """Say why a person has to approve a plan, in words; None if nobody has to.

    Args:
        ctx: the run.
        draft: the plan.
        ceilings: above which a person decides.
        lead_days: how far ahead of today a planned date may lie without being asked about.
    """
    why = [ceilings.exceeded_by(len(draft.billed), draft.total)]
    if not is_armed(ctx):
        why.append("it is the organization's first: approving it lets Ciclo bill from its first month on")
    ahead = [request for request in draft.billed if request.period.issue_date > add_days(ctx.today, lead_days)]
    if ahead:
        last = max(request.period.issue_date for request in ahead)
        why.append(f"{len(ahead)} are of days to come, up to {last:%d/%m/%Y}")
    return "; ".join(each for each in why if each) or None


def keep_plan(ctx: JobContext, draft: PlanDraft, ceilings: Ceilings, *, lead_days: int = 0) -> BillingPlan:
    """Keep a draft in the ledger with its hash, and whether a person has to approve it (`why_ask`). Commits."""
    window = draft.scope.window
    entries = [
        *(PlanEntry(request.period.id, request.gross_value) for request in draft.billed),
        *(PlanEntry(entry.period.id, None) for entry in draft.unbillable),
        *(PlanEntry(period.id, period.gross_value, left_out=True) for period in draft.left_out),
    ]
    plan = ctx.plans.keep(
        NewPlan(
            from_date=window.start,
            to_date=window.last_day,
            policy=draft.policy.value,
            plan_hash=draft.plan_hash,
            invoices=len(draft.billed),
            total=draft.total,
            needs_approval=why_ask(ctx, draft, ceilings, lead_days=lead_days) is not None,
            entries=entries,
        ),
        at=ctx.clock(),
    )
    ctx.session.commit()
    return plan


def apply_plan(ctx: JobContext, plan_id: int, plan_hash: str, *, scope: Scope, approved_by: str | None) -> None:
    """Let a plan be carried out: record the approval, check the hash again, give up what it leaves out. Commits.

    The approval of an organization's first plan arms it, from the month of the plan's first day on.

    Args:
        ctx: the run.
        plan_id: of the ledger.
        plan_hash: what the person saw.
        scope: window and contracts of the run.
        approved_by: the person's name; None if nobody was asked.

    Raises:
        PlanNotApprovedError: it is above the ceilings and nobody approved it.
        PlanChangedError: the amounts are no longer those of the plan, or it is another plan.
    """
    plan = ctx.plans.get(plan_id)
    if plan is None or plan.plan_hash != plan_hash:
        raise PlanChangedError(plan_id, ["the ledger's plan is another one"])
    if plan.needs_approval and plan.approved_by is None and approved_by is None:
        raise PlanNotApprovedError(plan_id)
    if approved_by is not None and plan.approved_by is None:
        ctx.plans.approve(plan, person=approved_by, at=ctx.clock())
    require_unchanged(ctx, plan, scope)
    entries = ctx.plans.entries(plan_id)
    reason = Reason(ReasonKind.LEFT_OUT_BY_POLICY, {"policy": plan.policy, "run_id": plan.run_id})
    by = plan.approved_by or f"run {plan.run_id}"
    for some in in_parts(entry.period_id for entry in entries if entry.left_out):
        cancel_open(ctx, ctx.periods.some(some), reason, by=by)
    person = approved_by or plan.approved_by
    if person is not None and not is_armed(ctx):
        arm(ctx, plan.from_date, person=person)
    ctx.plans.applied(plan, at=ctx.clock())
    ctx.session.commit()


def approved_amounts(ctx: JobContext, plan_id: int) -> dict[int, Decimal | None]:
    """Return what each period of a plan may be billed at, in BRL."""
    return {entry.period_id: entry.gross_value for entry in ctx.plans.entries(plan_id) if not entry.left_out}


def require_unchanged(ctx: JobContext, plan: BillingPlan, scope: Scope) -> None:
    """Compute a plan's hash again from the terms and prices of now, whatever has been billed of it meanwhile.

    Raises:
        PlanChangedError: naming what differs.
    """
    entries = {entry.period_id: entry for entry in ctx.plans.entries(plan.id)}
    periods = ctx.periods.some(entries)
    requests = InvoiceRequests(ctx, periods)
    now: list[_Hashed] = []
    differences = []
    for period in periods:
        entry = entries[period.id]
        request = requests.write(period)
        amount = request.gross_value if isinstance(request, InvoiceRequest) and not entry.left_out else None
        word = "leave out" if entry.left_out else "bill" if amount is not None else "park"
        now.append((period, amount, word))
        if not entry.left_out and amount != entry.gross_value:
            words = [brl(each) if each is not None else "no price" for each in (entry.gross_value, amount)]
            name = named(period_facts(*period.identity))
            differences.append(f"{name}: planned at {words[0]}, now {words[1]}")
    window_scope = Scope(scope.window, scope.contract_ids)
    if differences or _hash(BackfillPolicy(plan.policy), window_scope, now) != plan.plan_hash:
        raise PlanChangedError(plan.id, differences or ["another range, policy or period"])


def _hash(policy: BackfillPolicy, scope: Scope, entries: Iterable[_Hashed]) -> str:
    rows = sorted(
        [period.rule_id, period.issue_date.isoformat(), str(amount) if amount is not None else None, word]
        for period, amount, word in entries
    )
    document = [
        policy.value,
        scope.window.start.isoformat(),
        scope.window.end.isoformat(),
        list(scope.contract_ids),
        rows,
    ]
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()
