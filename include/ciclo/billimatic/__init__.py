"""The vendor's API: client, models, errors. Knows no Airflow and no database; import from here."""

from ciclo.billimatic import models
from ciclo.billimatic.client import BillimaticClient
from ciclo.billimatic.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    ReadOnlyError,
    RejectedError,
    RowsMovedError,
    concerns_all,
    pause_asked_for,
)
from ciclo.billimatic.models import *  # noqa: F403 - every model, by the list that they keep
from ciclo.billimatic.paging import Search
from ciclo.http.errors import ApiError, TransientApiError, UnreadableAnswerError
from ciclo.http.retries import RetryRules

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "BillimaticClient",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "ReadOnlyError",
    "RejectedError",
    "RetryRules",
    "RowsMovedError",
    "Search",
    "TransientApiError",
    "UnreadableAnswerError",
    "concerns_all",
    "pause_asked_for",
]
__all__ += models.__all__
