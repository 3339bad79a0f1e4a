"""Steps that read contracts and rules, plan their periods, create rules, and look for what is new in the answers."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciclo.billimatic.drift import Drift, survey
from ciclo.billimatic.models import InvoiceRule, RuleFromTemplate
from ciclo.jobs.context import JobContext
from ciclo.jobs.periods.expand import (
    ExpandOutcome,
    expand_rules,
    record_expansion,
    record_sync,
    sync_contracts,
)
from ciclo.jobs.periods.plan import Backdated
from ciclo.jobs.rules.read import of_this_run, read_contract_list, require_known
from ciclo.jobs.rules.store import CURRENT, Problem
from ciclo.jobs.runs import Counts, Run, Trigger
from ciclo.ledger.repositories import Scope
from ciclo.ledger.repositories.contracts import ShapeRepository

log = logging.getLogger("ciclo")


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What is new since the last look, and what could not be read at all."""

    new: Sequence[Drift]
    failures: Sequence[str]

    def counts(self) -> dict[str, int]:
        """Return it as counts, small enough to travel between tasks."""
        return {"new_shapes": len(self.new), "unread_endpoints": len(self.failures)}


def report_drift(ctx: JobContext) -> DriftReport:
    """Compare real answers with the models; log what was never seen before, and remember it. Reads only.

    Raises:
        AuthenticationError: The token is refused.
        TransientApiError: The API does not answer.
    """
    found = survey(ctx.api)
    shapes = ShapeRepository(ctx.session, ctx.organization_id)
    new = [drift for drift in sorted(found.drifts) if shapes.see(drift.kind, drift.path, drift.word, at=ctx.clock())]
    ctx.session.commit()
    for line in (*map(str, new), *found.failures):
        log.warning("the vendor's API: %s", line)
    return DriftReport(new, found.failures)


@dataclass(frozen=True, slots=True)
class CreatedRule:
    """The rule, and whether it was there already."""

    rule: InvoiceRule
    existed: bool


def create_rule_from_template(ctx: JobContext, contract_id: int, wanted: RuleFromTemplate) -> CreatedRule:
    """Create a rule, or return the one with the same title and first issue date that the contract has already.

    Raises:
        RejectedError: the API refused it; the error names the fields.
        NotFoundError: the account has no such contract.
        OutcomeUnknownError: no answer; calling again looks first and finds it, if it was created.
    """
    timing = wanted.additional_information
    for rule in ctx.api.invoice_rules(contract_id).whole():
        known = rule.additional_information
        if known is not None and known.title == timing.title and known.init_date == timing.init_date:
            return CreatedRule(rule, existed=True)
    return CreatedRule(ctx.api.create_invoice_rule(contract_id, wanted), existed=False)


def read_contracts(job: JobContext, run: Run) -> int:
    """Bring the organization's contracts into the ledger; return how many may be billed.

    Raises:
        UnknownContractError: the run is about contracts that the organization does not have.
    """
    billable = read_contract_list(job)
    require_known(job, run.contract_ids)
    log.info("%d contracts may be billed", billable)
    return billable


def expand(job: JobContext, run: Run) -> Counts:
    """Read the rules of a shard of contracts and plan their periods in the run's window; return counts."""
    current = CURRENT if run.trigger is Trigger.SCHEDULE else of_this_run(job)
    outcome = expand_rules(job, run.scope, seen_on=run.today, not_older_than=current)
    return _report_expansion(outcome)


def expand_range(job: JobContext, run: Run) -> Counts:
    """Read the rules of a shard of contracts and plan their periods, those of days before a rule was seen, too."""
    current = of_this_run(job)
    outcome = expand_rules(job, run.scope, seen_on=run.today, not_older_than=current, backdated=Backdated.PLAN)
    return _report_expansion(outcome)


def sync(job: JobContext, run: Run) -> Counts:
    """Read a shard's contracts within the budget of a day and plan what is new for the open months; return counts."""
    shard, of = (run.shard.number, run.shard.of) if run.shard is not None else (0, 1)
    days, lead = run.settings.read_within_days, run.settings.lead_days
    outcome = sync_contracts(job, today=run.today, read_within_days=days, lead_days=lead, shard=shard, shards=of)
    return _report_expansion(outcome)


def record_synced(job: JobContext, run: Run) -> Counts:
    """Remember the open months as expanded; return what the run's shards did, added up."""
    record_sync(job, run.today, lead_days=run.settings.lead_days)
    return _added_up(run.given.get("sync"))


def look_for_drift(job: JobContext, _run: Run) -> Counts:
    """Compare the vendor's answers with what is known of them, and log what was never seen before; return counts."""
    return report_drift(job).counts()


def _report_expansion(outcome: ExpandOutcome) -> Counts:
    log.info("expanded: %s", outcome.counts())
    warn(outcome.problems)
    return outcome.counts()


def record_expanded(job: JobContext, run: Run) -> Counts:
    """Remember which months the run has expanded; return what its shards did, added up."""
    record_expansion(job, run.scope)
    return _added_up(run.given.get("expand"))


def _added_up(shards: list[Counts] | None) -> Counts:
    return {name: sum(counts[name] for counts in shards) for name in shards[0]} if shards else {}


_TIMING = ("title", "init_date", "end_date", "period_unit", "month_quantity", "accrual_month_quantity")
_DUE_DATES = {
    "day_number": "day_number",
    "day_quantity": "day_quantity",
    "due_month_quantity": "month_quantity",
    "parcel_number": "parcel_number",
    "only_business_days": "only_business_days",
}
_OF_THE_RULE = (
    "invoice_template_id",
    "gross_value",
    "description",
    "nfe_body",
    "charge_type",
    "notify_customer",
    "apply_negative_updates",
    "services",
    "scheduled_updates",
    "payment_information",
)
RULE_PARAMS = ("contract_id", *_OF_THE_RULE, *_TIMING, *_DUE_DATES)
"""Names of the fields of a new rule's form."""


def create_rule(job: JobContext, run: Run) -> int:
    """Create the rule that the form asks for, unless the contract has it; return its id."""
    wanted = rule_request(run.params)
    created = create_rule_from_template(job, run.params["contract_id"], wanted)
    what = "was there already" if created.existed else "created"
    log.info("rule %d of contract %d %s", created.rule.id, created.rule.contract_id, what)
    return created.rule.id


def rule_request(params: Mapping[str, Any]) -> RuleFromTemplate:
    """Return the request that a form asks for: what was left empty is the template's, and is not sent.

    Raises:
        ValidationError: a field cannot be right; the message names its path.
    """
    filled = {name: value for name, value in params.items() if value not in (None, "", [], {})}
    rule: dict[str, Any] = {name: filled[name] for name in _OF_THE_RULE if name in filled}
    rule["additional_information"] = {name: filled[name] for name in _TIMING if name in filled}
    due = {name: filled[param] for param, name in _DUE_DATES.items() if param in filled}
    return RuleFromTemplate.model_validate(rule | ({"receivables_additional_information": due} if due else {}))


def read_and_expand(job: JobContext, run: Run) -> Counts:
    """Read the contract of the new rule and plan the rule's periods of the open month; return counts."""
    read_contract_list(job)
    outcome = expand_rules(job, Scope(run.window, (run.params["contract_id"],)), seen_on=run.today)
    return _report_expansion(outcome)


def warn(problems: Iterable[Problem]) -> None:
    """Log what needs a person."""
    for problem in problems:
        log.warning("needs a person: %s", problem.message)
