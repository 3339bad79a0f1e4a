"""Steps of price indices and price updates."""

import logging
from typing import Any

from sqlalchemy.orm import Session

from ciclo.domain.price_index import PriceIndex
from ciclo.http.errors import ApiError
from ciclo.jobs.context import JobContext, is_armed
from ciclo.jobs.indices import load_shipped, revised_uses, sync_index
from ciclo.jobs.price_updates import (
    Batch,
    LettersOutcome,
    UpdateOptions,
    UpdateOutcome,
    UpdatesInDoubtError,
    UpdatesOpen,
    answer_batch,
    apply_price_updates,
    batch_of,
    missing_indices,
    previews,
    settle_updates,
    taken_reminders,
    unsettled_updates,
    updates_open,
    write_letters,
)
from ciclo.jobs.rules.read import of_this_run, read_contract_list, require_known
from ciclo.jobs.runs import Counts, Notice, Run
from ciclo.jobs.steps.contracts import warn
from ciclo.locale import _, ngettext

log = logging.getLogger("ciclo")


def load_shipped_indices(session: Session, run: Run) -> int:
    """Bring the shipped values that the ledger has not into it; return how many. Needs no network."""
    return load_shipped(session, at=run.now())


def sync_price_index(index: PriceIndex, session: Session, run: Run) -> Counts:
    """Bring one index's newer values and revisions from SGS into the ledger; tell of revisions; return counts."""
    with run.open_sgs() as sgs:
        outcome = sync_index(session, sgs, index, through=run.today, at=run.now())
    uses = revised_uses(session, index)
    log.info("%s: %s; newest month %s", index.value, outcome.counts(), outcome.newest)
    for month in outcome.gaps:
        log.warning("%s: SGS has no value for %s, though it has later ones", index.value, f"{month:%Y-%m}")
    for use in uses:
        log.warning("%s", use.line())
    if outcome.revised:
        lines = [*(revision.line() for revision in outcome.revised), *(use.line() for use in uses)]
        run.tell(Notice(subject=_("Ciclo: {index} was revised").format(index=index.label), lines=tuple(lines)))
    return outcome.counts()


def prepare_updates(job: JobContext, run: Run) -> dict[str, Any]:
    """Refresh contracts and index values; where approval is required, write the proposals and return their batch."""
    nobody: dict[str, Any] = {"execution_ids": [], "hash": ""}
    options = _update_options(run)
    sends = run.sends(job)
    if sends:
        read_contract_list(job, not_older_than=of_this_run(job))
    require_known(job, run.contract_ids)
    if not sends:
        _show_previews(job, run, options)
        return nobody
    _fetch_missing_values(job, run, options)
    if not options.require_approval:
        return nobody
    settle_updates(job, run.scope, options)
    outcome = apply_price_updates(job, run.scope, options, today=run.today, owner=run.owner, proposing=True)
    batch = batch_of(job, run.scope)
    _report_updates("proposed", outcome)
    return {"execution_ids": list(batch.execution_ids), "hash": batch.hash}


def remind_of_updates(job: JobContext, run: Run) -> int:
    """Send the reminders whose day has come, each once; return how many."""
    with taken_reminders(job, run.scope, _update_options(run), today=run.today) as reminders:
        if reminders:
            count = len(reminders)
            subject = ngettext("Ciclo: {count} price update to come", "Ciclo: {count} price updates to come", count)
            run.tell(Notice(subject=subject.format(count=count), reminders=tuple(reminders)))
    return len(reminders)


def answer_updates(job: JobContext, run: Run, approved: bool, person: str) -> Counts:  # noqa: FBT001 - see Approval
    """Record a person's answer about the proposals that were shown; return what it did, by number."""
    shown = run.given["prepare"] or {}
    batch = Batch(tuple(shown.get("execution_ids") or ()), shown.get("hash") or "")
    verdict = answer_batch(job, batch, approved=approved, person=person, at=job.clock())
    log.info("%s", verdict)
    return {"approved": verdict.approved, "rejected": verdict.rejected, "refused": verdict.refused}


def apply_updates(job: JobContext, run: Run) -> Counts:
    """Settle and apply the updates of a shard of contracts that are due by the window's end; return counts."""
    if not is_armed(job):
        return UpdateOutcome().counts()
    outcome = _settle_and_apply(job, run, _update_options(run))
    _report_updates("applied", outcome)
    return outcome.counts()


def finish_updates(job: JobContext, run: Run) -> Counts:
    """Settle this run's doubts, apply what came back, report; fail while an update is in doubt."""
    if run.sends(job):
        _report_updates("finished", _settle_and_apply(job, run, _update_options(run)))
    unknown = updates_open(job, run.scope)
    summary = unsettled_updates(job, run.scope, on=run.window.last_day)
    log.info("updates that are not settled:\n%s", "\n".join(summary.lines()) or "  none")
    if not run.dry_run:
        _require_settled(unknown)
    return summary.counts()


def send_letters(job: JobContext, run: Run) -> Counts:
    """Write to customers about readjustments, before or after them, each letter once; return counts."""
    if not run.sends(job) or run.post is None:
        return LettersOutcome().counts()
    options, letters = _update_options(run), run.settings.letter_options
    outcome = write_letters(job, run.scope, options, letters, run.post, today=run.today)
    log.info("letters: %s", outcome.counts())
    warn(outcome.problems)
    return outcome.counts()


def update_prices_of_range(job: JobContext, run: Run) -> Counts:
    """Do in a backfill what `apply_price_updates` does: an update that needs approval is proposed and waits."""
    options = _update_options(run)
    if not run.sends(job):
        _show_previews(job, run, options)
        return UpdateOutcome().counts()
    _fetch_missing_values(job, run, options)
    outcome = _settle_and_apply(job, run, options, proposing=options.require_approval)
    _report_updates("applied", outcome)
    _require_settled(updates_open(job, run.scope))
    return outcome.counts()


def _update_options(run: Run) -> UpdateOptions:
    return run.settings.update_options(require_approval=run.params.get("require_approval"))


def _settle_and_apply(job: JobContext, run: Run, options: UpdateOptions, *, proposing: bool = False) -> UpdateOutcome:
    outcome = settle_updates(job, run.scope, options)
    more = apply_price_updates(job, run.scope, options, today=run.today, owner=run.owner, proposing=proposing)
    outcome.add(more)
    return outcome


def _fetch_missing_values(job: JobContext, run: Run, options: UpdateOptions) -> None:
    """Ask SGS for what due updates need and the ledger lacks; without SGS, what the ledger has has to serve."""
    load_shipped(job.session, at=job.clock())
    wanted = missing_indices(job, run.scope, options, today=run.today)
    if not wanted:
        return
    with run.open_sgs() as sgs:
        for index in sorted(wanted):
            try:
                sync_index(job.session, sgs, index, through=run.today, at=job.clock())
            except ApiError as error:
                log.warning("%s cannot be had from SGS now, updates that need it wait: %s", index.label, error)


def _show_previews(job: JobContext, run: Run, options: UpdateOptions) -> None:
    found = previews(job, run.scope, options, on=min(run.window.last_day, run.today))
    subject = _("dry run, nothing is sent:") if found else _("dry run, nothing is sent: no price update is due")
    run.tell(Notice(subject=subject, reminders=tuple(found)))


def _require_settled(unknown: UpdatesOpen) -> None:
    if unknown:
        raise UpdatesInDoubtError(unknown.executions, unknown.ready_at)


def _report_updates(what: str, outcome: UpdateOutcome) -> None:
    log.info("%s: %s", what, outcome.counts())
    warn(outcome.problems)
