"""The rules of many contracts as the API answers them, in batches that fit into memory.

The one rule: a contract's answer is never split between two batches, so that what is missing from it is known to be
gone; and answers are read ahead of their use only so far.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from ciclo.billimatic import ApiError, BillimaticClient, NotFoundError, RejectedError, UnreadableAnswerError
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.errors import DomainError
from ciclo.jobs.rules.terms import read_terms
from ciclo.ledger.terms import RuleTerms

ROWS_AT_ONCE = 500
"""Contracts and rules of a batch: a larger one takes more memory and is no faster."""

READERS = 8
"""Contracts whose rules are read at once; the client's own budget of requests holds all the same."""

READ_AHEAD = 2 * READERS
"""Answers that are read or being read while an earlier batch is stored."""

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

    contract_ids: list[int] = field(default_factory=list)
    """The contracts that were asked about."""
    answered: list[int] = field(default_factory=list)
    """Those of them whose rules are all here."""
    read: list[ReadRule] = field(default_factory=list)
    unread_contracts: list[tuple[int, ApiError]] = field(default_factory=list)
    unread_rules: list[tuple[InvoiceRule, DomainError]] = field(default_factory=list)
    """Rules that cannot be billed by."""

    @property
    def rows(self) -> int:
        """How many contracts and rules it holds."""
        return len(self.contract_ids) + len(self.read) + len(self.unread_rules)


def rule_batches(
    api: BillimaticClient, contract_ids: Sequence[int], *, rows: int = ROWS_AT_ONCE
) -> Iterator[RuleBatch]:
    """Yield the rules of some contracts, in the order given; a batch ends with the contract that fills its `rows`.

    Raises:
        ApiError: what concerns more than one contract: the token is refused, the API does not answer.
    """
    items = {item.name: item.id for item in api.service_items() if item.name} if contract_ids else {}
    batch = RuleBatch()
    for contract_id, answer in _each(lambda contract_id: api.invoice_rules(contract_id).whole(), contract_ids):
        batch.contract_ids.append(contract_id)
        if isinstance(answer, ApiError):
            batch.unread_contracts.append((contract_id, answer))
        else:
            batch.answered.append(contract_id)
            _read_terms(batch, answer, items)
        if batch.rows >= rows:
            yield batch
            batch = RuleBatch()
    if batch.contract_ids:
        yield batch


def _read_terms(batch: RuleBatch, rules: Iterable[InvoiceRule], items: dict[str, int]) -> None:
    for rule in rules:
        if not rule.recurs:
            continue
        try:
            batch.read.append(ReadRule(rule, read_terms(rule, items)))
        except DomainError as error:
            batch.unread_rules.append((rule, error))


def _each(ask: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[tuple[Item, Answer | ApiError]]:
    """Ask for several things at once; an answer that concerns one thing alone is an item, any other error is raised."""

    def attempt(item: Item) -> tuple[Item, Answer | ApiError]:
        try:
            return item, ask(item)
        except (NotFoundError, RejectedError, UnreadableAnswerError) as error:
            return item, error

    asked: deque[Future[tuple[Item, Answer | ApiError]]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        try:
            for item in items:
                asked.append(pool.submit(attempt, item))
                if len(asked) == READ_AHEAD:
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()
        finally:
            for future in asked:
                future.cancel()
