"""When a task tries again: by exception, each with its written reason; a task in doubt waits for its grace period."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from ciclo.jobs.context import LeaseTooShortError
from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.issuing.summary import NothingBilledError
from ciclo.jobs.periods.expand import NeverExpandedError
from ciclo.ledger.database import LedgerError
from ciclo.provider.retries import API_RETRIES
from ciclo.tasks.settings import settings

MARGIN = timedelta(seconds=2)


class BillingRetries(ExceptionRetryPolicy):
    """The API's retry rules, and those of the billing protocol."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return what the task does next; what is in doubt is settled once its grace period is over."""
        if isinstance(exception, StillInDoubtError) and exception.ready_at is not None:
            delay = max(exception.ready_at - datetime.now(UTC), timedelta(0)) + MARGIN
            return RetryDecision.retry(delay, "Settled when the grace period of what is in doubt is over.")
        return super().evaluate(exception, try_number, max_tries, context)


BILLING_RETRIES = BillingRetries(
    rules=[
        *API_RETRIES.rules,
        RetryRule(
            exception=NothingBilledError,
            action=RetryAction.FAIL,
            reason="Everything that was due is parked or waits: a person decides, waiting does not help.",
        ),
        RetryRule(
            exception=NeverExpandedError,
            action=RetryAction.RETRY,
            reason="The month's expansion may still be running; if it never ran, the last try says so.",
        ),
        RetryRule(
            exception=LeaseTooShortError,
            action=RetryAction.FAIL,
            reason="A claim has to outlast a request; raise CICLO_LEASE_SECONDS or lower the connection's time-out.",
        ),
        RetryRule(
            exception=LedgerError,
            action=RetryAction.FAIL,
            reason="The ledger is not reachable or not migrated; correct CICLO_LEDGER_URL or run ciclo db upgrade.",
        ),
    ]
)

RETRYING: dict[str, Any] = {
    "retries": 5,
    "retry_delay": timedelta(seconds=20),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": BILLING_RETRIES,
    "pool": settings().pool,
}
"""Arguments of every task that talks to the API or the ledger; the pool limits what the API sees of all workers."""
