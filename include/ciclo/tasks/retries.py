"""When a task tries again: the rules of the vendor's API and those of billing, as Airflow's retry policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from ciclo.jobs.issuing.settle import StillInDoubtError
from ciclo.jobs.retries import FIRST_DELAY, LONGEST_DELAY, MARGIN, RETRIES, RULES, Next
from ciclo.provider.retries import API_RETRIES
from ciclo.tasks.settings import settings


class BillingRetries(ExceptionRetryPolicy):
    """The API's retry rules, and those of the billing protocol."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        """Return what the task does next; what is in doubt is settled once its grace period is over."""
        if isinstance(exception, StillInDoubtError) and exception.ready_at is not None:
            delay = max(exception.ready_at - datetime.now(UTC), timedelta(0)) + MARGIN
            return RetryDecision.retry(delay, "Settled when the grace period of what is in doubt is over.")
        return super().evaluate(exception, try_number, max_tries, context)


_ACTIONS = {Next.RETRY: RetryAction.RETRY, Next.FAIL: RetryAction.FAIL}

BILLING_RETRIES = BillingRetries(
    rules=[
        *(RetryRule(exception=rule.exception, action=_ACTIONS[rule.next], reason=rule.reason) for rule in RULES),
        *API_RETRIES.rules,
    ]
)

RETRYING: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay": FIRST_DELAY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": LONGEST_DELAY,
    "retry_policy": BILLING_RETRIES,
    "pool": settings().pool,
}
"""Arguments of every task that talks to the API or the ledger; the pool limits what the API sees of all workers."""
