"""Steps that take in what differs for single periods, and bring it into the invoices that are there already."""

import logging

from ciclo.jobs.adjustments import adopt_adjusted, correct_invoices
from ciclo.jobs.adjustments.files import ORIGIN, read_adjustments
from ciclo.jobs.context import JobContext
from ciclo.jobs.runs import Counts, Run
from ciclo.ledger.actions import AdjustmentsRefused, add_adjustments

log = logging.getLogger("ciclo")


def import_file(job: JobContext, run: Run) -> Counts:
    """Add the adjustments of the file in `given`, all or none; return how many are new. Lists every wrong row."""
    rows = read_adjustments(run.given["file"])
    person = job.actor.label
    try:
        added = add_adjustments(job.session, job.organization_id, rows, origin=ORIGIN, person=person, at=job.clock())
    except AdjustmentsRefused as refused:
        job.session.rollback()
        log.error(  # noqa: TRY400 - a trace would hide the rows
            "nothing was added:\n%s", "\n".join(f"  {each}" for each in refused.errors)
        )
        raise
    job.session.commit()
    log.info("adjustments: %s", added.counts())
    return added.counts()


def correct(job: JobContext, run: Run) -> Counts:
    """Bring what is there and still `to_emit` to its adjustments, before the vendor issues it; return counts."""
    if not run.sends(job):
        return {}
    options = run.settings.issue_options
    adopt_adjusted(job, run.scope, options, owner=run.owner)
    counts = correct_invoices(job, run.scope, options).counts()
    log.info("corrected: %s", counts)
    return counts
