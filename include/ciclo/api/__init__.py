"""The vendor's API and the central bank's: clients, models, errors. Knows no Airflow and no database.

The one rule: import from here or from `ciclo.api.models` and `ciclo.api.errors`; modules with a leading underscore are
how it is done, not what it promises.
"""

from ciclo.api._exchange import RetryRules
from ciclo.api.client import BillimaticClient
from ciclo.api.errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    IndexUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    TransientApiError,
    UnreadableAnswerError,
)

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "BillimaticClient",
    "IndexUnavailableError",
    "NotFoundError",
    "OutcomeUnknownError",
    "RejectedError",
    "RetryRules",
    "TransientApiError",
    "UnreadableAnswerError",
]
