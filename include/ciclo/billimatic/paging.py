"""A paginated search as one stream of records.

Rather fail than miss a row, because an invoice that is not seen would be created a second time. The order of rows is
not documented, `total_pages` is not to be trusted, and nothing counts the rows, hence:

- pages are read until one is empty, and repeats are dropped by id;
- a page before the last one must be full, and one that may be the last is read again until a later reading has every
  row seen in it so far: what was cut short is noticed;
- where rows moved meanwhile (the total changed, a row came twice) everything is read again, page after page, until a
  reading has all that was ever seen and brings nothing new; while others go on creating, until one has all rows of the
  reading before, each once or pushed on from a page to the next, and its total only grew. Where a row comes twice and
  the number of rows stays the same, another one is missing: it is looked for until as many different ones were seen;
- each reading has pages of another size. A page that is stale, or an order in which rows alike change places from page
  to page, would else hide the same row every time.

In the first reading of a search of many pages some are read ahead of their use, as many at once as the client has
connections. Of two pages the later may then be read first, and a row that is created between the two push another one
past both. So what comes after the last page is asked for when all of them are there: it has moved, too.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Generic

from ciclo.billimatic.errors import RowsMovedError
from ciclo.billimatic.models.reading import Listing, Model, OddRecord, Record, id_in, require_none_odd
from ciclo.billimatic.transport import PREFIX, Exchange, Query, Reply, read_several
from ciclo.locale import N_, Text

_READINGS = 8
_SMALLER = 12
"""By one part in so many of the first reading's pages are those of each further reading smaller."""
_FEW_PAGES = 3
"""Pages that are read one after the other: threads would take longer than they save."""


@dataclass(frozen=True, slots=True)
class _Page(Generic[Model]):
    number: int
    total: int
    rows: Listing[Model]
    full: bool

    def keys(self) -> set[Any]:
        return {*map(_key, self.rows), *map(_key, self.rows.odd), *self.rows.counted}


class _AskedAhead:
    """Asks for the pages of a search, where there are many for some ahead of their use."""

    def __init__(self, ask: Callable[[int], Reply], at_once: int) -> None:
        self._ask = ask
        self._at_once = at_once
        self._pool: ThreadPoolExecutor | None = None
        self._asked: dict[int, Future[Reply]] = {}

    def reply(self, number: int, total: int) -> Reply:
        """Return the answer for a page of a search that is thought to have `total`; beyond it none is asked ahead."""
        if total > _FEW_PAGES and self._at_once > 1:
            self._pool = self._pool or ThreadPoolExecutor(self._at_once)
            for each in range(number, min(number + self._at_once, total + 1)):
                if each not in self._asked:
                    self._asked[each] = self._pool.submit(self._ask, each)
        return self._asked.pop(number).result() if number in self._asked else self._ask(number)

    def close(self) -> None:
        """Read no more."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


class Search(Iterator[Model]):
    """The records of a paginated search, each once, read a page at a time.

    `odd` holds those of the pages read so far that could not be read. Whoever concludes something from a record's
    absence reads to the end and looks at `odd` as well. `requests` counts what it has asked for by then. Where
    `of_contracts` are given, records of other contracts are counted and not read.

    Raises, while it is read:
        RowsMovedError: The pages do not fit together, so that rows could be missing. What came before is right.
    """

    def __init__(
        self,
        exchange: Exchange,
        model: type[Model],
        path: str,
        params: Query,
        per_page: int,
        contract_id: int | None = None,
        of_contracts: Collection[int] | None = None,
    ) -> None:
        self.odd: list[OddRecord] = []
        self.requests = 0
        self._contract_id = contract_id
        self._of_contracts = of_contracts if contract_id is None else {contract_id}
        self._exchange = exchange
        self._model = model
        self._path = path
        self._params = params
        self._per_page = per_page
        self._seen: set[Any] = set()
        self._found = self._settled_records()

    def __next__(self) -> Model:
        return next(self._found)

    def __iter__(self) -> "Search[Model]":
        return self

    def whole(self) -> Iterator[Model]:
        """Yield every record, for whoever cannot go on if one is odd.

        Raises:
            UnreadableAnswerError: In the end: one of them could not be read; the message names it and its field.
            RowsMovedError: Rows could be missing.
        """
        yield from self
        require_none_odd(self.odd, PREFIX + self._path)

    def _settled_records(self) -> Iterator[Model]:
        before: set[Any] | None = None
        most, alike, rows_before = self._per_page, set[Any](), 0
        for reading in range(_READINGS):
            self._per_page = max(most - reading * (1 + most // _SMALLER), 1)
            known, number, total, repeated, jumped, shrunk = len(self._seen), 0, 0, False, False, False
            ahead = _AskedAhead(self._ask, 1 if reading else self._exchange.max_connections)
            totals: set[int] = set()
            met: set[Any] = set()
            on_the_last: set[Any] = set()
            rows = 0
            with closing(ahead):
                while True:
                    number += 1
                    page = self._whole_page(number, ahead.reply(number, total))
                    keys, shrunk, total = page.keys(), shrunk or page.total < total, page.total
                    totals.add(total)
                    repeated, jumped = repeated or bool(keys & met), jumped or bool(keys & (met - on_the_last))
                    self.odd += [odd for odd in map(self._whose, page.rows.odd) if self._is_new(odd)]
                    yield from (row for row in page.rows if self._is_new(row))
                    self._seen.update(page.rows.counted)
                    rows += len(keys)
                    if not keys or (number > total and keys <= met):  # the latter: a server that knows no last page
                        break
                    met |= keys
                    on_the_last = keys
            if not repeated and len(totals) == 1:
                return
            if reading and len(self._seen) == known and self._seen <= met:
                return
            if before is not None and not jumped and not shrunk and before <= met:
                return
            alike = alike | met if len(totals) == 1 and rows == rows_before else met
            if len(totals) == 1 and rows == len(alike) and len(self._seen) == known:
                return
            before, rows_before = met, rows if len(totals) == 1 else 0
        raise self._inconsistent(Text(N_("rows moved from page to page in {count} readings"), count=_READINGS))

    def _whose(self, odd: OddRecord) -> OddRecord:
        # one that does not say whose it is may well be of the contract that was asked for
        unsaid = self._contract_id is not None and odd.contract_id is None
        return replace(odd, contract_id=self._contract_id) if unsaid else odd

    def _only_counted(self, item: Any) -> int | None:
        """Return the id of a record that is known by now, or another contract's than those that are wanted."""
        number = id_in(item, "id")
        return number if number in self._seen or not self._is_wanted(id_in(item, "contract_id")) else None

    def _is_new(self, row: Record | OddRecord) -> bool:
        if _key(row) in self._seen:
            return False
        self._seen.add(_key(row))
        return self._is_wanted(getattr(row, "contract_id", None))

    def _is_wanted(self, contract_id: int | None) -> bool:
        """Whether a record is of a contract that was asked for, as far as it says whose it is.

        A server that does not know the filter answers everybody's.
        """
        return self._of_contracts is None or contract_id is None or contract_id in self._of_contracts

    def _whole_page(self, number: int, reply: Reply) -> _Page[Model]:
        """Return a page, read again until it is certain to be whole; an empty one ends the search."""
        seen: set[Any] | None = None
        for reading in range(_READINGS):
            self.requests += 1
            page = self._page(number, self._ask(number) if reading else reply)
            if page.full or (number > max(page.total, 1) and not page.keys()):
                return page
            last = number >= page.total
            if last and seen is not None and page.keys() >= seen:
                return page
            seen = (seen or set()) | page.keys() if last else None
        raise self._inconsistent(
            Text(N_("page {number} came back with a different part of its rows each time"), number=number)
        )

    def _ask(self, number: int) -> Reply:
        return self._exchange.read(self._path, {**self._params, "per_page": str(self._per_page), "page": str(number)})

    def _page(self, number: int, reply: Reply) -> _Page[Model]:
        rows = read_several(self._model, reply, only_counted=self._only_counted)
        came, total = _count(reply, "page"), _count(reply, "total_pages")
        is_the_last_once_more = came == total < number  # which some servers answer beyond it, and not an empty page
        if came != number and not is_the_last_once_more:
            text = N_("page {number} was asked for, page {came} came")
            raise reply.unreadable(Text(text, number=number, came=came))
        served = _count(reply, "per_page") if "per_page" in reply.body else self._per_page
        full = len(rows) + len(rows.odd) + len(rows.counted) >= served > 0
        return _Page(number=number, total=total, rows=rows, full=full)

    def _inconsistent(self, reason: Text) -> RowsMovedError:
        return RowsMovedError(
            Text(N_("rows could be missing: {reason}"), reason=reason), method="GET", path=PREFIX + self._path
        )


def _key(row: Record | OddRecord) -> Any:
    return repr(row.payload) if row.id is None else row.id


def _count(reply: Reply, field: str) -> int:
    value: Any = reply.body.get(field)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise reply.unreadable(Text(N_("the answer's {field} is not a number"), field=field)) from None
