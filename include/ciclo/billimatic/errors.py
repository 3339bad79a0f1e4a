"""What can go wrong with the vendor's API, split by what to do next, so that nobody parses messages to decide.

```
ApiError                        carries status, request id, method, path; its message names the contract
├── TransientApiError           try again later: refused connection, 429, time-out or 5xx on a read (.retry_after)
│   ├── NotSentError            its time was over before it could be sent: nothing happened, plan it again
│   └── RowsMovedError          the pages of a search do not fit together: ask for less at a time, or later
├── OutcomeUnknownError         a write that may have happened: settle, never resend
├── UnreadableAnswerError       a read was answered with something the API does not promise: a person compares
├── RejectedError               422: our request is wrong; .fields maps path → message; or a 403 for it alone
├── BadRequestError             400: a search parameter is missing or wrong
├── AuthenticationError         401, 403 for everything: the token is wrong or not allowed here; replace it
├── NotFoundError               404: the resource, or a parent of it, is not in this account
└── ReadOnlyError               a client that only reads was asked to write: nothing was sent, the program is wrong
```

Those that any HTTP API has (`ApiError`, `TransientApiError`, `UnreadableAnswerError`) are in `ciclo.http.errors`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ciclo.http.errors import ApiError, TransientApiError
from ciclo.locale import Text


class NotSentError(TransientApiError):
    """A write was given up before its first byte, because the time it was allowed was over; nothing happened."""

    repeatable = False


class RowsMovedError(TransientApiError):
    """The pages of a search do not fit together, however often they are read: rows could be missing."""

    repeatable = False


class OutcomeUnknownError(ApiError):
    """A write that may have been carried out: it must be looked for, never sent again."""


class RejectedError(ApiError):
    """The API refused the request as wrong and did nothing.

    Attributes:
        fields: The vendor's message by field path (`receivables.due_date`); a message about the whole
            request stands under `base`.
    """

    def __init__(self, reason: str | Text, *, fields: Mapping[str, str] | None = None, **coordinates: Any) -> None:
        self.fields = dict(fields or {})
        super().__init__(reason, **coordinates)


class BadRequestError(ApiError):
    """A search was asked with a parameter that is missing or wrong; the reason is the vendor's."""


class AuthenticationError(ApiError):
    """The token is missing, wrong, or not allowed to do this: every further request would fail as well."""


class NotFoundError(ApiError):
    """The resource, or a parent of it, does not exist in this account."""


class ReadOnlyError(ApiError):
    """A client that only reads was asked to send something that could change the account; nothing left the machine."""


LONGEST_WAIT_IN_A_TASK = timedelta(minutes=1)
"""What the client waits for by itself."""
LONGEST_PAUSE = timedelta(days=1)
"""After this long the vendor is asked again, whatever it said."""


def pause_asked_for(error: BaseException) -> timedelta | None:
    """Return the long pause that an error of the vendor's API asks for; None if it asks for none."""
    if not isinstance(error, TransientApiError | OutcomeUnknownError) or error.retry_after is None:
        return None
    asked = timedelta(seconds=min(error.retry_after, LONGEST_PAUSE.total_seconds()))
    return asked if asked > LONGEST_WAIT_IN_A_TASK else None


def concerns_all(error: ApiError) -> bool:
    """Whether an error would meet every further request: the token is refused, or the vendor wants a pause."""
    asked_to_wait = isinstance(error, TransientApiError) and error.retry_after is not None
    return asked_to_wait or pause_asked_for(error) is not None or isinstance(error, AuthenticationError)
