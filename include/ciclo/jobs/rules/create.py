"""A rule from a template. The API has no idempotency key: look first, and never create a twin."""

from dataclasses import dataclass

from ciclo.billimatic.models import InvoiceRule, RuleFromTemplate
from ciclo.jobs.context import JobContext


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
