"""Steps that hold what was billed against what was received: reconciliation and ageing."""

import logging

from ciclo.domain.money import brl
from ciclo.jobs.context import JobContext
from ciclo.jobs.reconciliation.instruct import carry_out
from ciclo.jobs.reconciliation.reconcile import reconcile, reconcile_touched
from ciclo.jobs.rules.read import require_known
from ciclo.jobs.runs import Counts, Run, Trigger
from ciclo.ledger.queries.receivables import ageing, days_to_receive

log = logging.getLogger("ciclo")


SHOWN = 100


def carry_out_instructions(job: JobContext, run: Run) -> Counts:
    """Tell the vendor what people asked for about single invoices and receivables, each once; return counts."""
    outcome = carry_out(
        job, run.settings.issue_options, owner=run.owner, today=run.today, contract_ids=run.contract_ids
    )
    log.info("instructions: %s", outcome.counts())
    for finding in outcome.refused:
        log.warning("%s", finding.sentence)
    return outcome.counts()


def reconcile_receivables(job: JobContext, run: Run) -> Counts:
    """Reconcile what webhooks named, the run's dates where a person gave them, or all that may have changed."""
    require_known(job, run.contract_ids)
    days = run.settings.recheck_days
    if run.trigger is Trigger.ASSET:
        outcome = reconcile_touched(job, today=run.today, recheck_days=days)
    else:
        window = run.window if run.dated else None
        outcome = reconcile(job, today=run.today, recheck_days=days, window=window, contract_ids=run.contract_ids)
    log.info("reconciled: %s", outcome.counts())
    for finding in outcome.opened[:SHOWN]:
        log.warning("%s: %s", finding.kind.value.replace("_", " "), finding.sentence)
    if len(outcome.opened) > SHOWN:
        log.warning("… and %d more findings; the console lists them", len(outcome.opened) - SHOWN)
    return outcome.counts()


def age_receivables(job: JobContext, run: Run) -> dict[str, str]:
    """Say what is owed and since when; return the amounts by age."""
    aged = ageing(job.session, job.organization_id, run.today)
    days = days_to_receive(job.session, job.organization_id)
    rows = [f"  {bucket.value:<10}{owed.count:>8} {brl(owed.amount):>20}" for bucket, owed in aged.items()]
    taken = f"  received in {days} days on average" if days is not None else "  nothing was received yet"
    log.info("owed on %s:\n%s\n%s", run.today, "\n".join(rows), taken)
    return {bucket.value: str(owed.amount) for bucket, owed in aged.items()}
