"""An account read for an audit: in few requests, a step at a time, so that what was stopped goes on where it was.

One request for the list of contracts, a page for a hundred invoices, one request a contract for its rules; a contract
that has invoices and is not in the list is asked for by itself. Tax documents are looked up only where an invoice does
not say that it has one, and where the search knows one that is not issued. Receivables come with their invoices. Of
some contracts the year before the range is read, too: see `_look_back`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TypeVar

from ciclo.billimatic import (
    ApiError,
    BadRequestError,
    BillimaticClient,
    NotFoundError,
    RejectedError,
    Search,
    TransientApiError,
    UnreadableAnswerError,
)
from ciclo.billimatic.models import Invoice, InvoiceRule, OddRecord
from ciclo.domain.calendar import add_days, add_months, first_of_month
from ciclo.domain.recurrence import step_on_or_after
from ciclo.jobs.audit.findings import ENDS_SOON, AuditRange
from ciclo.jobs.audit.judge import LONGEST
from ciclo.jobs.audit.store import AuditStore
from ciclo.jobs.rules.ask import answers_about, has_other_answers, invoices_by_contract, listings_of_rules

BEFORE = 31
"""Days before a range whose invoices are read: they tell the prices that its first readjustments start from."""
MOST_LOOKED_BACK = 40
"""Contracts whose year before the range is read, a request each; of others an audit says what it lacks."""
BILLED_LATER = 31
"""Days after a range in which its last invoices may have been billed, at least."""
ROWS_AT_ONCE = 1000
ROWS_OF_A_PAGE = 100
NFSES_OF_A_SEARCH = 100
MOST_SEARCHES = 3
"""Searches for tax documents of single invoices; beyond, all of them are read."""
PARTLY_READ = "invoices_partly_read"
"""Name under which the store keeps the days whose invoices were read contract by contract, each with the reason."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reading is: what is read, the requests made, and about how many are left."""

    what: str
    made: int
    left: int


class _Counter:
    """The requests made and to come, for whoever waits."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self.made = 0
        self._tell = tell

    def tell(self, what: str, *, made: int, left: int) -> None:
        self.made += made
        self._tell(Progress(what, self.made, left))


def read_account(
    api: BillimaticClient, store: AuditStore, audited: AuditRange, tell: Callable[[Progress], None]
) -> None:
    """Read what an audit needs into its store; what is there already is not asked for again.

    Raises:
        ApiError: the account cannot be read: the token is refused, the API does not answer.
    """
    counter = _Counter(tell)
    if not store.done("contracts"):
        _read_contracts(api, store)
        counter.tell("contracts", made=2, left=len(store.contract_ids()))
    _read_invoices(api, store, audited, counter)
    for contract_id, contract in answers_about(api, api.contract, store.contracts_not_listed()):
        if isinstance(contract, ApiError):
            store.add_odd([OddRecord("contract", contract_id, contract_id, contract.reason)])
        else:
            store.add_contracts([contract], listed=False)
        counter.tell("contracts", made=1, left=len(store.contracts_without_rules()))
    _read_rules(api, store, counter)
    _look_back(api, store, audited, counter)
    if not store.done("nfses"):
        _read_nfses(api, store, audited, counter)
        store.finish("nfses")
    counter.tell("done", made=0, left=0)


def _read_contracts(api: BillimaticClient, store: AuditStore) -> None:
    listing = api.contracts()
    store.add_contracts(listing, listed=True)
    store.add_odd(listing.odd)
    catalogue = [item for item in api.service_items() if item.name]
    times = Counter(item.name for item in catalogue)
    store.keep("service_items", {item.name: item.id for item in catalogue if times[item.name] == 1})
    store.finish("contracts")


def _read_invoices(api: BillimaticClient, store: AuditStore, audited: AuditRange, counter: _Counter) -> None:
    windows = list(_windows(audited))
    contracts, pages = len(store.contract_ids()), 0
    failed: list[tuple[date, date, str]] = []
    for number, (first, last) in enumerate(windows):
        step = f"invoices {first}"
        if store.done(step):
            continue
        search, rows = api.search_invoices(issue_date_from=first, issue_date_to=last), 0
        try:
            for part in _parts(search):
                rows += store.add_invoices(part)
        except (TransientApiError, UnreadableAnswerError) as error:
            if not has_other_answers(api, error):
                raise
            failed.append((first, last, error.reason))
            continue
        store.add_odd(search.odd)
        store.finish(step)
        pages += rows // ROWS_OF_A_PAGE + 1
        left = (len(windows) - number - 1) * pages // (number + 1) + contracts
        counter.tell("invoices", made=rows // ROWS_OF_A_PAGE + 1, left=left)
    for first, last, why in failed:  # by now those are known that are not in the list and have other invoices
        _read_by_contract(api, store, first, last, counter)
        store.keep(PARTLY_READ, [*(store.kept(PARTLY_READ) or ()), (first.isoformat(), last.isoformat(), why)])
        store.finish(f"invoices {first}")


def _read_by_contract(api: BillimaticClient, store: AuditStore, first: date, last: date, counter: _Counter) -> None:
    """Read the invoices of some days where the vendor fails at the search of all; one at which it fails is unread."""

    def ask(contract_id: int) -> Search[Invoice]:
        return api.search_invoices(issue_date_from=first, issue_date_to=last, contract_id=contract_id)

    known = {*store.contract_ids(), *store.contracts_not_listed()}
    contracts = sorted(known - {each.contract_id for each in store.odd("invoices")})  # unread by now, whatever follows
    for number, (contract_id, answer) in enumerate(invoices_by_contract(api, ask, contracts, of=known), start=1):
        if isinstance(answer, ApiError):
            store.add_odd([OddRecord("invoices", None, contract_id, answer.reason)])
        else:
            store.add_invoices(answer[0])
            store.add_odd(answer[1].odd)
        counter.tell("invoices", made=1, left=len(contracts) - number)


def _windows(audited: AuditRange) -> Iterator[tuple[date, date]]:
    """Yield the parts of what is read: quarters, so that little is read twice after a stop."""
    first, end = add_days(audited.first, -BEFORE), add_days(audited.as_of, ENDS_SOON + 2)
    end = max(end, add_days(audited.as_of, BILLED_LATER))
    while first <= end:
        after = add_months(first_of_month(first), 3)
        yield first, min(end, add_days(after, -1))
        first = after


def _read_rules(api: BillimaticClient, store: AuditStore, counter: _Counter) -> None:
    waiting = store.contracts_without_rules()
    listings = listings_of_rules(api, waiting, bills=store.bills)
    for number, (contract_id, answer) in enumerate(listings, start=1):
        if isinstance(answer, ApiError):
            store.add_unread(contract_id, answer.reason)
        else:
            store.add_rules(contract_id, answer)
            store.add_odd(answer.odd, contract_id)
        if number % ROWS_OF_A_PAGE == 0 or number == len(waiting):
            store.finish("some rules")
            made = ROWS_OF_A_PAGE if number % ROWS_OF_A_PAGE == 0 else number % ROWS_OF_A_PAGE
            counter.tell("rules", made=made, left=len(waiting) - number)


def read_since(store: AuditStore, audited: AuditRange, contract_id: int) -> date:
    """Return the first issue date whose invoices were read of a contract."""
    return _earliest(audited) if store.done(f"before {contract_id}") else add_days(audited.first, -BEFORE)


def _earliest(audited: AuditRange) -> date:
    return add_months(first_of_month(audited.first), -LONGEST)


def _look_back(api: BillimaticClient, store: AuditStore, audited: AuditRange, counter: _Counter) -> None:
    """Read the invoices before the range of contracts whose first readjustment would have nothing to start from."""
    behind = (each for each in store.contract_ids() if any(_begins_before(rule, audited) for rule in store.rules(each)))
    for contract_id in islice(behind, MOST_LOOKED_BACK):
        step = f"before {contract_id}"
        if store.done(step):
            continue
        last = add_days(audited.first, -BEFORE - 1)
        search = api.search_invoices(issue_date_from=_earliest(audited), issue_date_to=last, contract_id=contract_id)
        try:
            for part in _parts(search):
                store.add_invoices(part)
        except (TransientApiError, UnreadableAnswerError) as error:
            if not has_other_answers(api, error):
                raise
            continue  # an audit says what it lacks: what its readjustments started from
        store.add_odd(search.odd)
        store.finish(step)
        counter.tell("invoices", made=1, left=0)


def _begins_before(rule: InvoiceRule, audited: AuditRange) -> bool:
    """Whether the last period before the first readjustment of a range was issued before the invoices that are read."""
    timing = rule.additional_information
    months = (timing.month_quantity or 1) if timing is not None else 1
    if timing is None or timing.init_date is None or months == 1:
        return False
    for update in rule.scheduled_updates:
        if update.init_date is None or not update.month_quantity or update.month_quantity < 1:
            continue
        step = step_on_or_after(update.init_date, update.month_quantity, audited.first)
        execution = add_months(update.init_date, step * update.month_quantity)
        periods = step_on_or_after(timing.init_date, months, execution)  # how many lie before it
        last = add_months(timing.init_date, (periods - 1) * months) if periods else None
        if last is not None and execution in audited.judged and last < add_days(audited.first, -BEFORE):
            return True
    return False


def _read_nfses(api: BillimaticClient, store: AuditStore, audited: AuditRange, counter: _Counter) -> None:
    """Look at the tax documents of the invoices that do not say that they have one, and at those that are not issued.

    Raises:
        ApiError: the API does not answer; a search that it refuses, or alone fails at, is kept as unread.
    """
    wanting = store.without_nfse()
    try:
        not_issued = list(api.search_nfses({"status_not_eq": 1}))
        store.add_nfses(not_issued)
        doubtful = {each.invoice_id for each in not_issued if each.invoice_id is not None}
        ids = sorted({*wanting, *store.has_invoices(doubtful - set(wanting))})
        if len(ids) <= MOST_SEARCHES * NFSES_OF_A_SEARCH:
            parts = [ids[start : start + NFSES_OF_A_SEARCH] for start in range(0, len(ids), NFSES_OF_A_SEARCH)]
            for part in parts:
                store.add_nfses(api.search_nfses({"invoice_id_in": part}))
                counter.tell("nfses", made=3, left=0)
        else:
            since = add_days(audited.first, -BEFORE)
            for rows in _parts(api.search_nfses({"generated_at_gteq": since})):
                store.add_nfses(rows)
                counter.tell("nfses", made=len(rows) // ROWS_OF_A_PAGE + 1, left=0)
    except (BadRequestError, NotFoundError, RejectedError, TransientApiError, UnreadableAnswerError) as error:
        if isinstance(error, TransientApiError) and not has_other_answers(api, error):
            raise
        store.keep("nfses_unread", error.reason)


def _parts(rows: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(rows)
    while part := list(islice(iterator, ROWS_AT_ONCE)):
        yield part
