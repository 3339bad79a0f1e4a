"""The tasks of price indices and price updates. Each opens a session, calls one job, and logs what a person should see.

Between tasks travel counts, and the ids and hash of the proposals that a person is asked about.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, Param, get_current_context

from ciclo.domain.price_index import PriceIndex
from ciclo.http.errors import ApiError
from ciclo.http.retries import RetryRules
from ciclo.jobs.context import JobContext
from ciclo.jobs.indices import load_shipped, revised_uses, sync_index
from ciclo.jobs.price_updates import (
    Reminder,
    UpdateOptions,
    UpdateOutcome,
    UpdatesInDoubtError,
    UpdatesOpen,
    apply_price_updates,
    batch_of,
    missing_indices,
    previews,
    settle_updates,
    taken_reminders,
    unsettled_updates,
    updates_open,
)
from ciclo.jobs.rules.read import read_contract_list
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.database import ledger_session
from ciclo.ledger.repositories import Scope
from ciclo.provider.notifier import BillingNotifier, PriceUpdatePreview
from ciclo.sgs.client import SgsClient
from ciclo.tasks.alerts import telling_what_stopped
from ciclo.tasks.runs import Context, DefaultWindow, open_job, owner_of, scope_of, today
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

PRICES = Asset("ciclo://prices")
PRICE_INDICES = {index.value: Asset(f"ciclo://price-index/{index.value}") for index in PriceIndex}
"""One asset per index: what depends on its values follows it in Airflow's graph."""

UPDATES_DUE = DefaultWindow("day")


# -- indices ----------------------------------------------------------------------------------------------------------


def load_shipped_indices() -> int:
    """Bring the shipped values that the ledger has not into it; return how many. Needs no network."""
    with ledger_session() as session:
        return load_shipped(session, at=datetime.now(UTC))


def sync_price_index(index: str) -> dict[str, int]:
    """Bring one index's newer values and revisions from SGS into the ledger; notify of revisions; return counts."""
    context = get_current_context()
    with ledger_session(discard=context["params"]["dry_run"]) as session, SgsClient(base_url=settings().sgs_url) as sgs:
        outcome = sync_index(session, sgs, PriceIndex(index), through=today(), at=datetime.now(UTC))
        uses = revised_uses(session, PriceIndex(index))
    log.info("%s: %s; newest month %s", index, outcome.counts(), outcome.newest)
    for month in outcome.gaps:
        log.warning("%s: SGS has no value for %s, though it has later ones", index, f"{month:%Y-%m}")
    for use in uses:
        log.warning("%s", use.line())
    if outcome.revised:
        lines = [*(revision.line() for revision in outcome.revised), *(use.line() for use in uses)]
        _notify(context, f"Ciclo: {PriceIndex(index).label} was revised", lines)
    return outcome.counts()


def fetch_missing_values(job: JobContext, scope: Scope, options: UpdateOptions) -> None:
    """Ask SGS for what due updates need and the ledger lacks; without SGS, what the ledger has has to serve."""
    load_shipped(job.session, at=job.clock())
    wanted = missing_indices(job, scope, options, today=today())
    if not wanted:
        return
    with SgsClient(base_url=settings().sgs_url, retries=RetryRules(attempts=1)) as sgs:
        for index in sorted(wanted):
            try:
                sync_index(job.session, sgs, index, through=today(), at=job.clock())
            except ApiError as error:
                log.warning("%s cannot be had from SGS now, updates that need it wait: %s", index.label, error)


# -- updates ----------------------------------------------------------------------------------------------------------


def update_params() -> dict[str, Param]:
    """Return the params of `apply_price_updates` that no other Dag has."""
    return {
        "require_approval": Param(
            settings().approve_price_updates,
            type="boolean",
            title="Approval",
            description="Let a person approve the proposals before they are applied.",
        )
    }


def options_of(context: Context) -> UpdateOptions:
    """Return the settings of a run; a param of the run comes before the installation's setting."""
    wanted = context["params"].get("require_approval")
    return settings().update_options(require_approval=settings().approve_price_updates if wanted is None else wanted)


def prepare_updates(default: DefaultWindow) -> dict[str, Any]:
    """Refresh contracts and index values; where approval is required, write the proposals and return their batch."""
    context = get_current_context()
    scope, options = scope_of(context, default), options_of(context)
    with open_job(context) as job:
        if context["params"]["dry_run"]:
            show_previews(job, scope, options)
            return {"execution_ids": [], "hash": ""}
        read_contract_list(job)
        fetch_missing_values(job, scope, options)
        if not options.require_approval:
            return {"execution_ids": [], "hash": ""}
        settle_updates(job, scope, options)
        outcome = apply_price_updates(job, scope, options, today=today(), owner=owner_of(context), proposing=True)
        batch = batch_of(job, scope)
    _report("proposed", outcome)
    return {"execution_ids": list(batch.execution_ids), "hash": batch.hash}


def apply_updates_shard(shard: int, default: DefaultWindow) -> dict[str, int]:
    """Settle and apply the updates of one shard of contracts that are due by the window's end; return counts."""
    context = get_current_context()
    scope, options = scope_of(context, default, shard), options_of(context)
    with open_job(context) as job:
        if context["params"]["dry_run"]:
            show_previews(job, scope, options)
            return UpdateOutcome().counts()
        outcome = settle_and_apply(job, scope, options, owner=owner_of(context))
    _report("applied", outcome)
    return outcome.counts()


def propose_or_apply_shard(shard: int, default: DefaultWindow) -> dict[str, int]:
    """Do what `apply_price_updates` does, inside a backfill: an update that needs approval is proposed and waits."""
    context = get_current_context()
    scope, options = scope_of(context, default, shard), options_of(context)
    with open_job(context) as job:
        if context["params"]["dry_run"]:
            show_previews(job, scope, options)
            return UpdateOutcome().counts()
        fetch_missing_values(job, scope, options)
        outcome = settle_and_apply(job, scope, options, owner=owner_of(context), proposing=options.require_approval)
        unknown = updates_open(job, scope)
    _report("applied", outcome)
    _require_settled(unknown)
    return outcome.counts()


def settle_and_apply(
    job: JobContext, scope: Scope, options: UpdateOptions, *, owner: str, proposing: bool = False
) -> UpdateOutcome:
    """Settle what earlier runs left without an answer, then apply what is due."""
    outcome = settle_updates(job, scope, options)
    outcome.add(apply_price_updates(job, scope, options, today=today(), owner=owner, proposing=proposing))
    return outcome


def finish_updates(default: DefaultWindow) -> dict[str, int]:
    """Settle this run's doubts, apply what came back, report; fail while an update is in doubt."""
    context = get_current_context()
    scope, options = scope_of(context, default), options_of(context)
    with open_job(context) as job:
        if not context["params"]["dry_run"]:
            with telling_what_stopped(job, context):
                _report("finished", settle_and_apply(job, scope, options, owner=owner_of(context)))
        unknown = updates_open(job, scope)
        standing = unsettled_updates(job, scope, on=scope.window.last_day)
    log.info("updates that are not settled:\n%s", "\n".join(standing.lines()) or "  none")
    if not context["params"]["dry_run"]:
        _require_settled(unknown)
    return standing.counts()


def remind_of_updates(default: DefaultWindow) -> int:
    """Send the reminders whose day has come, each once; return how many."""
    context = get_current_context()
    scope, options = scope_of(context, default), options_of(context)
    if context["params"]["dry_run"]:
        return 0
    with open_job(context) as job, taken_reminders(job, scope, options, today=today()) as reminders:
        if reminders:
            subject = f"Ciclo: {len(reminders)} price updates to come"
            shown = [preview for reminder in reminders for preview in _previews(reminder)]
            BillingNotifier(to=settings().notified, subject=subject, previews=shown).notify(context)
    return len(reminders)


def show_previews(job: JobContext, scope: Scope, options: UpdateOptions) -> None:
    """Say in the log what the due updates would do."""
    found: Iterable[Reminder] = previews(job, scope, options, on=min(scope.window.last_day, today()))
    lines = [preview.line() for reminder in found for preview in _previews(reminder)]
    log.info("dry run, nothing is sent:\n%s", "\n".join(lines) or "  no price update is due")


def _previews(reminder: Reminder) -> list[PriceUpdatePreview]:
    return [
        PriceUpdatePreview(
            contract_id=reminder.contract_id,
            contract_name=reminder.contract_name,
            rule_id=reminder.rule_id,
            execution_date=reminder.execution_date,
            index=reminder.index.label,
            months=reminder.months,
            factor=reminder.factor,
            old_price=price.old,
            new_price=price.new,
            service=price.service,
            warning=reminder.note,
        )
        for price in reminder.prices
    ]


def _require_settled(unknown: UpdatesOpen) -> None:
    if unknown:
        raise UpdatesInDoubtError(unknown.executions, unknown.ready_at)


def _report(what: str, outcome: UpdateOutcome) -> None:
    log.info("%s: %s", what, outcome.counts())
    _warn(outcome.problems)


def _warn(problems: Iterable[Problem]) -> None:
    for problem in problems:
        log.warning("needs a person: %s", problem.message)


def _notify(context: Context, subject: str, lines: list[str]) -> None:
    BillingNotifier(to=settings().notified, subject=subject, lines=lines).notify(context)
