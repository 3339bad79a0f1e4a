"""The tasks that more than one Dag runs. Each opens a hook and a session and calls one job; counts alone travel on."""

import logging
from typing import Any

from airflow.sdk import Asset, get_current_context, task

from ciclo.jobs.backfill import BackfillPolicy, draft_plan
from ciclo.jobs.context import IssueOutcome
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import settle
from ciclo.jobs.issuing.summary import require_billing, summarize_window
from ciclo.jobs.periods.expand import ExpandOutcome, expand_rules, record_expansion, require_expansion
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import read_contract_list
from ciclo.tasks.alerts import telling_what_stopped
from ciclo.tasks.metrics import report_standing, reporting_doubts
from ciclo.tasks.retries import RETRYING
from ciclo.tasks.runs import DefaultWindow, open_job, owner_of, scope_of, today
from ciclo.tasks.settings import settings

log = logging.getLogger("ciclo")

PERIODS = Asset("ciclo://periods")
INVOICES = Asset("ciclo://invoices")

SHARD_NAME = "shard {{ task.op_kwargs['shard'] }}"

RUN_MONTH = DefaultWindow("month")
RUN_DAY = DefaultWindow("day", catch_up=True)


def total(counts: list[dict[str, int]]) -> dict[str, int]:
    """Add up the counts of a run's shards."""
    return {name: sum(part[name] for part in counts) for name in (counts[0] if counts else {})}


def shards() -> list[int]:
    """Return the numbers of the shards over which a run spreads its contracts."""
    return list(range(settings().shards))


@task(**RETRYING)
def read_contracts() -> int:
    """Bring the organization's contracts into the ledger; return how many may be billed."""
    with open_job(get_current_context()) as job:
        billable = read_contract_list(job)
    log.info("%d contracts may be billed", billable)
    return billable


def expand_shard(shard: int, default: DefaultWindow, *, backdated: Backdated = Backdated.SHOW) -> dict[str, int]:
    """Read the rules of one shard of contracts and plan their periods in the run's window; return counts."""
    context = get_current_context()
    with open_job(context, discard=context["params"]["dry_run"]) as job:
        outcome = expand_rules(job, scope_of(context, default, shard), seen_on=today(), backdated=backdated)
    _report_expansion(outcome)
    return outcome.counts()


def _report_expansion(outcome: ExpandOutcome) -> None:
    log.info("expanded: %s", outcome.counts())
    for problem in outcome.problems:
        log.warning("needs a person: %s", problem.message)


def record_expanded(default: DefaultWindow) -> None:
    """Remember which months the run's shards have expanded; a dry run has expanded none."""
    context = get_current_context()
    if context["params"]["dry_run"]:
        return
    with open_job(context) as job:
        record_expansion(job, scope_of(context, default))


def require_expanded(default: DefaultWindow) -> None:
    """Refuse to issue for a day whose month was never expanded: an empty ledger proves nothing."""
    context = get_current_context()
    with open_job(context) as job:
        require_expansion(job, scope_of(context, default).window.last_day)


def prepare_issue(default: DefaultWindow) -> dict[str, int]:
    """Settle what earlier runs left without an answer, then adopt what is at the vendor already; return counts."""
    context = get_current_context()
    scope, options = scope_of(context, default), settings().issue_options
    with open_job(context) as job:
        if context["params"]["dry_run"]:
            draft = draft_plan(job, scope, BackfillPolicy.EACH)
            log.info("dry run, nothing is sent:\n%s", "\n".join(draft.lines()))
            return IssueOutcome().counts()
        outcome = settle(job, scope, options)
        outcome.add(adopt_existing(job, scope, options, owner=owner_of(context)))
    log.info("prepared: %s", outcome.counts())
    return outcome.counts()


def issue_shard(shard: int, default: DefaultWindow) -> dict[str, int]:
    """Create the invoices of one shard that are due in the window; return counts by outcome."""
    context = get_current_context()
    if context["params"]["dry_run"]:
        return IssueOutcome().counts()
    scope = scope_of(context, default, shard)
    with open_job(context) as job:
        outcome = issue_due_periods(job, scope, settings().issue_options, owner=owner_of(context))
    log.info("issued: %s", outcome.counts())
    return outcome.counts()


def finish_issue(default: DefaultWindow) -> dict[str, Any]:
    """Settle the window, issue what came back, and report how it stands; fail if something is in doubt."""
    context = get_current_context()
    scope = scope_of(context, default)
    with open_job(context) as job:
        if not context["params"]["dry_run"]:
            with telling_what_stopped(job, context), reporting_doubts(job, scope):
                finish_issuing(job, scope, settings().issue_options, owner=owner_of(context))
        standing = summarize_window(job, scope)
        if not context["params"]["dry_run"]:
            report_standing(standing, job.clock())
    window = scope.window
    log.info("periods of %s to %s:\n%s", window.start, window.last_day, "\n".join(standing.lines()))
    if not context["params"]["dry_run"]:
        require_billing(standing)
    return {**standing.counts(), "billed": str(standing.billed)}
