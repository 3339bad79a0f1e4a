"""What a failed task does next, by the class of its exception.

Each rule has its written reason, which Airflow logs and stores with the try. Retrying uses the task's own
delay and exponential backoff and never exceeds its `retries`.
"""

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import ValidationError

from ciclo.billimatic import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    TransientApiError,
    UnreadableAnswerError,
)
from ciclo.domain.errors import DomainError
from ciclo.http.network import NetworkSettingError
from ciclo.provider.connection import ConnectionFieldError
from ciclo.sgs.client import IndexUnavailableError

API_RETRIES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=IndexUnavailableError,
            action=RetryAction.RETRY,
            reason="The central bank throttles or is down; its values are as good an hour later.",
        ),
        RetryRule(
            exception=TransientApiError,
            action=RetryAction.RETRY,
            reason="The API was unreachable, busy or failing on a read; nothing was changed, so ask again later.",
        ),
        RetryRule(
            exception=OutcomeUnknownError,
            action=RetryAction.RETRY,
            reason="A write may have happened; the next try looks for it before anything is sent.",
        ),
        RetryRule(
            exception=UnreadableAnswerError,
            action=RetryAction.RETRY,
            reason="An answer was garbled, which mostly passes; if the API has changed, the last try shows the field.",
        ),
        RetryRule(
            exception=RejectedError,
            action=RetryAction.FAIL,
            reason="The API refused our input; the same input will be refused again, somebody has to correct it.",
        ),
        RetryRule(
            exception=ValidationError,
            action=RetryAction.FAIL,
            reason="A request cannot be right and was not sent; its message names the field.",
        ),
        RetryRule(
            exception=BadRequestError,
            action=RetryAction.FAIL,
            reason="A search parameter is wrong; asking again asks the same.",
        ),
        RetryRule(
            exception=AuthenticationError,
            action=RetryAction.FAIL,
            reason="The token is wrong or not allowed here; correct the connection, then clear the task.",
        ),
        RetryRule(
            exception=NotFoundError,
            action=RetryAction.FAIL,
            reason="The organization, contract or rule is not in this account; it will not appear by waiting.",
        ),
        RetryRule(
            exception=AirflowNotFoundException,
            action=RetryAction.RETRY,
            reason="The connection is missing, or the secrets backend that holds it is away, which mostly passes.",
        ),
        RetryRule(
            exception=ConnectionFieldError,
            action=RetryAction.FAIL,
            reason="The Airflow connection is incomplete; correct it, then clear the task.",
        ),
        RetryRule(
            exception=NetworkSettingError,
            action=RetryAction.FAIL,
            reason="A variable for proxies or certificates is wrong; correct it on the workers, then clear the task.",
        ),
        RetryRule(
            exception=DomainError,
            action=RetryAction.FAIL,
            reason="A rule's own data cannot be billed; correct the contract or rule, then clear the task.",
        ),
    ],
    default=RetryAction.DEFAULT,
)
"""For every task that talks to the API. What no rule names (a lost database, a killed worker) is the task's default."""
