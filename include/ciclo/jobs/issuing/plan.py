"""A dry run: what issuing would do, with amounts. Nothing is sent, nothing is changed."""

from dataclasses import dataclass, field
from decimal import Decimal

from ciclo.domain.money import brl
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.invoice_request import Order, OrderBook
from ciclo.ledger.repositories import Scope


@dataclass(slots=True)
class Plan:
    """Invoices that would be created."""

    orders: list[Order] = field(default_factory=list)
    unbillable: list[str] = field(default_factory=list)
    held: int = 0
    """Periods that would wait for a price update."""

    @property
    def total(self) -> Decimal:
        """BRL of all of them."""
        return sum((order.gross_value for order in self.orders), Decimal("0.00"))

    def lines(self) -> list[str]:
        """Return the plan as lines for a log."""
        invoices = [
            f"  {order.period.issue_date}  contract {order.period.contract_id}  rule {order.period.rule_id}"
            f"  {brl(order.gross_value)}"
            for order in self.orders
        ]
        total = f"{len(self.orders)} invoices, {brl(self.total)}, {self.held} would wait for a price update"
        return [*invoices, *(f"  would be parked: {reason}" for reason in self.unbillable), total]


def plan_issue(ctx: JobContext, scope: Scope) -> Plan:
    """Return what `issue_due_periods` would create now."""
    held = {period.id for period in ctx.periods.held_back(scope)}
    waiting = [*ctx.periods.in_state(PeriodState.PLANNED, scope=scope), *ctx.periods.free_again(scope)]
    periods = [period for period in waiting if period.id not in held]
    book = OrderBook(ctx, periods)
    plan = Plan(held=len(held))
    for entry in map(book.order, periods):
        if isinstance(entry, Order):
            plan.orders.append(entry)
        else:
            plan.unbillable.append(entry.reason)
    return plan
