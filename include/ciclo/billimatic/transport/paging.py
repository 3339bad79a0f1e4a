"""The organization-wide invoice search as one stream of invoices.

The one rule: rather fail than miss a row, because an invoice that is not seen would be created a second time. The API
gives `total_pages` but no count of rows, hence:

- a page before the last one must be full;
- the last one can be of any length, so it is read again until a later reading has every row seen in it so far;
- pages may be added meanwhile (they are read as well, rows that shifted come once), but not go away.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ciclo.billimatic.models import Invoice
from ciclo.billimatic.transport.answers import Reply, read_several
from ciclo.billimatic.transport.exchange import Exchange
from ciclo.http.errors import TransientApiError

_READINGS = 5


@dataclass(frozen=True, slots=True)
class _Page:
    number: int
    total: int
    rows: list[Invoice]
    full: bool

    @property
    def is_last(self) -> bool:
        return self.number >= self.total

    def ids(self) -> set[int]:
        return {row.id for row in self.rows}


def pages_of_invoices(exchange: Exchange, path: str, params: Mapping[str, str], per_page: int) -> Iterator[Invoice]:
    """Yield each invoice of a search once, page by page.

    Raises:
        TransientApiError: The pages do not fit together; rows could be missing.
    """
    seen: set[int] = set()
    number, total = 0, 1
    while number < total:
        number += 1
        page = _settled(exchange, path, {**params, "page": str(number), "per_page": str(per_page)}, number)
        if page.total < total and number > 1:
            raise _inconsistent(path, f"{total} pages became {page.total} while reading")
        total = page.total
        yield from (row for row in page.rows if row.id not in seen)
        seen |= page.ids()


def _settled(exchange: Exchange, path: str, params: Mapping[str, str], number: int) -> _Page:
    """Read a page until it is certain to be whole."""
    seen: set[int] | None = None
    for _ in range(_READINGS):
        page = _page(exchange.read(path, params), number, int(params["per_page"]))
        if page.full or (page.is_last and seen is not None and page.ids() >= seen):
            return page
        seen = (seen or set()) | page.ids() if page.is_last else None
    raise _inconsistent(path, f"page {number} came back with a different part of its rows each time")


def _page(reply: Reply, number: int, per_page: int) -> _Page:
    rows = read_several(Invoice, reply)
    if _count(reply, "page") != number:
        raise reply.unreadable(f"page {number} was asked for, page {_count(reply, 'page')} came")
    served = _count(reply, "per_page") if "per_page" in reply.body else per_page
    return _Page(number=number, total=_count(reply, "total_pages"), rows=rows, full=len(rows) >= served > 0)


def _count(reply: Reply, field: str) -> int:
    value: Any = reply.body.get(field)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise reply.unreadable(f"the answer's {field} is not a number") from None


def _inconsistent(path: str, reason: str) -> TransientApiError:
    return TransientApiError(f"rows could be missing: {reason}", method="GET", path=f"/api/v1/{path}")
