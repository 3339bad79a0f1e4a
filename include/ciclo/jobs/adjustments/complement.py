"""Complements: a difference that is billed by an invoice of its own, through a rule of a single day.

A rule is what everybody can read: it is planned, its invoice made or taken over, issued and proved like any other. The
order is the protocol: read the contract's rules, claim, commit, POST, record, commit. The rule carries its adjustment's
mark in its title; by that it is found again, in the ledger or at the vendor, instead of being created twice, and by its
id once that is known. The adjustment is used once the rule's invoice is there.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from ciclo.billimatic import (
    ApiError,
    BadRequestError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    concerns_all,
)
from ciclo.billimatic.models import InvoiceRule
from ciclo.domain.adjustments import mark_of, marks_in
from ciclo.domain.findings import FindingKind
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState
from ciclo.failpoints import failpoint
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.periods.plan import Backdated
from ciclo.ledger.repositories import Disagreement, Scope, complement_rule
from ciclo.ledger.tables import Adjustment, Period, Rule
from ciclo.ledger.terms import RuleTerms
from ciclo.locale import N_, Text

log = logging.getLogger("ciclo")

LEFT_OUT = (FindingKind.DIFFERENCE_REFUSED, FindingKind.DIFFERENCE_GIVEN_UP)
"""What says that a difference is billed by nobody."""
SUBJECT = "adjustment"
"""What these are about: an invoice may lack several amounts."""


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

    What the vendor refuses, or a person took away there, is a finding until it is billed or withdrawn.

    Args:
        ctx: the run, of an organization that may bill.
        scope: contracts and shard; its window does not matter.
        options: lease and grace.

    Raises:
        ApiError: the token is not accepted, or the vendor wants a pause.
    """
    options.require_lease(ctx.api)
    outcome = ComplementOutcome()
    complements = ctx.adjustments.complements(scope)
    still_open = {each.id for each, _ in complements}
    for kind in LEFT_OUT:
        over: dict[str, set[int]] = {}
        for (subject, number), finding in ctx.findings.open_of_kind(kind).items():
            is_open = subject == SUBJECT and number in still_open  # it was told of the invoice, once for all its own
            if scope.holds(finding.contract_id or 0) and not is_open:
                over.setdefault(subject, set()).add(number)
        ctx.findings.settle((), examined=over, kinds=(kind,), at=ctx.clock())
    for each, period in complements:
        rules, known = ctx.contracts.rules_of([each.contract_id]), complement_rule(each.key)
        own = next((rule for rule in rules if rule.rule_id == known or each.id in marks_in(rule.title)), None)
        if own is not None:
            _follow(ctx, each, period, own, outcome)
        elif ctx.adjustments.doubtful(period.id, ctx.clock()) is not None:
            outcome.in_doubt += 1
        else:
            _create(ctx, each, period, options, outcome)
        ctx.session.commit()
    return outcome


def _follow(ctx: JobContext, each: Adjustment, period: Period, own: Rule, outcome: ComplementOutcome) -> None:
    """See what became of the rule that bills a difference: its invoice is there, still to come, or will not come."""
    use, is_gone = (period.id, period.reference_sequence), own.gone_at is not None
    ctx.adjustments.billed_by(each, own.rule_id)
    days = DateRange.days(own.init_date, own.init_date)
    mine = ctx.periods.in_state(*PeriodState, scope=Scope(days, (own.contract_id,), rule_ids=(own.rule_id,)))
    made = next((one for one in mine if one.state == PeriodState.ISSUED), None)
    if made is not None:
        ctx.adjustments.used(use, made.issue_date, [each.id], made.invoice_id or 0, at=ctx.clock())
        outcome.invoiced += 1
    was_due = bool(mine) or own.init_date < ctx.today
    given_up = (is_gone or was_due) and all(one.state == PeriodState.CANCELLED for one in mine)
    if given_up:
        outcome.left_out += 1
        if is_gone:
            ctx.adjustments.not_sent(
                use, at=ctx.clock(), alone=each.id
            )  # nothing bills it any more: it may be withdrawn
    kind = FindingKind.DIFFERENCE_GIVEN_UP if given_up else None
    _tell(ctx, each, period, kind, rule_id=own.rule_id)


def _create(
    ctx: JobContext, each: Adjustment, period: Period, options: IssueOptions, outcome: ComplementOutcome
) -> None:
    use, known = (period.id, period.reference_sequence), complement_rule(each.key)
    terms = RuleTerms.read(ctx.contracts.versions([period.rule_id])[period.rule_id][-1].terms)
    ctx.session.commit()  # no transaction stays open while the vendor is asked
    day = ctx.today
    try:
        before = list(ctx.api.invoice_rules(each.contract_id).whole())
        there = next((rule for rule in before if _bills(rule, each)), None)
        if there is not None:
            outcome.there += 1
        elif known is not None:  # deleted before Ciclo read it
            ctx.adjustments.not_sent(use, at=ctx.clock(), alone=each.id)
            _tell(ctx, each, period, FindingKind.DIFFERENCE_GIVEN_UP, rule_id=known)
            outcome.left_out += 1
            return
        else:
            until = ctx.clock() + options.lease
            used = ctx.adjustments.in_invoice(use)
            if not ctx.adjustments.claim(use, [each.id], used=used, until=until + options.grace, at=ctx.clock()):
                return  # another run has it, or a person took it back
            ctx.session.commit()
            failpoint("adjust.begun")
            time_left = (until - timedelta(seconds=ctx.api.longest_request) - ctx.clock()).total_seconds()
            there = _made(ctx, each, _rule_body(each, terms, day), within=time_left, before=before)
            outcome.created += 1
    except OutcomeUnknownError as error:
        ctx.adjustments.doubt(use, until=ctx.clock() + options.grace, alone=each.id)
        outcome.in_doubt += 1
        if concerns_all(error):
            ctx.session.commit()
            raise
        return
    except (RejectedError, NotFoundError, BadRequestError) as error:
        ctx.adjustments.not_sent(use, at=ctx.clock(), alone=each.id)
        _tell(ctx, each, period, FindingKind.DIFFERENCE_REFUSED, error=error.fact)
        outcome.left_out += 1
        return
    except ApiError as error:
        ctx.adjustments.not_sent(use, at=ctx.clock(), alone=each.id)
        if concerns_all(error):
            ctx.session.commit()
            raise
        log.warning("contract %d, adjustment %d: not billed yet: %s", each.contract_id, each.id, error)
        return
    ctx.adjustments.billed_by(each, there.id)
    _tell(ctx, each, period, None)
    if there.additional_information is not None and there.additional_information.init_date is not None:
        day = there.additional_information.init_date
    days = DateRange.days(min(day, ctx.today), ctx.today)
    expand_rules(ctx, Scope(days, (each.contract_id,)), seen_on=ctx.today, backdated=Backdated.PLAN)


def _made(
    ctx: JobContext, each: Adjustment, body: dict[str, Any], *, within: float, before: Sequence[InvoiceRule]
) -> InvoiceRule:
    """Create the rule that bills a difference.

    Raises:
        OutcomeUnknownError: no answer, or one to another request: the rule was there before.
        ApiError: it was not created.
    """
    made = ctx.api.create_invoice_rule(each.contract_id, body, within=within)
    failpoint("adjust.created")
    if made.id in {rule.id for rule in before}:
        what = Text(N_("the answer is about something else: {what} {id}"), what=made.resource, id=made.id)
        raise OutcomeUnknownError(what, method="POST", path=f"/api/v1/contracts/{each.contract_id}/invoice_rules")
    return made


def _bills(rule: InvoiceRule, each: Adjustment) -> bool:
    """Whether a rule at the vendor is the one that bills a difference."""
    timing = rule.additional_information
    return rule.id == complement_rule(each.key) or (timing is not None and each.id in marks_in(timing.title))


def _tell(ctx: JobContext, each: Adjustment, period: Period, kind: FindingKind | None, **more: Fact) -> None:
    """Show a person that a difference is billed by nobody; without a kind, that this is over."""
    amount, subject = str(each.unit_value), (SUBJECT, each.id)
    facts: dict[str, Fact] = {
        "period_id": period.id,
        "invoice_id": period.invoice_id,
        "adjustment_id": each.id,
        "amount": amount,
    }
    seen = []
    if kind is not None:
        seen = [Disagreement.of_period(kind, subject, period.identity, facts=facts | more, amount=each.unit_value)]
    ctx.findings.settle(seen, examined={SUBJECT: {each.id}}, kinds=LEFT_OUT, at=ctx.clock())


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
