"""The central bank's time series (SGS): monthly variations of the price indices.

A value is given only if the bank gave it. An answer that is not the series (an HTML page with status 200,
an unexpected shape) is an error that names index and months, never an empty or partial list; only the bank's own
"no values in this range" is an empty one.

The order is not guaranteed, further keys (`dataFim`) appear, an unknown series or a throttled
caller (about 15 calls a minute) gets HTML with status 200, a range without values gets 404 with a JSON body.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple

import httpx

from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.price_index import PriceIndex, available_from
from ciclo.http import json_bodies
from ciclo.http.errors import ApiError, TransientApiError, UnreadableAnswerError
from ciclo.http.network import checked_base_url, checked_timeout, proxy_for, trusted_by
from ciclo.http.retries import CallBudget, RetryRules, repeating, seconds_of
from ciclo.sgs.series import Series, shipped_series

CALLS_PER_MINUTE = 15


class IndexUnavailableError(TransientApiError):
    """The central bank's API does not give a price index now; the reason names the index and its months."""


class Newest(NamedTuple):
    """Values of the months after the shipped ones, by index; and why the bank could not be asked, None if it could."""

    values: Mapping[PriceIndex, Series]
    problem: str | None


class MonthlyValue(NamedTuple):
    """The variation of an index in one month (its first day), in percent."""

    month: date
    value: Decimal


class _Request(NamedTuple):
    """What is asked of the bank: a series and a closed range of months."""

    name: str
    path: str
    first: date
    last: date

    def __str__(self) -> str:
        return f"price index {self.name}, {self.first:%Y-%m} to {self.last:%Y-%m}"

    def params(self) -> dict[str, str]:
        return {
            "formato": "json",
            "dataInicial": f"{self.first:%d/%m/%Y}",
            "dataFinal": f"{self.last:%d/%m/%Y}",
        }

    def unavailable(self, reason: str, status: int | None = None, retry_after: float | None = None) -> Exception:
        return IndexUnavailableError(
            f"{self}: {reason}", method="GET", path=self.path, status=status, retry_after=retry_after
        )

    def unreadable(self, reason: str) -> Exception:
        return UnreadableAnswerError(f"{self}: {reason}", method="GET", path=self.path, status=200)


class SgsClient(AbstractContextManager["SgsClient"]):
    """A client of the central bank's SGS API, safe to share between threads; use it as a context manager.

    Args:
        base_url: `https://api.bcb.gov.br`; plain `http` for loopback hosts only.
        timeout: Seconds for each of connecting, writing and waiting for an answer.
        calls_per_minute: What the bank bears; None is unlimited.
        retries: How often and how patiently to try again.
        transport: Another httpx transport, for special networks.
        allow_http: Accept plain `http` to another machine.

    Raises:
        ValueError: A parameter cannot work.
        NetworkSettingError: A variable for proxies or certificates cannot work.
    """

    def __init__(
        self,
        *,
        base_url: str = "https://api.bcb.gov.br",
        timeout: float = 30.0,
        calls_per_minute: int | None = CALLS_PER_MINUTE,
        retries: RetryRules | None = None,
        transport: httpx.BaseTransport | None = None,
        allow_http: bool = False,
    ) -> None:
        rules = retries or RetryRules(attempts=3, first_wait=4.0)
        self._budget = CallBudget(calls_per_minute, 60.0, clock=rules.clock, sleep=rules.sleep)
        self._repeating = repeating(rules)
        self._now = rules.now
        checked = checked_base_url(base_url, allow_http=allow_http)
        self._http = httpx.Client(
            base_url=checked,
            headers={"User-Agent": "ciclo (price index synchronisation)", "Accept": "application/json"},
            timeout=checked_timeout(timeout),
            transport=transport,
            proxy=proxy_for(checked) if transport is None else None,
            verify=trusted_by(checked),
            trust_env=False,  # all of it was read by these two
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def values(self, index: PriceIndex | int, from_month: date, to_month: date) -> list[MonthlyValue]:
        """Return the values of a closed range of months, in order; months without a value are not in the list.

        Args:
            index: The price index, or the number of any monthly SGS series.
            from_month: Any day of the first month.
            to_month: Any day of the last month.

        Raises:
            IndexUnavailableError: The bank cannot be reached, throttles, or answers with something else.
            UnreadableAnswerError: An entry of the series cannot be read.
        """
        code, name = (index.sgs_code, index.value) if isinstance(index, PriceIndex) else (index, f"SGS {index}")
        path = f"/dados/serie/bcdata.sgs.{code}/dados"
        request = _Request(name, path, from_month.replace(day=1), to_month.replace(day=1))
        entries = self._repeating(self._entries, request)
        return sorted(_by_month(entries, request).values())

    def newest_values(self, today: date) -> Newest:
        """Return the months of every index that are out on a day and do not ship; one failure ends the asking."""
        values: dict[PriceIndex, Series] = {}
        for index in PriceIndex:
            first, last = add_months(max(shipped_series()[index]), 1), add_months(first_of_month(today), -1)
            if first > last or available_from(index, first) > today:
                continue
            try:
                answered = self.values(index, first, last)
            except ApiError as error:
                return Newest(values, str(error))
            values[index] = {each.month: each.value for each in answered}
        return Newest(values, None)

    def _entries(self, request: _Request) -> list[Any]:
        self._budget.take()
        try:
            response = self._http.get(request.path, params=request.params())
        except httpx.HTTPError as error:
            raise request.unavailable(f"{type(error).__name__}: {error}") from error
        return self._series(response, request)

    def _series(self, response: httpx.Response, request: _Request) -> list[Any]:
        try:
            body = json_bodies.read(response.content, response.charset_encoding)
        except ValueError:
            body = None
        if response.status_code == httpx.codes.NOT_FOUND and isinstance(body, Mapping) and body:
            return []  # the bank's way of saying that the range has no values
        if response.status_code != httpx.codes.OK:
            after = seconds_of(response.headers.get("retry-after"), self._now)
            raise request.unavailable("the bank's API failed", response.status_code, after)
        if not isinstance(body, list):
            raise request.unavailable("the answer is not a series (throttled, or no such series)", 200)
        return body


def _by_month(entries: Iterable[Any], request: _Request) -> dict[date, MonthlyValue]:
    values: dict[date, MonthlyValue] = {}
    for entry in entries:
        value = _value(entry, request)
        if value is None or not request.first <= value.month <= request.last:
            continue
        if values.setdefault(value.month, value) != value:
            raise request.unreadable(f"{value.month:%Y-%m} has two values")
    return values


def _value(entry: Any, request: _Request) -> MonthlyValue | None:
    """Read an entry `{"data": "dd/mm/yyyy", "valor": "0.92"}`; None if the month has no value yet."""
    try:
        month = _month(entry["data"])
        text = entry["valor"]
        value = Decimal(text) if text not in {None, ""} else None
    except (TypeError, KeyError, ValueError, InvalidOperation):
        raise request.unreadable(f"an entry cannot be read: {entry!r:.80}") from None
    if value is None:
        return None
    if not value.is_finite():
        raise request.unreadable(f"{month:%Y-%m} has the value {value}")
    return MonthlyValue(month, value)


@lru_cache(maxsize=1024)  # the same months come with every answer
def _month(written: str) -> date:
    return datetime.strptime(written, "%d/%m/%Y").date().replace(day=1)  # noqa: DTZ007 - a bare date
