"""Contracts, rules, prices and scheduled updates from the API into the ledger.

What changed since the last sight is dated with the day it was seen: issued periods keep their terms, later ones follow
the new. A contract that cannot be read becomes a `Problem`; the others go on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from ciclo.billimatic import ApiError, NotFoundError
from ciclo.billimatic.models import Contract, InvoiceRule
from ciclo.domain.price_index import MONTHS_BY_LAW
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.ask import ROWS_AT_ONCE, ReadRule, RuleBatch, rule_batches
from ciclo.jobs.rules.prices import read_prices
from ciclo.jobs.rules.schedules import follow_schedules, note_disagreements
from ciclo.ledger.repositories import ACTIVE
from ciclo.ledger.repositories.catalogue import NewestVersion
from ciclo.ledger.terms import terms_hash


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one contract or rule that a person has to look at."""

    contract_id: int
    rule_id: int | None
    message: str


@dataclass(slots=True)
class SyncOutcome:
    """What was read."""

    contract_ids: list[int] = field(default_factory=list)
    rules: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: "SyncOutcome") -> None:
        """Take in what else was read."""
        self.contract_ids += other.contract_ids
        self.rules += other.rules
        self.problems += other.problems


def sync_contracts(ctx: JobContext) -> int:
    """Bring every contract of the organization into the ledger; return how many may be billed. Commits.

    A contract that is no longer among the vendor's is marked gone, never removed.
    """
    now = ctx.clock()
    contracts = [contract for contract in ctx.api.contracts().whole() if _sells(contract, ctx.organization_id)]
    ctx.catalogue.see_organization(at=now)
    for start in range(0, len(contracts), ROWS_AT_ONCE):
        some = contracts[start : start + ROWS_AT_ONCE]
        ctx.catalogue.store_contracts([_contract_row(contract, ctx.organization_id, now) for contract in some])
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
    """Bring the rules of some contracts into the ledger, as `sync_in_batches` does. Commits after each batch."""
    outcome = SyncOutcome()
    for synced in sync_in_batches(ctx, contract_ids, seen_on=seen_on):
        ctx.session.commit()
        outcome.add(synced)
    return outcome


def sync_in_batches(ctx: JobContext, contract_ids: Sequence[int], *, seen_on: date) -> Iterator[SyncOutcome]:
    """Bring the rules of some contracts into the ledger, with versions, prices and scheduled updates.

    Yields after every few hundred rules. The caller commits before it goes on: no transaction is open while the vendor
    is asked.

    Args:
        ctx: the run.
        contract_ids: contracts of the organization.
        seen_on: the day in São Paulo on which the API is asked; changes count from it.
    """
    for batch in rule_batches(ctx.api, contract_ids):
        problems = [_unread_contract(ctx, contract_id, error) for contract_id, error in batch.unread_contracts]
        problems += [Problem(rule.contract_id, rule.id, str(error)) for rule, error in batch.unread_rules]
        problems += _store(ctx, batch, seen_on)
        yield SyncOutcome(batch.contract_ids, len(batch.read), problems)


def _unread_contract(ctx: JobContext, contract_id: int, error: ApiError) -> Problem:
    if isinstance(error, NotFoundError):
        for contract in ctx.catalogue.contracts([contract_id]):
            contract.gone_at = ctx.clock()
        return Problem(contract_id, None, f"contract {contract_id} is no longer at the vendor")
    return Problem(contract_id, None, str(error))


def _store(ctx: JobContext, batch: RuleBatch, seen_on: date) -> list[Problem]:
    now = ctx.clock()
    read = batch.read
    rule_ids = [entry.rule.id for entry in read]
    newest = ctx.catalogue.newest_versions(rule_ids)
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
    ctx.catalogue.mark_rules_gone(batch.answered, {*rule_ids, *(rule.id for rule, _ in batch.unread_rules)}, now)
    ctx.session.flush()
    return [Problem(entry.contract_id, entry.rule_id, entry.line()) for entry in reading.disagreements]


def _version_row(
    ctx: JobContext, entry: ReadRule, newest: NewestVersion | None, seen_on: date, now: datetime
) -> dict[str, Any] | None:
    """Return the row of a new version, or None where the terms are those already known."""
    document = entry.terms.document()
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


def _rule_row(ctx: JobContext, entry: ReadRule, version: int, now: datetime) -> dict[str, Any]:
    rule, recurrence, timing = entry.rule, entry.terms.recurrence, entry.rule.additional_information
    return {
        "organization_id": ctx.organization_id,
        "rule_id": rule.id,
        "contract_id": rule.contract_id,
        "title": (timing and timing.title) or rule.description or f"rule {rule.id}",
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
