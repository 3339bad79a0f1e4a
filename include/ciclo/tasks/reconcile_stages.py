"""The tasks of `reconcile_receivables`: reconcile what is due or what webhooks named, and say how things stand.

The one rule: a run that webhooks started reads what they named; every other run reads everything that may have changed.
"""

import logging

from airflow.sdk import Asset, get_current_context

from ciclo.jobs.reconciliation.ageing import ageing
from ciclo.jobs.reconciliation.reconcile import ReconcileOutcome, reconcile, reconcile_touched
from ciclo.ledger.repositories import Disagreement
from ciclo.tasks.runs import Context, DefaultWindow, open_job, today, window_of
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

RECEIVABLES = Asset("ciclo://receivables")
SHOWN = 100


def reconcile_run() -> dict[str, int]:
    """Reconcile as the run asks for; return counts. In a dry run the ledger stays as it was."""
    context = get_current_context()
    with open_job(context, discard=context["params"]["dry_run"]) as job:
        if _is_by_webhook(context):
            outcome = reconcile_touched(job, today=today(), recheck_days=settings().recheck_days)
        else:
            outcome = reconcile(
                job,
                today=today(),
                recheck_days=settings().recheck_days,
                window=window_of(context, DefaultWindow("day")) if _has_dates(context) else None,
                contract_ids=tuple(context["params"]["contract_ids"] or ()),
            )
    _report(outcome)
    return outcome.counts()


def report_ageing() -> dict[str, str]:
    """Say what is owed and since when; return the amounts by age."""
    with open_job(get_current_context()) as job:
        aged = ageing(job, today())
    log.info("owed on %s:\n%s", aged.today, "\n".join(aged.lines()))
    return {bucket.value: str(owed.amount) for bucket, owed in aged.total.buckets.items()}


def _is_by_webhook(context: Context) -> bool:
    return str(context["dag_run"].run_type) == "asset_triggered"


def _has_dates(context: Context) -> bool:
    return bool(context["params"]["from_date"] or context["params"]["to_date"])


def _report(outcome: ReconcileOutcome) -> None:
    log.info("reconciled: %s", outcome.counts())
    for finding in outcome.opened[:SHOWN]:
        log.warning("%s", _line(finding))
    if len(outcome.opened) > SHOWN:
        log.warning("… and %d more findings; the console lists them", len(outcome.opened) - SHOWN)


def _line(finding: Disagreement) -> str:
    return f"{finding.kind.value.replace('_', ' ')}: {finding.sentence}"
