"""What price updates mean for periods: those from an unsettled execution on wait, with a reason that names it."""

from datetime import date

from ciclo.domain.price_index import price_index
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.completion import periods_from
from ciclo.jobs.price_updates.standing import Due, Standing
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import PriceUpdateExecution


def hold_periods(ctx: JobContext, standing: Standing, due: Due, execution: PriceUpdateExecution) -> None:
    """Let the rule's periods from an unsettled execution on wait, and say for which update. Commits."""
    reason, now = waiting_reason(due, execution), ctx.clock()
    periods = periods_from(ctx, standing.rule.rule_id, due.execution_date)
    ctx.periods.wait([p for p in periods if p.state == PeriodState.PLANNED], reason=reason, at=now)
    for period in periods:
        if period.state == PeriodState.WAITING:
            period.reason = reason
    ctx.session.commit()


def waiting_reason(due: Due, execution: PriceUpdateExecution) -> str:
    """Say which update a period waits for, and how that stands."""
    label = price_index(due.scheduled.price_index).label
    why = f": {execution.reason}" if execution.reason else ""
    return f"waits for the price update of {due.execution_date} by {label}, which is {execution.state}{why}"


def release_periods(ctx: JobContext, contract_ids: tuple[int, ...]) -> None:
    """Put back to `planned` the contracts' periods whose price updates are settled by now. Commits."""
    scope = Scope(DateRange(date.min, date.max), contract_ids)
    free = ctx.periods.free_again(scope)
    ctx.periods.replan(free, reason="the price updates of its rule are settled", at=ctx.clock())
    ctx.session.commit()
