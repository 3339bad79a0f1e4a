"""The rules of many contracts as the API answers them, in batches that fit into memory.

A contract's answer is never split between two batches, so that what is missing from it is known to be gone; and answers
are read ahead of their use only so far. A contract that is not answered for stops alone as long as the vendor answers
something else, and for most of the others: else it is the vendor that is away.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import TypeVar

from sqlalchemy.orm import Session

from ciclo.billimatic import (
    ApiError,
    BillimaticClient,
    NotFoundError,
    RejectedError,
    Search,
    TransientApiError,
    UnreadableAnswerError,
)
from ciclo.billimatic.models import Invoice, InvoiceRule
from ciclo.billimatic.models.reading import Listing
from ciclo.domain.errors import DomainError
from ciclo.jobs.rules.terms import read_terms
from ciclo.ledger.rows import ROWS_AT_ONCE
from ciclo.ledger.terms import RuleTerms

READ_AHEAD = 2
"""Answers that are read or being read while an earlier batch is stored, for each request that may be under way."""

LEAST_TOO_MANY = 5
MOST_PERCENT = 20

OF_ONE_ALONE = (NotFoundError, RejectedError, UnreadableAnswerError)
"""Errors that say nothing about any other question."""


class Alone:
    """Things done one after the other, each in a `with`: what the vendor fails about one keeps no other waiting.

    Its transaction is rolled back. What concerns all leaves the `with`: a vendor that has no other answer either, too
    many that are not answered for, a pause that is asked for, a token that is refused.
    """

    def __init__(self, api: BillimaticClient, session: Session, things: Collection[object]) -> None:
        self.failures: list[ApiError] = []
        self._api = api
        self._session = session
        self._things = things

    def __enter__(self) -> None:
        """Begin with the next."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Take in what the vendor failed about alone."""
        if not isinstance(error, (TransientApiError, *OF_ONE_ALONE)):
            return False
        self._session.rollback()
        self.failures.append(error)
        if not isinstance(error, TransientApiError):
            return True
        unanswered = [each for each in self.failures if isinstance(each, TransientApiError)]
        return not too_many(unanswered, self._things) and has_other_answers(self._api, error)


Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ReadRule:
    """A rule with its terms."""

    rule: InvoiceRule
    terms: RuleTerms


@dataclass(slots=True)
class RuleBatch:
    """What was answered about some contracts."""

    asked_at: datetime
    """When the first of them was asked about."""
    service_items: Mapping[str, int] = field(default_factory=dict)
    """Ids of the account's service items by name: a rule's answer names a service but not its item."""
    contract_ids: list[int] = field(default_factory=list)
    """The contracts that were asked about."""
    read: list[ReadRule] = field(default_factory=list)
    unread_rules: list[tuple[InvoiceRule, DomainError]] = field(default_factory=list)
    """Rules that cannot be billed by."""
    unread_contracts: dict[int, ApiError] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    """Contracts that the vendor no longer has."""
    disbelieved: dict[int, tuple[set[int], set[int]]] = field(default_factory=dict)
    """Contracts whose answer lacks too many of the rules that are known: the missing ones, and all known ones."""

    @property
    def answered(self) -> list[int]:
        """The contracts whose rules are all here."""
        away = {*self.unread_contracts, *self.gone}
        return [contract_id for contract_id in self.contract_ids if contract_id not in away]

    @property
    def rows(self) -> int:
        """How many contracts and rules it holds."""
        return len(self.contract_ids) + len(self.read) + len(self.unread_rules)

    def rules_by_contract(self) -> dict[int, set[int]]:
        """Return the ids of the rules that recur, by contract; one that never does issues nothing by itself."""
        found: dict[int, set[int]] = {}
        for rule in [*(entry.rule for entry in self.read), *(rule for rule, _ in self.unread_rules)]:
            found.setdefault(rule.contract_id, set()).add(rule.id)
        return found

    def take(self, contract_id: int, answer: Sequence[InvoiceRule] | ApiError) -> None:
        """Take in the answer about a contract, instead of an earlier one."""
        self.read = [entry for entry in self.read if entry.rule.contract_id != contract_id]
        self.unread_rules = [entry for entry in self.unread_rules if entry[0].contract_id != contract_id]
        self.unread_contracts.pop(contract_id, None)
        if isinstance(answer, ApiError):
            self.unread_contracts[contract_id] = answer
            return
        for rule in answer:
            if rule.says_that_it_never_recurs:
                continue
            try:
                self.read.append(ReadRule(rule, read_terms(rule, self.service_items)))
            except DomainError as error:
                self.unread_rules.append((rule, error))


def rule_batches(
    api: BillimaticClient, contract_ids: Sequence[int], *, clock: Callable[[], datetime], rows: int = ROWS_AT_ONCE
) -> Iterator[RuleBatch]:
    """Yield the rules of some contracts, in the order given; a batch ends with the contract that fills its `rows`.

    Args:
        api: the vendor.
        contract_ids: those to ask about.
        clock: returns the current instant.
        rows: contracts and rules of a batch.

    Raises:
        ApiError: what concerns more than one contract: the token is refused, the API does not answer, or asks for a
            pause.
    """
    if not contract_ids:
        return
    catalogue = [item for item in api.service_items() if item.name]
    times = Counter(item.name for item in catalogue)
    items = {item.name: item.id for item in catalogue if item.name and times[item.name] == 1}  # others are nobody's
    asked: deque[datetime] = deque()

    def noting_when() -> Iterator[int]:
        for contract_id in contract_ids:
            asked.append(clock())
            yield contract_id

    batch: RuleBatch | None = None
    for contract_id, answer in answers_about_most(rules_of(api, noting_when()), contract_ids):
        asked_at = asked.popleft()
        batch = batch or RuleBatch(asked_at, items)
        batch.contract_ids.append(contract_id)
        batch.take(contract_id, answer)
        if batch.rows >= rows:
            yield batch
            batch = None
    if batch is not None:
        yield batch


def rules_of(
    api: BillimaticClient, contract_ids: Iterable[int]
) -> Iterator[tuple[int, Sequence[InvoiceRule] | ApiError]]:
    """Ask for the rules of contracts, as `answers_about` does."""
    return answers_about(api, lambda contract_id: api.invoice_rules(contract_id).whole(), contract_ids)


def answers_about(
    api: BillimaticClient, ask: Callable[[int], Answer], contract_ids: Iterable[int]
) -> Iterator[tuple[int, Answer | ApiError]]:
    """Ask about contracts, as `answers_of` does; where one has no answer, while the vendor has others, that is an item.

    Raises:
        ApiError: what concerns more than one contract: the token is refused, the API does not answer, or asks for a
            pause.
    """

    def ask_and_doubt(contract_id: int) -> Answer | ApiError:
        try:
            return ask(contract_id)
        except TransientApiError as error:
            if not has_other_answers(api, error):
                raise
            return error

    return answers_of(ask_and_doubt, contract_ids, at_once=api.at_once)


def has_other_answers(api: BillimaticClient, error: ApiError) -> bool:
    """Whether the vendor answers something else while it fails about one thing; it is asked unless it wants a pause.

    Raises:
        ApiError: what concerns every question: the token is refused, the API does not answer, or asks for a pause.
    """
    if error.status == HTTPStatus.TOO_MANY_REQUESTS or error.retry_after is not None:
        return False
    try:
        api.service_items()  # is no contract's
    except OF_ONE_ALONE:
        return False
    return True


def answers_about_most(
    answers: Iterable[tuple[int, Answer | ApiError]],
    contract_ids: Collection[int],
    *,
    no_answer: tuple[type[ApiError], ...] = (TransientApiError,),
) -> Iterator[tuple[int, Answer | ApiError]]:
    """Yield what `answers_about` has of contracts.

    Args:
        answers: of `answers_about`.
        contract_ids: all that were asked about, or of which they are a part.
        no_answer: errors that say nothing about a contract.

    Raises:
        ApiError: too many of them are not answered for, or all of several.
    """
    unanswered: list[ApiError] = []
    for contract_id, answer in answers:
        if isinstance(answer, no_answer):
            unanswered.append(answer)
            if is_away(unanswered, contract_ids):
                raise answer
        yield contract_id, answer


def invoices_by_contract(
    api: BillimaticClient, ask: Callable[[int], Search[Invoice]], contract_ids: Iterable[int], of: Collection[int]
) -> Iterator[tuple[int, tuple[list[Invoice], Search[Invoice]] | ApiError]]:
    """Search contract by contract, as `answers_about_most` does, where the vendor fails at the search of all.

    One record that it cannot show, or that nothing can read, spoils every page that has it. Whether it has other
    answers is asked before: see `has_other_answers`.

    Args:
        api: the vendor.
        ask: searches a contract.
        contract_ids: those to search.
        of: of which they are all, or a part.

    Raises:
        ApiError: what concerns more than one contract, and so many of them.
    """

    def found(contract_id: int) -> tuple[list[Invoice], Search[Invoice]]:
        search = ask(contract_id)
        return list(search), search

    answers = answers_about(api, found, contract_ids)
    yield from answers_about_most(answers, of, no_answer=(TransientApiError, UnreadableAnswerError))


def listings_of_rules(
    api: BillimaticClient, contract_ids: Collection[int], *, bills: Callable[[int], bool]
) -> Iterator[tuple[int, Listing[InvoiceRule] | ApiError]]:
    """Yield the rules of an account's contracts, and what of them cannot be read, as `answers_about_most` does.

    An empty answer about a contract that `bills` may be a wrong one: it is asked about again.
    """
    answers = answers_about(api, api.invoice_rules, contract_ids)
    for contract_id, answer in answers_about_most(answers, contract_ids):
        if not isinstance(answer, ApiError) and not answer and not answer.odd and bills(contract_id):
            yield from answers_about(api, api.invoice_rules, [contract_id])
        else:
            yield contract_id, answer


def too_many(some: Collection[object], of: Collection[object]) -> bool:
    """Whether so many are missing, or not answered for, that it is the vendor's fault and not their own."""
    return len(some) >= LEAST_TOO_MANY and len(some) * 100 > len(of) * MOST_PERCENT


def is_away(unanswered: Collection[object], of: Collection[object]) -> bool:
    """Whether the vendor is away: too many contracts are not answered for, or all of several."""
    return too_many(unanswered, of) or 1 < len(unanswered) == len(of)


def answers_of(
    ask: Callable[[Item], Answer], items: Iterable[Item], *, at_once: int
) -> Iterator[tuple[Item, Answer | ApiError]]:
    """Ask for so many things at once; an answer that concerns one thing alone is an item, any other error is raised."""

    def attempt(item: Item) -> tuple[Item, Answer | ApiError]:
        try:
            return item, ask(item)
        except OF_ONE_ALONE as error:
            return item, error

    asked: deque[Future[tuple[Item, Answer | ApiError]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for item in items:
                asked.append(pool.submit(attempt, item))
                if len(asked) == READ_AHEAD * at_once:
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()
        finally:
            for future in asked:
                future.cancel()
