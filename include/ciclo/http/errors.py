"""What can go wrong with any HTTP API: the base of each client's errors, split by what to do next.

```
ApiError                        carries status, request id, method, path; its message names the contract
├── TransientApiError           try again later: refused connection, 429, time-out or 5xx on a read (.retry_after)
└── UnreadableAnswerError       a read was answered with something the API does not promise: a person compares
```

Messages never hold a token, a header or a query string: only method and path, which carry ids.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from ciclo.locale import N_, Text

_CONTRACT = re.compile(r"/contracts/(\d+)(?=/|$)")


class ApiError(Exception):
    """An exchange with an API that did not end as promised.

    Attributes:
        method: HTTP method of the request.
        path: Path of the request, without its query.
        status: HTTP status of the answer, or None when there was none.
        request_id: The server's `X-Request-Id`, to quote to the vendor's support.
        retry_after: Seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(
        self,
        reason: str | Text,
        *,
        method: str,
        path: str,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self._said = reason
        self.method = method
        self.path = path
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(str(self._text()))

    @property
    def reason(self) -> str:
        """What happened, without the request's coordinates, in words."""
        return str(self._said)

    @property
    def stated(self) -> str | Mapping[str, object]:
        """What happened as a fact of a reason: put into words where it is shown, unless they are the server's own."""
        return self._said.fact if isinstance(self._said, Text) else self._said

    @property
    def fact(self) -> Mapping[str, object]:
        """The whole error, with the request's coordinates, as a fact of a reason."""
        return self._text().fact

    @property
    def contract_id(self) -> int | None:
        """The contract the request was about, where its path names one."""
        found = _CONTRACT.search(self.path)
        return int(found[1]) if found else None

    def _text(self) -> Text:
        where = Text("{method} {path}", method=self.method, path=self.path)
        if self.status is not None:
            where = Text(N_("{request}, status {status}"), request=where, status=self.status)
        if self.request_id:
            where = Text(N_("{request}, request {id}"), request=where, id=self.request_id)
        if self.contract_id is None:
            return Text(N_("{reason} ({request})"), reason=self._said, request=where)
        text = N_("contract {contract}: {reason} ({request})")
        return Text(text, contract=self.contract_id, reason=self._said, request=where)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions travel between processes (Airflow's task runner, process pools); the default rebuilds
        # from `args` alone and would fail on the keyword-only coordinates.
        return _rebuilt, (type(self), self.__dict__.copy())


def _rebuilt(kind: type[ApiError], coordinates: dict[str, Any]) -> ApiError:
    return kind(coordinates.pop("_said"), **coordinates)


class TransientApiError(ApiError):
    """The request did not take effect and may succeed later.

    Attributes:
        repeatable: Whether sending the same request again now may help.
    """

    repeatable: ClassVar[bool] = True


class UnreadableAnswerError(ApiError):
    """A read was answered with something else than the API promises; the reason names resource, id and field."""
