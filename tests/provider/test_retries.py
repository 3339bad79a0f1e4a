"""What a failed task does next, by its exception."""

import pytest
from airflow.sdk import ExceptionRetryPolicy, RetryAction
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
from ciclo.domain.errors import InvalidRule
from ciclo.provider.connection import ConnectionFieldError
from ciclo.provider.retries import API_RETRIES
from ciclo.sgs.client import IndexUnavailableError

WHERE = {"method": "GET", "path": "/api/v1/contracts/1/invoices"}
TABLE = [
    (TransientApiError("busy", **WHERE), RetryAction.RETRY),
    (IndexUnavailableError("price index igpm", **WHERE), RetryAction.RETRY),
    (OutcomeUnknownError("lost", **WHERE), RetryAction.RETRY),
    (UnreadableAnswerError("garbled", **WHERE), RetryAction.RETRY),
    (RejectedError("refused", **WHERE), RetryAction.FAIL),
    (BadRequestError("refused", **WHERE), RetryAction.FAIL),
    (ValidationError.from_exception_data("NewInvoice", []), RetryAction.FAIL),
    (AuthenticationError("refused", **WHERE), RetryAction.FAIL),
    (NotFoundError("not there", **WHERE), RetryAction.FAIL),
    (ConnectionFieldError("billing", "host", "is missing"), RetryAction.FAIL),
    (AirflowNotFoundException("not there, or the backend is away"), RetryAction.RETRY),
    (InvalidRule("month_quantity", "5 is not possible", contract=1, rule=2), RetryAction.FAIL),
    (RuntimeError("anything else"), RetryAction.DEFAULT),
]


@pytest.mark.parametrize(("error", "action"), TABLE, ids=[type(row[0]).__name__ for row in TABLE])
@pytest.mark.parametrize("policy", [API_RETRIES, ExceptionRetryPolicy.deserialize(API_RETRIES.serialize())])
def test_an_error_decides_what_the_task_does(policy, error, action):
    assert policy.evaluate(error, try_number=1, max_tries=3).action is action


def test_every_rule_has_a_reason_of_its_own():
    reasons = [rule.reason for rule in API_RETRIES.rules]
    assert all(reasons)
    assert len(set(reasons)) == len(reasons)


def test_an_index_that_is_down_is_explained_as_such():
    error = IndexUnavailableError("price index igpm", **WHERE)
    assert "central bank" in API_RETRIES.evaluate(error, try_number=1, max_tries=3).reason
