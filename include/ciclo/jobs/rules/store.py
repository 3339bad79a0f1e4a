"""Rules, versions, prices and scheduled updates of what was read, into the ledger.

Terms are dated by readings: new ones hold from the day after the one on which the old ones were last seen. What was
issued in between, by a reading that was no longer current, is a finding with both terms; any other change is followed,
and kept in the trail. A rule that was gone and is back has a new version from that day on, be its terms the same: what
it calls for on the days before is looked at anew.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.calendar import add_days
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Reason, ReasonKind
from ciclo.jobs.context import JobContext
from ciclo.jobs.rules.ask import ReadRule, RuleBatch
from ciclo.jobs.rules.prices import note_disagreements, read_prices
from ciclo.jobs.rules.schedules import follow_schedules
from ciclo.jobs.rules.snapshot import CHANGED_BY_A_PERSON
from ciclo.ledger.repositories import Change, Disagreement, KnownPrice, Version
from ciclo.ledger.repositories.contracts import NewestVersion
from ciclo.ledger.tables import Period, Rule
from ciclo.ledger.terms import RuleTerms, terms_hash

CURRENT = timedelta(hours=1)
"""How long a reading counts as that of the run that bills by it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one contract or rule that a person has to look at."""

    contract_id: int
    rule_id: int | None
    message: str


def store_rules(ctx: JobContext, batch: RuleBatch, unread: Collection[int], seen_on: date) -> list[Problem]:
    """Store what was read of some contracts; what a contract lacks counts as gone unless it is `unread`."""
    now = ctx.clock()
    read = sorted(
        (entry for entry in batch.read if entry.rule.contract_id not in unread), key=lambda entry: entry.rule.id
    )  # whatever is written of them is written in one order by all runs
    if not batch.service_items:
        read = _with_known_items(ctx, read)
    rule_ids = [entry.rule.id for entry in read]
    known = ctx.contracts.rules(rule_ids)
    newest = ctx.contracts.newest_versions(rule_ids)
    since = {entry.rule.id: _changed_from(known.get(entry.rule.id), seen_on) for entry in read}
    back = {rule_id: seen_on for rule_id, rule in known.items() if rule.gone_at is not None}
    versions = [
        _version_row(ctx, entry, newest.get(entry.rule.id), since[entry.rule.id], back.get(entry.rule.id), now)
        for entry in read
    ]
    changed = {row["rule_id"]: row for row in versions if row is not None}
    differ = {each for each, row in changed.items() if each in newest and row["terms_hash"] != newest[each].terms_hash}
    last_seen = {rule_id: rule.seen_at for rule_id, rule in known.items()}
    new_since = _new_since(ctx, read, known, seen_on)
    ctx.contracts.add_versions(list(changed.values()))
    ctx.contracts.see_versions(
        {rule_id: version.version for rule_id, version in newest.items() if rule_id not in changed}, now
    )
    numbers = {rule_id: row["version"] for rule_id, row in changed.items()}
    ctx.contracts.store_rules(
        [
            _rule_row(ctx, entry, numbers.get(entry.rule.id) or newest[entry.rule.id].version, new_since, seen_on, now)
            for entry in read
        ]
    )
    reading = read_prices(ctx, [(entry.rule, entry.terms) for entry in read], seen_on=seen_on, changed_from=since)
    ctx.prices.add(reading.rows)
    note_disagreements(ctx, reading.disagreements, now)
    updates = [row for entry in read for row in _update_rows(ctx, entry.rule, now)]
    known_updates = ctx.scheduled_updates.known([row["scheduled_update_id"] for row in updates])
    ctx.scheduled_updates.store(updates)
    follow_schedules(ctx, known_updates, updates, {entry.rule.id: entry.terms.recurrence.end_date for entry in read})
    present = {scheduled.id for entry in read for scheduled in entry.rule.scheduled_updates}
    ctx.scheduled_updates.mark_gone(rule_ids, present, now)
    ctx.contracts.mark_rules_gone([each for each in batch.answered if each not in unread], rule_ids, now)
    ctx.session.flush()
    _keep_trail(ctx, read, {each: changed[each] for each in differ}, newest, last_seen, now)
    repriced = {row["rule_id"] for row in reading.rows if row["source"] == CHANGED_BY_A_PERSON}
    _note_changes(ctx, {*repriced, *differ}, last_seen, seen_on, now)
    return [Problem(entry.contract_id, entry.rule_id, entry.line()) for entry in reading.disagreements]


def _with_known_items(ctx: JobContext, read: Sequence[ReadRule]) -> list[ReadRule]:
    """Keep the service items that are known: an account that bills some does not lose them all at once."""
    known: dict[int, int] = {}
    for versions in ctx.contracts.versions([entry.rule.id for entry in read]).values():
        lines = RuleTerms.read(versions[-1].terms).services
        known |= {line.id: line.service_item_id for line in lines if line.service_item_id is not None}
    kept = []
    for entry in read:
        services = tuple(
            line if line.service_item_id is not None else replace(line, service_item_id=known.get(line.id))
            for line in entry.terms.services
        )
        kept.append(replace(entry, terms=replace(entry.terms, services=services)))
    return kept


def _changed_from(known: Rule | None, seen_on: date) -> date:
    """Return the first day that follows what is new about a rule: the day after it was last seen as it was."""
    if known is None or known.seen_on is None:
        return seen_on
    return min(seen_on, add_days(known.seen_on, 1))


def _new_since(
    ctx: JobContext, read: Sequence[ReadRule], known: Mapping[int, Rule], seen_on: date
) -> dict[int, date | None]:
    """Return by rule the day from which it is new: its contract had been read before, without it, or is new itself."""
    first = [entry.rule for entry in read if entry.rule.id not in known]
    found: dict[int, date | None] = {rule_id: rule.new_since for rule_id, rule in known.items()}
    if first:
        contracts = {rule.contract_id for rule in first}
        readings = ctx.readings.of(contracts)
        began = ctx.contracts.first_seen()
        rows = {row.contract_id: row for row in ctx.contracts.some(contracts)}
        for rule in first:
            before = readings.get(rule.contract_id)
            row = rows.get(rule.contract_id)
            was_read = before is not None and before.read_at is not None
            is_new_contract = row is not None and began is not None and row.first_seen_at > began
            found[rule.id] = seen_on if was_read or is_new_contract else None
    return found


def _keep_trail(
    ctx: JobContext,
    read: Sequence[ReadRule],
    changed: Mapping[int, Mapping[str, Any]],
    newest: Mapping[int, NewestVersion],
    last_seen: Mapping[int, datetime],
    now: datetime,
) -> None:
    """Add to the audit trail which terms became which, and between which readings."""
    before = {rule_id: number.version for rule_id, number in newest.items() if rule_id in changed}
    versions = ctx.contracts.versions(before)
    changes = []
    for entry in read:
        rule_id = entry.rule.id
        if rule_id not in before:
            continue
        was = next(row for row in versions[rule_id] if row.version == before[rule_id])
        facts: dict[str, Any] = {
            "contract_id": entry.rule.contract_id,
            "rule_id": rule_id,
            "last_seen": last_seen[rule_id].isoformat(timespec="minutes"),
            "first_seen": now.isoformat(timespec="minutes"),
            **_both(was.terms, changed[rule_id]["terms"], (), None),
        }
        numbers = f"version {was.version}", f"version {changed[rule_id]['version']}"
        changes.append(Change(rule_id, *numbers, Reason(ReasonKind.TERMS_FOLLOWED, facts)))
    ctx.audit.record("rule", changes, now)


def _note_changes(
    ctx: JobContext, rule_ids: Collection[int], last_seen: Mapping[int, datetime], seen_on: date, now: datetime
) -> None:
    """Raise a finding for each period that was issued after its rule was last seen as it was, by another reading."""
    since = {each: last_seen[each] + CURRENT for each in rule_ids if each in last_seen}
    issued = ctx.periods.issued_since(since, seen_on)
    if not issued:
        return
    versions = ctx.contracts.versions({period.rule_id for period in issued})
    prices = ctx.prices.histories({period.rule_id for period in issued})
    seen = []
    for period in issued:
        known = versions[period.rule_id]
        current = [row for row in prices.get(period.rule_id, []) if row.created_at >= now]
        seen.append(terms_changed(period, known, last_seen=last_seen[period.rule_id], first_seen=now, prices=current))
    ctx.findings.settle(seen, examined={}, kinds=(), at=now)


def terms_changed(
    period: Period,
    versions: Sequence[Version],
    *,
    last_seen: datetime,
    first_seen: datetime,
    prices: Sequence[KnownPrice] = (),
) -> Disagreement:
    """Return the finding that a period was billed by other terms than those that its rule has now.

    Args:
        period: it was issued.
        versions: those of its rule, oldest first.
        last_seen: when the terms that it was billed by were last seen.
        first_seen: when those of now were first seen.
        prices: what is new about the rule's prices.
    """
    newest = versions[-1]
    was = next((row for row in versions if row.version == period.rule_version), newest)
    values = [f"{row.unit_value:f}" for row in prices]
    return Disagreement.of_period(
        FindingKind.TERMS_CHANGED,
        ("period", period.id),
        period.identity,
        facts={
            "last_seen": last_seen.isoformat(timespec="minutes"),
            "first_seen": first_seen.isoformat(timespec="minutes"),
            **_both(was.terms, newest.terms, values, period.gross_value),
        },
        found=newest.terms_hash,
    )


def _both(was: Mapping[str, Any], now: Mapping[str, Any], prices: Sequence[str], gross_value: Any) -> dict[str, str]:
    """Say what differs between two terms, and the price where only that was changed."""
    names = [name for name in now if was.get(name) != now[name]]
    before = [f"{name} {was.get(name)}" for name in names]
    after = [f"{name} {now[name]}" for name in names]
    if prices:
        before.append(f"{gross_value} billed")
        after.append(f"{', '.join(prices)} by service")
    return {"was": "; ".join(before), "now": "; ".join(after)}


def _version_row(
    ctx: JobContext, entry: ReadRule, newest: NewestVersion | None, since: date, back: date | None, now: datetime
) -> dict[str, Any] | None:
    """Return the row of a new version, or None where the terms are those already known and it was not gone."""
    document = entry.terms.document()
    digest = terms_hash(document)
    if newest is not None and newest.terms_hash == digest and back is None:
        return None
    return {
        "organization_id": ctx.organization_id,
        "rule_id": entry.rule.id,
        "version": newest.version + 1 if newest else 1,
        "effective_from": (back or since) if newest else min(since, entry.terms.recurrence.init_date),
        "terms": document,
        "terms_hash": digest,
        "payload": entry.rule.payload,
        "seen_at": now,
        "last_seen_at": now,
    }


def _rule_row(
    ctx: JobContext,
    entry: ReadRule,
    version: int,
    new_since: Mapping[int, date | None],
    seen_on: date,
    now: datetime,
) -> dict[str, Any]:
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
        "new_since": new_since[rule.id],
        "seen_on": seen_on,
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
                "month_quantity": scheduled.months,
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
