"""What can go wrong when talking to an API, split by what to do next.

The one rule: the class of an error is its remedy, so that nobody parses messages to decide.

```
ApiError                        carries status, request id, method, path; its message names the contract
├── TransientApiError           try again later: refused connection, 429, time-out or 5xx on a read (.retry_after)
│   ├── NotSentError            its time was over before it could be sent: nothing happened, plan it again
│   └── IndexUnavailableError   the central bank's series cannot be had now; names index and months
├── OutcomeUnknownError         a write that may have happened: settle, never resend
├── UnreadableAnswerError       a read was answered with something the API does not promise: a person compares
├── RejectedError               422: our request is wrong; .fields maps path → message
├── BadRequestError             400: a search parameter is missing or wrong
├── AuthenticationError         401, 403: the token is wrong or not allowed here; replace it
└── NotFoundError               404: the resource, or a parent of it, is not in this account
```

Messages never hold the token, a header or a query string: only method and path, which carry ids.
"""

import re
from collections.abc import Mapping
from typing import Any

_CONTRACT = re.compile(r"/contracts/(\d+)(?=/|$)")


class ApiError(Exception):
    """An exchange with an API that did not end as promised.

    Attributes:
        reason: What happened, without the request's coordinates.
        method: HTTP method of the request.
        path: Path of the request, without its query.
        status: HTTP status of the answer, or None when there was none.
        request_id: The server's `X-Request-Id`, to quote to the vendor's support.
    """

    def __init__(
        self, reason: str, *, method: str, path: str, status: int | None = None, request_id: str | None = None
    ) -> None:
        self.reason = reason
        self.method = method
        self.path = path
        self.status = status
        self.request_id = request_id
        super().__init__(self._message())

    @property
    def contract_id(self) -> int | None:
        """The contract the request was about, where its path names one."""
        found = _CONTRACT.search(self.path)
        return int(found[1]) if found else None

    def _message(self) -> str:
        subject = f"contract {self.contract_id}: " if self.contract_id is not None else ""
        where = [f"{self.method} {self.path}"]
        if self.status is not None:
            where.append(f"status {self.status}")
        if self.request_id:
            where.append(f"request {self.request_id}")
        return f"{subject}{self.reason} ({', '.join(where)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes (Airflow's task runner, process pools); the default rebuilds
        # from `args` alone and would fail on the keyword-only coordinates.
        return _rebuilt, (type(self), self.__dict__.copy())


def _rebuilt(kind: type[ApiError], coordinates: dict[str, Any]) -> ApiError:
    return kind(coordinates.pop("reason"), **coordinates)


class TransientApiError(ApiError):
    """The request did not take effect and may succeed later.

    Attributes:
        retry_after: Seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(
        self,
        reason: str,
        *,
        method: str,
        path: str,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(reason, method=method, path=path, status=status, request_id=request_id)


class NotSentError(TransientApiError):
    """A write was given up before its first byte, because the time it was allowed was over; nothing happened."""


class IndexUnavailableError(TransientApiError):
    """The central bank's API does not give a price index now; the reason names the index and its months."""


class OutcomeUnknownError(ApiError):
    """A write that may have been carried out: it must be looked for, never sent again (DESIGN 4.4)."""


class UnreadableAnswerError(ApiError):
    """A read was answered with something else than the API promises; the reason names resource, id and field."""


class RejectedError(ApiError):
    """The API refused the request as wrong and did nothing.

    Attributes:
        fields: The vendor's message by field path (`receivables.due_date`); a message about the whole
            request stands under `base`.
    """

    def __init__(
        self,
        reason: str,
        *,
        method: str,
        path: str,
        status: int | None = None,
        request_id: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        self.fields = dict(fields or {})
        super().__init__(reason, method=method, path=path, status=status, request_id=request_id)


class BadRequestError(ApiError):
    """A search was asked with a parameter that is missing or wrong; the reason is the vendor's."""


class AuthenticationError(ApiError):
    """The token is missing, wrong, or not allowed to do this: every further request would fail as well."""


class NotFoundError(ApiError):
    """The resource, or a parent of it, does not exist in this account."""
