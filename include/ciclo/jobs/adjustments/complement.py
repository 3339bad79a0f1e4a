"""Complements: a difference that is billed by an invoice of its own, through a rule of a single day.

A rule is what everybody can read: it is planned, its invoice made or taken over, issued and proved like any other. The
order is the protocol: read the contract's rules, claim, commit, POST, record, commit. The rule carries its adjustment's
mark in its title; by that it is found again, in the ledger or at the vendor, instead of being created twice. The
adjustment is used once the rule's invoice is there.
"""

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ciclo.billimatic import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
)
from ciclo.domain.adjustments import mark_of, marks_in
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.adjustments.correct import left_out
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, Period, Rule
from ciclo.ledger.terms import RuleTerms

log = logging.getLogger("ciclo")


@dataclass(slots=True)
class ComplementOutcome:
    """What became of differences that are billed by an invoice of their own, by number."""

    created: int = 0
    there: int = 0
    """Rules that the vendor had: an answer was lost."""
    invoiced: int = 0
    left_out: int = 0
    """Those that a person has to bill."""
    in_doubt: int = 0

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts."""
        return {name: getattr(self, name) for name in ("created", "there", "invoiced", "left_out", "in_doubt")}


def bill_complements(ctx: JobContext, scope: Scope, options: IssueOptions) -> ComplementOutcome:
    """Create the rules of differences that are billed by an invoice of their own, and plan these. Commits.

    Args:
        ctx: the run, of an organization that may bill.
        scope: contracts and shard; its window does not matter.
        options: lease and grace.

    Raises:
        AuthenticationError: the token is not accepted.
    """
    options.require_lease(ctx.api)
    outcome = ComplementOutcome()
    for each, period in ctx.adjustments.complements(scope):
        rules = ctx.contracts.rules_of([each.contract_id])
        own = next((rule for rule in rules if each.id in marks_in(rule.title)), None)
        if own is not None:
            outcome.invoiced += _note_invoice(ctx, each, period, own)
        elif ctx.adjustments.doubtful(period.id, ctx.clock()) is not None:
            outcome.in_doubt += 1
        else:
            _create(ctx, each, period, options, outcome)
        ctx.session.commit()
    return outcome


def _note_invoice(ctx: JobContext, each: Adjustment, period: Period, own: Rule) -> int:
    """Remember the invoice of a difference's rule, once it is there."""
    days = DateRange.days(own.init_date, own.init_date)
    mine = Scope(days, (own.contract_id,), rule_ids=(own.rule_id,))
    made = ctx.periods.in_state(PeriodState.ISSUED, scope=mine)
    for one in made:
        use = period.id, period.reference_sequence
        ctx.adjustments.used(use, one.issue_date, [each.id], one.invoice_id or 0, at=ctx.clock())
    return len(made)


def _create(
    ctx: JobContext, each: Adjustment, period: Period, options: IssueOptions, outcome: ComplementOutcome
) -> None:
    use = period.id, period.reference_sequence
    terms = RuleTerms.read(ctx.contracts.versions([period.rule_id])[period.rule_id][-1].terms)
    ctx.session.commit()  # no transaction stays open while the vendor is asked
    day = ctx.today
    try:
        timings = [rule.additional_information for rule in ctx.api.invoice_rules(each.contract_id).whole()]
        there = next((one for one in timings if one is not None and each.id in marks_in(one.title)), None)
        if there is not None:
            outcome.there += 1
            day = there.init_date or day
        else:
            until = ctx.clock() + options.lease
            used = ctx.adjustments.in_invoice(use)
            if not ctx.adjustments.claim(use, [each.id], used=used, until=until + options.grace, at=ctx.clock()):
                return  # another run has it, or a person took it back
            ctx.session.commit()
            failpoint("adjust.begun")
            time_left = (until - timedelta(seconds=ctx.api.longest_request) - ctx.clock()).total_seconds()
            ctx.api.create_invoice_rule(each.contract_id, _rule_body(each, terms, day), within=time_left)
            failpoint("adjust.created")
            outcome.created += 1
    except OutcomeUnknownError:
        ctx.adjustments.doubt(use, until=ctx.clock() + options.grace)
        outcome.in_doubt += 1
        return
    except AuthenticationError:
        ctx.adjustments.not_sent(use, at=ctx.clock())
        ctx.session.commit()
        raise
    except (RejectedError, NotFoundError, BadRequestError) as error:
        ctx.adjustments.not_sent(use, at=ctx.clock())
        amount = str(each.unit_value)
        seen = [left_out(period, [each.id], None, amount, f"the API refused its rule ({error})")]
        ctx.findings.settle(seen, examined={"invoice": ()}, kinds=(seen[0].kind,), at=ctx.clock())
        outcome.left_out += 1
        return
    except ApiError as error:
        ctx.adjustments.not_sent(use, at=ctx.clock())
        log.warning("contract %d, adjustment %d: not billed yet: %s", each.contract_id, each.id, error)
        return
    days = DateRange.days(min(day, ctx.today), ctx.today)
    expand_rules(ctx, Scope(days, (each.contract_id,)), seen_on=ctx.today, backdated=Backdated.PLAN)


def _rule_body(each: Adjustment, terms: RuleTerms, day: date) -> dict[str, Any]:
    """Return the rule that bills a difference on a day, paid and sent as the invoices of its own rule are."""
    charge = terms.charge
    carried = {name: value for name, value in terms.invoice.items() if name != "comments"}
    due = {
        "day_number": charge.day_number,
        "day_quantity": charge.day_quantity,
        "month_quantity": charge.month_quantity,
        "only_business_days": bool(charge.only_business_days),
    }
    return carried | {
        "description": each.description,
        "gross_value": each.unit_value,
        "charge_type": charge.charge_type.value,
        "additional_information": {
            "title": f"{each.description} {mark_of(each.id)}",
            "init_date": day,
            "end_date": day,
            "period_unit": "monthly",
            "month_quantity": 1,
            "accrual_month_quantity": "same_month",
        },
        "receivables_additional_information": {name: value for name, value in due.items() if value is not None},
    }
