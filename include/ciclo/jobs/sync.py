"""Contracts, rules, prices and scheduled updates from the API into the ledger.

What changed since the last sight is dated with the day it was seen: issued periods keep their terms, later ones follow
the new. A contract that cannot be read becomes a `Problem`; the others go on.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from ciclo.api import ApiError, NotFoundError, RejectedError, UnreadableAnswerError
from ciclo.api.models import Contract, InvoiceRule
from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import MONTHS_BY_LAW
from ciclo.jobs.context import JobContext
from ciclo.jobs.prices import read_prices
from ciclo.jobs.schedules import follow_schedules, note_disagreements
from ciclo.jobs.terms import read_terms
from ciclo.ledger.repositories import ACTIVE
from ciclo.ledger.tables import RuleVersion
from ciclo.ledger.terms import RuleTerms, terms_hash

READERS = 8
"""Contracts whose rules are read at once; the client's own budget of requests holds all the same."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one contract or rule that a person has to look at."""

    contract_id: int
    rule_id: int | None
    message: str


@dataclass(slots=True)
class SyncOutcome:
    """What was read."""

    contracts: int = 0
    rules: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Read:
    """A rule with its terms."""

    rule: InvoiceRule
    terms: RuleTerms

    @property
    def document(self) -> dict[str, Any]:
        return self.terms.document()


def sync_contracts(ctx: JobContext) -> int:
    """Bring every contract of the organization into the ledger; return how many may be billed. Commits.

    A contract that is no longer among the vendor's is marked gone, never removed.
    """
    now = ctx.clock()
    contracts = [contract for contract in ctx.api.contracts() if _sells(contract, ctx.organization_id)]
    ctx.catalogue.see_organization(at=now)
    ctx.catalogue.store_contracts([_contract_row(contract, ctx.organization_id, now) for contract in contracts])
    ctx.catalogue.mark_contracts_gone({contract.id for contract in contracts}, now)
    ctx.session.commit()
    return sum(contract.is_active for contract in contracts)


def _sells(contract: Contract, organization_id: int) -> bool:
    """Whether the organization is the supplier: what it buys is not its to bill."""
    return contract.supplier_id in (None, organization_id)


def _contract_row(contract: Contract, organization_id: int, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "contract_id": contract.id,
        "name": contract.name or contract.title or f"contract {contract.id}",
        "customer_id": contract.customer_id,
        "state": ACTIVE if contract.is_active else contract.state,
        "payload": contract.model_dump(mode="json"),
        "first_seen_at": now,
        "seen_at": now,
        "gone_at": None,
    }


def sync_rules(ctx: JobContext, contract_ids: Sequence[int], *, seen_on: date) -> SyncOutcome:
    """Bring the rules of some contracts into the ledger, with versions, prices and scheduled updates.

    Args:
        ctx: the run.
        contract_ids: contracts of the organization.
        seen_on: the day in São Paulo on which the API is asked; changes count from it.
    """
    outcome = SyncOutcome(contracts=len(contract_ids))
    items = {item.name: item.id for item in ctx.api.service_items() if item.name} if contract_ids else {}
    read: list[_Read] = []
    answered: list[int] = []
    for contract_id, answer in _each(ctx.api.invoice_rules, contract_ids):
        if isinstance(answer, ApiError):
            outcome.problems.append(_unread_contract(ctx, contract_id, answer))
            continue
        answered.append(contract_id)
        for rule in answer:
            try:
                read.append(_Read(rule, read_terms(rule, items)))
            except DomainError as error:
                outcome.problems.append(Problem(contract_id, rule.id, str(error)))
    unread = {p.rule_id for p in outcome.problems if p.rule_id}
    outcome.problems += _store(ctx, read, answered, seen_on, unread=unread)
    outcome.rules = len(read)
    return outcome


def _each(ask: Callable[[Item], Answer], items: Sequence[Item]) -> Iterable[tuple[Item, Answer | ApiError]]:
    """Ask for several things at once; an answer that concerns one thing alone is an item, any other error is raised."""

    def attempt(item: Item) -> tuple[Item, Answer | ApiError]:
        try:
            return item, ask(item)
        except (NotFoundError, RejectedError, UnreadableAnswerError) as error:
            return item, error

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(attempt, items)


def _unread_contract(ctx: JobContext, contract_id: int, error: ApiError) -> Problem:
    if isinstance(error, NotFoundError):
        for contract in ctx.catalogue.contracts([contract_id]):
            contract.gone_at = ctx.clock()
        return Problem(contract_id, None, f"contract {contract_id} is no longer at the vendor")
    return Problem(contract_id, None, str(error))


def _store(
    ctx: JobContext, read: Sequence[_Read], answered: Sequence[int], seen_on: date, unread: set[int]
) -> list[Problem]:
    now = ctx.clock()
    rule_ids = [entry.rule.id for entry in read]
    known = ctx.catalogue.versions(rule_ids)
    newest = {rule_id: versions[-1] for rule_id, versions in known.items()}
    versions = [_version_row(ctx, entry, newest.get(entry.rule.id), seen_on, now) for entry in read]
    ctx.catalogue.add_versions([row for row in versions if row is not None])
    numbers = {row["rule_id"]: row["version"] for row in versions if row is not None}
    ctx.catalogue.store_rules(
        [_rule_row(ctx, entry, numbers.get(entry.rule.id) or newest[entry.rule.id].version, now) for entry in read]
    )
    reading = read_prices(ctx, [(entry.rule, entry.terms) for entry in read], seen_on=seen_on)
    ctx.prices.add(reading.rows)
    note_disagreements(ctx, reading.disagreements, now)
    updates = [row for entry in read for row in _update_rows(ctx, entry.rule, now)]
    known_updates = ctx.scheduled_updates.known([row["scheduled_update_id"] for row in updates])
    ctx.scheduled_updates.store(updates)
    follow_schedules(ctx, known_updates, updates, {entry.rule.id: entry.terms.recurrence.end_date for entry in read})
    present = {scheduled.id for entry in read for scheduled in entry.rule.scheduled_updates}
    ctx.scheduled_updates.mark_gone(rule_ids, present, now)
    ctx.catalogue.mark_rules_gone(answered, {*rule_ids, *unread}, now)
    ctx.session.flush()
    return [Problem(entry.contract_id, entry.rule_id, entry.line()) for entry in reading.disagreements]


def _version_row(
    ctx: JobContext, entry: _Read, newest: RuleVersion | None, seen_on: date, now: datetime
) -> dict[str, Any] | None:
    """Return the row of a new version, or None where the terms are those already known."""
    document = entry.document
    digest = terms_hash(document)
    if newest is not None and newest.terms_hash == digest:
        return None
    return {
        "organization_id": ctx.organization_id,
        "rule_id": entry.rule.id,
        "version": newest.version + 1 if newest else 1,
        "effective_from": seen_on if newest else min(seen_on, entry.terms.recurrence.init_date),
        "terms": document,
        "terms_hash": digest,
        "payload": entry.rule.payload,
        "seen_at": now,
    }


def _rule_row(ctx: JobContext, entry: _Read, version: int, now: datetime) -> dict[str, Any]:
    rule, recurrence = entry.rule, entry.terms.recurrence
    return {
        "organization_id": ctx.organization_id,
        "rule_id": rule.id,
        "contract_id": rule.contract_id,
        "title": rule.additional_information.title or rule.description or f"rule {rule.id}",
        "version": version,
        "init_date": recurrence.init_date,
        "end_date": recurrence.end_date,
        "payload": rule.payload,
        "first_seen_at": now,
        "seen_at": now,
        "gone_at": None,
    }


def _update_rows(ctx: JobContext, rule: InvoiceRule, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for scheduled in rule.scheduled_updates:
        init_date = scheduled.init_date or scheduled.execution_date
        if init_date is None:
            continue  # a template's update that never joined the rule
        rows.append(
            {
                "organization_id": ctx.organization_id,
                "scheduled_update_id": scheduled.id,
                "contract_id": rule.contract_id,
                "rule_id": rule.id,
                "price_index": scheduled.price_index,
                "init_date": init_date,
                "month_quantity": scheduled.month_quantity or MONTHS_BY_LAW,
                "days_until_update": scheduled.days_until_update,
                "service_item_id": scheduled.service_item_id,
                "next_execution_date": scheduled.execution_date or init_date,
                "remote_execution_date": scheduled.execution_date or init_date,
                "payload": scheduled.model_dump(mode="json"),
                "first_seen_at": now,
                "seen_at": now,
                "gone_at": None,
            }
        )
    return rows
