"""When a failed step is tried again, how often, and after how long. Airflow's tasks and a rehearsal go by this.

What concerns the vendor's API alone is in `ciclo.provider.retries`, for people's own Dags; here is what billing adds.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ciclo.billimatic import AuthenticationError, BadRequestError, NotFoundError, RejectedError
from ciclo.domain.errors import DomainError
from ciclo.jobs.backfill import PlanChangedError, PlanNotApprovedError
from ciclo.jobs.closing.close import MonthNotOverError, NotClosedError
from ciclo.jobs.context import LeaseTooShortError
from ciclo.jobs.issuing.settle import NothingBilledError, StillInDoubtError
from ciclo.jobs.periods.expand import NeverExpandedError
from ciclo.jobs.runs import UnknownParamError
from ciclo.ledger.database import LedgerError

RETRIES = 5
FIRST_DELAY = timedelta(seconds=20)
"""Doubled with each try."""
LONGEST_DELAY = timedelta(minutes=15)
MARGIN = timedelta(seconds=2)
"""How long after a grace period's end it is settled."""


class Next(StrEnum):
    """What becomes of a step that failed."""

    RETRY = "retry"
    FAIL = "fail"


class Rule(NamedTuple):
    """What an exception means for the next try, and why."""

    exception: type[Exception]
    next: Next
    reason: str


RULES = (
    Rule(UnknownParamError, Next.FAIL, "The run was told something that its Dag does not know; start another run."),
    Rule(PlanNotApprovedError, Next.FAIL, "A person decides about the plan: the same plan would be refused again."),
    Rule(PlanChangedError, Next.FAIL, "A person decides about the plan: the same plan would be refused again."),
    Rule(NotClosedError, Next.FAIL, "Something is missing or differs: a person cures it and runs the closing again."),
    Rule(MonthNotOverError, Next.FAIL, "The month is not over: waiting a few minutes does not help."),
    Rule(
        NothingBilledError,
        Next.FAIL,
        "Everything that was due is parked or waits: a person decides, waiting does not help.",
    ),
    Rule(
        NeverExpandedError,
        Next.RETRY,
        "The month's expansion may still be running; if it never ran, the last try says so.",
    ),
    Rule(
        LeaseTooShortError,
        Next.FAIL,
        "A claim has to outlast a request; raise CICLO_LEASE_SECONDS or lower the connection's time-out.",
    ),
    Rule(
        LedgerError,
        Next.FAIL,
        "The ledger is not reachable or not migrated; correct CICLO_LEDGER_URL or run ciclo db upgrade.",
    ),
)
"""The first rule that names an exception's class decides."""

_USELESS = (RejectedError, BadRequestError, AuthenticationError, NotFoundError, DomainError)
"""What `ciclo.provider.retries` fails at once; a test holds the two against each other."""


def next_try(error: Exception, tried: int, now: datetime) -> datetime | None:
    """Return when a step that failed for the `tried`-th time is tried again; None if it is not."""
    if tried > RETRIES:
        return None
    if isinstance(error, StillInDoubtError) and error.ready_at is not None:
        return max(error.ready_at, now) + MARGIN
    named = next((rule.next for rule in RULES if isinstance(error, rule.exception)), None)
    if named is Next.FAIL or (named is None and isinstance(error, _USELESS)):
        return None
    return now + min(FIRST_DELAY * (1 << (tried - 1)), LONGEST_DELAY)
