"""Part months: proposed with figure and days, always billed so, or never, as the organization says."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.domain.adjustments import Prorating
from ciclo.domain.recurrence import DateRange
from ciclo.domain.wording import said
from ciclo.jobs.adjustments import correct_invoices
from ciclo.jobs.context import IssueOptions
from ciclo.jobs.issuing.issue import issue_due_periods
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import part_months, proposal, prorate_period, set_policy
from ciclo.ledger.repositories import Scope
from ciclo.ledger.tables import Adjustment, Period
from company import ORGANIZATION, company, contract, rule

YEAR = DateRange.days(date(2025, 1, 1), date(2025, 12, 31))
OPTIONS = IssueOptions(concurrency=1)
MONTHLY = {"gross_value": "310.0", "init_date": "2025-01-10", "timing": {"end_date": "2025-12-31"}}


@pytest.fixture
def start(sandbox, lite_job):
    def make(*rules, policy=None, **given):
        box = sandbox(company(*rules, **given))
        ctx = lite_job(box)
        read_contract_list(ctx)
        if policy:
            set_policy(ctx.session, ORGANIZATION, policy, person="ana", at=ctx.clock())
            ctx.session.commit()
        expand_rules(ctx, Scope(YEAR), seen_on=date(2025, 1, 1))
        return box, ctx

    return make


def parts(ctx, *rule_ids):
    found = part_months(ctx.session, ORGANIZATION, rule_ids, YEAR)
    return [(each.rule_id, each.issue_date.month, str(each.days.start), str(each.days.last_day)) for each in found]


def a_period(ctx, day):
    query = select(Period).where(Period.issue_date == day)
    return ctx.session.scalars(query.execution_options(populate_existing=True)).one()


def billed(box):
    return {each["estimated_issue_date"]: Decimal(each["gross_value"]) for each in box.state()["invoices"]}


def test_the_first_and_last_part_month_are_those_of_the_contract(start):
    days = {"init_date": "2025-01-15", "end_date": "2025-12-20"}
    _, ctx = start(rule(1, **MONTHLY), contracts=[contract(10, **days)])
    assert parts(ctx, 1) == [(1, 1, "2025-01-15", "2025-01-31"), (1, 12, "2025-12-01", "2025-12-20")]


def test_a_rule_that_begins_or_ends_within_a_month_of_an_older_contract_counts_itself(start):
    _, ctx = start(
        rule(1, init_date="2025-03-11", timing={"end_date": "2025-10-15"}),
        rule(2, init_date="2025-01-10", timing={"end_date": "2025-10-10"}),
        rule(3, init_date="2025-03-11", timing={"accrual_month_quantity": "previous_month"}),
        contracts=[contract(10, init_date="2020-01-01")],
    )
    assert parts(ctx, 1, 3) == [(1, 3, "2025-03-11", "2025-03-31"), (1, 10, "2025-10-01", "2025-10-15")]
    assert parts(ctx, 2) == [(2, 1, "2025-01-10", "2025-01-31")]


def test_a_rule_that_goes_on_where_another_ended_has_no_first_part_month_but_a_new_service_has(start):
    ended = {"init_date": "2025-01-01", "timing": {"title": "Support", "end_date": "2025-03-10"}}
    anew, other = ({"init_date": "2025-03-11", "timing": {"title": title}} for title in ("Support", "Hosting"))
    _, ctx = start(
        rule(1, **ended), rule(2, **anew), rule(3, **other), contracts=[contract(10, init_date="2020-01-01")]
    )
    assert parts(ctx, 2, 3) == [(3, 3, "2025-03-11", "2025-03-31")]


def test_by_default_it_is_proposed_with_figure_and_days_and_a_person_accepts_it(start):
    box, ctx = start(rule(1, **MONTHLY), contracts=[contract(10, init_date="2025-01-22")])
    january = a_period(ctx, date(2025, 1, 10))
    found = proposal(ctx.session, ORGANIZATION, january)
    assert (found.part.day_count, found.whole, found.prorated) == ((10, 31), Decimal("310.00"), Decimal("100.00"))
    assert proposal(ctx.session, ORGANIZATION, a_period(ctx, date(2025, 2, 10))) is None

    outcome = prorate_period(ctx.session, ORGANIZATION, january.id, person="ana", note="agreed", at=ctx.clock())
    ctx.session.commit()
    assert outcome.message == "It will be billed for 10 of 31 days."
    assert proposal(ctx.session, ORGANIZATION, a_period(ctx, date(2025, 1, 10))) is None
    issue_due_periods(ctx, Scope(DateRange.month_of(date(2025, 1, 1))), OPTIONS, owner="run")
    assert billed(box) == {"10/01/2025": Decimal("100.00")}


def test_an_invoice_that_is_there_already_is_corrected_when_a_person_accepts(start):
    box, ctx = start(rule(1, **MONTHLY), contracts=[contract(10, init_date="2025-01-22")])
    january = Scope(DateRange.month_of(date(2025, 1, 1)))
    issue_due_periods(ctx, january, OPTIONS, owner="run")
    row = a_period(ctx, date(2025, 1, 10))
    prorate_period(ctx.session, ORGANIZATION, row.id, person="ana", note="agreed", at=ctx.clock())
    ctx.session.commit()
    assert correct_invoices(ctx, january, OPTIONS).corrected == 1
    assert billed(box) == {"10/01/2025": Decimal("100.00")}


def test_where_the_policy_is_always_the_period_is_planned_in_part_once(start):
    _, ctx = start(rule(1, **MONTHLY), contracts=[contract(10, init_date="2025-01-22")], policy=Prorating.ALWAYS)
    assert a_period(ctx, date(2025, 1, 10)).gross_value == Decimal("100.00")
    expand_rules(ctx, Scope(YEAR), seen_on=date(2025, 1, 1))
    [row] = ctx.session.scalars(select(Adjustment)).all()
    assert (row.origin, row.kind, row.first_day) == ("prorata", "prorate", date(2025, 1, 22))


def test_where_the_policy_is_never_nothing_is_proposed(start):
    _, ctx = start(rule(1, **MONTHLY), contracts=[contract(10, init_date="2025-01-22")], policy=Prorating.NEVER)
    january = a_period(ctx, date(2025, 1, 10))
    assert proposal(ctx.session, ORGANIZATION, january) is None
    outcome = prorate_period(ctx.session, ORGANIZATION, january.id, person="ana", note="no", at=ctx.clock())
    assert not outcome.changed


def test_who_chose_what_becomes_of_part_months_stands_in_the_trail(start):
    _, ctx = start(rule(1, **MONTHLY), policy=Prorating.ALWAYS)
    set_policy(ctx.session, ORGANIZATION, Prorating.ALWAYS, person="rui", at=ctx.clock())
    [chosen] = ctx.audit.trail("organization", ORGANIZATION)
    assert (chosen.person, said(chosen.reason)) == (
        "ana",
        "ana changed how it is billed: part months ask became always",
    )
