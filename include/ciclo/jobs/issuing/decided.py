"""Decided: periods that a person said are to be billed, after the day on which the daily run stops taking them.

What was merely left planned longer than `catch_up_days` is overdue and waits for `bill_range`: nobody has looked at it.
What a person released, planned again, said to bill again or freed of an invoice that is not its own is billed by the
next run, however old it is.
"""

from ciclo.domain.recurrence import DateRange
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.adopt import DECIDED_BY_A_PERSON
from ciclo.ledger.repositories import Scope


def scopes_decided(ctx: JobContext, scope: Scope) -> list[Scope]:
    """Return what is planned by a person's word before a scope's first day, as scopes of their own. Commits."""
    found = []
    for each in ctx.periods.decided_before(scope, DECIDED_BY_A_PERSON):
        day = DateRange.days(each.issue_date, each.issue_date)
        found.append(Scope(day, (each.contract_id,), scope.shard, scope.shards, rule_ids=(each.rule_id,)))
    ctx.session.commit()
    return found
