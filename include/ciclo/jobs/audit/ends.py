"""Rules without end, as far as their invoices reach: whether one runs out is a question of the whole account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ciclo.domain.calendar import add_days
from ciclo.jobs.audit.findings import AuditFinding, AuditRange

ENDS_SOON = 90
"""Days before its end from which a rule runs out."""
TAIL = 2
"""Periods in a row without an invoice at the end of a rule that never ends: nobody makes them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless:
    """A rule without end, as far as its invoices reach: whether it runs out is a question of the whole account.

    Attributes:
        last: the last date that has an invoice.
        following: the first date after it, which has none.
        is_ahead: whether several of its invoices were made ahead.
        ends: the finding, if it runs out.
        tail: the periods without an invoice from there on, as findings, if it does not.
    """

    last: date
    following: date
    is_ahead: bool
    ends: AuditFinding
    tail: Sequence[AuditFinding]


def running_out(endless: Sequence[Endless], audited: AuditRange) -> Iterator[AuditFinding]:
    """Yield what is wrong at the end of the rules without end of an account.

    A rule runs out whose invoices were made ahead and end within `ENDS_SOON` days, or end before those of others do.
    Where none are made ahead, nothing follows from that: only several periods without an invoice in a row do.
    """
    horizon = add_days(audited.as_of, ENDS_SOON)
    last = max((each.last for each in endless), default=audited.as_of)
    reached = min(horizon, last) if last > audited.as_of else date.min
    for each in endless:
        is_short = each.following <= (horizon if each.is_ahead else reached)
        if is_short or len(each.tail) >= TAIL:
            yield each.ends
        else:
            yield from each.tail
